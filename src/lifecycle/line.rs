//! The lines of an export: jsonb objects of a number and one thing, whose name says what it is. `docs/export.md` has the format.

use crate::pure::binary::{self, Item, Member, STRING, Value, whole};
use crate::server::jsonb::{self, Jsonb};
use crate::server::settings::EPOCH_OFFSET;

pub const FORMAT: i64 = 1;

/// What stands in a line, which is put together: what there is none of is left out.
#[derive(Default)]
pub struct Thing<'a>(Vec<Member<'a>>);

impl<'a> Thing<'a> {
    fn with(mut self, key: &'static str, value: Option<Value<'a>>) -> Thing<'a> {
        self.0.extend(value.map(|value| (key.as_bytes().into(), value)));
        self
    }

    pub fn text(self, key: &'static str, text: impl Into<Option<&'a str>>) -> Thing<'a> {
        let string = |text: &'a str| Value::Raw(Item { kind: STRING, octets: text.as_bytes() });
        self.with(key, text.into().map(string))
    }

    pub fn number(self, key: &'static str, number: impl Into<Option<i64>>) -> Thing<'a> {
        self.with(key, number.into().map(whole))
    }

    pub fn json(self, key: &'static str, value: Option<&'a Jsonb>) -> Thing<'a> {
        self.with(key, value.map(Jsonb::part))
    }

    pub fn thing(self, key: &'static str, thing: Option<Thing<'a>>) -> Thing<'a> {
        self.with(key, thing.map(|thing| jsonb::object(thing.0)))
    }

    /// Microseconds since 1970; what is not one has PostgreSQL's name for it.
    pub fn time(self, key: &'static str, at: impl Into<Option<i64>>) -> Thing<'a> {
        match at.into() {
            Some(i64::MAX) => self.text(key, "infinity"),
            Some(i64::MIN) => self.text(key, "-infinity"),
            at => self.number(key, at.map(|at| at.wrapping_add(EPOCH_OFFSET))),
        }
    }

    pub fn flag(self, key: &'static str, flag: bool) -> Thing<'a> {
        let kind = if flag { binary::TRUE } else { binary::FALSE };
        self.with(key, Some(Value::Raw(Item { kind, octets: &[] })))
    }

    /// The line with this number.
    pub fn line(self, number: i64, name: &'static str) -> Jsonb {
        Jsonb::object(Thing::default().number("line", number).thing(name, Some(self)).0)
    }
}

/// How many lines there are, and of which sort.
#[derive(Default)]
pub struct Counts {
    pub lines: i64,
    /// The newest version.
    pub version: i64,
    of: [i64; COUNTED.len()],
}

/// What is counted, and under which name.
const COUNTED: [(&str, &str); 9] = [
    ("seal", "seals"),
    ("definition", "definitions"),
    ("graph", "graphs"),
    ("event", "events"),
    ("cell", "cells"),
    ("checkpoint", "checkpoints"),
    ("interaction", "interactions"),
    ("lease", "leases"),
    ("key", "keys"),
];

impl Counts {
    pub fn add(&mut self, name: &str) {
        self.lines += 1;
        if let Some(sort) = COUNTED.iter().position(|(sort, _)| *sort == name) {
            self.of[sort] += 1;
        }
    }

    /// Behind the lines that were counted.
    pub fn trailer<'a>(&self, head_hash: &'a str, hash: &'a str) -> Thing<'a> {
        let mut trailer = Thing::default().number("lines", self.lines + 1).number("version", self.version);
        for ((_, name), count) in COUNTED.iter().zip(self.of) {
            trailer = trailer.number(name, count);
        }
        trailer.text("head_hash", head_hash).text("hash", hash)
    }
}

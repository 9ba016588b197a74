//! The lines of an export: jsonb objects of a number and one thing, whose name says what it is. `docs/export.md` has the format.

use crate::pure::binary::{self, Item, Member, STRING, Value, whole};
use crate::pure::hash::{Hash, unhex};
use crate::server::error::{Error, Result};
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

    pub fn of(&self, name: &str) -> i64 {
        COUNTED.iter().zip(self.of).find(|((sort, _), _)| *sort == name).map_or(0, |(_, count)| count)
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

/// What stands in a line, as it is read.
pub struct Given<'a>(Vec<(&'a [u8], Item<'a>)>);

/// 22023 would say that an argument is not what it must be; these are lines that somebody altered.
fn broken<T>(value: Option<T>, key: &str) -> Result<T> {
    value.ok_or_else(|| Error::Export(format!("{key:?} is missing, or not what it must be")))
}

impl<'a> Given<'a> {
    /// The members of a line.
    pub fn line(line: &'a Jsonb) -> Result<Given<'a>> {
        broken(line.members(), "line").map(Given)
    }

    fn find(&self, key: &str) -> Option<Item<'a>> {
        self.0.iter().find(|(other, _)| *other == key.as_bytes()).map(|(_, item)| *item)
    }

    /// What a line is about: the one member beside its number.
    pub fn only(&self) -> Result<(&'a str, Given<'a>)> {
        let mut things = self.0.iter().filter(|(key, _)| *key != b"line");
        let (key, item) = broken(things.next(), "line")?;
        if things.next().is_some() {
            return Err(Error::Export("there is more than one thing".into()));
        }
        let name = broken(std::str::from_utf8(key).ok(), "line")?;
        Ok((name, broken(item.members().map(Given), name)?))
    }

    /// None where there is none; an error where it is something else.
    fn read<T>(&self, key: &str, read: impl Fn(Item<'a>) -> Option<T>) -> Result<Option<T>> {
        self.find(key).map(|item| broken(read(item), key)).transpose()
    }

    pub fn text(&self, key: &str) -> Result<Option<&'a str>> {
        self.read(key, |item| std::str::from_utf8(item.octets).ok().filter(|_| item.kind == STRING))
    }

    pub fn required_text(&self, key: &str) -> Result<&'a str> {
        broken(self.text(key)?, key)
    }

    pub fn number(&self, key: &str) -> Result<Option<i64>> {
        self.read(key, |item| binary::number(&item))
    }

    pub fn required_number(&self, key: &str) -> Result<i64> {
        broken(self.number(key)?, key)
    }

    pub fn small_number(&self, key: &str) -> Result<i32> {
        broken(self.required_number(key)?.try_into().ok(), key)
    }

    pub fn flag(&self, key: &str) -> Result<bool> {
        let flag = |item: Item<'_>| {
            [(binary::TRUE, true), (binary::FALSE, false)].into_iter().find(|(kind, _)| *kind == item.kind)
        };
        broken(self.read(key, flag)?.map(|(_, flag)| flag), key)
    }

    pub fn json(&self, key: &str) -> Result<Option<Jsonb>> {
        self.read(key, Jsonb::of_part)
    }

    pub fn required_json(&self, key: &str) -> Result<Jsonb> {
        broken(self.json(key)?, key)
    }

    pub fn hash(&self, key: &str) -> Result<Hash> {
        broken(self.text(key)?.and_then(unhex), key)
    }

    pub fn thing(&self, key: &str) -> Result<Option<Given<'a>>> {
        self.read(key, |item| item.members().map(Given))
    }

    /// Microseconds since 2000-01-01.
    pub fn time(&self, key: &str) -> Result<Option<i64>> {
        self.read(key, |item| match (item.kind, item.octets) {
            (STRING, b"infinity") => Some(i64::MAX),
            (STRING, b"-infinity") => Some(i64::MIN),
            _ => binary::number(&item)?.checked_sub(EPOCH_OFFSET),
        })
    }

    pub fn required_time(&self, key: &str) -> Result<i64> {
        broken(self.time(key)?, key)
    }
}

//! JSON text as a `serde_json::Value`, for what is checked against a schema: stored values stay text. Pure.
//!
//! Not by serde, which with `arbitrary_precision` takes an object whose first key is `$serde_json::private::Number` for a
//! number, and with `raw_value` one with `$serde_json::private::RawValue` for the value that stands in a string there. A
//! user's object is an object whatever its keys.

use crate::pure::binary::plain;
use serde_json::{Map, Value};

/// None for what is no JSON text, or is nested deeper than `levels`: what works on such a value is recursive, and a stack
/// that overflows takes the server down. `tick` is called at every value.
pub fn value(text: &str, levels: usize, tick: fn()) -> Option<Value> {
    let mut reader = Reader { text, at: 0, tick };
    let value = reader.value(levels)?;
    reader.skip_blanks();
    (reader.at == text.len()).then_some(value)
}

/// Whether a text is JSON, however deep.
pub fn is_json(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    tick: fn(),
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a [u8] {
        &self.text.as_bytes()[self.at..]
    }

    fn skip_blanks(&mut self) {
        self.at += self.rest().iter().take_while(|byte| matches!(byte, b' ' | b'\n' | b'\r' | b'\t')).count();
    }

    /// Goes past a byte where it comes next.
    fn next_is(&mut self, byte: u8) -> bool {
        self.skip_blanks();
        let is = self.rest().first() == Some(&byte);
        self.at += usize::from(is);
        is
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.next_is(byte).then_some(())
    }

    fn value(&mut self, levels: usize) -> Option<Value> {
        (self.tick)();
        self.skip_blanks();
        match self.rest().first()? {
            b'{' => self.object(levels.checked_sub(1)?),
            b'[' => self.array(levels.checked_sub(1)?),
            b'"' => self.string().map(Value::String),
            b't' => self.word("true", Value::Bool(true)),
            b'f' => self.word("false", Value::Bool(false)),
            b'n' => self.word("null", Value::Null),
            _ => self.number(),
        }
    }

    fn object(&mut self, levels: usize) -> Option<Value> {
        let mut members = Map::new();
        self.expect(b'{')?;
        if self.next_is(b'}') {
            return Some(Value::Object(members));
        }
        loop {
            self.skip_blanks();
            let key = self.string()?;
            self.expect(b':')?;
            members.insert(key, self.value(levels)?);
            if self.next_is(b'}') {
                return Some(Value::Object(members));
            }
            self.expect(b',')?;
        }
    }

    fn array(&mut self, levels: usize) -> Option<Value> {
        let mut elements = Vec::new();
        self.expect(b'[')?;
        if self.next_is(b']') {
            return Some(Value::Array(elements));
        }
        loop {
            elements.push(self.value(levels)?);
            if self.next_is(b']') {
                return Some(Value::Array(elements));
            }
            self.expect(b',')?;
        }
    }

    fn string(&mut self) -> Option<String> {
        let start = self.at;
        let mut has_escapes = false;
        self.expect(b'"')?;
        loop {
            self.at += plain(self.rest());
            (self.tick)();
            match self.rest().first()? {
                b'"' => break,
                b'\\' => {
                    has_escapes = true;
                    self.at = (self.at + 2).min(self.text.len());
                }
                _ => return None,
            }
        }
        self.at += 1;
        let quoted = self.text.get(start..self.at)?;
        if has_escapes { serde_json::from_str(quoted).ok() } else { Some(quoted[1..quoted.len() - 1].to_owned()) }
    }

    fn word(&mut self, word: &str, value: Value) -> Option<Value> {
        let is = self.rest().starts_with(word.as_bytes());
        self.at += word.len();
        is.then_some(value)
    }

    fn number(&mut self) -> Option<Value> {
        let is_part = |byte: &&u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
        let length = self.rest().iter().take_while(is_part).count();
        let number = self.text.get(self.at..self.at + length)?.parse().ok()?;
        self.at += length;
        Some(Value::Number(number))
    }
}

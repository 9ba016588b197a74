//! The binary form of jsonb: read, written, made text and made of text. Pure: slices and text, in and out.
//!
//! Whatever gives None for want of memory says so, and has another way behind it, or 53200.
//!
//! PostgreSQL has not changed it since 9.4 (utils/jsonb.h): a container is a header (flags and a count), an entry for each
//! element (for an object each key, then each value), and their bytes. Where it is aligned, so are its parts. An entry has
//! a type and a length, padding included; every 32nd has the offset of its end instead.

use crate::pure::room::{fits, reserve};
use std::borrow::Cow;

pub const COUNT: u32 = 0x0FFF_FFFF;
pub const SCALAR: u32 = 0x1000_0000;
pub const OBJECT: u32 = 0x2000_0000;
pub const ARRAY: u32 = 0x4000_0000;
pub const LENGTH: u32 = 0x0FFF_FFFF;
pub const TYPE: u32 = 0x7000_0000;
pub const HAS_OFFSET: u32 = 0x8000_0000;
pub const STRING: u32 = 0x0000_0000;
pub const NUMERIC: u32 = 0x1000_0000;
pub const FALSE: u32 = 0x2000_0000;
pub const TRUE: u32 = 0x3000_0000;
pub const NULL: u32 = 0x4000_0000;
pub const CONTAINER: u32 = 0x5000_0000;

/// Bytes for each part of a container that is taken apart: an `Item`, and what is made of it.
pub const PART: usize = 128;

/// A value as it stands in the binary form, without padding.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Item<'a> {
    pub kind: u32,
    pub octets: &'a [u8],
}

/// JSON null.
pub const NOTHING: Item<'static> = Item { kind: NULL, octets: &[] };

pub fn word(octets: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(octets.get(at..at + 4)?.try_into().ok()?))
}

pub fn aligned(offset: usize) -> usize {
    offset.next_multiple_of(4)
}

/// The value of a root container: itself, or the scalar in it.
pub fn root(octets: &[u8]) -> Option<Item<'_>> {
    let whole = Item { kind: CONTAINER, octets };
    if word(octets, 0)? & SCALAR == 0 { Some(whole) } else { whole.parts()?.first().copied() }
}

impl<'a> Item<'a> {
    pub fn is(&self, flag: u32) -> bool {
        self.kind == CONTAINER && word(self.octets, 0).is_some_and(|header| header & flag != 0)
    }

    /// How many parts a container has.
    pub fn count(&self) -> usize {
        let header = word(self.octets, 0).unwrap_or_default();
        (header & COUNT) as usize * if header & OBJECT != 0 { 2 } else { 1 }
    }

    /// The elements of an array; of an object all keys, then all values. None also where there is no memory for them.
    pub fn parts(&self) -> Option<Vec<Item<'a>>> {
        let count = self.count();
        let entries = self.octets.get(4..4 + 4 * count)?;
        if !fits(count * PART) {
            return None;
        }
        let data = &self.octets[4 + 4 * count..];
        let mut parts = Vec::with_capacity(count);
        let mut offset = 0;
        for entry in entries.chunks_exact(4) {
            let entry = word(entry, 0)?;
            let length = (entry & LENGTH) as usize;
            let end = if entry & HAS_OFFSET != 0 { length } else { offset + length };
            let kind = entry & TYPE;
            let start = if kind == NUMERIC || kind == CONTAINER { aligned(offset) } else { offset };
            parts.push(Item { kind, octets: data.get(start..end)? });
            offset = end;
        }
        Some(parts)
    }

    /// The members of an object, in jsonb's order; None for anything else.
    pub fn members(&self) -> Option<Vec<(&'a [u8], Item<'a>)>> {
        if !self.is(OBJECT) {
            return None;
        }
        let mut keys = self.parts()?;
        let values = keys.split_off(keys.len() / 2);
        Some(keys.iter().map(|key| key.octets).zip(values).collect())
    }
}

// ------------------------------------------------------------------------------------------------------------ written

/// Every 32nd entry of a container has the offset of its end instead of its length.
const STRIDE: usize = 32;

/// A value that is put together from others, or of which parts have been replaced.
pub enum Value<'a> {
    Raw(Item<'a>),
    Number(Vec<u8>),
    String(Vec<u8>),
    Array(Vec<Value<'a>>),
    /// Sorted by `order`.
    Object(Vec<Member<'a>>),
}

pub type Member<'a> = (Cow<'a, [u8]>, Value<'a>);

/// jsonb sorts keys by their length, then by their bytes.
pub fn order(a: &[u8], b: &[u8]) -> std::cmp::Ordering {
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

/// Writes a value and returns its type; what it pads is part of it.
fn write(out: &mut Vec<u8>, value: &Value<'_>) -> Option<u32> {
    let pad = |out: &mut Vec<u8>| out.resize(aligned(out.len()), 0);
    match value {
        Value::Raw(item) => {
            reserve(out, item.octets.len() + 4)?;
            if item.kind == NUMERIC || item.kind == CONTAINER {
                pad(out);
            }
            out.extend_from_slice(item.octets);
            Some(item.kind)
        }
        Value::Number(octets) => {
            reserve(out, octets.len() + 4)?;
            pad(out);
            out.extend_from_slice(octets);
            Some(NUMERIC)
        }
        Value::String(octets) => {
            reserve(out, octets.len())?;
            out.extend_from_slice(octets);
            Some(STRING)
        }
        Value::Array(elements) => {
            reserve(out, 8 + 4 * elements.len())?;
            pad(out);
            let mut container = Open::new(out, ARRAY | elements.len() as u32, elements.len());
            elements.iter().try_for_each(|element| container.add(out, element))?;
            Some(CONTAINER)
        }
        Value::Object(members) => {
            reserve(out, 8 + 8 * members.len())?;
            pad(out);
            let mut container = Open::new(out, OBJECT | members.len() as u32, 2 * members.len());
            for (key, _) in members {
                container.add(out, &Value::Raw(Item { kind: STRING, octets: key }))?;
            }
            members.iter().try_for_each(|(_, member)| container.add(out, member))?;
            Some(CONTAINER)
        }
    }
}

/// A container that is being written.
struct Open {
    entries: usize,
    data: usize,
    index: usize,
}

impl Open {
    fn new(out: &mut Vec<u8>, header: u32, count: usize) -> Open {
        out.extend_from_slice(&header.to_ne_bytes());
        let entries = out.len();
        out.resize(entries + 4 * count, 0);
        Open { entries, data: out.len(), index: 0 }
    }

    fn add(&mut self, out: &mut Vec<u8>, part: &Value<'_>) -> Option<()> {
        let before = out.len();
        let kind = write(out, part)?;
        let end = u32::try_from(out.len() - self.data).ok().filter(|end| *end <= LENGTH)?;
        let length = if self.index.is_multiple_of(STRIDE) { HAS_OFFSET | end } else { (out.len() - before) as u32 };
        let entry = kind | length;
        let at = self.entries + 4 * self.index;
        out[at..at + 4].copy_from_slice(&entry.to_ne_bytes());
        self.index += 1;
        Some(())
    }
}

impl Value<'_> {
    /// About how many bytes it takes.
    pub fn size(&self) -> usize {
        match self {
            Value::Raw(item) => 4 + item.octets.len(),
            Value::Number(octets) | Value::String(octets) => 4 + octets.len(),
            Value::Array(elements) => 8 + elements.iter().map(Value::size).sum::<usize>(),
            Value::Object(members) => {
                8 + members.iter().map(|(key, value)| 4 + key.len() + value.size()).sum::<usize>()
            }
        }
    }
}

/// The binary form of a value that stands on its own; None where it is too large for one, or for the memory.
pub fn octets_of(value: &Value<'_>, capacity: usize) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    reserve(&mut out, capacity)?;
    let scalar = match value {
        Value::Raw(item) => item.kind != CONTAINER,
        Value::Number(_) | Value::String(_) => true,
        Value::Array(_) | Value::Object(_) => false,
    };
    if scalar {
        Open::new(&mut out, ARRAY | SCALAR | 1, 1).add(&mut out, value)?;
    } else {
        write(&mut out, value)?;
    }
    Some(out)
}

// --------------------------------------------------------------------------------------------------------------- text

/// A value of its JSON text, where that is as jsonb_out writes it: no exponents, no escapes but of controls, names that
/// differ; and of moderate length and depth. None: PostgreSQL has to read it, or refuse it. `tick` is called at every part.
pub fn parsed(text: &str, tick: fn()) -> Option<Vec<u8>> {
    if text.len() > MAX_PARSED || !fits(text.len() * PARSED) {
        return None;
    }
    let mut rest = text.as_bytes();
    let value = value_of(&mut rest, LEVELS, tick)?;
    blanks(&mut rest);
    if rest.is_empty() { octets_of(&value, text.len() + text.len() / 2) } else { None }
}

/// As large as one value may be: PostgreSQL's own parser hears no cancel.
const MAX_PARSED: usize = 1 << 26;
/// Bytes that a byte of text takes at most while it is read: an element that is a digit, in lists that grow.
const PARSED: usize = 64;
const LEVELS: u32 = 64;
/// A piece of a large string, between which a call can be cancelled: of so many bytes, or behind so many escapes.
const BLOCK: usize = 1 << 16;

fn value_of<'a>(rest: &mut &'a [u8], levels: u32, tick: fn()) -> Option<Value<'a>> {
    tick();
    blanks(rest);
    let literal = |rest: &mut &'a [u8], word: &[u8], kind| {
        *rest = rest.strip_prefix(word)?;
        Some(Value::Raw(Item { kind, octets: &[] }))
    };
    match rest.first()? {
        b'"' => Some(match string_of(rest, tick)? {
            Cow::Borrowed(octets) => Value::Raw(Item { kind: STRING, octets }),
            Cow::Owned(octets) => Value::String(octets),
        }),
        b'{' => {
            let mut members: Vec<Member<'a>> = Vec::new();
            list(rest, b'}', |rest| {
                let name = string_of(rest, tick)?;
                blanks(rest);
                *rest = rest.strip_prefix(b":")?;
                members.push((name, value_of(rest, levels.checked_sub(1)?, tick)?));
                Some(())
            })?;
            members.sort_by(|(a, _), (b, _)| order(a, b));
            let differ = members.windows(2).all(|pair| pair[0].0 != pair[1].0);
            differ.then_some(Value::Object(members))
        }
        b'[' => {
            let mut elements = Vec::new();
            list(rest, b']', |rest| {
                elements.push(value_of(rest, levels.checked_sub(1)?, tick)?);
                Some(())
            })?;
            Some(Value::Array(elements))
        }
        b't' => literal(rest, b"true", TRUE),
        b'f' => literal(rest, b"false", FALSE),
        b'n' => literal(rest, b"null", NULL),
        _ => number_of(rest).map(Value::Number),
    }
}

fn blanks(rest: &mut &[u8]) {
    while let [b' ', after @ ..] = *rest {
        *rest = after;
    }
}

/// The parts of an object or array, from its opening bracket to behind the closing one.
fn list<'a>(rest: &mut &'a [u8], end: u8, mut part: impl FnMut(&mut &'a [u8]) -> Option<()>) -> Option<()> {
    *rest = &rest[1..];
    blanks(rest);
    if rest.first() == Some(&end) {
        *rest = &rest[1..];
        return Some(());
    }
    loop {
        blanks(rest);
        part(rest)?;
        blanks(rest);
        let (octet, after) = rest.split_first()?;
        *rest = after;
        match octet {
            b',' => {}
            octet if *octet == end => return Some(()),
            _ => return None,
        }
    }
}

fn string_of<'a>(rest: &mut &'a [u8], tick: fn()) -> Option<Cow<'a, [u8]>> {
    let mut text = rest.strip_prefix(b"\"")?;
    let mut string = Cow::Borrowed(&text[..0]);
    for escapes in 1.. {
        if escapes % BLOCK == 0 {
            tick();
        }
        let (part, after) = text.split_at(plain(text));
        match &mut string {
            Cow::Borrowed([]) => string = Cow::Borrowed(part),
            string => string.to_mut().extend_from_slice(part),
        }
        let (octet, after) = match after {
            [b'"', after @ ..] => {
                *rest = after;
                return Some(string);
            }
            [b'\\', octet @ (b'"' | b'\\' | b'/'), after @ ..] => (*octet, after),
            [b'\\', b'b', after @ ..] => (b'\x08', after),
            [b'\\', b'f', after @ ..] => (b'\x0c', after),
            [b'\\', b'n', after @ ..] => (b'\n', after),
            [b'\\', b'r', after @ ..] => (b'\r', after),
            [b'\\', b't', after @ ..] => (b'\t', after),
            [b'\\', b'u', b'0', b'0', high @ b'0'..=b'1', low, after @ ..] => {
                let low = char::from(*low).to_digit(16)? as u8;
                (Some((high - b'0') * 16 + low).filter(|octet| *octet > 0)?, after)
            }
            _ => return None,
        };
        string.to_mut().push(octet);
        text = after;
    }
    None
}

/// A whole number.
pub fn whole(number: i64) -> Value<'static> {
    Value::Number(number_of(&mut number.to_string().as_bytes()).unwrap_or_default())
}

/// The reverse of `whole`: None for what is no whole number of 64 bits, or is not written as one.
pub fn number(item: &Item<'_>) -> Option<i64> {
    const SPECIAL: u16 = 0x4000;
    const NEGATIVE: u16 = 0x2000;
    if item.kind != NUMERIC || !is_numeric(item.octets) {
        return None;
    }
    let short = |octets: &[u8]| Some(u16::from_ne_bytes(octets.try_into().ok()?));
    let header = short(item.octets.get(4..6)?)?;
    let (is_short, digits_behind_point) = (header & 0x8000 != 0, header >> 7 & 0x3F);
    if !is_short || header & SPECIAL != 0 || digits_behind_point != 0 {
        return None;
    }
    let groups = item.octets[6..].chunks_exact(2);
    let weight = (i32::from(header & 0x7F) ^ 0x40) - 0x40;
    let missing = (weight + 1).checked_sub_unsigned(groups.len() as u32).filter(|missing| (0..=5).contains(missing));
    let mut number: i128 = 0;
    for group in groups {
        number = number.checked_mul(10_000)? + i128::from(short(group)?);
    }
    number = number.checked_mul(10_000_i128.pow(missing.or((item.octets.len() == 6).then_some(0))? as u32))?;
    i64::try_from(if header & NEGATIVE == 0 { number } else { -number }).ok()
}

/// A number as PostgreSQL's numeric has it: its size, a header of 16 bits (short form, sign, digits behind the point, weight
/// of the first digit), and digits to the base of 10,000, without zeros at the ends.
fn number_of(rest: &mut &[u8]) -> Option<Vec<u8>> {
    const BEHIND_POINT: usize = 63;
    const BEFORE_POINT: usize = 128;
    let (negative, text) = match *rest {
        [b'-', text @ ..] => (true, text),
        text => (false, text),
    };
    let digits = |text: &[u8]| text.iter().take_while(|octet| octet.is_ascii_digit()).count();
    let (whole, after) = text.split_at(digits(text));
    let (fraction, after) = match after {
        [b'.', after @ ..] => after.split_at(digits(after)),
        after => (&after[..0], after),
    };
    let is_odd = whole.is_empty()
        || (whole[0] == b'0' && whole.len() > 1)
        || text.get(whole.len()) == Some(&b'.') && fraction.is_empty();
    if is_odd
        || whole.len() > BEFORE_POINT
        || fraction.len() > BEHIND_POINT
        || matches!(after.first(), Some(b'e' | b'E'))
    {
        return None;
    }
    *rest = after;
    let value = |group: &[u8]| group.iter().fold(0, |value, digit| 10 * value + u16::from(digit - b'0'));
    let mut groups: Vec<u16> = whole.rchunks(4).rev().map(value).collect();
    let mut weight = groups.len() as i32 - 1;
    groups.extend(fraction.chunks(4).map(|group| value(group) * 10u16.pow(4 - group.len() as u32)));
    let zeros = groups.iter().take_while(|group| **group == 0).count();
    groups.drain(..zeros);
    weight -= zeros as i32;
    while groups.last() == Some(&0) {
        groups.pop();
    }
    let (weight, negative) = if groups.is_empty() { (0, false) } else { (weight, negative) };
    let header = 0x8000 | u16::from(negative) << 13 | (fraction.len() as u16) << 7 | (weight & 0x7F) as u16;
    let size = (6 + 2 * groups.len()) as u32;
    let size = if cfg!(target_endian = "little") { size << 2 } else { size };
    let mut octets = size.to_ne_bytes().to_vec();
    octets.extend_from_slice(&header.to_ne_bytes());
    groups.iter().for_each(|group| octets.extend_from_slice(&group.to_ne_bytes()));
    Some(octets)
}

/// Whether bytes are as long as a numeric in them says, and have its header: the server reads no further.
fn is_numeric(octets: &[u8]) -> bool {
    const SHORT_OR_SPECIAL: u8 = 0x80;
    let (Some(size), Some(header)) = (word(octets, 0), octets.get(4..6)) else { return false };
    let (size, flags) =
        if cfg!(target_endian = "little") { (size.rotate_right(2), header[1]) } else { (size, header[0]) };
    let least = if flags & SHORT_OR_SPECIAL == 0 { 8 } else { 6 };
    size as usize == octets.len() && octets.len() >= least
}

/// The longest literal, and what stands around a key and a value.
const LITERAL: usize = 16;

/// What text needs of the server.
pub trait Server {
    /// Appends a number's text; None where there is no memory for it.
    fn number(&mut self, numeric: &[u8], out: &mut Vec<u8>) -> Option<()>;
    /// Called at each container, and at some of its parts: ends a call that was cancelled, or goes too deep.
    fn pause(&mut self);
}

/// Appends the text of a value, byte for byte as PostgreSQL's jsonb_out makes it. None where the form is broken, or where
/// there is no memory for it.
pub fn text(value: Item<'_>, server: &mut impl Server, out: &mut Vec<u8>) -> Option<()> {
    match value.kind {
        STRING => string(value.octets, server, out)?,
        NUMERIC if is_numeric(value.octets) => server.number(value.octets, out)?,
        FALSE => out.extend_from_slice(b"false"),
        TRUE => out.extend_from_slice(b"true"),
        NULL => out.extend_from_slice(b"null"),
        CONTAINER => {
            server.pause();
            let mut parts = value.parts()?;
            if value.is(OBJECT) {
                let values = parts.split_off(parts.len() / 2);
                out.push(b'{');
                for (index, (key, value)) in parts.iter().zip(values).enumerate() {
                    separate(index, server, out)?;
                    string(key.octets, server, out)?;
                    out.extend_from_slice(b": ");
                    text(value, server, out)?;
                }
                out.push(b'}');
            } else {
                out.push(b'[');
                for (index, element) in parts.into_iter().enumerate() {
                    separate(index, server, out)?;
                    text(element, server, out)?;
                }
                out.push(b']');
            }
        }
        _ => return None,
    }
    Some(())
}

fn separate(index: usize, server: &mut impl Server, out: &mut Vec<u8>) -> Option<()> {
    const OFTEN: usize = 256;
    reserve(out, LITERAL)?;
    if index > 0 {
        out.extend_from_slice(b", ");
    }
    if index % OFTEN == OFTEN - 1 {
        server.pause();
    }
    Some(())
}

/// Whether a byte stands for itself in a JSON string.
const fn is_plain(octet: u8) -> bool {
    octet >= b' ' && octet != b'"' && octet != b'\\'
}

/// How many bytes from the first one on stand for themselves. Eight at a time: one at a time took 1,250 instructions for 100.
pub fn plain(octets: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    // The highest bit of each byte that is less than `low`, for bytes below 0x80 and such a `low`.
    let less = |word: u64, low: u8| word.wrapping_sub(ONES * u64::from(low)) & !word;
    let equal = |word: u64, octet: u8| less(word ^ (ONES * u64::from(octet)), 1);
    let mut at = 0;
    for chunk in octets.chunks_exact(8) {
        let word = u64::from_le_bytes(chunk.try_into().expect("a chunk has 8 octets"));
        if (less(word, b' ') | equal(word, b'"') | equal(word, b'\\')) & (ONES << 7) != 0 {
            break;
        }
        at += 8;
    }
    at + octets[at..].iter().position(|octet| !is_plain(*octet)).unwrap_or(octets.len() - at)
}

fn string(octets: &[u8], server: &mut impl Server, out: &mut Vec<u8>) -> Option<()> {
    out.push(b'"');
    // An escape stands for one byte: a string can be cut anywhere.
    for (index, block) in octets.chunks(BLOCK).enumerate() {
        if index > 0 {
            server.pause();
        }
        escaped(block, out)?;
    }
    // For the quotation mark.
    reserve(out, 1)?;
    out.push(b'"');
    Some(())
}

fn escaped(octets: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut rest = octets;
    loop {
        let (before, after) = rest.split_at(plain(rest));
        // With the longest escape.
        reserve(out, before.len() + 8)?;
        out.extend_from_slice(before);
        let Some((octet, after)) = after.split_first() else { break };
        match octet {
            b'\x08' => out.extend_from_slice(b"\\b"),
            b'\x0c' => out.extend_from_slice(b"\\f"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', *octet]),
            octet => {
                let digit = |value: u8| b"0123456789abcdef"[usize::from(value)];
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', digit(octet >> 4), digit(octet & 15)]);
            }
        }
        rest = after;
    }
    Some(())
}

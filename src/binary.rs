//! The binary form of jsonb, read and made text. Pure: slices in, text out.
//!
//! PostgreSQL has not changed it since 9.4 (utils/jsonb.h): a container is a header (flags and a count), an entry for each
//! element (for an object each key, then each value), and their octets. Where it is aligned, so are its parts. An entry has
//! a type and a length, padding included; every 32nd has the offset of its end instead.

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

/// A value as it stands in the binary form, without padding.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Item<'a> {
    pub kind: u32,
    pub octets: &'a [u8],
}

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

    /// The elements of an array; of an object all keys, then all values.
    pub fn parts(&self) -> Option<Vec<Item<'a>>> {
        let header = word(self.octets, 0)?;
        let count = (header & COUNT) as usize * if header & OBJECT != 0 { 2 } else { 1 };
        let entries = self.octets.get(4..4 + 4 * count)?;
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
}

/// What text needs of the server.
pub trait Server {
    /// Appends a number's text.
    fn number(&mut self, numeric: &[u8], out: &mut Vec<u8>);
    /// Called at each container: ends a call that was cancelled, or goes too deep.
    fn pause(&mut self);
}

/// Appends the text of a value, octet for octet as PostgreSQL's jsonb_out makes it. None where the form is broken.
pub fn text(value: Item<'_>, server: &mut impl Server, out: &mut Vec<u8>) -> Option<()> {
    match value.kind {
        STRING => string(value.octets, out),
        NUMERIC => server.number(value.octets, out),
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
                    if index > 0 {
                        out.extend_from_slice(b", ");
                    }
                    string(key.octets, out);
                    out.extend_from_slice(b": ");
                    text(value, server, out)?;
                }
                out.push(b'}');
            } else {
                out.push(b'[');
                for (index, element) in parts.into_iter().enumerate() {
                    if index > 0 {
                        out.extend_from_slice(b", ");
                    }
                    text(element, server, out)?;
                }
                out.push(b']');
            }
        }
        _ => return None,
    }
    Some(())
}

/// Whether an octet stands for itself in a JSON string.
const fn is_plain(octet: u8) -> bool {
    octet >= b' ' && octet != b'"' && octet != b'\\'
}

/// How many octets from the first one on stand for themselves. Eight at a time: one at a time took 1,250 instructions for 100.
fn plain(octets: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    // The highest bit of each octet that is less than `low`, for octets below 0x80 and such a `low`.
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

fn string(octets: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = octets;
    loop {
        let (before, after) = rest.split_at(plain(rest));
        out.extend_from_slice(before);
        let Some((octet, after)) = after.split_first() else { break };
        match octet {
            b'\x08' => out.extend_from_slice(b"\\b"),
            b'\x0c' => out.extend_from_slice(b"\\f"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', *octet]),
            octet => out.extend_from_slice(format!("\\u{octet:04x}").as_bytes()),
        }
        rest = after;
    }
    out.push(b'"');
}

//! What changed from one version of a large value to the next, as a delta that is itself jsonb. Pure: it reads and writes
//! jsonb's binary form, in which an element is copied byte by byte, so numbers, depth and order come back as they were.
//!
//! A delta has the type of the value that it applies to:
//!
//! - a string: `"HEAD TAIL MIDDLE"`, the new string is HEAD bytes of the old one's head, MIDDLE, and TAIL bytes of its tail;
//! - an array: the pieces of the new array. `"FROM COUNT"` is COUNT elements of the old one from FROM on, an array is new
//!   elements, an object `{"INDEX": DELTA}` is an old element with a delta applied. No old element is used twice, and they keep their order;
//! - an object: `{"s": {members to set}, "p": {members to patch}, "r": [keys to remove]}`, each part where there is something.

use crate::pure::binary::{ARRAY, Item, Member, OBJECT, STRING, Value, octets_of, order, root};
use crate::pure::room::fits;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::vec::IntoIter;

/// What it takes to apply a delta: a list of elements that are as short as can be, in pieces.
pub const WORK: usize = 64;
/// Below this many levels a change is stored whole.
const DEPTH: u32 = 64;
/// What a piece of a delta takes beside the bytes that it brings.
const PIECE: usize = 16;
/// A change of a string that is shorter is not worth a delta.
const SHORT: usize = 64;

impl<'a> Item<'a> {
    fn string(&self) -> Option<&'a [u8]> {
        (self.kind == STRING).then_some(self.octets)
    }

    fn elements(&self) -> Option<Vec<Item<'a>>> {
        if self.is(ARRAY) { self.parts() } else { None }
    }
}

// ----------------------------------------------------------------------------------------------------------- patching

/// The value that the deltas, one after the other, make of a whole one; None where they do not fit, or where there is no
/// memory for it: at most `WORK` bytes for each of theirs. `tick` is called at every delta and at every part of one.
pub fn apply(base: &[u8], patches: &[&[u8]], tick: fn()) -> Option<Vec<u8>> {
    let mut value = Value::Raw(root(base)?);
    for patch in patches {
        value.patch(root(patch)?, DEPTH, tick)?;
    }
    octets_of(&value, base.len() + patches.iter().map(|patch| patch.len()).sum::<usize>())
}

impl<'a> Value<'a> {
    fn patch(&mut self, patch: Item<'a>, depth: u32, tick: fn()) -> Option<()> {
        tick();
        let depth = depth.checked_sub(1)?;
        if let Some(patch) = patch.string() {
            self.patch_string(patch)
        } else if patch.is(ARRAY) {
            self.patch_array(patch.elements()?, depth, tick)
        } else {
            self.patch_object(patch.members()?, depth, tick)
        }
    }

    fn patch_string(&mut self, patch: &[u8]) -> Option<()> {
        let (head, rest) = number(patch)?;
        let (tail, middle) = number(rest)?;
        if let Value::Raw(item) = self {
            let string = item.string()?;
            if !fits(2 * (string.len() + middle.len())) {
                return None;
            }
            *self = Value::String(string.to_vec());
        }
        let Value::String(string) = self else { return None };
        let tail = string.len().checked_sub(tail)?;
        if head > tail || !is_boundary(string, head) || !is_boundary(string, tail) {
            return None;
        }
        string.splice(head..tail, middle.iter().copied());
        Some(())
    }

    fn patch_array(&mut self, pieces: Vec<Item<'a>>, depth: u32, tick: fn()) -> Option<()> {
        if let Value::Raw(item) = self {
            *self = Value::Array(item.elements()?.into_iter().map(Value::Raw).collect());
        }
        let Value::Array(array) = self else { return None };
        let mut pieces = pieces.into_iter().peekable();
        // What the first piece keeps stays where it is: a list that only grows costs what it grows by.
        let (from, count) =
            pieces.next_if(|piece| piece.kind == STRING).map_or(Some((0, 0)), |piece| range(piece.octets))?;
        let kept = from.checked_add(count).filter(|end| *end <= array.len())?;
        let mut old = Old { next: kept, elements: array.split_off(kept).into_iter() };
        array.drain(..from);
        for piece in pieces {
            tick();
            if let Some(piece) = piece.string() {
                let (from, count) = range(piece)?;
                old.skip_to(from)?;
                for _ in 0..count {
                    array.push(old.take()?);
                }
            } else if piece.is(ARRAY) {
                array.extend(piece.elements()?.into_iter().map(Value::Raw));
            } else {
                for (index, patch) in piece.members()? {
                    old.skip_to(whole_number(index)?)?;
                    let mut element = old.take()?;
                    element.patch(patch, depth, tick)?;
                    array.push(element);
                }
            }
        }
        Some(())
    }

    fn patch_object(&mut self, parts: Vec<(&'a [u8], Item<'a>)>, depth: u32, tick: fn()) -> Option<()> {
        if let Value::Raw(item) = self {
            let members = item.members()?;
            *self = Value::Object(
                members.into_iter().map(|(key, value)| (Cow::Borrowed(key), Value::Raw(value))).collect(),
            );
        }
        let Value::Object(object) = self else { return None };
        for (part, content) in parts {
            match part {
                b"p" => {
                    for (key, patch) in content.members()? {
                        let at = position(object, key).ok()?;
                        object[at].1.patch(patch, depth, tick)?;
                    }
                }
                b"r" => {
                    let keys = content.elements()?;
                    let mut gone: HashSet<&[u8]> = keys.iter().map(Item::string).collect::<Option<_>>()?;
                    let all_differ = gone.len() == keys.len();
                    object.retain(|(key, _)| !gone.remove(key.as_ref()));
                    (all_differ && gone.is_empty()).then_some(())?;
                }
                b"s" => {
                    let mut added = Vec::new();
                    for (key, value) in content.members()? {
                        match position(object, key) {
                            Ok(at) => object[at].1 = Value::Raw(value),
                            Err(_) => added.push((Cow::Borrowed(key), Value::Raw(value))),
                        }
                    }
                    if !added.is_empty() {
                        // Two sorted runs, which the sort finds and merges.
                        object.append(&mut added);
                        object.sort_by(|(a, _), (b, _)| order(a, b));
                    }
                }
                _ => return None,
            }
        }
        Some(())
    }
}

/// The old elements that no piece has used yet, and the index of the next.
struct Old<'a> {
    next: usize,
    elements: IntoIter<Value<'a>>,
}

impl<'a> Old<'a> {
    fn skip_to(&mut self, index: usize) -> Option<()> {
        let skipped = index.checked_sub(self.next)?;
        if skipped > 0 {
            self.elements.nth(skipped - 1)?;
            self.next = index;
        }
        Some(())
    }

    fn take(&mut self) -> Option<Value<'a>> {
        self.next += 1;
        self.elements.next()
    }
}

fn position(object: &[Member<'_>], key: &[u8]) -> Result<usize, usize> {
    object.binary_search_by(|(other, _)| order(other, key))
}

/// Whether a character begins here, so that the string can be cut.
fn is_boundary(string: &[u8], at: usize) -> bool {
    at == 0 || string.get(at).is_none_or(|octet| octet & 0xC0 != 0x80)
}

/// A number, and what comes behind the space behind it.
fn number(text: &[u8]) -> Option<(usize, &[u8])> {
    let space = text.iter().position(|octet| *octet == b' ')?;
    Some((whole_number(&text[..space])?, &text[space + 1..]))
}

fn whole_number(text: &[u8]) -> Option<usize> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn range(text: &[u8]) -> Option<(usize, usize)> {
    let (from, count) = number(text)?;
    Some((from, whole_number(count)?))
}

// ------------------------------------------------------------------------------------------------------------ diffing

/// The delta that makes the new value of the old one; None where it would take more than `limit` bytes, or more memory than
/// there is. `tick` is called throughout.
pub fn diff(old: &[u8], new: &[u8], limit: usize, tick: fn()) -> Option<Vec<u8>> {
    if !fits(4 * limit.min(new.len())) {
        return None;
    }
    let mut left = Left { octets: limit, tick };
    let patch = difference(root(old)?, root(new)?, &mut left, DEPTH)?;
    octets_of(&patch, limit - left.octets).filter(|patch| patch.len() <= limit)
}

/// What a delta may still take.
struct Left {
    octets: usize,
    tick: fn(),
}

fn spend(left: &mut Left, octets: usize) -> Option<()> {
    (left.tick)();
    left.octets = left.octets.checked_sub(octets)?;
    Some(())
}

/// The delta between two values of the same type that takes at most what is left.
fn difference<'a>(old: Item<'a>, new: Item<'a>, left: &mut Left, depth: u32) -> Option<Value<'a>> {
    let depth = depth.checked_sub(1)?;
    if let (Some(old), Some(new)) = (old.string(), new.string()) {
        string_difference(old, new, left)
    } else if old.is(ARRAY) && new.is(ARRAY) {
        array_difference(&old.elements()?, &new.elements()?, left, depth)
    } else if old.is(OBJECT) && new.is(OBJECT) {
        object_difference(old.members()?, new.members()?, left, depth)
    } else {
        None
    }
}

/// The delta of a part, where it takes less than half of what the new part does.
fn part_difference<'a>(old: Item<'a>, new: Item<'a>, left: &mut Left, depth: u32) -> Option<Value<'a>> {
    if new.octets.len() < SHORT {
        return None;
    }
    let limit = (new.octets.len() / 2).min(left.octets);
    let mut rest = Left { octets: limit, tick: left.tick };
    let patch = difference(old, new, &mut rest, depth)?;
    left.octets -= limit - rest.octets;
    Some(patch)
}

fn common<T: PartialEq>(a: impl Iterator<Item = T>, b: impl Iterator<Item = T>, tick: fn()) -> usize {
    a.zip(b).inspect(|_| tick()).take_while(|(a, b)| a == b).count()
}

/// The bytes of the blocks that two strings begin with, or end with, in common.
fn common_blocks<'a>(blocks: impl Iterator<Item = (&'a [u8], &'a [u8])>, tick: fn()) -> usize {
    blocks.inspect(|_| tick()).take_while(|(a, b)| a == b).map(|(a, _)| a.len()).sum()
}

/// A block of a large string, between which a call can be cancelled.
const BLOCK: usize = 1 << 16;

fn string_difference<'a>(old: &[u8], new: &[u8], left: &mut Left) -> Option<Value<'a>> {
    let mut head = common_blocks(old.chunks(BLOCK).zip(new.chunks(BLOCK)), left.tick);
    head += common(old[head..].iter(), new[head..].iter(), || ());
    while !is_boundary(old, head) || !is_boundary(new, head) {
        head -= 1;
    }
    let (old_rest, new_rest) = (&old[head..], &new[head..]);
    let mut tail = common_blocks(old_rest.rchunks(BLOCK).zip(new_rest.rchunks(BLOCK)), left.tick);
    tail +=
        common(old_rest[..old_rest.len() - tail].iter().rev(), new_rest[..new_rest.len() - tail].iter().rev(), || ());
    while !is_boundary(old, old.len() - tail) || !is_boundary(new, new.len() - tail) {
        tail -= 1;
    }
    let middle = &new[head..new.len() - tail];
    spend(left, PIECE + middle.len())?;
    Some(Value::String([format!("{head} {tail} ").as_bytes(), middle].concat()))
}

fn object_difference<'a>(
    old: Vec<(&'a [u8], Item<'a>)>,
    new: Vec<(&'a [u8], Item<'a>)>,
    left: &mut Left,
    depth: u32,
) -> Option<Value<'a>> {
    let (mut set, mut patched, mut removed) = (Vec::new(), Vec::new(), Vec::new());
    let mut old = old.into_iter().peekable();
    for (key, value) in new {
        while let Some((gone, _)) = old.next_if(|(other, _)| order(other, key).is_lt()) {
            spend(left, PIECE + gone.len())?;
            removed.push(Value::Raw(Item { kind: STRING, octets: gone }));
        }
        let before = old.next_if(|(other, _)| *other == key).map(|(_, before)| before);
        if before == Some(value) {
            continue;
        }
        spend(left, PIECE + key.len())?;
        match before.and_then(|before| part_difference(before, value, left, depth)) {
            Some(patch) => patched.push((Cow::Borrowed(key), patch)),
            None => {
                spend(left, value.octets.len())?;
                set.push((Cow::Borrowed(key), Value::Raw(value)));
            }
        }
    }
    for (gone, _) in old {
        spend(left, PIECE + gone.len())?;
        removed.push(Value::Raw(Item { kind: STRING, octets: gone }));
    }
    let mut parts: Vec<Member<'a>> = Vec::new();
    let mut part = |name: &'static str, content: Value<'a>, empty: bool| {
        if !empty {
            parts.push((Cow::Borrowed(name.as_bytes()), content));
        }
    };
    let empty = (patched.is_empty(), removed.is_empty(), set.is_empty());
    part("p", Value::Object(patched), empty.0);
    part("r", Value::Array(removed), empty.1);
    part("s", Value::Object(set), empty.2);
    Some(Value::Object(parts))
}

fn array_difference<'a>(old: &[Item<'a>], new: &[Item<'a>], left: &mut Left, depth: u32) -> Option<Value<'a>> {
    let head = common(old.iter(), new.iter(), left.tick);
    let tail = common(old[head..].iter().rev(), new[head..].iter().rev(), left.tick);
    let mut pieces = Pieces { old, kept: None, next: 0, pieces: Vec::new() };
    pieces.keep(0, head, left)?;
    let (old_middle, new_middle) = (&old[head..old.len() - tail], &new[head..new.len() - tail]);
    for (from, count, brought) in matches(old_middle, new_middle, left.tick) {
        pieces.bring(brought, head + from, left, depth)?;
        pieces.keep(head + from, count, left)?;
    }
    pieces.keep(old.len() - tail, tail, left)?;
    Some(Value::Array(pieces.close()))
}

/// What to keep of the old elements (from, count), in their order, and the new ones to bring before it. A list whose
/// elements mostly stand where they stood is compared in place; any other by its content, so that one that lost its head,
/// or got something in its middle, keeps the rest.
fn matches<'a, 'b>(old: &[Item<'a>], new: &'b [Item<'a>], tick: fn()) -> Vec<(usize, usize, &'b [Item<'a>])> {
    let mut matches: Vec<(usize, usize, &'b [Item<'a>])> = Vec::new();
    if old.is_empty() || new.is_empty() {
        return vec![(old.len(), 0, new)];
    }
    let same = old.iter().zip(new).filter(|(a, b)| a == b).count();
    let in_place = old.len() == new.len() && (old.len() == 1 || 2 * same >= old.len());
    let mut places: HashMap<Item<'a>, usize> = HashMap::new();
    if !in_place {
        old.iter().enumerate().for_each(|(at, item)| {
            tick();
            places.entry(*item).or_insert(at);
        });
    }
    // The next old element, and the first new one that is not matched.
    let (mut next, mut open) = (0, 0);
    for (at, item) in new.iter().enumerate() {
        tick();
        let place = if in_place {
            (old[at] == *item).then_some(at)
        } else if old.get(next) == Some(item) {
            Some(next)
        } else {
            places.get(item).copied().filter(|place| *place >= next)
        };
        let Some(place) = place else { continue };
        match matches.last_mut() {
            Some((from, count, _)) if open == at && *from + *count == place => *count += 1,
            _ => matches.push((place, 1, &new[open..at])),
        }
        (next, open) = (place + 1, at + 1);
    }
    matches.push((old.len(), 0, &new[open..]));
    matches
}

/// The pieces of an array's delta.
struct Pieces<'a, 'b> {
    old: &'b [Item<'a>],
    /// Old elements to keep, of which more may follow.
    kept: Option<(usize, usize)>,
    /// The first old element behind those that were used.
    next: usize,
    pieces: Vec<Value<'a>>,
}

impl<'a> Pieces<'a, '_> {
    fn keep(&mut self, from: usize, count: usize, left: &mut Left) -> Option<()> {
        if count == 0 {
            return Some(());
        }
        match &mut self.kept {
            Some((start, kept)) if *start + *kept == from => *kept += count,
            _ => {
                spend(left, PIECE)?;
                self.flush();
                self.kept = Some((from, count));
            }
        }
        self.next = from + count;
        Some(())
    }

    fn flush(&mut self) {
        if let Some((from, count)) = self.kept.take() {
            self.pieces.push(Value::String(format!("{from} {count}").into_bytes()));
        }
    }

    /// New elements where the old ones up to `until` were, each as a delta of the old one at its place where that is short.
    fn bring(&mut self, brought: &[Item<'a>], until: usize, left: &mut Left, depth: u32) -> Option<()> {
        for (index, item) in (self.next..).zip(brought) {
            self.flush();
            let before = self.old[..until].get(index).copied();
            spend(left, PIECE)?;
            if let Some(patch) = before.and_then(|before| part_difference(before, *item, left, depth)) {
                let member = (Cow::Owned(index.to_string().into_bytes()), patch);
                match self.pieces.last_mut() {
                    Some(Value::Object(patched)) => patched.push(member),
                    _ => self.pieces.push(Value::Object(vec![member])),
                }
                continue;
            }
            spend(left, item.octets.len())?;
            match self.pieces.last_mut() {
                Some(Value::Array(items)) => items.push(Value::Raw(*item)),
                _ => self.pieces.push(Value::Array(vec![Value::Raw(*item)])),
            }
        }
        Some(())
    }

    fn close(mut self) -> Vec<Value<'a>> {
        self.flush();
        self.pieces
    }
}

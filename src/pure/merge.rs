//! Three-way merge of JSON texts. Pure: values stay text, so no number is ever parsed.

use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Objects nested deeper than this are atoms: bounds the recursion, and the repeated scan of what lies below.
const MAX_DEPTH: usize = 1024;

type Members<'a> = BTreeMap<String, &'a RawValue>;

/// What both sides changed differently: the JSON Pointer, and what each side has there.
#[derive(Debug, PartialEq)]
pub struct Conflict<'a> {
    pub path: String,
    pub base: Option<&'a str>,
    pub ours: Option<&'a str>,
    pub theirs: Option<&'a str>,
}

/// Merges `ours` and `theirs`, which both grew from `base` (None: not there), or names what both changed differently.
///
/// Objects merge member by member; arrays and scalars are atoms; a member that is left out was removed. The result is
/// JSON text, None for "removed". A conflict's pointer is below `path`, at the shortest path where one side is not an
/// object. Equality is equality of jsonb text, so all three must be in jsonb's canonical form. `tick` is called at every
/// member, as large values take long.
///
/// # Example
/// base `{"a": 1}`, ours `{"a": 1, "b": 2}`, theirs `{"a": 3}` merge to `{"a":3,"b":2}`.
pub fn merge<'a>(
    path: &str,
    base: Option<&'a str>,
    ours: Option<&'a str>,
    theirs: Option<&'a str>,
    tick: fn(),
) -> Result<Option<String>, Vec<Conflict<'a>>> {
    let mut merge = Merge { path: path.to_owned(), conflicts: Vec::new(), tick };
    let merged = merge.at(base, ours, theirs, 0);
    if merge.conflicts.is_empty() { Ok(merged) } else { Err(merge.conflicts) }
}

struct Merge<'a> {
    path: String,
    conflicts: Vec<Conflict<'a>>,
    tick: fn(),
}

impl<'a> Merge<'a> {
    fn at(
        &mut self,
        base: Option<&'a str>,
        ours: Option<&'a str>,
        theirs: Option<&'a str>,
        depth: usize,
    ) -> Option<String> {
        (self.tick)();
        if ours == base || ours == theirs {
            return theirs.map(str::to_owned);
        }
        if theirs == base {
            return ours.map(str::to_owned);
        }
        let (Some(b), Some(o), Some(t)) = (members(base, depth), members(ours, depth), members(theirs, depth)) else {
            self.conflicts.push(Conflict { path: self.path.clone(), base, ours, theirs });
            return None;
        };
        let mut merged: BTreeMap<&str, String> = BTreeMap::new();
        let mut keys: Vec<&str> = b.keys().chain(o.keys()).chain(t.keys()).map(String::as_str).collect();
        keys.sort_unstable();
        keys.dedup();
        for key in keys {
            let length = self.path.len();
            self.path.push_str(&pointer_token(key));
            let [base, ours, theirs] = [&b, &o, &t].map(|side| side.get(key).map(|value| value.get()));
            if let Some(value) = self.at(base, ours, theirs, depth + 1) {
                merged.insert(key, value);
            }
            self.path.truncate(length);
        }
        Some(object_text(merged.iter().map(|(key, value)| (*key, value.as_str()))))
    }
}

/// The members of an object, one level deep; None for anything else.
fn members(text: Option<&str>, depth: usize) -> Option<Members<'_>> {
    let text = text?;
    if !text.starts_with('{') || depth >= MAX_DEPTH {
        return None;
    }
    serde_json::from_str(text).ok()
}

/// `/key`, escaped as RFC 6901 says.
pub fn pointer_token(key: &str) -> String {
    format!("/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// An object's JSON text from keys and the texts of their values.
pub fn object_text<'a>(members: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut text = String::from("{");
    for (index, (key, value)) in members.enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push_str(&serde_json::to_string(key).expect("a string is serialisable"));
        text.push(':');
        text.push_str(value);
    }
    text.push('}');
    text
}

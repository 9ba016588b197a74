//! Three-way merge of JSON texts. Pure: values stay text, so no number is ever parsed.

use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Objects nested deeper than this are atoms: bounds the recursion, and the repeated scan of what lies below.
const MAX_DEPTH: usize = 1024;

type Members<'a> = BTreeMap<String, &'a RawValue>;

/// Merges `ours` and `theirs`, which both grew from `base` (None: not there), or names what both changed differently.
///
/// Objects merge member by member; arrays and scalars are atoms; a member that is left out was removed. The result is
/// JSON text, None for "removed". A conflict is a JSON Pointer below `path`, at the shortest path where one side is not
/// an object. Equality is equality of jsonb text, so all three must be in jsonb's canonical form.
///
/// # Example
/// base `{"a": 1}`, ours `{"a": 1, "b": 2}`, theirs `{"a": 3}` merge to `{"a":3,"b":2}`.
pub fn merge(
    path: &str,
    base: Option<&str>,
    ours: Option<&str>,
    theirs: Option<&str>,
) -> Result<Option<String>, Vec<String>> {
    let mut conflicts = Vec::new();
    let merged = merge_at(&mut path.to_owned(), base, ours, theirs, 0, &mut conflicts);
    if conflicts.is_empty() { Ok(merged) } else { Err(conflicts) }
}

fn merge_at(
    path: &mut String,
    base: Option<&str>,
    ours: Option<&str>,
    theirs: Option<&str>,
    depth: usize,
    conflicts: &mut Vec<String>,
) -> Option<String> {
    if ours == base || ours == theirs {
        return theirs.map(str::to_owned);
    }
    if theirs == base {
        return ours.map(str::to_owned);
    }
    let (Some(base), Some(ours), Some(theirs)) = (members(base, depth), members(ours, depth), members(theirs, depth))
    else {
        conflicts.push(path.clone());
        return None;
    };
    let mut merged: BTreeMap<&str, String> = BTreeMap::new();
    let mut keys: Vec<&str> = base.keys().chain(ours.keys()).chain(theirs.keys()).map(String::as_str).collect();
    keys.sort_unstable();
    keys.dedup();
    for key in keys {
        let length = path.len();
        path.push_str(&pointer_token(key));
        let [b, o, t] = [&base, &ours, &theirs].map(|side| side.get(key).map(|value| value.get()));
        if let Some(value) = merge_at(path, b, o, t, depth + 1, conflicts) {
            merged.insert(key, value);
        }
        path.truncate(length);
    }
    Some(object_text(merged.iter().map(|(key, value)| (*key, value.as_str()))))
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

/// The text at a JSON Pointer that leads through objects; None where there is none.
pub fn at_pointer<'a>(text: &'a str, pointer: &str) -> Option<&'a str> {
    let mut text = text;
    for token in pointer.split('/').skip(1) {
        let key = token.replace("~1", "/").replace("~0", "~");
        text = members(Some(text), 0)?.get(&key)?.get();
    }
    Some(text)
}

//! Checks of arguments, made before anything is read: what is wrong is 22023.

use crate::server::error::{Error, Result};
use crate::server::interrupts::check_for_interrupts;
use crate::server::jsonb::Jsonb;
use crate::server::name::Texts;

const MAX_NAME: usize = 255;

/// One value at most: 64 MB of jsonb text.
pub const MAX_VALUE: usize = 64 * 1024 * 1024;

const RESERVED_TYPES: [&str; 11] = [
    "run.",
    "variables.",
    "state.",
    "checkpoint.",
    "node.",
    "loop.",
    "interaction.",
    "workflow.",
    "breaker.",
    "policy.",
    "layra.",
];

/// NULL where none is allowed.
pub fn required<T>(value: Option<T>, what: &str) -> Result<T> {
    value.ok_or_else(|| Error::argument(format!("{what} must not be null")))
}

/// A name: 1 to 255 characters, none of them a control character.
pub fn name<'a>(value: Option<&'a str>, what: &str) -> Result<&'a str> {
    let value = required(value, what)?;
    // A role's name, cast to text, can be of another encoding; every other text is what it says.
    if !value.is_ascii() && std::str::from_utf8(value.as_bytes()).is_err() {
        return Err(Error::Encoding("a name"));
    }
    if is_name(value) {
        return Ok(value);
    }
    let problem = if value.is_empty() {
        "must not be empty"
    } else if value.len() > MAX_NAME && value.chars().nth(MAX_NAME).is_some() {
        "must not have more than 255 characters"
    } else {
        "must not have control characters"
    };
    Err(Error::argument(format!("{what} {problem}")))
}

fn is_name(value: &str) -> bool {
    let short = value.len() <= MAX_NAME || value.chars().nth(MAX_NAME).is_none();
    let plain = if value.is_ascii() {
        !value.bytes().any(|octet| octet.is_ascii_control())
    } else {
        !value.chars().any(char::is_control)
    };
    !value.is_empty() && short && plain
}

pub fn run_id(value: Option<&str>) -> Result<&str> {
    name(value, "run_id")
}

pub fn optional_name<'a>(value: Option<&'a str>, what: &str) -> Result<Option<&'a str>> {
    value.map(|value| name(Some(value), what)).transpose()
}

/// The names of an array, each once, in the order given.
pub fn names(value: Option<Texts>, what: &str) -> Result<Vec<String>> {
    let mut seen = std::collections::HashSet::new();
    let mut names = Vec::new();
    for element in required(value, what)?.0 {
        check_for_interrupts();
        let element = name(element.as_deref(), &format!("an element of {what}"))?.to_owned();
        if seen.insert(element.clone()) {
            names.push(element);
        }
    }
    Ok(names)
}

/// An event type of the caller's own.
pub fn event_type(value: Option<&str>) -> Result<&str> {
    let value = name(value, "type")?;
    match RESERVED_TYPES.iter().find(|prefix| value.starts_with(**prefix)) {
        None => Ok(value),
        Some(prefix) => Err(Error::argument(format!(
            "event types must not start with {prefix:?}, which is reserved for the extension"
        ))),
    }
}

pub fn object(value: Option<Jsonb>, what: &str) -> Result<Jsonb> {
    let value = required(value, what)?;
    if value.is_object() { Ok(value) } else { Err(Error::argument(format!("{what} must be a JSON object"))) }
}

/// An object of names and values.
pub fn members(value: Option<Jsonb>, what: &str) -> Result<Vec<(String, Jsonb)>> {
    let members = object(value, what)?.entries();
    match members.iter().find(|(key, _)| !is_name(key)) {
        None => Ok(members),
        Some((key, _)) => name(Some(key), &format!("a name in {what}")).map(|_| Vec::new()),
    }
}

/// A version that somebody expects: at least 0.
pub fn expected(value: Option<i64>) -> Result<Option<i64>> {
    match value {
        Some(version) if version < 0 => Err(Error::argument("expected_version must not be negative")),
        _ => Ok(value),
    }
}

/// A version to read: at least 1.
pub fn version(value: Option<i64>, what: &str) -> Result<i64> {
    match required(value, what)? {
        version if version < 1 => Err(Error::argument(format!("{what} must be at least 1"))),
        version => Ok(version),
    }
}

pub fn scope(value: &str) -> Result<&str> {
    match value {
        "variable" | "node" | "loop" | "context" | "engine" => Ok(value),
        _ => Err(Error::argument("scope must be one of variable, node, loop, context, engine")),
    }
}

/// JSON text within the size of one value.
pub fn within_limit(text: &str, limit: usize, what: impl std::fmt::Display) -> Result<()> {
    if text.len() <= limit {
        return Ok(());
    }
    let hint = match limit {
        MAX_VALUE => "Store large values elsewhere and keep a reference to them in the run.",
        _ => {
            "The limit is the workflow's, in policy.limits. Store large values elsewhere and keep a reference in the run."
        }
    };
    Err(Error::Limit { message: format!("{what} has {} bytes of JSON text, more than {limit}", text.len()), hint })
}

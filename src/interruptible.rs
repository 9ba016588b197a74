//! What keeps a JSON Schema from stopping the server. A small schema can ask for more steps, more stack and more memory
//! than there are, and the crate `jsonschema` has no limit for any of them. It is told to call `tick`:
//!
//! - whenever it looks at a value, which is done through `Interruptible`;
//! - at every object of a schema, when it is compiled and when a value is checked against it: each has the keyword `TICK`.
//!   Without that, references and `allOf` could branch and go deep without looking at a value.

use crate::spi;
use jsonschema::json::{Array, Json, Node, NodeIdentity, Object, SerdeJson, cmp};
use jsonschema::{Draft, JsonType, Keyword, ValidationError};
use serde_json::{Map, Number, Value};
use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// How much the process may grow in one use of a schema, in octets.
const MAX_GROWTH: usize = 256 << 20;

/// To ask the kernel for the size costs about 2 µs, which small schemas and values do not spend.
const TICKS_A_LOOK: u32 = 64;

struct TooMuch;

thread_local! {
    static TICKS: Cell<u32> = const { Cell::new(0) };
    static MAX_SIZE: Cell<Option<usize>> = const { Cell::new(None) };
    static BOUNDED: Cell<bool> = const { Cell::new(false) };
}

/// Does `work`, which calls `tick`. None where it needs too much memory. A user's cancel, a timeout and a stack that is
/// too deep are PostgreSQL's own errors, raised from here. Inside of other such work, that one's bound counts.
pub fn bounded<T>(work: impl FnOnce() -> T) -> Option<T> {
    let inside = BOUNDED.replace(true);
    if !inside {
        TICKS.set(0);
        MAX_SIZE.set(None);
    }
    // What `work` leaves half done is dropped: nothing outlives it.
    let result = catch_unwind(AssertUnwindSafe(work));
    give_back();
    BOUNDED.set(inside);
    match result {
        Ok(result) => Some(result),
        Err(payload) if payload.is::<TooMuch>() => None,
        Err(payload) => resume_unwind(payload),
    }
}

/// What was freed goes back to the kernel where it is much.
fn give_back() {
    const MUCH: usize = 32 << 20;
    if MAX_SIZE.get().is_some_and(|max| resident_size().saturating_add(MAX_GROWTH) > max.saturating_add(MUCH)) {
        spi::trim_heap();
    }
}

fn tick() {
    spi::check_for_interrupts();
    spi::check_stack_depth();
    let ticks = TICKS.get().wrapping_add(1);
    TICKS.set(ticks);
    if !ticks.is_multiple_of(TICKS_A_LOOK) {
        return;
    }
    let size = resident_size();
    match MAX_SIZE.get() {
        None => MAX_SIZE.set(Some(size.saturating_add(MAX_GROWTH))),
        Some(max) if size > max => resume_unwind(Box::new(TooMuch)),
        Some(_) => {}
    }
}

/// What this process has of the memory, in octets; 0 where the kernel does not say.
fn resident_size() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0) * spi::page_size()
}

/// The name of the keyword that ticks: no key of a jsonb has that character.
pub const TICK: &str = "\0";

/// The keywords whose members are schemas, whatever their names.
const MAPS: [&str; 6] = ["$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties", "properties"];

/// The keywords with values, which are no schemas.
const VALUES: [&str; 4] = ["const", "default", "enum", "examples"];

const REFERENCES: [&str; 3] = ["$dynamicRef", "$recursiveRef", "$ref"];

/// Gives every object of a schema the keyword `TICK`, and every reference an object of its own in `allOf`, because some of
/// what `unevaluatedProperties` does follows a reference without looking at the other keywords beside it. False where a
/// reference may lead to a value that has references: those could not be made to tick.
pub fn instrument(schema: &mut Value, draft: Draft) -> bool {
    let mut values_refer = false;
    let mut refers_to_values = false;
    instrument_all(schema, draft, &mut values_refer, &mut refers_to_values);
    !(values_refer && refers_to_values)
}

fn instrument_all(schema: &mut Value, draft: Draft, values_refer: &mut bool, refers_to_values: &mut bool) {
    let draft = draft.detect(schema);
    match schema {
        Value::Array(schemas) => {
            for schema in schemas {
                instrument_all(schema, draft, values_refer, refers_to_values);
            }
        }
        Value::Object(members) => {
            // Until draft 7, whatever is beside a reference does not count. It may be where other references lead to.
            if draft < Draft::Draft201909 && members.get("$ref").is_some_and(Value::is_string) {
                members.retain(|key, _| ["$defs", "$ref", "$schema", "definitions"].contains(&key.as_str()));
            }
            for (key, value) in members.iter_mut() {
                match value {
                    _ if VALUES.contains(&key.as_str()) => *values_refer |= has_reference(value),
                    Value::Object(map) if MAPS.contains(&key.as_str()) => {
                        for schema in map.values_mut() {
                            instrument_all(schema, draft, values_refer, refers_to_values);
                        }
                    }
                    _ => instrument_all(value, draft, values_refer, refers_to_values),
                }
            }
            let references: Vec<Value> = REFERENCES
                .iter()
                .filter_map(|keyword| {
                    let target = members.get(*keyword)?.as_str()?;
                    *refers_to_values |=
                        target.contains('%') || VALUES.iter().any(|value| target.contains(&format!("/{value}")));
                    Some(serde_json::json!({*keyword: target, TICK: true}))
                })
                .collect();
            if !references.is_empty()
                && let Value::Array(schemas) = members.entry("allOf").or_insert(Value::Array(Vec::new()))
            {
                schemas.extend(references);
                members.retain(|key, value| !(REFERENCES.contains(&key.as_str()) && value.is_string()));
            }
            members.insert(TICK.to_owned(), Value::Bool(true));
        }
        _ => {}
    }
}

fn has_reference(value: &Value) -> bool {
    match value {
        Value::Array(elements) => elements.iter().any(has_reference),
        Value::Object(members) => members
            .iter()
            .any(|(key, value)| REFERENCES.contains(&key.as_str()) && value.is_string() || has_reference(value)),
        _ => false,
    }
}

struct Tick;

impl<'i> Keyword<'i, Interruptible> for Tick {
    fn validate(&self, _: &'i Value) -> Result<(), ValidationError<'i>> {
        tick();
        Ok(())
    }

    fn is_valid(&self, _: &'i Value) -> bool {
        tick();
        true
    }
}

/// Called for each object of the schema that is compiled.
pub fn keyword<'a>(
    _: &'a Map<String, Value>,
    _: &'a Value,
    _: jsonschema::paths::Location,
) -> Result<Box<dyn for<'i> Keyword<'i, Interruptible>>, ValidationError<'a>> {
    tick();
    Ok(Box::new(Tick))
}

/// `SerdeJson`, the crate's own way to read a value, with a tick at each step.
pub struct Interruptible;

impl Json for Interruptible {
    type Node<'a> = &'a Value;
    type PreparedKey = String;
    type StringBuffer = Value;

    const KEYS_PER_LOOKUP: usize = SerdeJson::KEYS_PER_LOOKUP;

    fn prepare_key(key: &str) -> String {
        tick();
        SerdeJson::prepare_key(key)
    }

    fn with_string_node<T>(buffer: &mut Value, string: &str, f: impl FnOnce(&Value) -> T) -> T {
        SerdeJson::with_string_node(buffer, string, f)
    }
}

impl<'a> Node<'a, Interruptible> for &'a Value {
    type Object = &'a Map<String, Value>;
    type Array = &'a [Value];
    type Number = &'a Number;

    fn as_object(&self) -> Option<&'a Map<String, Value>> {
        tick();
        Node::<SerdeJson>::as_object(self)
    }

    fn as_array(&self) -> Option<&'a [Value]> {
        tick();
        Node::<SerdeJson>::as_array(self)
    }

    fn as_string(&self) -> Option<Cow<'a, str>> {
        tick();
        Node::<SerdeJson>::as_string(self)
    }

    fn as_number(&self) -> Option<&'a Number> {
        tick();
        Node::<SerdeJson>::as_number(self)
    }

    fn as_boolean(&self) -> Option<bool> {
        tick();
        Node::<SerdeJson>::as_boolean(self)
    }

    fn is_null(&self) -> bool {
        tick();
        Node::<SerdeJson>::is_null(self)
    }

    fn json_type(&self) -> JsonType {
        tick();
        Node::<SerdeJson>::json_type(self)
    }

    fn string_length(&self) -> Option<u64> {
        tick();
        Node::<SerdeJson>::string_length(self)
    }

    fn equals_value(&self, expected: &Value) -> bool {
        tick();
        cmp::equal(self, expected)
    }

    fn to_value(&self) -> Cow<'a, Value> {
        Node::<SerdeJson>::to_value(self)
    }

    fn identity(&self) -> Option<NodeIdentity> {
        tick();
        Node::<SerdeJson>::identity(self)
    }
}

impl<'a> Object<'a, Interruptible> for &'a Map<String, Value> {
    type Node = &'a Value;
    type MemberName = &'a str;
    type MembersIter = Members<'a>;

    fn len(&self) -> usize {
        Map::len(self)
    }

    fn get(&self, key: &String) -> Option<&'a Value> {
        tick();
        Map::get(self, key)
    }

    fn members(&self) -> Members<'a> {
        Members(self.iter())
    }
}

pub struct Members<'a>(serde_json::map::Iter<'a>);

impl<'a> Iterator for Members<'a> {
    type Item = (&'a str, &'a Value);

    fn next(&mut self) -> Option<Self::Item> {
        tick();
        self.0.next().map(|(key, value)| (key.as_str(), value))
    }
}

impl<'a> Array<'a, Interruptible> for &'a [Value] {
    type Node = &'a Value;
    type ElementsIter = std::slice::Iter<'a, Value>;

    fn len(&self) -> usize {
        <[Value]>::len(self)
    }

    fn elements(&self) -> std::slice::Iter<'a, Value> {
        self.iter()
    }

    /// The crate compares all elements whose hashes are equal, and it is easy to make values that have the same one.
    fn is_unique(&self) -> bool {
        let mut seen = HashSet::new();
        self.iter().all(|element| {
            tick();
            seen.insert(canonical(element))
        })
    }
}

/// A text that two values share where they are equal.
fn canonical(value: &Value) -> Vec<u8> {
    let mut text = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, Canonical);
    serde::Serialize::serialize(value, &mut serializer).expect("a value can be written to memory");
    text
}

/// As jsonb has them, equal numbers differ in the zeros at the end of their fractions, and nothing else differs.
struct Canonical;

impl serde_json::ser::Formatter for Canonical {
    fn write_number_str<W: ?Sized + std::io::Write>(&mut self, writer: &mut W, number: &str) -> std::io::Result<()> {
        let number = if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number };
        writer.write_all(number.as_bytes())
    }
}

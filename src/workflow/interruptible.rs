//! What keeps a JSON Schema from stopping the server. A small schema can ask for more steps, more stack and more memory
//! than there are, and the crate `jsonschema` has no limit for any of them. It is told to call `tick`:
//!
//! - whenever it looks at a value, which is done through `Interruptible`;
//! - at every object of a schema, when it is compiled and when a value is checked against it: each has the keyword `TICK`.
//!   Without that, references and `allOf` could branch and go deep without looking at a value.

use crate::server::interrupts;
use crate::server::memory;
use jsonschema::json::{Array, Json, Node, NodeIdentity, Object, SerdeJson, cmp};
use jsonschema::{Draft, JsonType, Keyword, ReferencingError, Registry, Retrieve, Uri, ValidationError, uri};
use serde_json::{Map, Number, Value};
use std::borrow::Cow;
use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// How much the process may grow in one use of a schema, in bytes.
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
        memory::trim_heap();
    }
}

fn tick() {
    interrupts::check_for_interrupts();
    interrupts::check_stack_depth();
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

/// What this process has of the memory, in bytes; 0 where the kernel does not say.
fn resident_size() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0) * memory::page_size()
}

/// The name of the keyword that ticks: no key of a jsonb has that character.
pub const TICK: &str = "\0";

const REFERENCES: [&str; 3] = ["$dynamicRef", "$recursiveRef", "$ref"];

/// The base of a schema that has no id, as the crate has it.
const NO_BASE: &str = "json-schema:///";

/// Remote references are not fetched: a schema cannot make the server open a connection.
pub struct Offline;

impl Retrieve for Offline {
    fn retrieve(&self, uri: &Uri<String>) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        Err(format!("Retrieval is disabled, cannot fetch {uri}").into())
    }
}

/// What a keyword of a schema holds.
enum Holds {
    /// A schema, or an array of them.
    Schemas,
    /// An object of names and schemas.
    SchemasByName,
    /// A value that means something to the keyword: of `const`, `enum`, `dependentRequired`.
    Value,
    /// What nobody looks at unless a reference leads there: of `default`, `examples`, and of unknown keywords.
    Anything,
}

impl Holds {
    /// By the keywords of all drafts: to take for a schema what is one in another draft does no harm.
    fn of(draft: Draft, keyword: &str) -> Holds {
        match keyword {
            "additionalItems"
            | "additionalProperties"
            | "allOf"
            | "anyOf"
            | "contains"
            | "contentSchema"
            | "else"
            | "if"
            | "items"
            | "not"
            | "oneOf"
            | "prefixItems"
            | "propertyNames"
            | "then"
            | "unevaluatedItems"
            | "unevaluatedProperties" => Holds::Schemas,
            "$defs" | "definitions" | "dependencies" | "dependentSchemas" | "patternProperties" | "properties" => {
                Holds::SchemasByName
            }
            known if draft.is_known_keyword(known) => Holds::Value,
            _ => Holds::Anything,
        }
    }
}

/// Where a value stands in the schema that is instrumented.
type Address = *const Value;

/// A copy of a schema in which every object that is a schema has the keyword `TICK`, and every reference an object of its
/// own in `allOf`, because some of what `unevaluatedProperties` does follows a reference without looking at the other
/// keywords beside it. A schema is what stands where a keyword has one, and what a reference leads to; all else stays as it
/// is. The error says why it is no schema.
pub fn instrument(schema: &Value) -> Result<Value, String> {
    let draft = Draft::default().detect(schema);
    let strays = if refers(schema) {
        strays(schema, draft).map_err(|error| ValidationError::from(error).masked().to_string())?
    } else {
        HashMap::new()
    };
    Instrument { strays }.schema(schema, draft)
}

fn refers(value: &Value) -> bool {
    match value {
        Value::Array(elements) => elements.iter().any(refers),
        Value::Object(members) => references(members).next().is_some() || members.values().any(refers),
        _ => false,
    }
}

fn references(members: &Map<String, Value>) -> impl Iterator<Item = &str> {
    REFERENCES.iter().filter_map(|keyword| members.get(*keyword)?.as_str())
}

/// The schemas that stand in one, by their places.
fn subschemas(draft: Draft, members: &Map<String, Value>) -> Vec<&Value> {
    let mut found: Vec<&Value> = Vec::new();
    for (keyword, value) in members {
        match (Holds::of(draft, keyword), value) {
            (Holds::Schemas, Value::Array(schemas)) => found.extend(schemas),
            (Holds::Schemas, schema) => found.push(schema),
            (Holds::SchemasByName, Value::Object(schemas)) => found.extend(schemas.values()),
            _ => {}
        }
    }
    found
}

/// What references lead to that is no schema by its place, and the draft that it is read in.
fn strays(schema: &Value, draft: Draft) -> Result<HashMap<Address, Draft>, ReferencingError> {
    let root = draft.create_resource_ref(schema);
    let base = uri::from_str(root.id().unwrap_or(NO_BASE))?;
    let registry = Registry::new().retriever(Offline).draft(draft).add(base.as_str(), root)?.prepare()?;
    let mut in_place: HashSet<Address> = HashSet::new();
    let mut found: HashMap<Address, Draft> = HashMap::new();
    // With its base, on which depends what the references in a schema mean.
    let mut seen = HashSet::new();
    let mut targets = Vec::new();
    let mut open = vec![(schema, registry.resolver(base), draft)];
    let mut by_place = true;
    loop {
        while let Some((schema, resolver, draft)) = open.pop() {
            tick();
            if by_place {
                in_place.insert(schema);
            }
            let Value::Object(members) = schema else { continue };
            if !seen.insert((std::ptr::from_ref(schema), resolver.base_uri())) {
                continue;
            }
            // What cannot be resolved is an error when it is compiled.
            targets.extend(references(members).filter_map(|reference| resolver.lookup(reference).ok()));
            for subschema in subschemas(draft, members) {
                let draft = draft.detect(subschema);
                let resolver = resolver.in_subresource(draft.create_resource_ref(subschema));
                open.extend(resolver.ok().map(|resolver| (subschema, resolver, draft)));
            }
        }
        by_place = false;
        let Some(target) = targets.pop() else { break };
        let (schema, resolver, draft) = target.into_inner();
        found.insert(schema, draft);
        open.push((schema, resolver, draft));
    }
    found.retain(|address, _| !in_place.contains(address));
    Ok(found)
}

struct Instrument {
    strays: HashMap<Address, Draft>,
}

impl Instrument {
    fn schema(&self, schema: &Value, draft: Draft) -> Result<Value, String> {
        tick();
        let Value::Object(members) = schema else { return self.anything(schema) };
        let draft = draft.detect(schema);
        // Until draft 7, whatever is beside a reference does not count. It may be where other references lead to.
        let alone = draft < Draft::Draft201909 && members.get("$ref").is_some_and(Value::is_string);
        let mut made = Map::new();
        let mut references = Vec::new();
        for (keyword, value) in members {
            if let (true, Some(reference)) = (REFERENCES.contains(&keyword.as_str()), value.as_str()) {
                references.push(ticking([(keyword.clone(), Value::from(reference))].into_iter().collect()));
                continue;
            }
            if alone && draft.is_known_keyword(keyword) && !["$schema", "definitions"].contains(&keyword.as_str()) {
                continue;
            }
            let value = match (Holds::of(draft, keyword), value) {
                (Holds::Schemas, Value::Array(schemas)) => {
                    Value::Array(schemas.iter().map(|schema| self.schema(schema, draft)).collect::<Result<_, _>>()?)
                }
                (Holds::Schemas, schema) => self.schema(schema, draft)?,
                (Holds::SchemasByName, Value::Object(schemas)) => self.by_name(value, schemas, draft)?,
                (Holds::Value, value) => self.value(value)?,
                (_, value) => self.anything(value)?,
            };
            made.insert(keyword.clone(), value);
        }
        if !references.is_empty() {
            let Value::Array(all) = made.entry("allOf").or_insert(Value::Array(Vec::new())) else {
                return Err("allOf is no array".to_owned());
            };
            all.append(&mut references);
        }
        Ok(ticking(made))
    }

    /// Such an object may be what a reference leads to, too: a schema with the names as unknown keywords.
    fn by_name(&self, whole: &Value, schemas: &Map<String, Value>, draft: Draft) -> Result<Value, String> {
        let made = schemas
            .iter()
            .map(|(name, schema)| Ok((name.clone(), self.schema(schema, draft)?)))
            .collect::<Result<Map<String, Value>, String>>()?;
        Ok(if self.strays.contains_key(&std::ptr::from_ref(whole)) { ticking(made) } else { Value::Object(made) })
    }

    fn anything(&self, value: &Value) -> Result<Value, String> {
        if self.strays.is_empty() {
            return Ok(value.clone());
        }
        tick();
        match value {
            Value::Object(members) => match self.strays.get(&std::ptr::from_ref(value)) {
                Some(draft) => self.schema(value, *draft),
                None => members
                    .iter()
                    .map(|(key, value)| Ok((key.clone(), self.anything(value)?)))
                    .collect::<Result<Map<String, Value>, String>>()
                    .map(Value::Object),
            },
            Value::Array(elements) => {
                elements.iter().map(|element| self.anything(element)).collect::<Result<_, _>>().map(Value::Array)
            }
            scalar => Ok(scalar.clone()),
        }
    }

    /// A schema in here could not be made to tick without making the value another one.
    fn value(&self, value: &Value) -> Result<Value, String> {
        if self.strays.is_empty() || !self.has_stray(value) {
            return Ok(value.clone());
        }
        Err("a reference leads to a value".to_owned())
    }

    fn has_stray(&self, value: &Value) -> bool {
        tick();
        match value {
            Value::Object(members) => {
                self.strays.contains_key(&std::ptr::from_ref(value))
                    || members.values().any(|value| self.has_stray(value))
            }
            Value::Array(elements) => elements.iter().any(|element| self.has_stray(element)),
            _ => false,
        }
    }
}

fn ticking(mut members: Map<String, Value>) -> Value {
    // Where the members are also schemas by name, this is a schema as well.
    members.insert(TICK.to_owned(), Value::Object(Map::new()));
    Value::Object(members)
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

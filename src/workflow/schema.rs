//! JSON Schemas, compiled once per session and definition.

use crate::pure::definition::{self, Definition, Problems};
use crate::pure::hash::{Hash, value_hash};
use crate::pure::json;
use crate::pure::merge::pointer_token;
use crate::server::error::Violation;
use crate::server::interrupts;
use crate::server::jsonb::Jsonb;
use crate::server::memory::{self, Size};
use crate::store::db::Db;
use crate::store::graph;
use crate::workflow::interruptible::{self, Interruptible, Offline};
use jsonschema::PatternOptions;
use serde_json::Value;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

pub type Validator = jsonschema::Validator<Interruptible>;

/// A definition with its schemas compiled.
pub struct Compiled {
    pub definition: Definition,
    validators: HashMap<String, Validator>,
    /// What it takes.
    bytes: usize,
}

/// What was compiled is kept by the hash of its text, so an entry is never stale. Compiling a schema costs about 50 µs, a
/// look-up 0.1 µs. A session keeps so much of each kind; what was used last goes last, and stays however large it is.
const MAX_CACHED: usize = 8 << 20;

/// A larger schema takes more than about a second to compile, some of it in steps that cannot be interrupted.
const MAX_SCHEMA: usize = 1 << 20;

pub const TOO_MUCH_MEMORY: &str = "takes too much memory";

/// Schemas and values are read and dropped recursively: so many levels take little of the stack. What a schema makes of
/// them is up to the schema, and checked where it happens.
const MAX_SCHEMA_DEPTH: usize = 128;
const MAX_VALUE_DEPTH: usize = 1024;

struct Cache<T> {
    compiled: HashMap<Hash, Kept<T>>,
    bytes: usize,
    uses: u64,
}

struct Kept<T> {
    compiled: Rc<T>,
    bytes: usize,
    used: u64,
}

impl<T> Default for Cache<T> {
    fn default() -> Self {
        Cache { compiled: HashMap::new(), bytes: 0, uses: 0 }
    }
}

impl<T> Cache<T> {
    fn get(&mut self, hash: &Hash) -> Option<Rc<T>> {
        self.uses += 1;
        let kept = self.compiled.get_mut(hash)?;
        kept.used = self.uses;
        Some(kept.compiled.clone())
    }

    fn insert(&mut self, hash: Hash, bytes: usize, compiled: Rc<T>) {
        self.uses += 1;
        self.bytes += bytes;
        let before = self.compiled.insert(hash, Kept { compiled, bytes, used: self.uses });
        self.bytes -= before.map_or(0, |kept| kept.bytes);
        while self.bytes > MAX_CACHED && self.compiled.len() > 1 {
            let oldest = self.compiled.iter().min_by_key(|(_, kept)| kept.used).map(|(hash, _)| *hash);
            let gone = oldest.and_then(|hash| self.compiled.remove(&hash));
            self.bytes -= gone.map_or(0, |kept| kept.bytes);
        }
    }

    fn size(&self) -> Size {
        Size { entries: self.compiled.len(), bytes: self.bytes }
    }
}

thread_local! {
    static DEFINITIONS: RefCell<Cache<Compiled>> = RefCell::default();
    static VALIDATORS: RefCell<Cache<Validator>> = RefCell::default();
}

pub fn cached(hash: &Hash) -> Option<Rc<Compiled>> {
    DEFINITIONS.with_borrow_mut(|cache| cache.get(hash))
}

pub fn remember(hash: Hash, compiled: Rc<Compiled>) {
    DEFINITIONS.with_borrow_mut(|cache| cache.insert(hash, compiled.bytes, compiled));
}

/// What the session remembers of definitions, and of schemas that stand alone.
pub fn remembered() -> [Size; 2] {
    [DEFINITIONS.with_borrow(Cache::size), VALIDATORS.with_borrow(Cache::size)]
}

/// A schema that stands alone (an event type's, a response's), compiled once per session.
pub fn cached_validator(text: &str) -> Result<Rc<Validator>, String> {
    let hash = value_hash(text);
    if let Some(validator) = VALIDATORS.with_borrow_mut(|cache| cache.get(&hash)) {
        return Ok(validator);
    }
    let before = memory::in_use();
    let validator = Rc::new(validator(text)?);
    let bytes = memory::in_use().saturating_sub(before);
    VALIDATORS.with_borrow_mut(|cache| cache.insert(hash, bytes, validator.clone()));
    Ok(validator)
}

/// Parses and compiles a definition; the second part lists everything that is wrong with it.
pub fn compile(text: &str) -> (Compiled, Problems) {
    let before = memory::in_use();
    let (mut compiled, problems) = compiled(text);
    compiled.bytes = memory::in_use().saturating_sub(before);
    (compiled, problems)
}

fn compiled(text: &str) -> (Compiled, Problems) {
    let (definition, mut problems) = definition::parse(text, interrupts::check_for_interrupts);
    match interruptible::bounded(|| validators(&definition, &mut problems)) {
        Some(validators) => (Compiled { definition, validators, bytes: 0 }, problems),
        None => {
            problems.push(("/variables".to_owned(), TOO_MUCH_MEMORY.to_owned()));
            (Compiled { definition, validators: HashMap::new(), bytes: 0 }, problems)
        }
    }
}

fn validators(definition: &Definition, problems: &mut Problems) -> HashMap<String, Validator> {
    let mut validators = HashMap::new();
    for (name, variable) in &definition.variables {
        let Some(schema) = variable.schema.as_deref() else { continue };
        let path = format!("/variables{}", pointer_token(name));
        match validator(schema) {
            Ok(validator) => {
                if let Some(default) = &variable.default {
                    for violation in violations(&validator, "", default) {
                        let message = format!("does not satisfy {}", violation.keyword);
                        problems.push((format!("{path}/default{}", violation.path), message));
                    }
                }
                validators.insert(name.clone(), validator);
            }
            Err(message) => problems.push((format!("{path}/schema"), message)),
        }
    }
    validators
}

/// Patterns run on an engine whose time is linear in the text. What else a schema costs is bounded by `interruptible`.
pub fn validator(schema: &str) -> Result<Validator, String> {
    if schema.len() > MAX_SCHEMA {
        return Err(format!("has {} bytes, more than {MAX_SCHEMA}", schema.len()));
    }
    let schema =
        parsed(schema, MAX_SCHEMA_DEPTH).ok_or_else(|| format!("is nested deeper than {MAX_SCHEMA_DEPTH} levels"))?;
    let options = jsonschema::options_for::<Interruptible>()
        .with_retriever(Offline)
        .with_pattern_options(PatternOptions::regex())
        .with_content_media_type("application/json", json::is_json)
        .with_keyword(interruptible::TICK, interruptible::keyword);
    let build = || options.build(&interruptible::instrument(&schema)?).map_err(|error| error.masked().to_string());
    interruptible::bounded(build)
        .ok_or_else(|| TOO_MUCH_MEMORY.to_owned())?
        .map_err(|error| format!("is not a valid JSON Schema: {error}"))
}

/// With room for the copies that the crate makes of it in one piece.
fn parsed(text: &str, max_depth: usize) -> Option<Value> {
    let before = memory::in_use();
    let value = json::value(text, max_depth, interrupts::check_for_interrupts)?;
    memory::expect(memory::in_use().saturating_sub(before));
    Some(value)
}

/// Where and how a value breaks its schema; `path` is the pointer to the value. One violation of the value as a whole where
/// it takes too much memory to tell.
pub fn violations(validator: &Validator, path: &str, text: &str) -> Vec<Violation> {
    let whole = |keyword: &str| vec![Violation { path: path.to_owned(), keyword: keyword.to_owned() }];
    let check = || {
        let Some(value) = parsed(text, MAX_VALUE_DEPTH) else {
            return whole("depth");
        };
        // Nothing is collected for a valid value: alternatives that do not match are errors, too, until one does.
        if validator.is_valid(&value) {
            return Vec::new();
        }
        validator
            .iter_errors(&value)
            .map(|error| Violation {
                path: format!("{path}{}", error.instance_path().as_str()),
                keyword: error.kind().keyword().to_owned(),
            })
            .collect()
    };
    interruptible::bounded(check).unwrap_or_else(|| whole("schema"))
}

/// The graph that an engine cell refers to, as a definition without anything else.
pub fn of_graph(db: &Db, reference: &str) -> Rc<Compiled> {
    let hash = value_hash(reference);
    if let Some(compiled) = cached(&hash) {
        return compiled;
    }
    let (nodes, edges) = graph::load(db, reference);
    let part = |part: Option<Jsonb>| part.map_or("[]".to_owned(), |part| part.text().to_owned());
    let text = format!("{{\"nodes\":{},\"edges\":{}}}", part(nodes), part(edges));
    let compiled = Rc::new(compile(&text).0);
    remember(hash, compiled.clone());
    compiled
}

impl Compiled {
    /// Checks one variable's value; nothing where the definition has no schema for it.
    pub fn check_variable(&self, name: &str, text: &str) -> Vec<Violation> {
        self.validators.get(name).map(|v| violations(v, &pointer_token(name), text)).unwrap_or_default()
    }

    pub fn has_schema(&self, name: &str) -> bool {
        self.validators.contains_key(name)
    }
}

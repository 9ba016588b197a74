//! JSON Schemas, compiled once per session and definition.

use crate::definition::{self, Definition, Problems};
use crate::error::Violation;
use crate::hash::Hash;
use crate::merge::pointer_token;
use jsonschema::{PatternOptions, Validator};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// A definition with its schemas compiled.
pub struct Compiled {
    pub definition: Definition,
    validators: HashMap<String, Validator>,
}

/// Definitions are kept by the hash of their content, so an entry is never stale. Compiling a schema costs about 50 µs,
/// a look-up 0.1 µs; a session that meets more definitions than this starts anew.
const MAX_CACHED: usize = 256;

thread_local! {
    static CACHE: RefCell<HashMap<Hash, Rc<Compiled>>> = RefCell::new(HashMap::new());
}

pub fn cached(hash: &Hash) -> Option<Rc<Compiled>> {
    CACHE.with_borrow(|cache| cache.get(hash).cloned())
}

pub fn remember(hash: Hash, compiled: Rc<Compiled>) {
    CACHE.with_borrow_mut(|cache| {
        if cache.len() >= MAX_CACHED {
            cache.clear();
        }
        cache.insert(hash, compiled);
    });
}

/// Parses and compiles a definition; the second part lists everything that is wrong with it.
pub fn compile(text: &str) -> (Compiled, Problems) {
    let (definition, mut problems) = definition::parse(text);
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
    (Compiled { definition, validators }, problems)
}

/// Remote references are not fetched, and patterns run on an engine whose time is linear in the text: a schema can
/// neither make the server open a connection nor keep it busy.
pub fn validator(schema: &str) -> Result<Validator, String> {
    let schema = definition::value(schema).ok_or("a schema is JSON")?;
    jsonschema::options()
        .offline()
        .with_pattern_options(PatternOptions::regex())
        .build(&schema)
        .map_err(|error| format!("is no JSON Schema: {}", error.masked()))
}

/// Where and how a value breaks its schema; `path` is the pointer to the value.
pub fn violations(validator: &Validator, path: &str, text: &str) -> Vec<Violation> {
    let Some(value) = definition::value(text) else {
        return vec![Violation { path: path.to_owned(), keyword: "depth".to_owned() }];
    };
    validator
        .iter_errors(&value)
        .map(|error| Violation {
            path: format!("{path}{}", error.instance_path().as_str()),
            keyword: error.kind().keyword().to_owned(),
        })
        .collect()
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

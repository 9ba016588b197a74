//! Workflow definitions: `define_workflow`, and how a run finds its own.

use crate::pure::hash::{Hash, value_hash};
use crate::server::args;
use crate::server::error::{Error, Result};
use crate::server::interrupts::check_for_interrupts;
use crate::server::jsonb::Jsonb;
use crate::server::role;
use crate::store::db::Db;
use crate::store::graph::Parts;
use crate::store::run::Run;
use crate::store::workflow::{self, WorkflowRef};
use crate::workflow::admin::require_admin;
use crate::workflow::schema::{self, Compiled};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use std::rc::Rc;

#[pg_extern]
fn define_workflow(
    name: Option<&str>,
    definition: Option<Jsonb>,
    shared: default!(Option<bool>, "false"),
) -> std::result::Result<i32, ErrorReport> {
    Ok(define(name, definition, shared.unwrap_or(false))?)
}

fn define(name: Option<&str>, definition: Option<Jsonb>, shared: bool) -> Result<i32> {
    let name = args::name(name, "name")?;
    let definition = args::object(definition, "definition")?;
    let text = definition.text();
    let problems = schema::compile(text).1;
    if !problems.is_empty() {
        return Err(Error::Definition { name: name.to_owned(), problems });
    }
    let db = Db::write();
    if shared {
        require_admin(&db, "define shared workflows")?;
    }
    let owner = role::role_name(db.caller);
    args::within_limit(text, args::MAX_VALUE, "definition")?;
    if shared {
        must_be_free(&db, name, &owner)?;
    }
    Parts::in_definition(&definition).store(&db, &owner);
    let hash = value_hash(text);
    loop {
        let (same, newest) = workflow::versions(&db, &owner, name, &hash);
        if let Some(version) = same {
            if shared {
                workflow::share(&db, &owner, name, version);
            }
            return Ok(version);
        }
        let reference = WorkflowRef { owner: owner.clone(), name: name.to_owned(), version: newest + 1, hash };
        if workflow::insert(&db, &reference, shared, definition)? {
            return Ok(reference.version);
        }
        // Somebody defined it at the same moment, or shares the name: look again, or say so.
        if shared {
            must_be_free(&db, name, &owner)?;
        }
        check_for_interrupts();
    }
}

/// 23505 where another owner shares a workflow of that name.
fn must_be_free(db: &Db, name: &str, owner: &str) -> Result<()> {
    match workflow::shared_owner(db, name) {
        Some(other) if other != owner => {
            Err(Error::SharedNameTaken { what: "workflow", name: name.to_owned(), owner: other })
        }
        _ => Ok(()),
    }
}

/// What a run of `owner` uses: the owner's own workflow of that name, else a shared one; the newest version where none
/// is asked for.
pub fn find(db: &Db, owner: &str, name: &str, version: Option<i32>) -> Result<(WorkflowRef, Rc<Compiled>)> {
    let found = workflow::find_own(db, owner, name, version).or_else(|| workflow::find_shared(db, name, version));
    let Some(found) = found else {
        let role = owner.to_owned();
        return Err(Error::NoSuchWorkflow { name: name.to_owned(), version, role });
    };
    let compiled = match schema::cached(&found.reference.hash) {
        Some(compiled) => compiled,
        None => read_definition(&found.reference, found.definition())?,
    };
    Ok((found.reference, compiled))
}

/// The definition that a run is checked against, if it has a workflow.
pub fn of(db: &Db, run: &Run) -> Result<Option<Rc<Compiled>>> {
    run.workflow.as_ref().map(|reference| load(db, reference)).transpose()
}

/// The definition that a run refers to; from the session's cache but for the first time.
fn load(db: &Db, reference: &WorkflowRef) -> Result<Rc<Compiled>> {
    if let Some(compiled) = schema::cached(&reference.hash) {
        return Ok(compiled);
    }
    read_definition(reference, workflow::definition_of(db, reference))
}

fn read_definition(reference: &WorkflowRef, definition: Option<Jsonb>) -> Result<Rc<Compiled>> {
    let corrupt = || Error::Corrupt(format!("the definition of workflow {:?} does not match its hash", reference.name));
    let definition = definition.ok_or_else(corrupt)?;
    let hash: Hash = value_hash(definition.text());
    if hash != reference.hash {
        return Err(corrupt());
    }
    let (compiled, problems) = schema::compile(definition.text());
    // What an earlier version let through counts as no schema; one that cannot be checked now must not.
    if problems.iter().any(|(_, message)| message == schema::TOO_MUCH_MEMORY) {
        return Err(Error::Limit {
            message: format!("the schemas of workflow {:?} take too much memory", reference.name),
            hint: "Simplify its schemas, or spread its variables over several workflows.",
        });
    }
    let compiled = Rc::new(compiled);
    schema::remember(hash, compiled.clone());
    Ok(compiled)
}

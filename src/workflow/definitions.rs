//! Workflow definitions: `define_workflow`, and how a run finds its own.

use crate::pure::hash::{Hash, value_hash};
use crate::server::args;
use crate::server::error::{Error, Result};
use crate::server::jsonb::Jsonb;
use crate::server::settings;
use crate::server::spi::Db;
use crate::state::access;
use crate::state::run::{Run, WorkflowRef};
use crate::store::statements::*;
use crate::workflow::graph::Parts;
use crate::workflow::schema::{self, Compiled};
use pgrx::IntoDatum;
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
        access::require_admin(&db, "define shared workflows")?;
    }
    let owner = access::role_name(db.caller);
    args::within_limit(text, args::MAX_VALUE, "definition")?;
    if shared {
        let rows = db.query(&SHARED_OWNER, &[name.into_datum()]);
        if let Some(other) = (!rows.is_empty()).then(|| rows.get::<String>(0, 1).unwrap_or_default())
            && other != owner
        {
            return Err(Error::SharedNameTaken { what: "workflow", name: name.to_owned(), owner: other });
        }
    }
    Parts::in_definition(&definition).store(&db, &owner);
    let hash = value_hash(text);
    loop {
        let rows = db
            .query(&WORKFLOW_BY_HASH, &[owner.as_str().into_datum(), name.into_datum(), hash.as_slice().into_datum()]);
        if let Some(version) = rows.get::<i32>(0, 1) {
            if shared {
                db.query(&SHARE_WORKFLOW, &[owner.as_str().into_datum(), name.into_datum(), version.into_datum()]);
            }
            return Ok(version);
        }
        let version = rows.get::<i32>(0, 2).unwrap_or(0) + 1;
        let inserted = db.query(
            &INSERT_WORKFLOW,
            &[
                owner.as_str().into_datum(),
                name.into_datum(),
                version.into_datum(),
                shared.into_datum(),
                definition.into_datum(),
                hash.as_slice().into_datum(),
                settings::now()?.into_datum(),
            ],
        );
        if inserted.len() == 1 {
            return Ok(version);
        }
        // Somebody defined it at the same moment, or shares the name: look again, or say so.
        let taken = db.query(&SHARED_OWNER, &[name.into_datum()]);
        if shared && !taken.is_empty() && taken.get::<String>(0, 1).as_ref() != Some(&owner) {
            let other = taken.get::<String>(0, 1).unwrap_or_default();
            return Err(Error::SharedNameTaken { what: "workflow", name: name.to_owned(), owner: other });
        }
        crate::server::spi::check_for_interrupts();
    }
}

/// What a run of `owner` uses: the owner's own workflow of that name, else a shared one; the newest version where none
/// is asked for.
pub fn find(db: &Db, owner: &str, name: &str, version: Option<i32>) -> Result<(WorkflowRef, Rc<Compiled>)> {
    let mut rows = db.query(&OWN_WORKFLOW, &[owner.into_datum(), name.into_datum(), version.into_datum()]);
    if rows.is_empty() {
        rows = db.query(&SHARED_WORKFLOW, &[name.into_datum(), version.into_datum()]);
    }
    if rows.is_empty() {
        let role = owner.to_owned();
        return Err(Error::NoSuchWorkflow { name: name.to_owned(), version, role });
    }
    let reference = WorkflowRef {
        owner: rows.get(0, 1).unwrap_or_default(),
        name: name.to_owned(),
        version: rows.get(0, 2).unwrap_or_default(),
        hash: rows.hash(0, 3).unwrap_or_default(),
    };
    let compiled = match schema::cached(&reference.hash) {
        Some(compiled) => compiled,
        None => read_definition(&reference, rows.jsonb(0, 4))?,
    };
    Ok((reference, compiled))
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
    let rows = db.query(
        &OWN_WORKFLOW,
        &[reference.owner.as_str().into_datum(), reference.name.as_str().into_datum(), reference.version.into_datum()],
    );
    let definition = if rows.is_empty() { None } else { rows.jsonb(0, 4) };
    read_definition(reference, definition)
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

//! Event types with a schema: payloads of such a type are checked, in the runs of its owner.

use crate::server::args::{self, MAX_VALUE};
use crate::server::error::{Error, Result, Violation};
use crate::server::jsonb::Jsonb;
use crate::server::role;
use crate::store::db::Db;
use crate::store::event_type;
use crate::workflow::admin::require_admin;
use crate::workflow::schema;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use std::collections::HashMap;

// The argument is called `type`, which pgrx would quote into the SQL name: hence the SQL is written out.
#[pg_extern(sql = r#"
CREATE FUNCTION layra.define_event_type(type text, schema jsonb, shared boolean DEFAULT false) RETURNS void
LANGUAGE c AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"#)]
fn define_event_type(
    type_name: Option<&str>,
    schema: Option<Jsonb>,
    shared: Option<bool>,
) -> std::result::Result<(), ErrorReport> {
    Ok(define(type_name, schema, shared.unwrap_or(false))?)
}

fn define(type_name: Option<&str>, schema: Option<Jsonb>, shared: bool) -> Result<()> {
    let type_name = args::event_type(type_name)?;
    let schema = args::required(schema, "schema")?;
    args::within_limit(schema.text(), MAX_VALUE, "schema")?;
    schema::validator(schema.text()).map_err(|message| Error::schema("schema", &message))?;
    let db = Db::write();
    if shared {
        require_admin(&db, "define shared event types")?;
    }
    let owner = role::role_name(db.caller);
    if shared
        && let Some(other) = event_type::shared_owner(&db, type_name)
        && other != owner
    {
        return Err(Error::SharedNameTaken { what: "event type", name: type_name.to_owned(), owner: other });
    }
    event_type::define(&db, type_name, &owner, shared, schema)
}

/// What payloads break of their types' schemas; the path starts with the event's position where there are several.
pub fn violations(db: &Db, owner: &str, events: &[(&str, Jsonb)]) -> Result<Vec<Violation>> {
    let mut types: Vec<&str> = events.iter().map(|(type_name, _)| *type_name).collect();
    types.sort_unstable();
    types.dedup();
    let mut validators = HashMap::new();
    for (type_name, schema) in event_type::schemas(db, owner, types) {
        let validator = schema::cached_validator(schema.text())
            .map_err(|message| Error::Corrupt(format!("the schema of event type {type_name:?} {message}")))?;
        validators.insert(type_name, validator);
    }
    let mut violations = Vec::new();
    for (index, (type_name, payload)) in events.iter().enumerate() {
        if let Some(validator) = validators.get(*type_name) {
            let path = if events.len() > 1 { format!("/{index}/payload") } else { String::new() };
            violations.extend(schema::violations(validator, &path, payload.text()));
        }
    }
    Ok(violations)
}

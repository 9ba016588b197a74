//! Every error that a caller can see, and the SQLSTATE, DETAIL and HINT it carries.

use pgrx::pg_sys;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::{PgLogLevel, PgSqlErrorCode};
use serde_json::{Value, json};

pub type Result<T> = std::result::Result<T, Error>;

/// DETAIL goes to the server's log, so it is kept short: the first entries and their count.
const MAX_DETAIL_ENTRIES: usize = 100;

/// Something that breaks a schema or a rule: where, and which keyword. Never the value.
#[derive(Debug, Clone)]
pub struct Violation {
    pub path: String,
    pub keyword: String,
}

/// What solves a conflict, in the function that met it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Read again, and call again with the newest version.
    Read,
    /// `set_variables` can merge.
    Merge,
    /// Both sides of a merge changed the same place.
    Decide,
    /// `resume_run` can accept what changed since the question.
    Accept,
    /// The snapshot of the transaction is too old.
    NewTransaction,
}

/// What violates a schema or a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    Variable,
    Event,
    Response,
    State,
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Subject::Variable => "a variable",
            Subject::Event => "an event",
            Subject::Response => "the response",
            Subject::State => "the state",
        })
    }
}

/// A message says what is wrong, the HINT what to do about it. Where the message says what must be, it needs no HINT.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{message}")]
    Argument { message: String, hint: Option<&'static str> },
    #[error("workflow definition {name:?} is not valid: {}", counted(problems.len(), "problem"))]
    Definition { name: String, problems: Vec<(String, String)> },
    #[error("run {0:?} does not exist")]
    NoSuchRun(String),
    #[error("run {run:?} has no checkpoint {label:?}")]
    NoSuchCheckpoint { run: String, label: String },
    #[error("workflow {name:?}{} does not exist for role {role:?}", version.map(|v| format!(" version {v}")).unwrap_or_default())]
    NoSuchWorkflow { name: String, version: Option<i32>, role: String },
    #[error("run {0:?} already exists")]
    RunExists(String),
    #[error("checkpoint {label:?} of run {run:?} already exists")]
    LabelExists { run: String, label: String },
    #[error("shared {what} {name:?} belongs to role {owner:?}")]
    SharedNameTaken { what: &'static str, name: String, owner: String },
    #[error("breaker {0:?} does not exist")]
    NoSuchBreaker(String),
    #[error("node {node:?} of run {run:?} is held by {}", holder.as_deref().unwrap_or("another worker"))]
    LeaseHeld { run: String, node: String, holder: Option<String>, until: Option<String> },
    #[error("permission denied for run {0:?}")]
    NotYours(String),
    #[error("{0} is not valid in this database's encoding, UTF8")]
    Encoding(&'static str),
    #[error("{message}")]
    Privilege { message: String, hint: &'static str },
    #[error("version conflict on {}run {run:?}{}", of_variable(.variable), conflict_suffix(*.expected, *.actual))]
    Conflict {
        run: String,
        variable: Option<String>,
        expected: Option<i64>,
        actual: Option<i64>,
        conflicts: Vec<String>,
        remedy: Remedy,
    },
    #[error("{subject} of run {run:?} violates {}", counted(violations.len(), "rule"))]
    Invalid { run: String, subject: Subject, violations: Vec<Violation> },
    #[error("{message}")]
    State { message: String, hint: String },
    #[error("{message}")]
    Limit { message: String, hint: &'static str },
    #[error("{0}")]
    Corrupt(String),
    #[error("{0}")]
    Export(String),
    #[error("out of memory")]
    Memory,
}

fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn of_variable(variable: &Option<String>) -> String {
    variable.as_ref().map(|name| format!("variable {name:?} of ")).unwrap_or_default()
}

fn conflict_suffix(expected: Option<i64>, actual: Option<i64>) -> String {
    match (expected, actual) {
        (Some(expected), Some(actual)) => format!(": expected {expected}, is {actual}"),
        _ => String::new(),
    }
}

impl Error {
    pub fn argument(message: impl Into<String>) -> Error {
        Error::Argument { message: message.into(), hint: None }
    }

    pub fn argument_with(message: impl Into<String>, hint: &'static str) -> Error {
        Error::Argument { message: message.into(), hint: Some(hint) }
    }

    pub fn state(message: impl Into<String>, hint: impl Into<String>) -> Error {
        Error::State { message: message.into(), hint: hint.into() }
    }

    /// Of a schema: what `cached_validator` and `validator` say of it.
    pub fn schema(what: &str, message: &str) -> Error {
        let hint = "A schema is an object or a boolean: JSON Schema draft 2020-12 or what $schema names, without remote references.";
        Error::argument_with(format!("{what} {message}"), hint)
    }

    /// A log without its events, or its cells, must not be.
    pub fn left_out(table: &str) -> Error {
        let message = format!("a trigger or a rule on layra.{table} leaves rows out");
        Error::state(message, "Drop it: what the functions write there is written whole, or not at all.")
    }

    /// 42501 for what only administrators of the extension do.
    pub fn not_admin(what: &str) -> Error {
        let message = format!("only roles with level admin {what}");
        Error::Privilege { message, hint: "A superuser grants it: SELECT layra.grant_access('role', 'admin');" }
    }

    /// For what no caller can do anything about but stop.
    pub fn raise(self) -> ! {
        ErrorReport::from(self).report(PgLogLevel::ERROR);
        unreachable!("an error has been raised")
    }

    fn sqlstate(&self) -> PgSqlErrorCode {
        use PgSqlErrorCode::*;
        match self {
            Error::Argument { .. } | Error::Definition { .. } => ERRCODE_INVALID_PARAMETER_VALUE,
            Error::NoSuchRun(_)
            | Error::NoSuchCheckpoint { .. }
            | Error::NoSuchWorkflow { .. }
            | Error::NoSuchBreaker(_) => ERRCODE_NO_DATA_FOUND,
            Error::Encoding(_) => ERRCODE_CHARACTER_NOT_IN_REPERTOIRE,
            Error::LeaseHeld { .. } => ERRCODE_LOCK_NOT_AVAILABLE,
            Error::RunExists(_) | Error::LabelExists { .. } | Error::SharedNameTaken { .. } => ERRCODE_UNIQUE_VIOLATION,
            Error::NotYours(_) | Error::Privilege { .. } => ERRCODE_INSUFFICIENT_PRIVILEGE,
            Error::Conflict { .. } => ERRCODE_T_R_SERIALIZATION_FAILURE,
            Error::Invalid { .. } => ERRCODE_CHECK_VIOLATION,
            Error::State { .. } => ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            Error::Limit { .. } => ERRCODE_PROGRAM_LIMIT_EXCEEDED,
            Error::Corrupt(_) | Error::Export(_) => ERRCODE_DATA_CORRUPTED,
            Error::Memory => ERRCODE_OUT_OF_MEMORY,
        }
    }

    fn detail(&self) -> Option<Value> {
        match self {
            Error::Definition { problems, .. } => {
                let shown: Vec<Value> = problems
                    .iter()
                    .take(MAX_DETAIL_ENTRIES)
                    .map(|(path, message)| json!({"path": path, "message": message}))
                    .collect();
                Some(json!({"problems": shown, "problem_count": problems.len()}))
            }
            Error::Conflict { run, expected, actual, conflicts, .. } => Some(json!({
                "run_id": run,
                "expected": expected,
                "actual": actual,
                "conflicts": conflicts.iter().take(MAX_DETAIL_ENTRIES).collect::<Vec<_>>(),
                "conflict_count": conflicts.len(),
            })),
            Error::Invalid { run, violations, .. } => {
                let shown: Vec<Value> = violations
                    .iter()
                    .take(MAX_DETAIL_ENTRIES)
                    .map(|v| json!({"path": v.path, "keyword": v.keyword}))
                    .collect();
                Some(json!({"run_id": run, "violations": shown, "violation_count": violations.len()}))
            }
            Error::LeaseHeld { run, node, holder, until } => {
                Some(json!({"run_id": run, "node_id": node, "holder": holder, "until": until}))
            }
            _ => None,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::Argument { hint, .. } => return hint.map(str::to_owned),
            Error::State { hint, .. } => return Some(hint.clone()),
            Error::Definition { .. } => "DETAIL lists every problem with its JSON Pointer.",
            Error::NoSuchRun(_) => "Start it with layra.start_run, or with layra.save_state.",
            Error::NoSuchCheckpoint { .. } => {
                "SELECT label FROM layra.checkpoint WHERE run_id = '...' lists the labels."
            }
            Error::NoSuchWorkflow { .. } => {
                "Define it with layra.define_workflow; a run uses its owner's workflows, else shared ones."
            }
            Error::RunExists(_) => "Choose another run id, or pass the idempotency_key of the first call to repeat it.",
            Error::LabelExists { .. } => "Use another label, or replace => true to move this one.",
            Error::SharedNameTaken { .. } => "Shared names are unique: choose another name, or leave out shared.",
            Error::NoSuchBreaker(_) => "Define it with layra.define_breaker; roles see their own breakers.",
            Error::LeaseHeld { until: Some(_), .. } => "Take another node, or wait until the lease is over.",
            Error::LeaseHeld { .. } => {
                "It is held without a lease, until its worker, layra.reset_nodes or layra.recover_run gives it up."
            }
            Error::NotYours(_) => {
                "Roles with the privileges of the run's owner change and read it; those with level auditor read it."
            }
            Error::Privilege { hint, .. } => hint,
            Error::Encoding(_) => {
                "It comes from a database with another encoding: rename the role, or set the setting, in this one."
            }
            Error::Conflict { remedy, variable, .. } => match remedy {
                Remedy::Read if variable.is_some() => "Read the variable again, and retry with its version.",
                Remedy::Read => "Read the run again, and retry with its newest version.",
                Remedy::Merge => "Read the run again and retry, or merge the updates: on_conflict => 'merge'.",
                Remedy::Decide => "Both sides changed the places in DETAIL: read the run again, and decide for each.",
                Remedy::Accept => {
                    "DETAIL lists what changed since the question. on_change => 'accept' answers it all the same."
                }
                Remedy::NewTransaction => "Run the whole transaction again.",
            },
            Error::Invalid { subject, .. } => match subject {
                Subject::Variable => {
                    "DETAIL lists every violation, with its path and the keyword of the workflow's schema."
                }
                Subject::Event => {
                    "DETAIL lists every violation, with its path and the keyword of the event type's schema."
                }
                Subject::Response => "DETAIL lists every violation, with its path and the keyword of response_schema.",
                Subject::State => "layra.validate_run lists the problems: repair the state, or roll it back, first.",
            },
            Error::Limit { hint, .. } => hint,
            Error::Corrupt(_) => "Run layra.verify to see what was changed behind the extension's back.",
            Error::Export(_) => "Import all lines of one run, as layra.export_run returned them.",
            Error::Memory => "The operating system, or a limit that it was given, has no more memory for this session.",
        };
        Some(hint.to_string())
    }
}

impl From<Error> for ErrorReport {
    fn from(error: Error) -> ErrorReport {
        let mut report = ErrorReport::new(error.sqlstate(), for_client(error.to_string()), "layra_state");
        if let Some(detail) = error.detail() {
            report = report.set_detail(for_client(detail.to_string()));
        }
        if let Some(hint) = error.hint() {
            report = report.set_hint(for_client(hint));
        }
        report
    }
}

/// A message as the client can read it. The names in it may have characters that the client's encoding has not, and PostgreSQL
/// then raises 22P05 in place of the error, or of a mere warning: they are escaped as in JSON, which DETAIL is.
pub fn for_client(text: String) -> String {
    // Without an allocation, which there may be no memory for.
    if text.is_ascii() {
        return text;
    }
    // SAFETY: reads of backend-local variables, and a look-up in the catalogue.
    let (server, client, conversion) = unsafe {
        let (server, client) = (pg_sys::GetDatabaseEncoding(), pg_sys::pg_get_client_encoding());
        (server, client, pg_sys::FindDefaultConversionProc(server, client))
    };
    // The same encoding, or one that nothing is converted to.
    if conversion == pg_sys::InvalidOid {
        return text;
    }
    let has = |part: &str| {
        let mut converted = vec![0u8; LONGEST_CONVERSION * part.len() + 1];
        // SAFETY: reads as many bytes as there are, and writes no more than it is given; it stops at what it cannot convert.
        let bytes = unsafe {
            pg_sys::pg_do_encoding_conversion_buf(
                conversion,
                server,
                client,
                part.as_ptr().cast_mut(),
                part.len() as i32,
                converted.as_mut_ptr(),
                converted.len() as i32,
                true,
            )
        };
        bytes as usize == part.len()
    };
    if has(&text) {
        return text;
    }
    let mut readable = String::with_capacity(text.len());
    for character in text.chars() {
        let mut part = [0; 4];
        if character.is_ascii() || has(character.encode_utf8(&mut part)) {
            readable.push(character);
        } else {
            let mut units = [0; 2];
            character.encode_utf16(&mut units).iter().for_each(|unit| readable.push_str(&format!("\\u{unit:04x}")));
        }
    }
    readable
}

/// As PostgreSQL has it (MAX_CONVERSION_GROWTH).
const LONGEST_CONVERSION: usize = 4;

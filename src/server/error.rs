//! Every error that a caller can see, and the SQLSTATE, DETAIL and HINT it carries.

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

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{message}")]
    Argument { message: String, hint: Option<String> },
    #[error("workflow definition {name:?} is not valid: {} problem(s)", problems.len())]
    Definition { name: String, problems: Vec<(String, String)> },
    #[error("run {0:?} does not exist")]
    NoSuchRun(String),
    #[error("run {run:?} has no checkpoint {label:?}")]
    NoSuchCheckpoint { run: String, label: String },
    #[error("workflow {name:?}{} does not exist for role {role:?}", version.map(|v| format!(" version {v}")).unwrap_or_default())]
    NoSuchWorkflow { name: String, version: Option<i32>, role: String },
    #[error("run {0:?} exists already")]
    RunExists(String),
    #[error("run {run:?} has a checkpoint {label:?} already")]
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
    },
    #[error("{what} of run {run:?} breaks {} rule(s)", violations.len())]
    Invalid { run: String, what: &'static str, violations: Vec<Violation> },
    #[error("{message}")]
    State { message: String, hint: Option<String> },
    #[error("{0}")]
    Limit(String),
    #[error("{0}")]
    Corrupt(String),
    #[error("out of memory")]
    Memory,
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

    pub fn state(message: impl Into<String>) -> Error {
        Error::State { message: message.into(), hint: None }
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
            Error::Limit(_) => ERRCODE_PROGRAM_LIMIT_EXCEEDED,
            Error::Corrupt(_) => ERRCODE_DATA_CORRUPTED,
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
            Error::Argument { hint, .. } | Error::State { hint, .. } => return hint.clone(),
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
            Error::LeaseHeld { .. } => "Take another node, or wait until the lease is over.",
            Error::NotYours(_) => "Only roles with the privileges of the run's owner change it; auditors may read it.",
            Error::Privilege { hint, .. } => hint,
            Error::Encoding(_) => {
                "It was given in a database with another encoding: rename the role, or set the setting, in this one."
            }
            Error::Conflict { .. } => {
                "Read the run again and retry. layra.set_variables can also merge: on_conflict => 'merge'."
            }
            Error::Invalid { .. } => "DETAIL lists every violation with its path and keyword.",
            Error::Limit(_) => "Store large values elsewhere and keep a reference to them in the run.",
            Error::Corrupt(_) => "Run layra.verify to see what was changed behind the extension's back.",
            Error::Memory => "The operating system, or a limit that it was given, has no more memory for this session.",
        };
        Some(hint.to_string())
    }
}

impl From<Error> for ErrorReport {
    fn from(error: Error) -> ErrorReport {
        let mut report = ErrorReport::new(error.sqlstate(), error.to_string(), "layra_state");
        if let Some(detail) = error.detail() {
            report = report.set_detail(detail.to_string());
        }
        if let Some(hint) = error.hint() {
            report = report.set_hint(hint);
        }
        report
    }
}

//! Variables: setting them with optimistic locking and three-way merge, unsetting and reading them.

use crate::pure::binary::Value;
use crate::pure::merge::{self, pointer_token};
use crate::server::args::{self, MAX_VALUE};
use crate::server::error::{Error, Remedy, Result, Subject, Violation};
use crate::server::interrupts::check_for_interrupts;
use crate::server::jsonb::Jsonb;
use crate::server::memory;
use crate::server::name::Texts;
use crate::server::row::Row;
use crate::state::change::{Change, NewEvent, Opened, Request, with_change};
use crate::state::reader::Reader;
use crate::store::cell::{CellId, Place};
use crate::store::compare;
use crate::store::live::{self, live_cells};
use crate::store::write::Write;
use crate::workflow::definitions;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use serde::Serialize;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

// ---------------------------------------------------------------------------------------------------- shared by all

/// The rows that give variables these values (None: unset), after limits (54000) and schemas (23514). Variables that a
/// caller has loaded already are not read again.
pub fn plan(change: &mut Change<'_>, values: Vec<(String, Option<Jsonb>)>) -> Result<Vec<Write>> {
    let missing: Vec<CellId> = values
        .iter()
        .map(|(name, _)| CellId::variable(name))
        .filter(|id| change.head.version > 0 && !change.cells.knows(id))
        .collect();
    change.cells.load(&change.db, change.run_id, missing);
    plan_loaded(change, values)
}

/// As `plan`, where every variable has been loaded.
pub fn plan_loaded(change: &mut Change<'_>, values: Vec<(String, Option<Jsonb>)>) -> Result<Vec<Write>> {
    let compiled = change.compiled()?;
    let limit = compiled
        .as_ref()
        .and_then(|compiled| compiled.definition.policy.value_bytes)
        .map_or(MAX_VALUE, |bytes| (bytes as usize).min(MAX_VALUE));
    memory::require(values.len() * size_of::<Write>());
    let mut writes = Vec::with_capacity(values.len());
    let mut violations: Vec<Violation> = Vec::new();
    for (name, value) in values {
        let Some(write) = change.cells.write(CellId::variable(&name), value, limit)? else { continue };
        if let (Some(compiled), Some(value)) = (&compiled, value)
            && compiled.has_schema(&name)
        {
            violations.extend(compiled.check_variable(&name, value.text()));
        }
        writes.push(write);
    }
    if !violations.is_empty() {
        return Err(Error::Invalid { run: change.run_id.to_owned(), subject: Subject::Variable, violations });
    }
    Ok(writes)
}

// -------------------------------------------------------------------------------------------------------------- set

#[derive(Clone, Copy, PartialEq, Eq)]
enum OnConflict {
    Fail,
    Overwrite,
    Merge,
}

/// A difference that stands in the way of a write, as `try_set_variables` returns it, with the values of each side.
#[derive(Serialize)]
struct Difference {
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actual: Option<i64>,
    #[serde(skip)]
    base: Option<Jsonb>,
    #[serde(skip)]
    ours: Option<Jsonb>,
    #[serde(skip)]
    theirs: Option<Jsonb>,
}

/// Where a side has no value it has no member.
struct Found {
    difference: Jsonb,
    sides: [(&'static str, Option<Jsonb>); 3],
}

impl Found {
    fn part(&self) -> Value<'_> {
        self.difference.part_with(self.sides.each_ref().map(|(name, side)| (*name, side.as_ref())))
    }
}

enum Outcome {
    Committed(i64),
    Conflict {
        run_id: String,
        expected: Option<i64>,
        head: i64,
        paths: Vec<String>,
        differences: Vec<Found>,
        remedy: Remedy,
    },
}

/// The arguments of `set_variables`, checked.
struct SetRequest<'a> {
    request: Request<'a>,
    updates: Vec<(String, Jsonb)>,
    expected_variables: Vec<(String, i64)>,
    on_conflict: OnConflict,
    expected: Option<i64>,
}

impl<'a> SetRequest<'a> {
    fn new(
        run_id: Option<&'a str>,
        updates: Option<Jsonb>,
        expected_variables: Option<Jsonb>,
        on_conflict: Option<&str>,
        expected: Option<i64>,
        key: Option<&'a str>,
    ) -> Result<SetRequest<'a>> {
        let request = Request::new(run_id, key)?;
        let updates = args::members(updates, "updates")?;
        let expected_variables = match expected_variables {
            None => Vec::new(),
            Some(object) => args::members(Some(object), "expected_variables")?
                .into_iter()
                .map(|(name, version)| match version.text().parse::<i64>() {
                    Ok(version) if version >= 0 => Ok((name, version)),
                    _ => {
                        Err(Error::argument("expected_variables must have versions, integers of at least 0, as values"))
                    }
                })
                .collect::<Result<_>>()?,
        };
        let on_conflict = match on_conflict.unwrap_or("fail") {
            "fail" => OnConflict::Fail,
            "overwrite" => OnConflict::Overwrite,
            "merge" => OnConflict::Merge,
            _ => return Err(Error::argument("on_conflict must be one of fail, overwrite, merge")),
        };
        let expected = args::expected(expected)?;
        if on_conflict != OnConflict::Fail && expected.is_none() {
            return Err(Error::argument("expected_version must be given with on_conflict => 'merge' or 'overwrite'"));
        }
        Ok(SetRequest { request, updates, expected_variables, on_conflict, expected })
    }

    fn run(self) -> Result<Outcome> {
        let mut change = match self.request.open("variables.set")? {
            Opened::Repeated(version) => return Ok(Outcome::Committed(version)),
            Opened::Change(change) => change,
        };
        let head = change.head.version;
        let moved = self.expected.is_some_and(|expected| expected != head);
        // No mode writes against a version that is not there yet, or where the caller expects no run at all.
        let ahead = self.expected.is_some_and(|expected| expected > head || expected == 0);
        let merging = self.on_conflict == OnConflict::Merge && moved && !ahead;

        let given: HashMap<&str, &Jsonb> = self.updates.iter().map(|(name, value)| (name.as_str(), value)).collect();
        let expected_only = self.expected_variables.iter().filter(|(name, _)| !given.contains_key(name.as_str()));
        let mut ids: Vec<CellId> = self.updates.iter().map(|(name, _)| CellId::variable(name)).collect();
        ids.extend(expected_only.map(|(name, _)| CellId::variable(name)));
        let mut values: Vec<(String, Option<Jsonb>)> =
            self.updates.iter().map(|(name, value)| (name.clone(), Some(*value))).collect();
        let mut differences = Differences::default();
        if merging {
            values = merge_with_head(&mut change, &ids, &self.updates, self.expected.unwrap_or(0), &mut differences);
        } else {
            change.cells.load(&change.db, change.run_id, ids);
        }
        let mut remedy = if differences.any { Remedy::Decide } else { Remedy::Read };
        let mut stale: Vec<(&str, Option<i64>, i64)> = Vec::new();
        for (name, expected) in &self.expected_variables {
            let actual = change.cells.get(&CellId::variable(name)).set_version();
            if actual != *expected {
                stale.push((name, Some(*expected), actual));
            }
        }
        if ahead || (moved && self.on_conflict == OnConflict::Fail) {
            if !ahead && stale.is_empty() {
                remedy = Remedy::Merge;
            }
            for (name, _) in &self.updates {
                let actual = change.cells.get(&CellId::variable(name)).version;
                if self.expected.is_some_and(|expected| actual > expected) {
                    stale.push((name, None, actual));
                }
            }
            differences.any = true;
        }
        if !stale.is_empty() {
            let ids = stale.iter().map(|(name, ..)| CellId::variable(name)).collect();
            let values = change.cells.load_values(&change.db, change.run_id, ids);
            for (name, expected, actual) in stale {
                let ours = given.get(name);
                let theirs = values.get(&CellId::variable(name));
                differences.add(Difference {
                    expected,
                    actual: Some(actual),
                    ours: ours.copied().copied(),
                    theirs: theirs.copied(),
                    ..named(pointer_token(name))
                });
            }
        }
        if differences.any {
            return Ok(Outcome::Conflict {
                run_id: change.run_id.to_owned(),
                expected: self.expected,
                head,
                paths: differences.paths,
                differences: differences.found,
                remedy,
            });
        }
        change.require_unfinished()?;
        let writes = plan_loaded(&mut change, values)?;
        let payload = match self.on_conflict {
            OnConflict::Fail => Jsonb::parse("{}"),
            OnConflict::Overwrite => {
                Jsonb::parse(&format!("{{\"on_conflict\":\"overwrite\",\"base\":{}}}", self.expected.unwrap_or(0)))
            }
            OnConflict::Merge => {
                Jsonb::parse(&format!("{{\"on_conflict\":\"merge\",\"base\":{}}}", self.expected.unwrap_or(0)))
            }
        };
        let version = change.append(NewEvent::new("variables.set", payload, writes))?;
        Ok(Outcome::Committed(change.close(version)?))
    }
}

fn named(path: String) -> Difference {
    Difference { path, expected: None, actual: None, base: None, ours: None, theirs: None }
}

#[derive(Default)]
struct Differences {
    any: bool,
    seen: HashSet<String>,
    bytes: usize,
    paths: Vec<String>,
    found: Vec<Found>,
}

impl Differences {
    fn add(&mut self, difference: Difference) {
        self.any = true;
        let sides = [("base", difference.base), ("ours", difference.ours), ("theirs", difference.theirs)];
        // Where all of them are put together.
        self.bytes +=
            difference.path.len() + sides.iter().filter_map(|(_, side)| Some(side.as_ref()?.size())).sum::<usize>();
        memory::require(4 * self.bytes);
        if self.seen.insert(difference.path.clone()) {
            self.found.push(Found { difference: Jsonb::of(&difference), sides });
            self.paths.push(difference.path);
        }
    }
}

/// Merges the updates, made against the state at `base`, with the newest state; conflicts go to `differences`.
fn merge_with_head(
    change: &mut Change<'_>,
    ids: &[CellId],
    updates: &[(String, Jsonb)],
    base: i64,
    differences: &mut Differences,
) -> Vec<(String, Option<Jsonb>)> {
    let mut sides: HashMap<String, (Option<Jsonb>, Option<Jsonb>)> = HashMap::new();
    for found in compare::sides(&change.db, change.run_id, ids, base, change.head.version) {
        sides.insert(found.id.key.clone(), (found.old, found.new));
        change.cells.know(found.id, found.newest);
    }
    let mut merged = Vec::with_capacity(updates.len());
    for (name, ours) in updates {
        let (base, theirs) = sides.get(name).copied().unwrap_or_default();
        let (base, ours, theirs) = (base.as_ref().map(Jsonb::text), ours.text(), theirs.as_ref().map(Jsonb::text));
        match merge::merge(&pointer_token(name), base, Some(ours), theirs, check_for_interrupts) {
            Ok(text) => merged.push((name.clone(), text.map(|text| Jsonb::parse(&text)))),
            Err(conflicts) => {
                for conflict in conflicts {
                    differences.add(Difference {
                        base: conflict.base.map(Jsonb::parse),
                        ours: conflict.ours.map(Jsonb::parse),
                        theirs: conflict.theirs.map(Jsonb::parse),
                        ..named(conflict.path)
                    });
                }
            }
        }
    }
    merged
}

#[pg_extern]
fn set_variables(
    run_id: Option<&str>,
    updates: Option<Jsonb>,
    expected_variables: default!(Option<Jsonb>, "NULL"),
    on_conflict: default!(Option<&str>, "'fail'"),
    expected_version: default!(Option<i64>, "NULL"),
    idempotency_key: default!(Option<&str>, "NULL"),
) -> std::result::Result<i64, ErrorReport> {
    let request = SetRequest::new(run_id, updates, expected_variables, on_conflict, expected_version, idempotency_key)?;
    match request.run()? {
        Outcome::Committed(version) => Ok(version),
        Outcome::Conflict { run_id, expected, head, paths, remedy, .. } => {
            let actual = expected.map(|_| head);
            Err(Error::Conflict { run: run_id, variable: None, expected, actual, conflicts: paths, remedy }.into())
        }
    }
}

#[pg_extern(sql = r#"
CREATE FUNCTION layra.try_set_variables(run_id text, updates jsonb, expected_variables jsonb DEFAULT NULL,
    on_conflict text DEFAULT 'fail', expected_version bigint DEFAULT NULL, idempotency_key text DEFAULT NULL,
    OUT committed boolean, OUT version bigint, OUT conflicts jsonb) RETURNS record
LANGUAGE c AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"#)]
fn try_set_variables_row(
    run_id: Option<&str>,
    updates: Option<Jsonb>,
    expected_variables: Option<Jsonb>,
    on_conflict: Option<&str>,
    expected_version: Option<i64>,
    idempotency_key: Option<&str>,
) -> std::result::Result<Row<Tried>, ErrorReport> {
    Ok(Row(try_set(run_id, updates, expected_variables, on_conflict, expected_version, idempotency_key)?))
}

/// As version 0.2.0 declares it, whose symbol has to stay: a set of one row.
#[pg_extern(sql = false)]
#[allow(clippy::type_complexity)]
fn try_set_variables(
    run_id: Option<&str>,
    updates: Option<Jsonb>,
    expected_variables: Option<Jsonb>,
    on_conflict: Option<&str>,
    expected_version: Option<i64>,
    idempotency_key: Option<&str>,
) -> std::result::Result<
    TableIterator<'static, (name!(committed, bool), name!(version, i64), name!(conflicts, Option<Jsonb>))>,
    ErrorReport,
> {
    let tried = try_set(run_id, updates, expected_variables, on_conflict, expected_version, idempotency_key)?;
    Ok(TableIterator::once(tried))
}

type Tried = (bool, i64, Option<Jsonb>);

fn try_set(
    run_id: Option<&str>,
    updates: Option<Jsonb>,
    expected_variables: Option<Jsonb>,
    on_conflict: Option<&str>,
    expected: Option<i64>,
    key: Option<&str>,
) -> Result<Tried> {
    let request = SetRequest::new(run_id, updates, expected_variables, on_conflict, expected, key)?;
    Ok(match request.run()? {
        Outcome::Committed(version) => (true, version, None),
        Outcome::Conflict { head, differences, .. } => {
            let parts = differences.iter().inspect(|_| check_for_interrupts()).map(Found::part).collect();
            (false, head, Some(Jsonb::array(parts)))
        }
    })
}

#[pg_extern]
fn set_variable(
    run_id: Option<&str>,
    name: Option<&str>,
    value: Option<Jsonb>,
    expected_version: default!(Option<i64>, "NULL"),
    idempotency_key: default!(Option<&str>, "NULL"),
) -> std::result::Result<i64, ErrorReport> {
    Ok(set_one(run_id, name, value, expected_version, idempotency_key)?)
}

fn set_one(
    run_id: Option<&str>,
    name: Option<&str>,
    value: Option<Jsonb>,
    expected: Option<i64>,
    key: Option<&str>,
) -> Result<i64> {
    let request = Request::new(run_id, key)?;
    let name = args::name(name, "name")?;
    let value = args::required(value, "value")?;
    let expected = args::expected(expected)?;
    with_change(request, "variables.set", |change| {
        change.cells.load(&change.db, change.run_id, vec![CellId::variable(name)]);
        let actual = change.cells.get(&CellId::variable(name)).set_version();
        if expected.is_some_and(|expected| expected != actual) {
            let conflicts = vec![pointer_token(name)];
            let (run, variable) = (change.run_id.to_owned(), Some(name.to_owned()));
            let (actual, remedy) = (Some(actual), Remedy::Read);
            return Err(Error::Conflict { run, variable, expected, actual, conflicts, remedy });
        }
        change.require_unfinished()?;
        let writes = plan_loaded(change, vec![(name.to_owned(), Some(value))])?;
        change.append(NewEvent::new("variables.set", Jsonb::parse("{}"), writes))
    })
}

#[pg_extern]
fn unset_variables(
    run_id: Option<&str>,
    names: Option<Texts>,
    expected_version: default!(Option<i64>, "NULL"),
    idempotency_key: default!(Option<&str>, "NULL"),
) -> std::result::Result<i64, ErrorReport> {
    Ok(unset(run_id, names, expected_version, idempotency_key)?)
}

fn unset(run_id: Option<&str>, names: Option<Texts>, expected: Option<i64>, key: Option<&str>) -> Result<i64> {
    let request = Request::new(run_id, key)?;
    let names = args::names(names, "names")?;
    let expected = args::expected(expected)?;
    with_change(request, "variables.unset", |change| {
        change.expect_version(expected)?;
        change.require_unfinished()?;
        let writes = plan(change, names.into_iter().map(|name| (name, None)).collect())?;
        change.append(NewEvent::new("variables.unset", Jsonb::parse("{}"), writes))
    })
}

// ------------------------------------------------------------------------------------------------------------- read

#[pg_extern(stable)]
fn get_variable(
    run_id: Option<&str>,
    name: Option<&str>,
    at_version: default!(Option<i64>, "NULL"),
) -> std::result::Result<Option<Jsonb>, ErrorReport> {
    Ok(read_one(run_id, name, at_version)?)
}

fn read_one(run_id: Option<&str>, name: Option<&str>, at_version: Option<i64>) -> Result<Option<Jsonb>> {
    let run_id = args::run_id(run_id)?;
    let name = args::name(name, "name")?;
    let at_version = at_version.map(|version| args::version(Some(version), "at_version")).transpose()?;
    let reader = Reader::open(run_id)?;
    reader.require_version(at_version, "at_version")?;
    Place::variable(run_id, name).value_at(&reader.db, at_version.unwrap_or(i64::MAX))
}

/// The function of version 0.1.0, whose symbol has to stay: it had no groups.
#[pg_extern(sql = false)]
fn get_variables(
    run_id: Option<&str>,
    names: Option<Texts>,
    at_version: Option<i64>,
) -> std::result::Result<Jsonb, ErrorReport> {
    get_variables_in_group(run_id, names, at_version, None)
}

#[pg_extern(name = "get_variables", stable)]
fn get_variables_in_group(
    run_id: Option<&str>,
    names: default!(Option<Texts>, "NULL"),
    at_version: default!(Option<i64>, "NULL"),
    in_group: default!(Option<&str>, "NULL"),
) -> std::result::Result<Jsonb, ErrorReport> {
    let in_group = args::optional_name(in_group, "in_group")?;
    let run_id = args::run_id(run_id)?;
    let variables = read_variables(run_id, names, at_version, in_group)?;
    let members = variables.iter().map(|(name, value)| (Cow::Borrowed(name.as_bytes()), value.part()));
    Ok(Jsonb::object(members.collect()))
}

fn read_variables(
    run_id: &str,
    names: Option<Texts>,
    at_version: Option<i64>,
    in_group: Option<&str>,
) -> Result<Vec<(String, Jsonb)>> {
    let names = names.map(|names| args::names(Some(names), "names")).transpose()?;
    let at_version = at_version.map(|version| args::version(Some(version), "at_version")).transpose()?;
    let reader = Reader::open(run_id)?;
    let version = reader.version(at_version, "at_version")?;
    let mut variables: Vec<(String, Jsonb)> = match names {
        Some(names) => live::variables(&reader.db, run_id, names, version),
        None => live_cells(&reader.db, run_id, Some("variable"), at_version)
            .into_iter()
            .filter_map(|cell| Some((cell.key, cell.value?)))
            .collect(),
    };
    if let Some(group) = in_group {
        let compiled = definitions::of(&reader.db, &reader.run)?;
        variables.retain(|(name, _)| {
            let variable = compiled.as_ref().and_then(|compiled| compiled.definition.variables.get(name));
            variable.is_some_and(|variable| variable.group.as_deref() == Some(group))
        });
    }
    Ok(variables)
}

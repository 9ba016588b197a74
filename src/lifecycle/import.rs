//! Imports: the lines of an export become the same run again, or nothing does.

use crate::lifecycle::line::{Counts, FORMAT, Given};
use crate::lifecycle::origin::Origin;
use crate::pure::binary::NUMERIC;
use crate::pure::hash::{Cells, Hash, Lines, Link, hex, value_hash};
use crate::server::args;
use crate::server::error::{Error, Remedy, Result, for_client};
use crate::server::interrupts::check_for_interrupts;
use crate::server::jsonb::{Jsonb, Values};
use crate::server::name::{Relation, uuid};
use crate::server::role;
use crate::server::settings::{self, unix_micros};
use crate::server::spi::scratch;
use crate::server::stream::BYTES;
use crate::state::verify::first_problem;
use crate::store::cell::{CellId, static_scope};
use crate::store::checkpoint::{self, NewCheckpoint};
use crate::store::db::Db;
use crate::store::event::{self, Author, Head, NewRow};
use crate::store::graph::Parts;
use crate::store::interaction::{self, Outcome, Question};
use crate::store::lease::{self, Lease};
use crate::store::lines::{Line, Source};
use crate::store::run::{self, Rest, Run, Status};
use crate::store::seal::{self, IMPORTED, Newest, Seal};
use crate::store::workflow::{self, WorkflowRef};
use crate::store::write::{self, Content, Write};
use crate::store::{key, node};
use crate::workflow::admin::require_admin;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

#[pg_extern]
fn import_run(lines: Option<Values>) -> std::result::Result<i64, ErrorReport> {
    let db = admin()?;
    Ok(import(&db, Source::Given(in_order(lines)?))?)
}

#[pg_extern]
fn import_lines(source: Option<Relation>) -> std::result::Result<i64, ErrorReport> {
    let source = args::required(source, "source")?;
    let db = admin()?;
    Ok(import(&db, Source::table(&db, &source)?)?)
}

fn admin() -> Result<Db> {
    let db = Db::write();
    require_admin(&db, "import runs")?;
    Ok(db)
}

/// By their numbers.
fn in_order(lines: Option<Values>) -> Result<Vec<Jsonb>> {
    let lines = args::required(lines, "lines")?.0.into_iter();
    let mut numbered = Vec::with_capacity(lines.len());
    for line in lines {
        check_for_interrupts();
        let line = line.ok_or_else(|| Error::Export("a line is null".into()))?;
        numbered.push((Given::line(&line)?.required_number("line")?, line));
    }
    numbered.sort_by_key(|(number, _)| *number);
    Ok(numbered.into_iter().map(|(_, line)| line).collect())
}

fn import(db: &Db, mut source: Source) -> Result<i64> {
    let mut import = Import::default();
    let mut some = || {
        let mut lines = source.some(db).into_iter().peekable();
        let any = lines.peek().is_some();
        while lines.peek().is_some() {
            scratch(db, || import.batch(db, &mut lines))?;
        }
        Ok(any)
    };
    while scratch(db, &mut some)? {}
    source.close(db);
    import.finish(db)
}

/// What is known of a run from the lines so far.
#[derive(Default)]
struct Import {
    counts: Counts,
    hash: Lines,
    run: Option<Imported>,
    trailer: bool,
}

/// The run, which has a row from its header on.
struct Imported {
    run_id: String,
    run: Run,
    /// That the header names, where the first event names another one.
    parent: Option<(String, i64)>,
    /// Whether its keys are those of a parent that is here.
    linked: bool,
    seals: Vec<Seal>,
    head: Head,
    event: Option<Event>,
    /// What is not inserted yet.
    events: Vec<Event>,
    cells: Vec<(i64, Write)>,
    bytes: i64,
}

/// An event, whose cells may still come.
struct Event {
    type_name: String,
    payload: Vec<u8>,
    payload_hash: Hash,
    /// Bytes of JSON text, for the policy that counts them: of the payload, and of the cells' values.
    octets: [i64; 2],
    expected: i64,
    changed: Vec<String>,
    last: Option<CellId>,
    cells: Cells,
    actor: String,
    on_behalf_of: Option<String>,
    key: Option<String>,
    kind: Option<String>,
    label: Option<String>,
    /// What the run's head is with it.
    head: Head,
}

impl Event {
    fn row(&self) -> NewRow<'_> {
        NewRow {
            head: self.head.clone(),
            type_name: &self.type_name,
            payload: Jsonb::from_octets(&self.payload),
            payload_hash: self.payload_hash,
            changed: self.changed.clone(),
            cells_hash: self.cells.hash(),
            key: self.key.as_deref(),
            checkpoint_kind: self.kind.as_deref(),
            checkpoint_label: self.label.as_deref(),
        }
    }

    fn author<'a>(&'a self, run_id: &'a str) -> Author<'a> {
        Author { run_id, actor: &self.actor, on_behalf_of: self.on_behalf_of.as_deref() }
    }
}

fn corrupt<T>(problem: &str) -> Result<T> {
    Err(Error::Export(problem.to_owned()))
}

impl Import {
    /// Some lines, and what is known from them.
    fn batch(&mut self, db: &Db, lines: &mut impl Iterator<Item = Line>) -> Result<()> {
        let mut bytes = 0;
        while bytes < BYTES
            && let Some(line) = lines.next()
        {
            check_for_interrupts();
            let number = self.counts.lines + 1;
            let Some(line) = line.jsonb() else { return corrupt("a line is null") };
            bytes += line.size();
            self.line(db, &line).map_err(|error| match error {
                Error::Export(problem) => Error::Export(format!("line {number} of the export: {problem}")),
                other => other,
            })?;
        }
        self.run.as_mut().map_or(Ok(()), |run| run.flush(db))
    }

    fn line(&mut self, db: &Db, line: &Jsonb) -> Result<()> {
        let given = Given::line(line)?;
        if self.trailer {
            return corrupt("it is behind the trailer");
        }
        match given.required_number("line")?.saturating_sub(self.counts.lines) {
            1 => {}
            ..1 => return corrupt("another line has the same number"),
            _ => return corrupt("the line before is missing"),
        }
        let (name, thing) = given.only()?;
        if name == "trailer" {
            return self.compare(line);
        }
        self.hash.add(line.text());
        self.counts.add(name);
        let Some(run) = &mut self.run else {
            if name != "header" {
                return corrupt("the header is missing");
            }
            self.run = Some(Imported::begin(db, &thing)?);
            return Ok(());
        };
        match name {
            "seal" => run.seal(&thing),
            "definition" => run.definition(db, &thing),
            "event" => run.event(db, &thing),
            "cell" => run.cell(&thing),
            "graph" => of_graph(db, &thing),
            "checkpoint" => run.checkpoint(db, &thing),
            "interaction" => run.interaction(db, &thing),
            "lease" => run.lease(db, &thing),
            "key" => run.key(db, &thing),
            _ => corrupt("nothing of a run has this name"),
        }
    }

    fn compare(&mut self, line: &Jsonb) -> Result<()> {
        let Some(run) = &mut self.run else { return corrupt("the header is missing") };
        run.close()?;
        self.counts.version = run.head.version;
        let [head_hash, hash] = [run.head.hash, self.hash.hash()].map(|hash| hex(&hash));
        let expected = self.counts.trailer(&head_hash, &hash).line(self.counts.lines + 1, "trailer");
        self.trailer = true;
        if line.text() == expected.text() { Ok(()) } else { corrupt("the trailer does not match the lines") }
    }

    fn finish(mut self, db: &Db) -> Result<i64> {
        let (Some(run), true) = (self.run.take(), self.trailer) else {
            return corrupt("the export is not complete: its trailer is missing");
        };
        run.seal_import(db, &self.counts)?;
        if let Some(problem) = first_problem(db, &run.run_id) {
            return Err(Error::Export(format!("the export is not sound: {problem}")));
        }
        if role::role_oid(&run.run.owner).is_none() {
            let (owner, run_id) = (&run.run.owner, &run.run_id);
            pgrx::warning!(
                "{}",
                for_client(format!("role {owner:?}, which run {run_id:?} belongs to, does not exist"))
            );
        }
        Ok(run.head.version)
    }
}

impl Imported {
    fn begin(db: &Db, header: &Given<'_>) -> Result<Imported> {
        if header.required_number("format")? != FORMAT {
            return corrupt("its format is not known: a later version may have written it");
        }
        let run_id = header.required_text("run_id")?;
        if args::run_id(Some(run_id)).is_err() {
            return corrupt("run_id is not the name of a run");
        }
        let Some(status) = Status::from_name(header.required_text("status")?) else {
            return corrupt("a run has no such status");
        };
        let workflow = header.thing("workflow")?.map(|workflow| -> Result<WorkflowRef> {
            Ok(WorkflowRef {
                owner: workflow.required_text("owner")?.to_owned(),
                name: workflow.required_text("name")?.to_owned(),
                version: workflow.small_number("version")?,
                hash: workflow.hash("hash")?,
            })
        });
        let parent = header
            .thing("parent")?
            .map(|parent| Ok((parent.required_text("run_id")?.to_owned(), parent.required_number("version")?)));
        let run = Run {
            status,
            owner: header.required_text("owner")?.to_owned(),
            workflow: workflow.transpose()?,
            parent: None,
            orphan: false,
        };
        let rest = Rest {
            metadata: Some(header.required_json("metadata")?),
            result: header.json("result")?,
            created_at: header.required_time("created_at")?,
            finished_at: header.time("finished_at")?,
            hold: header.text("hold")?.map(str::to_owned),
        };
        // What the constraints of the table forbid.
        if status.is_finished() != rest.finished_at.is_some() || rest.result.is_some() && !status.is_finished() {
            return corrupt("its status is not that of a run that was finished then, or was not");
        }
        if !run::import(db, run_id, &run, &rest) {
            return Err(Error::RunExists(run_id.to_owned()));
        }
        Ok(Imported {
            run_id: run_id.to_owned(),
            run,
            parent: parent.transpose()?,
            linked: false,
            seals: Vec::new(),
            head: Head { at: rest.created_at, ..Head::default() },
            event: None,
            events: Vec::new(),
            cells: Vec::new(),
            bytes: 0,
        })
    }

    fn seal(&mut self, given: &Given<'_>) -> Result<()> {
        let text = |key| given.text(key).map(|text| text.map(str::to_owned));
        let seal = Seal {
            run_id: self.run_id.clone(),
            number: given.required_number("number")?,
            what: given.required_text("what")?.to_owned(),
            owner: given.required_text("owner")?.to_owned(),
            workflow: text("workflow")?,
            workflow_version: given
                .number("workflow_version")?
                .map(|_| given.small_number("workflow_version"))
                .transpose()?,
            first_version: given.required_number("first_version")?,
            last_version: given.required_number("last_version")?,
            head_hash: given.hash("head_hash")?,
            events: given.required_number("events")?,
            cells: given.required_number("cells")?,
            bytes: given.required_number("bytes")?,
            at: given.required_time("at")?,
            actor: given.required_text("actor")?.to_owned(),
            on_behalf_of: text("on_behalf_of")?,
            reason: text("reason")?,
            previous: self.seals.last().map(|before| before.hash),
            hash: Hash::default(),
        }
        .closed();
        if seal.hash != given.hash("hash")? || seal.number != self.seals.len() as i64 + 1 {
            return corrupt("the seal does not match its hash, or does not follow the one before");
        }
        self.seals.push(seal);
        Ok(())
    }

    /// The definition that the run uses, which may be here.
    fn definition(&mut self, db: &Db, given: &Given<'_>) -> Result<()> {
        let Some(reference) = &self.run.workflow else { return corrupt("the run has no workflow") };
        let definition = given.required_json("definition")?;
        let is_named = given.required_text("owner")? == reference.owner
            && given.required_text("name")? == reference.name
            && given.small_number("version")? == reference.version;
        if !is_named || value_hash(definition.text()) != reference.hash {
            return corrupt("it is not the definition that the header names");
        }
        let here = || workflow::find_own(db, &reference.owner, &reference.name, Some(reference.version));
        if here().is_none() {
            workflow::insert(db, reference, false, definition)?;
        }
        if here().is_some_and(|found| found.reference.hash == reference.hash) {
            return Ok(());
        }
        let WorkflowRef { owner, name, version, .. } = reference;
        let message = format!(
            "workflow {name:?} of role {owner:?} has another version {version} here, or this one under another number"
        );
        Err(Error::state(message, "Import the run into a database that does not have that workflow."))
    }

    fn event(&mut self, db: &Db, given: &Given<'_>) -> Result<()> {
        self.close()?;
        let payload = given.required_json("payload")?;
        let text = payload.text();
        let version = given.required_number("version")?;
        if version != self.head.version + 1 {
            return corrupt("the event before is missing");
        }
        if version == 1 {
            let origin = Origin::said_in(Some(payload));
            self.follow_seals(db, origin.seal)?;
            self.link(db, &origin);
        }
        let checkpoint = given.thing("checkpoint")?;
        let kind = checkpoint.as_ref().map(|checkpoint| checkpoint.required_text("kind")).transpose()?;
        let label = checkpoint.as_ref().map_or(Ok(None), |checkpoint| checkpoint.text("label"))?;
        self.event = Some(Event {
            type_name: given.required_text("type")?.to_owned(),
            payload: payload.octets().to_vec(),
            payload_hash: value_hash(text),
            octets: [text.len() as i64, 0],
            expected: given.required_number("cells")?,
            changed: Vec::new(),
            last: None,
            cells: Cells::default(),
            actor: given.required_text("actor")?.to_owned(),
            on_behalf_of: given.text("on_behalf_of")?.map(str::to_owned),
            key: given.text("idempotency_key")?.map(str::to_owned),
            kind: kind.map(str::to_owned),
            label: label.map(str::to_owned),
            head: Head { version, hash: given.hash("hash")?, at: given.required_time("at")?, ..Head::default() },
        });
        Ok(())
    }

    fn cell(&mut self, given: &Given<'_>) -> Result<()> {
        let version = given.required_number("version")?;
        let Some(event) = self.event.as_mut().filter(|event| event.head.version == version) else {
            return corrupt("it is the cell of another event");
        };
        let Some(scope) = static_scope(given.required_text("scope")?) else { return corrupt("there is no such scope") };
        let ordinal = if scope == "context" { given.required_number("ordinal")? } else { 0 };
        let id = CellId { scope, key: given.required_text("key")?.to_owned(), ordinal };
        if event.last.as_ref().is_some_and(|last| *last >= id) {
            return corrupt("the cells of the event are not in order");
        }
        let value = given.json("value")?;
        let text = value.as_ref().map(Jsonb::text);
        let is_valid = match (scope, text) {
            ("node", Some(text)) => node::is_valid(text),
            ("loop", Some(_)) => value.as_ref().is_some_and(has_index),
            _ => true,
        };
        if !is_valid {
            return corrupt("the cell has a value that it cannot have");
        }
        let (hash, octets) = (text.map(value_hash), text.map_or(0, str::len));
        event.cells.add(scope, &id.key, ordinal, hash);
        event.changed.push(id.name());
        event.octets[1] += octets as i64;
        event.last = Some(id.clone());
        self.bytes += value.as_ref().map_or(0, Jsonb::size) as i64;
        let revision = given.required_number("revision")?;
        let content = value.map_or(Content::Unset, Content::Value);
        self.cells.push((version, Write { id, revision, hash, octets, content }));
        Ok(())
    }

    /// The event is complete: it has to match its hash.
    fn close(&mut self) -> Result<()> {
        let Some(mut event) = self.event.take() else { return Ok(()) };
        let link = Link {
            previous: self.head.hash,
            run_id: &self.run_id,
            version: event.head.version,
            type_name: &event.type_name,
            actor: &event.actor,
            on_behalf_of: event.on_behalf_of.as_deref(),
            at: unix_micros(event.head.at),
            idempotency_key: event.key.as_deref(),
            checkpoint_kind: event.kind.as_deref(),
            checkpoint_label: event.label.as_deref(),
            payload_hash: event.payload_hash,
            cells_hash: event.cells.hash(),
        };
        if link.hash() != event.head.hash || event.changed.len() as i64 != event.expected {
            return corrupt(&format!("event {} before it does not match its hash", event.head.version));
        }
        // What a rollback or a fork brings back is not new.
        let brought_back = ["run.rolled_back", "run.forked"].contains(&event.type_name.as_str());
        let new = event.octets[0] + if brought_back { 0 } else { event.octets[1] };
        let (bytes, checkpoint) = match event.kind {
            Some(_) => (0, Some(event.head.version)),
            None => (self.head.bytes_since_checkpoint.saturating_add(new), self.head.checkpoint_version),
        };
        (event.head.bytes_since_checkpoint, event.head.checkpoint_version) = (bytes, checkpoint);
        self.bytes += event.payload.len() as i64;
        self.head = event.head.clone();
        self.events.push(event);
        Ok(())
    }

    /// Inserts what has come so far. The cells of an event may come before it: it follows, or nothing stays.
    fn flush(&mut self, db: &Db) -> Result<()> {
        let rows: Vec<(Author<'_>, NewRow<'_>)> =
            self.events.iter().map(|event| (event.author(&self.run_id), event.row())).collect();
        if !event::insert_each(db, &rows)? {
            return Err(self.outdated());
        }
        drop(rows);
        self.events.clear();
        write::insert(db, &self.run_id, &self.run_id, std::mem::take(&mut self.cells))
    }

    /// Above READ COMMITTED the snapshot hides what others have committed since it was taken.
    fn outdated(&self) -> Error {
        Error::Conflict {
            run: self.run_id.clone(),
            variable: None,
            expected: None,
            actual: None,
            conflicts: Vec::new(),
            remedy: Remedy::NewTransaction,
        }
    }

    /// The seals that precede the run become those of its id here, as far as they are not; others may have come after them.
    fn follow_seals(&self, db: &Db, named: Option<Hash>) -> Result<()> {
        if self.seals.last().map(|seal| seal.hash) != named {
            return corrupt("the seals are not those that the first event names");
        }
        let [here, seen] = [Newest::now(db, &self.run_id), Newest::of(db, &self.run_id)];
        if here.as_ref().map(|seal| seal.number) != seen.map(|seal| seal.number) {
            return Err(self.outdated());
        }
        let missing = match (&here, named) {
            (None, _) => Some(self.seals.as_slice()),
            (Some(_), None) => Some(&[][..]),
            (Some(_), Some(named)) if seal::number_of(db, &self.run_id, &named).is_some() => Some(&[][..]),
            (Some(newest), Some(_)) => {
                let place = self.seals.iter().position(|seal| seal.hash == newest.hash);
                place.map(|place| &self.seals[place + 1..])
            }
        };
        let Some(missing) = missing else {
            let message = format!("run {:?} follows other seals than those of its id here", self.run_id);
            let hint = "Another run had this id here. Import the run into a database without seals of it.";
            return Err(Error::state(message, hint));
        };
        missing.iter().for_each(|seal| seal.insert(db));
        Ok(())
    }

    /// A fork is one of the run that its first event names, or of that which it became a fork of, if that is here; else its parent
    /// counts as dropped.
    fn link(&mut self, db: &Db, origin: &Origin) {
        let Some(parent) = &origin.parent else { return };
        let is_here = |run_id: &str, version: i64, hash: Option<&str>| {
            let there = version > 0 && run_id != self.run_id && run::share(db, run_id).is_some();
            let found = if there { event::hash_at(db, run_id, version) } else { None };
            found.is_some_and(|(found, _)| hash.is_none_or(|hash| found.is_some_and(|found| hex(&found) == hash)))
        };
        self.linked = is_here(&parent.run_id, parent.version, parent.hash.as_deref());
        let found = match &self.parent {
            _ if self.linked => Some((parent.run_id.as_str(), parent.version)),
            Some((run_id, version)) if is_here(run_id, *version, None) => Some((run_id.as_str(), *version)),
            _ => None,
        };
        run::set_parent(db, &self.run_id, found);
    }

    fn checkpoint(&mut self, db: &Db, given: &Given<'_>) -> Result<()> {
        let checkpoint = NewCheckpoint {
            kind: given.required_text("kind")?,
            label: given.text("label")?,
            protected: given.flag("protected")?,
            metadata: given.required_json("metadata")?,
        };
        let (version, at) = (given.required_number("version")?, given.required_time("created_at")?);
        checkpoint::insert(db, &self.run_id, version, &checkpoint, at);
        Ok(())
    }

    fn interaction(&mut self, db: &Db, given: &Given<'_>) -> Result<()> {
        let Some(id) = uuid(given.required_text("id")?) else { return corrupt("its id is no uuid") };
        let question = Question {
            id,
            version: given.required_number("version")?,
            node_id: given.required_text("node_id")?,
            prompt: given.required_json("prompt")?,
            response_schema: given.json("response_schema")?,
            assignee: given.text("assignee")?,
            created_at: given.required_time("created_at")?,
            expires_at: given.time("expires_at")?,
            owner: &self.run.owner,
        };
        let outcome = Outcome {
            status: given.required_text("status")?,
            closed_version: given.number("closed_version")?,
            response: given.json("response")?,
            by: given.text("answered_by")?,
            on_behalf_of: given.text("answered_for")?,
        };
        // What the constraints of the table forbid.
        let is_valid = match outcome.status {
            "pending" | "withdrawn" => {
                outcome.response.is_none()
                    && outcome.by.is_none()
                    && (outcome.status == "pending") == outcome.closed_version.is_none()
            }
            "answered" => outcome.response.is_some() && outcome.by.is_some() && outcome.closed_version.is_some(),
            _ => false,
        };
        if !is_valid || !interaction::import(db, &self.run_id, &question, &outcome) {
            return corrupt("there is no such question");
        }
        Ok(())
    }

    fn lease(&mut self, db: &Db, given: &Given<'_>) -> Result<()> {
        let lease = Lease {
            attempt: given.small_number("attempt")?,
            worker: given.text("worker")?.map(str::to_owned),
            until: given.time("until")?,
        };
        if lease.attempt < 1 {
            return corrupt("attempts are counted from 1");
        }
        lease::import(db, &self.run_id, given.required_text("node_id")?, &lease);
        Ok(())
    }

    /// A fork finds the keys of a parent that is here in that one's log.
    fn key(&mut self, db: &Db, given: &Given<'_>) -> Result<()> {
        let (key, type_name) = (given.required_text("key")?, given.required_text("type")?);
        if !self.linked {
            key::import(db, &self.run_id, key, type_name);
        }
        Ok(())
    }

    /// Nothing in the log of the run says that it came from elsewhere.
    fn seal_import(&self, db: &Db, counts: &Counts) -> Result<()> {
        let on_behalf_of = settings::actor()?;
        run::lock_to_verify(db);
        let now = seal::now(db)?;
        let before = Newest::now(db, &self.run_id);
        let workflow = self.run.workflow.as_ref();
        Seal {
            run_id: self.run_id.clone(),
            number: before.as_ref().map_or(1, |before| before.number + 1),
            what: IMPORTED.to_owned(),
            owner: self.run.owner.clone(),
            workflow: workflow.map(|workflow| workflow.name.clone()),
            workflow_version: workflow.map(|workflow| workflow.version),
            first_version: 1,
            last_version: self.head.version,
            head_hash: self.head.hash,
            events: counts.of("event"),
            cells: counts.of("cell"),
            bytes: self.bytes,
            at: self.head.at.max(now),
            actor: role::role_name(db.caller),
            on_behalf_of,
            reason: None,
            previous: before.map(|before| before.hash),
            hash: Hash::default(),
        }
        .closed()
        .insert(db);
        Ok(())
    }
}

/// Stored once for each owner and content.
fn of_graph(db: &Db, given: &Given<'_>) -> Result<()> {
    let parts = Parts { nodes: given.json("nodes")?, edges: given.json("edges")? };
    if parts.hash() != given.hash("hash")? {
        return corrupt("the graph does not match its hash");
    }
    parts.store(db, given.required_text("owner")?);
    Ok(())
}

/// As the cell of a loop needs it.
fn has_index(value: &Jsonb) -> bool {
    let members = value.members().unwrap_or_default();
    members.iter().any(|(key, member)| *key == b"index" && member.kind == NUMERIC)
}

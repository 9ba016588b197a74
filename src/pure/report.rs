//! The report of a run: one HTML file that needs nothing else, for people who never saw SQL. Pure.
//!
//! All of it is there without the script, which adds search, filters and the state at any version; what the script shows it
//! reads from what is there. The page forbids itself everything but its own style and script, so that a value could do nothing
//! even if it were not escaped.

use crate::pure::html::{cut, difference, escape, escaped};
use crate::pure::picture::{Picture, State};
use crate::pure::timestamp;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

const STYLE: &str = include_str!("report.css");
const SCRIPT: &str = include_str!("report.js");
/// Of the two, for the page's policy.
const STYLE_HASH: &str = "sha256-SWLY+Eup/odMU+zQwaPMjKWS1nXvI+Bv0ft09ZMzZ6I=";
const SCRIPT_HASH: &str = "sha256-bfu3GKbFPLiI+H+ItNfJgzBl7dRKTxB2ZeJlqKCMAeU=";

/// Events of one list that are shown at once; more are folded in parts of this size.
const PART: usize = 250;
/// Bytes of a name as HTML.
const NAME: usize = 160;

/// A value as it is shown.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Value {
    pub text: String,
    /// Bytes of all of it.
    pub bytes: usize,
    pub is_cut: bool,
    /// Which part of the text is new.
    pub new: Option<(usize, usize)>,
    /// What is new, where that is not in the text.
    pub elsewhere: Option<String>,
}

impl Value {
    /// As much as takes so many bytes, and what differs from the value before.
    pub fn new(before: Option<&str>, text: &str, most: usize) -> Value {
        let (shown, is_cut) = cut(text, most);
        let mut value = Value { text: shown.to_owned(), bytes: text.len(), is_cut, new: None, elsewhere: None };
        let Some(before) = before else { return value };
        let [same, new, rest] = difference(before, text);
        let (start, end) = (same.len(), same.len() + new.len());
        if end <= shown.len() {
            value.new = Some((start, end)).filter(|_| start < end && (!same.is_empty() || !rest.is_empty()));
        } else {
            const AROUND: usize = 24;
            let from = same.char_indices().rev().take(AROUND).last().map_or(start, |(at, _)| at);
            value.elsewhere = (most >= AROUND * 4).then(|| cut(&text[from..], most.min(200)).0.to_owned());
        }
        value
    }

    fn write(&self, out: &mut String) {
        let part = |out: &mut String, text: &str| escape(out, text);
        out.push_str("<code>");
        match self.new {
            Some((start, end)) => {
                part(out, &self.text[..start]);
                out.push_str("<mark>");
                part(out, &self.text[start..end]);
                out.push_str("</mark>");
                part(out, &self.text[end..]);
            }
            None => part(out, &self.text),
        }
        out.push_str("</code>");
        if self.is_cut {
            let _ = write!(out, "<small>cut: {} in all</small>", size(self.bytes));
        }
        if let Some(elsewhere) = &self.elsewhere {
            out.push_str("<small>new: &#8230;<mark>");
            escape(out, elsewhere);
            out.push_str("</mark>&#8230;</small>");
        }
    }
}

/// A row of a cell.
pub struct Change {
    pub version: i64,
    pub at: i64,
    /// None: it was unset.
    pub value: Option<Value>,
    /// Of a node.
    pub state: Option<State>,
}

pub struct Cell {
    pub scope: String,
    pub key: String,
    pub ordinal: i64,
    pub changes: Vec<Change>,
    /// Changes before those, which are not shown.
    pub folded: usize,
}

impl Cell {
    fn name(&self) -> String {
        if self.scope == "context" { format!("{}[{}]", self.key, self.ordinal) } else { self.key.clone() }
    }
}

/// From a version on, the number of the first entry of a node's context that is live; None: none is.
pub type Lives = BTreeMap<String, Vec<(i64, Option<i64>)>>;

#[derive(Default)]
pub struct Event {
    pub version: i64,
    pub at: i64,
    pub kind: String,
    pub who: String,
    pub checkpoint: Option<(String, Option<String>)>,
    /// The first cells that it changed, and how many more there are.
    pub changed: Vec<String>,
    pub more: usize,
    /// Members of the payload, as much as is shown of each; of a payload that is no object all, by the name "".
    pub payload: BTreeMap<String, String>,
    pub error: Option<String>,
}

pub struct Question {
    pub node: String,
    pub status: String,
    pub assignee: Option<String>,
    pub prompt: Value,
    pub response: Option<Value>,
    pub answered_by: Option<String>,
    pub asked: (i64, i64),
    pub expires: Option<i64>,
    pub closed: Option<i64>,
}

pub struct Checkpoint {
    pub version: i64,
    pub at: i64,
    pub kind: String,
    pub label: Option<String>,
    pub protected: bool,
    pub metadata: Value,
}

pub struct Fork {
    pub run_id: String,
    pub version: i64,
    pub status: String,
}

/// A run of the same id that is gone.
pub struct Earlier {
    pub what: String,
    pub at: i64,
    pub by: String,
    pub reason: Option<String>,
    pub last_version: i64,
    /// Of its seal.
    pub hash: String,
}

pub struct Report<'a> {
    pub run_id: &'a str,
    pub status: &'a str,
    /// Why nobody may drop it.
    pub hold: Option<String>,
    pub owner: &'a str,
    pub workflow: Option<String>,
    pub parent: Option<(String, i64)>,
    pub orphan: bool,
    pub created: i64,
    pub last: i64,
    pub finished: Option<i64>,
    /// When this was read.
    pub now: i64,
    pub head: i64,
    pub hash: String,
    pub problems: Vec<(Option<i64>, String)>,
    pub more_problems: bool,
    pub metadata: Value,
    pub result: Option<Value>,
    pub picture: Picture<'a>,
    /// Until when a node is held.
    pub leases: HashMap<String, i64>,
    pub cells: Vec<Cell>,
    pub more_cells: bool,
    pub lives: Lives,
    /// Bytes, as HTML, of what is told of one event.
    pub detail: usize,
    pub events: Vec<Event>,
    /// How many of each type were left out, after the version that is given.
    pub folded: Option<(i64, Vec<(String, i64)>)>,
    /// Rollbacks: version, and where to.
    pub rollbacks: Vec<(i64, i64)>,
    pub questions: Vec<Question>,
    pub more_questions: usize,
    pub checkpoints: Vec<Checkpoint>,
    pub more_checkpoints: usize,
    pub forks: Vec<Fork>,
    pub more_forks: bool,
    pub earlier: Vec<Earlier>,
    pub more_earlier: bool,
}

/// The ranges of versions that are undone, both ends included, each with the rollback that does it; the newest first.
pub fn undone(head: i64, rollbacks: &[(i64, i64)]) -> Vec<(i64, i64, i64)> {
    let mut ranges = Vec::new();
    let mut version = head;
    for (by, to) in rollbacks.iter().rev() {
        if *by <= version {
            if to + 1 < *by {
                ranges.push((to + 1, by - 1, *by));
            }
            version = *to;
        }
    }
    ranges
}

fn size(bytes: usize) -> String {
    match bytes {
        0..1000 => format!("{bytes} bytes"),
        1000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

/// A name, cut where it is very long.
fn name(text: &str) -> String {
    let (shown, is_cut) = cut(text, NAME);
    escaped(shown) + if is_cut { "&#8230;" } else { "" }
}

fn plural(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// A day and a time of it.
fn time(micros: i64) -> String {
    let text = timestamp::text(micros, false);
    format!("<time datetime=\"{}Z\">{text}</time>", text.replace(' ', "T"))
}

/// The members of an object, each as JSON.
pub fn members(json: &str) -> BTreeMap<String, String> {
    let members: Option<BTreeMap<String, &RawValue>> =
        json.starts_with('{').then(|| serde_json::from_str(json).ok()).flatten();
    members.unwrap_or_default().into_iter().map(|(key, value)| (key, value.get().to_owned())).collect()
}

/// What JSON says to people: a text, or the one text that is in an object.
pub fn said(json: &str) -> String {
    if let Ok(text) = serde_json::from_str::<String>(json) {
        return text;
    }
    match serde_json::from_str::<BTreeMap<String, String>>(json) {
        Ok(members) if members.len() == 1 => members.into_values().next().unwrap_or_default(),
        _ => json.to_owned(),
    }
}

impl Event {
    fn text(&self, key: &str) -> Option<String> {
        self.payload.get(key).map(|json| said(json)).filter(|text| text != "null")
    }

    /// Which filter it belongs to, what happened, and more about that.
    fn told(&self) -> (&'static str, String, String) {
        let text = |key: &str| self.text(key).unwrap_or_default();
        let quoted = |key: &str| self.text(key).map(|text| format!("{text:?}")).unwrap_or_default();
        let list = |key: &str| {
            let names = self.payload.get(key).and_then(|json| serde_json::from_str::<Vec<String>>(json).ok());
            names.map_or_else(|| text(key), |names| names.join(", "))
        };
        let attempt = || match self.text("attempt").filter(|attempt| attempt != "1") {
            Some(attempt) => format!("attempt {attempt}"),
            None => String::new(),
        };
        let join =
            |parts: &[String]| parts.iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join("; ");
        let by = |worker: String| if worker.is_empty() { worker } else { format!("worker {worker}") };
        match self.kind.as_str() {
            "run.started" => ("run", "Run started".into(), String::new()),
            "run.forked" => {
                let parent = self.payload.get("parent").map(String::as_str).unwrap_or_default();
                let parent: BTreeMap<String, serde_json::Value> = serde_json::from_str(parent).unwrap_or_default();
                let part = |key: &str| parent.get(key).map(|value| said(&value.to_string())).unwrap_or_default();
                ("run", "Forked".into(), format!("from {} at version {}", part("run_id"), part("version")))
            }
            "run.finished" => ("run", format!("Run {}", text("status")), text("reason")),
            "run.reopened" => ("run", "Run reopened".into(), text("reason")),
            "run.cancelling" => ("run", "Cancellation asked for".into(), text("reason")),
            "run.held" => ("run", "Held".into(), text("reason")),
            "run.released" => ("run", "Hold released".into(), text("reason")),
            "run.owner_changed" => ("run", format!("Given to {}", text("owner")), text("reason")),
            "run.rolled_back" => {
                let label = Some(quoted("label")).filter(|label| !label.is_empty());
                let title = format!("Rolled back to version {}", text("to_version"));
                ("back", title, join(&[label.map(|l| format!("checkpoint {l}")).unwrap_or_default(), text("reason")]))
            }
            "run.recovered" => {
                let reset = list("reset");
                let reset = if reset.is_empty() { reset } else { format!("given up: {reset}") };
                ("back", "Recovered".into(), reset)
            }
            "state.saved" => ("data", "State saved".into(), String::new()),
            "state.engine_set" => ("data", "Engine's field set".into(), String::new()),
            "variables.set" => ("data", "Variables set".into(), String::new()),
            "variables.unset" => ("data", "Variables unset".into(), String::new()),
            "checkpoint.created" => ("checkpoint", "Checkpoint".into(), String::new()),
            "checkpoint.protected" => ("checkpoint", format!("Checkpoint protected: {}", text("label")), String::new()),
            "checkpoint.unprotected" => ("checkpoint", format!("Checkpoint freed: {}", text("label")), String::new()),
            "node.started" => {
                ("node", format!("Node {} started", text("node_id")), join(&[by(text("worker")), attempt()]))
            }
            "node.completed" => ("node", format!("Node {} completed", text("node_id")), attempt()),
            "node.failed" => {
                let error = self.text("error").or(self.error.as_deref().map(said)).unwrap_or_default();
                ("node", format!("Node {} failed", text("node_id")), join(&[error, attempt()]))
            }
            "node.skipped" => ("node", format!("Skipped: {}", list("node_ids")), text("reason")),
            "node.reset" => ("node", format!("Reset: {}", list("node_ids")), String::new()),
            "loop.entered" => {
                let max = self.text("max").map(|max| format!("at most {max} iterations")).unwrap_or_default();
                ("loop", format!("Loop {} entered", text("loop_id")), max)
            }
            "loop.iteration" => {
                ("loop", format!("Loop {}: iteration {}", text("loop_id"), text("index")), String::new())
            }
            "loop.exited" => ("loop", format!("Loop {} left", text("loop_id")), String::new()),
            "interaction.requested" => {
                let whom = self.text("assignee").map_or("anybody".to_owned(), |whom| whom.replace("role:", "role "));
                ("person", format!("Question to {whom}: {}", text("prompt")), format!("by node {}", text("node_id")))
            }
            "interaction.answered" => ("person", format!("Answer: {}", text("response")), String::new()),
            "interaction.withdrawn" => ("person", "Question withdrawn".into(), text("reason")),
            own => {
                let payload = match self.payload.get("") {
                    Some(payload) => payload.clone(),
                    None => self
                        .payload
                        .iter()
                        .map(|(key, json)| format!("{key}: {}", said(json)))
                        .collect::<Vec<_>>()
                        .join(", "),
                };
                ("own", own.to_owned(), payload)
            }
        }
    }

    /// Its item in the timeline, with at most so many bytes of each thing that is told.
    fn write(&self, out: &mut String, undone_by: Option<i64>, detail_bytes: usize) {
        let at = timestamp::text(self.at, true);
        let of_day = at.split(' ').nth(1).unwrap_or_default();
        let (kind, title, mut detail) = self.told();
        if let Some(seal) = self.text("seal").filter(|_| self.version == 1) {
            let hash: String = seal.chars().take(16).collect();
            detail = [detail, format!("after the run that seal {hash} accounts for")].join(" ").trim_start().to_owned();
        }
        let version = self.version;
        let _ = write!(
            out,
            "<li id=v{version} class=\"e k-{kind}{}\"><a href=\"#v{version}\">{version}</a><span class=t>{of_day}</span><div>",
            if undone_by.is_some() { " u" } else { "" }
        );
        let (title, cut_title) = cut(&title, detail_bytes);
        let more = if cut_title { "&#8230;" } else { "" };
        match undone_by {
            Some(by) => {
                let _ = write!(out, "<s>{}{more}</s> <em>undone by version {by}</em>", escaped(title));
            }
            None => {
                let _ = write!(out, "<b>{}{more}</b>", escaped(title));
            }
        }
        if !detail.is_empty() {
            let (detail, is_cut) = cut(&detail, detail_bytes);
            let _ = write!(out, " <span>{}{}</span>", escaped(detail), if is_cut { "&#8230;" } else { "" });
        }
        if let Some((kind, label)) = &self.checkpoint {
            // That of a question has its id.
            let label = label.as_deref().filter(|_| self.kind != "interaction.requested");
            let label = label.map(|label| format!(" {}", name(label))).unwrap_or_default();
            let _ = write!(out, " <span class=c>{} checkpoint{label}</span>", name(kind));
        }
        let _ = write!(out, " <i>{}</i>", name(&self.who));
        if !self.changed.is_empty() {
            let names: Vec<String> =
                self.changed.iter().map(|changed| escaped(cut(changed, NAME.min(detail_bytes)).0)).collect();
            let more = if self.more > 0 { format!(" and {} more", self.more) } else { String::new() };
            let _ = write!(out, "<small>{}{more}</small>", names.join(", "));
        }
        out.push_str("</div>");
    }

    /// Bytes of it in the page.
    pub fn size(&self, detail_bytes: usize) -> usize {
        let mut out = String::new();
        self.write(&mut out, None, detail_bytes);
        out.len()
    }
}

/// Where what the events tell stands in the page.
enum Item {
    Event(usize),
    /// A loop, or an iteration of one: its name, the number of the iteration.
    Fold {
        of: String,
        iteration: Option<String>,
        items: Vec<Item>,
    },
    /// What was left out.
    Gap,
}

impl Item {
    /// The versions in it, and how many events.
    fn range(&self, events: &[Event]) -> Option<(i64, i64, usize)> {
        match self {
            Item::Event(number) => Some((events[*number].version, events[*number].version, 1)),
            Item::Gap => None,
            Item::Fold { items, .. } => range(items, events),
        }
    }
}

fn range(items: &[Item], events: &[Event]) -> Option<(i64, i64, usize)> {
    let ranges = items.iter().filter_map(|item| item.range(events));
    ranges.reduce(|(from, _, count), (_, to, more)| (from, to, count + more))
}

/// The events of loops inside those loops. What goes back to an earlier state is outside of all loops.
fn fold(report: &Report<'_>) -> Vec<Item> {
    let mut open: Vec<(String, Option<String>, Vec<Item>)> = vec![(String::new(), None, Vec::new())];
    fn close(open: &mut Vec<(String, Option<String>, Vec<Item>)>) {
        if open.len() > 1
            && let Some((of, iteration, items)) = open.pop()
            && let Some((_, _, outer)) = open.last_mut()
        {
            outer.push(Item::Fold { of, iteration, items });
        }
    }
    for (number, event) in report.events.iter().enumerate() {
        let of = event.text("loop_id").unwrap_or_default();
        let depth = |open: &[(String, Option<String>, Vec<Item>)]| {
            open.iter().rposition(|(name, ..)| !of.is_empty() && *name == of)
        };
        match event.kind.as_str() {
            "loop.entered" => open.push((of, None, Vec::new())),
            "loop.iteration" => {
                // The loop itself, below its iterations.
                let found =
                    open.iter().rposition(|(name, iteration, _)| *name == of && iteration.is_none() && !of.is_empty());
                match found {
                    Some(found) => (0..open.len() - found - 1).for_each(|_| close(&mut open)),
                    None => open.push((of.clone(), None, Vec::new())),
                }
                open.push((of, event.text("index"), Vec::new()));
            }
            "loop.exited" => {
                if let Some(found) = depth(&open) {
                    let lowest = open.iter().position(|(name, ..)| *name == of).unwrap_or(found).max(1);
                    (0..open.len() - lowest - 1).for_each(|_| close(&mut open));
                    if let Some((_, _, items)) = open.last_mut() {
                        items.push(Item::Event(number));
                    }
                    close(&mut open);
                    continue;
                }
            }
            "run.rolled_back" | "run.recovered" | "run.finished" | "run.reopened" => {
                (1..open.len()).for_each(|_| close(&mut open));
            }
            _ => {}
        }
        let gap = report.folded.as_ref().is_some_and(|(after, _)| *after == event.version);
        if let Some((_, _, items)) = open.last_mut() {
            items.push(Item::Event(number));
        }
        if gap {
            (1..open.len()).for_each(|_| close(&mut open));
            open[0].2.push(Item::Gap);
        }
    }
    (1..open.len()).for_each(|_| close(&mut open));
    open.pop().map(|(_, _, items)| items).unwrap_or_default()
}

impl Report<'_> {
    pub fn html(&self, tick: fn()) -> String {
        let mut out = String::with_capacity(64 << 10);
        let title = name(self.run_id);
        let _ = write!(
            out,
            "<!DOCTYPE html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n\
             <meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src '{STYLE_HASH}'; script-src '{SCRIPT_HASH}'; \
             base-uri 'none'; form-action 'none'\">\n\
             <meta name=viewport content=\"width=device-width, initial-scale=1\">\n<meta name=color-scheme content=\"light dark\">\n\
             <title>Run {title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<a class=skip href=\"#main\">Skip to the content</a>\n"
        );
        self.header(&mut out);
        out.push_str("<main id=main tabindex=-1>\n");
        self.graph(&mut out, tick);
        self.people(&mut out);
        self.state(&mut out, tick);
        self.log(&mut out, tick);
        self.checkpoints(&mut out);
        self.family(&mut out);
        self.earlier(&mut out);
        let _ = write!(
            out,
            "</main>\n<footer><p>Made by layra_state at {} UTC from the {} of this run. All times are UTC.</p></footer>\n\
             <script>{SCRIPT}</script>\n</body>\n</html>\n",
            time(self.now),
            plural(self.head as usize, "version", "versions")
        );
        out
    }

    fn header(&self, out: &mut String) {
        let ended = self.finished.unwrap_or(self.last);
        let _ = write!(
            out,
            "<header><div class=wide><p class=over>Workflow run</p><h1>{}</h1><p class=lead><span class=\"badge s-{}\">{}</span> \
             {} over {}, by {}</p>",
            name(self.run_id),
            escaped(self.status),
            escaped(self.status),
            plural(self.head as usize, "version", "versions"),
            timestamp::span(ended.saturating_sub(self.created)),
            name(self.owner),
        );
        out.push_str("<nav aria-label=Sections><ul>");
        let sections = [
            ("graph", "Graph", !self.picture.is_empty()),
            ("people", "Questions", !self.questions.is_empty()),
            ("state", "State", true),
            ("log", "Timeline", true),
            ("checkpoints", "Checkpoints", !self.checkpoints.is_empty()),
            ("family", "Forks", self.parent.is_some() || !self.forks.is_empty() || self.orphan),
            ("earlier", "Earlier runs", !self.earlier.is_empty()),
        ];
        for (id, title, _) in sections.iter().filter(|(_, _, shown)| *shown) {
            let _ = write!(out, "<li><a href=\"#{id}\">{title}</a>");
        }
        out.push_str("</ul></nav></div></header>\n<section class=\"wide facts\" aria-label=Summary><dl>");
        let mut fact = |term: &str, detail: String| {
            let _ = write!(out, "<div><dt>{term}</dt><dd>{detail}</dd></div>");
        };
        fact("Owner", name(self.owner));
        if let Some(workflow) = &self.workflow {
            fact("Workflow", name(workflow));
        }
        fact("Started", time(self.created));
        match self.finished {
            Some(finished) => fact("Finished", time(finished)),
            None => fact("Last change", time(self.last)),
        }
        fact("Versions", self.head.to_string());
        if let Some(hold) = &self.hold {
            fact("Held", name(hold));
        }
        fact("Head hash", format!("<code class=hash>{}</code>", escaped(&self.hash)));
        out.push_str("</dl>");
        if self.problems.is_empty() {
            out.push_str(
                "<p class=\"proof good\"><b>Verified.</b> Every event and every stored value is what the chain of hashes says. \
                 Compare the head hash with one that was kept elsewhere to know that nothing is missing at the end.</p>",
            );
        } else {
            let count = self.problems.len();
            let more = if self.more_problems { "more than " } else { "" };
            let _ = write!(
                out,
                "<div class=\"proof bad\"><p><b>Not intact.</b> Verification found {more}{}:</p><ul>",
                plural(count, "problem", "problems")
            );
            for (version, problem) in &self.problems {
                let version = version.map(|version| format!("<a href=\"#v{version}\">version {version}</a>: "));
                let _ = write!(out, "<li>{}{}", version.unwrap_or_default(), escaped(cut(problem, 1000).0));
            }
            out.push_str("</ul>");
            out.push_str("</div>");
        }
        for (title, value) in [("Result", self.result.as_ref()), ("Metadata", Some(&self.metadata))] {
            if let Some(value) = value.filter(|value| value.text != "{}") {
                let _ = write!(out, "<div class=given><h2>{title}</h2>");
                value.write(out);
                out.push_str("</div>");
            }
        }
        out.push_str("</section>\n");
    }

    fn graph(&self, out: &mut String, tick: fn()) {
        if self.picture.is_empty() {
            return;
        }
        let _ = write!(
            out,
            "<section id=graph class=card aria-labelledby=h-graph><h2 id=h-graph>Graph</h2><p class=note id=graph-at>{}</p>",
            self.picture.summary()
        );
        if self.picture.is_drawn() {
            out.push_str("<div class=canvas role=region tabindex=0 aria-label=\"The workflow's graph\">");
            out.push_str(&self.picture.svg(tick));
            out.push_str("</div><ul class=legend aria-label=\"Colours of nodes\">");
            for state in [State::Completed, State::Running, State::Failed, State::Pending, State::Skipped] {
                let _ = write!(out, "<li class={}>{}", state.name(), state.name());
            }
            out.push_str("</ul>");
        } else {
            out.push_str("<p class=note>The graph is too large to be drawn.</p>");
        }
        const MOST: usize = 1000;
        let count = self.picture.ids.len();
        let _ = write!(
            out,
            "<details{}><summary>Table of {}</summary><div class=scroll role=region tabindex=0 aria-label=\"Table of nodes\"><table>\
             <thead><tr><th scope=col>Node<th scope=col>Type<th scope=col>State<th scope=col>Took<th scope=col>More<tbody>",
            if self.picture.is_drawn() { "" } else { " open" },
            plural(count, "node", "nodes"),
        );
        for (number, id) in self.picture.ids.iter().enumerate().take(MOST) {
            tick();
            let node = &self.picture.nodes[number];
            let mut more = Vec::new();
            more.extend(node.index.as_ref().map(|index| format!("iteration {}", escaped(index))));
            if node.times > 1 {
                more.push(format!("completed {} times", node.times));
            }
            more.extend(node.attempt.map(|attempt| format!("attempt {attempt}")));
            more.extend(node.worker.as_ref().map(|worker| format!("worker {}", name(worker))));
            if node.state == State::Running {
                more.extend(self.leases.get(id).map(|until| format!("held until {}", time(*until))));
            }
            more.extend(node.waits.as_ref().map(|waits| format!("waits for {}", name(waits))));
            more.extend(node.error.as_ref().map(|error| format!("error {}", escaped(cut(error, 400).0))));
            let _ = write!(
                out,
                "<tr><th scope=row>{}<td>{}<td><span class=\"badge s-{}\">{}</span><td>{}<td>{}",
                name(id),
                name(self.picture.types[number]),
                node.state.name(),
                node.state.name(),
                node.took.map(timestamp::span).unwrap_or_default(),
                more.join("; ")
            );
        }
        out.push_str("</table></div>");
        if count > MOST {
            let _ = write!(out, "<p class=note>And {} more.</p>", count - MOST);
        }
        out.push_str("</details></section>\n");
    }

    fn people(&self, out: &mut String) {
        if self.questions.is_empty() {
            return;
        }
        out.push_str("<section id=people class=card aria-labelledby=h-people><h2 id=h-people>Questions to people</h2><ul class=questions>");
        for question in &self.questions {
            let whom = question.assignee.as_deref().unwrap_or("whoever may change the run");
            let _ = write!(out, "<li class=q-{}><p class=ask>", escaped(&question.status));
            let said = Value { text: said(&question.prompt.text), ..question.prompt.clone() };
            said.write(out);
            let _ = write!(
                out,
                "</p><p class=meta>Asked of {} by node {}, <a href=\"#v{}\">version {}</a>, {}",
                name(whom),
                name(&question.node),
                question.asked.0,
                question.asked.0,
                time(question.asked.1)
            );
            if let Some(expires) = question.expires {
                let _ = write!(out, ", until {}", time(expires));
            }
            out.push_str("</p>");
            match (&question.response, question.status.as_str()) {
                (Some(response), "answered") => {
                    out.push_str("<p class=answer><b>Answer</b> ");
                    let said = Value { text: self::said(&response.text), ..response.clone() };
                    said.write(out);
                    let by = name(question.answered_by.as_deref().unwrap_or_default());
                    let _ = write!(out, "</p><p class=meta>Given by {by}");
                    if let Some(closed) = question.closed {
                        let _ = write!(out, ", <a href=\"#v{closed}\">version {closed}</a>");
                    }
                    out.push_str("</p>");
                }
                (_, "pending") => out.push_str("<p class=answer><b>Waits for an answer</b></p>"),
                _ => out.push_str("<p class=answer><b>Withdrawn</b></p>"),
            }
        }
        out.push_str("</ul>");
        if self.more_questions > 0 {
            let _ = write!(out, "<p class=note>And {} older.</p>", self.more_questions);
        }
        out.push_str("</section>\n");
    }

    /// Whether all that ever was is in the page.
    fn is_whole(&self) -> bool {
        self.folded.is_none() && !self.more_cells && self.cells.iter().all(|cell| cell.folded == 0)
    }

    fn state(&self, out: &mut String, tick: fn()) {
        out.push_str("<section id=state class=card aria-labelledby=h-state><h2 id=h-state>State</h2>");
        if self.is_whole() && self.head > 1 {
            let head = self.head;
            let _ = write!(
                out,
                "<div id=past hidden><h3 id=h-past>At any version</h3><div class=slide><label for=at>Version</label>\
                 <button type=button id=prev aria-label=\"One version back\">&#8592;</button>\
                 <input type=range id=at min=1 max={head} value={head} aria-describedby=told>\
                 <button type=button id=next aria-label=\"One version on\">&#8594;</button>\
                 <input type=number id=number min=1 max={head} value={head} aria-label=\"Number of the version\">\
                 <button type=button id=newest>Newest</button></div><p id=told class=note aria-live=polite></p>\
                 <div class=scroll role=region tabindex=0 aria-labelledby=h-past><table id=then><thead><tr><th scope=col>What<th scope=col>Value\
                 <th scope=col>Set in<tbody></table></div></div>"
            );
        } else if self.head > 1 {
            out.push_str("<p class=note>Not all of the past is in this page, which keeps it small; layra.get_state has the state at any version.</p>");
        }
        for (scope, title) in [
            ("variable", "Variables"),
            ("node", "Nodes"),
            ("loop", "Loops"),
            ("context", "Outputs of nodes"),
            ("engine", "Engine's fields"),
        ] {
            let cells: Vec<&Cell> = self.cells.iter().filter(|cell| cell.scope == scope).collect();
            if cells.is_empty() {
                continue;
            }
            let _ = write!(out, "<h3>{title} <small>{}</small></h3><ul class=cells>", cells.len());
            for cell in cells {
                tick();
                self.cell(out, cell);
            }
            out.push_str("</ul>");
        }
        if self.cells.is_empty() {
            out.push_str("<p class=note>Nothing was ever set.</p>");
        }
        if self.more_cells {
            out.push_str("<p class=note>There is more, which would make this page too large.</p>");
        }
        for (node, lives) in &self.lives {
            let lives: Vec<String> = lives
                .iter()
                .map(|(version, first)| {
                    format!("{version}:{}", first.map(|first| first.to_string()).unwrap_or_default())
                })
                .collect();
            let _ = write!(out, "<data class=lives data-k=\"{}\" value=\"{}\"></data>", escaped(node), lives.join(" "));
        }
        out.push_str("</section>\n");
    }

    fn cell(&self, out: &mut String, cell: &Cell) {
        let count = cell.changes.len() + cell.folded;
        let Some(newest) = cell.changes.last() else { return };
        let gone = cell.scope == "context"
            && self
                .lives
                .get(&cell.key)
                .and_then(|lives| lives.last())
                .is_some_and(|(_, first)| first.is_none_or(|first| cell.ordinal < first));
        let _ = write!(
            out,
            "<li><details class=cell data-s={} data-k=\"{}\" data-o={}><summary><b>{}</b> ",
            escaped(&cell.scope),
            escaped(&cell.key),
            cell.ordinal,
            name(&cell.name())
        );
        match &newest.value {
            Some(value) => {
                let (shown, is_cut) = cut(&value.text, 120);
                let _ = write!(
                    out,
                    "<code>{}{}</code>",
                    escaped(shown),
                    if is_cut || value.is_cut { "&#8230;" } else { "" }
                );
            }
            None => out.push_str("<i>unset</i>"),
        }
        if gone {
            out.push_str(" <i>dropped</i>");
        }
        let _ =
            write!(out, "<small>{}, version {}</small></summary>", plural(count, "change", "changes"), newest.version);
        if cell.folded > 0 {
            let _ = write!(
                out,
                "<p class=note>{} before these are not shown.</p>",
                plural(cell.folded, "change", "changes")
            );
        }
        out.push_str(
            "<div class=scroll><table><thead><tr><th scope=col>Version<th scope=col>Time<th scope=col>Value<tbody>",
        );
        for change in &cell.changes {
            let state = change.state.map(|state| format!(" data-t={}", state.name())).unwrap_or_default();
            let _ = write!(
                out,
                "<tr data-v={}{state}><td><a href=\"#v{}\">{}</a><td>{}<td>",
                change.version,
                change.version,
                change.version,
                timestamp::text(change.at, false)
            );
            match &change.value {
                Some(value) => value.write(out),
                None => out.push_str("<i>unset</i>"),
            }
        }
        out.push_str("</table></div></details>");
    }

    fn log(&self, out: &mut String, tick: fn()) {
        let _ = write!(
            out,
            "<section id=log class=card aria-labelledby=h-log><h2 id=h-log>Timeline</h2><form id=filter role=search aria-label=\"Search and filter\" hidden>\
             <input type=search id=find placeholder=\"Search events and values\" aria-label=\"Search events and values\" autocomplete=off>\
             <fieldset><legend>Show</legend>"
        );
        for (kind, title) in [
            ("data", "Data"),
            ("node", "Nodes"),
            ("loop", "Loops"),
            ("person", "People"),
            ("checkpoint", "Checkpoints"),
            ("back", "Rollbacks"),
            ("run", "Run"),
            ("own", "Own events"),
            ("undone", "Undone"),
        ] {
            let _ = write!(out, "<label><input type=checkbox name={kind} checked><span>{title}</span></label>");
        }
        out.push_str("</fieldset><p id=found class=note role=status></p></form><ol class=log>");
        let undone = undone(self.head, &self.rollbacks);
        let items = fold(self);
        let mut day = String::new();
        self.items(out, &items, &undone, &mut day, tick);
        out.push_str("</ol></section>\n");
    }

    fn items(&self, out: &mut String, items: &[Item], undone: &[(i64, i64, i64)], day: &mut String, tick: fn()) {
        if items.len() <= PART + PART / 4 {
            items.iter().for_each(|item| self.item(out, item, undone, day, tick));
            return;
        }
        for part in items.chunks(PART) {
            let Some((from, to, count)) = range(part, &self.events) else {
                part.iter().for_each(|item| self.item(out, item, undone, day, tick));
                continue;
            };
            let _ = write!(
                out,
                "<li class=fold><details><summary>Versions {from} to {to} <small>{}</small></summary><ol>",
                plural(count, "event", "events")
            );
            part.iter().for_each(|item| self.item(out, item, undone, day, tick));
            out.push_str("</ol></details>");
        }
    }

    fn item(&self, out: &mut String, item: &Item, undone: &[(i64, i64, i64)], day: &mut String, tick: fn()) {
        tick();
        match item {
            Item::Event(number) => self.event(out, &self.events[*number], undone, day),
            Item::Gap => {
                if let Some((after, types)) = &self.folded {
                    let count: i64 = types.iter().map(|(_, count)| count).sum();
                    let _ = write!(out, "<li class=gap><b>{count} events after version {after} are not shown</b><ul>");
                    for (kind, count) in types {
                        let _ = write!(out, "<li>{count} {}", name(kind));
                    }
                    out.push_str("</ul>");
                }
            }
            Item::Fold { of, iteration, items } => {
                let Some((from, to, count)) = range(items, &self.events) else { return };
                let title = match iteration {
                    Some(index) => format!("Iteration {}", name(index)),
                    None => {
                        let turns =
                            items.iter().filter(|item| matches!(item, Item::Fold { iteration: Some(_), .. })).count();
                        format!("Loop {}: {}", name(of), plural(turns, "iteration", "iterations"))
                    }
                };
                let struck = undone.iter().any(|(first, last, _)| *first <= from && to <= *last);
                let title = if struck { format!("<s>{title}</s>") } else { title };
                let versions = if from == to { format!("version {from}") } else { format!("versions {from} to {to}") };
                let _ = write!(
                    out,
                    "<li class=\"fold{}\"><details><summary>{title} <small>{}, {versions}</small></summary><ol>",
                    if struck { " u" } else { "" },
                    plural(count, "event", "events")
                );
                self.items(out, items, undone, day, tick);
                out.push_str("</ol></details>");
            }
        }
    }

    fn event(&self, out: &mut String, event: &Event, undone: &[(i64, i64, i64)], day: &mut String) {
        let at = timestamp::text(event.at, false);
        let date = at.split(' ').next().unwrap_or_default();
        if date != day {
            let _ = write!(out, "<li class=day>{date}");
            *day = date.to_owned();
        }
        let by = undone.iter().find(|(from, to, _)| (*from..=*to).contains(&event.version)).map(|(.., by)| *by);
        event.write(out, by, self.detail);
    }

    fn checkpoints(&self, out: &mut String) {
        if self.checkpoints.is_empty() {
            return;
        }
        out.push_str(
            "<section id=checkpoints class=card aria-labelledby=h-checkpoints><h2 id=h-checkpoints>Checkpoints</h2>\
             <div class=scroll role=region tabindex=0 aria-label=\"Table of checkpoints\"><table>\
             <thead><tr><th scope=col>Version<th scope=col>Label<th scope=col>Kind<th scope=col>Time<th scope=col>Metadata<tbody>",
        );
        for checkpoint in &self.checkpoints {
            let protected = if checkpoint.protected { " <span class=c>protected</span>" } else { "" };
            let _ = write!(
                out,
                "<tr><td><a href=\"#v{0}\">{0}</a><td>{1}{protected}<td>{2}<td>{3}<td>",
                checkpoint.version,
                name(checkpoint.label.as_deref().unwrap_or_default()),
                name(&checkpoint.kind),
                timestamp::text(checkpoint.at, false)
            );
            if checkpoint.metadata.text != "{}" {
                checkpoint.metadata.write(out);
            }
        }
        out.push_str("</table></div>");
        if self.more_checkpoints > 0 {
            let _ = write!(out, "<p class=note>And {} older.</p>", self.more_checkpoints);
        }
        out.push_str("</section>\n");
    }

    fn family(&self, out: &mut String) {
        if self.parent.is_none() && self.forks.is_empty() && !self.orphan {
            return;
        }
        out.push_str("<section id=family class=card aria-labelledby=h-family><h2 id=h-family>Forks</h2>");
        if let Some((parent, version)) = &self.parent {
            let _ = write!(out, "<p>This run was forked from <b>{}</b> at its version {version}.</p>", name(parent));
        } else if self.orphan {
            out.push_str("<p>This run was forked from one that was dropped.</p>");
        }
        if !self.forks.is_empty() {
            out.push_str("<p>Forked from this run:</p><ul>");
            for fork in &self.forks {
                let _ = write!(
                    out,
                    "<li><b>{}</b> at <a href=\"#v{1}\">version {1}</a> <span class=\"badge s-{2}\">{2}</span>",
                    name(&fork.run_id),
                    fork.version,
                    escaped(&fork.status)
                );
            }
            out.push_str("</ul>");
            if self.more_forks {
                out.push_str("<p class=note>And more.</p>");
            }
        }
        out.push_str("</section>\n");
    }

    fn earlier(&self, out: &mut String) {
        if self.earlier.is_empty() {
            return;
        }
        out.push_str(
            "<section id=earlier class=card aria-labelledby=h-earlier><h2 id=h-earlier>Earlier runs of this id</h2>\
             <div class=scroll role=region tabindex=0 aria-label=\"Table of earlier runs\"><table>\
             <thead><tr><th scope=col>What<th scope=col>Time<th scope=col>By<th scope=col>Versions<th scope=col>Reason<th scope=col>Seal<tbody>",
        );
        for run in &self.earlier {
            let _ = write!(
                out,
                "<tr><td>{}<td>{}<td>{}<td>{}<td>{}<td><code>{}</code>",
                name(&run.what),
                timestamp::text(run.at, false),
                name(&run.by),
                run.last_version,
                name(run.reason.as_deref().unwrap_or_default()),
                escaped(cut(&run.hash, 16).0)
            );
        }
        out.push_str("</table></div>");
        if self.more_earlier {
            out.push_str("<p class=note>And older ones.</p>");
        }
        out.push_str("</section>\n");
    }
}

//! A run's graph with the states of its nodes: as SVG, as a Mermaid diagram, as lines of text. Pure.

use crate::pure::definition::Definition;
use crate::pure::html::{escaped, is_hidden};
use crate::pure::layout::{self, Group, Line};
use crate::pure::timestamp::span;
use crate::pure::topology::Topology;
use std::collections::BTreeMap;
use std::fmt::Write;

/// A larger graph is told as a list.
const MOST_NODES: usize = 400;
const MOST_EDGES: usize = 1200;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    #[default]
    Pending,
    Running,
    Completed,
    Failed,
    Skipped,
}

impl State {
    pub fn of(name: &str) -> State {
        match name {
            "running" => State::Running,
            "completed" => State::Completed,
            "failed" => State::Failed,
            "skipped" => State::Skipped,
            _ => State::Pending,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            State::Pending => "pending",
            State::Running => "running",
            State::Completed => "completed",
            State::Failed => "failed",
            State::Skipped => "skipped",
        }
    }

    /// The same in a line of text.
    fn mark(self) -> &'static str {
        match self {
            State::Pending => "[ ]",
            State::Running => "[>]",
            State::Completed => "[x]",
            State::Failed => "[!]",
            State::Skipped => "[-]",
        }
    }
}

/// What is known of a node.
#[derive(Clone, Default)]
pub struct Node {
    pub state: State,
    pub attempt: Option<i64>,
    pub worker: Option<String>,
    pub error: Option<String>,
    /// Microseconds of the newest attempt, as far as it has come.
    pub took: Option<i64>,
    /// How often it was completed.
    pub times: usize,
    /// Of a loop: its index and its bound, where it was entered.
    pub index: Option<String>,
    pub bound: Option<String>,
    /// Whom it waits for.
    pub waits: Option<String>,
}

impl Node {
    /// In a few words, of which each says something.
    pub fn words(&self) -> Vec<String> {
        let mut words = vec![self.state.name().to_owned()];
        if let Some(index) = &self.index {
            let bound = self.bound.as_ref().map(|bound| format!(" of {bound}")).unwrap_or_default();
            words.push(match index.as_str() {
                "-1" => "entered".to_owned(),
                _ => format!("iteration {index}{bound}"),
            });
        }
        if self.times > 1 {
            words.push(format!("{} times", self.times));
        }
        if let Some(attempt) = self.attempt.filter(|attempt| *attempt > 1) {
            words.push(format!("attempt {attempt}"));
        }
        words.extend(self.took.map(span));
        words
    }
}

pub struct Picture<'a> {
    /// The nodes of the graph, and those that only the state has.
    pub ids: Vec<String>,
    pub types: Vec<&'a str>,
    pub nodes: Vec<Node>,
    parents: Vec<Group>,
    edges: Vec<layout::Edge>,
    handles: Vec<&'a str>,
    /// Each node after those that lead to it.
    order: Vec<usize>,
}

impl<'a> Picture<'a> {
    pub fn new(definition: &'a Definition, mut known: BTreeMap<String, Node>, tick: fn()) -> Picture<'a> {
        let topology = definition.topology(tick);
        let mut ids: Vec<String> = topology.ids.iter().map(|id| (*id).to_owned()).collect();
        let mut types: Vec<&str> = topology
            .ids
            .iter()
            .map(|id| definition.nodes.get(*id).map_or("", |node| node.type_name.as_str()))
            .collect();
        let mut nodes: Vec<Node> = ids.iter().map(|id| known.remove(id).unwrap_or_default()).collect();
        let mut order = topology.order.clone();
        order.extend(ids.len()..ids.len() + known.len());
        let drawn = ids.len() <= MOST_NODES && definition.edges.len() <= MOST_EDGES;
        let mut parents = if drawn { parents(definition, &topology) } else { vec![None; ids.len()] };
        let mut edges = Vec::new();
        let mut handles = Vec::new();
        for edge in &definition.edges {
            if let (Some(from), Some(to)) = (topology.number(&edge.source), topology.number(&edge.target)) {
                edges.push(layout::Edge { from, to, back: edge.handle == "loop_next" });
                handles.push(edge.handle.as_str());
            }
        }
        for (id, node) in known {
            ids.push(id);
            types.push("");
            nodes.push(node);
            parents.push(None);
        }
        Picture { ids, types, nodes, parents, edges, handles, order }
    }

    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Whether it is small enough to be drawn.
    pub fn is_drawn(&self) -> bool {
        !self.is_empty() && self.ids.len() <= MOST_NODES && self.edges.len() <= MOST_EDGES
    }

    /// Nodes of each state.
    pub fn counts(&self) -> BTreeMap<State, usize> {
        let mut counts = BTreeMap::new();
        self.nodes.iter().for_each(|node| *counts.entry(node.state).or_default() += 1);
        counts
    }

    fn handle(&self, edge: usize) -> Option<&'a str> {
        Some(self.handles[edge]).filter(|handle| !handle.is_empty())
    }

    pub fn svg(&self, tick: fn()) -> String {
        let drawing = layout::draw(&self.parents, &self.edges, tick);
        let (width, height) = drawing.size;
        let mut out = String::new();
        let _ = write!(
            out,
            "<svg class=graph viewBox=\"0 0 {width} {height}\" width={width} height={height} role=img \
             aria-labelledby=\"graph-title graph-text\"><title id=graph-title>The workflow's graph</title>\
             <desc id=graph-text>{}. The table of nodes says the same in words.</desc>\
             <defs><marker id=arrow viewBox=\"0 0 8 8\" refX=7 refY=4 markerWidth=7 markerHeight=7 orient=auto>\
             <path d=\"M0 0L8 4L0 8z\"/></marker></defs>",
            self.summary()
        );
        for (node, depth, place) in &drawing.boxes {
            let _ = write!(
                out,
                "<rect class=\"box d{}\" x={} y={} width={} height={} rx=14><title>The body of loop {}</title></rect>",
                depth % 2,
                place.x,
                place.y,
                place.width,
                place.height,
                escaped(&self.ids[*node])
            );
        }
        for (number, line) in drawing.lines.iter().enumerate() {
            let handle = self.handle(number).filter(|handle| !matches!(*handle, "loop_body" | "loop_next"));
            draw_line(&mut out, line, handle);
        }
        for (number, place) in drawing.nodes.iter().enumerate() {
            let (node, id) = (&self.nodes[number], &self.ids[number]);
            let words = node.words();
            let _ = write!(
                out,
                "<g class=\"n {}{}\" data-n=\"{}\"><title>{}: {}</title><rect x={} y={} width={} height={} rx=10 />\
                 <circle cx={} cy={} r=5 />",
                node.state.name(),
                if node.waits.is_some() { " waits" } else { "" },
                escaped(id),
                escaped(id),
                escaped(&words.join(", ")),
                place.x,
                place.y,
                place.width,
                place.height,
                place.x + 15,
                place.y + 18,
            );
            text(&mut out, "name", place.x + 27, place.y + 22, id, 17);
            let second = match (&node.waits, self.types[number]) {
                (Some(_), _) => "waits for an answer".to_owned(),
                (None, "" | "node") => words.join(", "),
                (None, _) if words.len() > 1 => words.join(", "),
                (None, kind) => format!("{kind}, {}", words[0]),
            };
            text(&mut out, "sub", place.x + 12, place.y + 40, &second, 26);
            out.push_str("</g>");
        }
        out.push_str("</svg>");
        out
    }

    /// How many nodes are in which state.
    pub fn summary(&self) -> String {
        let counts: Vec<String> =
            self.counts().into_iter().map(|(state, count)| format!("{count} {}", state.name())).collect();
        let noun = if self.ids.len() == 1 { "node" } else { "nodes" };
        format!("{} {noun}: {}", self.ids.len(), counts.join(", "))
    }

    /// A diagram for https://mermaid.js.org: a flowchart.
    pub fn mermaid(&self, tick: fn()) -> String {
        let mut out = String::from("flowchart TD\n");
        let mut inside: BTreeMap<Group, Vec<usize>> = BTreeMap::new();
        for node in &self.order {
            inside.entry(self.parents.get(*node).copied().flatten()).or_default().push(*node);
        }
        // What is still to be written of each open box.
        let mut open = vec![inside.remove(&None).unwrap_or_default().into_iter()];
        while let Some(nodes) = open.last_mut() {
            tick();
            let Some(node) = nodes.next() else {
                open.pop();
                if !open.is_empty() {
                    let _ = writeln!(out, "{}end", "    ".repeat(open.len()));
                }
                continue;
            };
            let mut indent = "    ".repeat(open.len());
            let body = inside.remove(&Some(node));
            if body.is_some() {
                let _ = writeln!(out, "{indent}subgraph b{node}[\"loop {}\"]", mermaid_text(&self.ids[node]));
                indent.push_str("    ");
            }
            let words = self.nodes[node].words().join(", ");
            let _ = writeln!(
                out,
                "{indent}n{node}[\"{}<br/>{}\"]:::{}",
                mermaid_text(&self.ids[node]),
                mermaid_text(&words),
                self.nodes[node].state.name()
            );
            if let Some(body) = body {
                open.push(body.into_iter());
            }
        }
        for (number, edge) in self.edges.iter().enumerate() {
            tick();
            let arrow = if edge.back { "-.->" } else { "-->" };
            let label = self.handle(number).map(|handle| format!("|\"{}\"|", mermaid_text(handle)));
            let _ = writeln!(out, "    n{} {arrow}{} n{}", edge.from, label.unwrap_or_default(), edge.to);
        }
        for (state, colours) in [
            (State::Pending, "fill:#f2f3f5,stroke:#8b93a1,color:#33383f"),
            (State::Running, "fill:#dcebff,stroke:#2563c9,color:#0b3a86"),
            (State::Completed, "fill:#dcf3e4,stroke:#1f8a4c,color:#0d5029"),
            (State::Failed, "fill:#fde0e0,stroke:#c62828,color:#861616"),
            (State::Skipped, "fill:#f2f3f5,stroke:#8b93a1,color:#5b626d,stroke-dasharray:4 3"),
        ] {
            let _ = writeln!(out, "    classDef {} {colours}", state.name());
        }
        out
    }

    /// Lines of text, a node each, the body of a loop indented, each with where it leads.
    pub fn lines(&self, tick: fn()) -> Vec<String> {
        let mut inside: BTreeMap<Group, Vec<usize>> = BTreeMap::new();
        for node in &self.order {
            inside.entry(self.parents.get(*node).copied().flatten()).or_default().push(*node);
        }
        let mut leads: Vec<Vec<usize>> = vec![Vec::new(); self.ids.len()];
        self.edges.iter().enumerate().for_each(|(number, edge)| leads[edge.from].push(number));
        let mut lines = Vec::new();
        let mut open = vec![inside.remove(&None).unwrap_or_default().into_iter()];
        while let Some(nodes) = open.last_mut() {
            tick();
            let Some(node) = nodes.next() else {
                open.pop();
                continue;
            };
            let known = &self.nodes[node];
            let kind = self.types[node];
            let kind = if kind.is_empty() { String::new() } else { format!(" ({})", plain(kind)) };
            let mut line = format!(
                "{}{} {}{kind}: {}",
                "    ".repeat(open.len() - 1),
                known.state.mark(),
                plain(&self.ids[node]),
                { known.words().join(", ") }
            );
            if known.state == State::Running
                && let Some(worker) = &known.worker
            {
                let _ = write!(line, ", by {}", plain(worker));
            }
            if let Some(waits) = &known.waits {
                let _ = write!(line, ", waits for {}", plain(waits));
            }
            if let Some(error) = &known.error {
                let _ = write!(line, ", error {}", plain(error));
            }
            let to: Vec<String> = leads[node]
                .iter()
                .map(|edge| {
                    let handle = self.handle(*edge).filter(|handle| *handle != "loop_body");
                    let handle = handle.map(|handle| format!("{}: ", plain(handle))).unwrap_or_default();
                    format!("{handle}{}", plain(&self.ids[self.edges[*edge].to]))
                })
                .collect();
            if !to.is_empty() {
                let _ = write!(line, "  -> {}", to.join(", "));
            }
            lines.push(line);
            if let Some(body) = inside.remove(&Some(node)) {
                open.push(body.into_iter());
            }
        }
        lines
    }
}

/// By node, the loop in whose body it is; of several the innermost, which has the smallest body.
fn parents(definition: &Definition, topology: &Topology<'_>) -> Vec<Group> {
    let mut bodies: Vec<(usize, usize, Vec<usize>)> = Vec::new();
    for (number, id) in topology.ids.iter().enumerate().filter(|(_, id)| definition.is_loop(id)) {
        let body: Vec<usize> = definition.loop_body(id).into_iter().filter_map(|id| topology.number(id)).collect();
        bodies.push((body.len(), number, body));
    }
    bodies.sort_unstable();
    let size: BTreeMap<usize, usize> = bodies.iter().map(|(size, number, _)| (*number, *size)).collect();
    let mut parents = vec![None; topology.ids.len()];
    for (own, number, body) in &bodies {
        for node in body {
            // A loop stands only in larger ones: there is no circle.
            if parents[*node].is_none() && node != number && size.get(node).is_none_or(|size| size < own) {
                parents[*node] = Some(*number);
            }
        }
    }
    parents
}

fn text(out: &mut String, class: &str, x: i32, y: i32, text: &str, most: usize) {
    let shown: String = text.chars().take(most).collect();
    let more = if text.chars().nth(most).is_some() { "&#8230;" } else { "" };
    let _ = write!(out, "<text class={class} x={x} y={y}>{}{more}</text>", escaped(&shown));
}

fn draw_line(out: &mut String, line: &Line, label: Option<&str>) {
    match line {
        Line::Down(points) if points.len() > 1 => {
            let (x, y) = points[0];
            let _ = write!(out, "<path class=e d=\"M{x} {y}");
            for pair in points.windows(2) {
                let [(x1, y1), (x2, y2)] = [pair[0], pair[1]];
                if x1 == x2 {
                    let _ = write!(out, "V{y2}");
                } else {
                    let middle = (y1 + y2) / 2;
                    let _ = write!(out, "C{x1} {middle} {x2} {middle} {x2} {y2}");
                }
            }
            out.push_str("\"/>");
            if let (Some(label), [(x1, y1), (x2, y2), ..]) = (label, points.as_slice()) {
                let (x, y) = (x1 + (x2 - x1) / 3 + 5, y1 + (y2 - y1) / 3 + 8);
                self::text(out, "label", x, y, label, 18);
            }
        }
        Line::Down(_) => {}
        Line::Back { from, column, to } => {
            const ROUND: i32 = 8;
            let up = if to.1 <= from.1 { -ROUND } else { ROUND };
            let _ = write!(
                out,
                "<path class=\"e back\" d=\"M{} {}H{}Q{column} {} {column} {}V{}Q{column} {} {} {}H{}\"/>",
                from.0,
                from.1,
                column - ROUND,
                from.1,
                from.1 + up,
                to.1 - up,
                to.1,
                column - ROUND,
                to.1,
                to.0 + 1
            );
        }
    }
}

/// Text as Mermaid takes it between quotes: whatever could mean something is a code.
fn mermaid_text(text: &str) -> String {
    let mut out = String::new();
    for char in text.chars() {
        match char {
            'a'..='z' | 'A'..='Z' | '0'..='9' | ' ' | '_' | '-' | '.' | ',' | '/' => out.push(char),
            _ if is_hidden(char) => out.push(' '),
            _ => {
                let _ = write!(out, "#{};", char as u32);
            }
        }
    }
    out
}

/// A name on a line: what cannot be seen would break it.
fn plain(text: &str) -> String {
    text.chars().map(|char| if is_hidden(char) { ' ' } else { char }).collect()
}

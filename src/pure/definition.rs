//! Workflow definitions: what is checked when one is defined, and what a run needs of it. Pure.

use crate::pure::merge::pointer_token;
use crate::pure::topology::Topology;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, HashMap, HashSet};

/// What is wrong, as (JSON Pointer, message).
pub type Problems = Vec<(String, String)>;

type Object<'a> = BTreeMap<String, &'a RawValue>;

const MAX_NAME: usize = 255;

/// The handles of edges that lead into a loop's body, and from its end back to it.
const LOOP_BODY: &str = "loop_body";
const LOOP_NEXT: &str = "loop_next";

#[derive(Debug, Default)]
pub struct Definition {
    pub nodes: BTreeMap<String, Node>,
    pub edges: Vec<Edge>,
    /// The places in `edges` of those that leave a node.
    leaving: HashMap<String, Vec<usize>>,
    pub variables: BTreeMap<String, Variable>,
    pub policy: Policy,
    /// The texts of `nodes` and `edges` as they were given.
    pub graph: Graph,
}

#[derive(Debug, Default, Clone)]
pub struct Graph {
    pub nodes: Option<String>,
    pub edges: Option<String>,
}

#[derive(Debug)]
pub struct Node {
    pub type_name: String,
    /// Of a loop: `data.maxCount`.
    pub max_count: Option<i64>,
    /// Of a loop: `data.context` is `"loop"`, so the context of its body leaves the live state when it ends.
    pub scopes_context: bool,
}

#[derive(Debug)]
pub struct Edge {
    /// Its position in the definition.
    pub index: usize,
    pub source: String,
    pub target: String,
    pub handle: String,
}

#[derive(Debug, Default)]
pub struct Variable {
    pub schema: Option<String>,
    pub group: Option<String>,
    pub default: Option<String>,
}

#[derive(Debug, Default)]
pub struct Policy {
    /// Microseconds.
    pub every: Option<i64>,
    pub milestones: Vec<String>,
    pub before: Vec<String>,
    pub bytes: Option<i64>,
    pub value_bytes: Option<i64>,
    pub payload_bytes: Option<i64>,
    pub default_max: Option<i64>,
    pub tolerance: Option<i64>,
    /// Whether runs may not be dropped.
    pub forbids_drop: bool,
}

/// Parses a definition; the second part lists everything that is wrong with it. `tick` is called throughout.
pub fn parse(text: &str, tick: fn()) -> (Definition, Problems) {
    let mut problems = Problems::new();
    let mut definition = Definition::default();
    let Some(top) = object(text) else {
        return (definition, vec![(String::new(), "a definition must be an object".into())]);
    };
    if let Some(nodes) = top.get("nodes") {
        definition.graph.nodes = Some(nodes.get().to_owned());
        parse_nodes(nodes, &mut definition, &mut problems, tick);
    }
    if let Some(edges) = top.get("edges") {
        definition.graph.edges = Some(edges.get().to_owned());
        parse_edges(edges, &mut definition, &mut problems, tick);
    }
    check_graph(&definition, &mut problems, tick);
    if let Some(variables) = top.get("variables") {
        parse_variables(variables, &mut definition, &mut problems, tick);
    }
    if let Some(policy) = top.get("policy") {
        definition.policy = parse_policy(policy, &mut problems);
    }
    (definition, problems)
}

fn object(text: &str) -> Option<Object<'_>> {
    // serde would also fill a map from other things than an object's text.
    text.starts_with('{').then(|| serde_json::from_str(text).ok()).flatten()
}

fn scalar<'a, T: Deserialize<'a>>(object: &Object<'a>, key: &str) -> Option<Option<T>> {
    object.get(key).map(|raw| serde_json::from_str(raw.get()).ok())
}

fn array(raw: &RawValue) -> Option<Vec<&RawValue>> {
    serde_json::from_str(raw.get()).ok()
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().count() <= MAX_NAME && !name.chars().any(char::is_control)
}

fn parse_nodes(raw: &RawValue, definition: &mut Definition, problems: &mut Problems, tick: fn()) {
    let Some(nodes) = array(raw) else {
        return problems.push(("/nodes".into(), "nodes must be an array".into()));
    };
    for (index, node) in nodes.iter().enumerate() {
        tick();
        let path = format!("/nodes/{index}");
        let Some(node) = object(node.get()) else {
            problems.push((path, "a node must be an object with id and type".into()));
            continue;
        };
        let Some(Some(id)) = scalar::<String>(&node, "id").map(|id| id.filter(|id| is_name(id))) else {
            problems.push((format!("{path}/id"), "id must be a name of 1 to 255 characters".into()));
            continue;
        };
        let type_name = match scalar::<String>(&node, "type") {
            Some(Some(name)) if is_name(&name) => name,
            _ => {
                problems.push((format!("{path}/type"), "type must be a name of 1 to 255 characters".into()));
                String::new()
            }
        };
        let mut max_count = None;
        let mut scopes_context = false;
        if type_name == "loop" {
            let data = node.get("data").and_then(|data| object(data.get()));
            scopes_context = data
                .as_ref()
                .is_some_and(|data| scalar::<String>(data, "context").flatten().as_deref() == Some("loop"));
            if let Some(raw) = data.as_ref().and_then(|data| data.get("maxCount")) {
                match serde_json::from_str::<i64>(raw.get()) {
                    Ok(count) if count >= 0 => max_count = Some(count),
                    _ => problems
                        .push((format!("{path}/data/maxCount"), "maxCount must be an integer, at least 0".into())),
                }
            }
        }
        if definition.nodes.insert(id, Node { type_name, max_count, scopes_context }).is_some() {
            problems.push((format!("{path}/id"), "id must not be that of another node".into()));
        }
    }
}

fn parse_edges(raw: &RawValue, definition: &mut Definition, problems: &mut Problems, tick: fn()) {
    let Some(edges) = array(raw) else {
        return problems.push(("/edges".into(), "edges must be an array".into()));
    };
    for (index, edge) in edges.iter().enumerate() {
        tick();
        let path = format!("/edges/{index}");
        let Some(edge) = object(edge.get()) else {
            problems.push((path, "an edge must be an object with source and target".into()));
            continue;
        };
        let mut end = |key: &str| match scalar::<String>(&edge, key) {
            Some(Some(id)) if definition.nodes.contains_key(&id) => Some(id),
            Some(Some(_)) => {
                problems.push((format!("{path}/{key}"), format!("{key} must be a node that exists")));
                None
            }
            _ => {
                problems.push((format!("{path}/{key}"), format!("{key} must be the id of a node")));
                None
            }
        };
        let (source, target) = (end("source"), end("target"));
        let handle = match scalar::<Option<String>>(&edge, "sourceHandle") {
            None => String::new(),
            Some(Some(handle)) => handle.unwrap_or_default(),
            Some(None) => {
                problems.push((format!("{path}/sourceHandle"), "sourceHandle must be a string".into()));
                String::new()
            }
        };
        if let (Some(source), Some(target)) = (source, target) {
            definition.leaving.entry(source.clone()).or_default().push(definition.edges.len());
            definition.edges.push(Edge { index, source, target, handle });
        }
    }
}

fn check_graph(definition: &Definition, problems: &mut Problems, tick: fn()) {
    let topology = definition.topology(tick);
    let outside = definition.ways_back_from_outside(&topology, tick);
    let type_of = |id: &str| definition.nodes.get(id).map(|node| node.type_name.as_str()).unwrap_or("");
    for edge in &definition.edges {
        let path = format!("/edges/{}", edge.index);
        let mut problem = |message: &str| problems.push((path.clone(), message.to_owned()));
        if edge.handle == LOOP_BODY && type_of(&edge.source) != "loop" {
            problem("loop_body must leave a node of type loop");
        }
        if edge.handle == LOOP_NEXT {
            if type_of(&edge.target) != "loop" {
                problem("loop_next must lead back to a node of type loop");
            } else if outside.contains(&edge.index) {
                problem("loop_next must start inside the loop's body");
            }
        }
        let condition = edge.handle.strip_prefix("condition-");
        if condition.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
            && type_of(&edge.source) != "condition"
        {
            problem("condition-N must leave a node of type condition");
        }
    }
    if let Some(id) = Definition::node_in_cycle(&topology, tick) {
        problems.push(("/edges".into(), format!("node {id:?} is on a cycle that no loop_next edge closes")));
    }
}

fn parse_variables(raw: &RawValue, definition: &mut Definition, problems: &mut Problems, tick: fn()) {
    let Some(variables) = object(raw.get()) else {
        return problems.push(("/variables".into(), "variables must be an object".into()));
    };
    for (name, raw) in &variables {
        tick();
        let path = format!("/variables{}", pointer_token(name));
        if !is_name(name) {
            problems.push((
                path.clone(),
                "a variable's name must have 1 to 255 characters, none a control character".into(),
            ));
        }
        let Some(members) = object(raw.get()) else {
            problems.push((path, "a variable must be an object of schema, group and default".into()));
            continue;
        };
        let text = |key: &str| members.get(key).map(|raw| raw.get().to_owned());
        let schema = text("schema");
        if schema.as_ref().is_some_and(|s| !s.starts_with('{') && s != "true" && s != "false") {
            problems.push((format!("{path}/schema"), "a schema must be an object or a boolean".into()));
        }
        let group = match scalar::<Option<String>>(&members, "group") {
            None => None,
            Some(Some(group)) if group.as_deref().is_none_or(is_name) => group,
            Some(_) => {
                problems.push((format!("{path}/group"), "group must be a name of 1 to 255 characters".into()));
                None
            }
        };
        definition.variables.insert(name.clone(), Variable { schema, group, default: text("default") });
    }
}

fn parse_policy(raw: &RawValue, problems: &mut Problems) -> Policy {
    let mut policy = Policy::default();
    let Some(sections) = object(raw.get()) else {
        problems.push(("/policy".into(), "policy must be an object".into()));
        return policy;
    };
    for (section, raw) in &sections {
        let path = format!("/policy{}", pointer_token(section));
        let Some(members) = object(raw.get()) else {
            problems.push((path, "must be an object".into()));
            continue;
        };
        for (key, raw) in &members {
            let path = format!("{path}{}", pointer_token(key));
            let mut integer = |least: i64| match serde_json::from_str::<i64>(raw.get()) {
                Ok(number) if number >= least => Some(number),
                _ => {
                    problems.push((path.clone(), format!("must be an integer, at least {least}")));
                    None
                }
            };
            match (section.as_str(), key.as_str()) {
                ("checkpoint", "bytes") => policy.bytes = integer(1),
                ("limits", "value_bytes") => policy.value_bytes = integer(1),
                ("limits", "payload_bytes") => policy.payload_bytes = integer(1),
                ("loops", "default_max") => policy.default_max = integer(0),
                ("loops", "tolerance") => policy.tolerance = integer(0),
                ("checkpoint", "every") => {
                    policy.every = serde_json::from_str::<String>(raw.get()).ok().and_then(|text| microseconds(&text));
                    if policy.every.is_none() {
                        problems.push((
                            path,
                            "must be a time greater than zero, such as \"5 minutes\" or \"1 hour 30 min\"".into(),
                        ));
                    }
                }
                ("retention", "drop") => match serde_json::from_str::<bool>(raw.get()) {
                    Ok(drop) => policy.forbids_drop = !drop,
                    Err(_) => problems.push((path, "must be true or false".into())),
                },
                ("checkpoint", "milestones" | "before") => match serde_json::from_str::<Vec<String>>(raw.get()) {
                    Ok(types) if key == "before" => policy.before = types,
                    Ok(types) => policy.milestones = types,
                    Err(_) => problems.push((path, "must be an array of node types".into())),
                },
                // A misspelt rule would silently never apply.
                _ => problems.push((path, "is not a rule of a policy".into())),
            }
        }
        if !["checkpoint", "limits", "loops", "retention"].contains(&section.as_str()) {
            problems.push((path, "is not a section of a policy".into()));
        }
    }
    policy
}

/// A time above zero from pairs of number and unit, in microseconds; None for anything else. Months and years have no
/// fixed length.
pub fn microseconds(text: &str) -> Option<i64> {
    let mut words = text.split_whitespace();
    let mut total = 0f64;
    while let Some(number) = words.next() {
        let number: f64 = number.parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0)?;
        let unit = match words.next()?.to_ascii_lowercase().as_str() {
            "us" | "microsecond" | "microseconds" => 1.0,
            "ms" | "millisecond" | "milliseconds" => 1e3,
            "s" | "sec" | "secs" | "second" | "seconds" => 1e6,
            "m" | "min" | "mins" | "minute" | "minutes" => 60e6,
            "h" | "hour" | "hours" => 3600e6,
            "d" | "day" | "days" => 86400e6,
            "w" | "week" | "weeks" => 604800e6,
            _ => return None,
        };
        total += number * unit;
    }
    (1.0..9e18).contains(&total).then_some(total as i64)
}

impl Definition {
    /// The graph by numbers.
    pub fn topology(&self, tick: fn()) -> Topology<'_> {
        let edges = self.forward_edges().map(|edge| (edge.source.as_str(), edge.target.as_str(), self.is_body(edge)));
        Topology::new(self.nodes.keys().map(String::as_str).collect(), edges, tick)
    }

    /// The nodes inside a loop: reachable over its `loop_body` edges without following a `loop_next` edge.
    pub fn loop_body(&self, loop_id: &str) -> HashSet<&str> {
        let from = |id: &str| self.leaving.get(id).into_iter().flatten().map(|place| &self.edges[*place]);
        let mut body = HashSet::new();
        let mut open: Vec<&str> =
            from(loop_id).filter(|edge| edge.handle == LOOP_BODY).map(|edge| edge.target.as_str()).collect();
        while let Some(id) = open.pop() {
            if body.insert(id) {
                open.extend(from(id).filter(|edge| edge.handle != LOOP_NEXT).map(|edge| edge.target.as_str()));
            }
        }
        body
    }

    /// Edges that lead on: all but `loop_next`.
    pub fn forward_edges(&self) -> impl Iterator<Item = &Edge> {
        self.edges.iter().filter(|edge| edge.handle != LOOP_NEXT)
    }

    /// Whether an edge leads into the body of a loop.
    pub fn is_body(&self, edge: &Edge) -> bool {
        edge.handle == LOOP_BODY && self.is_loop(&edge.source)
    }

    pub fn is_loop(&self, id: &str) -> bool {
        self.nodes.get(id).is_some_and(|node| node.type_name == "loop")
    }

    /// The `loop_next` edges that do not start inside the body of the loop that they lead to, by their index.
    fn ways_back_from_outside(&self, topology: &Topology<'_>, tick: fn()) -> HashSet<usize> {
        let back: Vec<&Edge> = self.edges.iter().filter(|edge| edge.handle == LOOP_NEXT).collect();
        let number = |id: &str| topology.number(id).unwrap_or_default();
        let pairs: Vec<(usize, usize)> = back.iter().map(|edge| (number(&edge.target), number(&edge.source))).collect();
        let inside = topology.are_inside(&pairs, tick);
        back.iter().zip(inside).filter(|(_, inside)| !inside).map(|(edge, _)| edge.index).collect()
    }

    /// A node on a cycle of forward edges, where there is one: what is left when nodes without predecessors are taken
    /// away again and again.
    fn node_in_cycle<'a>(topology: &Topology<'a>, tick: fn()) -> Option<&'a str> {
        let mut incoming = vec![0usize; topology.ids.len()];
        topology.next.iter().flatten().for_each(|lead| incoming[lead.to] += 1);
        let mut free: Vec<usize> = (0..incoming.len()).filter(|node| incoming[*node] == 0).collect();
        let mut left = vec![true; incoming.len()];
        while let Some(node) = free.pop() {
            tick();
            left[node] = false;
            for lead in &topology.next[node] {
                incoming[lead.to] -= 1;
                if incoming[lead.to] == 0 {
                    free.push(lead.to);
                }
            }
        }
        left.iter().position(|left| *left).map(|node| topology.ids[node])
    }
}

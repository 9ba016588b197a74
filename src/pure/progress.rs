//! Where a run goes on in its graph. Pure, and linear in nodes and edges.
//!
//! An edge leads on once what it leaves is done, and is off where what it leaves will not be done. A node is ready when no edge
//! that leads to it is still waited for, and at least one leads on. docs/execution.md says the same in words for users.

use crate::pure::definition::Definition;
use crate::pure::topology::Topology;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Status {
    /// Also of a node of which nothing is known.
    Pending,
    /// Somebody works on it.
    Running,
    /// Somebody worked on it.
    Lost,
    Failed,
    Completed,
    Skipped,
}

/// Where a loop stands that was entered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Turn {
    /// Before its first iteration.
    Entered,
    Iterates,
    Over,
}

/// What an edge says to the node that it leads to.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Says {
    Wait,
    Go,
    /// The branch was not taken.
    Off,
    /// It lies in the body of a loop that is over.
    Over,
}

/// What all edges that lead to a node say.
#[derive(Clone, Copy, Default)]
struct Heard {
    wait: bool,
    go: bool,
    /// An edge that says so does not leave a condition.
    go_unconditionally: bool,
    off: bool,
    over: bool,
}

impl Heard {
    fn hear(&mut self, says: Says, from_condition: bool) {
        match says {
            Says::Wait => self.wait = true,
            Says::Go => {
                self.go = true;
                self.go_unconditionally |= !from_condition;
            }
            Says::Off => self.off = true,
            Says::Over => self.over = true,
        }
    }

    fn together(self) -> Says {
        match self {
            Heard { wait: true, .. } => Says::Wait,
            Heard { go: true, .. } => Says::Go,
            Heard { off: true, .. } => Says::Off,
            Heard { over: true, .. } => Says::Over,
            // Nothing leads to it.
            _ => Says::Go,
        }
    }

    /// A skipped node that only conditions lead to is a branch that was not taken; any other is a step that was left out.
    fn is_not_taken(self) -> bool {
        self.go && !self.go_unconditionally && !self.wait
    }
}

struct Progress<'a> {
    graph: &'a Topology<'a>,
    status: Vec<Status>,
    turn: Vec<Option<Turn>>,
    is_condition: Vec<bool>,
}

/// The nodes to go on with, by their ids.
pub fn resume_points<'a>(
    definition: &Definition,
    graph: &'a Topology<'a>,
    status: impl Fn(&str) -> Status,
    turn: impl Fn(&str) -> Option<Turn>,
    tick: fn(),
) -> Vec<&'a str> {
    let is_condition = |id: &&str| definition.nodes.get(*id).is_some_and(|node| node.type_name == "condition");
    let mut progress = Progress {
        graph,
        status: graph.ids.iter().map(|id| status(id)).collect(),
        turn: graph.ids.iter().map(|id| turn(id)).collect(),
        is_condition: graph.ids.iter().map(is_condition).collect(),
    };
    progress.infer_turns(tick);
    let (ready, reached) = progress.ready(tick);
    let points = progress.with_iterations(ready, &reached, tick);
    graph.ids.iter().zip(points).filter(|(_, is)| *is).map(|(id, _)| *id).collect()
}

impl Progress<'_> {
    /// Whether a node is done; of a loop, whether it is over.
    fn is_done(&self, node: usize) -> bool {
        match self.status[node] {
            Status::Completed | Status::Skipped => true,
            Status::Pending => self.turn[node] == Some(Turn::Over),
            _ => false,
        }
    }

    /// A loop that nobody entered, but in whose body something has come to an end, is in an iteration: its engine keeps no index.
    fn infer_turns(&mut self, tick: fn()) {
        let mut ended = vec![false; self.status.len()];
        for node in self.graph.order.iter().rev().copied() {
            tick();
            let leads = || self.graph.next[node].iter().filter(|lead| !lead.back);
            if self.turn[node].is_none() && leads().any(|lead| lead.body && ended[lead.to]) {
                self.turn[node] = Some(Turn::Iterates);
            }
            ended[node] = matches!(self.status[node], Status::Completed | Status::Failed | Status::Lost)
                || leads().any(|lead| ended[lead.to]);
        }
    }

    /// Which nodes are ready, lost or failed; and to which the run has come.
    fn ready(&self, tick: fn()) -> (Vec<bool>, Vec<bool>) {
        let mut heard = vec![Heard::default(); self.status.len()];
        let mut ready = vec![false; self.status.len()];
        let mut reached = vec![false; self.status.len()];
        for node in self.graph.order.iter().copied() {
            tick();
            let told = heard[node].together();
            reached[node] = told == Says::Go;
            let (done, turn) = (self.is_done(node), self.turn[node]);
            ready[node] = match self.status[node] {
                Status::Lost => true,
                Status::Failed => told != Says::Over,
                // A loop that was entered is ready when its iteration is over, which is seen from its body.
                Status::Pending => told == Says::Go && !done && turn.is_none(),
                _ => false,
            };
            let onward = match (self.status[node], told) {
                (_, Says::Over) => Says::Over,
                (Status::Skipped, _) if heard[node].is_not_taken() => Says::Off,
                (Status::Skipped, told) => told,
                _ if done => Says::Go,
                (Status::Pending, Says::Off) => Says::Off,
                _ => Says::Wait,
            };
            let inside = match turn {
                _ if done || onward == Says::Over || turn == Some(Turn::Over) => Says::Over,
                Some(Turn::Iterates) if told == Says::Go => Says::Go,
                // Its index may be one of an iteration before of a loop around it.
                _ => onward,
            };
            for lead in self.graph.next[node].iter().filter(|lead| !lead.back) {
                heard[lead.to].hear(if lead.body { inside } else { onward }, self.is_condition[node]);
            }
        }
        (ready, reached)
    }

    /// And the loops in whose body nothing is left to be done: the inner ones first, which are something to be done for the
    /// ones around them.
    fn with_iterations(&self, mut points: Vec<bool>, reached: &[bool], tick: fn()) -> Vec<bool> {
        let mut busy = vec![false; self.status.len()];
        for node in self.graph.order.iter().rev().copied() {
            tick();
            let leads = || self.graph.next[node].iter().filter(|lead| !lead.back);
            if self.status[node] == Status::Pending && reached[node] {
                points[node] |= match self.turn[node] {
                    Some(Turn::Entered) => true,
                    Some(Turn::Iterates) => !leads().any(|lead| lead.body && busy[lead.to]),
                    Some(Turn::Over) | None => false,
                };
            }
            busy[node] = points[node] || self.status[node] == Status::Running || leads().any(|lead| busy[lead.to]);
        }
        points
    }
}

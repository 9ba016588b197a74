//! A definition's graph by numbers, in an order in which edges lead onward. Pure.

use std::collections::HashMap;

pub struct Topology<'a> {
    /// The nodes' ids, sorted; a node's number is its place here.
    pub ids: Vec<&'a str>,
    numbers: HashMap<&'a str, usize>,
    /// The forward edges (all but `loop_next`) that leave each node.
    pub next: Vec<Vec<Lead>>,
    /// All nodes, each after those that lead to it.
    pub order: Vec<usize>,
}

pub struct Lead {
    pub to: usize,
    /// Whether it leads into the body of a loop.
    pub body: bool,
    /// Whether it closes a cycle, which a definition must not have, but a saved document may: it leads back, not onward.
    pub back: bool,
}

impl<'a> Topology<'a> {
    /// From the ids of nodes, sorted, and the forward edges: source, target, and whether each leads into the body of a loop.
    pub fn new(ids: Vec<&'a str>, edges: impl Iterator<Item = (&'a str, &'a str, bool)>, tick: fn()) -> Topology<'a> {
        let numbers: HashMap<&str, usize> = ids.iter().enumerate().map(|(number, id)| (*id, number)).collect();
        let mut topology = Topology { next: ids.iter().map(|_| Vec::new()).collect(), order: Vec::new(), ids, numbers };
        let mut is_root = vec![true; topology.ids.len()];
        for (source, target, body) in edges {
            tick();
            let (Some(from), Some(to)) = (topology.number(source), topology.number(target)) else {
                continue;
            };
            topology.next[from].push(Lead { to, body, back: false });
            is_root[to] = false;
        }
        topology.sort(&is_root, tick);
        topology
    }

    pub fn number(&self, id: &str) -> Option<usize> {
        self.numbers.get(id).copied()
    }

    /// By a node's number, its place in the order.
    pub fn places(&self) -> Vec<usize> {
        let mut places = vec![0; self.order.len()];
        self.order.iter().enumerate().for_each(|(place, node)| places[*node] = place);
        places
    }

    /// Depth first, from the nodes to which nothing leads, then from what is left: there every node is on a cycle, or
    /// behind one. The reverse of the order in which nodes are left is the one that is wanted.
    fn sort(&mut self, is_root: &[bool], tick: fn()) {
        const NEW: u8 = 0;
        const OPEN: u8 = 1;
        const LEFT: u8 = 2;
        let all = self.ids.len();
        let mut state = vec![NEW; all];
        let roots = (0..all).filter(|node| is_root[*node]);
        let starts: Vec<usize> = roots.chain((0..all).filter(|node| !is_root[*node])).collect();
        let mut open: Vec<(usize, usize)> = Vec::new();
        for start in starts {
            if state[start] != NEW {
                continue;
            }
            state[start] = OPEN;
            open.push((start, 0));
            while let Some((node, edge)) = open.last_mut() {
                tick();
                let Some(lead) = self.next[*node].get_mut(*edge) else {
                    state[*node] = LEFT;
                    self.order.push(*node);
                    open.pop();
                    continue;
                };
                *edge += 1;
                match state[lead.to] {
                    NEW => {
                        state[lead.to] = OPEN;
                        open.push((lead.to, 0));
                    }
                    OPEN => lead.back = true,
                    _ => {}
                }
            }
        }
        self.order.reverse();
    }

    /// Whether each pair (loop, node) has the node inside the loop's body: reached over its `loop_body` edges.
    /// The bodies of 512 loops at a time, each a bit of a node, since those of nested loops have most nodes in common.
    pub fn are_inside(&self, pairs: &[(usize, usize)], tick: fn()) -> Vec<bool> {
        const WORDS: usize = 8;
        const BITS: usize = u64::BITS as usize;
        let mut loops: Vec<usize> = pairs.iter().map(|(loop_, _)| *loop_).collect();
        loops.sort_unstable();
        loops.dedup();
        let mut inside = vec![false; pairs.len()];
        let mut place = vec![0; self.ids.len()];
        for chunk in loops.chunks(WORDS * BITS) {
            let mut reached = vec![[0u64; WORDS]; self.ids.len()];
            for (bit, loop_) in chunk.iter().enumerate() {
                place[*loop_] = bit;
                for lead in self.next[*loop_].iter().filter(|lead| lead.body) {
                    reached[lead.to][bit / BITS] |= 1 << (bit % BITS);
                }
            }
            // Once in order; only edges that lead back ask for another round.
            loop {
                let mut again = false;
                for node in &self.order {
                    tick();
                    let bits = reached[*node];
                    for lead in &self.next[*node] {
                        for (there, bits) in reached[lead.to].iter_mut().zip(bits) {
                            again |= lead.back && bits & !*there != 0;
                            *there |= bits;
                        }
                    }
                }
                if !again {
                    break;
                }
            }
            for (pair, (loop_, node)) in pairs.iter().enumerate() {
                if chunk.binary_search(loop_).is_ok() {
                    let bit = place[*loop_];
                    inside[pair] = reached[*node][bit / BITS] >> (bit % BITS) & 1 == 1;
                }
            }
        }
        inside
    }
}

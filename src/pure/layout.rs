//! Where the nodes of a graph stand when it is drawn: in layers from top to bottom; the body of a loop in a box, which is one of
//! the things in the layers around it. Pure.
//!
//! For each box, inside out: layers by the longest path, so that edges lead down; places for long edges in the layers between;
//! an order within each layer in which few edges cross (barycentres); and the positions nearest to those of the neighbours.

use std::collections::HashMap;

pub const NODE: (i32, i32) = (172, 50);
const GAP: (i32, i32) = (26, 44);
const PADDING: i32 = 18;
/// Between lines that lead back, beside a box's content.
const LANE: i32 = 12;
const MOST_LANES: usize = 6;
/// Places for long edges: what comes after so many of them goes straight.
const MOST_BENDS: usize = 4000;

pub struct Edge {
    pub from: usize,
    pub to: usize,
    /// Whether it leads back to a loop.
    pub back: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Place {
    pub x: i32,
    pub y: i32,
    pub width: i32,
    pub height: i32,
}

#[derive(Debug, PartialEq)]
pub enum Line {
    /// From the bottom of one thing to the top of another, through points.
    Down(Vec<(i32, i32)>),
    /// From the right of one thing to the right of another, by way of this column.
    Back { from: (i32, i32), column: i32, to: (i32, i32) },
}

pub struct Drawing {
    pub size: (i32, i32),
    pub nodes: Vec<Place>,
    /// The boxes of loops that have a body: the loop's node, how deep it is nested, where it stands; the outer ones first.
    pub boxes: Vec<(usize, usize, Place)>,
    /// For each edge.
    pub lines: Vec<Line>,
}

/// A box, or all around the boxes.
pub type Group = Option<usize>;

/// What stands in one layer: a node or box, or the place where a long edge passes.
#[derive(Clone, Copy, PartialEq)]
enum Slot {
    Item(usize),
    Bend(usize),
}

#[derive(Default)]
struct Inner {
    size: (i32, i32),
    /// By node: the place of it, or of its box, within this one.
    items: HashMap<usize, Place>,
    /// By edge: its bends, or the column that it leads back in.
    bends: HashMap<usize, Vec<(i32, i32)>>,
    back: HashMap<usize, i32>,
}

struct Layout<'a> {
    /// The loop in whose body each node is.
    parents: &'a [Group],
    edges: &'a [Edge],
    has_body: Vec<bool>,
    groups: HashMap<Group, Inner>,
    bends: usize,
    tick: fn(),
}

/// `parents` has no circle.
pub fn draw(parents: &[Group], edges: &[Edge], tick: fn()) -> Drawing {
    let mut has_body = vec![false; parents.len()];
    parents.iter().flatten().for_each(|parent| has_body[*parent] = true);
    let mut members: HashMap<Group, Vec<usize>> = HashMap::from([(None, Vec::new())]);
    for (node, parent) in parents.iter().enumerate() {
        members.entry(*parent).or_default().push(node);
    }
    let mut layout = Layout { parents, edges, has_body, groups: HashMap::new(), bends: 0, tick };
    let mut between: HashMap<Group, Vec<(usize, usize, usize)>> = HashMap::new();
    for (number, edge) in edges.iter().enumerate() {
        let group = layout.around(edge.from, edge.to);
        let ends = [edge.from, edge.to].map(|node| layout.item(group, node));
        between.entry(group).or_default().push((number, ends[0], ends[1]));
    }
    // Inside out.
    let mut order: Vec<(usize, Group)> = members.keys().map(|group| (layout.depth(*group), *group)).collect();
    order.sort_unstable_by(|a, b| b.cmp(a));
    for (_, group) in &order {
        let mut items: Vec<usize> = group.iter().copied().collect();
        items.extend(members.get(group).into_iter().flatten());
        let inner = layout.arrange(*group, &items, between.get(group).map_or(&[], Vec::as_slice));
        layout.groups.insert(*group, inner);
    }
    layout.settle(&order)
}

impl Layout<'_> {
    fn depth(&self, mut group: Group) -> usize {
        let mut depth = 0;
        while let Some(node) = group {
            (depth, group) = (depth + 1, self.parents[node]);
        }
        depth
    }

    /// The groups that a node is in, from the inside; a loop's node is in its own.
    fn groups_of(&self, node: usize) -> impl Iterator<Item = Group> {
        let first = if self.has_body[node] { Some(node) } else { self.parents[node] };
        std::iter::successors(Some(first), |group| group.map(|node| self.parents[node]))
    }

    /// The innermost group that two nodes are in.
    fn around(&self, a: usize, b: usize) -> Group {
        self.groups_of(a).find(|group| self.groups_of(b).any(|other| other == *group)).flatten()
    }

    /// What a node is in, of the things in a group.
    fn item(&self, group: Group, mut node: usize) -> usize {
        while group != Some(node) && self.parents[node] != group {
            let Some(parent) = self.parents[node] else { break };
            node = parent;
        }
        node
    }

    fn size(&self, group: Group, node: usize) -> (i32, i32) {
        if group != Some(node) && self.has_body[node] { self.groups[&Some(node)].size } else { NODE }
    }

    fn arrange(&mut self, group: Group, items: &[usize], edges: &[(usize, usize, usize)]) -> Inner {
        let number: HashMap<usize, usize> = items.iter().enumerate().map(|(number, node)| (*node, number)).collect();
        let leads: Vec<(usize, usize, usize)> =
            edges.iter().map(|(edge, a, b)| (*edge, number[a], number[b])).collect();
        let (layer_of, back) = self.layers(items.len(), &leads);
        let mut layers: Vec<Vec<Slot>> = vec![Vec::new(); layer_of.iter().max().map_or(0, |last| last + 1)];
        for (item, layer) in layer_of.iter().enumerate() {
            layers[*layer].push(Slot::Item(item));
        }
        // Chains of slots: what leads from one layer to the next.
        let mut links: Vec<(usize, Slot, Slot)> = Vec::new();
        for (at, (edge, a, b)) in leads.iter().enumerate().filter(|(at, _)| !back[*at]) {
            let (from, to) = (layer_of[*a], layer_of[*b]);
            self.bends += to - from - 1;
            let passes = if self.bends <= MOST_BENDS { from + 1..to } else { 0..0 };
            let mut above = Slot::Item(*a);
            let mut last = from;
            for layer in passes {
                layers[layer].push(Slot::Bend(*edge));
                links.push((layer - 1, above, Slot::Bend(*edge)));
                (above, last) = (Slot::Bend(*edge), layer);
            }
            if last + 1 == to {
                links.push((last, above, Slot::Item(leads[at].2)));
            }
        }
        let neighbours = Neighbours::new(&layers, &links);
        neighbours.untangle(&mut layers, self.tick);
        let size = |slot: &Slot| match slot {
            Slot::Item(item) => self.size(group, items[*item]),
            Slot::Bend(_) => (LANE, 0),
        };
        let centres = neighbours.centres(&layers, &size, self.tick);
        let mut inner = Inner::default();
        let mut y = 0;
        for (number, layer) in layers.iter().enumerate() {
            let height = layer.iter().map(|slot| size(slot).1).max().unwrap_or_default();
            for (slot, centre) in layer.iter().zip(&centres[number]) {
                let (width, own) = size(slot);
                match slot {
                    Slot::Item(item) => {
                        let place = Place { x: centre - width / 2, y, width, height: own };
                        inner.items.insert(items[*item], place);
                    }
                    Slot::Bend(edge) => {
                        inner.bends.entry(*edge).or_default().extend([(*centre, y), (*centre, y + height)]);
                    }
                }
            }
            y += height + GAP.1;
        }
        let width = layers.iter().zip(&centres).flat_map(|(layer, centres)| {
            layer.iter().zip(centres).map(|(slot, centre)| centre + size(slot).0 - size(slot).0 / 2)
        });
        let width = width.max().unwrap_or_default();
        let mut lanes = 0;
        for (at, (edge, ..)) in leads.iter().enumerate().filter(|(at, _)| back[*at]) {
            let _ = at;
            lanes = (lanes + 1).min(MOST_LANES);
            inner.back.insert(*edge, width + LANE * lanes as i32);
        }
        let width = width + LANE * lanes as i32;
        inner.size = (width + 2 * PADDING, (y - GAP.1).max(0) + 2 * PADDING);
        inner
    }

    /// By item, the layer that it stands in; by lead, whether it leads back.
    fn layers(&self, items: usize, leads: &[(usize, usize, usize)]) -> (Vec<usize>, Vec<bool>) {
        let mut next: Vec<Vec<usize>> = vec![Vec::new(); items];
        let mut is_root = vec![true; items];
        let mut back: Vec<bool> = leads.iter().map(|(edge, a, b)| self.edges[*edge].back || a == b).collect();
        for (at, (_, a, b)) in leads.iter().enumerate().filter(|(at, _)| !back[*at]).collect::<Vec<_>>() {
            next[*a].push(at);
            is_root[*b] = false;
        }
        // Depth first; an edge to a node that is open closes a circle.
        let (mut state, mut order, mut open) = (vec![0u8; items], Vec::new(), Vec::<(usize, usize)>::new());
        let starts = (0..items).filter(|item| is_root[*item]).chain((0..items).filter(|item| !is_root[*item]));
        for start in starts.collect::<Vec<_>>() {
            if state[start] != 0 {
                continue;
            }
            state[start] = 1;
            open.push((start, 0));
            while let Some((item, at)) = open.last_mut() {
                (self.tick)();
                let Some(lead) = next[*item].get(*at).copied() else {
                    state[*item] = 2;
                    order.push(*item);
                    open.pop();
                    continue;
                };
                *at += 1;
                let to = leads[lead].2;
                match state[to] {
                    0 => {
                        state[to] = 1;
                        open.push((to, 0));
                    }
                    1 => back[lead] = true,
                    _ => {}
                }
            }
        }
        let mut layer = vec![0; items];
        for item in order.into_iter().rev() {
            for lead in next[item].iter().filter(|lead| !back[**lead]) {
                let to = leads[*lead].2;
                layer[to] = layer[to].max(layer[item] + 1);
            }
        }
        (layer, back)
    }

    /// From the outside in: where everything stands in the whole.
    fn settle(&self, order: &[(usize, Group)]) -> Drawing {
        let mut nodes = vec![Place::default(); self.parents.len()];
        let mut boxes = Vec::new();
        let mut origins: HashMap<Group, (i32, i32)> = HashMap::from([(None, (0, 0))]);
        let mut lines: Vec<Option<Line>> = self.edges.iter().map(|_| None).collect();
        for (depth, group) in order.iter().rev() {
            let (left, top) = origins[group];
            let (left, top) = (left + PADDING, top + PADDING);
            for (node, place) in &self.groups[group].items {
                let place = Place { x: place.x + left, y: place.y + top, ..*place };
                if *group != Some(*node) && self.has_body[*node] {
                    origins.insert(Some(*node), (place.x, place.y));
                    boxes.push((*node, *depth, place));
                } else {
                    nodes[*node] = place;
                }
            }
        }
        boxes.sort_unstable_by_key(|(node, depth, _)| (*depth, *node));
        let box_of: HashMap<usize, Place> = boxes.iter().map(|(node, _, place)| (*node, *place)).collect();
        for (group, inner) in &self.groups {
            let (left, top) = origins[group];
            let (left, top) = (left + PADDING, top + PADDING);
            let end = |node: usize| {
                let place = if *group == Some(node) { None } else { box_of.get(&node) };
                *place.unwrap_or(&nodes[node])
            };
            for (number, edge) in self.edges.iter().enumerate() {
                if self.around(edge.from, edge.to) != *group {
                    continue;
                }
                let (from, to) = (end(edge.from), end(edge.to));
                lines[number] = Some(match inner.back.get(&number) {
                    Some(column) => Line::Back {
                        from: (from.x + from.width, from.y + from.height / 2),
                        column: column + left,
                        to: (to.x + to.width, to.y + to.height / 2),
                    },
                    None => {
                        let bends = inner.bends.get(&number).into_iter().flatten();
                        let mut points = vec![(from.x + from.width / 2, from.y + from.height)];
                        points.extend(bends.map(|(x, y)| (x + left, y + top)));
                        points.push((to.x + to.width / 2, to.y));
                        Line::Down(points)
                    }
                });
            }
        }
        let lines = lines.into_iter().map(|line| line.unwrap_or(Line::Down(Vec::new()))).collect();
        Drawing { size: self.groups[&None].size, nodes, boxes, lines }
    }
}

/// Of each slot, those that it is linked to in the layers above and below.
struct Neighbours {
    above: HashMap<(usize, usize), Vec<(usize, usize)>>,
    below: HashMap<(usize, usize), Vec<(usize, usize)>>,
}

/// A layer, and a number that stays with a slot in whatever order its layer is.
fn name(layer: usize, slot: Slot) -> (usize, usize) {
    match slot {
        Slot::Item(item) => (layer, 2 * item),
        Slot::Bend(edge) => (layer, 2 * edge + 1),
    }
}

impl Neighbours {
    fn new(_layers: &[Vec<Slot>], links: &[(usize, Slot, Slot)]) -> Neighbours {
        let mut neighbours = Neighbours { above: HashMap::new(), below: HashMap::new() };
        for (layer, from, to) in links {
            let (from, to) = (name(*layer, *from), name(layer + 1, *to));
            neighbours.below.entry(from).or_default().push(to);
            neighbours.above.entry(to).or_default().push(from);
        }
        neighbours
    }

    /// Orders each layer by where the neighbours stand: down and up, until the layers have settled.
    fn untangle(&self, layers: &mut [Vec<Slot>], tick: fn()) {
        const SWEEPS: usize = 8;
        let mut place: HashMap<(usize, usize), f64> = HashMap::new();
        let note = |place: &mut HashMap<(usize, usize), f64>, number: usize, layer: &[Slot]| {
            let width = layer.len() as f64;
            for (at, slot) in layer.iter().enumerate() {
                place.insert(name(number, *slot), (at as f64 + 0.5) / width);
            }
        };
        layers.iter().enumerate().for_each(|(number, layer)| note(&mut place, number, layer));
        for sweep in 0..SWEEPS {
            let down = sweep % 2 == 0;
            let order: Vec<usize> = if down { (1..layers.len()).collect() } else { (0..layers.len()).rev().collect() };
            for number in order {
                tick();
                let side = if down { &self.above } else { &self.below };
                let mut keyed: Vec<(f64, Slot)> = layers[number]
                    .iter()
                    .map(|slot| {
                        let own = name(number, *slot);
                        (mean(side.get(&own), &place).unwrap_or(place[&own]), *slot)
                    })
                    .collect();
                keyed.sort_by(|(a, _), (b, _)| a.total_cmp(b));
                layers[number] = keyed.into_iter().map(|(_, slot)| slot).collect();
                note(&mut place, number, &layers[number]);
            }
        }
    }

    /// Where the middle of each slot is: as near to the middle of its neighbours as those beside it allow.
    fn centres(&self, layers: &[Vec<Slot>], size: &impl Fn(&Slot) -> (i32, i32), tick: fn()) -> Vec<Vec<i32>> {
        const PASSES: usize = 12;
        let mut at: HashMap<(usize, usize), f64> = HashMap::new();
        // From the left, each slot beside the one before.
        let offsets: Vec<Vec<f64>> = layers
            .iter()
            .map(|layer| {
                let mut x = 0.0;
                layer
                    .iter()
                    .map(|slot| {
                        let width = f64::from(size(slot).0);
                        x += width + f64::from(GAP.0);
                        x - f64::from(GAP.0) - width / 2.0
                    })
                    .collect()
            })
            .collect();
        let total = |layer: usize| {
            let last = layers[layer].last().map_or(0.0, |slot| f64::from(size(slot).0) / 2.0);
            offsets[layer].last().map_or(0.0, |offset| offset + last)
        };
        for (number, layer) in layers.iter().enumerate() {
            for (slot, offset) in layer.iter().zip(&offsets[number]) {
                at.insert(name(number, *slot), offset - total(number) / 2.0);
            }
        }
        for pass in 0..PASSES {
            let order: Vec<usize> =
                if pass % 2 == 0 { (0..layers.len()).collect() } else { (0..layers.len()).rev().collect() };
            for number in order {
                tick();
                let wanted: Vec<f64> = layers[number]
                    .iter()
                    .zip(&offsets[number])
                    .map(|(slot, offset)| {
                        let own = name(number, *slot);
                        let near = match pass % 3 {
                            0 => mean(self.above.get(&own), &at).or(mean(self.below.get(&own), &at)),
                            1 => mean(self.below.get(&own), &at).or(mean(self.above.get(&own), &at)),
                            _ => match (mean(self.above.get(&own), &at), mean(self.below.get(&own), &at)) {
                                (Some(above), Some(below)) => Some((above + below) / 2.0),
                                (above, below) => above.or(below),
                            },
                        };
                        near.unwrap_or(at[&own]) - offset
                    })
                    .collect();
                for ((slot, offset), shift) in layers[number].iter().zip(&offsets[number]).zip(ascending(&wanted)) {
                    at.insert(name(number, *slot), offset + shift);
                }
            }
        }
        let left = layers.iter().enumerate().flat_map(|(number, layer)| {
            let at = &at;
            layer.iter().map(move |slot| (at[&name(number, *slot)], slot))
        });
        let left = left.map(|(centre, slot)| centre - f64::from(size(slot).0) / 2.0).fold(f64::INFINITY, f64::min);
        let place = |number: usize, slot: &Slot| (at[&name(number, *slot)] - left).round() as i32;
        layers
            .iter()
            .enumerate()
            .map(|(number, layer)| layer.iter().map(|slot| place(number, slot)).collect())
            .collect()
    }
}

fn mean(of: Option<&Vec<(usize, usize)>>, place: &HashMap<(usize, usize), f64>) -> Option<f64> {
    let of = of.filter(|of| !of.is_empty())?;
    Some(of.iter().map(|slot| place[slot]).sum::<f64>() / of.len() as f64)
}

/// The numbers nearest to these of which none is less than the one before: neighbours that would be are pooled.
fn ascending(wanted: &[f64]) -> Vec<f64> {
    let mut pools: Vec<(f64, usize)> = Vec::new();
    for value in wanted {
        let mut pool = (*value, 1);
        while let Some((before, size)) = pools.last().copied().filter(|(before, _)| *before > pool.0) {
            pool = ((before * size as f64 + pool.0 * pool.1 as f64) / (size + pool.1) as f64, size + pool.1);
            pools.pop();
        }
        pools.push(pool);
    }
    pools.into_iter().flat_map(|(value, size)| std::iter::repeat_n(value, size)).collect()
}

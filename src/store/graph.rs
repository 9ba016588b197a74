//! Rows of `layra.graph`: a run's graph (`nodes` and `edges`), stored once per distinct content and owner; a run refers to it by
//! a cell.

use crate::pure::definition::Graph;
use crate::pure::hash::{Hash, hex, value_hash};
use crate::server::columns::Columns;
use crate::server::jsonb::Jsonb;
use crate::server::spi::{At, Rows};
use crate::store::db::Db;
use crate::store::statement::statement;
use pgrx::IntoDatum;
use serde::{Deserialize, Serialize};

statement! {
    INSERT_GRAPH, [TEXTOID, BYTEAOID, JSONBOID, JSONBOID], "/* layra.insert_graph */
INSERT INTO layra.graph (owner, hash, nodes, edges)
SELECT $1, $2, $3, $4 WHERE NOT EXISTS (
    SELECT FROM layra.graph g WHERE g.owner OPERATOR(pg_catalog.=) $1 AND g.hash OPERATOR(pg_catalog.=) $2)"
}

statement! {
    GET_GRAPH, [TEXTOID, BYTEAOID], "/* layra.get_graph */
SELECT g.nodes, g.edges FROM layra.graph g WHERE g.owner OPERATOR(pg_catalog.=) $1 AND g.hash OPERATOR(pg_catalog.=) $2 LIMIT 1"
}

statement! {
    /// Some graphs, behind one.
    VERIFY_GRAPHS, [TEXTOID, BYTEAOID, TEXTOID], "/* layra.verify_graphs */
SELECT g.owner, g.hash, g.xact, g.nodes, g.edges FROM layra.graph g
WHERE ROW(g.owner, g.hash, g.xact) OPERATOR(pg_catalog.>) ROW($1, $2, $3::pg_catalog.xid8)
ORDER BY g.owner, g.hash, g.xact LIMIT 100"
}

/// The engine cell that says which stored graph the run uses.
pub const CELL: &str = "layra.graph";

/// The value of that cell.
#[derive(Serialize, Deserialize)]
pub struct Reference {
    pub owner: String,
    pub hash: String,
}

/// A graph as it stands in a document or a definition.
#[derive(Default, Clone, Copy)]
pub struct Parts {
    pub nodes: Option<Jsonb>,
    pub edges: Option<Jsonb>,
}

impl Parts {
    pub fn of(graph: &Graph) -> Parts {
        let part = |text: &Option<String>| text.as_deref().map(Jsonb::parse);
        Parts { nodes: part(&graph.nodes), edges: part(&graph.edges) }
    }

    pub fn in_definition(definition: &Jsonb) -> Parts {
        let mut parts = Parts::default();
        for (member, value) in definition.entries() {
            match member.as_str() {
                "nodes" => parts.nodes = Some(value),
                "edges" => parts.edges = Some(value),
                _ => {}
            }
        }
        parts
    }

    pub fn hash(&self) -> Hash {
        let [nodes, edges] = [&self.nodes, &self.edges].map(|part| part.as_ref().map(Jsonb::text));
        hash(nodes, edges)
    }

    /// Stores the graph where it is new; None where there is neither nodes nor edges.
    pub fn store(&self, db: &Db, owner: &str) -> Option<Reference> {
        if self.nodes.is_none() && self.edges.is_none() {
            return None;
        }
        let hash = self.hash();
        db.query(
            &INSERT_GRAPH,
            &[owner.into_datum(), hash.as_slice().into_datum(), self.nodes.into_datum(), self.edges.into_datum()],
        );
        Some(Reference { owner: owner.to_owned(), hash: hex(&hash) })
    }
}

/// The hash of the texts of both parts.
pub fn hash(nodes: Option<&str>, edges: Option<&str>) -> Hash {
    // An absent part is no JSON text, so the two parts cannot be mistaken for each other.
    value_hash(&[nodes.unwrap_or_default(), "\n", edges.unwrap_or_default()].concat())
}

/// Nodes and edges of a reference cell's value.
pub fn load(db: &Db, reference: &str) -> (Option<Jsonb>, Option<Jsonb>) {
    let Ok(reference) = serde_json::from_str::<Reference>(reference) else { return (None, None) };
    let rows = db.query(&GET_GRAPH, &[reference.owner.into_datum(), unhex(&reference.hash).into_datum()]);
    if rows.is_empty() { (None, None) } else { (rows.jsonb(0, 1), rows.jsonb(0, 2)) }
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).filter_map(|i| u8::from_str_radix(text.get(2 * i..2 * i + 2)?, 16).ok()).collect()
}

/// A stored graph, some of whose parts may not be readable.
pub struct Row<'a>(At<'a>);

impl Row<'_> {
    pub fn owner(&self) -> String {
        self.0.get(1).unwrap_or_default()
    }

    /// As it is, a hash or not.
    pub fn hash(&self) -> Vec<u8> {
        self.0.get(2).unwrap_or_default()
    }

    /// That stored it.
    pub fn transaction(&self) -> i64 {
        self.0.get(3).unwrap_or_default()
    }

    pub fn nodes(&self) -> Option<Jsonb> {
        self.0.jsonb(4)
    }

    pub fn edges(&self) -> Option<Jsonb> {
        self.0.jsonb(5)
    }
}

/// Some graphs behind one, also those that no run uses.
pub struct Stored(Rows);

impl Stored {
    pub fn behind(db: &Db, owner: &str, hash: &[u8], transaction: i64) -> Stored {
        let args = [owner.into_datum(), hash.into_datum(), transaction.to_string().into_datum()];
        Stored(db.query(&VERIFY_GRAPHS, &args))
    }

    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.0.iter().map(Row)
    }
}

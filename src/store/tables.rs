//! The tables that the fast path knows: what they have to look like for it (`heap`), and a run's, opened.

use crate::server::heap::{self, DELETE, INSERT, READ, SELECT, Shape, Table, UPDATE, WRITE};
use pgrx::pg_sys;
use std::ffi::CStr;

/// The schema of the extension.
pub const SCHEMA: &CStr = c"layra";

use pg_sys::{
    BOOLOID as BOOL, BYTEAOID as BYTEA, INT4OID as INT4, INT8OID as INT8, JSONBOID as JSONB, TEXTARRAYOID as TEXTS,
    TEXTOID as TEXT, TIMESTAMPTZOID as TIME, XID8OID as XID8,
};

const RUN: Shape = Shape {
    name: c"run",
    columns: &[TEXT, TEXT, TEXT, TEXT, TEXT, INT4, BYTEA, TEXT, INT8, JSONB, JSONB, TIME, TIME, TEXT],
    // Without `hold` in the schema of 0.3.0.
    added: 1,
    nullable: &[],
    checks: None,
    key: &[1],
};
const EVENT: Shape = Shape {
    name: c"event",
    columns: &[
        TEXT, INT8, TEXT, JSONB, BYTEA, TEXTS, BYTEA, TEXT, TEXT, TIME, TEXT, TEXT, TEXT, BYTEA, XID8, INT8, INT8,
    ],
    added: 0,
    nullable: &[4, 9, 11, 12, 13, 17],
    checks: Some(&[]),
    key: &[1, 2],
};
const CELL: Shape = Shape {
    name: c"cell",
    columns: &[TEXT, TEXT, TEXT, INT8, INT8, INT8, JSONB, BYTEA, INT8],
    added: 0,
    nullable: &[7, 8, 9],
    checks: Some(&[c"cell_loop", c"cell_node"]),
    key: &[1, 2, 3, 4, 5],
};
const LEASE: Shape = Shape {
    name: c"lease",
    columns: &[TEXT, TEXT, INT4, TEXT, TIME, BOOL],
    added: 0,
    nullable: &[5],
    checks: Some(&[c"lease_attempt_check", c"lease_held_until"]),
    key: &[1, 2],
};

/// The tables of a run.
pub struct Tables {
    pub run: Table,
    pub event: Table,
    pub cell: Table,
}

impl Tables {
    /// To read them with the snapshot of the caller.
    pub fn open_to_read() -> Option<Tables> {
        let schema = heap::schema(SCHEMA);
        Some(Tables {
            run: Table::open(schema, &RUN, READ, SELECT)?,
            event: Table::open(schema, &EVENT, READ, SELECT)?,
            cell: Table::open(schema, &CELL, READ, SELECT)?,
        })
    }

    /// To lock the run and to insert. None also where a statement would be refused, and has to say so.
    pub fn open_to_write() -> Option<Tables> {
        if !heap::can_write() {
            return None;
        }
        // Some calls also change the run's row: see `heap::lock`.
        let schema = heap::schema(SCHEMA);
        Some(Tables {
            run: Table::open(schema, &RUN, WRITE, SELECT | UPDATE)?,
            event: Table::open(schema, &EVENT, WRITE, SELECT | INSERT)?,
            cell: Table::open(schema, &CELL, WRITE, SELECT | INSERT)?,
        })
    }

    /// The log and the cells of a run that is locked against everybody, to delete them.
    pub fn open_to_delete() -> Option<[Table; 2]> {
        if !heap::can_write() {
            return None;
        }
        let schema = heap::schema(SCHEMA);
        Some([
            Table::open(schema, &EVENT, WRITE, SELECT | DELETE)?,
            Table::open(schema, &CELL, WRITE, SELECT | DELETE)?,
        ])
    }

    /// The table of leases, for who has the others to write.
    pub fn lease(&self) -> Option<Table> {
        Table::open(heap::schema(SCHEMA), &LEASE, WRITE, SELECT | UPDATE)
    }
}

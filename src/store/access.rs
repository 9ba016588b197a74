//! Rows of `layra.access`: the roles that have a level; and the roles that own anything.

use crate::server::role;
use crate::server::spi::execute_text;
use crate::store::db::Db;
use crate::store::statement::statement;
use pgrx::{IntoDatum, pg_sys};

statement! {
    /// A grant has the table until its transaction ends, and nobody writes to it but who grants.
    only reads ROLES_WITH_LEVEL, [TEXTOID], "/* layra.roles_with_level */
SELECT a.role FROM layra.access a WHERE a.level OPERATOR(pg_catalog.=) $1"
}

statement! {
    /// The names of a role and of those whose privileges it has: along the memberships, whatever other roles there are.
    /// 6171 is pg_database_owner, a membership that is in no table.
    OWN_ROLES, [OIDOID], "/* layra.own_roles */
WITH RECURSIVE own AS (
    (SELECT $1 AS role UNION ALL SELECT 6171::pg_catalog.oid WHERE pg_catalog.pg_has_role($1, 6171::pg_catalog.oid, 'USAGE'))
    UNION
    SELECT m.roleid FROM own o CROSS JOIN LATERAL (
        SELECT m.roleid FROM pg_catalog.pg_auth_members m
        WHERE m.member OPERATOR(pg_catalog.=) o.role AND pg_catalog.pg_has_role($1, m.roleid, 'USAGE') OFFSET 0) m)
SELECT pg_catalog.pg_get_userbyid(o.role)::pg_catalog.text FROM own o"
}

macro_rules! owners_of {
    ($name:literal, $table:literal) => {
        concat!(
            $name,
            " AS (
    (SELECT o.owner FROM ",
            $table,
            " o ORDER BY o.owner LIMIT 1)
    UNION ALL
    SELECT n.owner FROM ",
            $name,
            " w CROSS JOIN LATERAL (
        SELECT o.owner FROM ",
            $table,
            " o WHERE o.owner OPERATOR(pg_catalog.>) w.owner ORDER BY o.owner LIMIT 1) n)"
        )
    };
}

statement! {
    /// Whoever owns anything: one descent an owner and table.
    ALL_OWNERS, [], "/* layra.all_owners */
WITH RECURSIVE ", owners_of!("run_owner", "layra.run"), ",
", owners_of!("workflow_owner", "layra.workflow"), ",
", owners_of!("graph_owner", "layra.graph"), ",
", owners_of!("breaker_owner", "layra.breaker"), ",
", owners_of!("seal_owner", "layra.seal"), "
SELECT r.owner FROM run_owner r UNION SELECT w.owner FROM workflow_owner w
UNION SELECT g.owner FROM graph_owner g UNION SELECT b.owner FROM breaker_owner b
UNION SELECT s.owner FROM seal_owner s"
}

/// Whether a role has the privileges of one that has this level.
pub fn has_level(db: &Db, role: pg_sys::Oid, level: &str) -> bool {
    let rows = db.query(&ROLES_WITH_LEVEL, &[level.into_datum()]);
    (0..rows.len())
        .filter_map(|row| rows.get::<String>(row, 1))
        .any(|granted| role::has_privileges_of_existing(role, &granted))
}

/// The roles whose privileges the caller has, itself among them.
pub fn own_roles(db: &Db) -> Vec<String> {
    let rows = db.query(&OWN_ROLES, &[db.caller.into_datum()]);
    (0..rows.len()).filter_map(|row| rows.get(row, 1)).collect()
}

/// The roles that own anything.
pub fn all_owners(db: &Db) -> Vec<String> {
    let rows = db.query(&ALL_OWNERS, &[]);
    (0..rows.len()).filter_map(|row| rows.get(row, 1)).collect()
}

/// Grants to each role what its level says, as the current user.
pub fn grant() {
    execute_text(include_str!("../../sql/grants.sql"), &[]);
}

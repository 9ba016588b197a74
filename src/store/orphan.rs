//! Rows of any table whose run is gone.

use crate::store::db::Db;
use crate::store::statement::statement;
use pgrx::IntoDatum;

/// The runs of which a table has rows, from one on: one descent for each.
macro_rules! runs_of {
    ($table:literal) => {
        concat!(
            $table,
            "_run AS (
    (SELECT t.run_id FROM layra.",
            $table,
            " t WHERE t.run_id OPERATOR(pg_catalog.>=) $1 ORDER BY t.run_id LIMIT 1)
    UNION ALL
    SELECT n.run_id FROM ",
            $table,
            "_run w CROSS JOIN LATERAL (
        SELECT t.run_id FROM layra.",
            $table,
            " t WHERE t.run_id OPERATOR(pg_catalog.>) w.run_id ORDER BY t.run_id LIMIT 1) n)"
        )
    };
}

macro_rules! without_run {
    ($table:literal) => {
        concat!(
            "(SELECT w.run_id, '",
            $table,
            "' FROM ",
            $table,
            "_run w
 WHERE NOT EXISTS (SELECT FROM layra.run r WHERE r.run_id OPERATOR(pg_catalog.=) w.run_id) LIMIT $2)"
        )
    };
}

statement! {
    /// Runs from one on that have rows in a table, but none of their own; and the table. Of each table at most so many.
    ROWS_WITHOUT_RUN, [TEXTOID, INT8OID], "/* layra.rows_without_run */
WITH RECURSIVE ", runs_of!("event"), ",
", runs_of!("cell"), ",
", runs_of!("checkpoint"), ",
", runs_of!("interaction"), ",
", runs_of!("lease"), ",
", runs_of!("inherited_key"), ",
", runs_of!("inheritance"), "
", without_run!("event"), "
UNION ALL ", without_run!("cell"), "
UNION ALL ", without_run!("checkpoint"), "
UNION ALL ", without_run!("interaction"), "
UNION ALL ", without_run!("lease"), "
UNION ALL ", without_run!("inherited_key"), "
UNION ALL ", without_run!("inheritance")
}

/// The runs from one on that are gone, and each table that has rows of one; of each table at most so many.
pub fn rows(db: &Db, from: &str, most: usize) -> Vec<(String, String)> {
    let rows = db.query(&ROWS_WITHOUT_RUN, &[from.into_datum(), (most as i64).into_datum()]);
    (0..rows.len()).map(|row| (rows.get(row, 1).unwrap_or_default(), rows.get(row, 2).unwrap_or_default())).collect()
}

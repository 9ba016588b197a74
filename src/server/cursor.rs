//! The rows of a query whose text is made at run time, some at a time, as whoever is the current user.

use crate::server::error::Error;
use crate::server::jsonb::Jsonb;
use pgrx::{FromDatum, pg_sys};
use std::ffi::{CStr, CString};

/// An open query of one column of jsonb, which ends with the transaction at the latest.
pub struct Cursor {
    /// By its name: whoever is called meanwhile may close it.
    portal: CString,
}

/// A value as it stands in a row, perhaps compressed or out of line.
pub struct Raw(Option<pg_sys::Datum>);

impl Raw {
    pub fn jsonb(&self) -> Option<Jsonb> {
        // SAFETY: a copy of a jsonb datum, which lives in the memory that was current when it was read.
        self.0.and_then(|datum| unsafe { Jsonb::from_datum(datum, false) })
    }
}

/// A connection of its own to SPI, on top of that which the call may have.
fn connected<T>(work: impl FnOnce(pg_sys::MemoryContext) -> T) -> T {
    // SAFETY: SPI_connect is matched by SPI_finish; an error ends all connections. The memory that was current is so again.
    unsafe {
        let memory = pg_sys::CurrentMemoryContext;
        if pg_sys::SPI_connect() != pg_sys::SPI_OK_CONNECT as i32 {
            pgrx::error!("SPI_connect failed");
        }
        let result = work(memory);
        pg_sys::SPI_finish();
        pg_sys::MemoryContextSwitchTo(memory);
        result
    }
}

impl Cursor {
    pub fn open(sql: &str) -> Cursor {
        let sql = CString::new(sql).expect("SQL text has no NUL");
        // SAFETY: a C string without parameters; the portal outlives the connection, and has a name.
        connected(|_| unsafe {
            let portal = pg_sys::SPI_cursor_open_with_args(
                std::ptr::null(),
                sql.as_ptr(),
                0,
                std::ptr::null_mut(),
                std::ptr::null_mut(),
                std::ptr::null(),
                false,
                0,
            );
            Cursor { portal: CStr::from_ptr((*portal).name).to_owned() }
        })
    }

    fn portal(&self) -> pg_sys::Portal {
        // SAFETY: a look-up by name.
        let portal = unsafe { pg_sys::SPI_cursor_find(self.portal.as_ptr()) };
        if portal.is_null() {
            Error::state("the query that reads the lines was closed", "Do not close cursors in what it calls.").raise();
        }
        portal
    }

    /// At most so many rows; none where there are no more.
    pub fn some(&self, most: i64) -> Vec<Raw> {
        // SAFETY: an open portal, whose rows have a column of jsonb; the values are copied as they stand into the caller's memory.
        connected(|memory| unsafe {
            pg_sys::SPI_cursor_fetch(self.portal(), true, most);
            let table = pg_sys::SPI_tuptable;
            pg_sys::MemoryContextSwitchTo(memory);
            let raw = |row: usize| {
                let mut null = false;
                let datum = pg_sys::SPI_getbinval(*(*table).vals.add(row), (*table).tupdesc, 1, &mut null);
                Raw((!null).then(|| pg_sys::SPI_datumTransfer(datum, false, -1)))
            };
            (0..pg_sys::SPI_processed as usize).map(raw).collect()
        })
    }

    pub fn close(self) {
        // SAFETY: an open portal, which nobody uses any more.
        connected(|_| unsafe { pg_sys::SPI_cursor_close(self.portal()) });
    }
}

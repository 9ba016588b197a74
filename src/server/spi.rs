//! Cached plans and their execution.

use crate::server::columns::{Columns, attribute};
use crate::server::context::context_below;
use crate::server::error::Error;
use crate::server::guard::{self, Guard};
use crate::server::heap;
use crate::server::jsonb::Jsonb;
use crate::server::memory::{self, Size};
use crate::server::rethrow::Witness;
use pgrx::pg_sys::panic::{CaughtError, ErrorReportWithLevel};
use pgrx::prelude::{PgSqlErrorCode, PgTryBuilder};
use pgrx::{FromDatum, IntoDatum, pg_sys};
use std::borrow::Cow;
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::ffi::{CStr, CString};
use std::panic::AssertUnwindSafe;

/// One SQL statement of the extension, which `store` has beside the rows that it is about.
pub struct Statement {
    pub sql: &'static str,
    pub args: &'static [pg_sys::BuiltinOid],
    /// Of a table that the call does nothing with but read it, whatever else it does.
    pub only_reads: bool,
}

/// How statements are worded for one schema of the tables: its number, and what it makes of a text.
#[derive(Clone, Copy)]
pub struct Edition {
    pub number: u8,
    pub text: fn(&'static str) -> Cow<'static, str>,
}

thread_local! {
    /// Plans live as long as the session: freeing them at process exit is unsafe, and re-planning costs 10 µs a call
    /// against 3 µs. The borrow is never held across SPI: a plan's execution may call back into the extension.
    static PLANS: RefCell<HashMap<(*const Statement, u8), pg_sys::SPIPlanPtr>> = RefCell::new(HashMap::new());
}

pub type Arg = Option<pg_sys::Datum>;

/// What is executed as the owner of a table, until dropped.
pub struct Session {
    /// Connected with the first statement. Fields drop in the order of their declaration: SPI ends before the caller's role
    /// comes back.
    spi: OnceCell<Spi>,
    guard: Guard,
    _witness: Witness,
    pub read_only: bool,
    /// Where results go.
    memory: Cell<pg_sys::MemoryContext>,
    /// The memory of the call: SPI comes back to where it was connected in.
    home: pg_sys::MemoryContext,
    pub caller: pg_sys::Oid,
}

struct Spi;

impl Drop for Spi {
    fn drop(&mut self) {
        // While a PostgreSQL error unwinds, transaction abort cleans up SPI, so nothing is called that could raise another.
        if !std::thread::panicking() {
            // SAFETY: ends the connection that `Session::connect` made.
            unsafe { pg_sys::SPI_finish() };
        }
    }
}

impl Session {
    pub fn open(schema: &'static CStr, table: &'static CStr, read_only: bool) -> Session {
        memory::begin();
        let witness = Witness::enter();
        let caller = guard::caller();
        let guard = Guard::enter(schema, table);
        // SAFETY: the current memory context outlives this call. What is allocated belongs to the caller: results outlive
        // the connection to SPI.
        let memory = unsafe { pg_sys::CurrentMemoryContext };
        Session {
            spi: OnceCell::new(),
            guard,
            _witness: witness,
            read_only,
            memory: Cell::new(memory),
            home: memory,
            caller,
        }
    }

    fn connect(&self) {
        self.spi.get_or_init(|| {
            // SAFETY: matched by SPI_finish in `Drop`.
            unsafe {
                pg_sys::MemoryContextSwitchTo(self.home);
                if pg_sys::SPI_connect() != pg_sys::SPI_OK_CONNECT as i32 {
                    pgrx::error!("SPI_connect failed");
                }
                pg_sys::MemoryContextSwitchTo(self.memory.get());
            }
            Spi
        });
    }

    /// Runs `work` as the caller, whose own code must never run as the owner of the tables.
    pub fn as_caller<T>(&self, work: impl FnOnce() -> T) -> T {
        let suspended = self.guard.suspend();
        let result = work();
        drop(suspended);
        result
    }

    fn with_latest_snapshot<T>(&self, work: impl FnOnce(pg_sys::Snapshot) -> T) -> T {
        // SAFETY: a registered snapshot is valid until it is unregistered; an error's transaction abort does that, too.
        unsafe {
            let snapshot = pg_sys::RegisterSnapshot(pg_sys::GetLatestSnapshot());
            let result = work(snapshot);
            pg_sys::UnregisterSnapshot(snapshot);
            result
        }
    }

    /// As `execute`, with a snapshot of this moment whatever the isolation level.
    pub fn execute_latest(&self, statement: &'static Statement, edition: Edition, args: &[Arg]) -> Rows {
        self.with_latest_snapshot(|snapshot| {
            // SAFETY: `run` gives a plan and arguments that fit it, and the snapshot is registered.
            self.run(statement, edition, args, |plan, values, nulls| unsafe {
                pg_sys::SPI_execute_snapshot(plan, values, nulls, snapshot, std::ptr::null_mut(), true, false, 0)
            })
        })
    }

    pub fn execute(&self, statement: &'static Statement, edition: Edition, args: &[Arg]) -> Rows {
        // SAFETY: `run` gives a plan and arguments that fit it.
        self.run(statement, edition, args, |plan, values, nulls| unsafe {
            pg_sys::SPI_execute_plan(plan, values, nulls, self.read_only, 0)
        })
    }

    fn run(
        &self,
        statement: &'static Statement,
        edition: Edition,
        args: &[Arg],
        execute: impl FnOnce(pg_sys::SPIPlanPtr, *mut pg_sys::Datum, *const std::ffi::c_char) -> i32,
    ) -> Rows {
        debug_assert_eq!(statement.args.len(), args.len());
        self.connect();
        let plan = plan(statement, edition);
        self.lock_tables(plan, self.read_only || statement.only_reads);
        let mut values: Vec<pg_sys::Datum> = args.iter().map(|arg| arg.unwrap_or(pg_sys::Datum::from(0))).collect();
        let nulls: Vec<std::ffi::c_char> =
            args.iter().map(|arg| if arg.is_some() { b' ' } else { b'n' } as std::ffi::c_char).collect();
        // The plan was prepared for these argument types; `values` and `nulls` have its number of entries.
        let code = execute(plan, values.as_mut_ptr(), nulls.as_ptr());
        if code < 0 {
            pgrx::error!("SPI failed with code {code}: {}", statement.sql);
        }
        // SAFETY: SPI_tuptable belongs to us until `Rows` frees it.
        unsafe {
            pg_sys::MemoryContextSwitchTo(self.memory.get());
            Rows { table: pg_sys::SPI_tuptable, len: pg_sys::SPI_processed as usize }
        }
    }
}

impl Session {
    /// Locks the tables of a statement as `execute` does, for who reads the clock between the two.
    pub fn lock_for(&self, statement: &'static Statement, edition: Edition) {
        self.connect();
        self.lock_tables(plan(statement, edition), self.read_only);
        // SAFETY: as `run` does, as SPI has made its own memory current.
        unsafe { pg_sys::MemoryContextSwitchTo(self.memory.get()) };
    }

    /// Locks the tables of a plan for all that the call may do with them. REINDEX has a table in SHARE mode, which those
    /// who read it do not mind, and then takes one index of it after the other: whoever has read by one index, and now wants
    /// to write, or to read by another one, would wait for REINDEX, and REINDEX for him.
    fn lock_tables(&self, plan: pg_sys::SPIPlanPtr, read_only: bool) {
        // SAFETY: a plan of ours, which is there as long as the session, and the lists in it; whoever it names may have been
        // dropped since, and is then not there to be locked.
        unsafe {
            let sources = pgrx::PgList::<pg_sys::CachedPlanSource>::from_pg(pg_sys::SPI_plan_get_plan_sources(plan));
            for source in sources.iter_ptr() {
                for table in pgrx::PgList::<pg_sys::Oid>::from_pg((*source).relationOids).iter_oid() {
                    if table.to_u32() >= pg_sys::FirstNormalObjectId {
                        heap::lock(table, read_only);
                    }
                }
            }
        }
    }
}

/// Runs SQL whose text is made at run time, as whoever is the current user, and returns the first column of its rows:
/// for calls of the users' own functions, never on the hot path.
pub fn execute_text(sql: &str, args: &[(pg_sys::Oid, Arg)]) -> Vec<Option<String>> {
    let sql = CString::new(sql).expect("SQL text has no NUL");
    let mut types: Vec<pg_sys::Oid> = args.iter().map(|(oid, _)| *oid).collect();
    let mut values: Vec<pg_sys::Datum> = args.iter().map(|(_, arg)| arg.unwrap_or(pg_sys::Datum::from(0))).collect();
    let nulls: Vec<std::ffi::c_char> =
        args.iter().map(|(_, arg)| if arg.is_some() { b' ' } else { b'n' } as std::ffi::c_char).collect();
    // SAFETY: SPI_connect is matched by SPI_finish, which `Spi` calls; the arrays have the number of arguments as entries.
    unsafe {
        let memory = pg_sys::CurrentMemoryContext;
        if pg_sys::SPI_connect() != pg_sys::SPI_OK_CONNECT as i32 {
            pgrx::error!("SPI_connect failed");
        }
        let _spi = Spi;
        let code = pg_sys::SPI_execute_with_args(
            sql.as_ptr(),
            types.len() as i32,
            types.as_mut_ptr(),
            values.as_mut_ptr(),
            nulls.as_ptr(),
            false,
            0,
        );
        if code < 0 {
            pgrx::error!("SPI_execute_with_args failed with code {code}");
        }
        pg_sys::MemoryContextSwitchTo(memory);
        let rows = Rows { table: pg_sys::SPI_tuptable, len: pg_sys::SPI_processed as usize };
        if rows.table.is_null() { Vec::new() } else { (0..rows.len()).map(|row| rows.get(row, 1)).collect() }
    }
}

fn plan(statement: &'static Statement, edition: Edition) -> pg_sys::SPIPlanPtr {
    let key = (statement as *const Statement, edition.number);
    if let Some(plan) = PLANS.with_borrow(|plans| plans.get(&key).copied()) {
        return plan;
    }
    let sql = CString::new((edition.text)(statement.sql).as_ref()).expect("SQL text has no NUL");
    let mut types: Vec<pg_sys::Oid> = statement.args.iter().map(|oid| oid.value()).collect();
    // SAFETY: a valid C string and as many argument types as stated; the plan is kept, so it outlives the connection.
    // It is entered into the cache only when it is complete.
    let plan = unsafe {
        let plan = pg_sys::SPI_prepare_cursor(
            sql.as_ptr(),
            types.len() as i32,
            types.as_mut_ptr(),
            pg_sys::CURSOR_OPT_GENERIC_PLAN as i32,
        );
        if plan.is_null() {
            pgrx::error!("SPI_prepare failed: {}", statement.sql);
        }
        pg_sys::SPI_keepplan(plan);
        plan
    };
    PLANS.with_borrow_mut(|plans| plans.insert(key, plan));
    plan
}

/// The plans that the session keeps: one for each statement at most.
pub fn plans() -> Size {
    let plans: Vec<pg_sys::SPIPlanPtr> = PLANS.with_borrow(|plans| plans.values().copied().collect());
    // SAFETY: plans that are kept until the session ends; a plan and its parts are each in a memory context of their own.
    let bytes = plans.iter().map(|plan| unsafe {
        let size = |context| pg_sys::MemoryContextMemAllocated(context, true);
        let sources = pg_sys::SPI_plan_get_plan_sources(*plan);
        let source: *mut pg_sys::CachedPlanSource = pg_sys::list_nth(sources, 0).cast();
        let generic = (*source).gplan;
        let of_generic = if generic.is_null() { 0 } else { size((*generic).context) };
        size(pg_sys::GetMemoryChunkContext(plan.cast())) + size((*source).context) + of_generic
    });
    Size { entries: plans.len(), bytes: bytes.sum() }
}

/// One row of a statement's.
pub struct At<'a>(pub &'a Rows, pub usize);

impl Columns for At<'_> {
    fn datum(&self, column: i32) -> (pg_sys::Datum, bool) {
        self.0.datum(self.1, column)
    }

    fn require(&self, column: i32, is_right: impl Fn(pg_sys::Oid) -> bool) {
        assert!(!self.0.table.is_null());
        // SAFETY: the descriptor of the statement's rows, and one of its columns.
        let oid = unsafe {
            let columns = &*(*self.0.table).tupdesc;
            assert!((1..=columns.natts).contains(&column));
            (*attribute(columns, column as usize - 1)).atttypid
        };
        // SAFETY: a look-up of the type that a domain is of.
        if !is_right(oid) && !is_right(unsafe { pg_sys::getBaseType(oid) }) {
            // SAFETY: a type's name is a C string.
            let name = unsafe { CStr::from_ptr(pg_sys::format_type_be(oid)) }.to_string_lossy();
            let message = format!("a column of a table of layra_state has the wrong type, {name}");
            Error::state(message, "Undo the ALTER TABLE that changed it.").raise();
        }
    }
}

/// The rows of one statement, freed when dropped.
pub struct Rows {
    table: *mut pg_sys::SPITupleTable,
    len: usize,
}

impl Rows {
    /// Rows returned, or inserted where the statement returns none.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn iter(&self) -> impl Iterator<Item = At<'_>> {
        (0..self.len).map(|row| At(self, row))
    }

    /// Column `column` (from 1) of row `row` (from 0), copied out.
    pub fn get<T: FromDatum + IntoDatum>(&self, row: usize, column: i32) -> Option<T> {
        At(self, row).get(column)
    }

    /// A jsonb column, copied (and decompressed) into the caller's memory.
    pub fn jsonb(&self, row: usize, column: i32) -> Option<Jsonb> {
        At(self, row).jsonb(column)
    }

    /// A 32-byte hash.
    pub fn hash(&self, row: usize, column: i32) -> Option<[u8; 32]> {
        At(self, row).hash(column)
    }

    fn datum(&self, row: usize, column: i32) -> (pg_sys::Datum, bool) {
        assert!(row < self.len && !self.table.is_null());
        let mut null = false;
        // SAFETY: the row exists, the table is ours until `Drop`.
        unsafe {
            let tuple = *(*self.table).vals.add(row);
            let datum = pg_sys::SPI_getbinval(tuple, (*self.table).tupdesc, column, &mut null);
            (datum, null)
        }
    }
}

impl Drop for Rows {
    fn drop(&mut self) {
        if !self.table.is_null() && !std::thread::panicking() {
            // SAFETY: the table was not freed before; after an error transaction abort frees it.
            unsafe { pg_sys::SPI_freetuptable(self.table) };
        }
    }
}

/// Runs `work` in a memory context of its own, which is freed afterwards: for loops over many rows.
pub fn scratch<T>(db: &Session, work: impl FnOnce() -> T) -> T {
    let outer = db.memory.get();
    // SAFETY: the scratch context is a child of the current one, so it is freed with it should `work` unwind; nothing
    // allocated in it is returned by the callers (they return Rust values).
    unsafe {
        let scratch = context_below(outer, c"layra scratch");
        db.memory.set(scratch);
        pg_sys::MemoryContextSwitchTo(scratch);
        let result = work();
        db.memory.set(outer);
        pg_sys::MemoryContextSwitchTo(outer);
        pg_sys::MemoryContextDelete(scratch);
        result
    }
}

/// What `work` reads; where what is stored is damaged, why that cannot be read. Any other error (a cancelled call, no memory)
/// passes. It is a subtransaction, as PL/pgSQL's EXCEPTION is: buffers, locks and snapshots that the error left behind are gone
/// when this returns. It takes no transaction id, so it works on a standby, too. Nothing that `work` opens may outlive it.
pub fn attempt<T>(db: &Session, work: impl FnOnce() -> T) -> Result<T, String> {
    // A connection that was made inside would end with an error.
    db.connect();
    let memory = db.memory.get();
    // SAFETY: as PL/pgSQL does it. The error has unwound to here, and pgrx has copied and flushed it, before the subtransaction
    // is rolled back; memory context and resource owner are the caller's again in either case.
    let result = unsafe {
        let (context, owner) = (pg_sys::CurrentMemoryContext, pg_sys::CurrentResourceOwner);
        pg_sys::BeginInternalSubTransaction(std::ptr::null());
        pg_sys::MemoryContextSwitchTo(context);
        let result = PgTryBuilder::new(AssertUnwindSafe(|| Ok(work()))).catch_others(Err).execute();
        match result {
            Ok(_) => pg_sys::ReleaseCurrentSubTransaction(),
            Err(_) => pg_sys::RollbackAndReleaseCurrentSubTransaction(),
        }
        db.memory.set(memory);
        pg_sys::MemoryContextSwitchTo(context);
        pg_sys::CurrentResourceOwner = owner;
        result
    };
    result.map_err(|error| match &error {
        CaughtError::PostgresError(report)
        | CaughtError::ErrorReport(report)
        | CaughtError::RustPanic { ereport: report, .. }
            if is_damage(report) =>
        {
            report.message().to_owned()
        }
        _ => error.rethrow(),
    })
}

/// Whether an error says that something stored is not as PostgreSQL, or this code, would have it.
fn is_damage(report: &ErrorReportWithLevel) -> bool {
    matches!(
        report.sql_error_code(),
        PgSqlErrorCode::ERRCODE_DATA_CORRUPTED
            | PgSqlErrorCode::ERRCODE_INDEX_CORRUPTED
            | PgSqlErrorCode::ERRCODE_INTERNAL_ERROR
            | PgSqlErrorCode::ERRCODE_IO_ERROR
            | PgSqlErrorCode::ERRCODE_UNDEFINED_FILE
    )
}

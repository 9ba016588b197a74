//! Kept plans and their execution; and what every row has, however it was found.

use crate::server::error::Error;
use crate::server::guard::Guard;
use crate::server::jsonb::Jsonb;
use crate::server::memory::{self, Size};
use crate::server::name::Texts;
use crate::server::rethrow::Witness;
use crate::store::plain::{self, Tables};
use crate::store::release::{self, Schema};
use crate::store::statements::{INSTALLED_VERSION, ROLES_WITH_LEVEL};
use pgrx::pg_sys::panic::{CaughtError, ErrorReportWithLevel};
use pgrx::prelude::{PgSqlErrorCode, PgTryBuilder};
use pgrx::{FromDatum, IntoDatum, pg_sys};
use std::cell::{Cell, OnceCell, RefCell};
use std::cmp::Ordering;
use std::collections::HashMap;
use std::ffi::{CStr, CString};
use std::panic::AssertUnwindSafe;

/// One SQL statement of the extension. All of them are in `statements.rs`.
pub struct Statement {
    pub sql: &'static str,
    pub args: &'static [pg_sys::BuiltinOid],
}

thread_local! {
    /// Plans live as long as the session: freeing them at process exit is unsafe, and re-planning costs 10 µs a call
    /// against 3 µs. The borrow is never held across SPI: a plan's execution may call back into the extension.
    static PLANS: RefCell<HashMap<(*const Statement, Schema), pg_sys::SPIPlanPtr>> = RefCell::new(HashMap::new());
}

pub type Arg = Option<pg_sys::Datum>;

/// Access to the tables as their owner, until dropped.
pub struct Db {
    /// The tables of the run that was found in them, where they are plain.
    tables: OnceCell<Tables>,
    /// Connected with the first statement. Fields drop in the order of their declaration: SPI ends before the caller's role
    /// comes back.
    spi: OnceCell<Spi>,
    _guard: Guard,
    _witness: Witness,
    read_only: bool,
    /// What the tables are like, and stay while this lives.
    pub schema: Schema,
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
            // SAFETY: ends the connection that `Db::connect` made.
            unsafe { pg_sys::SPI_finish() };
        }
    }
}

impl Db {
    /// For functions that change something: each statement takes a fresh snapshot.
    pub fn write() -> Db {
        Db::open(false)
    }

    /// For STABLE functions: the caller's snapshot, no transaction id, works on a standby.
    pub fn read() -> Db {
        Db::open(true)
    }

    fn open(read_only: bool) -> Db {
        memory::begin();
        let caller = crate::server::guard::caller();
        let guard = Guard::enter();
        // SAFETY: the current memory context outlives this call. What is allocated belongs to the caller: results outlive
        // the connection to SPI.
        let memory = unsafe { pg_sys::CurrentMemoryContext };
        let mut db = Db {
            tables: OnceCell::new(),
            spi: OnceCell::new(),
            _guard: guard,
            _witness: Witness::enter(),
            read_only,
            schema: Schema::Own,
            memory: Cell::new(memory),
            home: memory,
            caller,
        };
        if !release::is_known() {
            db.schema = release::look(&db);
        }
        db
    }

    /// After a lock was waited for, perhaps while the extension was updated.
    fn require_the_same_schema(&self) {
        if !release::is_known() && release::look(self) != self.schema {
            Error::state("the extension layra_state was updated while the call waited", "Call again.").raise();
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

    /// The version of the extension in this database, by the newest snapshot.
    pub fn installed_version(&self) -> Option<String> {
        let rows = self.with_latest_snapshot(|snapshot| self.run_at(snapshot, &INSTALLED_VERSION, &[]));
        if rows.is_empty() { None } else { rows.get(0, 1) }
    }

    /// Runs `work` as the caller, whose own code must never run as the owner of the tables.
    pub fn as_caller<T>(&self, work: impl FnOnce() -> T) -> T {
        let suspended = self._guard.suspend();
        let result = work();
        drop(suspended);
        result
    }

    /// What `find` finds by the short way. From then on `plain` takes it, too.
    pub fn find_plain<T>(&self, find: impl FnOnce(&Tables) -> Option<T>) -> Option<T> {
        let tables = if self.read_only { Tables::open_to_read() } else { Tables::open_to_write() }?;
        self.require_the_same_schema();
        let found = self.with_snapshot(|| find(&tables))?;
        // A second run of the same call is in the same tables.
        let _ = self.tables.set(tables);
        Some(found)
    }

    /// Does `work` by the short way, on the tables of the run that `find_plain` found; None where there are none.
    pub fn plain<T>(&self, work: impl FnOnce(&Tables) -> T) -> Option<T> {
        let tables = self.tables.get()?;
        Some(self.with_snapshot(|| work(tables)))
    }

    fn with_snapshot<T>(&self, work: impl FnOnce() -> T) -> T {
        if self.read_only { work() } else { plain::with_fresh_snapshot(work) }
    }

    /// As `query`, with a snapshot of this moment whatever the isolation level.
    pub fn query_latest(&self, statement: &'static Statement, args: &[Arg]) -> Rows {
        let rows = self.with_latest_snapshot(|snapshot| self.run_at(snapshot, statement, args));
        self.require_the_same_schema();
        rows
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

    fn run_at(&self, snapshot: pg_sys::Snapshot, statement: &'static Statement, args: &[Arg]) -> Rows {
        // SAFETY: `run` gives a plan and arguments that fit it; the caller has a registered snapshot.
        self.run(statement, args, |plan, values, nulls| unsafe {
            pg_sys::SPI_execute_snapshot(plan, values, nulls, snapshot, std::ptr::null_mut(), true, false, 0)
        })
    }

    pub fn query(&self, statement: &'static Statement, args: &[Arg]) -> Rows {
        // SAFETY: `run` gives a plan and arguments that fit it.
        let rows = self.run(statement, args, |plan, values, nulls| unsafe {
            pg_sys::SPI_execute_plan(plan, values, nulls, self.read_only, 0)
        });
        self.require_the_same_schema();
        rows
    }

    fn run(
        &self,
        statement: &'static Statement,
        args: &[Arg],
        execute: impl FnOnce(pg_sys::SPIPlanPtr, *mut pg_sys::Datum, *const std::ffi::c_char) -> i32,
    ) -> Rows {
        debug_assert_eq!(statement.args.len(), args.len());
        self.connect();
        let plan = plan(statement, self.schema);
        // A grant has layra.access until its transaction ends, and nobody writes to it but who grants.
        self.lock_tables(plan, self.read_only || std::ptr::eq(statement, &ROLES_WITH_LEVEL));
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

impl Db {
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
                        plain::lock(table, read_only);
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

fn plan(statement: &'static Statement, schema: Schema) -> pg_sys::SPIPlanPtr {
    let key = (statement as *const Statement, schema);
    if let Some(plan) = PLANS.with_borrow(|plans| plans.get(&key).copied()) {
        return plan;
    }
    let sql = CString::new(schema.text(statement.sql).as_ref()).expect("SQL text has no NUL");
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

/// A row whose columns are read by number, from 1.
pub trait Columns {
    fn datum(&self, column: i32) -> (pg_sys::Datum, bool);

    /// Raises an error where a column has not the type that it is read as: an administrator has changed it.
    fn require(&self, column: i32, is_right: impl Fn(pg_sys::Oid) -> bool);

    /// A column, copied out.
    fn get<T: FromDatum + IntoDatum>(&self, column: i32) -> Option<T> {
        // Times and transaction ids are read as the numbers that they are.
        let is_number =
            |oid| T::type_oid() == pg_sys::INT8OID && [pg_sys::TIMESTAMPTZOID, pg_sys::XID8OID].contains(&oid);
        self.require(column, |oid| T::is_compatible_with(oid) || is_number(oid));
        let (datum, null) = self.datum(column);
        if T::type_oid() == pg_sys::TEXTOID && !null {
            memory::require(raw_size(datum));
        }
        // SAFETY: the column has this type; by-reference types copy in `from_datum`.
        unsafe { T::from_datum(datum, null) }
    }

    /// How a text column that is not null compares with a text, octet by octet, as collation "C" does.
    fn compare(&self, column: i32, text: &str) -> Ordering {
        self.require(column, |oid| oid == pg_sys::TEXTOID);
        let (datum, _) = self.datum(column);
        octets(datum, |octets| octets.cmp(text.as_bytes()))
    }

    /// What `read` makes of a text column; None where it is null.
    fn text<T>(&self, column: i32, read: impl FnOnce(&str) -> T) -> Option<T> {
        self.require(column, |oid| oid == pg_sys::TEXTOID);
        let (datum, null) = self.datum(column);
        // SAFETY: a UTF8 database (the install script refuses others) has UTF-8 in its texts.
        (!null).then(|| octets(datum, |octets| read(unsafe { std::str::from_utf8_unchecked(octets) })))
    }

    /// A text array; an element that somebody made NULL is empty.
    fn texts(&self, column: i32) -> Vec<String> {
        let (datum, null) = self.datum(column);
        memory::require(if null { 0 } else { Texts::PIECES * raw_size(datum) });
        let texts: Vec<Option<String>> = self.get(column).unwrap_or_default();
        texts.into_iter().map(Option::unwrap_or_default).collect()
    }

    fn is_null(&self, column: i32) -> bool {
        self.datum(column).1
    }

    /// Whether a column's value is NULL, or stands in the row itself as it is.
    fn is_in_place(&self, column: i32) -> bool {
        let (datum, null) = self.datum(column);
        null || is_in_place(datum.cast_mut_ptr())
    }

    /// A jsonb column, copied (and decompressed) into the caller's memory.
    fn jsonb(&self, column: i32) -> Option<Jsonb> {
        self.require(column, |oid| oid == pg_sys::JSONBOID);
        let (datum, null) = self.datum(column);
        if null { None } else { Some(Jsonb::copy_of(datum)) }
    }

    /// A 32-octet hash.
    fn hash(&self, column: i32) -> Option<[u8; 32]> {
        self.require(column, |oid| oid == pg_sys::BYTEAOID);
        let (datum, null) = self.datum(column);
        if null { None } else { octets(datum, |octets| octets.try_into().ok()) }
    }
}

/// Whether a value is neither compressed nor out of line.
fn is_in_place(value: *const pg_sys::varlena) -> bool {
    // SAFETY: the callers have a value of a type of variable length that is not null.
    unsafe {
        pgrx::varlena::varatt_is_4b_u(value)
            || (pgrx::varlena::varatt_is_1b(value) && !pgrx::varlena::varatt_is_1b_e(value))
    }
}

/// Bytes of a value of a type of variable length, when it is neither compressed nor out of line.
fn raw_size(datum: pg_sys::Datum) -> usize {
    let value: *const pg_sys::varlena = datum.cast_mut_ptr();
    // SAFETY: the callers have such a value that is not null; the size stands in it, or in the pointer to it.
    unsafe { if is_in_place(value) { pgrx::varlena::varsize_any(value) } else { pg_sys::toast_raw_datum_size(datum) } }
}

/// What `read` makes of a text's or bytea's octets, in place where they are neither compressed nor out of line.
fn octets<T>(datum: pg_sys::Datum, read: impl FnOnce(&[u8]) -> T) -> T {
    let value: *mut pg_sys::varlena = datum.cast_mut_ptr();
    // SAFETY: the callers have a text or bytea that is not null; what the server decompresses is a copy.
    unsafe {
        let value = if is_in_place(value) { value } else { pg_sys::pg_detoast_datum_packed(value) };
        read(pgrx::varlena::varlena_to_byte_slice(value))
    }
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

/// A column of a description of rows, from 0.
#[cfg(not(feature = "pg18"))]
pub unsafe fn attribute(columns: &pg_sys::TupleDescData, index: usize) -> *const pg_sys::FormData_pg_attribute {
    // SAFETY: the caller knows that there is such a column.
    unsafe { columns.attrs.as_ptr().add(index) }
}

#[cfg(feature = "pg18")]
pub unsafe fn attribute(columns: &pg_sys::TupleDescData, index: usize) -> *const pg_sys::FormData_pg_attribute {
    // SAFETY: as above; the full descriptions of columns stand behind the compact ones.
    unsafe {
        let behind = columns.compact_attrs.as_ptr().add(columns.natts as usize);
        behind.cast::<pg_sys::FormData_pg_attribute>().add(index)
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

    /// Column `column` (from 1) of row `row` (from 0), copied out.
    pub fn get<T: FromDatum + IntoDatum>(&self, row: usize, column: i32) -> Option<T> {
        At(self, row).get(column)
    }

    /// A jsonb column, copied (and decompressed) into the caller's memory.
    pub fn jsonb(&self, row: usize, column: i32) -> Option<Jsonb> {
        At(self, row).jsonb(column)
    }

    /// A 32-octet hash.
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

/// A memory context below another one, which it is freed with.
unsafe fn context_below(outer: pg_sys::MemoryContext, name: &'static CStr) -> pg_sys::MemoryContext {
    // SAFETY: the caller has a context; the name lives as long as the program.
    unsafe {
        pg_sys::AllocSetContextCreateInternal(
            outer,
            name.as_ptr(),
            pg_sys::ALLOCSET_DEFAULT_MINSIZE as usize,
            pg_sys::ALLOCSET_DEFAULT_INITSIZE as usize,
            pg_sys::ALLOCSET_DEFAULT_MAXSIZE as usize,
        )
    }
}

/// A memory context below the one that was current when it was made.
pub struct Memory(pg_sys::MemoryContext);

impl Memory {
    pub fn new() -> Memory {
        // SAFETY: there is a current context. What is in this one goes with it.
        Memory(unsafe { context_below(pg_sys::CurrentMemoryContext, c"layra rows") })
    }

    /// Does `work` in this memory.
    pub fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        // SAFETY: the context is there as long as the one above; an error that unwinds makes another one current.
        unsafe {
            let outer = pg_sys::MemoryContextSwitchTo(self.0);
            let result = work();
            pg_sys::MemoryContextSwitchTo(outer);
            result
        }
    }

    /// Frees what is in it: nobody uses that any more.
    pub fn clear(&self) {
        // SAFETY: as above.
        unsafe { pg_sys::MemoryContextReset(self.0) };
    }
}

/// Runs `work` in a memory context of its own, which is freed afterwards: for loops over many rows.
pub fn scratch<T>(db: &Db, work: impl FnOnce() -> T) -> T {
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
pub fn attempt<T>(db: &Db, work: impl FnOnce() -> T) -> Result<T, String> {
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
        CaughtError::PostgresError(report) | CaughtError::RustPanic { ereport: report, .. } if is_damage(report) => {
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

/// Lets the user cancel a long loop, and ends one that takes more memory than there is.
pub fn check_for_interrupts() {
    pgrx::check_for_interrupts!();
    memory::check();
}

/// Raises PostgreSQL's error before a recursion overflows the stack, which would take the server down.
pub fn check_stack_depth() {
    // SAFETY: compares addresses.
    unsafe { pg_sys::check_stack_depth() };
}

/// Octets of a page of memory, in which the kernel counts.
pub fn page_size() -> usize {
    // SAFETY: a function of POSIX that takes nothing.
    unsafe extern "C" {
        safe fn getpagesize() -> std::ffi::c_int;
    }
    getpagesize() as usize
}

/// A count that grows when any transaction ends which may have written something: where it has not grown, a snapshot that
/// was taken in between is as good as a new one.
pub fn completions() -> u64 {
    // SAFETY: the snapshot is a static one of PostgreSQL's, which is read before anything else can take another.
    unsafe { (*pg_sys::GetLatestSnapshot()).snapXactCompletionCount }
}

/// Whether the transaction's snapshot can hide what others have committed since.
pub fn above_read_committed() -> bool {
    // SAFETY: reads a backend-local variable.
    unsafe { pg_sys::XactIsoLevel > pg_sys::XACT_READ_COMMITTED as i32 }
}

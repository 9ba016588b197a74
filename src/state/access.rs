//! Who may do what: owners, auditors, and what the row security of the tables asks.

use crate::server::error::{Error, Result};
use crate::server::guard::{self, Flag};
use crate::server::name;
use crate::server::rethrow::Witness;
use crate::server::spi::{Db, execute_text};
use crate::state::run;
use crate::store::statements::{ALL_OWNERS, OWN_ROLES, ROLES_WITH_LEVEL};
use foldhash::{HashMap, HashMapExt};
use pgrx::prelude::*;
use pgrx::{Internal, IntoDatum, PgBox, PgMemoryContexts, pg_sys};
use std::ffi::{CStr, CString};

/// The name of a role that exists.
pub fn role_name(role: pg_sys::Oid) -> String {
    // SAFETY: raises an error for an unknown role; the name is copied.
    unsafe { name::text(CStr::from_ptr(pg_sys::GetUserNameFromId(role, false)), "the name of the role") }
}

/// None where the role does not exist (any more).
pub fn role_oid(name: &str) -> Option<pg_sys::Oid> {
    let name = CString::new(name).ok()?;
    // SAFETY: a valid C string; a missing role gives InvalidOid.
    let oid = unsafe { pg_sys::get_role_oid(name.as_ptr(), true) };
    (oid != pg_sys::InvalidOid).then_some(oid)
}

/// As `role_oid`; a missing role raises PostgreSQL's own error (42704).
pub fn existing_role(name: &str) -> pg_sys::Oid {
    let name = CString::new(name).unwrap_or_default();
    // SAFETY: a valid C string.
    unsafe { pg_sys::get_role_oid(name.as_ptr(), false) }
}

/// Whether `role` has the privileges of the role named `owner`, as PostgreSQL's own grants do ('USAGE').
pub fn has_privileges_of(role: pg_sys::Oid, owner: &str) -> bool {
    // SAFETY: catalogue lookups by role id.
    unsafe {
        pg_sys::superuser_arg(role) || role_oid(owner).is_some_and(|owner| pg_sys::has_privs_of_role(role, owner))
    }
}

pub fn is_superuser(role: pg_sys::Oid) -> bool {
    // SAFETY: a catalogue lookup by role id.
    unsafe { pg_sys::superuser_arg(role) }
}

/// Whether `role` can become the role named `other` (SET ROLE), as ALTER … OWNER TO asks.
pub fn can_become(role: pg_sys::Oid, other: pg_sys::Oid) -> bool {
    // SAFETY: catalogue lookups by role id.
    #[cfg(feature = "pg15")]
    unsafe {
        pg_sys::is_member_of_role(role, other)
    }
    // SAFETY: as above. Since version 16 a membership may leave out SET.
    #[cfg(not(feature = "pg15"))]
    unsafe {
        pg_sys::member_can_set_role(role, other)
    }
}

fn bypasses_row_security(role: pg_sys::Oid) -> bool {
    // SAFETY: catalogue lookups by role id.
    unsafe { pg_sys::superuser_arg(role) || pg_sys::has_bypassrls_privilege(role) }
}

pub fn has_level(db: &Db, role: pg_sys::Oid, level: &str) -> bool {
    let rows = db.query(&ROLES_WITH_LEVEL, &[level.into_datum()]);
    (0..rows.len())
        .filter_map(|row| rows.get::<String>(row, 1).and_then(|name| role_oid(&name)))
        // SAFETY: catalogue lookups by role id.
        .any(|granted| unsafe { pg_sys::has_privs_of_role(role, granted) })
}

pub fn may_write(db: &Db, run_id: &str, owner: &str) -> Result<()> {
    if has_privileges_of(db.caller, owner) { Ok(()) } else { Err(Error::NotYours(run_id.to_owned())) }
}

pub fn may_read(db: &Db, owner: &str) -> bool {
    has_privileges_of(db.caller, owner) || bypasses_row_security(db.caller) || has_level(db, db.caller, "auditor")
}

pub fn must_read(db: &Db, run_id: &str, owner: &str) -> Result<()> {
    if may_read(db, owner) { Ok(()) } else { Err(Error::NotYours(run_id.to_owned())) }
}

/// 42501 unless the caller has level admin.
pub fn require_admin(db: &Db, what: &str) -> Result<()> {
    if is_superuser(db.caller) || has_level(db, db.caller, "admin") {
        return Ok(());
    }
    let message = format!("only roles with level admin {what}");
    Err(Error::Privilege { message, hint: "A superuser grants it: SELECT layra.grant_access('role', 'admin');" })
}

/// Has the current role the privileges of this owner?
#[pg_extern(stable)]
fn owns(owner: Option<&str>) -> bool {
    owner.is_some_and(|owner| has_privileges_of(guard::caller(), owner))
}

/// Grants what layra.access says. Upgrade scripts end with it, so that new functions and tables are granted, too.
#[pg_extern]
#[search_path(pg_catalog, pg_temp)]
fn renew_grants() {
    let (_outside, _witness) = (Flag::outside_of_scripts(), Witness::enter());
    execute_text(include_str!("../../sql/grants.sql"), &[]);
}

/// Does the current role read every run?
#[pg_extern(stable)]
fn reads_every_run() -> bool {
    let db = Db::read();
    has_level(&db, db.caller, "auditor")
}

// ------------------------------------------------------------------------------------------------------ row security

/// For the policies of what has an owner: does the current role read it? Where an index has the owners, it is searched for
/// those of `readable_owners` alone; what comes out is asked again here, so that the index decides over nothing.
#[pg_extern(stable, cost = 10, support = owners_by_index)]
fn reads_runs_of(owner: Option<&str>, fcinfo: pg_sys::FunctionCallInfo) -> bool {
    let caller = guard::caller();
    let reads_everything = || {
        // SAFETY: the call that we are in.
        let remembered = unsafe { Remembered::of(fcinfo) };
        remembered.reads_everything(caller)
    };
    owner.is_some_and(|owner| has_privileges_of(caller, owner) || reads_everything())
}

/// For the policies of the tables of a run: does the current role read it? The run is looked up once a statement: so what is
/// found by way of one's own runs is found cheaper than what is everybody's.
#[pg_extern(stable, cost = 100)]
fn reads_run(run_id: Option<&str>, fcinfo: pg_sys::FunctionCallInfo) -> bool {
    let caller = guard::caller();
    // SAFETY: as above.
    let remembered = unsafe { Remembered::of(fcinfo) };
    if remembered.everything == Some((caller, true)) {
        return true;
    }
    let owner = run_id.and_then(|run_id| remembered.owner_of(run_id));
    owner.is_some_and(|owner| has_privileges_of(caller, owner)) || remembered.reads_everything(caller)
}

/// The owners whose runs the current role reads.
#[pg_extern(stable)]
fn readable_owners() -> Vec<String> {
    let db = Db::read();
    if reads_everything(&db) {
        let rows = db.query(&ALL_OWNERS, &[]);
        return (0..rows.len()).filter_map(|row| rows.get(row, 1)).collect();
    }
    own_roles(&db)
}

/// The roles whose privileges the caller has, itself among them.
pub fn own_roles(db: &Db) -> Vec<String> {
    let rows = db.query(&OWN_ROLES, &[db.caller.into_datum()]);
    (0..rows.len()).filter_map(|row| rows.get(row, 1)).collect()
}

/// Superusers, whom no policy stops at their own tables, meet one where a view belongs to somebody else.
fn reads_everything(db: &Db) -> bool {
    is_superuser(db.caller) || has_level(db, db.caller, "auditor")
}

/// What a policy's function knows from the rows before. Whose run it is follows from the snapshot, and is only remembered
/// for that; whether the caller has the privileges of that owner may change with every command, and is asked for each row.
struct Remembered {
    seen: Seen,
    /// A caller, and whether it reads every run.
    everything: Option<(pg_sys::Oid, bool)>,
    owners: HashMap<String, Option<String>>,
}

/// What tells a snapshot, with what this transaction itself has changed, from the others that a session has.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Seen {
    bounds: [pg_sys::TransactionId; 2],
    running: [u32; 2],
    completions: u64,
    command: pg_sys::CommandId,
    transaction: pg_sys::TimestampTz,
    /// What a savepoint took back is seen no more, by the same command of the same snapshot.
    subtransaction: pg_sys::SubTransactionId,
}

impl Seen {
    fn now() -> Seen {
        // SAFETY: a function is called with a snapshot.
        unsafe {
            let snapshot = &*pg_sys::GetActiveSnapshot();
            Seen {
                bounds: [snapshot.xmin, snapshot.xmax],
                running: [snapshot.xcnt, snapshot.subxcnt as u32],
                completions: snapshot.snapXactCompletionCount,
                command: snapshot.curcid,
                transaction: pg_sys::GetCurrentTransactionStartTimestamp(),
                subtransaction: pg_sys::GetCurrentSubTransactionId(),
            }
        }
    }
}

impl Remembered {
    /// A statement over all runs forgets the first of so many.
    const MOST: usize = 1000;

    /// Of the expression that calls: in a query it lives as long as that, in PL/pgSQL longer than a snapshot.
    unsafe fn of<'a>(fcinfo: pg_sys::FunctionCallInfo) -> &'a mut Remembered {
        let seen = Seen::now();
        let new = || Remembered { seen, everything: None, owners: HashMap::new() };
        // SAFETY: PostgreSQL gives each call of a function from an expression the place for what the function remembers, and
        // the memory that this place belongs to.
        unsafe {
            let function = &mut *(*fcinfo).flinfo;
            if function.fn_extra.is_null() {
                function.fn_extra = PgMemoryContexts::For(function.fn_mcxt).leak_and_drop_on_delete(new()).cast();
            }
            let remembered = &mut *function.fn_extra.cast::<Remembered>();
            if remembered.seen != seen {
                *remembered = new();
            }
            remembered
        }
    }

    fn reads_everything(&mut self, caller: pg_sys::Oid) -> bool {
        match self.everything {
            Some((asked, everything)) if asked == caller => everything,
            _ => self.everything.insert((caller, reads_everything(&Db::read()))).1,
        }
    }

    fn owner_of(&mut self, run_id: &str) -> Option<&str> {
        if !self.owners.contains_key(run_id) {
            if self.owners.len() == Self::MOST {
                self.owners.clear();
            }
            self.owners.insert(run_id.to_owned(), run::owner_of(&Db::read(), run_id));
        }
        self.owners.get(run_id)?.as_deref()
    }
}

/// Tells the planner that an index on an owner serves `reads_runs_of`, and of how many rows it is true.
#[pg_extern(stable)]
fn owners_by_index(request: Internal) -> Internal {
    let Some(request) = request.unwrap() else { return Internal::default() };
    let request: *mut pg_sys::Node = request.cast_mut_ptr();
    // SAFETY: PostgreSQL calls the support function of a function with a request, whose tag says which it is.
    let answer = unsafe {
        match (*request).type_ {
            pg_sys::NodeTag::T_SupportRequestIndexCondition => index_condition(&mut *request.cast()),
            pg_sys::NodeTag::T_SupportRequestSelectivity => selectivity(&mut *request.cast()),
            _ => None,
        }
    };
    // A pointer to nothing: no answer. NULL is none that a support function may give.
    Internal::from(Some(answer.unwrap_or(pg_sys::Datum::from(0))))
}

/// `owner = ANY (layra.readable_owners())`, which is evaluated once a scan. None for who reads everything: no index is of use.
unsafe fn index_condition(request: &mut pg_sys::SupportRequestIndexCondition) -> Option<pg_sys::Datum> {
    // SAFETY: the parts of a planner's request; the call has one argument.
    unsafe {
        if (*request.index).relam != pg_sys::BTREE_AM_OID || reads_everything_now()? {
            return None;
        }
        let call = request.node.cast::<pg_sys::FuncExpr>();
        let condition = is_readable(request.funcid, request.opfamily, (*call).args, request.indexcollation)?;
        request.lossy = true;
        Some(pg_sys::Datum::from(pg_sys::lappend(std::ptr::null_mut(), condition.cast())))
    }
}

unsafe fn selectivity(request: &mut pg_sys::SupportRequestSelectivity) -> Option<pg_sys::Datum> {
    // SAFETY: as above.
    unsafe {
        request.selectivity = if reads_everything_now()? {
            1.0
        } else {
            let condition =
                is_readable(request.funcid, pg_sys::TEXT_BTREE_FAM_OID, request.args, pg_sys::DEFAULT_COLLATION_OID)?;
            pg_sys::clause_selectivity(
                request.root,
                condition.cast(),
                request.varRelid,
                request.jointype,
                request.sjinfo,
            )
        };
        Some(pg_sys::Datum::from(&raw mut *request))
    }
}

/// None where nothing can be asked now.
fn reads_everything_now() -> Option<bool> {
    // SAFETY: reads a backend-local variable.
    unsafe { pg_sys::ActiveSnapshotSet() }.then(|| reads_everything(&Db::read()))
}

/// The condition on the one argument of a call of `reads_runs_of`.
unsafe fn is_readable(
    reads_runs_of: pg_sys::Oid,
    family: pg_sys::Oid,
    args: *mut pg_sys::List,
    collation: pg_sys::Oid,
) -> Option<*mut pg_sys::ScalarArrayOpExpr> {
    // SAFETY: catalogue lookups, and nodes that are made for the planner in its memory. The function is that of the schema
    // which the other one is in, whose owner is the extension's.
    unsafe {
        let (text, equal) = (pg_sys::TEXTOID, pg_sys::BTEqualStrategyNumber as i16);
        let operator = pg_sys::get_opfamily_member(family, text, text, equal);
        let owners = pg_sys::SearchSysCache3(
            pg_sys::SysCacheIdentifier::PROCNAMEARGSNSP as i32,
            pg_sys::Datum::from(c"readable_owners".as_ptr()),
            pg_sys::Datum::from(pg_sys::buildoidvector(std::ptr::null(), 0)),
            pg_sys::Datum::from(pg_sys::get_func_namespace(reads_runs_of)),
        );
        if owners.is_null() {
            return None;
        }
        let function = (*(pg_sys::GETSTRUCT(owners) as *const pg_sys::FormData_pg_proc)).oid;
        pg_sys::ReleaseSysCache(owners);
        if operator == pg_sys::InvalidOid {
            return None;
        }
        let owners = pg_sys::makeFuncExpr(
            function,
            pg_sys::TEXTARRAYOID,
            std::ptr::null_mut(),
            pg_sys::DEFAULT_COLLATION_OID,
            pg_sys::InvalidOid,
            pg_sys::CoercionForm::COERCE_EXPLICIT_CALL,
        );
        let owner = (*(*args).elements).ptr_value;
        let mut condition = PgBox::<pg_sys::ScalarArrayOpExpr>::alloc_node(pg_sys::NodeTag::T_ScalarArrayOpExpr);
        condition.opno = operator;
        condition.opfuncid = pg_sys::get_opcode(operator);
        condition.useOr = true;
        condition.inputcollid = collation;
        condition.args = pg_sys::lappend(pg_sys::lappend(std::ptr::null_mut(), owner), owners.cast());
        condition.location = -1;
        Some(condition.into_pg())
    }
}

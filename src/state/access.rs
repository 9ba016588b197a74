//! Who may do what: owners, auditors, and what the row security of the tables asks.

use crate::server::error::{Error, Result};
use crate::server::guard::{self, Flag};
use crate::server::memo;
use crate::server::rethrow::Witness;
use crate::server::role::{self, bypasses_row_security, has_privileges_of};
use crate::server::support;
use crate::store::access::{all_owners, grant, has_level, own_roles};
use crate::store::db::Db;
use crate::store::run;
use foldhash::HashMap;
use pgrx::prelude::*;
use pgrx::{Internal, pg_sys};

pub fn may_write(db: &Db, run_id: &str, owner: &str) -> Result<()> {
    if has_privileges_of(db.caller, owner) { Ok(()) } else { Err(Error::NotYours(run_id.to_owned())) }
}

pub fn may_read(db: &Db, owner: &str) -> bool {
    has_privileges_of(db.caller, owner) || bypasses_row_security(db.caller) || has_level(db, db.caller, "auditor")
}

pub fn must_read(db: &Db, run_id: &str, owner: &str) -> Result<()> {
    if may_read(db, owner) { Ok(()) } else { Err(Error::NotYours(run_id.to_owned())) }
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
    grant();
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
    let reads_everything = || memo::of::<Remembered>(fcinfo).reads_everything(caller);
    owner.is_some_and(|owner| has_privileges_of(caller, owner) || reads_everything())
}

/// For the policies of the tables of a run: does the current role read it? The run is looked up once a statement: so what is
/// found by way of one's own runs is found cheaper than what is everybody's.
#[pg_extern(stable, cost = 100)]
fn reads_run(run_id: Option<&str>, fcinfo: pg_sys::FunctionCallInfo) -> bool {
    let caller = guard::caller();
    let remembered = memo::of::<Remembered>(fcinfo);
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
        return all_owners(&db);
    }
    own_roles(&db)
}

/// Superusers, whom no policy stops at their own tables, meet one where a view belongs to somebody else.
fn reads_everything(db: &Db) -> bool {
    role::is_superuser(db.caller) || has_level(db, db.caller, "auditor")
}

/// What a policy's function knows from the rows before. Whose run it is follows from the snapshot, and is only remembered
/// for that; whether the caller has the privileges of that owner may change with every command, and is asked for each row.
#[derive(Default)]
struct Remembered {
    /// A caller, and whether it reads every run.
    everything: Option<(pg_sys::Oid, bool)>,
    owners: HashMap<String, Option<String>>,
}

impl Remembered {
    /// A statement over all runs forgets the first of so many.
    const MOST: usize = 1000;

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
    support::is_among(request, c"readable_owners", || reads_everything(&Db::read()))
}

//! Support functions, which tell the planner how an index serves a function.

use pgrx::{Internal, PgBox, pg_sys};
use std::ffi::CStr;

/// Answers for a function of one text that is true where the text is among those that the function `set`, of the same schema,
/// returns, or where these are everything.
pub fn is_among(request: Internal, set: &CStr, is_everything: fn() -> bool) -> Internal {
    let Some(request) = request.unwrap() else { return Internal::default() };
    let request: *mut pg_sys::Node = request.cast_mut_ptr();
    // SAFETY: PostgreSQL calls the support function of a function with a request, whose tag says which it is.
    let answer = unsafe {
        match (*request).type_ {
            pg_sys::NodeTag::T_SupportRequestIndexCondition => {
                index_condition(&mut *request.cast(), set, is_everything)
            }
            pg_sys::NodeTag::T_SupportRequestSelectivity => selectivity(&mut *request.cast(), set, is_everything),
            _ => None,
        }
    };
    // A pointer to nothing: no answer. NULL is none that a support function may give.
    Internal::from(Some(answer.unwrap_or(pg_sys::Datum::from(0))))
}

/// `argument = ANY (set())`, which is evaluated once a scan. None where that is everything: no index is of use.
unsafe fn index_condition(
    request: &mut pg_sys::SupportRequestIndexCondition,
    set: &CStr,
    is_everything: fn() -> bool,
) -> Option<pg_sys::Datum> {
    // SAFETY: the parts of a planner's request; the call has one argument.
    unsafe {
        if (*request.index).relam != pg_sys::BTREE_AM_OID || now(is_everything)? {
            return None;
        }
        let call = request.node.cast::<pg_sys::FuncExpr>();
        let condition = is_in(set, request.funcid, request.opfamily, (*call).args, request.indexcollation)?;
        request.lossy = true;
        Some(pg_sys::Datum::from(pg_sys::lappend(std::ptr::null_mut(), condition.cast())))
    }
}

unsafe fn selectivity(
    request: &mut pg_sys::SupportRequestSelectivity,
    set: &CStr,
    is_everything: fn() -> bool,
) -> Option<pg_sys::Datum> {
    // SAFETY: as above.
    unsafe {
        request.selectivity = if now(is_everything)? {
            1.0
        } else {
            let condition =
                is_in(set, request.funcid, pg_sys::TEXT_BTREE_FAM_OID, request.args, pg_sys::DEFAULT_COLLATION_OID)?;
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
fn now(is_everything: fn() -> bool) -> Option<bool> {
    // SAFETY: reads a backend-local variable.
    unsafe { pg_sys::ActiveSnapshotSet() }.then(is_everything)
}

/// The condition on the one argument of a call.
unsafe fn is_in(
    set: &CStr,
    called: pg_sys::Oid,
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
            pg_sys::Datum::from(set.as_ptr()),
            pg_sys::Datum::from(pg_sys::buildoidvector(std::ptr::null(), 0)),
            pg_sys::Datum::from(pg_sys::get_func_namespace(called)),
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

//! The result of a function that returns one row: one composite value, by OUT parameters.
//!
//! A set of one row would do the same in FROM, but PostgreSQL calls what stands beside a set in a SELECT list once more to
//! learn that the set has ended: an event would be appended twice.

use crate::server::interrupts::check_for_interrupts;
use crate::server::rethrow::Witness;
use pgrx::callconv::{BoxRet, FcInfo};
use pgrx::pgrx_sql_entity_graph::metadata::{
    ArgumentError, ReturnsError, ReturnsRef, SqlMappingRef, SqlTranslatable, TypeOrigin,
};
use pgrx::{IntoHeapTuple, pg_sys};

/// A tuple of columns. pgrx has no OUT parameters, so the function's SQL is written out, with one for each column.
pub struct Row<T>(pub T);

// SAFETY: the SQL type is record, which is only returned, never taken.
unsafe impl<T> SqlTranslatable for Row<T> {
    const TYPE_IDENT: &'static str = pgrx::pgrx_resolved_type!(Row<T>);
    const TYPE_ORIGIN: TypeOrigin = TypeOrigin::External;
    const ARGUMENT_SQL: Result<SqlMappingRef, ArgumentError> = Ok(SqlMappingRef::literal("record"));
    const RETURN_SQL: Result<ReturnsRef, ReturnsError> = Ok(ReturnsRef::One(SqlMappingRef::literal("record")));
}

// SAFETY: returns a row of the type that the function is declared with, in the function's result context.
unsafe impl<T: IntoHeapTuple> BoxRet for Row<T> {
    unsafe fn box_into<'fcx>(self, fcinfo: &mut FcInfo<'fcx>) -> pgrx::datum::Datum<'fcx> {
        let _witness = Witness::enter();
        // SAFETY: the call that is being answered; the tuple has the columns of the function's OUT parameters.
        unsafe {
            let mut columns = std::ptr::null_mut();
            let class = pg_sys::get_call_result_type(fcinfo.as_mut_ptr(), std::ptr::null_mut(), &mut columns);
            if class != pg_sys::TypeFuncClass::TYPEFUNC_COMPOSITE {
                pgrx::error!("the function is not declared with OUT parameters");
            }
            // It copies what it is made of.
            check_for_interrupts();
            let tuple = self.0.into_heap_tuple(pg_sys::BlessTupleDesc(columns));
            fcinfo.return_raw_datum(pg_sys::HeapTupleHeaderGetDatum((*tuple).t_data))
        }
    }
}

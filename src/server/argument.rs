//! Arguments of SQL types that pgrx does not know.

/// Lets a type that reads a datum of an SQL type (`FromDatum`) be an argument of functions. It is only taken, never returned.
macro_rules! argument {
    ($type:ident, $sql:literal) => {
        // SAFETY: the type reads datums of this SQL type.
        unsafe impl SqlTranslatable for $type {
            const TYPE_IDENT: &'static str = pgrx::pgrx_resolved_type!($type);
            const TYPE_ORIGIN: TypeOrigin = TypeOrigin::External;
            const ARGUMENT_SQL: Result<SqlMappingRef, ArgumentError> = Ok(SqlMappingRef::literal($sql));
            const RETURN_SQL: Result<ReturnsRef, ReturnsError> = Ok(ReturnsRef::One(SqlMappingRef::literal($sql)));
        }

        // SAFETY: unboxes with `from_datum`, as pgrx's own types do.
        unsafe impl<'fcx> ArgAbi<'fcx> for $type {
            unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
                // SAFETY: stated by the caller.
                unsafe { arg.unbox_arg_using_from_datum().expect("argument must not be null") }
            }

            unsafe fn unbox_nullable_arg(arg: Arg<'_, 'fcx>) -> Nullable<Self> {
                // SAFETY: stated by the caller.
                unsafe { arg.unbox_arg_using_from_datum().into() }
            }
        }
    };
}

pub(super) use argument;

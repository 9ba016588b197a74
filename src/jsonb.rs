//! jsonb values that pass through untouched: a pointer to the datum, its text, and its parts.
//!
//! A value is never parsed into Rust numbers on its way to storage: `1.00`, 400 digits and 1,000 levels stay what they
//! were. Hashes are made of the text that `jsonb_out` gives, which is the same on every platform.

use pgrx::callconv::{Arg, ArgAbi, BoxRet, FcInfo};
use pgrx::nullable::Nullable;
use pgrx::pgrx_sql_entity_graph::metadata::{
    ArgumentError, ReturnsError, ReturnsRef, SqlMappingRef, SqlTranslatable, TypeOrigin,
};
use pgrx::{FromDatum, IntoDatum, pg_sys};
use std::ffi::{CStr, CString};

/// A detoasted jsonb datum. It lives in the memory context of the function call that made or received it, and is never
/// kept beyond that call.
#[derive(Clone, Copy)]
pub struct Jsonb(*mut pg_sys::Jsonb);

const OBJECT: u32 = pg_sys::JB_FOBJECT;
const ARRAY: u32 = pg_sys::JB_FARRAY;
const SCALAR: u32 = pg_sys::JB_FSCALAR;

impl Jsonb {
    /// From text that is JSON already (jsonb's own text, or composed by us).
    pub fn parse(text: &str) -> Jsonb {
        let text = CString::new(text).expect("JSON text has no NUL");
        // SAFETY: jsonb_in takes a C string and returns a fresh datum; it raises an error for what is not JSON.
        unsafe {
            let datum =
                pgrx::direct_function_call_as_datum(pg_sys::jsonb_in, &[Some(pg_sys::Datum::from(text.as_ptr()))]);
            Jsonb(datum.expect("jsonb_in returns a value").cast_mut_ptr())
        }
    }

    /// A serialisable value as jsonb.
    pub fn of(value: &impl serde::Serialize) -> Jsonb {
        Jsonb::parse(&serde_json::to_string(value).expect("composed JSON is serialisable"))
    }

    /// Copies a jsonb datum of a result row into the current memory context.
    pub fn copy_of(datum: pg_sys::Datum) -> Jsonb {
        // SAFETY: the caller read the datum from a jsonb column.
        unsafe { Jsonb(pg_sys::pg_detoast_datum_copy(datum.cast_mut_ptr()).cast()) }
    }

    /// The text that `jsonb_out` gives.
    pub fn text(&self) -> &str {
        // SAFETY: a valid jsonb; the C string lives in the current memory context, like the value itself; a UTF8
        // database (the install script refuses others) makes it valid UTF-8.
        unsafe {
            let size = pgrx::varlena::varsize_any(self.0.cast());
            let text = pg_sys::JsonbToCString(std::ptr::null_mut(), &mut (*self.0).root, size as i32);
            std::str::from_utf8_unchecked(CStr::from_ptr(text).to_bytes())
        }
    }

    fn header(&self) -> u32 {
        // SAFETY: a valid jsonb starts with its root container.
        unsafe { (*self.0).root.header }
    }

    pub fn is_object(&self) -> bool {
        self.header() & OBJECT != 0
    }

    pub fn is_array(&self) -> bool {
        self.header() & ARRAY != 0 && self.header() & SCALAR == 0
    }

    /// The members of an object, in jsonb's order; empty for anything else.
    pub fn entries(&self) -> Vec<(String, Jsonb)> {
        if !self.is_object() {
            return Vec::new();
        }
        let mut entries = Vec::with_capacity((self.header() & pg_sys::JB_CMASK) as usize);
        let mut key = String::new();
        self.walk(|token, value| match token {
            // SAFETY: a key is a string value with a valid pointer and length, in UTF-8.
            pg_sys::JsonbIteratorToken::WJB_KEY => unsafe {
                let string = value.val.string;
                let bytes = std::slice::from_raw_parts(string.val.cast::<u8>(), string.len as usize);
                key = std::str::from_utf8_unchecked(bytes).to_owned();
            },
            pg_sys::JsonbIteratorToken::WJB_VALUE => entries.push((std::mem::take(&mut key), boxed(value))),
            _ => {}
        });
        entries
    }

    /// The elements of an array; empty for anything else.
    pub fn elements(&self) -> Vec<Jsonb> {
        if !self.is_array() {
            return Vec::new();
        }
        let mut elements = Vec::with_capacity((self.header() & pg_sys::JB_CMASK) as usize);
        self.walk(|token, value| {
            if token == pg_sys::JsonbIteratorToken::WJB_ELEM {
                elements.push(boxed(value));
            }
        });
        elements
    }

    fn walk(&self, mut visit: impl FnMut(pg_sys::JsonbIteratorToken::Type, &mut pg_sys::JsonbValue)) {
        // SAFETY: the iterator is used as jsonb's own functions do: initialised on the root container, advanced until
        // WJB_DONE, nested containers skipped (returned as binary values that point into this one).
        unsafe {
            let mut iterator = pg_sys::JsonbIteratorInit(&mut (*self.0).root);
            let mut value: pg_sys::JsonbValue = std::mem::zeroed();
            loop {
                match pg_sys::JsonbIteratorNext(&mut iterator, &mut value, true) {
                    pg_sys::JsonbIteratorToken::WJB_DONE => break,
                    token => visit(token, &mut value),
                }
            }
        }
    }
}

fn boxed(value: &mut pg_sys::JsonbValue) -> Jsonb {
    // SAFETY: a scalar or binary value, which JsonbValueToJsonb copies into a datum of its own.
    unsafe { Jsonb(pg_sys::JsonbValueToJsonb(value)) }
}

impl FromDatum for Jsonb {
    unsafe fn from_polymorphic_datum(datum: pg_sys::Datum, is_null: bool, _: pg_sys::Oid) -> Option<Jsonb> {
        // SAFETY: the caller states that this is a jsonb datum.
        (!is_null).then(|| unsafe { Jsonb(pg_sys::pg_detoast_datum(datum.cast_mut_ptr()).cast()) })
    }
}

impl IntoDatum for Jsonb {
    fn into_datum(self) -> Option<pg_sys::Datum> {
        Some(pg_sys::Datum::from(self.0))
    }

    fn type_oid() -> pg_sys::Oid {
        pg_sys::JSONBOID
    }
}

// SAFETY: the SQL type is jsonb, in and out.
unsafe impl SqlTranslatable for Jsonb {
    const TYPE_IDENT: &'static str = pgrx::pgrx_resolved_type!(Jsonb);
    const TYPE_ORIGIN: TypeOrigin = TypeOrigin::External;
    const ARGUMENT_SQL: Result<SqlMappingRef, ArgumentError> = Ok(SqlMappingRef::literal("jsonb"));
    const RETURN_SQL: Result<ReturnsRef, ReturnsError> = Ok(ReturnsRef::One(SqlMappingRef::literal("jsonb")));
}

// SAFETY: unboxes with `from_datum`, as pgrx's own JsonB does.
unsafe impl<'fcx> ArgAbi<'fcx> for Jsonb {
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        // SAFETY: stated by the caller.
        unsafe { arg.unbox_arg_using_from_datum().expect("argument must not be null") }
    }

    unsafe fn unbox_nullable_arg(arg: Arg<'_, 'fcx>) -> Nullable<Self> {
        // SAFETY: stated by the caller.
        unsafe { arg.unbox_arg_using_from_datum().into() }
    }
}

// SAFETY: returns the datum itself, which lives in the function's result context.
unsafe impl BoxRet for Jsonb {
    unsafe fn box_into<'fcx>(self, fcinfo: &mut FcInfo<'fcx>) -> pgrx::datum::Datum<'fcx> {
        match self.into_datum() {
            // SAFETY: a jsonb datum for a function that returns jsonb.
            Some(datum) => unsafe { fcinfo.return_raw_datum(datum) },
            None => fcinfo.return_null(),
        }
    }
}

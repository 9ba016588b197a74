//! Arguments of PostgreSQL's types `name`, `text[]` and `regprocedure`, and fresh names of type `uuid`.

use crate::server::argument::argument;
use crate::server::error::Error;
use crate::server::guard::Flag;
use crate::server::memory;
use crate::server::rethrow::Witness;
use pgrx::callconv::{Arg, ArgAbi};
use pgrx::datum::Uuid;
use pgrx::nullable::Nullable;
use pgrx::pgrx_sql_entity_graph::metadata::{
    ArgumentError, ReturnsError, ReturnsRef, SqlMappingRef, SqlTranslatable, TypeOrigin,
};
use pgrx::{FromDatum, pg_sys};
use std::ffi::CStr;

/// A name or a setting as text. The names of roles belong to the whole server, and have the encoding of the database in which
/// they were made: what is no text here is an error (22021), because whatever else it became could be another role's name.
pub fn text(name: &CStr, what: &'static str) -> String {
    name.to_str().map(str::to_owned).unwrap_or_else(|_| Error::Encoding(what).raise())
}

/// The name of a role, as `name` holds it (63 bytes at most).
pub struct Name(pub String);

impl FromDatum for Name {
    unsafe fn from_polymorphic_datum(datum: pg_sys::Datum, is_null: bool, _: pg_sys::Oid) -> Option<Name> {
        if is_null {
            return None;
        }
        // SAFETY: a name datum points to a NUL-terminated string.
        unsafe { Some(Name(text(CStr::from_ptr(datum.cast_mut_ptr()), "the name of a role"))) }
    }
}

argument!(Name, "name");

/// An array of texts, taken apart where there is memory for that.
pub struct Texts(pub Vec<Option<String>>);

impl Texts {
    /// How much more the elements take than the array: each is a piece of memory of its own.
    pub const PIECES: usize = 8;
}

impl FromDatum for Texts {
    unsafe fn from_polymorphic_datum(datum: pg_sys::Datum, is_null: bool, oid: pg_sys::Oid) -> Option<Texts> {
        if is_null {
            return None;
        }
        memory::begin();
        let _witness = Witness::enter();
        // SAFETY: an array of texts, whole and uncompressed from here on.
        unsafe {
            let array = pg_sys::pg_detoast_datum(datum.cast_mut_ptr());
            memory::require(Texts::PIECES * pgrx::varlena::varsize_4b(array));
            Vec::from_polymorphic_datum(pg_sys::Datum::from(array), false, oid).map(Texts)
        }
    }
}

argument!(Texts, "text[]");

/// A function, as regprocedure holds it.
pub struct Procedure(pg_sys::Oid);

impl Procedure {
    /// `schema.name(argument types)`, quoted where needed: what is stored, because an OID does not survive a dump.
    pub fn qualified(&self) -> String {
        let _plain = Flag::plain_names();
        // SAFETY: an OID that regprocedure resolved; the C string is copied.
        unsafe { text(CStr::from_ptr(pg_sys::format_procedure_qualified(self.0)), "the name of a function") }
    }

    /// Whether it is a plain function: no procedure, aggregate or window function.
    pub fn is_function(&self) -> bool {
        // SAFETY: a catalogue look-up by OID.
        unsafe { pg_sys::get_func_prokind(self.0) as u8 == pg_sys::PROKIND_FUNCTION }
    }

    pub fn returns_setof_text(&self) -> bool {
        // SAFETY: catalogue look-ups by OID.
        unsafe { pg_sys::get_func_retset(self.0) && pg_sys::get_func_rettype(self.0) == pg_sys::TEXTOID }
    }
}

impl FromDatum for Procedure {
    unsafe fn from_polymorphic_datum(datum: pg_sys::Datum, is_null: bool, typoid: pg_sys::Oid) -> Option<Procedure> {
        // SAFETY: regprocedure is an OID.
        unsafe { pg_sys::Oid::from_polymorphic_datum(datum, is_null, typoid).map(Procedure) }
    }
}

argument!(Procedure, "regprocedure");

/// A table, view or the like, as regclass holds it.
pub struct Relation(pub pg_sys::Oid);

impl FromDatum for Relation {
    unsafe fn from_polymorphic_datum(datum: pg_sys::Datum, is_null: bool, typoid: pg_sys::Oid) -> Option<Relation> {
        // SAFETY: regclass is an OID.
        unsafe { pg_sys::Oid::from_polymorphic_datum(datum, is_null, typoid).map(Relation) }
    }
}

argument!(Relation, "regclass");

/// A uuid of its text, as PostgreSQL writes it; None for anything else.
pub fn uuid(text: &str) -> Option<Uuid> {
    let digits: Vec<u8> = text.bytes().filter(|octet| *octet != b'-').collect();
    let digits = std::str::from_utf8(&digits).ok().filter(|digits| digits.len() == 32)?;
    let number = u128::from_str_radix(digits, 16).ok()?;
    let uuid = Uuid::from_bytes(number.to_be_bytes());
    (uuid.to_string() == text).then_some(uuid)
}

pub fn fresh_uuid() -> Uuid {
    // SAFETY: gen_random_uuid takes no arguments, and returns a uuid.
    unsafe { pgrx::direct_function_call::<Uuid>(pg_sys::gen_random_uuid, &[]) }
        .expect("gen_random_uuid returns a value")
}

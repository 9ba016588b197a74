//! What every row has, however it was found: columns that are read by number.

use crate::pure::hash::Hash;
use crate::server::jsonb::Jsonb;
use crate::server::memory;
use crate::server::name::Texts;
use pgrx::{FromDatum, IntoDatum, pg_sys};
use std::cmp::Ordering;

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

    /// How a text column that is not null compares with a text, byte by byte, as collation "C" does.
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

    /// A 32-byte hash.
    fn hash(&self, column: i32) -> Option<[u8; 32]> {
        self.require(column, |oid| oid == pg_sys::BYTEAOID);
        let (datum, null) = self.datum(column);
        if null { None } else { octets(datum, |octets| octets.try_into().ok()) }
    }
}

/// A hash, where there is one; that of nothing where what stands there is none.
pub fn hash_of(row: &impl Columns, column: i32) -> Option<Hash> {
    if row.is_null(column) { None } else { Some(row.hash(column).unwrap_or_default()) }
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

/// What `read` makes of a text's or bytea's bytes, in place where they are neither compressed nor out of line.
fn octets<T>(datum: pg_sys::Datum, read: impl FnOnce(&[u8]) -> T) -> T {
    let value: *mut pg_sys::varlena = datum.cast_mut_ptr();
    // SAFETY: the callers have a text or bytea that is not null; what the server decompresses is a copy.
    unsafe {
        let value = if is_in_place(value) { value } else { pg_sys::pg_detoast_datum_packed(value) };
        read(pgrx::varlena::varlena_to_byte_slice(value))
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

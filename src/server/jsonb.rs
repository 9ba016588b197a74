//! jsonb values that pass through untouched: a pointer to the datum, its text, and its parts.
//!
//! A value is never parsed into Rust numbers on its way to storage: `1.00`, 400 digits and 1,000 levels stay what they
//! were. Hashes are made of the text that `jsonb_out` gives, which is the same on every platform.

use crate::pure::binary::{self, ARRAY, CONTAINER, HAS_OFFSET, Item, Member, OBJECT, SCALAR, Server, Value};
use crate::pure::room::reserve;
use crate::server::argument::argument;
use crate::server::error::Error;
use crate::server::interrupts::{check_for_interrupts, check_stack_depth};
use crate::server::memory::{self, palloc, palloc_huge};
use crate::server::rethrow::Witness;
use pgrx::callconv::{Arg, ArgAbi, BoxRet, FcInfo};
use pgrx::nullable::Nullable;
use pgrx::pgrx_sql_entity_graph::metadata::{
    ArgumentError, ReturnsError, ReturnsRef, SqlMappingRef, SqlTranslatable, TypeOrigin,
};
use pgrx::{FromDatum, IntoDatum, pg_sys};
use std::borrow::Cow;
use std::ffi::CStr;
use std::io::{self, Write};

/// A detoasted jsonb datum. It lives in the memory context of the function call that made or received it, and is never
/// kept beyond that call.
#[derive(Clone, Copy)]
pub struct Jsonb(*mut pg_sys::Jsonb);

impl Jsonb {
    /// From text that is JSON already (jsonb's own text, or composed by us).
    pub fn parse(text: &str) -> Jsonb {
        match binary::parsed(text, check_for_interrupts) {
            Some(octets) => Jsonb::from_octets(&octets),
            None => Jsonb::parse_by_server(text),
        }
    }

    fn parse_by_server(text: &str) -> Jsonb {
        assert!(!text.contains('\0'), "JSON text has no NUL");
        let _witness = Witness::enter();
        // SAFETY: jsonb_in takes a C string, here a copy that is freed afterwards, and returns a fresh datum; it raises an
        // error for what is not JSON.
        unsafe {
            let copy = palloc(text.len() + 1);
            copy.copy_from_nonoverlapping(text.as_ptr(), text.len());
            copy.add(text.len()).write(0);
            let datum = pgrx::direct_function_call_as_datum(pg_sys::jsonb_in, &[Some(pg_sys::Datum::from(copy))]);
            pg_sys::pfree(copy.cast());
            Jsonb(datum.expect("jsonb_in returns a value").cast_mut_ptr())
        }
    }

    /// A serialisable value as jsonb.
    pub fn of(value: &impl serde::Serialize) -> Jsonb {
        let mut text = Text(Vec::with_capacity(128));
        if serde_json::to_writer(&mut text, value).is_err() {
            Error::Memory.raise();
        }
        // SAFETY: serde_json writes UTF-8.
        Jsonb::parse(unsafe { std::str::from_utf8_unchecked(&text.0) })
    }

    /// From members that may be large; of two with the same key the last counts.
    pub fn object(members: Vec<Member<'_>>) -> Jsonb {
        Jsonb::made(&object(members), "object")
    }

    /// From elements that may be large.
    pub fn array(elements: Vec<Value<'_>>) -> Jsonb {
        Jsonb::made(&Value::Array(elements), "array")
    }

    fn made(value: &Value<'_>, kind: &str) -> Jsonb {
        check_for_interrupts();
        memory::require(2 * value.size());
        let octets = binary::octets_of(value, value.size());
        // PostgreSQL says the same of what it reads.
        let too_large = || Error::Limit {
            message: format!("total size of jsonb {kind} elements exceeds the maximum of 268435455 bytes"),
            hint: "Read less at a time: layra.cells and layra.get_variables read parts of a state.",
        };
        Jsonb::from_octets(&octets.unwrap_or_else(|| too_large().raise()))
    }

    /// This object with more members.
    pub fn with<'a, const MEMBERS: usize>(&'a self, more: [(&'static str, Option<&'a Jsonb>); MEMBERS]) -> Jsonb {
        Jsonb::made(&self.part_with(more), "object")
    }

    /// As `with`, as a part of another value.
    pub fn part_with<'a, const MEMBERS: usize>(
        &'a self,
        more: [(&'static str, Option<&'a Jsonb>); MEMBERS],
    ) -> Value<'a> {
        self.require_room();
        let members = self.item().members().unwrap_or_default().into_iter();
        let members = members.map(|(key, value)| (Cow::Borrowed(key), Value::Raw(value)));
        let more = more.into_iter().filter_map(|(key, value)| Some((Cow::Borrowed(key.as_bytes()), value?.part())));
        object(members.chain(more).collect())
    }

    /// A part of another value, on its own.
    pub fn of_part(item: Item<'_>) -> Option<Jsonb> {
        boxed(&[item]).pop()
    }

    /// As a part of another value.
    pub fn part(&self) -> Value<'_> {
        Value::Raw(self.item())
    }

    /// The members of an object, in place; None for anything else.
    pub fn members(&self) -> Option<Vec<(&[u8], Item<'_>)>> {
        self.require_room();
        self.item().members()
    }

    /// The member of an object with this key.
    pub fn member(&self, key: &str) -> Option<Value<'_>> {
        self.require_room();
        let members = self.item().members()?;
        members.into_iter().find(|(other, _)| *other == key.as_bytes()).map(|(_, value)| Value::Raw(value))
    }

    /// Copies a jsonb datum of a result row into the current memory context.
    pub fn copy_of(datum: pg_sys::Datum) -> Jsonb {
        check_for_interrupts();
        // SAFETY: the caller read the datum from a jsonb column.
        Jsonb(unsafe { pg_sys::pg_detoast_datum_copy(datum.cast_mut_ptr()).cast() }).met()
    }

    fn met(self) -> Jsonb {
        memory::expect(self.size());
        self
    }

    /// Bytes that it takes.
    pub fn size(&self) -> usize {
        // SAFETY: a detoasted jsonb begins with its size.
        unsafe { pgrx::varlena::varsize_4b(self.0.cast()) }
    }

    /// The root container.
    pub fn octets(&self) -> &[u8] {
        // SAFETY: a detoasted jsonb is a header of four bytes with its size, and a container.
        unsafe {
            let size = pgrx::varlena::varsize_4b(self.0.cast());
            std::slice::from_raw_parts(self.0.cast::<u8>().add(HEADER), size.saturating_sub(HEADER))
        }
    }

    /// From the bytes of the binary form, as `delta` puts them together.
    pub fn from_octets(octets: &[u8]) -> Jsonb {
        // A copy of 60 MB takes a twentieth of a second.
        check_for_interrupts();
        let size = octets.len() + HEADER;
        // SAFETY: a fresh datum of that size, with its header set, in the current memory context; palloc aligns it.
        unsafe {
            let datum = palloc(size);
            pgrx::varlena::set_varsize_4b(datum.cast(), size as i32);
            std::ptr::copy_nonoverlapping(octets.as_ptr(), datum.add(HEADER), octets.len());
            Jsonb(datum.cast())
        }
    }

    /// The text that `jsonb_out` gives.
    pub fn text(&self) -> &str {
        let _witness = Witness::enter();
        let octets = self.octets();
        let mut text = Vec::new();
        let made = reserve(&mut text, octets.len() + octets.len() / 8 + 32)
            .and_then(|()| binary::root(octets))
            .and_then(|root| binary::text(root, &mut Backend, &mut text));
        if made.is_none() || text.len() > MAX_TEXT {
            drop(text);
            let text = self.text_of_server();
            memory::expect(text.len());
            return text;
        }
        memory::expect(text.len());
        // SAFETY: as many bytes as are copied; they live in the current memory context, as the value itself does. A UTF8
        // database (the install script refuses others) makes them valid UTF-8.
        unsafe {
            let copy = palloc(text.len());
            copy.copy_from_nonoverlapping(text.as_ptr(), text.len());
            std::str::from_utf8_unchecked(std::slice::from_raw_parts(copy, text.len()))
        }
    }

    /// As `text`, of a value that may be damaged: None where it is no jsonb, which PostgreSQL's own function would read beyond
    /// its end.
    pub fn sound_text(&self) -> Option<String> {
        let octets = self.octets();
        let mut text = Vec::new();
        if binary::text(binary::root(octets)?, &mut Backend, &mut text).is_none() {
            // For want of memory, perhaps: a byte is an escape of six at most, in a buffer of twice the size.
            memory::require(octets.len() * LONGEST);
            return None;
        }
        String::from_utf8(text).ok()
    }

    /// By PostgreSQL's own function, which has an error for what is too long or broken, and for want of memory.
    fn text_of_server(&self) -> &str {
        // SAFETY: as `text`, with a C string.
        unsafe {
            let size = pgrx::varlena::varsize_4b(self.0.cast());
            let text = pg_sys::JsonbToCString(std::ptr::null_mut(), &mut (*self.0).root, size as i32);
            std::str::from_utf8_unchecked(CStr::from_ptr(text).to_bytes())
        }
    }

    fn root(&self) -> Item<'_> {
        Item { kind: CONTAINER, octets: self.octets() }
    }

    /// The root container, or the scalar that it is made for.
    pub fn item(&self) -> Item<'_> {
        binary::root(self.octets()).unwrap_or(self.root())
    }

    /// For its parts, one by one: 53200 where there is no room for them.
    fn require_room(&self) {
        memory::require(self.octets().len() + self.root().count() * PART);
    }

    pub fn is_object(&self) -> bool {
        self.root().is(OBJECT)
    }

    pub fn is_array(&self) -> bool {
        self.root().is(ARRAY) && !self.root().is(SCALAR)
    }

    /// The members of an object, in jsonb's order; empty for anything else.
    pub fn entries(&self) -> Vec<(String, Jsonb)> {
        if !self.is_object() {
            return Vec::new();
        }
        self.require_room();
        let mut keys = self.root().parts().unwrap_or_default();
        let values = keys.split_off(keys.len() / 2);
        // SAFETY: a key is UTF-8.
        let keys = keys.iter().map(|key| unsafe { std::str::from_utf8_unchecked(key.octets) }.to_owned());
        let keys = keys.inspect(|_| check_for_interrupts());
        keys.zip(boxed(&values)).collect()
    }

    /// The elements of an array; empty for anything else.
    pub fn elements(&self) -> Vec<Jsonb> {
        if !self.is_array() {
            return Vec::new();
        }
        self.require_room();
        boxed(&self.root().parts().unwrap_or_default())
    }
}

/// An array of jsonb values, taken apart where there is memory for that.
pub struct Values(pub Vec<Option<Jsonb>>);

impl FromDatum for Values {
    unsafe fn from_polymorphic_datum(datum: pg_sys::Datum, is_null: bool, _: pg_sys::Oid) -> Option<Values> {
        if is_null {
            return None;
        }
        memory::begin();
        let _witness = Witness::enter();
        // SAFETY: an array of jsonb values, whole and uncompressed from here on.
        unsafe {
            let array = pg_sys::pg_detoast_datum(datum.cast_mut_ptr());
            memory::require(pgrx::varlena::varsize_4b(array));
            let (mut elements, mut nulls, mut count) = (std::ptr::null_mut(), std::ptr::null_mut(), 0);
            pg_sys::deconstruct_array(
                array.cast(),
                pg_sys::JSONBOID,
                -1,
                false,
                pg_sys::TYPALIGN_INT as std::ffi::c_char,
                &mut elements,
                &mut nulls,
                &mut count,
            );
            let value = |index| Jsonb::from_datum(*elements.add(index), *nulls.add(index));
            Some(Values((0..count as usize).map(value).collect()))
        }
    }
}

argument!(Values, "jsonb[]");

/// An object of members in any order; of two with the same key the last counts.
pub fn object(mut members: Vec<Member<'_>>) -> Value<'_> {
    members.reverse();
    members.sort_by(|(a, _), (b, _)| binary::order(a, b));
    members.dedup_by(|(a, _), (b, _)| a == b);
    Value::Object(members)
}

/// Bytes of a varlena's header, of a container's, of an entry's.
const HEADER: usize = 4;

/// Bytes that a member takes beside those of its key and value: where it stands, its key's own piece of memory, its datum.
const PART: usize = binary::PART + 64;

/// Text that grows while there is memory for it.
struct Text(Vec<u8>);

impl Write for Text {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        reserve(&mut self.0, octets.len()).ok_or(io::ErrorKind::OutOfMemory)?;
        self.0.extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Bytes that a byte of a value, or what it takes to read it, may need as text.
const LONGEST: usize = binary::PART / 4;

/// PostgreSQL allocates 1 GB at most at once.
const MAX_TEXT: usize = 0x3FFF_FFFF;

/// Values as datums of their own, in one piece of memory.
fn boxed(items: &[Item<'_>]) -> Vec<Jsonb> {
    let size = |item: &Item<'_>| {
        binary::aligned(HEADER + item.octets.len() + if item.kind == CONTAINER { 0 } else { 2 * HEADER })
    };
    let total: usize = items.iter().map(size).sum();
    // SAFETY: each value is written where there is room for it: its size, and the container, which for a scalar is a header,
    // an entry and its bytes. The memory is aligned, and so are the values in it, whose sizes are multiples of 4.
    unsafe {
        let mut at = palloc_huge(total.max(1));
        items
            .iter()
            .map(|item| {
                let value = at;
                let mut put = |octets: &[u8]| {
                    at.copy_from_nonoverlapping(octets.as_ptr(), octets.len());
                    at = at.add(octets.len());
                };
                put(&[0; HEADER]);
                if item.kind != CONTAINER {
                    put(&(SCALAR | ARRAY | 1).to_ne_bytes());
                    put(&(item.kind | HAS_OFFSET | item.octets.len() as u32).to_ne_bytes());
                }
                put(item.octets);
                pgrx::varlena::set_varsize_4b(value.cast(), at.offset_from(value) as i32);
                at = value.add(size(item));
                Jsonb(value.cast())
            })
            .collect()
    }
}

struct Backend;

impl Server for Backend {
    fn number(&mut self, numeric: &[u8], out: &mut Vec<u8>) -> Option<()> {
        // SAFETY: a numeric as jsonb keeps it, aligned to 4 bytes; the C string is copied and freed.
        unsafe {
            let argument = Some(pg_sys::Datum::from(numeric.as_ptr()));
            let datum = pgrx::direct_function_call_as_datum(pg_sys::numeric_out, &[argument]);
            let text: *mut std::ffi::c_char = datum.expect("numeric_out returns a value").cast_mut_ptr();
            let digits = CStr::from_ptr(text).to_bytes();
            reserve(out, digits.len())?;
            out.extend_from_slice(digits);
            pg_sys::pfree(text.cast());
            Some(())
        }
    }

    fn pause(&mut self) {
        check_stack_depth();
        check_for_interrupts();
    }
}

impl FromDatum for Jsonb {
    unsafe fn from_polymorphic_datum(datum: pg_sys::Datum, is_null: bool, _: pg_sys::Oid) -> Option<Jsonb> {
        if is_null {
            return None;
        }
        // It allocates where the value is compressed or stored apart.
        let _witness = Witness::enter();
        // SAFETY: the caller states that this is a jsonb datum.
        Some(Jsonb(unsafe { pg_sys::pg_detoast_datum(datum.cast_mut_ptr()).cast() }).met())
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
        memory::begin();
        // SAFETY: stated by the caller.
        unsafe { arg.unbox_arg_using_from_datum().expect("argument must not be null") }
    }

    unsafe fn unbox_nullable_arg(arg: Arg<'_, 'fcx>) -> Nullable<Self> {
        memory::begin();
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

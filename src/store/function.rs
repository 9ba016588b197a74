//! Functions that are not the extension's, which rows name as text: an OID does not survive a dump.

use crate::server::args;
use crate::server::error::{Error, Result};
use crate::server::name::Procedure;
use crate::server::spi::{Arg, execute_text};
use pgrx::pg_sys;

/// A function of the caller's choice as text, if it has the arguments that it will be called with.
pub fn checked_function(function: Option<&Procedure>, signature: &str) -> Result<String> {
    let function = args::required(function, "function")?;
    let text = function.qualified();
    if text.ends_with(signature) && function.is_function() {
        return Ok(text);
    }
    Err(Error::argument(format!("{text} must be a function with the argument types {signature}")))
}

/// Calls a stored function as the current user.
pub(super) fn call(function: &str, signature: &str, args: &[(pg_sys::Oid, Arg)]) {
    let numbers: Vec<String> = (1..=args.len()).map(|number| format!("${number}")).collect();
    let name = qualified_name(function, signature);
    execute_text(&format!("SELECT {name}({})::pg_catalog.text", numbers.join(", ")), args);
}

/// As `call`, of a function that returns a set of texts.
pub(super) fn call_for_texts(function: &str, signature: &str, args: &[(pg_sys::Oid, Arg)]) -> Vec<Option<String>> {
    let numbers: Vec<String> = (1..=args.len()).map(|number| format!("${number}")).collect();
    let name = qualified_name(function, signature);
    execute_text(&format!("SELECT m::pg_catalog.text FROM {name}({}) m", numbers.join(", ")), args)
}

/// `schema.name` of a stored function, which is text like `schema.name(text,bigint)`.
fn qualified_name<'a>(function: &'a str, signature: &str) -> &'a str {
    function.strip_suffix(signature).unwrap_or(function)
}

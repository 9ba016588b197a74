//! What PostgreSQL tells about its caches.

use pgrx::pg_sys;

/// Calls `changed` for each relation whose description may have changed; None: any of them may have. It must neither raise an
/// error nor look anything up. Once in a session.
pub fn on_relation_change(changed: fn(Option<pg_sys::Oid>)) {
    // SAFETY: functions that live as long as the session, as the library is never unloaded.
    unsafe { pg_sys::CacheRegisterRelcacheCallback(Some(relation_changed), pg_sys::Datum::from(changed as usize)) };
}

unsafe extern "C-unwind" fn relation_changed(changed: pg_sys::Datum, relation: pg_sys::Oid) {
    // SAFETY: what `on_relation_change` registered: such a function.
    let changed: fn(Option<pg_sys::Oid>) = unsafe { std::mem::transmute(changed.value()) };
    changed((relation != pg_sys::InvalidOid).then_some(relation));
}

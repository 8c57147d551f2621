//! What `eventlog_socket_rts.c` calls (`eventlog_socket_rts.h`).

use crate::rts::{self, RtsTable};
use crate::{exit, log};

/// `eventlog_socket_rts_register`.
///
/// # Safety
/// `table` is NULL or lives as long as the process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventlog_socket_rts_register(table: *const RtsTable) {
    rts::register(table);
}

/// `eventlog_socket_rts_exiting`.
#[unsafe(no_mangle)]
pub extern "C" fn eventlog_socket_rts_exiting() {
    exit::rts_exiting();
}

/// `eventlog_socket_rts_attached`.
#[unsafe(no_mangle)]
pub extern "C" fn eventlog_socket_rts_attached() -> bool {
    log::is_attached()
}

/// `eventlog_socket_rts_restarting`.
#[unsafe(no_mangle)]
pub extern "C" fn eventlog_socket_rts_restarting(begin: bool) {
    log::rts_restarting(begin);
}

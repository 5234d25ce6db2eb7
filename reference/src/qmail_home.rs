//! qmail's directory, which becomes the current one (QMAIL-2, QVAL-2).

use std::{env, ffi::OsStr, os::unix::ffi::OsStrExt};

use bstr::BString;

use crate::response::Response;

/// The variable that names it.
pub const VARIABLE: &str = "QMAILHOME";

/// Where it is if the variable is not set (QMAIL-2).
const DEFAULT: &[u8] = b"/var/qmail";

/// Makes the directory that `$QMAILHOME` names the current one, for the rest of the session. An empty
/// value names none.
///
/// # Errors
/// It is missing or not ours to enter: what the client is told.
pub fn enter(home: Option<BString>) -> Result<(), Response> {
    let home = home.unwrap_or_else(|| DEFAULT.into());
    env::set_current_dir(OsStr::from_bytes(&home))
        .map_err(|_| Response::new(451, "4.3.0 Could not change to the qmail directory."))
}

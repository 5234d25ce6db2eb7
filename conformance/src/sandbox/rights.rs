//! Rights that a case needs and the suite may not have.

use super::Workshop;
use crate::transcript::front::{Front, Setup};

/// Why a case with this head cannot be played here, if it cannot.
pub fn spoil(front: &Front, workshop: &Workshop) -> Option<&'static str> {
    let setups = front.setups().unwrap_or_default();
    let gives = |setup: &Setup| matches!(setup, Setup::User(_) | Setup::CallByCopy(..));
    let raises = |setup: &Setup| matches!(setup, Setup::CallByCopy(_, _, mode) if mode & SET_ID != 0);
    if setups.iter().any(gives) && !rustix::process::geteuid().is_root() {
        return Some("needs root to change the user");
    }
    (setups.iter().any(raises) && !workshop.honours_set_id())
        .then_some("programs run without their set-uid and set-gid bits here")
}

/// The set-uid and set-gid bits of a mode.
const SET_ID: u32 = 0o6000;

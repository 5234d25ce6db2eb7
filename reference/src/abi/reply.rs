//! Responses as modules send and find them by name (PLUG-ABI-10, -11).

use std::{
    cell::RefCell,
    collections::VecDeque,
    ffi::{CString, c_char, c_int},
    mem::ManuallyDrop,
};

use bstr::BString;

use super::{
    host,
    object::{RawAnswer, RawResponse, c_bytes, c_string, copied},
};
use crate::response::Response;

/// Responses of ours a protocol may still hold; it handles one or two at a time.
const KEPT: usize = 16;

/// The lines of a response being sent piecewise, all but the last.
type Pending = Option<BString>;

/// A response in the form of modules, with what its text pointer points to.
type Held = Box<(RawResponse, CString)>;

thread_local! {
    // These have no destructors, as `host::LENT`.
    static PENDING: ManuallyDrop<RefCell<Pending>> = const { ManuallyDrop::new(RefCell::new(None)) };
    static HELD: ManuallyDrop<RefCell<VecDeque<Held>>> =
        const { ManuallyDrop::new(RefCell::new(VecDeque::new())) };
}

const fn stock(number: u32, text: &'static std::ffi::CStr) -> RawResponse {
    RawResponse { number, text: text.as_ptr() }
}

// Texts of CORE-RESP-7. Mutable because the C program's are: a module that writes to one must not be
// killed for it. Nothing of ours reads them by these names.
#[unsafe(no_mangle)]
static mut resp_accepted_message: RawResponse = stock(250, c"2.6.0 Message accepted.");
#[unsafe(no_mangle)]
static mut resp_accepted_sender: RawResponse = stock(250, c"2.1.0 Sender accepted.");
#[unsafe(no_mangle)]
static mut resp_accepted_recip: RawResponse = stock(250, c"2.1.5 Recipient accepted.");
#[unsafe(no_mangle)]
static mut resp_internal: RawResponse = stock(451, c"4.3.0 Internal error.");
#[unsafe(no_mangle)]
static mut resp_oom: RawResponse = stock(451, c"4.3.0 Out of memory.");

/// What a missing host name is called.
#[unsafe(no_mangle)]
static UNKNOWN: [u8; 8] = *b"unknown\0";
/// The name in the support library's log lines; it crashes without one.
#[unsafe(no_mangle)]
static program: [u8; 10] = *b"mailfront\0";
/// Those lines have the process id.
#[unsafe(no_mangle)]
static msg_show_pid: c_int = 1;

/// A response for a module, valid until [`KEPT`] more were made.
pub(super) fn held(response: &Response) -> RawAnswer {
    let text = c_string(response.text().unwrap_or_default());
    let raw = RawResponse { number: response.number_with_flag(), text: text.as_ptr() };
    let held = Box::new((raw, text));
    let answer: RawAnswer = &raw const held.0;
    HELD.with(|all| {
        let mut all = all.borrow_mut();
        if all.len() == KEPT {
            all.pop_front();
        }
        all.push_back(held);
    });
    answer
}

#[unsafe(no_mangle)]
unsafe extern "C" fn respond(response: RawAnswer) -> c_int {
    // SAFETY: a module passes null or a response, here and below.
    let response = unsafe { copied(response) };
    response.map_or(0, |response| send(&response))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn respond_multiline(number: u32, last: c_int, text: *const c_char) -> c_int {
    // SAFETY: a module passes a C string.
    piece(number, last != 0, unsafe { c_bytes(text) })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn respond_line(number: u32, last: c_int, text: *const u8, length: u64) -> c_int {
    let length = if text.is_null() { 0 } else { usize::try_from(length).unwrap_or_default() };
    // SAFETY: a module passes its own bytes with their length; a slice of none is valid anywhere.
    let text = if length == 0 { b"" } else { unsafe { std::slice::from_raw_parts(text, length) } };
    piece(number, last != 0, text)
}

/// Lines of a response; it is sent when its last one is known (CORE-RESP-5).
fn piece(number: u32, is_last: bool, text: &[u8]) -> c_int {
    let lines: BString = PENDING.with(|pending| match pending.borrow_mut().take() {
        Some(before) => [&before, &b"\n"[..], text].concat().into(),
        None => text.into(),
    });
    if is_last {
        return send(&Response::from_module(number, Some(lines)));
    }
    PENDING.with(|pending| *pending.borrow_mut() = Some(lines));
    1
}

fn send(response: &Response) -> c_int {
    c_int::from(host::session(|session| session.respond(response).is_ok()).unwrap_or_default())
}

#[unsafe(no_mangle)]
unsafe extern "C" fn response_ok(response: RawAnswer) -> c_int {
    // SAFETY: as in `respond`.
    c_int::from(unsafe { copied(response) }.is_none_or(|response| response.is_ok()))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn number_ok(response: RawAnswer) -> c_int {
    // SAFETY: as in `respond`.
    unsafe { response_ok(response) }
}

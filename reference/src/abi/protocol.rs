//! A loaded protocol, and the functions by which it runs the events of the chain (PLUG-ABI-8, -11).
//!
//! Its loop reads and writes through [`streams`], so the time limits of the session hold. What the
//! built-in protocols refuse before any hook, addresses with NUL, CR or LF, is refused here too.

use std::{
    cell::Cell,
    ffi::{c_char, c_int},
    ptr::{NonNull, null},
};

use bstr::BString;

use super::{
    host,
    library::Library,
    object::{RawAnswer, RawCommand, RawProtocol, RawStr, VERSION, assign, c_bytes, content},
    reply, streams,
};
use crate::{
    chain::Chain,
    connection::{Connection, End},
    driver,
    plugin::LoadError,
    protocol::{ExitStatus, Protocol},
    response::{Framing, Response},
    session::Session,
};

/// The session limit without `$SESSION_TIMEOUT`: that of QMTP and QMQP, the protocols there are
/// (CORE-TIME-9).
const SESSION_LIMIT: u64 = 3600;

thread_local! {
    static PROTOCOL: Cell<Option<NonNull<RawProtocol>>> = const { Cell::new(None) };
    /// The chain the loop drives, except while an event runs: a module that asks for an event from
    /// inside one finds none, so there is never a second reference.
    static CHAIN: Cell<Option<NonNull<Chain>>> = const { Cell::new(None) };
    /// The process whose loop runs; a child is another one.
    static SERVING: Cell<Option<u32>> = const { Cell::new(None) };
}

/// The protocol of this process. Its file stays loaded, so the pointer stays good.
pub(super) struct Loaded {
    object: NonNull<RawProtocol>,
}

impl Loaded {
    /// The protocol in `library`; responses go through its line writer from now on (CORE-MOD-6).
    pub(super) fn new(library: &Library<'_>, session: &Session) -> Result<Self, LoadError> {
        let object: NonNull<RawProtocol> = library.object(c"protocol")?;
        // SAFETY: every interface version has its number here.
        if unsafe { (*object.as_ptr()).version } != VERSION {
            return Err(LoadError::VersionMismatch);
        }
        PROTOCOL.set(Some(object));
        session.connection.set_line_writer(write_lines);
        Ok(Self { object })
    }
}

/// The loaded protocol's name for itself, if there is one.
pub(super) fn name() -> Option<*const c_char> {
    // SAFETY: the object stays; the protocol writes a C string there.
    PROTOCOL.get().map(|object| unsafe { (*object.as_ptr()).name })
}

/// Ends the program if a loop runs: the session's time is over (CORE-TIME-7).
pub(super) fn leave() {
    if SERVING.get() == Some(std::process::id()) {
        // SAFETY: exit runs `finish` below; no other thread can be exiting.
        unsafe { libc::exit(ExitStatus::DONE.0) };
    }
}

/// Protocols may call `exit` from their loop; the session is ended as always then.
extern "C" fn finish() {
    // A child that could not run its program must not speak for us (CORE-LOG-9).
    if SERVING.take() == Some(std::process::id()) {
        host::session(|session| match CHAIN.take() {
            // SAFETY: the loop, which has the chain, is on the stack below and never goes on.
            Some(mut chain) => driver::finish(session, unsafe { chain.as_mut() }),
            None => session.connection.log_bytes(),
        });
    }
}

/// Sends a response line by line through the protocol's writer.
fn write_lines(connection: &Connection, response: &Response) -> Result<(), End> {
    let Some(object) = PROTOCOL.get() else { return Err(End::Failed) };
    streams::with(connection, || {
        // SAFETY: the object stays.
        let write_line = unsafe { (*object.as_ptr()).write_line };
        let number = u32::from(response.number());
        let mut lines = response.lines().peekable();
        while let Some(line) = lines.next() {
            let last = c_int::from(lines.peek().is_none());
            // SAFETY: a function of this type (PLUG-ABI-8), and a line that outlives the call.
            if unsafe { write_line(number, last, line.as_ptr(), line.len() as u64) } == 0 {
                return Err(End::Failed);
            }
        }
        if streams::flush() { Ok(()) } else { Err(End::Failed) }
    })
}

impl Protocol for Loaded {
    fn name(&self) -> BString {
        // SAFETY: the object stays; its name is null or a C string.
        unsafe { c_bytes((*self.object.as_ptr()).name) }.into()
    }

    fn framing(&self) -> Framing {
        // Not used: the line writer comes first.
        Framing::Netstring
    }

    fn default_session_limit(&self) -> u64 {
        SESSION_LIMIT
    }

    fn init(&mut self, session: &Session) -> Result<(), ExitStatus> {
        // SAFETY: the object stays, and has a function of this type or none.
        let result = host::enter(session, || unsafe { (*self.object.as_ptr()).init.map(|init| init()) });
        if result.unwrap_or_default() == 0 { Ok(()) } else { Err(ExitStatus::FAILED) }
    }

    fn run(&mut self, session: &Session, chain: &mut Chain) -> ExitStatus {
        // Commands of modules are SMTP's, which is built in (PLUG-CMD-1).
        let no_commands = [RawCommand::END];
        CHAIN.set(Some(NonNull::from(chain)));
        SERVING.set(Some(std::process::id()));
        let status = host::enter(session, || {
            // SAFETY: SIG_IGN runs no code of ours. The loops of QMTP and QMQP set an alarm as their
            // session limit; ours is kept while reading and writing (CORE-TIME-9). `finish` takes and
            // returns nothing.
            unsafe {
                libc::signal(libc::SIGALRM, libc::SIG_IGN);
                libc::atexit(finish);
            }
            // SAFETY: a function of this type (PLUG-ABI-8); the table outlives the call.
            unsafe { ((*self.object.as_ptr()).serve)(no_commands.as_ptr()) }
        });
        SERVING.set(None);
        CHAIN.set(None);
        ExitStatus(status)
    }
}

/// Runs an event of the session that is being served.
fn event(run: impl FnOnce(&Session, &mut Chain) -> Option<Response>) -> RawAnswer {
    let answer = host::session(|session| match CHAIN.take() {
        Some(mut chain) => {
            // SAFETY: `run` above holds the chain mutably and does not use it during the loop; taking
            // it out of the cell makes this the only use.
            let answer = run(session, unsafe { chain.as_mut() });
            CHAIN.set(Some(chain));
            answer
        }
        None => Some(Response::internal()),
    });
    answer.flatten().map_or(null(), |response| reply::held(&response))
}

/// No module ever sees such an address (HOOK-ADDR-4, NS-ADDR-3).
fn is_illegal(address: &[u8]) -> bool {
    address.iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n'))
}

type Envelope = fn(&mut Chain, &Session, &mut BString, &mut BString) -> Response;

/// Runs a sender or recipient event on a protocol's strings, which get what the modules made of them.
///
/// # Safety
/// Both are null or strings of the protocol's.
unsafe fn envelope(address: *mut RawStr, parameters: *mut RawStr, illegal: &str, run: Envelope) -> RawAnswer {
    // SAFETY: the caller's promise, here and below.
    let (mut first, mut second) = unsafe { (content(address), content(parameters)) };
    if is_illegal(&first) {
        return reply::held(&Response::new(553, illegal));
    }
    let answer = event(|session, chain| Some(run(chain, session, &mut first, &mut second)));
    // SAFETY: as above; the event is over.
    unsafe {
        assign(address, &first);
        assign(parameters, &second);
    }
    answer
}

#[unsafe(no_mangle)]
unsafe extern "C" fn handle_sender(address: *mut RawStr, parameters: *mut RawStr) -> RawAnswer {
    // SAFETY: a protocol passes null or strings of its own, here and below.
    unsafe { envelope(address, parameters, "5.1.7 Illegal character in address.", Chain::sender) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn handle_recipient(address: *mut RawStr, parameters: *mut RawStr) -> RawAnswer {
    // SAFETY: as in `handle_sender`.
    unsafe { envelope(address, parameters, "5.1.3 Illegal character in address.", Chain::recipient) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn handle_helo(name: *mut RawStr, capabilities: *mut RawStr) -> RawAnswer {
    // SAFETY: as in `handle_sender`.
    let (mut first, mut second) = unsafe { (content(name), content(capabilities)) };
    let answer = event(|session, chain| chain.helo(session, &mut first, &mut second));
    // SAFETY: as in `handle_sender`; the event is over.
    unsafe {
        assign(name, &first);
        assign(capabilities, &second);
    }
    answer
}

#[unsafe(no_mangle)]
extern "C" fn handle_reset() -> RawAnswer {
    event(|session, chain| chain.reset(session))
}

#[unsafe(no_mangle)]
extern "C" fn handle_data_start() -> RawAnswer {
    event(|session, chain| chain.data_start(session))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn handle_data_bytes(bytes: *const u8, length: u32) {
    if !bytes.is_null() && length > 0 {
        // SAFETY: a protocol passes its own bytes with their length.
        let bytes = unsafe { std::slice::from_raw_parts(bytes, length as usize) };
        event(|session, chain| {
            chain.data_block(session, bytes);
            None
        });
    }
}

#[unsafe(no_mangle)]
extern "C" fn handle_message_end() -> RawAnswer {
    event(|session, chain| Some(chain.message_end(session)))
}

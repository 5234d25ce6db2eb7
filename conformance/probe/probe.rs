//! The probe: a module that traces its hooks and answers as a script says (see README.md beside it).
//!
//! One file is plugin, backend and protocol at once; copies under several names act as several
//! modules (PLUG-ABI-1). It has no undefined host symbols: what it asks the host for is looked up
//! when a script needs it, so that it loads into hosts that lack some. It does without Rust's
//! standard library, because a case that uses it should not be slower to start than others.
//!
//! Everything runs on the host's one thread; that is the argument of every access to a static.
#![no_std]
// Numbers are the host's and the script's; the interface is x86-64 only.
#![allow(clippy::all, clippy::pedantic)]

extern crate alloc;

mod c;
mod host;
mod interface;
mod script;
mod trace;

use alloc::vec::Vec;
use core::ffi::{CStr, c_int};
use core::ptr::{null, null_mut};

use interface::{Answer, Command, Module, Protocol, Response, Str, VERSION, bytes, put};
use script::{COMMANDS, HOOKS, Line, Script, Which, Word, fail};
use trace::Trace;

/// Bytes of an answer's text, its NUL included.
const TEXT_MAX: usize = 16384;

const MODULE: Module = Module {
    version: VERSION,
    next: null_mut(),
    name: null(),
    flags: 0,
    commands: null(),
    init,
    helo,
    reset,
    sender,
    recipient,
    data_start,
    data_block,
    message_end,
};

#[unsafe(no_mangle)]
#[allow(non_upper_case_globals)]
pub static mut plugin: Module = MODULE;
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals)]
pub static mut backend: Module = MODULE;
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals)]
pub static mut protocol: Protocol =
    Protocol { version: VERSION, name: c"PROBE".as_ptr(), write_line, init: None, serve };

static mut TABLE: [Command; COMMANDS + 1] = [const { Command::END }; COMMANDS + 1];

// The one answer of this module and its text, overwritten by every hook as in real modules
// (PLUG-ABI-6).
static mut ANSWER: Response = Response { number: 0, text: null() };
static mut TEXT: [u8; TEXT_MAX] = [0; TEXT_MAX];

static mut NAME: Vec<u8> = Vec::new();
static mut SCRIPT: Script = Script::EMPTY;
static mut CALLS: [u64; HOOKS.len()] = [0; HOOKS.len()];

/// `backend`, `protocol`, or a plugin's name: the host's for it, else the file's.
fn name() -> &'static [u8] {
    // SAFETY: one thread; the host wrote a NUL-terminated name or nothing (PLUG-ABI-3).
    unsafe {
        if plugin.name.is_null() {
            return &*(&raw const NAME);
        }
        CStr::from_ptr(plugin.name).to_bytes()
    }
}

fn script() -> &'static Script {
    // SAFETY: written once, by the constructor.
    unsafe { &*(&raw const SCRIPT) }
}

/// Reads `$PROBE` when the object is loaded: the host looks at version and flags before any hook.
extern "C" fn load() {
    let path = c::own_path((&raw const SCRIPT).cast());
    let file = path.rsplit(|b| *b == b'/').next().unwrap_or_default();
    let stem = file.strip_suffix(b".so").unwrap_or(file);
    // SAFETY: one thread, before the host sees any of it.
    unsafe {
        let (module, name): (_, &[u8]) = if stem.starts_with(b"backend-") {
            (&raw mut backend, b"backend")
        } else if stem.starts_with(b"protocol-") {
            (&raw mut plugin, b"protocol")
        } else {
            (&raw mut plugin, stem.strip_prefix(b"plugin-").unwrap_or(stem))
        };
        NAME = name.into();
        let path = c::getenv(c"PROBE".as_ptr());
        if path.is_null() {
            return;
        }
        let text = c::content(path).unwrap_or_else(|| fail(0, b"$PROBE cannot be read"));
        SCRIPT = Script::parse(&text, name);
        (*module).flags = u32::from(script().needs_file);
        (*module).version = script().version.unwrap_or(VERSION);
        protocol.version = (*module).version;
        for (index, command) in script().commands.iter().enumerate() {
            let (enabled, without, with) = FUNCTIONS[index];
            let conditional = command.disabled || command.condition.is_some();
            (*(&raw mut TABLE))[index] = Command {
                name: command.verb.c(),
                enabled: conditional.then_some(enabled),
                without: command.without.then_some(without),
                with: command.with.then_some(with),
            };
            (*module).commands = (&raw const TABLE).cast();
        }
    }
}

#[used]
#[unsafe(link_section = ".init_array")]
static LOAD: extern "C" fn() = load;

/// What a hook was called with.
#[derive(Clone, Copy)]
struct Call {
    hook: usize,
    first: *mut Str,
    second: *mut Str,
    fd: c_int,
    verb: Option<&'static Word>,
}

impl Call {
    const fn of(hook: usize) -> Self {
        Self { hook, first: null_mut(), second: null_mut(), fd: -1, verb: None }
    }
}

fn set_answer(number: u64, text: Option<&[u8]>) -> Answer {
    // SAFETY: one thread; the length is checked.
    unsafe {
        ANSWER.number = number as u32;
        ANSWER.text = text.map_or(null(), |text| {
            if text.len() >= TEXT_MAX {
                fail(0, b"the answer is too long");
            }
            let to = (&raw mut TEXT).cast::<u8>();
            core::ptr::copy_nonoverlapping(text.as_ptr(), to, text.len());
            *to.add(text.len()) = 0;
            to.cast_const()
        });
    }
    &raw const ANSWER
}

/// Runs a hook: the trace, then the first line that fits. Gives the answer, if a line has one, and
/// whether the session goes on.
fn run(call: Call, trace: impl FnOnce(Trace) -> Trace) -> (Option<Answer>, bool) {
    // SAFETY: one thread.
    let count = unsafe {
        CALLS[call.hook] += 1;
        CALLS[call.hook]
    };
    let hook = HOOKS[call.hook];
    if script().trace {
        trace(Trace::new(hook)).write();
    }
    if script().reuse {
        set_answer(250, Some(b"reused"));
    }
    let subject = call.verb.map_or_else(|| bytes(call.first), Word::bytes);
    let fits = |line: &&Line| {
        line.hook == hook
            && match &line.which {
                Which::Every => true,
                Which::Call(number) => *number == count,
                Which::Address(address) => address == subject,
            }
    };
    let (mut answer, mut goes_on) = (None, true);
    for action in script().lines.iter().find(fits).map_or(&[][..], |line| &line.actions) {
        match (action[0].bytes(), &action[1..]) {
            (b"pass", _) => answer = None,
            (b"disconnect", _) => goes_on = false,
            (b"answer", [number]) if number.bytes().starts_with(b"resp_") => {
                // SAFETY: a word is a C string.
                let name = unsafe { CStr::from_ptr(number.c()) };
                answer = host::symbol(name).map(|object| object.cast_const().cast());
            }
            (b"answer", [number]) => answer = Some(set_answer(number.number(), None)),
            (b"answer", [number, text]) => answer = Some(set_answer(number.number(), Some(text.bytes()))),
            (b"append", [text]) => put(call.first, text.bytes(), true),
            (b"replace", [text]) => put(call.first, text.bytes(), false),
            (b"parameters", [text]) => put(call.second, text.bytes(), false),
            (b"capability", [text]) => put(call.second, text.bytes(), true),
            (b"file", _) => host::show_file(call.fd),
            (b"rewrite", [text]) => host::rewrite(call.fd, text.bytes()),
            _ => answer = host::ask(action).or(answer),
        }
    }
    (answer, goes_on)
}

fn hook(call: Call, trace: impl FnOnce(Trace) -> Trace) -> Answer {
    run(call, trace).0.unwrap_or(null())
}

extern "C" fn init() -> Answer {
    hook(Call::of(0), |line| line)
}

extern "C" fn helo(first: *mut Str, second: *mut Str) -> Answer {
    hook(Call { first, second, ..Call::of(1) }, |line| line.quoted(bytes(first)))
}

extern "C" fn reset() -> Answer {
    hook(Call::of(2), |line| line)
}

extern "C" fn sender(first: *mut Str, second: *mut Str) -> Answer {
    hook(Call { first, second, ..Call::of(3) }, |line| line.quoted(bytes(first)).quoted(bytes(second)))
}

extern "C" fn recipient(first: *mut Str, second: *mut Str) -> Answer {
    hook(Call { first, second, ..Call::of(4) }, |line| line.quoted(bytes(first)).quoted(bytes(second)))
}

extern "C" fn data_start(fd: c_int) -> Answer {
    hook(Call { fd, ..Call::of(5) }, |line| line.descriptor(fd))
}

extern "C" fn data_block(block: *const u8, length: usize) -> Answer {
    // SAFETY: the host's block (PLUG-ABI-7).
    let block = if length == 0 { b"" } else { unsafe { core::slice::from_raw_parts(block, length) } };
    hook(Call::of(6), |line| line.number(length as u64).quoted(block))
}

extern "C" fn message_end(fd: c_int) -> Answer {
    hook(Call { fd, ..Call::of(7) }, |line| line.descriptor(fd))
}

type Functions = (extern "C" fn() -> c_int, extern "C" fn() -> c_int, extern "C" fn(*mut Str) -> c_int);

/// One set of functions for each command: the host passes nothing that tells commands apart.
const FUNCTIONS: [Functions; COMMANDS] = [
    (enabled::<0>, without::<0>, with::<0>),
    (enabled::<1>, without::<1>, with::<1>),
    (enabled::<2>, without::<2>, with::<2>),
    (enabled::<3>, without::<3>, with::<3>),
];

extern "C" fn enabled<const N: usize>() -> c_int {
    let command = &script().commands[N];
    c_int::from(!command.disabled && command.condition.as_ref().is_none_or(host::number_is_set))
}

extern "C" fn without<const N: usize>() -> c_int {
    command(&script().commands[N].verb, null_mut())
}

extern "C" fn with<const N: usize>(argument: *mut Str) -> c_int {
    command(&script().commands[N].verb, argument)
}

fn command(verb: &'static Word, first: *mut Str) -> c_int {
    let (answer, goes_on) = run(Call { first, verb: Some(verb), ..Call::of(8) }, |line| {
        let line = line.word(verb.bytes());
        if first.is_null() { line } else { line.quoted(bytes(first)) }
    });
    let answer = answer.unwrap_or_else(|| set_answer(250, Some(verb.bytes())));
    c_int::from(host::respond(answer) && goes_on)
}

extern "C" fn write_line(number: u32, last: c_int, text: *const u8, length: usize) -> c_int {
    let mut line = Vec::new();
    trace::put_number(&mut line, u64::from(number));
    line.push(if last == 0 { b'-' } else { b' ' });
    if length > 0 {
        // SAFETY: the host's text (PLUG-ABI-8).
        line.extend_from_slice(unsafe { core::slice::from_raw_parts(text, length) });
    }
    line.push(b'\n');
    // SAFETY: the buffer is ours.
    c_int::from(unsafe { c::write(1, line.as_ptr().cast(), line.len()) } == line.len() as isize)
}

/// The protocol greets and ends: enough to see how a host loads and starts one.
extern "C" fn serve(_: *const core::ffi::c_void) -> c_int {
    c_int::from(write_line(220, 1, b"probe".as_ptr(), 5) == 0)
}

//! The script: what one module is told to do.

use alloc::vec::Vec;
use core::ffi::{c_char, c_int};

use crate::c::{_exit, write};
use crate::trace::put_number;

/// The status of a host whose probe cannot read its script.
const BAD_SCRIPT: c_int = 99;
/// Commands a module can define.
pub(crate) const COMMANDS: usize = 4;

pub(crate) const HOOKS: [&[u8]; 9] = [
    b"init",
    b"helo",
    b"reset",
    b"sender",
    b"recipient",
    b"data_start",
    b"data_block",
    b"message_end",
    b"command",
];

/// Every action with the number of words after it, least and most.
#[rustfmt::skip]
const ACTIONS: &[(&[u8], usize, usize)] = &[
    (b"answer", 1, 2), (b"pass", 0, 0), (b"disconnect", 0, 0),
    (b"append", 1, 1), (b"replace", 1, 1), (b"parameters", 1, 1), (b"capability", 1, 1),
    (b"inject", 1, 1), (b"file", 0, 0), (b"rewrite", 1, 1), (b"scratchfile", 0, 0),
    (b"getenv", 1, 1), (b"getenvu", 1, 1), (b"getenvu_dflt", 2, 2), (b"putenv", 1, 1), (b"setenv", 3, 3),
    (b"resetenv", 0, 0), (b"getnum", 2, 2), (b"hasnum", 1, 1), (b"setnum", 2, 2), (b"delnum", 1, 1),
    (b"getstr", 1, 1), (b"setstr", 2, 2), (b"delstr", 1, 1), (b"protoenv", 1, 1), (b"protocol", 0, 0),
];

/// A word: its bytes and a NUL, so that it is a C string too. Words live as long as the module.
pub(crate) struct Word(pub(crate) Vec<u8>);

impl Word {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0[..self.0.len() - 1]
    }

    pub(crate) fn c(&self) -> *const c_char {
        self.0.as_ptr().cast()
    }

    pub(crate) fn number(&self) -> u64 {
        decimal(self.bytes()).unwrap_or_else(|| fail(0, b"not a number"))
    }
}

/// The calls of a hook a line is about.
pub(crate) enum Which {
    Every,
    /// Counted from 1, since the module was loaded.
    Call(u64),
    /// The first argument, or the verb.
    Address(Vec<u8>),
}

pub(crate) struct Line {
    pub(crate) hook: Vec<u8>,
    pub(crate) which: Which,
    /// The first word of each names it.
    pub(crate) actions: Vec<Vec<Word>>,
}

/// A command to define. Without `noarg` and `arg` it takes both.
pub(crate) struct Defined {
    pub(crate) verb: Word,
    pub(crate) without: bool,
    pub(crate) with: bool,
    pub(crate) disabled: bool,
    /// Enabled while this session number is not 0.
    pub(crate) condition: Option<Word>,
}

pub(crate) struct Script {
    pub(crate) trace: bool,
    pub(crate) reuse: bool,
    pub(crate) needs_file: bool,
    pub(crate) version: Option<u32>,
    pub(crate) commands: Vec<Defined>,
    pub(crate) lines: Vec<Line>,
}

impl Script {
    pub(crate) const EMPTY: Self = Self {
        trace: false,
        reuse: false,
        needs_file: false,
        version: None,
        commands: Vec::new(),
        lines: Vec::new(),
    };

    /// The lines of `text` that are about `*` or `name`.
    pub(crate) fn parse(text: &[u8], name: &[u8]) -> Self {
        let mut script = Self::EMPTY;
        for (index, line) in text.split(|b| *b == b'\n').enumerate() {
            script.take(line, index + 1, name);
        }
        script
    }

    fn take(&mut self, text: &[u8], number: usize, name: &[u8]) {
        if text.trim_ascii_start().starts_with(b"#") {
            return;
        }
        let mut actions = split(text, number);
        let head = &mut actions[0];
        if head.is_empty() {
            return;
        }
        if head.len() < 2 {
            fail(number, b"a line is NAME and what it does");
        }
        let whom = head.remove(0);
        let what = head.remove(0);
        let ours = whom.bytes() == b"*" || whom.bytes() == name;
        match (what.bytes(), &head[..]) {
            (b"trace", []) => self.trace |= ours,
            (b"reuse", []) => self.reuse |= ours,
            (b"need-file", []) => self.needs_file |= ours,
            (b"version", [version]) => {
                let version = version.number() as u32;
                self.version = if ours { Some(version) } else { self.version };
            }
            (b"command", [_, ..]) => {
                let defined = define(core::mem::take(head), number);
                if ours {
                    self.commands.push(defined);
                }
                if self.commands.len() > COMMANDS {
                    fail(number, b"too many commands");
                }
            }
            (hook, _) => {
                let line = hook_line(hook, actions, number);
                if ours {
                    self.lines.push(line);
                }
            }
        }
    }
}

/// `VERB [noarg] [arg] [disabled | if NUMBER]`
fn define(mut words: Vec<Word>, line: usize) -> Defined {
    let verb = words.remove(0);
    let mut defined = Defined { verb, without: false, with: false, disabled: false, condition: None };
    while !words.is_empty() {
        match words.remove(0).bytes() {
            b"noarg" => defined.without = true,
            b"arg" => defined.with = true,
            b"disabled" => defined.disabled = true,
            b"if" if !words.is_empty() => defined.condition = Some(words.remove(0)),
            _ => fail(line, b"not said of a command"),
        }
    }
    if !defined.without && !defined.with {
        (defined.without, defined.with) = (true, true);
    }
    defined
}

/// `HOOK[#N|@ADDRESS] ACTION…`
fn hook_line(head: &[u8], actions: Vec<Vec<Word>>, line: usize) -> Line {
    let cut = head.iter().position(|b| matches!(b, b'#' | b'@')).unwrap_or(head.len());
    let (hook, selector) = head.split_at(cut);
    let which = match selector {
        [] => Which::Every,
        [b'#', n @ ..] => Which::Call(decimal(n).unwrap_or_else(|| fail(line, b"# needs a number"))),
        [_, address @ ..] => Which::Address(address.into()),
    };
    if !HOOKS.contains(&hook) {
        fail(line, b"neither a directive nor a hook");
    }
    for action in &actions {
        let known = |(name, least, most): &(&[u8], usize, usize)| {
            action.first().is_some_and(|word| word.bytes() == *name)
                && (*least..=*most).contains(&(action.len() - 1))
        };
        if !ACTIONS.iter().any(known) {
            fail(line, b"not an action, or not its number of words");
        }
    }
    Line { hook: hook.into(), which, actions }
}

/// Splits a line at `;` and those parts into words. Quotes keep blanks and `;`, and know escapes.
fn split(text: &[u8], line: usize) -> Vec<Vec<Word>> {
    let mut actions = Vec::new();
    let mut action = Vec::new();
    let mut word: Option<Vec<u8>> = None;
    let mut rest = text.iter();
    loop {
        let byte = rest.next();
        match byte {
            None | Some(b' ' | b'\t' | b';') => {
                if let Some(mut done) = word.take() {
                    done.push(0);
                    action.push(Word(done));
                }
                if !matches!(byte, Some(b' ' | b'\t')) {
                    actions.push(core::mem::take(&mut action));
                }
                if byte.is_none() {
                    return actions;
                }
            }
            Some(b'"') => quoted(&mut rest, word.get_or_insert_default(), line),
            Some(byte) => word.get_or_insert_default().push(*byte),
        }
    }
}

/// The bytes up to the closing quote.
fn quoted(rest: &mut core::slice::Iter<'_, u8>, to: &mut Vec<u8>, line: usize) {
    let hex = |byte: Option<&u8>| {
        let digit = byte.and_then(|b| char::from(*b).to_digit(16));
        digit.unwrap_or_else(|| fail(line, b"\\x needs two digits")) as u8
    };
    loop {
        to.push(match rest.next() {
            Some(b'"') => return,
            Some(b'\\') => match rest.next() {
                Some(b'r') => b'\r',
                Some(b'n') => b'\n',
                Some(b't') => b'\t',
                Some(b'0') => 0,
                Some(b'x') => hex(rest.next()) * 16 + hex(rest.next()),
                Some(byte @ (b'\\' | b'"')) => *byte,
                _ => fail(line, b"unknown escape"),
            },
            Some(byte) => *byte,
            None => fail(line, b"a quote is not closed"),
        });
    }
}

fn decimal(digits: &[u8]) -> Option<u64> {
    let next = |number: u64, byte: &u8| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
        number.checked_mul(10)?.checked_add(u64::from(digit))
    };
    if digits.is_empty() { None } else { digits.iter().try_fold(0, next) }
}

/// Says what is wrong with the script and ends the host: a case must not pass on a misread script.
/// Line 0 is none in particular.
pub(crate) fn fail(line: usize, what: &[u8]) -> ! {
    let mut text = Vec::from(*b"probe: script line ");
    put_number(&mut text, line as u64);
    text.extend_from_slice(b": ");
    text.extend_from_slice(what);
    text.push(b'\n');
    // SAFETY: the buffer is `text`'s.
    unsafe {
        write(2, text.as_ptr().cast(), text.len());
        _exit(BAD_SCRIPT)
    }
}

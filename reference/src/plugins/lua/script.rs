//! A script: loaded once, asked at every event, held within limits, its faults told with file and line.

use std::{
    cell::Cell,
    fs,
    rc::Rc,
    time::{Duration, Instant},
};

use bstr::{BStr, BString, ByteSlice};
use mlua::{
    Error, Function, HookTriggers, Lua, LuaOptions, LuaString, MultiValue, StdLib, Table, Value, VmState,
    chunk::ChunkMode, debug::Debug,
};

use super::{Argument, library, returned};
use crate::{plugin::Answer, session::Session};

/// Instructions of one event. Scripts have no library to spend them with: what an honest one does
/// takes some thousands, and this many take a tenth of a second (LUA-16).
const INSTRUCTIONS_MAX: u64 = 10_000_000;

/// Instructions between two looks at the limits. Single instructions can be slow, since they can join
/// strings of megabytes, so the looks are close together.
const TURN: u32 = 1000;

/// Time for one event, for scripts with few but slow instructions. Clients wait minutes for a reply
/// (RFC 5321 4.5.3.2), and nothing that a script can do waits for anything (LUA-16).
const TIME_MAX: Duration = Duration::from_secs(10);

/// Memory of a script, in bytes: room for one large message kept as a string, and its copy (LUA-16).
const MEMORY_MAX: usize = 64 << 20;

/// A loaded script.
pub(super) struct Script {
    lua: Lua,
    /// Where the functions of the library find what does their work during an event.
    host: Table,
    budget: Rc<Budget>,
}

/// What is left for the current event.
#[derive(Default)]
struct Budget {
    turns: Cell<u64>,
    until: Cell<Option<Instant>>,
}

/// Why there is no script.
pub(super) enum LoadFailure {
    /// The file cannot be read.
    Unreadable(BString),
    /// It is not Lua.
    Syntax(BString, Fault),
    /// It ended with an error.
    Run(Fault),
}

/// An error of the interpreter, with the number the C interface has for its kind.
pub(super) struct Fault {
    kind: u8,
    text: String,
}

impl Script {
    /// Loads the file `name` and runs it once: the script, and what it returned (LUA-1 … 4).
    pub(super) fn load(session: &Session, name: &BStr) -> Result<(Self, Vec<Value>), LoadFailure> {
        let source = name.to_path().ok().and_then(|path| fs::read(path).ok());
        let source = source.ok_or_else(|| LoadFailure::Unreadable(name.to_owned()))?;
        let script = Self::new().map_err(|error| LoadFailure::Run(error.into()))?;
        let chunk = script.lua.load(without_first_line(&source)).set_mode(ChunkMode::Text);
        let chunk = chunk.set_name(format!("@{name}")).into_function();
        let main = chunk.map_err(|error| LoadFailure::Syntax(name.to_owned(), error.into()))?;
        let values = script.run(session, &main, MultiValue::new()).map_err(LoadFailure::Run)?;
        Ok((script, values))
    }

    /// An interpreter with nothing in it but the library of [`library`] (LUA-2).
    fn new() -> Result<Self, Error> {
        let lua = Lua::new_with(StdLib::NONE, LuaOptions::new())?;
        lua.set_memory_limit(MEMORY_MAX)?;
        let budget = Rc::<Budget>::default();
        let watched = budget.clone();
        let triggers = HookTriggers::new().every_nth_instruction(TURN);
        lua.set_hook(triggers, move |_, place| watched.spend(place))?;
        let globals = lua.globals();
        let names: Vec<Value> = globals
            .pairs::<Value, Value>()
            .map(|pair| pair.map(|(name, _)| name))
            .collect::<Result<_, _>>()?;
        names.into_iter().try_for_each(|name| globals.raw_set(name, Value::Nil))?;
        let host = lua.create_table()?;
        // Functions of Lua's own, so that a script can keep them; what they call changes each event.
        let wrap = lua.load("local host, name = ... return function(...) return host.call(name, ...) end");
        let wrap = wrap.into_function()?;
        for name in library::NAMES {
            globals.raw_set(name, wrap.call::<Function>((&host, name))?)?;
        }
        Ok(Self { lua, host, budget })
    }

    /// Calls the function `name`, if the script has one (LUA-6).
    pub(super) fn call(
        &self,
        session: &Session,
        name: &str,
        arguments: &[Argument<'_>],
    ) -> Result<Vec<Value>, Fault> {
        let Value::Function(function) = self.lua.globals().raw_get(name)? else { return Ok(Vec::new()) };
        let value = |argument: &Argument<'_>| match *argument {
            Argument::Bytes(bytes) => self.lua.create_string(bytes).map(Value::String),
            Argument::Number(number) => Ok(Value::Number(number.into())),
        };
        let arguments: MultiValue = arguments.iter().map(value).collect::<Result<_, _>>()?;
        self.run(session, &function, arguments)
    }

    fn run(
        &self,
        session: &Session,
        function: &Function,
        arguments: MultiValue,
    ) -> Result<Vec<Value>, Fault> {
        let time = session.connection.session_left().unwrap_or(TIME_MAX).min(TIME_MAX);
        self.budget.turns.set(INSTRUCTIONS_MAX / u64::from(TURN));
        self.budget.until.set(Instant::now().checked_add(time));
        let values = self.lua.scope(|scope| {
            let call = scope.create_function(|lua, (name, rest): (LuaString, MultiValue)| {
                library::call(lua, session, &name.to_string_lossy(), rest)
            })?;
            self.host.raw_set("call", call)?;
            function.call::<MultiValue>(arguments)
        })?;
        Ok(values.into_iter().collect())
    }

    /// The answer in the first two of `values` (LUA-9, -10).
    ///
    /// # Errors
    /// The number, if no reply can have it (LUA-12).
    pub(super) fn reply(&self, values: &[Value]) -> Result<Answer, f64> {
        let value = |index: usize| values.get(index).cloned().unwrap_or(Value::Nil);
        // Neither fails for want of memory: converting a number takes a few bytes.
        let number = self.lua.coerce_number(value(0)).ok().flatten();
        let text = match value(1) {
            Value::Nil => None,
            text => self.lua.coerce_string(text).ok().flatten(),
        };
        returned::answer(number, text.as_ref().map(LuaString::as_bytes).as_deref())
    }
}

impl Budget {
    /// Counts a turn; an error at `place` if that was the last.
    fn spend(&self, place: &Debug<'_>) -> Result<VmState, Error> {
        let left = self.turns.get();
        let is_late = self.until.get().is_some_and(|until| until <= Instant::now());
        if left == 0 || is_late {
            let file = place.source().short_src.map_or_else(String::new, |name| format!("{name}:"));
            let line = place.current_line().map_or_else(String::new, |line| format!("{line}: "));
            return Err(Error::runtime(format!("{file}{line}script does not end")));
        }
        self.turns.set(left - 1);
        Ok(VmState::Continue)
    }
}

/// A first line that starts with `#` is for the shell (LUA-2). Its line end stays, so that lines keep
/// their numbers.
fn without_first_line(source: &[u8]) -> &[u8] {
    if !source.starts_with(b"#") {
        return source;
    }
    &source[source.find_byte(b'\n').unwrap_or(source.len())..]
}

impl LoadFailure {
    /// What the log is told (LUA-3).
    pub(super) fn lines(&self) -> Vec<BString> {
        match self {
            Self::Unreadable(name) => vec![[b"Cannot read \"", name.as_slice(), b"\""].concat().into()],
            Self::Syntax(name, fault) => {
                vec![[b"Syntax error in \"", name.as_slice(), b"\""].concat().into(), fault.line()]
            }
            Self::Run(fault) => vec![fault.line()],
        }
    }
}

impl Fault {
    /// The log line (LUA-15).
    pub(super) fn line(&self) -> BString {
        format!("Lua error: {} ({})", self.kind, self.text).into()
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        match error {
            Error::CallbackError { cause, .. } | Error::WithContext { cause, .. } => {
                cause.as_ref().clone().into()
            }
            Error::MemoryError(_) => Self { kind: 4, text: "not enough memory".into() },
            Error::SyntaxError { message, .. } => Self { kind: 3, text: message },
            Error::RuntimeError(text) => {
                // The library adds where it came from, which is longer than a log line.
                let end = text.rfind("\nstack traceback:").unwrap_or(text.len());
                Self { kind: 2, text: text[..end].into() }
            }
            other => Self { kind: 2, text: other.to_string() },
        }
    }
}

//! The functions a script may call (LUA-18 … 24).

use bstr::{BString, ByteSlice};
use mlua::{Error, Lua, MultiValue, Value};

use crate::session::Session;

/// Their names. `delnum` and `delstr` are in no document, yet scripts use them (LUA-19).
pub(super) const NAMES: [&str; 10] =
    ["delnum", "delstr", "getenv", "getnum", "getstr", "msg", "putenv", "setenv", "setnum", "setstr"];

/// Calls the function `name`.
///
/// # Errors
/// Wrong arguments; the script is told and, having no way to catch it, ends.
pub(super) fn call(
    lua: &Lua,
    session: &Session,
    name: &str,
    arguments: MultiValue,
) -> Result<MultiValue, Error> {
    let call = Call { lua, name, arguments: arguments.into_iter().collect() };
    match name {
        "delnum" => call.texts(|name| session.delete_number(name)),
        "delstr" => call.texts(|name| session.delete_string(name)),
        "getenv" => call.look_up(|name| session.variable(name)),
        "getstr" => call.look_up(|name| session.string(name)),
        "msg" => call.message(session),
        "putenv" => call.texts(|entry| session.put(entry)),
        "getnum" => {
            let [name, default] = call.exactly()?;
            let number = session.number(&call.text(name)?).unwrap_or(call.number(default)?);
            // As every number of Lua's: exact up to 2^53.
            #[allow(clippy::cast_precision_loss)]
            Ok(MultiValue::from_iter([Value::Number(number as f64)]))
        }
        "setenv" => {
            let [name, value, overwrite] = call.exactly()?;
            session.set(&call.text(name)?, &call.text(value)?, call.number(overwrite)? != 0);
            Ok(MultiValue::new())
        }
        "setnum" => {
            let [name, value] = call.exactly()?;
            session.set_number(&call.text(name)?, call.number(value)?);
            Ok(MultiValue::new())
        }
        "setstr" => {
            let [name, value] = call.exactly()?;
            session.set_string(&call.text(name)?, &call.text(value)?);
            Ok(MultiValue::new())
        }
        _ => Err(Error::runtime("unknown function")),
    }
}

/// One call of a function.
struct Call<'a> {
    lua: &'a Lua,
    name: &'a str,
    arguments: Vec<Value>,
}

impl Call<'_> {
    /// All arguments, if they are as many as the function takes (LUA-20, -21).
    fn exactly<const N: usize>(&self) -> Result<[&Value; N], Error> {
        let mut arguments = self.arguments.iter();
        let taken: Option<Vec<&Value>> = (0..N).map(|_| arguments.next()).collect();
        let taken = taken.filter(|_| arguments.next().is_none()).and_then(|all| all.try_into().ok());
        taken.ok_or_else(|| Error::runtime(format!("Incorrect number of parameters to {}", self.name)))
    }

    /// Does something with each argument.
    fn texts(&self, act: impl Fn(&[u8])) -> Result<MultiValue, Error> {
        for argument in &self.arguments {
            act(&self.text(argument)?);
        }
        Ok(MultiValue::new())
    }

    /// What `find` has for each argument, nil where it has nothing.
    fn look_up(&self, find: impl Fn(&[u8]) -> Option<BString>) -> Result<MultiValue, Error> {
        let value = |argument| match find(&self.text(argument)?) {
            Some(value) => self.lua.create_string(value).map(Value::String),
            None => Ok(Value::Nil),
        };
        self.arguments.iter().map(value).collect()
    }

    /// One log line for each argument; what is no text is an empty one (LUA-18).
    fn message(&self, session: &Session) -> Result<MultiValue, Error> {
        for argument in &self.arguments {
            session.log(&self.coerced(argument)?.unwrap_or_default());
        }
        Ok(MultiValue::new())
    }

    /// A name or a value (LUA-23).
    fn text(&self, value: &Value) -> Result<BString, Error> {
        self.coerced(value)?.ok_or_else(|| {
            let (name, kind) = (self.name, value.type_name());
            Error::runtime(format!("bad argument to {name}: string expected, got {kind}"))
        })
    }

    /// The bytes of a string or number, up to the first NUL, as C strings end there.
    fn coerced(&self, value: &Value) -> Result<Option<BString>, Error> {
        if !matches!(value, Value::String(_) | Value::Number(_) | Value::Integer(_)) {
            return Ok(None);
        }
        let string = self.lua.coerce_string(value.clone())?;
        Ok(string.map(|string| string.as_bytes().split_str("\0").next().unwrap_or_default().into()))
    }

    /// A whole number from 0 on; what is no number is 0 (LUA-20, -21).
    fn number(&self, value: &Value) -> Result<u64, Error> {
        let number = self.lua.coerce_number(value.clone())?.unwrap_or_default();
        // Saturates, and is 0 for what is no number.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        Ok(number as u64)
    }
}

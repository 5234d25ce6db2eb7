//! What is kept of one connection, datagram or call of a service.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write as _},
    path::Path,
};

use crate::transcript::{
    parser,
    text::{Variables, escape},
};

/// The calls of every service of a case, by its name, in the order in which they came.
pub type Calls = BTreeMap<String, Vec<Call>>;

/// One connection, datagram or call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Call {
    /// What was learnt: `arg 1`, `env USER`, `account` … and the value.
    pub facts: Vec<(String, Vec<u8>)>,
    /// What was read, by descriptor; of a server it is 0.
    pub got: BTreeMap<u8, Vec<u8>>,
    /// Where the target departed from the script: what was expected, and what came.
    pub departures: Vec<(String, Vec<u8>)>,
}

/// The file of a call's facts, in its folder; what was read lies beside it, by descriptor.
const FACTS: &str = "facts";
/// Keys in that file that are no facts.
const EXPECTED: &str = "expected";
const CAME: &str = "came";

impl Call {
    /// What is known under `what`: a fact, or `got` and `got N`.
    pub fn value(&self, what: &str) -> Option<&[u8]> {
        let descriptor = match what {
            "got" => Some(0),
            _ => what.strip_prefix("got ").and_then(|number| number.parse().ok()),
        };
        match descriptor {
            Some(descriptor) => self.got.get(&descriptor).map(Vec::as_slice),
            None => self.facts.iter().find(|(key, _)| key == what).map(|(_, value)| value.as_slice()),
        }
    }

    /// Reads the calls that a program kept in `folder`.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn read_all(folder: &Path) -> io::Result<Vec<Self>> {
        let mut calls = Vec::new();
        for number in 1.. {
            let one = folder.join(number.to_string());
            if !one.is_dir() {
                break;
            }
            calls.push(Self::read(&one)?);
        }
        Ok(calls)
    }

    fn read(folder: &Path) -> io::Result<Self> {
        let mut call = Self::default();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if let Ok(descriptor) = name.parse() {
                call.got.insert(descriptor, fs::read(entry.path())?);
            }
        }
        let facts = fs::read_to_string(folder.join(FACTS)).unwrap_or_default();
        let mut expected = String::new();
        for line in facts.lines() {
            let Some((key, value)) = line.split_once(": ") else { continue };
            let value = unescaped(value);
            match key {
                EXPECTED => expected = String::from_utf8_lossy(&value).into_owned(),
                CAME => call.departures.push((std::mem::take(&mut expected), value)),
                _ => call.facts.push((key.into(), value)),
            }
        }
        Ok(call)
    }

    /// Adds what is known to the file in `folder`, and forgets it.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&mut self, folder: &Path) -> io::Result<()> {
        let mut text = String::new();
        for (key, value) in self.facts.drain(..) {
            text += &format!("{key}: {}\n", escape(&value));
        }
        for (expected, came) in self.departures.drain(..) {
            text += &format!("{EXPECTED}: {}\n{CAME}: {}\n", escape(expected.as_bytes()), escape(&came));
        }
        append(&folder.join(FACTS), text.as_bytes())
    }
}

/// Adds to a file, which is made if it is not there.
///
/// # Errors
/// The file cannot be written.
pub fn append(path: &Path, bytes: &[u8]) -> io::Result<()> {
    fs::OpenOptions::new().create(true).append(true).open(path)?.write_all(bytes)
}

/// The bytes that `escape` wrote down.
pub fn unescaped(text: &str) -> Vec<u8> {
    parser::text_alone(text).map(|text| text.expand(&Variables::new())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_wrote_down_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let one = folder.path().join("1");
        fs::create_dir(&one).unwrap();
        let call = Call {
            facts: vec![("arg 1".into(), b"a: b\n ".into()), ("env X".into(), b"${Y}\xff\0".into())],
            got: BTreeMap::from([(0, b"x\r\n".into())]),
            departures: vec![("~~ ${X}".into(), b"".into())],
        };
        append(&one.join("0"), b"x\r").unwrap();
        append(&one.join("0"), b"\n").unwrap();
        call.clone().write(&one).unwrap();
        assert_eq!(Call::read_all(folder.path()).unwrap(), [call]);
    }
}

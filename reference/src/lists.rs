//! Lists of addresses that mail rules name: files opened at start-up, looked up while serving
//! (RULES-LIST-4 … 8, RULES-CDB-1 … 5).

use std::{
    cell::Cell,
    collections::HashMap,
    ffi::OsStr,
    fmt,
    fs::{self, File},
    io,
    os::unix::{ffi::OsStrExt, fs::FileExt},
};

use bstr::{BStr, BString};

use crate::{
    plugin::Finding,
    response::Response,
    session::Session,
    wire::{
        cdb,
        rule_text::{self, ListName},
        text_list::TextList,
    },
};

/// The lists of one rules file, each file opened once.
#[derive(Default)]
pub struct Lists {
    lists: Vec<List>,
    opened: HashMap<BString, usize>,
}

/// An open list, as a pattern has it.
#[derive(Debug, Clone, Copy)]
pub struct Opened {
    index: usize,
    domain_only: bool,
}

struct List {
    file: BString,
    content: Content,
    /// Whether the log has been told that look-ups do not work as the rules want.
    told: Cell<bool>,
}

enum Content {
    Text(TextList),
    Cdb {
        file: File,
        size: u64,
    },
    /// There is no such CDB (RULES-CDB-3).
    Missing,
}

/// What a list that does not exist comes to (RULES-CDB-3).
const MISSING: &str = "there is no such file: matches nothing";

/// Opens a list.
///
/// # Errors
/// It cannot be read, unless it is a CDB that does not exist (RULES-LIST-7, -8, RULES-CDB-3).
fn open(name: &ListName) -> io::Result<Content> {
    let path = OsStr::from_bytes(&name.file);
    if !name.is_cdb() {
        return Ok(Content::Text(TextList::new(fs::read(path)?).map_err(io::Error::other)?));
    }
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Content::Missing),
        file => file?,
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    Ok(Content::Cdb { file, size: metadata.len() })
}

/// What `--check` tells of a list that cannot be opened or is not there; `told` puts the place in front.
pub fn finding(name: &ListName, told: impl Fn(&dyn fmt::Display) -> BString) -> Option<Finding> {
    match open(name) {
        Err(error) => Some(Finding::Problem(told(&error))),
        Ok(Content::Missing) => Some(Finding::Warning(told(&MISSING))),
        Ok(Content::Text(_) | Content::Cdb { .. }) => None,
    }
}

impl Lists {
    /// Opens a list, or finds it open.
    ///
    /// # Errors
    /// It cannot be read, unless it is a CDB that does not exist.
    pub fn open(&mut self, name: &ListName) -> io::Result<Opened> {
        let index = match self.opened.get(&name.file) {
            Some(index) => *index,
            None => {
                let content = open(name)?;
                self.lists.push(List { file: name.file.clone(), content, told: Cell::new(false) });
                self.opened.insert(name.file.clone(), self.lists.len() - 1);
                self.lists.len() - 1
            }
        };
        Ok(Opened { index, domain_only: name.domain_only })
    }

    /// Whether an address, in lower case, is in a list. The null address is in none (RULES-EVAL-8).
    ///
    /// # Errors
    /// The list cannot be looked up; the answer for the client (RULES-CDB-3).
    pub fn contain(&self, session: &Session, list: Opened, address: &BStr) -> Result<bool, Response> {
        let Opened { index, domain_only } = list;
        let list = &self.lists[index];
        let domain = rule_text::domain(address);
        if domain_only {
            return domain.map_or(Ok(false), |domain| list.has(session, domain));
        }
        if address.is_empty() {
            return Ok(false);
        }
        // The domain's entry has the `@` in front (RULES-LIST-5).
        let at_domain = domain.map(|domain| &address[address.len() - domain.len() - 1..]);
        Ok(list.has(session, address)? || at_domain.map_or(Ok(false), |entry| list.has(session, entry))?)
    }
}

impl List {
    fn has(&self, session: &Session, key: &[u8]) -> Result<bool, Response> {
        match &self.content {
            Content::Text(list) => Ok(list.contains(key)),
            Content::Cdb { file, size } => {
                cdb::contains(*size, key, |place, buffer| file.read_exact_at(buffer, place)).map_err(
                    |error| {
                        self.tell(session, &error);
                        Response::internal()
                    },
                )
            }
            Content::Missing => {
                self.tell(session, &MISSING);
                Ok(false)
            }
        }
    }

    /// One log line for each list, however often it is asked (RULES-CDB-3).
    fn tell(&self, session: &Session, what: &dyn fmt::Display) {
        if !self.told.replace(true) {
            session.log(&[&self.file[..], format!(": {what}").as_bytes()].concat());
        }
    }
}

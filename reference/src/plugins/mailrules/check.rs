//! What `--check` tells of a rules file: every fault with its place, and what a rule cannot do.

use std::{ffi::OsStr, fmt::Display, fs, io, os::unix::ffi::OsStrExt};

use bstr::{BString, ByteSlice};

use crate::{
    lists,
    plugin::Finding,
    session::Session,
    wire::mailrules::{self, Test},
};

/// Looked up at the start of a message, which in QMTP and QMQP comes before any rule (RULES-NET-1).
const TOO_LATE: &[&str] = &["AUTH_ADD_RECEIVED", "HEADER_ADD"];

/// Looked up where the queue program is started, which is at that start, too, unless the message waits in a
/// file.
const OF_QUEUE_PROGRAM: &[&str] = &["QMAILHOME", "QMAILQUEUE"];

/// Not looked up once a session has begun (RULES-ENV-7).
const TOO_EARLY: &[&str] = &[
    "FIXUP_RECEIVED_HOST",
    "FIXUP_RECEIVED_IP",
    "LUA_SCRIPT",
    "MAILRULES",
    "MAXNOTIMPL",
    "MODULE_PATH",
    "PLUGINS",
    "PROTO",
    "SESSION_TIMEOUT",
    "SMTPGREETING",
    "TIMEOUT",
    "TMPDIR",
];

/// Everything that is to be told of the file `$MAILRULES`.
pub(super) fn findings(session: &Session) -> Vec<Finding> {
    let Some(path) = session.setting("MAILRULES") else { return Vec::new() };
    let at = |place: &dyn Display| BString::from([&path[..], format!(":{place}").as_bytes()].concat());
    let file = match rules_file(&path) {
        Ok(file) => file,
        Err(problem) => return vec![problem],
    };
    let mut findings = Vec::new();
    for rule in mailrules::rules(&file) {
        let rule = match rule {
            Ok(rule) => rule,
            Err(fault) => {
                findings.push(Finding::Problem(at(&fault)));
                continue;
            }
        };
        for pattern in [&rule.sender, &rule.recipient] {
            if let Test::List(name) = &pattern.test {
                let told = |text: &dyn Display| at(&format!("{}: {}: {text}", pattern.place, name.file));
                findings.extend(lists::finding(name, told));
            }
        }
        let names = rule.environment.iter().filter_map(|item| item.split_once_str("="));
        let told = names.filter_map(|(name, _)| no_effect(session, name));
        findings.extend(told.map(|text| Finding::Warning(at(&format!("{}: {text}", rule.sender.place)))));
    }
    findings.extend(mailrules::remarks(&file).iter().map(|remark| Finding::Warning(at(remark))));
    findings
}

/// A rules file, or why it cannot be read.
pub(in crate::plugins) fn rules_file(path: &[u8]) -> Result<Vec<u8>, Finding> {
    let problem = |error: io::Error| [path, format!(": {error}").as_bytes()].concat();
    fs::read(OsStr::from_bytes(path)).map_err(|error| Finding::Problem(problem(error).into()))
}

/// Why an assignment has no effect, in a sentence that begins with the name.
pub(in crate::plugins) fn no_effect(session: &Session, name: &[u8]) -> Option<String> {
    let is_in = |list: &[&str]| list.iter().any(|known| known.as_bytes() == name);
    let why = if is_in(TOO_EARLY) || name.starts_with(b"CVM_") || name.starts_with(b"RBL_") {
        "is read at the start: no rule can set it"
    } else if session.envelope_is_last() && is_in(TOO_LATE) {
        "comes too late from a rule in QMTP and QMQP: no effect"
    } else if session.backend_is_ahead() && (is_in(OF_QUEUE_PROGRAM) || is_for_programs(session, name)) {
        "comes too late for the queue program in QMTP and QMQP: no effect, unless force-file is loaded"
    } else {
        return None;
    };
    Some(format!("{} {why}", name.as_bstr()))
}

/// Whether no module looks the variable up, so that it can only be meant for the queue program.
fn is_for_programs(session: &Session, name: &[u8]) -> bool {
    let read = session.settings();
    read.contains_key("QMAILQUEUE".as_bytes().as_bstr()) && !read.contains_key(name.as_bstr())
}

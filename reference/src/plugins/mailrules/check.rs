//! What `--check` tells of a rules file: every fault with its place, and what a rule cannot do.

use std::{ffi::OsStr, fmt::Display, fs, os::unix::ffi::OsStrExt};

use bstr::{BString, ByteSlice};

use crate::{
    lists,
    plugin::Finding,
    session::Session,
    wire::mailrules::{self, Test},
};

/// Looked up at the start of a message, which in QMTP and QMQP comes before any rule (RULES-NET-1).
const TOO_LATE: &[&str] = &["AUTH_ADD_RECEIVED", "HEADER_ADD", "QMAILHOME", "QMAILQUEUE"];

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
    let file = match fs::read(OsStr::from_bytes(&path)) {
        Ok(file) => file,
        Err(error) => {
            return vec![Finding::Problem([&path[..], format!(": {error}").as_bytes()].concat().into())];
        }
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

/// Why an assignment has no effect, in a sentence that begins with the name.
pub(in crate::plugins) fn no_effect(session: &Session, name: &[u8]) -> Option<String> {
    let is_in = |list: &[&str]| list.iter().any(|known| known.as_bytes() == name);
    let late = matches!(session.protocol().as_slice(), b"QMTP" | b"QMQP");
    let why = if is_in(TOO_EARLY) || name.starts_with(b"CVM_") || name.starts_with(b"RBL_") {
        "is read at the start: no rule can set it"
    } else if late && is_in(TOO_LATE) {
        "comes too late from a rule in QMTP and QMQP: no effect"
    } else {
        return None;
    };
    Some(format!("{} {why}", name.as_bstr()))
}

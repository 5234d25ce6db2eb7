//! Rules of the dialogue and of what is left behind.

use std::collections::BTreeSet;

use super::{Found, reply_code, written_steps};
use crate::transcript::{
    Act, Case, Expectation, Fact, front,
    model::Told,
    script,
    text::{Part, Pattern, Text, printable},
};

/// Variables of every text.
const VARIABLES: [&str; 9] =
    ["LOCALHOST", "REMOTEHOST", "LOCALIP", "REMOTEIP", "PID", "CASE", "Q", "TMP", "MODULES"];

/// Variables that have their value only after the session.
const LATE: [&str; 2] = ["SENT", "RECEIVED"];

/// Signals that a step may send.
const SIGNALS: [&str; 5] = ["TERM", "INT", "HUP", "KILL", "ALRM"];

pub(super) fn check(case: &Case, found: &mut Found<'_>) {
    source(case, found);
    let mut known: BTreeSet<String> = VARIABLES.map(String::from).into();
    if !case.front.modules.is_empty() {
        known.insert("PROBE".into());
    }
    known.extend(case.front.variables());
    steps(case, &mut known, found);
    known.extend(LATE.map(String::from));
    expectations(case, &known, found);
    attack(case, found);
}

/// Bytes that a reader of the file does not see.
fn source(case: &Case, found: &mut Found<'_>) {
    for (at, line) in case.source.split('\n').enumerate() {
        let plain = line.replace('\t', " ");
        if line.ends_with([' ', '\t']) {
            found.at(at + 1, "a blank at the end of a line is written `\\x20`");
        } else if printable(plain.as_bytes()) != plain {
            found.at(at + 1, "a control or invisible character is written as an escape");
        }
    }
}

fn steps(case: &Case, known: &mut BTreeSet<String>, found: &mut Found<'_>) {
    let mut alternatives: BTreeSet<&str> = BTreeSet::new();
    let mut handshakes = false;
    for (step, repeated) in written_steps(case) {
        if let Some(name) = &step.only_if
            && !alternatives.contains(name.as_str())
        {
            found.at(step.line, format!("no alternative `{name}` before this line"));
        }
        let counts = |name: &str| repeated && name == "#";
        let unknown: Vec<&str> = match &step.act {
            Act::Send(text) | Act::SendRaw(text) | Act::Beneath(text) => text.variables().collect(),
            act => act.pattern().into_iter().flat_map(Pattern::variables).collect(),
        };
        for name in unknown.into_iter().filter(|name| !known.contains(*name) && !counts(name)) {
            found.at(step.line, format!("there is no variable `${{{name}}}` here"));
        }
        match &step.act {
            Act::Tls(_) if handshakes => found.at(step.line, "a second `tls`: there is one a session"),
            Act::Tls(_) => {
                handshakes = true;
                known.extend(OF_HANDSHAKE.map(String::from));
            }
            Act::TlsClose | Act::Truncate | Act::Beneath(_) if !handshakes => {
                found.at(step.line, "there is no `tls` before this line");
            }
            Act::Alternative(name, _) => _ = alternatives.insert(name),
            Act::Do(entry) if front::done_later(entry).is_none() => {
                found.at(step.line, format!("`do` does not know `{entry}`"));
            }
            Act::Signal(name) if !SIGNALS.contains(&name.as_str()) => {
                found.at(step.line, format!("signal {name} is none of {}", SIGNALS.join(", ")));
            }
            _ => {}
        }
        known.extend(step.act.pattern().into_iter().flat_map(captures));
    }
    for expectation in script::expectations(case) {
        if let Some(name) = &expectation.only_if
            && !alternatives.contains(name.as_str())
        {
            found.at(expectation.line, format!("there is no alternative `{name}`"));
        }
    }
}

/// Variables that a handshake gives.
const OF_HANDSHAKE: [&str; 3] = ["TLS_VERSION", "TLS_CIPHER", "TLS_SUBJECT"];

fn captures(pattern: &Pattern) -> impl Iterator<Item = String> {
    pattern.parts.iter().filter_map(|part| match part {
        Part::Regex { name, .. } => name.clone(),
        Part::Text(_) => None,
    })
}

fn expectations(case: &Case, known: &BTreeSet<String>, found: &mut Found<'_>) {
    let makes_queue = case.front.words().iter().any(|word| word.split(':').any(|item| item == "queuedir"))
        || !case.id.starts_with("mailfront/")
        || case.front.env.contains_key("QUEUEDIR")
        || case.front.queues();
    let mut exits = 0;
    for expectation in script::expectations(case) {
        let line = expectation.line;
        for name in variables(expectation).into_iter().filter(|name| !known.contains(*name)) {
            found.at(line, format!("there is no variable `${{{name}}}`"));
        }
        match &expectation.fact {
            Fact::Exit(_) if expectation.only_if.is_none() => exits += 1,
            Fact::Exit(_) => exits = exits.max(1),
            Fact::QueuedNone | Fact::Queued { .. } if !makes_queue => {
                found.at(
                    line,
                    "captured messages are seen with the backend queuedir, or a service with `queue`, only",
                );
            }
            Fact::Service { name, .. } if !case.front.services.contains_key(name) => {
                found.at(line, format!("there is no service `{name}`"));
            }
            _ => {}
        }
        if exits > 1 {
            found.at(line, "a second `exit:`");
            exits = 1;
        }
    }
    // No RFC speaks of exit statuses.
    if exits == 0 && case.id.starts_with("mailfront/") {
        found.at(0, "`exit:` is missing");
    }
    // Alternatives may leave different things behind.
    let always = |wanted: fn(&Fact) -> bool| {
        script::expectations(case).any(|e| e.only_if.is_none() && wanted(&e.fact))
    };
    if always(|f| matches!(f, Fact::QueuedNone)) && always(|f| matches!(f, Fact::Queued { .. })) {
        found.at(0, "`queued: none` beside another `queued:`");
    }
}

fn variables(expectation: &Expectation) -> Vec<&str> {
    match &expectation.fact {
        Fact::Log(p) | Fact::LogHas(p) | Fact::Stderr(p) => p.variables().collect(),
        Fact::LogLacks(t) | Fact::FileAbsent(t) => t.variables().collect(),
        Fact::Queued { from, to, content } => {
            let envelope = from.variables().chain(to.iter().flat_map(Text::variables));
            envelope.chain(content.iter().flatten().flat_map(|line| line.text.variables())).collect()
        }
        Fact::File(path, content) => {
            let content = content.iter().flatten().flat_map(|line| line.text.variables());
            path.variables().chain(content).collect()
        }
        Fact::Mode(path, _) => path.variables().collect(),
        Fact::Folder(path, names) => {
            path.variables().chain(names.iter().flat_map(Pattern::variables)).collect()
        }
        Fact::Service { told, .. } => match told {
            Told::Absent => Vec::new(),
            Told::Value(value) => value.variables().collect(),
            Told::Content(lines) => lines.iter().flat_map(|line| line.text.variables()).collect(),
        },
        Fact::Exit(_) | Fact::QueuedNone | Fact::CloseNotify | Fact::Memory(_) | Fact::Time(_) => Vec::new(),
    }
}

/// What an attack comes to must be seen: a refusal, a closed connection, or what was captured.
fn attack(case: &Case, found: &mut Found<'_>) {
    if case.front.reach.is_none() {
        return;
    }
    let answered = written_steps(case).any(|(step, _)| {
        matches!(step.act, Act::Eof | Act::Silence) || reply_code(&step.act).is_some_and(|code| code >= 400)
    });
    let captured = script::expectations(case).any(|e| {
        matches!(e.fact, Fact::QueuedNone | Fact::Queued { .. } | Fact::LogLacks(_) | Fact::Service { .. })
    });
    if !answered && !captured {
        found.key("reach", "an attack shows its answer: a refusal, `eof`, `queued:` or `log lacks:`");
    }
}

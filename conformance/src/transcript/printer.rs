//! Writes a transcript; the parser reads the same case back.

use std::fmt::Write as _;

use super::{
    front::Front,
    model::{Act, Case, Choice, Content, Expectation, Fact, Item, Step, Told},
    netstring::{End, Length, Netstring},
    parser,
    text::{Part, Pattern, Piece, Tail, Text, escape_inside, escape_last_blank},
};

/// The case as a file.
pub fn print(case: &Case) -> String {
    format!("+++\n{}+++\n{}", head(&case.front), body(&case.body))
}

/// The head as TOML. A text that would show the line that ends the head is written on one line.
fn head(front: &Front) -> String {
    let head = toml::to_string(front).unwrap_or_default();
    if !head.lines().any(|line| line == "+++") {
        return head;
    }
    let table = toml::Table::try_from(front).unwrap_or_default();
    table.iter().fold(String::new(), |mut out, (key, value)| {
        let _ = writeln!(out, "{key} = {}", one_line(value));
        out
    })
}

fn one_line(value: &toml::Value) -> String {
    match value {
        toml::Value::Array(items) => {
            format!("[{}]", items.iter().map(one_line).collect::<Vec<_>>().join(", "))
        }
        toml::Value::Table(table) => {
            let pairs = table.iter().map(|(key, value)| format!("{} = {}", basic(key), one_line(value)));
            format!("{{ {} }}", pairs.collect::<Vec<_>>().join(", "))
        }
        toml::Value::String(text) => basic(text),
        other => other.to_string(),
    }
}

/// A basic string of TOML.
fn basic(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => _ = write!(out, "\\u{:04x}", u32::from(c)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// The lines below the head.
pub fn body(body: &[Item]) -> String {
    let mut out = String::new();
    items(body, &mut out);
    out
}

fn items(body: &[Item], out: &mut String) {
    for item in body {
        match item {
            Item::Remark(text) => out.push_str(text),
            Item::Step(step) => self::step(step, out),
            Item::Repeat { count, body, .. } => {
                let _ = writeln!(out, "repeat {count} {{");
                items(body, out);
                out.push('}');
            }
            Item::Expect(expectation) => self::expectation(expectation, out),
        }
        out.push('\n');
    }
}

fn prefix(only_if: Option<&str>, should: bool, out: &mut String) {
    if let Some(name) = only_if {
        let _ = write!(out, "[{name}] ");
    }
    if should {
        out.push_str("should ");
    }
}

fn step(step: &Step, out: &mut String) {
    prefix(step.only_if.as_deref(), step.should, out);
    let line = match &step.act {
        Act::Send(t) => format!("C: {}", text(t)),
        Act::SendRaw(t) => format!("C| {}", text(t)),
        Act::Line(p) => format!("S: {}", pattern(p)),
        Act::Raw(p) => format!("S| {}", pattern(p)),
        Act::Reply(p) => format!("S+: {}", pattern(p)),
        Act::Unordered(p) => format!("S*: {}", pattern(p)),
        Act::Netstring(p) => format!("N: {}", pattern(p)),
        Act::Alternative(name, Choice::Line(p)) => format!("S({name}): {}", pattern(p)),
        Act::Alternative(name, Choice::Netstring(p)) => format!("N({name}): {}", pattern(p)),
        Act::Alternative(name, Choice::Eof) => format!("eof({name})"),
        Act::Eof => "eof".into(),
        Act::Silence => "silence".into(),
        Act::Boundary => "boundary".into(),
        Act::HalfClose => "half-close".into(),
        Act::StopReading => "stop-reading".into(),
        Act::Abort => "abort".into(),
        Act::PauseReading => "pause-reading".into(),
        Act::ResumeReading => "resume-reading".into(),
        Act::Wait(time) => format!("wait {} ms", time.as_millis()),
        Act::Do(entry) => format!("do {entry}"),
        Act::Signal(name) => format!("signal {name}"),
        Act::Beneath(t) => format!("T| {}", text(t)),
        Act::Tls(handshake) => handshake.print(),
        Act::TlsClose => "tls-close".into(),
        Act::Truncate => "truncate".into(),
    };
    out.push_str(match line.as_str() {
        "C: " => "C:",
        "S: " => "S:",
        "N: " => "N:",
        line => line,
    });
}

fn expectation(expectation: &Expectation, out: &mut String) {
    prefix(expectation.only_if.as_deref(), expectation.should, out);
    match &expectation.fact {
        Fact::Exit(exit) => _ = write!(out, "exit: {exit}"),
        Fact::Log(p) => _ = write!(out, "log: {}", pattern(p)),
        Fact::LogHas(p) => _ = write!(out, "log has: {}", pattern(p)),
        Fact::LogLacks(t) => _ = write!(out, "log lacks: {}", text(t)),
        Fact::Stderr(p) => _ = write!(out, "stderr: {}", pattern(p)),
        Fact::QueuedNone => out.push_str("queued: none"),
        Fact::Queued { from, to, content } => {
            let _ = write!(out, "queued: <{}> ->", address(from));
            for to in to {
                let _ = write!(out, " <{}>", address(to));
            }
            self::content(content.as_deref(), out);
        }
        Fact::FileAbsent(path) => _ = write!(out, "file {}: absent", text_without(path, ':')),
        Fact::File(path, content) => {
            let _ = write!(out, "file {}:", text_without(path, ':'));
            self::content(content.as_deref(), out);
        }
        Fact::Mode(path, mode) => _ = write!(out, "mode {}: {mode:04o}", text_without(path, ':')),
        Fact::Folder(path, names) => {
            let _ = write!(out, "dir {}:", text_without(path, ':'));
            for name in names {
                let _ = write!(out, " {}", word(name));
            }
        }
        Fact::Service { name, call, what, told } => {
            let call = call.map(|call| format!("call {call} ")).unwrap_or_default();
            let _ = write!(out, "service {name} {call}{what}:");
            match told {
                Told::Absent => out.push_str(" absent"),
                Told::Content(lines) => content(Some(lines), out),
                Told::Value(value) => match pattern(value).as_str() {
                    "" => {}
                    "absent" => out.push_str(" \\x61bsent"),
                    value => _ = write!(out, " {value}"),
                },
            }
        }
        Fact::CloseNotify => out.push_str("close-notify: sent"),
        Fact::Memory(bytes) => _ = write!(out, "memory: {} MB", bytes >> 20),
        Fact::Time(seconds) => _ = write!(out, "time: {seconds} s"),
    }
}

fn content(content: Option<&[Content]>, out: &mut String) {
    for line in content.unwrap_or_default() {
        let mark = if line.newline { "|" } else { "|=" };
        let text = pattern(&line.text);
        let blank = if text.is_empty() && line.newline { "" } else { " " };
        let _ = write!(out, "\n{mark}{blank}{text}");
    }
}

/// An address; a `>` inside it would look like its end.
fn address(address: &Text) -> String {
    text(address).replace('>', "\\x3e")
}

/// A text in the file's notation.
pub fn text(text: &Text) -> String {
    escape_last_blank(text_inside(text))
}

/// A text in which the character that ends it is escaped.
fn text_without(text: &Text, end: char) -> String {
    self::text(text).replace(end, &format!("\\x{:02x}", u32::from(end)))
}

/// A text that something else follows.
fn text_inside(text: &Text) -> String {
    text.0.iter().map(piece).collect()
}

fn piece(piece: &Piece) -> String {
    match piece {
        Piece::Bytes(bytes) => escape_inside(bytes),
        Piece::Variable(name) => format!("${{{name}}}"),
        Piece::Repeat(unit, count) => {
            let unit = escape_inside(unit).replace('"', "\\\"");
            format!("${{\"{unit}\" * {count}}}")
        }
        Piece::Netstring(netstring) => self::netstring(netstring),
    }
}

/// A netstring in the file's notation; fit for a pattern, too.
fn netstring(netstring: &Netstring) -> String {
    let length = match &netstring.length {
        Length::Right => String::new(),
        Length::Off(by) => format!("{by:+}"),
        Length::Written(digits) => format!("={}", escape_inside(digits).replace('}', "\\x7d")),
    };
    let end = match netstring.end {
        End::Comma => String::new(),
        End::Missing => "!".into(),
        End::Byte(byte) => format!("={}", escape_inside(&[byte]).replace('}', "\\x7d")),
    };
    let content: String = netstring.content.iter().map(piece_of_pattern).collect();
    format!("${{[{length}}}{content}${{]{end}}}")
}

/// A piece where a plain `~` would begin a wording.
fn piece_of_pattern(piece: &Piece) -> String {
    match piece {
        Piece::Bytes(bytes) => escape_inside(bytes).replace('~', "\\~"),
        other => self::piece(other),
    }
}

/// A pattern that is one of several on a line: no blank in it ends it.
fn word(name: &Pattern) -> String {
    let printed = pattern(name);
    let (mut out, mut at) = (String::new(), 0);
    while at < printed.len() {
        let end = parser::atom(&printed, at);
        out.push_str(if &printed[at..end] == " " { "\\x20" } else { &printed[at..end] });
        at = end;
    }
    out
}

/// A pattern in the file's notation.
pub fn pattern(pattern: &Pattern) -> String {
    let mut out = String::new();
    for part in &pattern.parts {
        match part {
            Part::Text(piece) => out.push_str(&piece_of_pattern(piece)),
            Part::Regex { name: Some(name), source } => _ = write!(out, "${{{name}=/{source}/}}"),
            Part::Regex { name: None, source } => _ = write!(out, "${{/{source}/}}"),
        }
    }
    match &pattern.tail {
        Tail::Exact => {}
        Tail::Any => out.push_str("~~"),
        Tail::Wording(Text(wording)) => {
            out.push('~');
            out.extend(wording.iter().map(piece_of_pattern));
        }
    }
    escape_last_blank(out)
}

//! Reads a transcript. Every error names the line and column.

use std::time::Duration;

use super::{
    front::Front,
    model::{Act, Case, Choice, Content, Exit, Expectation, Fact, Item, Step, Told},
    scanner::{pattern, plain_text},
    text::{Pattern, Text},
    tls::Handshake,
};

/// What is wrong with a transcript, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    /// The line, from 1.
    pub line: usize,
    /// The column in bytes, from 1.
    pub column: usize,
    /// What is wrong.
    pub what: String,
}

impl std::fmt::Display for ParseError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.what)
    }
}

impl std::error::Error for ParseError {}

/// Longest repetition `repeat` and `${"…" * N}` may ask for: a typing error must not fill memory.
pub(super) const REPEAT_MAX: usize = 100_000_000;

/// Longest pause of a client, in milliseconds: every play takes that long.
const WAIT_MAX: u64 = 5_000;

pub(super) type Result<T> = std::result::Result<T, ParseError>;

/// Parses the transcript `source` under the name `id`.
///
/// # Errors
/// The first thing that is not understood.
pub fn parse(id: &str, source: &str) -> Result<Case> {
    let text = source.strip_suffix('\n').unwrap_or(source);
    let mut lines = text.split('\n').enumerate().map(|(i, text)| Line { number: i + 1, text });
    let error = |line, what: &str| ParseError { line, column: 1, what: what.into() };
    match lines.next() {
        Some(Line { text: "+++", .. }) => {}
        _ => return Err(error(1, "a transcript begins with a line `+++`")),
    }
    let mut head = String::new();
    loop {
        match lines.next() {
            Some(Line { text: "+++", .. }) => break,
            Some(Line { text, .. }) => {
                head.push_str(text);
                head.push('\n');
            }
            None => return Err(error(1, "the head is not closed by a line `+++`")),
        }
    }
    let front: Front = toml::from_str(&head).map_err(|e| {
        let before = &head[..e.span().map_or(0, |span| span.start).min(head.len())];
        let column = before.len() - before.rfind('\n').map_or(0, |at| at + 1) + 1;
        ParseError { line: before.matches('\n').count() + 2, column, what: e.message().to_string() }
    })?;
    for (name, service) in &front.services {
        service.blocks().map_err(|e| ParseError {
            // A script stands in the head as it is, or nearly so.
            line: source.lines().position(|line| line.trim() == e.text.trim()).map_or(1, |at| at + 1),
            what: format!("service {name}: {}", e.what),
            column: e.column,
        })?;
    }
    let mut lines = lines.peekable();
    let body = items(&mut lines, None)?;
    Ok(Case { id: id.into(), file: String::new(), source: source.into(), front, body })
}

/// A text that stands by itself.
///
/// # Errors
/// The column and what is not understood there.
pub fn text_alone(source: &str) -> Result<Text> {
    plain_text(Line { number: 1, text: source }, 0, source)
}

/// A pattern that stands by itself.
///
/// # Errors
/// The column and what is not understood there.
pub fn pattern_alone(source: &str) -> Result<Pattern> {
    pattern(Line { number: 1, text: source }, 0)
}

/// The words of `source`; a blank inside of `${…}` belongs to its word.
pub fn words(source: &str) -> Vec<&str> {
    let (mut words, mut start, mut at) = (Vec::new(), 0, 0);
    while at < source.len() {
        let end = atom(source, at);
        if &source[at..end] == " " {
            words.extend((at > start).then(|| &source[start..at]));
            start = end;
        }
        at = end;
    }
    words.extend((at > start).then(|| &source[start..at]));
    words
}

/// The end of what begins at `at` and is not to be divided: `${…}`, an escape, or a character.
pub(super) fn atom(source: &str, at: usize) -> usize {
    let rest = &source[at..];
    let character = |at: usize| at + source[at..].chars().next().map_or(0, char::len_utf8);
    if let Some(inside) = rest.strip_prefix("${") {
        let slash = inside.find(['/', '}']).is_some_and(|mark| inside[mark..].starts_with('/'));
        let length = match inside.chars().next() {
            Some('"') => closing_quote(&inside.as_bytes()[1..]).map(|end| end + 2),
            Some('[' | ']') => inside.find('}').map(|end| end + 1),
            _ if slash => inside.find("/}").map(|end| end + 2),
            _ => inside.find('}').map(|end| end + 1),
        };
        length.map_or(source.len(), |length| at + 2 + length)
    } else if rest.starts_with('\\') {
        character(at + 1)
    } else {
        character(at)
    }
}

/// Where the `}` of a repetition stands, given what follows its first quote.
fn closing_quote(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' => return bytes[at..].iter().position(|b| *b == b'}').map(|end| at + end),
            _ => at += 1,
        }
    }
    None
}

/// A line of the file.
#[derive(Clone, Copy)]
pub(super) struct Line<'a> {
    number: usize,
    pub(super) text: &'a str,
}

impl Line<'_> {
    pub(super) fn error(&self, offset: usize, what: impl Into<String>) -> ParseError {
        ParseError { line: self.number, column: offset + 1, what: what.into() }
    }
}

fn items<'a>(lines: &mut impl Iterator<Item = Line<'a>>, block: Option<Line<'a>>) -> Result<Vec<Item>> {
    let mut items: Vec<Item> = Vec::new();
    while let Some(line) = lines.next() {
        // They would not survive an editor, nor be seen in one.
        if let Some(column) = line.text.find(|c: char| c.is_control() && c != '\t') {
            return Err(line.error(column, "a control character; it is written as an escape"));
        }
        if line.text.trim().is_empty() || line.text.starts_with('#') {
            items.push(Item::Remark(line.text.into()));
        } else if line.text == "}" {
            return if block.is_some() { Ok(items) } else { Err(line.error(0, "`}` without `repeat`")) };
        } else if let Some(count) = line.text.strip_prefix("repeat ").and_then(|t| t.strip_suffix(" {")) {
            if block.is_some() {
                return Err(line.error(0, "`repeat` inside `repeat`"));
            }
            let count = count.parse().ok().filter(|n| *n <= REPEAT_MAX);
            let count = count.ok_or_else(|| line.error(7, "not a number of repetitions"))?;
            items.push(Item::Repeat { line: line.number, count, body: self::items(lines, Some(line))? });
        } else if line.text.starts_with('|') {
            let owner = items.iter_mut().rev().find(|item| !matches!(item, Item::Remark(_)));
            content(line, owner)?;
        } else {
            let item = step_or_expectation(line)?;
            if block.is_some() && matches!(item, Item::Expect(_)) {
                return Err(line.error(0, "what is left behind stands outside of `repeat`"));
            }
            items.push(item);
        }
    }
    match block {
        Some(line) => Err(line.error(0, "`repeat` is not closed by `}`")),
        None => Ok(items),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "an `Option<&mut _>` is passed on")]
fn content(line: Line<'_>, owner: Option<&mut Item>) -> Result<()> {
    let (at, newline) = match line.text {
        "|" => (1, true),
        text if text.starts_with("| ") => (2, true),
        text if text.starts_with("|= ") => (3, false),
        _ => return Err(line.error(0, "content is `| text` or `|= bytes`")),
    };
    let new = Content { text: pattern(line, at)?, newline };
    match owner {
        Some(Item::Expect(Expectation {
            fact: Fact::Queued { content: slot, .. } | Fact::File(_, slot),
            ..
        })) => slot.get_or_insert_default().push(new),
        Some(Item::Expect(Expectation { fact: Fact::Service { told, .. }, .. })) => match told {
            Told::Content(lines) => lines.push(new),
            Told::Value(value) if *value == Pattern::plain("") => *told = Told::Content(vec![new]),
            _ => return Err(line.error(0, "content stands below a `service …:` without a value")),
        },
        _ => return Err(line.error(0, "content belongs below `queued:`, `file PATH:` or `service NAME …:`")),
    }
    Ok(())
}

fn step_or_expectation(line: Line<'_>) -> Result<Item> {
    let mut at = 0;
    let mut only_if = None;
    if let Some(rest) = line.text.strip_prefix('[') {
        let (name, _) = rest.split_once("] ").ok_or_else(|| line.error(0, "`[name] ` before a step"))?;
        only_if = Some(name.to_string());
        at = name.len() + 3;
    }
    let should = line.text[at..].starts_with("should ");
    if should {
        at += "should ".len();
    }
    if let Some(act) = act(line, at)? {
        return Ok(Item::Step(Step { line: line.number, only_if, should, act }));
    }
    let fact = fact(line, at)?;
    Ok(Item::Expect(Expectation { line: line.number, only_if, should, fact }))
}

fn act(line: Line<'_>, at: usize) -> Result<Option<Act>> {
    let rest = &line.text[at..];
    Ok(Some(match rest {
        "eof" => Act::Eof,
        "silence" => Act::Silence,
        "boundary" => Act::Boundary,
        "half-close" => Act::HalfClose,
        "stop-reading" => Act::StopReading,
        "abort" => Act::Abort,
        "pause-reading" => Act::PauseReading,
        "resume-reading" => Act::ResumeReading,
        "tls-close" => Act::TlsClose,
        "truncate" => Act::Truncate,
        "tls" => Act::Tls(Handshake::default()),
        _ if rest.starts_with("tls ") => {
            let words = &rest["tls ".len()..];
            Act::Tls(Handshake::parse(words).map_err(|(offset, why)| line.error(at + 4 + offset, why))?)
        }
        _ if rest.starts_with("do ") => Act::Do(rest["do ".len()..].into()),
        _ if rest.starts_with("wait ") => Act::Wait(wait(line, at)?),
        _ if rest.starts_with("signal ") => Act::Signal(rest["signal ".len()..].into()),
        "C:" => Act::Send(Text::default()),
        "S:" => Act::Line(Pattern::plain("")),
        "N:" => Act::Netstring(Pattern::plain("")),
        _ if rest.starts_with("C: ") => Act::Send(text(line, at + 3)?),
        _ if rest.starts_with("T| ") => Act::Beneath(text(line, at + 3)?),
        _ if rest.starts_with("C| ") => Act::SendRaw(text(line, at + 3)?),
        _ if rest.starts_with("S: ") => Act::Line(pattern(line, at + 3)?),
        _ if rest.starts_with("S| ") => Act::Raw(pattern(line, at + 3)?),
        _ if rest.starts_with("S+: ") => Act::Reply(pattern(line, at + 4)?),
        _ if rest.starts_with("S*: ") => Act::Unordered(pattern(line, at + 4)?),
        _ if rest.starts_with("N: ") => Act::Netstring(pattern(line, at + 3)?),
        _ if rest.starts_with("S(") || rest.starts_with("N(") => {
            let (name, _) = rest[2..].split_once("): ").ok_or_else(|| {
                line.error(at, "an alternative is `S(name): text`, `N(name): text` or `eof(name)`")
            })?;
            let pattern = pattern(line, at + 2 + name.len() + 3)?;
            let choice =
                if rest.starts_with('S') { Choice::Line(pattern) } else { Choice::Netstring(pattern) };
            Act::Alternative(name.into(), choice)
        }
        _ if rest.starts_with("eof(") && rest.ends_with(')') => {
            Act::Alternative(rest["eof(".len()..rest.len() - 1].into(), Choice::Eof)
        }
        _ => return Ok(None),
    }))
}

/// `wait N ms`
fn wait(line: Line<'_>, at: usize) -> Result<Duration> {
    let time = line.text[at..].strip_prefix("wait ").and_then(|rest| rest.strip_suffix(" ms"));
    let time = time.and_then(|time| time.parse().ok()).filter(|time| *time <= WAIT_MAX);
    let wrong = || line.error(at, format!("a pause is `wait N ms`, of {WAIT_MAX} ms at most"));
    time.map(Duration::from_millis).ok_or_else(wrong)
}

fn fact(line: Line<'_>, at: usize) -> Result<Fact> {
    let rest = &line.text[at..];
    let unknown = || line.error(at, "neither a step nor an expectation of the guide");
    let (key, value) = rest.split_once(':').ok_or_else(unknown)?;
    let start = at + key.len() + 1 + usize::from(value.starts_with(' '));
    let value = &line.text[start..];
    Ok(match key {
        "exit" => Fact::Exit(match value.strip_prefix("signal ") {
            Some(signal) => {
                Exit::Signal(signal.parse().map_err(|_| line.error(start, "not a signal number"))?)
            }
            None => Exit::Status(value.parse().map_err(|_| line.error(start, "not an exit status"))?),
        }),
        "log" => Fact::Log(pattern(line, start)?),
        "log has" => Fact::LogHas(pattern(line, start)?),
        "log lacks" => Fact::LogLacks(text(line, start)?),
        "stderr" => Fact::Stderr(pattern(line, start)?),
        "queued" if value == "none" => Fact::QueuedNone,
        "queued" => {
            let wrong = || line.error(start, "`queued: <from> -> <to> <to>`");
            // An address may look like the arrow, but for its last bracket.
            let end = value.find("> -> ").ok_or_else(wrong)?;
            let (from, to) = (&value[..=end], &value[end + "> -> ".len()..]);
            let from = address(line, start, from)?;
            let mut to_list = Vec::new();
            let mut offset = start + value.len() - to.len();
            for word in to.split("> ") {
                let closed = if word.ends_with('>') { word.to_string() } else { format!("{word}>") };
                to_list.push(address(line, offset, &closed)?);
                offset += word.len() + 2;
            }
            Fact::Queued { from, to: to_list, content: None }
        }
        "close-notify" if value == "sent" => Fact::CloseNotify,
        "close-notify" => return Err(line.error(start, "`close-notify: sent`")),
        "memory" => {
            Fact::Memory(quantity(value, " MB").ok_or_else(|| line.error(start, "`memory: N MB`"))? << 20)
        }
        "time" => Fact::Time(quantity(value, " s").ok_or_else(|| line.error(start, "`time: N s`"))?),
        _ if key.starts_with("service ") => service(line, key, start, value)
            .ok_or_else(|| line.error(at, "`service NAME [call N] WHAT: …`"))??,
        _ if key.starts_with("mode ") => {
            let mode = u32::from_str_radix(value, 8).ok().filter(|mode| *mode <= 0o7777);
            let mode = mode.ok_or_else(|| line.error(start, "`mode PATH: 0600`"))?;
            Fact::Mode(plain_text(line, at + "mode ".len(), &key["mode ".len()..])?, mode)
        }
        _ if key.starts_with("dir ") => {
            let path = plain_text(line, at + "dir ".len(), &key["dir ".len()..])?;
            let names = words(value).into_iter().map(|word| {
                pattern_alone(word).map_err(|e| line.error(start, format!("`{word}`: {}", e.what)))
            });
            Fact::Folder(path, names.collect::<Result<_>>()?)
        }
        _ => {
            let path = key.strip_prefix("file ").ok_or_else(unknown)?;
            let path = plain_text(line, at + "file ".len(), path)?;
            match value {
                "absent" => Fact::FileAbsent(path),
                "" => Fact::File(path, None),
                _ => return Err(line.error(start, "`file PATH:` or `file PATH: absent`")),
            }
        }
    })
}

/// `service NAME [call N] WHAT`; nothing if it is not of this form.
fn service(line: Line<'_>, key: &str, start: usize, value: &str) -> Option<Result<Fact>> {
    let (name, rest) = key.strip_prefix("service ")?.split_once(' ')?;
    let (call, what) = match rest.strip_prefix("call ") {
        Some(numbered) => {
            let (number, what) = numbered.split_once(' ')?;
            (Some(number.parse().ok().filter(|number| *number > 0)?), what)
        }
        None => (None, rest),
    };
    if what.is_empty() || what != what.trim() {
        return None;
    }
    let told = match value {
        "absent" => Ok(Told::Absent),
        _ => pattern(line, start).map(Told::Value),
    };
    Some(told.map(|told| Fact::Service { name: name.into(), call, what: what.into(), told }))
}

fn quantity(value: &str, unit: &str) -> Option<u64> {
    value.strip_suffix(unit)?.parse().ok().filter(|n| *n < 1 << 40)
}

fn address(line: Line<'_>, at: usize, text: &str) -> Result<Text> {
    let inner = text.strip_prefix('<').and_then(|t| t.strip_suffix('>'));
    plain_text(line, at + 1, inner.ok_or_else(|| line.error(at, "an address is `<text>`"))?)
}

fn text(line: Line<'_>, at: usize) -> Result<Text> {
    plain_text(line, at, &line.text[at..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_has_a_number_a_unit_and_an_end() {
        let body = |line: &str| parse("a", &format!("+++\ntitle = \"a\"\nrun = \"a\"\n+++\n{line}\n"));
        let step = body("wait 400 ms").unwrap().body.remove(0);
        assert!(matches!(step, Item::Step(Step { act: Act::Wait(time), .. }) if time.as_millis() == 400));
        for line in ["wait", "wait 5001 ms", "wait 400", "wait 1 s", "wait -1 ms", "wait 400  ms"] {
            let error = body(line).unwrap_err();
            assert_eq!((error.line, error.column), (5, 1), "{line}: {error}");
        }
    }
}

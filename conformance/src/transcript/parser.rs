//! Reads a transcript. Every error names the line and column.

use super::{
    front::Front,
    model::{Act, Case, Content, Exit, Expectation, Fact, Item, Step},
    text::{Part, Pattern, Piece, Tail, Text},
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
const REPEAT_MAX: usize = 100_000_000;

type Result<T> = std::result::Result<T, ParseError>;

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
    let mut lines = lines.peekable();
    let body = items(&mut lines, None)?;
    Ok(Case { id: id.into(), file: String::new(), source: source.into(), front, body })
}

#[derive(Clone, Copy)]
struct Line<'a> {
    number: usize,
    text: &'a str,
}

impl Line<'_> {
    fn error(&self, offset: usize, what: impl Into<String>) -> ParseError {
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
    let Some(Item::Expect(Expectation {
        fact: Fact::Queued { content: slot, .. } | Fact::File(_, slot),
        ..
    })) = owner
    else {
        return Err(line.error(0, "content belongs below `queued:` or `file PATH:`"));
    };
    slot.get_or_insert_default().push(Content { text: pattern(line, at)?, newline });
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
        _ if rest.starts_with("signal ") => Act::Signal(rest["signal ".len()..].into()),
        "C:" => Act::Send(Text::default()),
        "S:" => Act::Line(Pattern::plain("")),
        _ if rest.starts_with("C: ") => Act::Send(text(line, at + 3)?),
        _ if rest.starts_with("C| ") => Act::SendRaw(text(line, at + 3)?),
        _ if rest.starts_with("S: ") => Act::Line(pattern(line, at + 3)?),
        _ if rest.starts_with("S| ") => Act::Raw(pattern(line, at + 3)?),
        _ if rest.starts_with("S*: ") => Act::Unordered(pattern(line, at + 4)?),
        _ if rest.starts_with("S(") => {
            let (name, _) = rest[2..]
                .split_once("): ")
                .ok_or_else(|| line.error(at, "an alternative is `S(name): text`"))?;
            Act::Alternative(name.into(), pattern(line, at + 2 + name.len() + 3)?)
        }
        _ => return Ok(None),
    }))
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
        "memory" => {
            Fact::Memory(quantity(value, " MB").ok_or_else(|| line.error(start, "`memory: N MB`"))? << 20)
        }
        "time" => Fact::Time(quantity(value, " s").ok_or_else(|| line.error(start, "`time: N s`"))?),
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

fn plain_text(line: Line<'_>, at: usize, source: &str) -> Result<Text> {
    let (parts, _) = Scanner { line, base: at, source, at: 0 }.parts(false)?;
    let pieces = parts.into_iter().map(|part| match part {
        Part::Text(piece) => Ok(piece),
        Part::Regex { .. } => Err(line.error(at, "an expression stands in expected text only")),
    });
    Ok(Text(pieces.collect::<Result<_>>()?))
}

fn pattern(line: Line<'_>, at: usize) -> Result<Pattern> {
    let source = &line.text[at..];
    let mut scanner = Scanner { line, base: at, source, at: 0 };
    let (parts, tail_at) = scanner.parts(true)?;
    let tail = match tail_at.map(|tail_at| (&source[tail_at..], tail_at)) {
        None => Tail::Exact,
        Some(("~~", _)) => Tail::Any,
        Some((_, tail_at)) => Tail::Wording(plain_text(line, at + tail_at + 1, &source[tail_at + 1..])?),
    };
    let pattern = Pattern { parts, tail };
    for part in &pattern.parts {
        if let Part::Regex { source, .. } = part {
            regex::bytes::Regex::new(source)
                .map_err(|e| line.error(at, format!("not an expression: {e}")))?;
        }
    }
    Ok(pattern)
}

/// Walks over one text; `base` is its offset in the line.
struct Scanner<'a> {
    line: Line<'a>,
    base: usize,
    source: &'a str,
    at: usize,
}

impl Scanner<'_> {
    fn error(&self, what: &str) -> ParseError {
        self.line.error(self.base + self.at, what)
    }

    /// The parts up to the end, or up to an unescaped `~` if there may be a tail.
    fn parts(&mut self, tail: bool) -> Result<(Vec<Part>, Option<usize>)> {
        let mut parts = Vec::new();
        let mut bytes = Vec::new();
        while let Some(&byte) = self.source.as_bytes().get(self.at) {
            let rest = &self.source[self.at..];
            if byte == b'\\' {
                bytes.push(self.escape()?);
            } else if rest.starts_with("${") {
                if !bytes.is_empty() {
                    parts.push(Part::Text(Piece::Bytes(std::mem::take(&mut bytes))));
                }
                parts.push(self.insert()?);
            } else if tail && byte == b'~' {
                if !bytes.is_empty() {
                    parts.push(Part::Text(Piece::Bytes(bytes)));
                }
                return Ok((parts, Some(self.at)));
            } else {
                let width = rest.chars().next().map_or(1, char::len_utf8);
                bytes.extend_from_slice(&rest.as_bytes()[..width]);
                self.at += width;
            }
        }
        if !bytes.is_empty() {
            parts.push(Part::Text(Piece::Bytes(bytes)));
        }
        Ok((parts, None))
    }

    /// An escape; leaves `at` behind it.
    fn escape(&mut self) -> Result<u8> {
        let rest = &self.source.as_bytes()[self.at + 1..];
        let (byte, width) = match rest {
            [b'r', ..] => (b'\r', 2),
            [b'n', ..] => (b'\n', 2),
            [b't', ..] => (b'\t', 2),
            [b'0', ..] => (0, 2),
            [c @ (b'\\' | b'$' | b'~' | b'"'), ..] => (*c, 2),
            [b'x', high, low, ..] => {
                let digit = |d: u8| char::from(d).to_digit(16).and_then(|d| u8::try_from(d).ok());
                match (digit(*high), digit(*low)) {
                    (Some(high), Some(low)) => (high << 4 | low, 4),
                    _ => return Err(self.error("`\\x` wants two hexadecimal digits")),
                }
            }
            _ => return Err(self.error("no such escape")),
        };
        self.at += width;
        Ok(byte)
    }

    /// `${…}`; leaves `at` behind it.
    fn insert(&mut self) -> Result<Part> {
        let start = self.at;
        self.at += 2;
        let rest = &self.source[self.at..];
        if rest.starts_with('"') {
            self.at += 1;
            let mut unit = Vec::new();
            loop {
                match self.source.as_bytes().get(self.at) {
                    Some(b'"') => break,
                    Some(b'\\') => unit.push(self.escape()?),
                    Some(&byte) => {
                        unit.push(byte);
                        self.at += 1;
                    }
                    None => return Err(self.error("the text to repeat is not closed by `\"`")),
                }
            }
            self.at += 1;
            let number = self.source[self.at..].strip_prefix(" * ").and_then(|t| t.split_once('}'));
            let (number, _) = number.ok_or_else(|| self.error("`${\"text\" * N}`"))?;
            let count = number.parse().ok().filter(|n: &usize| n.saturating_mul(unit.len()) <= REPEAT_MAX);
            let count = count.ok_or_else(|| self.error("not a number of repetitions"))?;
            self.at += " * ".len() + number.len() + 1;
            return Ok(Part::Text(Piece::Repeat(unit, count)));
        }
        let name_end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '#'));
        let (name, after) = rest.split_at(name_end.unwrap_or(rest.len()));
        if after.starts_with('}') && !name.is_empty() {
            self.at += name.len() + 1;
            return Ok(Part::Text(Piece::Variable(name.into())));
        }
        let source = if name.is_empty() { after.strip_prefix('/') } else { after.strip_prefix("=/") };
        let source = source.and_then(|text| text.split_once("/}")).map(|(source, _)| source);
        match source {
            Some(source) => {
                let skipped = name.len() + if name.is_empty() { 1 } else { 2 };
                self.at = start + 2 + skipped + source.len() + 2;
                let name = (!name.is_empty()).then(|| name.to_string());
                Ok(Part::Regex { name, source: source.into() })
            }
            None => Err(self.error("`${NAME}`, `${\"text\" * N}`, `${/regex/}` or `${NAME=/regex/}`")),
        }
    }
}

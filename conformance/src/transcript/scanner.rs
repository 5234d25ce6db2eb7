//! Reads the texts and patterns of a line.

use super::{
    netstring::{DEPTH_MAX, End, Length, Netstring},
    parser::{Line, ParseError, REPEAT_MAX, Result},
    text::{Part, Pattern, Piece, Tail, Text},
};

/// The text `source`, which begins `at` bytes into `line`.
pub(super) fn plain_text(line: Line<'_>, at: usize, source: &str) -> Result<Text> {
    let (parts, _) = Scanner { line, base: at, source, at: 0 }.parts(false)?;
    let regex = || line.error(at, "an expression stands in expected text only");
    Ok(Text(pieces(parts).ok_or_else(regex)?))
}

/// The pieces of a text; nothing if there is an expression among them.
fn pieces(parts: Vec<Part>) -> Option<Vec<Piece>> {
    let piece = |part| match part {
        Part::Text(piece) => Some(piece),
        Part::Regex { .. } => None,
    };
    parts.into_iter().map(piece).collect()
}

/// The pattern that begins `at` bytes into `line`.
pub(super) fn pattern(line: Line<'_>, at: usize) -> Result<Pattern> {
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

/// Parts of a text, put together as they come.
#[derive(Default)]
struct Parts {
    done: Vec<Part>,
    /// Plain bytes behind them.
    bytes: Vec<u8>,
}

impl Parts {
    fn push(&mut self, part: Part) {
        self.flush();
        self.done.push(part);
    }

    fn flush(&mut self) {
        if !self.bytes.is_empty() {
            self.done.push(Part::Text(Piece::Bytes(std::mem::take(&mut self.bytes))));
        }
    }

    fn finish(mut self) -> Vec<Part> {
        self.flush();
        self.done
    }
}

/// A netstring whose end is not reached.
struct Open {
    at: usize,
    length: Length,
    /// What stands before it.
    before: Parts,
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
        let mut parts = Parts::default();
        let mut open: Vec<Open> = Vec::new();
        let mut tail_at = None;
        while let Some(&byte) = self.source.as_bytes().get(self.at) {
            let rest = &self.source[self.at..];
            if byte == b'\\' {
                parts.bytes.push(self.escape()?);
            } else if rest.starts_with("${[") {
                if open.len() == DEPTH_MAX {
                    return Err(self.error("too many netstrings inside each other"));
                }
                let (at, length) = (self.at, self.opening()?);
                open.push(Open { at, length, before: std::mem::take(&mut parts) });
            } else if rest.starts_with("${]") {
                let Some(Open { length, before, .. }) = open.pop() else {
                    return Err(self.error("`${]}` without `${[}` before it"));
                };
                let Some(content) = pieces(std::mem::replace(&mut parts, before).finish()) else {
                    return Err(self.error("no expression stands in a netstring; `N:` takes one"));
                };
                let end = self.closing()?;
                parts.push(Part::Text(Piece::Netstring(Netstring { length, content, end })));
            } else if rest.starts_with("${") {
                let part = self.insert()?;
                parts.push(part);
            } else if tail && byte == b'~' {
                if !open.is_empty() {
                    return Err(
                        self.error("no wording stands in a netstring; `N:` takes it, `\\~` is the character")
                    );
                }
                tail_at = Some(self.at);
                break;
            } else {
                let width = rest.chars().next().map_or(1, char::len_utf8);
                parts.bytes.extend_from_slice(&rest.as_bytes()[..width]);
                self.at += width;
            }
        }
        match open.last() {
            Some(open) => Err(self.line.error(self.base + open.at, "`${[}` is not closed by `${]}`")),
            None => Ok((parts.finish(), tail_at)),
        }
    }

    /// The beginning of a netstring; leaves `at` behind it.
    fn opening(&mut self) -> Result<Length> {
        let wrong = self.error("`${[}`, `${[+N}`, `${[-N}` or `${[=bytes}`");
        self.at += "${[".len();
        let length = match self.source.as_bytes().get(self.at) {
            Some(b'}') => Length::Right,
            Some(b'=') => {
                self.at += 1;
                Length::Written(self.bytes_in_braces()?)
            }
            Some(b'+' | b'-') => {
                let number = self.source[self.at..].split('}').next().unwrap_or_default();
                self.at += number.len();
                Length::Off(number.parse().map_err(|_| wrong.clone())?)
            }
            _ => return Err(wrong),
        };
        self.closed(length, wrong)
    }

    /// The end of a netstring; leaves `at` behind it.
    fn closing(&mut self) -> Result<End> {
        let wrong = self.error("`${]}`, `${]!}` or `${]=X}`");
        self.at += "${]".len();
        let end = match self.source.as_bytes().get(self.at) {
            Some(b'}') => End::Comma,
            Some(b'!') => {
                self.at += 1;
                End::Missing
            }
            Some(b'=') => {
                self.at += 1;
                match self.bytes_in_braces()?[..] {
                    [byte] => End::Byte(byte),
                    _ => return Err(wrong),
                }
            }
            _ => return Err(wrong),
        };
        self.closed(end, wrong)
    }

    /// Steps over the `}` that ends `what`.
    fn closed<T>(&mut self, what: T, wrong: ParseError) -> Result<T> {
        if self.source.as_bytes().get(self.at) != Some(&b'}') {
            return Err(wrong);
        }
        self.at += 1;
        Ok(what)
    }

    /// Bytes and escapes up to a `}`, which is left.
    fn bytes_in_braces(&mut self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        while let Some(&byte) = self.source.as_bytes().get(self.at).filter(|byte| **byte != b'}') {
            if byte == b'\\' {
                bytes.push(self.escape()?);
            } else {
                bytes.push(byte);
                self.at += 1;
            }
        }
        Ok(bytes)
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
            None => {
                Err(self
                    .error("`${NAME}`, `${\"text\" * N}`, `${[}…${]}`, `${/regex/}` or `${NAME=/regex/}`"))
            }
        }
    }
}

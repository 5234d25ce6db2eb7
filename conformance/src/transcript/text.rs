//! Byte texts with escapes and variables, and patterns over bytes.

use std::{borrow::Cow, collections::BTreeMap, fmt::Write as _};

use super::netstring::Netstring;

/// The values of `${NAME}`.
pub type Variables = BTreeMap<String, Vec<u8>>;

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// These bytes.
    Bytes(Vec<u8>),
    /// The value of a variable.
    Variable(String),
    /// These bytes, so often.
    Repeat(Vec<u8>, usize),
    /// A netstring, its length counted when it is sent or compared.
    Netstring(Netstring),
}

impl Piece {
    /// Appends the bytes, with `variables` filled in; an unknown variable gives nothing (`lint` finds it).
    pub fn expand_into(&self, variables: &Variables, bytes: &mut Vec<u8>) {
        match self {
            Self::Bytes(plain) => bytes.extend_from_slice(plain),
            Self::Variable(name) => bytes.extend_from_slice(variables.get(name).map_or(b"", |v| v)),
            Self::Repeat(unit, count) => bytes.extend(unit.repeat(*count)),
            Self::Netstring(netstring) => netstring.expand_into(variables, bytes),
        }
    }

    /// Adds the names of the variables used to `names`.
    fn name_variables<'a>(&'a self, names: &mut Vec<&'a str>) {
        match self {
            Self::Variable(name) => names.push(name),
            Self::Netstring(netstring) => {
                netstring.content.iter().for_each(|piece| piece.name_variables(names));
            }
            Self::Bytes(_) | Self::Repeat(..) => {}
        }
    }
}

/// Bytes to be sent or compared, with variables still in them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Text(pub Vec<Piece>);

impl Text {
    /// A text of plain bytes.
    pub fn plain(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Self(if bytes.is_empty() { Vec::new() } else { vec![Piece::Bytes(bytes)] })
    }

    /// The bytes, with `variables` filled in; an unknown variable gives nothing (`lint` finds it).
    pub fn expand(&self, variables: &Variables) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.0.iter().for_each(|piece| piece.expand_into(variables, &mut bytes));
        bytes
    }

    /// The names of the variables used.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        let mut names = Vec::new();
        self.0.iter().for_each(|piece| piece.name_variables(&mut names));
        names.into_iter()
    }
}

/// The same bytes, neighbouring ones as one piece, as the parser makes them.
pub fn merged(pieces: Vec<Piece>) -> Vec<Piece> {
    let mut out: Vec<Piece> = Vec::new();
    for piece in pieces {
        match (out.last_mut(), piece) {
            (Some(Piece::Bytes(before)), Piece::Bytes(more)) => before.extend(more),
            (_, piece) => out.push(piece),
        }
    }
    out
}

/// A part of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Text to be found as it is.
    Text(Piece),
    /// Bytes that match an expression, kept under a name if there is one.
    Regex {
        /// The name the match is kept under.
        name: Option<String>,
        /// The expression.
        source: String,
    },
}

/// What may follow the fixed part of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tail {
    /// Nothing.
    Exact,
    /// `~~`: any wording.
    Any,
    /// `~text`: this wording; another one is a failure of level `should`.
    Wording(Text),
}

/// What a line or a piece of output must look like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    /// The part that must match.
    pub parts: Vec<Part>,
    /// What may follow.
    pub tail: Tail,
}

/// What named parts of a pattern matched.
type Captures = Vec<(String, Vec<u8>)>;

/// The result of holding a pattern against bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Match {
    /// They match; named parts are returned.
    Yes(Captures),
    /// Only the wording differs.
    Wording,
    /// They do not match.
    No,
}

impl Pattern {
    /// A pattern of plain bytes.
    pub fn plain(bytes: impl Into<Vec<u8>>) -> Self {
        let Text(pieces) = Text::plain(bytes);
        Self { parts: pieces.into_iter().map(Part::Text).collect(), tail: Tail::Exact }
    }

    /// The fixed bytes if nothing in the pattern is open.
    pub fn fixed(&self, variables: &Variables) -> Option<Vec<u8>> {
        let (start, expressions) = self.start(variables);
        (self.tail == Tail::Exact && expressions.is_empty()).then_some(start)
    }

    /// The bytes before the first expression, and the parts from there on.
    fn start(&self, variables: &Variables) -> (Vec<u8>, &[Part]) {
        let mut bytes = Vec::new();
        for (at, part) in self.parts.iter().enumerate() {
            let Part::Text(piece) = part else { return (bytes, &self.parts[at..]) };
            piece.expand_into(variables, &mut bytes);
        }
        (bytes, &[])
    }

    /// Whether later steps need something this pattern captures.
    pub fn captures(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Regex { name: Some(_), .. }))
    }

    /// Holds the pattern against all of `actual`; wording ends with the line.
    pub fn matches(&self, actual: &[u8], variables: &Variables) -> Match {
        self.compare(actual, variables, false)
    }

    /// Holds the pattern against all of `actual`; wording may have several lines.
    pub fn matches_lines(&self, actual: &[u8], variables: &Variables) -> Match {
        self.compare(actual, variables, true)
    }

    fn compare(&self, actual: &[u8], variables: &Variables, has_lines: bool) -> Match {
        let (start, expressions) = self.start(variables);
        let Some(rest) = actual.strip_prefix(&start[..]) else { return Match::No };
        // To compile an expression takes longer than to play most cases.
        let (captures, said) = if expressions.is_empty() {
            (Vec::new(), rest)
        } else {
            match self.search(expressions, rest, variables, has_lines) {
                Some(found) => found,
                None => return Match::No,
            }
        };
        let is_wording = has_lines || !said.iter().any(|byte| b"\r\n".contains(byte));
        match &self.tail {
            Tail::Exact if said.is_empty() => Match::Yes(captures),
            Tail::Any if is_wording => Match::Yes(captures),
            Tail::Wording(text) if said == text.expand(variables) => Match::Yes(captures),
            Tail::Wording(_) if is_wording => Match::Wording,
            Tail::Exact | Tail::Any | Tail::Wording(_) => Match::No,
        }
    }

    /// What the named expressions match in `rest`, and the wording behind `parts`.
    fn search<'a>(
        &self,
        parts: &[Part],
        rest: &'a [u8],
        variables: &Variables,
        has_lines: bool,
    ) -> Option<(Captures, &'a [u8])> {
        let mut expression = String::from("(?s-u)^");
        for part in parts {
            _ = match part {
                Part::Text(piece) => {
                    let mut bytes = Vec::new();
                    piece.expand_into(variables, &mut bytes);
                    bytes.iter().try_for_each(|byte| write!(expression, "\\x{byte:02x}"))
                }
                Part::Regex { name: Some(name), source } => write!(expression, "(?P<{name}>{source})"),
                Part::Regex { name: None, source } => write!(expression, "(?:{source})"),
            };
        }
        expression.push_str(match self.tail {
            Tail::Exact => "(?P<tail__>)$",
            Tail::Any | Tail::Wording(_) if has_lines => "(?P<tail__>.*)$",
            Tail::Any | Tail::Wording(_) => "(?P<tail__>[^\\r\\n]*)$",
        });
        let regex = regex::bytes::Regex::new(&expression).ok()?;
        let found = regex.captures(rest)?;
        let names = regex.capture_names().flatten().filter(|name| *name != "tail__");
        let captures =
            names.filter_map(|name| Some((name.to_string(), found.name(name)?.as_bytes().to_vec())));
        Some((captures.collect(), found.name("tail__")?.as_bytes()))
    }

    /// The names of the variables used.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        let mut names = Vec::new();
        for part in &self.parts {
            if let Part::Text(piece) = part {
                piece.name_variables(&mut names);
            }
        }
        if let Tail::Wording(Text(wording)) = &self.tail {
            wording.iter().for_each(|piece| piece.name_variables(&mut names));
        }
        names.into_iter()
    }
}

/// Bytes as a transcript writes them: printable ASCII as it is, all else escaped, `${` and a last
/// blank too.
pub fn escape(bytes: &[u8]) -> String {
    escape_last_blank(escape_inside(bytes))
}

/// The text with a blank at its end escaped.
pub fn escape_last_blank(mut text: String) -> String {
    if text.ends_with(' ') {
        text.pop();
        text.push_str("\\x20");
    }
    text
}

/// As [`escape`], for bytes that something else follows.
pub fn escape_inside(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for (i, &byte) in bytes.iter().enumerate() {
        match byte {
            b'\r' => out.push_str("\\r"),
            b'\n' => out.push_str("\\n"),
            b'\t' => out.push_str("\\t"),
            0 => out.push_str("\\0"),
            b'\\' => out.push_str("\\\\"),
            b'$' if bytes.get(i + 1) == Some(&b'{') => out.push_str("\\$"),
            b' '..=b'~' => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "\\x{byte:02x}");
            }
        }
    }
    out
}

/// `bytes` escaped, long ones cut in the middle with the number of bytes left out.
pub fn escape_short(bytes: &[u8], most: usize) -> String {
    if bytes.len() <= most {
        return escape(bytes);
    }
    let (head, tail) = (most * 3 / 4, most / 4);
    format!(
        "{}…({} bytes)…{}",
        escape(&bytes[..head]),
        bytes.len() - head - tail,
        escape(&bytes[bytes.len() - tail..])
    )
}

/// Text for a person: invalid UTF-8, control characters and those that change how the rest of a line
/// is shown are escaped.
pub fn printable(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes)
        && !text.chars().any(is_treacherous)
    {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(bytes.len() + 16);
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                c if c.is_ascii() && is_treacherous(c) => {
                    out.push_str(&escape(c.encode_utf8(&mut [0; 4]).as_bytes()));
                }
                c if is_treacherous(c) => _ = write!(out, "\\u{{{:x}}}", u32::from(c)),
                c => out.push(c),
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    Cow::Owned(out)
}

/// Control characters, and invisible or direction-changing ones: bidirectional marks and overrides,
/// zero-width characters, line and paragraph separators, variation selectors, tags.
fn is_treacherous(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_reads_moves_no_cursor_and_hides_nothing() {
        assert_eq!(printable("naïve … 日本".as_bytes()), "naïve … 日本");
        assert_eq!(printable(b"a\x1b[2J\r\0\xff\n"), "a\\x1b[2J\\r\\0\\xff\\n");
        assert_eq!(printable("x\u{202e}y\u{200b}\u{9b}".as_bytes()), "x\\u{202e}y\\u{200b}\\u{9b}");
    }

    #[test]
    fn a_pattern_means_the_same_with_and_without_an_expression() {
        let variables = Variables::from([("A".into(), b"x\\".to_vec())]);
        let start = || vec![Piece::Bytes(b"250 ".to_vec()), Piece::Variable("A".into())];
        let tails =
            [Tail::Exact, Tail::Any, Tail::Wording(Text::plain("ok")), Tail::Wording(Text::plain(""))];
        let empty = Part::Regex { name: None, source: String::new() };
        for tail in tails {
            let parts: Vec<Part> = start().into_iter().map(Part::Text).collect();
            let first = [std::slice::from_ref(&empty), &parts].concat();
            let last = [&parts, std::slice::from_ref(&empty)].concat();
            let [plain, first, last] =
                [parts, first, last].map(|parts| Pattern { parts, tail: tail.clone() });
            for actual in
                ["", "250 ", "250 x\\", "250 x\\ok", "250 x\\other", "250 x\\ok\n", "250 x\\\nok", "25"]
            {
                let wanted = plain.matches(actual.as_bytes(), &variables);
                let wanted_lines = plain.matches_lines(actual.as_bytes(), &variables);
                for other in [&first, &last] {
                    assert_eq!(other.matches(actual.as_bytes(), &variables), wanted, "{tail:?} {actual:?}");
                    let lines = other.matches_lines(actual.as_bytes(), &variables);
                    assert_eq!(lines, wanted_lines, "{tail:?} {actual:?}");
                }
            }
        }
        let any = Pattern { parts: start().into_iter().map(Part::Text).collect(), tail: Tail::Any };
        assert_eq!(any.matches(b"250 x\\a\nb", &variables), Match::No);
        assert_eq!(any.matches_lines(b"250 x\\a\nb", &variables), Match::Yes(Vec::new()));
    }
}

//! An IMAP command: tag, name and arguments, read line by line and literal by literal (IMAP-LINE-1 … 4,
//! IMAP-ARGS-1 … 8, RFC 3501 §9). Stops SEC-91: nothing is made as large as a client announces.

use bstr::{BString, ByteSlice};

/// The longest literal in bytes (IMAP-ARGS-5).
pub const LITERAL_MAX: usize = 65_536;

/// The most arguments of a command (IMAP-ARGS-7).
pub const ARGUMENTS_MAX: usize = 16;

/// A command.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Command {
    /// What the client calls the command; any bytes but white space and NUL (IMAP-LINE-2).
    pub tag: BString,
    /// The command's name, likewise.
    pub name: BString,
    /// Its arguments, quoting taken off.
    pub arguments: Vec<BString>,
}

/// What is wrong with a command. Its text follows `TAG BAD `, or `* BAD ` if there is no tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// No tag, no name, a NUL, or a CR in a quoted string (IMAP-LINE-3, IMAP-ARGS-8).
    Syntax,
    /// A quoted string does not end (IMAP-ARGS-1).
    UnterminatedString,
    /// No digit behind `{` (IMAP-ARGS-3).
    MissingInteger,
    /// Something else than `}` behind the digits.
    InvalidInteger,
    /// Something behind `}`, or no `}` (IMAP-ARGS-4).
    MissingLineEnd,
    /// More than [`LITERAL_MAX`] bytes (IMAP-ARGS-5).
    LiteralTooLarge,
    /// More than [`ARGUMENTS_MAX`] (IMAP-ARGS-7).
    TooManyArguments,
}

impl Mistake {
    /// The text for the client.
    pub fn text(self) -> &'static str {
        match self {
            Self::Syntax => "Syntax error",
            Self::UnterminatedString => "Syntax error: unterminated quoted string",
            Self::MissingInteger => "Syntax error: missing integer",
            Self::InvalidInteger => "Syntax error: invalid integer",
            Self::MissingLineEnd => "Syntax error: missing LF after integer",
            Self::LiteralTooLarge => "Literal too large",
            Self::TooManyArguments => "Too many command arguments",
        }
    }
}

/// What a line comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The command is complete.
    Complete(Command),
    /// It goes on with so many bytes, at most [`LITERAL_MAX`], and another line.
    Literal(usize),
    /// It is none; the tag is empty if there is none. The next line is another command.
    Wrong(BString, Mistake),
}

/// A command in the making.
#[derive(Debug, Default)]
pub struct Parser {
    command: Command,
    /// Whether tag and name have been read.
    has_begun: bool,
    /// A literal had a NUL. Its line is still to come and belongs to this command.
    is_spoilt: bool,
}

impl Parser {
    /// Reads a line, its line end taken off: the first one, or one behind a literal.
    pub fn line(mut self, line: &[u8]) -> (Self, Step) {
        let step = match self.read(line) {
            Ok(Some(length)) => Step::Literal(length),
            Ok(None) => Step::Complete(std::mem::take(&mut self.command)),
            Err(mistake) => Step::Wrong(std::mem::take(&mut self.command.tag), mistake),
        };
        (self, step)
    }

    /// Takes the bytes of the literal that was asked for.
    pub fn literal(&mut self, bytes: BString) {
        self.is_spoilt |= bytes.contains(&0);
        self.command.arguments.push(bytes);
    }

    fn read(&mut self, line: &[u8]) -> Result<Option<usize>, Mistake> {
        let mut rest = line;
        if !self.has_begun {
            self.has_begun = true;
            let tag = word(&mut rest);
            if tag.is_empty() || tag.contains(&0) {
                return Err(Mistake::Syntax);
            }
            self.command.tag = tag.into();
            self.command.name = word(&mut rest).into();
            if self.command.name.is_empty() {
                return Err(Mistake::Syntax);
            }
        }
        if self.is_spoilt || line.contains(&0) {
            return Err(Mistake::Syntax);
        }
        self.arguments(rest)
    }

    /// Reads arguments to the end of the line; gives the length of the literal that opens there, if one
    /// does.
    fn arguments(&mut self, mut rest: &[u8]) -> Result<Option<usize>, Mistake> {
        loop {
            rest = &rest[rest.find_not_byteset(WHITE_SPACE).unwrap_or(rest.len())..];
            let Some(first) = rest.first() else { return Ok(None) };
            if self.command.arguments.len() == ARGUMENTS_MAX {
                return Err(Mistake::TooManyArguments);
            }
            let argument = match first {
                b'{' => return literal_length(&rest[1..]).map(Some),
                b'"' => quoted(&mut rest)?,
                _ => word(&mut rest).into(),
            };
            self.command.arguments.push(argument);
        }
    }
}

/// White space (IMAP-LINE-1).
const WHITE_SPACE: &[u8] = b" \t\n\x0b\x0c\r";

/// Takes the next word and the white space in front of it.
fn word<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
    let from = &rest[rest.find_not_byteset(WHITE_SPACE).unwrap_or(rest.len())..];
    let (word, behind) = from.split_at(from.find_byteset(WHITE_SPACE).unwrap_or(from.len()));
    *rest = behind;
    word
}

/// Takes a quoted string, which `rest` begins with; `\` makes the next byte an ordinary one
/// (IMAP-ARGS-1).
fn quoted(rest: &mut &[u8]) -> Result<BString, Mistake> {
    let mut string = Vec::new();
    let mut bytes = rest[1..].iter().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => {
                *rest = &rest[at + 2..];
                return Ok(string.into());
            }
            b'\r' => return Err(Mistake::Syntax),
            b'\\' => match bytes.next() {
                Some((_, b'\r')) => return Err(Mistake::Syntax),
                Some((_, byte)) => string.push(*byte),
                None => break,
            },
            _ => string.push(*byte),
        }
    }
    Err(Mistake::UnterminatedString)
}

/// The length in what follows `{`, up to the end of the line (IMAP-ARGS-2 … 5).
fn literal_length(rest: &[u8]) -> Result<usize, Mistake> {
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, behind) = rest.split_at(digits);
    match (digits, behind) {
        ([], _) => Err(Mistake::MissingInteger),
        (_, b"}") => {
            let number = digits.to_str().ok().and_then(|digits| digits.trim_start_matches('0').parse().ok());
            let length = if digits.iter().all(|digit| *digit == b'0') { Some(0) } else { number };
            length.filter(|length| *length <= LITERAL_MAX).ok_or(Mistake::LiteralTooLarge)
        }
        (_, [] | [b'}', ..]) => Err(Mistake::MissingLineEnd),
        _ => Err(Mistake::InvalidInteger),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn step(line: &[u8]) -> Step {
        Parser::default().line(line).1
    }

    fn arguments(line: &[u8]) -> Vec<BString> {
        match step(&[b"a X ", line].concat()) {
            Step::Complete(command) => command.arguments,
            other => panic!("{}: {other:?}", line.as_bstr()),
        }
    }

    #[rstest]
    #[case("a b", &["a", "b"])]
    #[case("  a\t\x0b b \r", &["a", "b"])]
    #[case("u\"p\" ~{1} (x) \\ %*", &["u\"p\"", "~{1}", "(x)", "\\", "%*"])]
    #[case(r#""a b" "" "\"\\\x""#, &["a b", "", r#""\x"#])]
    #[case(r#""u"p"#, &["u", "p"])]
    #[case(r#""u""p""#, &["u", "p"])]
    fn arguments_are_words_or_strings(#[case] line: &str, #[case] expected: &[&str]) {
        assert_eq!(arguments(line.as_bytes()), expected);
    }

    #[rstest]
    #[case(b"", b"", Mistake::Syntax)]
    #[case(b" \t", b"", Mistake::Syntax)]
    #[case(b"a", b"a", Mistake::Syntax)]
    #[case(b"a \t ", b"a", Mistake::Syntax)]
    #[case(b"a\0 X", b"", Mistake::Syntax)]
    #[case(b"a X\0", b"a", Mistake::Syntax)]
    #[case(b"a X y\0", b"a", Mistake::Syntax)]
    #[case(b"a X {1}\0", b"a", Mistake::Syntax)]
    #[case(b"a X \"y\rz\"", b"a", Mistake::Syntax)]
    #[case(b"a X \"y\\\rz\"", b"a", Mistake::Syntax)]
    #[case(b"a X \"y", b"a", Mistake::UnterminatedString)]
    #[case(b"a X \"y\\", b"a", Mistake::UnterminatedString)]
    #[case(b"a X \"y\\\"", b"a", Mistake::UnterminatedString)]
    #[case(b"a X {}", b"a", Mistake::MissingInteger)]
    #[case(b"a X {a}", b"a", Mistake::MissingInteger)]
    #[case(b"a X {-1}", b"a", Mistake::MissingInteger)]
    #[case(b"a X { 1}", b"a", Mistake::MissingInteger)]
    #[case(b"a X {1+}", b"a", Mistake::InvalidInteger)]
    #[case(b"a X {1 }", b"a", Mistake::InvalidInteger)]
    #[case(b"a X {1x", b"a", Mistake::InvalidInteger)]
    #[case(b"a X {1}x", b"a", Mistake::MissingLineEnd)]
    #[case(b"a X {1} {1}", b"a", Mistake::MissingLineEnd)]
    #[case(b"a X {1}\r", b"a", Mistake::MissingLineEnd)]
    #[case(b"a X {4", b"a", Mistake::MissingLineEnd)]
    #[case(b"a X {65537}", b"a", Mistake::LiteralTooLarge)]
    #[case(b"a X {4294967296}", b"a", Mistake::LiteralTooLarge)]
    #[case(b"a X {18446744073709551617}", b"a", Mistake::LiteralTooLarge)]
    #[case(b"a X 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 \"", b"a", Mistake::TooManyArguments)]
    fn mistakes_have_names(#[case] line: &[u8], #[case] tag: &[u8], #[case] mistake: Mistake) {
        assert_eq!(step(line), Step::Wrong(tag.into(), mistake));
    }

    #[rstest]
    #[case(b"{0}", 0)]
    #[case(b"{0000000000000000000000008}", 8)]
    #[case(b"{65536}", 65_536)]
    fn a_literal_ends_its_line(#[case] argument: &[u8], #[case] length: usize) {
        assert_eq!(step(&[b"a X ", argument].concat()), Step::Literal(length));
    }

    #[test]
    fn a_command_goes_on_behind_its_literals() {
        let (mut parser, step) = Parser::default().line(b"7 LOGIN {3}");
        assert_eq!(step, Step::Literal(3));
        parser.literal("a\r\n".into());
        let (mut parser, step) = parser.line(b"{1}");
        assert_eq!(step, Step::Literal(1));
        parser.literal("u".into());
        let command = Command {
            tag: "7".into(),
            name: "LOGIN".into(),
            arguments: vec!["a\r\n".into(), "u".into(), "p".into()],
        };
        assert_eq!(parser.line(b"p ").1, Step::Complete(command));
    }

    #[test]
    fn a_literal_with_nul_spoils_the_command_to_the_end_of_its_line() {
        let (mut parser, _) = Parser::default().line(b"a X {2}");
        parser.literal("u\0".into());
        assert_eq!(parser.line(b" {2}").1, Step::Wrong("a".into(), Mistake::Syntax));
    }
}

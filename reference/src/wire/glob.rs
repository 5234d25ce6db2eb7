//! Globs: `*` any bytes, `?` one byte, `[seq]` one of a set, `[!seq]` one not in it (RULES-GLOB-1 … 8).
//!
//! A pattern is cut at its stars into segments. The first must begin the text, the last end it, and
//! each between is looked for from where the one before ended: the leftmost place is always good
//! enough, so that nothing is tried twice. The worst case is pattern length × text length
//! (RULES-GLOB-8). Stops SEC-45.

use memchr::memmem::Finder;

/// A pattern, ready to be held against texts.
#[derive(Debug, Clone)]
pub struct Glob {
    /// What stands before, between and behind the stars; one more than there are stars.
    segments: Vec<Segment>,
    /// Whether ASCII case does not count.
    folded: bool,
}

/// What stands between two stars.
#[derive(Debug, Clone)]
enum Segment {
    /// Bytes only, in a glob where case counts.
    Literal(Box<Finder<'static>>),
    /// Bytes only, in lower case, in a glob where case does not count. Rules files have thousands of
    /// these: a byte of the pattern is a byte here.
    Folded(Box<[u8]>),
    /// Anything else; not empty.
    Elements(Vec<Element>),
}

/// What one byte of the text is held against.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Element {
    /// This byte.
    Byte(u8),
    /// `?`: any byte.
    Any,
    /// `[…]`: one of these; 256 bits.
    Set(Box<[u64; 4]>),
}

impl Glob {
    /// A pattern in which case counts (PAT-MATCH-1). Every byte string is one.
    pub fn new(pattern: &[u8]) -> Self {
        Self::parse(pattern, false)
    }

    /// A pattern in which ASCII case does not count, inside brackets neither (RULES-GLOB-1).
    pub fn folded(pattern: &[u8]) -> Self {
        Self::parse(pattern, true)
    }

    fn parse(pattern: &[u8], folded: bool) -> Self {
        let mut segments = Vec::with_capacity(memchr::memchr_iter(b'*', pattern).count() + 1);
        // What stands behind the last star, if there is more than plain bytes.
        let mut elements = Vec::new();
        let mut rest = pattern;
        loop {
            let (plain, behind) =
                rest.split_at(memchr::memchr3(b'*', b'?', b'[', rest).unwrap_or(rest.len()));
            let special = behind.first();
            if elements.is_empty() && matches!(special, None | Some(b'*')) {
                segments.push(Segment::plain(plain, folded));
            } else {
                elements.extend(plain.iter().map(|byte| Element::Byte(fold(*byte, folded))));
            }
            rest = behind.get(1..).unwrap_or_default();
            match special {
                Some(b'?') => elements.push(Element::Any),
                Some(b'[') => match bracket(rest, folded) {
                    Some((set, after)) => {
                        elements.push(Element::Set(set));
                        rest = after;
                    }
                    // Without its closing bracket it is an ordinary byte (RULES-GLOB-6).
                    None => elements.push(Element::Byte(b'[')),
                },
                _ if !elements.is_empty() => segments.push(Segment::Elements(std::mem::take(&mut elements))),
                _ => {}
            }
            if special.is_none() {
                return Self { segments, folded };
            }
        }
    }

    /// Whether the whole of `text` is as the pattern says.
    pub fn matches(&self, text: &[u8]) -> bool {
        self.walk(text, &mut || ())
    }

    /// How many bytes of `text` are compared to find that out, those of plain segments left out: at
    /// most pattern length × text length (RULES-GLOB-8).
    pub fn steps(&self, text: &[u8]) -> usize {
        let mut steps = 0;
        let _found = self.walk(text, &mut || steps += 1);
        steps
    }

    fn walk(&self, text: &[u8], step: &mut impl FnMut()) -> bool {
        let folded = self.folded;
        let Some((last, before)) = self.segments.split_last() else { return text.is_empty() };
        let Some((first, between)) = before.split_first() else {
            return text.len() == last.len() && last.is_at(text, folded, step);
        };
        if text.len() < first.len() + last.len() || !first.is_at(text, folded, step) {
            return false;
        }
        let end = text.len() - last.len();
        if !last.is_at(&text[end..], folded, step) {
            return false;
        }
        let mut rest = &text[first.len()..end];
        for segment in between {
            match segment.find(rest, folded, step) {
                Some(at) => rest = &rest[at + segment.len()..],
                None => return false,
            }
        }
        true
    }
}

impl Glob {
    /// The longest run of bytes that every match contains as it stands here (in lower case, if case
    /// does not count); empty if there is none.
    pub fn required(&self) -> Vec<u8> {
        let mut longest = Vec::new();
        for segment in &self.segments {
            match segment {
                Segment::Literal(finder) if finder.needle().len() > longest.len() => {
                    longest = finder.needle().to_vec();
                }
                Segment::Folded(bytes) if bytes.len() > longest.len() => longest = bytes.to_vec(),
                Segment::Literal(_) | Segment::Folded(_) => {}
                Segment::Elements(elements) => {
                    for run in elements.split(|element| !matches!(element, Element::Byte(_))) {
                        if run.len() > longest.len() {
                            let bytes = run.iter().filter_map(|element| match element {
                                Element::Byte(byte) => Some(*byte),
                                _ => None,
                            });
                            longest = bytes.collect();
                        }
                    }
                }
            }
        }
        longest
    }
}

impl Segment {
    fn plain(bytes: &[u8], folded: bool) -> Self {
        if folded {
            Self::Folded(bytes.to_ascii_lowercase().into())
        } else {
            Self::Literal(Box::new(Finder::new(bytes).into_owned()))
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Literal(finder) => finder.needle().len(),
            Self::Folded(bytes) => bytes.len(),
            Self::Elements(elements) => elements.len(),
        }
    }

    /// Whether `text` begins with this; it is not shorter.
    fn is_at(&self, text: &[u8], folded: bool, step: &mut impl FnMut()) -> bool {
        match self {
            Self::Literal(finder) => text.starts_with(finder.needle()),
            Self::Folded(bytes) => bytes.iter().zip(text).all(|(own, byte)| {
                step();
                *own == byte.to_ascii_lowercase()
            }),
            Self::Elements(elements) => elements.iter().zip(text).all(|(element, byte)| {
                step();
                element.is(fold(*byte, folded))
            }),
        }
    }

    /// The leftmost place in `text`.
    fn find(&self, text: &[u8], folded: bool, step: &mut impl FnMut()) -> Option<usize> {
        match self {
            Self::Literal(finder) => finder.find(text),
            Self::Folded(_) | Self::Elements(_) => {
                let last = text.len().checked_sub(self.len())?;
                (0..=last).find(|at| self.is_at(&text[*at..], folded, step))
            }
        }
    }
}

impl Element {
    fn is(&self, byte: u8) -> bool {
        match self {
            Self::Byte(own) => *own == byte,
            Self::Any => true,
            Self::Set(set) => contains(set, byte),
        }
    }
}

fn fold(byte: u8, folded: bool) -> u8 {
    if folded { byte.to_ascii_lowercase() } else { byte }
}

fn contains(set: &[u64; 4], byte: u8) -> bool {
    set[usize::from(byte >> 6)] >> (byte & 63) & 1 == 1
}

/// The set behind `[`, and what follows its `]`; `None` without a `]`. There are no ranges; the first
/// `]` closes, a backslash quotes the next byte (RULES-GLOB-2, -3).
fn bracket(text: &[u8], folded: bool) -> Option<(Box<[u64; 4]>, &[u8])> {
    let (negated, mut rest) = match text.split_first() {
        Some((b'!' | b'^', rest)) => (true, rest),
        _ => (false, text),
    };
    let mut set = Box::new([0u64; 4]);
    loop {
        let (&byte, after) = rest.split_first()?;
        let (byte, after) = match byte {
            b']' => {
                if negated {
                    set.iter_mut().for_each(|bits| *bits = !*bits);
                }
                return Some((set, after));
            }
            b'\\' => after.split_first().map(|(byte, after)| (*byte, after))?,
            byte => (byte, after),
        };
        let byte = fold(byte, folded);
        set[usize::from(byte >> 6)] |= 1 << (byte & 63);
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("", "", true)]
    #[case("", "a", false)]
    #[case("*", "", true)]
    #[case("a*c", "abc", true)]
    #[case("a*c", "ac", true)]
    #[case("a*c", "a", false)]
    #[case("ab*bc", "abc", false)] // the ends must not overlap
    #[case("*b*", "abc", true)]
    #[case("*bc*bc*", "abcbd", false)]
    #[case("a*?", "a", false)] // RULES-GLOB-5
    #[case("*?", "", false)]
    #[case("a?c", "abc", true)]
    #[case("[ab]x", "bx", true)]
    #[case("[!ab]x", "bx", false)]
    #[case("[^ab]x", "cx", true)]
    #[case("[a-c]", "b", false)] // no ranges
    #[case("[a-c]", "-", true)]
    #[case("[]", "a", false)]
    #[case("[!]", "a", true)]
    #[case("[!]", "", false)]
    #[case("[\\]]", "]", true)]
    #[case("[*?]", "?", true)]
    #[case("foo[abc", "foo[abc", true)] // RULES-GLOB-6
    #[case("foo[abc", "foo[", false)]
    #[case("[ab\\", "[ab\\", true)] // RULES-GLOB-7
    #[case("[a*", "[ax", true)]
    #[case("\\a", "\\a", true)] // RULES-GLOB-4
    #[case("A", "a", false)]
    fn patterns(#[case] pattern: &str, #[case] text: &str, #[case] expected: bool) {
        assert_eq!(Glob::new(pattern.as_bytes()).matches(text.as_bytes()), expected);
    }

    #[rstest]
    #[case("a@B.*", "A@b.c", true)]
    #[case("[!A]", "a", false)]
    #[case("[b]", "B", true)]
    #[case("*X*", "axb", true)]
    #[case("\u{c4}", "\u{e4}", false)] // ASCII only
    fn folded_patterns(#[case] pattern: &str, #[case] text: &str, #[case] expected: bool) {
        assert_eq!(Glob::folded(pattern.as_bytes()).matches(text.as_bytes()), expected);
    }

    #[test]
    fn many_stars_take_no_time() {
        let (pattern, text) = (b"*a".repeat(2000), vec![b'a'; 60_000]);
        let started = Instant::now();
        assert!(!Glob::new(&[&pattern[..], b"b"].concat()).matches(&text));
        assert!(!Glob::folded(&[&pattern[..], b"?b"].concat()).matches(&text));
        assert!(started.elapsed() < Duration::from_secs(2));
    }

    #[test]
    fn the_required_bytes_are_the_longest_run() {
        for (pattern, required) in [("*", ""), ("a*bcd?ef[g]", "bcd"), ("[a]", ""), ("[a", "[a"), ("", "")] {
            assert_eq!(Glob::new(pattern.as_bytes()).required(), required.as_bytes(), "{pattern}");
        }
    }

    /// The definition, without any cleverness.
    fn model(pattern: &[u8], text: &[u8]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some((b'*', rest)) => (0..=text.len()).any(|at| model(rest, &text[at..])),
            Some((b'?', rest)) => !text.is_empty() && model(rest, &text[1..]),
            Some((b'[', rest)) if bracket(rest, false).is_some() => {
                let Some((set, rest)) = bracket(rest, false) else { return false };
                text.first().is_some_and(|byte| contains(&set, *byte)) && model(rest, &text[1..])
            }
            Some((byte, rest)) => text.first() == Some(byte) && model(rest, &text[1..]),
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(pattern in "[abAB*?\\[\\]!^.\\\\-]{0,9}", text in "[abAB\\[\\].-]{0,8}") {
            let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
            prop_assert_eq!(Glob::new(pattern).matches(text), model(pattern, text));
            let (low_pattern, low_text) = (pattern.to_ascii_lowercase(), text.to_ascii_lowercase());
            prop_assert_eq!(Glob::folded(pattern).matches(text), model(&low_pattern, &low_text));
        }
    }
}

use proptest::prelude::*;
use rstest::rstest;

use super::*;

fn scan(file: &[u8], message: &[u8]) -> Option<BString> {
    let patterns = Patterns::parse(file, DEFAULT_RESPONSE.as_bytes(), DEFAULT_LINE_MAX);
    let mut scan = Scan::default();
    scan.push(&patterns, message).or_else(|| scan.finish(&patterns)).cloned()
}

#[rstest]
#[case(b"/*word*", b"a\nwords\n", true)]
#[case(b"/word", b"words\n", false)] // the whole line
#[case(b"foo", b"oo\n", true)] // PAT-LINE-1
#[case(b"#foo", b"oo\n", false)]
#[case(b"/", b"\n\n", false)] // PAT-LINE-2
#[case(b"/*", b"\n", false)] // PAT-MATCH-4
#[case(b"/*", b" \n", true)]
#[case(b":X*", b"X\n", true)]
#[case(b":X*", b"\nX\n", false)]
#[case(b"\\X*", b"X\n", false)]
#[case(b"\\X*", b"\nX\n", true)]
#[case(b"\\X*", b"a\n\n\nX\n", true)]
#[case(b"\\X*", b"a\n\nb\nX\n", false)]
#[case(b"\\X*", b"a\n\nb\n\nX\n", true)]
#[case(b"/*end", b"no\nthe end", true)] // PAT-MODE-3
#[case(b"/word  \r\n", b"word\n", true)] // PAT-FILE-4
#[case(b"/a?c\n", b"abc\n", true)]
#[case(b"/??\n", b"ab\n", true)] // requires no byte
#[case(b"/W\n", b"w\n", false)]
fn what_matches(#[case] file: &[u8], #[case] message: &[u8], #[case] expected: bool) {
    assert_eq!(scan(file, message).is_some(), expected);
}

#[test]
fn the_first_line_and_then_the_first_pattern_decides() {
    let file = b"=one\n/*b*\n=\n/*a*\n=three\0cut\n/*c*\n";
    assert_eq!(scan(file, b"xa\nb\n"), Some("".into()));
    assert_eq!(scan(file, b"cab\n"), Some("one".into()));
    assert_eq!(scan(file, b"c\n"), Some("three".into()));
    assert_eq!(scan(b"/x", b"x\n"), Some(DEFAULT_RESPONSE.into()));
}

#[test]
fn only_the_beginning_of_a_line_is_compared() {
    let line = |n| [&b"x".repeat(n)[..], b"END\n"].concat();
    assert_eq!(scan(b"/*END", &line(253)), Some(DEFAULT_RESPONSE.into()));
    assert_eq!(scan(b"/*END", &line(254)), None);
    assert_eq!(scan(&[b"/", &b"x".repeat(256)[..]].concat(), &line(297)), Some(DEFAULT_RESPONSE.into()));
}

#[test]
fn an_undocumented_control_byte_is_a_doubt() {
    let found: Vec<Doubt> = doubts(b"# a\n/b\n\nword\n:x\n").collect();
    assert_eq!(found, [Doubt { line: 4, byte: b'w' }]);
}

proptest! {
    #[test]
    fn cuts_and_the_search_for_required_bytes_change_nothing(
        file in "([/:\\\\=][ab*?\\[\\]]{0,4}\n){0,6}",
        message in "([ab]{0,4}\n){0,8}[ab]{0,3}",
        cut in 0usize..40,
    ) {
        let (file, message) = (file.as_bytes(), message.as_bytes());
        let patterns = Patterns::parse(file, b"default", 3);
        let (head, tail) = message.split_at(cut.min(message.len()));
        let mut scan = Scan::default();
        let cut_up = scan.push(&patterns, head).or_else(|| scan.push(&patterns, tail));
        let cut_up = cut_up.or_else(|| scan.finish(&patterns)).cloned();
        prop_assert_eq!(cut_up, model(file, message, 3));
    }
}

/// The clauses, one after the other.
fn model(file: &[u8], message: &[u8], line_max: usize) -> Option<BString> {
    let mut state = State::Header;
    for line in message.split_str("\n") {
        if line.is_empty() {
            state = State::AfterBlank;
            continue;
        }
        let mut response = BString::from("default");
        for (_, control, text) in lines(file) {
            let tried = match control {
                b'=' => {
                    response = text.into();
                    false
                }
                b':' => state == State::Header,
                b'\\' => state == State::AfterBlank,
                _ => true,
            };
            if tried && Glob::new(text).matches(&line[..line.len().min(line_max)]) {
                return Some(response);
            }
        }
        if state == State::AfterBlank {
            state = State::Body;
        }
    }
    None
}

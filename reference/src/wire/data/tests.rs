use bstr::ByteSlice;

use super::{Outcome::*, *};

/// What a decoder made of one input: outcome, bytes consumed, bytes stored, doomed or not.
type Result = (Outcome, usize, Vec<u8>, bool);

const FRAMINGS: [Framing; 3] = [Framing::Crlf, Framing::Lf, Framing::Dangerous];

/// Feeds the pieces of `input` that end where `is_cut` says.
fn decode(framing: Framing, input: &[u8], is_cut: impl Fn(usize) -> bool) -> Result {
    let mut decoder = Decoder::new(framing);
    let (mut out, mut consumed, mut start) = (Vec::new(), 0, 0);
    for end in 1..=input.len() {
        if end < input.len() && !is_cut(end) {
            continue;
        }
        let step = decoder.push(&input[start..end], &mut out);
        consumed += step.consumed;
        if step.outcome != GoesOn {
            let after = decoder.push(b"more", &mut out);
            assert_eq!(after, Step { consumed: 0, outcome: step.outcome }, "the message is over");
            return (step.outcome, consumed, out, decoder.doomed());
        }
        assert_eq!(step.consumed, end - start, "a message that goes on takes everything");
        start = end;
    }
    (GoesOn, consumed, out, decoder.doomed())
}

/// Decodes a short input in every possible way to cut it, which must not differ.
fn decode_all_ways(framing: Framing, input: &[u8]) -> Result {
    let whole = decode(framing, input, |_| false);
    for cuts in 1..1u32 << input.len().saturating_sub(1) {
        let found = decode(framing, input, |end| cuts >> (end - 1) & 1 == 1);
        assert_eq!(found, whole, "{framing:?} {:?} cut at {cuts:b}", input.as_bstr());
    }
    whole
}

/// What may stand behind the dot in the matrix of SMTP-DATA-15.
const POSTS: [&[u8]; 11] =
    [b"\r\n", b"\n", b"\rx", b"\r\r\n", b"x", b"\n\r", b"\r\rx", b"\0", b"\r\0\n", b" \r\n", b".\r\n"];

/// The matrix: what stands before the dot; then for each of [`POSTS`] what the old programs do and,
/// after the slash, what CRLF mode does. `E` ends the data, `-` goes on, `!` is ambiguous.
const MATRIX: &[(&[u8], &str)] = &[
    (b"foo\r\n", "E/E E/! -/! -/! -/- E/! -/! -/- -/! -/- -/-"),
    (b"foo\n", "E/! E/! -/! -/! -/- E/! -/! -/- -/! -/- -/-"),
    (b"foo\r\r\n", "E/E E/! -/! -/! -/- E/! -/! -/- -/! -/- -/-"),
    (b"foo\n\r", "-/! E/! -/! -/! -/- E/! -/! -/- -/! -/- -/-"),
    (b"foo\r\n\r", "-/! E/! -/! -/! -/- E/! -/! -/- -/! -/- -/-"),
    (b"foo\r", "-/! -/! -/! -/! -/- -/! -/! -/- -/! -/- -/-"),
    (b"foo\r\r", "-/! -/! -/! -/! -/- -/! -/! -/- -/! -/- -/-"),
    (b"foo", "-/- -/- -/- -/- -/- -/- -/- -/- -/- -/- -/-"),
    (b"foo\r\n ", "-/- -/- -/- -/- -/- -/- -/- -/- -/- -/- -/-"),
    (b"foo\0", "-/- -/- -/- -/- -/- -/- -/- -/- -/- -/- -/-"),
    (b"", "E/E E/! -/! -/! -/- E/! -/! -/- -/! -/- -/-"),
    (b"\r", "-/! E/! -/! -/! -/- E/! -/! -/- -/! -/- -/-"),
];

/// The rows whose dot stands at a line start of LF mode, where LF and LFCR behind it end the data.
const LF_LINE_STARTS: [&[u8]; 4] = [b"foo\r\n", b"foo\n", b"foo\r\r\n", b""];

fn cells() -> impl Iterator<Item = (&'static [u8], &'static [u8], &'static str)> {
    MATRIX.iter().flat_map(|&(pre, row)| {
        let cells: Vec<_> = row.split(' ').collect();
        assert_eq!(cells.len(), POSTS.len());
        POSTS.into_iter().zip(cells).map(move |(post, cell)| (pre, post, cell))
    })
}

#[test]
fn every_cell_of_the_matrix_ends_goes_on_or_is_ambiguous() {
    let outcome = |sign| match sign {
        "E" => End,
        "-" => GoesOn,
        "!" => Ambiguous,
        _ => panic!("no sign: {sign}"),
    };
    for (pre, post, cell) in cells() {
        let input = [pre, b".", post].concat();
        let (legacy, crlf) = cell.split_once('/').unwrap();
        let ends_in_lf_mode = LF_LINE_STARTS.contains(&pre) && post.starts_with(b"\n");
        let lf = if ends_in_lf_mode { End } else { GoesOn };
        let expected = [outcome(crlf), lf, outcome(legacy)];
        assert_eq!(
            FRAMINGS.map(|framing| decode_all_ways(framing, &input).0),
            expected,
            "{:?}",
            input.as_bstr()
        );
    }
}

#[test]
fn what_follows_the_end_mark_is_not_consumed() {
    for (framing, mark) in FRAMINGS.into_iter().zip([&b".\r\n"[..], b".\n", b".\n"]) {
        let input = [mark, b"QUIT\r\n"].concat();
        assert_eq!(decode_all_ways(framing, &input), (End, mark.len(), Vec::new(), false));
    }
}

/// Input before a final CRLF dot CRLF, and what is stored of both.
const STORED: &[(&[u8], &[u8])] = &[
    (b"\r\n", b"\n\n"),
    (b".a\r\n", b"a\n\n"),
    (b"..\r\n", b".\n\n"),
    (b"...\r\n", b"..\n\n"),
    (b"..a\r\n", b".a\n\n"),
    (b"a..b\r\n", b"a..b\n\n"),
    (b"\0\r\n", b"\0\n\n"),
    (b"a\0b\r\n", b"a\0b\n\n"),
    (b"\xff\xfe\x80\r\n", b"\xff\xfe\x80\n\n"),
    (b". \r\n", b"\x20\n\n"),
    (b".\t\r\n", b"\t\n\n"),
    (b"\x1a\r\n", b"\x1a\n\n"),
];

/// The same with a bare CR or LF: stored by the old programs, and how CRLF mode ends.
const REFUSED: &[(&[u8], &[u8], Outcome)] = &[
    (b"a\rb\r\n", b"a\rb\n\n", End),
    (b"a\r\rb\r\n", b"a\r\rb\n\n", End),
    (b"a\r\r\n", b"a\r\n\n", End),
    (b"a\r\r\r\n", b"a\r\r\n\n", End),
    (b"\r\r\n", b"\r\n\n", End),
    (b"\n", b"\n\n", End),
    (b"a\r", b"a\r\n", End),
    (b"a\n\rb\r\n", b"a\n\rb\n\n", End),
    (b".\rX\r\n", b"\rX\n\n", Ambiguous),
    (b".\r.\r\n", b"\r.\n\n", Ambiguous),
    (b"\r.X\r\n", b"\rX\n\n", End),
    (b"\r..\r\n", b"\r.\n\n", End),
    (b"\r.\r.\r\n", b"\r\r.\n\n", Ambiguous),
    (b"a\r\n\r.b\r\n", b"a\n\rb\n\n", End),
    (b"a\n..\n", b"a\n.\n\n", End),
    (b"a\n.b\n", b"a\nb\n\n", End),
];

#[test]
fn every_row_without_bare_cr_or_lf_is_stored_as_the_sheet_says() {
    for &(input, stored) in STORED {
        let input = [input, b"\r\n.\r\n"].concat();
        for framing in [Framing::Crlf, Framing::Dangerous] {
            let found = decode_all_ways(framing, &input);
            assert_eq!(found, (End, input.len(), stored.to_vec(), false), "{:?}", input.as_bstr());
        }
    }
}

#[test]
fn every_row_with_bare_cr_or_lf_is_refused_or_stored_as_before() {
    for &(input, stored, outcome) in REFUSED {
        let input = [input, b"\r\n.\r\n"].concat();
        let (found, _, _, is_doomed) = decode_all_ways(Framing::Crlf, &input);
        assert_eq!((found, is_doomed), (outcome, true), "{:?}", input.as_bstr());
        let found = decode_all_ways(Framing::Dangerous, &input);
        assert_eq!(found, (End, input.len(), stored.to_vec(), false), "{:?}", input.as_bstr());
    }
}

#[test]
fn lf_mode_stores_cr_and_takes_one_dot() {
    for (input, stored) in [
        (&b"hi\n..x\n.\n"[..], &b"hi\n.x\n"[..]),
        (b"a\r\n.\r\n.\n", b"a\r\n\r\n"),
        (b"\r.\n\r\r\n\n.\n", b"\r.\n\r\r\n\n"),
        (b"...\n.\0\n.\n", b"..\n\0\n"),
    ] {
        assert_eq!(decode_all_ways(Framing::Lf, input), (End, input.len(), stored.to_vec(), false));
    }
}

#[test]
fn a_doomed_message_stores_what_came_before_and_ends_at_its_true_end() {
    let input = b"one\r\ntwo\nthree\r\n..\r\n.\r\n";
    assert_eq!(decode(Framing::Crlf, input, |_| false), (End, input.len(), b"one\ntwo".to_vec(), true));
    assert_eq!(decode_all_ways(Framing::Crlf, b"a\rb\n\r\n.\r\n"), (End, 9, b"a".to_vec(), true));
}

#[test]
fn an_unfinished_end_mark_is_no_end() {
    for (framing, input) in
        [(Framing::Crlf, &b"a\r\n.\r"[..]), (Framing::Lf, b"a\n.\r"), (Framing::Dangerous, b"a\r\n.\r")]
    {
        assert_eq!(decode_all_ways(framing, input).0, GoesOn);
    }
}

/// CRLF mode in the words of SMTP-DATA-14, over the whole of an input that has an end.
fn model(input: &[u8]) -> Result {
    let has_end_before = |at: usize| at == 0 || matches!(input[at - 1], b'\r' | b'\n');
    let has_end_behind = |at: usize| matches!(input[at + 1], b'\r' | b'\n');
    let dot =
        (0..input.len()).find(|&at| input[at] == b'.' && has_end_before(at) && has_end_behind(at)).unwrap();
    let (before, behind) = input.split_at(dot);
    let is_true_end = (dot == 0 || before.ends_with(b"\r\n")) && behind.starts_with(b".\r\n");
    let bare = before.replace("\r\n", "\0").find_byteset("\r\n").is_some();
    let lines = before.split_str("\r\n").map(|line| line.strip_prefix(b".").unwrap_or(line));
    let stored = bstr::join("\n", lines);
    let outcome = if is_true_end { End } else { Ambiguous };
    (outcome, dot + 3, stored, bare || !is_true_end)
}

#[test]
fn crlf_mode_is_what_the_clause_says_for_every_short_input() {
    let mut inputs = vec![Vec::new()];
    for length in 0..6 {
        for input in inputs.clone().into_iter().filter(|input: &Vec<u8>| input.len() == length) {
            inputs.extend(b"\r\n.x".iter().map(|byte| [&input[..], &[*byte]].concat()));
        }
    }
    for input in inputs {
        let input = [&input[..], b"\r\n.\r\n"].concat();
        let (outcome, consumed, stored, is_doomed) = model(&input);
        for chunk in [1, 2, 3, input.len()] {
            let found = decode(Framing::Crlf, &input, |end| end % chunk == 0);
            assert_eq!((found.0, found.3), (outcome, is_doomed), "{:?}", input.as_bstr());
            if !is_doomed {
                assert_eq!((found.1, &found.2), (consumed, &stored), "{:?}", input.as_bstr());
            }
        }
    }
}

#[test]
fn long_text_is_the_same_in_pieces_of_any_size() {
    let line: Vec<u8> = (0..=255).filter(|byte| !b"\r\n".contains(byte)).collect();
    let text = [&line[..], b"\n", b"\n", b"...\n", &line.repeat(40), b"\n.\n"].concat();
    let crlf = text.replace("\n", "\r\n");
    let stored = [&line[..], b"\n\n..\n", &line.repeat(40), b"\n"].concat();
    for (framing, input) in FRAMINGS.into_iter().zip([&crlf, &text, &crlf]) {
        for chunk in (1..300).chain([4095, 4096, 4097, 65_536]) {
            let found = decode(framing, input, |end| end % chunk == 0);
            assert_eq!(found, (End, input.len(), stored.clone(), false), "{framing:?} by {chunk}");
        }
    }
}

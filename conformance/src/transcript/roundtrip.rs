//! `parse(print(case)) = case`, for cases made up at random.

use std::time::Duration;

use proptest::{collection::vec, option, prelude::*};

use super::{
    front::{Front, Reach},
    model::{Act, Case, Choice, Content, Exit, Expectation, Fact, Item, Level, Step, Told},
    netstring::{End, Length, Netstring},
    parse, print,
    service::{Kind, Service},
    text::{Part, Pattern, Piece, Tail, Text, merged},
    tls::{Handshake, Verify, Version},
};

/// Any bytes, those with a meaning in the notation more often.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let special = prop::sample::select(b"\\$\"{}~ |:<>-#/\t\r\n\0\x7f\xff+".to_vec());
    vec(prop_oneof![special, any::<u8>(), b'a'..=b'z'], 1..12)
}

fn piece() -> impl Strategy<Value = Piece> {
    let flat = prop_oneof![
        4 => bytes().prop_map(Piece::Bytes),
        1 => "[A-Z]{1,5}|#".prop_map(Piece::Variable),
        1 => (bytes(), 0..4000usize).prop_map(|(unit, count)| Piece::Repeat(unit, count)),
    ];
    flat.prop_recursive(3, 8, 3, |inner| netstring(inner).prop_map(Piece::Netstring))
}

fn netstring(inner: impl Strategy<Value = Piece>) -> impl Strategy<Value = Netstring> {
    let written = prop_oneof![Just(Vec::new()), bytes()].prop_map(Length::Written);
    let length = prop_oneof![2 => Just(Length::Right), 1 => any::<i64>().prop_map(Length::Off), 1 => written];
    let end =
        prop_oneof![2 => Just(End::Comma), 1 => Just(End::Missing), 1 => any::<u8>().prop_map(End::Byte)];
    (length, vec(inner, 0..3), end).prop_map(|(length, content, end)| Netstring {
        length,
        content: merged(content),
        end,
    })
}

fn text() -> impl Strategy<Value = Text> {
    vec(piece(), 0..4).prop_map(|pieces| Text(merged(pieces)))
}

fn part() -> impl Strategy<Value = Part> {
    let source = prop::sample::select(vec!["[0-9]+", ".*", "a|b", "\\x00", "(x)?", "~", "[$][{]", " "]);
    prop_oneof![
        4 => piece().prop_map(Part::Text),
        1 => (option::of("[A-Z_][A-Z0-9_]{0,4}"), source)
            .prop_map(|(name, source)| Part::Regex { name, source: source.into() }),
    ]
}

fn pattern() -> impl Strategy<Value = Pattern> {
    let tail = prop_oneof![Just(Tail::Exact), Just(Tail::Any), text().prop_map(Tail::Wording)];
    (vec(part(), 0..4), tail).prop_map(|(parts, tail)| {
        let mut out: Vec<Part> = Vec::new();
        for part in parts {
            match (out.last_mut(), part) {
                (Some(Part::Text(Piece::Bytes(before))), Part::Text(Piece::Bytes(more))) => {
                    before.extend(more);
                }
                (_, part) => out.push(part),
            }
        }
        Pattern { parts: out, tail }
    })
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        handshake().prop_map(Act::Tls),
        text().prop_map(Act::Beneath),
        text().prop_map(Act::Send),
        text().prop_map(Act::SendRaw),
        pattern().prop_map(Act::Line),
        pattern().prop_map(Act::Raw),
        pattern().prop_map(Act::Reply),
        pattern().prop_map(Act::Unordered),
        pattern().prop_map(Act::Netstring),
        ("[a-z-]{1,6}", choice()).prop_map(|(name, choice)| Act::Alternative(name, choice)),
        prop::sample::select(vec![
            Act::Eof,
            Act::Silence,
            Act::Boundary,
            Act::HalfClose,
            Act::StopReading,
            Act::Abort,
            Act::PauseReading,
            Act::ResumeReading,
            Act::Signal("TERM".into()),
            Act::TlsClose,
            Act::Truncate,
            Act::Do("copy a b".into()),
            Act::Wait(Duration::from_millis(400)),
        ]),
    ]
}

fn choice() -> impl Strategy<Value = Choice> {
    prop_oneof![pattern().prop_map(Choice::Line), pattern().prop_map(Choice::Netstring), Just(Choice::Eof)]
}

fn content() -> impl Strategy<Value = Option<Vec<Content>>> {
    option::of(vec(content_line(), 1..4))
}

fn content_line() -> impl Strategy<Value = Content> {
    (pattern(), any::<bool>()).prop_map(|(text, newline)| Content { text, newline })
}

fn told() -> impl Strategy<Value = Told> {
    prop_oneof![
        Just(Told::Absent),
        Just(Told::Value(Pattern::plain("absent"))),
        pattern().prop_map(Told::Value),
        vec(content_line(), 1..3).prop_map(Told::Content),
    ]
}

fn handshake() -> impl Strategy<Value = Handshake> {
    let version = || prop::sample::select(vec![None, Some(Version::Tls12), Some(Version::Tls13)]);
    let verify = prop::sample::select(vec![Verify::None, Verify::Chain, Verify::Name]);
    let name = prop::sample::select(vec!["a", "mx.example.com", "xn--a-b.example"]);
    let words = (
        option::of(name),
        version(),
        version(),
        verify,
        any::<bool>(),
        option::of(option::of("[a-z_]{1,9}")),
    );
    words.prop_map(|(name, min, max, verify, certificate, fails)| Handshake {
        name: name.map(String::from).or((verify == Verify::Name).then(|| "b".into())),
        min,
        max: max.max(min).filter(|_| max.is_some()),
        verify,
        certificate,
        fails,
    })
}

fn fact() -> impl Strategy<Value = Fact> {
    prop_oneof![
        (0..256).prop_map(|status| Fact::Exit(Exit::Status(status))),
        (1..64).prop_map(|signal| Fact::Exit(Exit::Signal(signal))),
        pattern().prop_map(Fact::Log),
        pattern().prop_map(Fact::LogHas),
        text().prop_map(Fact::LogLacks),
        pattern().prop_map(Fact::Stderr),
        Just(Fact::QueuedNone),
        (text(), vec(text(), 1..4), content()).prop_map(|(from, to, content)| Fact::Queued {
            from,
            to,
            content
        }),
        Just(Fact::CloseNotify),
        text().prop_map(Fact::FileAbsent),
        (text(), content()).prop_map(|(path, content)| Fact::File(path, content)),
        (text(), 0..0o10000u32).prop_map(|(path, mode)| Fact::Mode(path, mode)),
        (text(), vec(pattern().prop_filter("a name", |name| *name != Pattern::plain("")), 0..3))
            .prop_map(|(path, names)| Fact::Folder(path, names)),
        ("[a-z-]{1,5}", option::of(1..9usize), "[a-z][a-zA-Z_0-9]{0,4}( [A-Z_0-9]{1,4})?", told())
            .prop_map(|(name, call, what, told)| Fact::Service { name, call, what, told }),
        (0..5000u64).prop_map(|megabytes| Fact::Memory(megabytes << 20)),
        (0..5000u64).prop_map(Fact::Time),
    ]
}

fn step() -> impl Strategy<Value = Item> {
    (option::of("[a-z-]{1,6}"), any::<bool>(), act())
        .prop_map(|(only_if, should, act)| Item::Step(Step { line: 0, only_if, should, act }))
}

fn remark() -> impl Strategy<Value = Item> {
    "|  |# [ -~]{0,9}".prop_map(Item::Remark)
}

fn item() -> impl Strategy<Value = Item> {
    let expectation = (option::of("[a-z-]{1,6}"), any::<bool>(), fact())
        .prop_map(|(only_if, should, fact)| Item::Expect(Expectation { line: 0, only_if, should, fact }));
    let repeat = (0..1000usize, vec(prop_oneof![step(), remark()], 0..3))
        .prop_map(|(count, body)| Item::Repeat { line: 0, count, body });
    prop_oneof![4 => step(), 3 => expectation, 1 => repeat, 1 => remark()]
}

fn word() -> impl Strategy<Value = String> {
    let nasty = ["", "+++", "a\n+++\nb", "'''", "\"\"\"", "\u{1b}\0\u{202e}", " ", "a: b", "[x]", "\\"];
    prop_oneof![prop::sample::select(nasty.to_vec()).prop_map(String::from), any::<String>()]
}

fn service() -> impl Strategy<Value = Service> {
    let scripts =
        ["", "C: a\nS: b\n", "next\n  read all\n# x\nnever", "cvm 0 user=a\\x20b 9=${\"a b\" * 3}\n"];
    let kind = prop::sample::select(vec![Kind::Tcp, Kind::Udp, Kind::Unix, Kind::Command]);
    (kind, prop::sample::select(scripts.to_vec()))
        .prop_map(|(kind, script)| Service { kind, script: script.into() })
}

fn front() -> impl Strategy<Value = Front> {
    let table = || prop::collection::btree_map(word(), word(), 0..3);
    let list = || vec(word(), 0..3);
    let level = prop::sample::select(vec![Level::Must, Level::Should, Level::May]);
    let reach = prop::sample::select(vec![None, Some(Reach::Reachable), Some(Reach::Robustness)]);
    let texts = (word(), list(), word(), word(), option::of(word()), option::of(word()), option::of(word()));
    let lists = (list(), list(), list(), list(), table(), table(), table(), table());
    let others = (option::of(table()), prop::collection::btree_map("[a-z-]{1,6}", service(), 0..2));
    (texts, level, reach, lists, others).prop_map(|(texts, level, reach, lists, (maildir, services))| {
        let (title, clauses, run, recorded, twin, note, custody) = texts;
        let (needs, unset, modules, setup, only, skip, env, files) = lists;
        Front {
            title,
            clauses,
            level,
            run,
            recorded,
            reach,
            twin,
            needs,
            note,
            custody,
            unset,
            modules,
            setup,
            only,
            skip,
            env,
            files,
            maildir,
            services,
        }
    })
}

/// The lines and the source belong to the file, not to the case.
fn bare(case: Case) -> Case {
    let body = case.body.into_iter().map(bare_item).collect();
    Case { source: String::new(), body, ..case }
}

fn bare_item(item: Item) -> Item {
    match item {
        Item::Step(step) => Item::Step(Step { line: 0, ..step }),
        Item::Expect(expectation) => Item::Expect(Expectation { line: 0, ..expectation }),
        Item::Repeat { count, body, .. } => {
            Item::Repeat { line: 0, count, body: body.into_iter().map(bare_item).collect() }
        }
        remark @ Item::Remark(_) => remark,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_printed_case_is_read_back(front in front(), body in vec(item(), 0..8)) {
        let case = Case { id: "a/b".into(), front, body, ..Case::default() };
        let printed = print(&case);
        let back = parse("a/b", &printed).map_err(|e| TestCaseError::fail(format!("{e}\n{printed}")))?;
        prop_assert_eq!(bare(back), case, "\n{}", printed);
    }

    #[test]
    fn any_text_is_a_case_or_an_error_with_its_place(source in "(\\+\\+\\+\n)?[ -~\n]{0,80}(\n\\+\\+\\+\n)?[SC\\[\\]|:~${}\"* \na-z0-9\\\\]{0,80}") {
        if let Err(error) = parse("x", &source) {
            prop_assert!(error.line >= 1 && error.line <= source.lines().count().max(1));
        }
    }
}

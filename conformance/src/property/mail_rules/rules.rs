//! Rules files and addresses made up at random.

use proptest::{
    collection::vec,
    option,
    prelude::{Just, any},
    sample::select,
    strategy::{BoxedStrategy, Strategy, Union},
};

/// What a file may be made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Words {
    /// All there is.
    All,
    /// What versions before 2.15 have, too: no `&`, no `K`.
    Plain,
}

/// A rules file, the lists it names, and what clients ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// The lines of the file.
    pub lines: Vec<Line>,
    /// The entries of the list `list`, which is a CDB, too.
    pub entries: Vec<&'static str>,
    /// Whether a plugin behind the rules refuses every sender it sees.
    pub rejects: bool,
    /// Senders, each with recipients.
    pub mails: Vec<(&'static str, Vec<&'static str>)>,
}

/// A line of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// `:sender`, else `:recipient`.
    Selector(bool),
    /// A line that is no rule.
    Ignored(&'static str),
    /// A rule.
    Rule(Rule),
}

/// A rule whose text tells which one it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// One of `kKdznp&`.
    pub code: char,
    /// The sender's pattern.
    pub sender: Pattern,
    /// The recipient's; an empty field is the empty glob.
    pub recipient: Option<Pattern>,
    /// Appended to recipients.
    pub suffix: &'static str,
    /// Whether it sets RELAYCLIENT, which a plugin behind appends to recipients.
    pub relays: bool,
}

/// A pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    /// How many `!` stand in front.
    pub bangs: usize,
    /// What matches.
    pub test: Test,
}

/// What a pattern is without its `!`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Test {
    /// A glob.
    Glob(&'static str),
    /// `[[FILE]]`
    Whole(&'static str),
    /// `[[@FILE]]`
    Domain(&'static str),
}

const GLOBS: &[&str] =
    &["*", "", "a@x", "*@x", "A*", "?@*", "*@*@*", "[ab]@y", "[!a]*", "b", "*.x", "**", "?*@x"];
const ADDRESSES: &[&str] = &["a@x", "b@x", "A@Y", "b@y", "c@s.x", "b", "a@b@x", "c@X"];
const ENTRIES: &[&str] = &["a@x", "@x", "@y", "x", "b", "s.x", "c@s.x"];
const IGNORED: &[&str] = &["# k*:*:comment", "", "  ", "Dx:*:x", "\tx", "x"];
/// The two lists: one file as text, one as CDB. Names are longer than a glob of that form may be.
pub(super) const LISTS: &[&str] = &["list", "list.cdb"];

const LINES_MAX: usize = 8;
const ENTRIES_MAX: usize = 4;
const MAILS_MAX: usize = 5;
const RECIPIENTS_MAX: usize = 4;

impl Input {
    /// Inputs made up at random.
    pub fn strategy(words: Words) -> BoxedStrategy<Self> {
        let sender = Union::new_weighted(vec![(1, Just("").boxed()), (8, select(ADDRESSES).boxed())]);
        let mails = vec((sender, vec(select(ADDRESSES), 0..=RECIPIENTS_MAX)), 1..=MAILS_MAX);
        let parts =
            (vec(line(words), 1..=LINES_MAX), vec(select(ENTRIES), 0..=ENTRIES_MAX), any::<bool>(), mails);
        parts.prop_map(|(lines, entries, rejects, mails)| Self { lines, entries, rejects, mails }).boxed()
    }
}

fn line(words: Words) -> BoxedStrategy<Line> {
    Union::new_weighted(vec![
        (8, rule(words).prop_map(Line::Rule).boxed()),
        (2, any::<bool>().prop_map(Line::Selector).boxed()),
        (1, select(IGNORED).prop_map(Line::Ignored).boxed()),
    ])
    .boxed()
}

fn rule(words: Words) -> impl Strategy<Value = Rule> {
    let codes: &'static [char] = match words {
        Words::All => &['d', 'k', 'z', 'n', 'n', 'p', '&', '&', '&', 'K'],
        Words::Plain => &['d', 'k', 'z', 'n', 'n', 'p'],
    };
    let suffix = Union::new_weighted(vec![(2, Just("").boxed()), (1, select(&["-s", "@t"][..]).boxed())]);
    (select(codes), pattern(), option::weighted(0.8, pattern()), suffix, any::<bool>()).prop_map(
        |(code, sender, recipient, suffix, relays)| Rule { code, sender, recipient, suffix, relays },
    )
}

fn pattern() -> impl Strategy<Value = Pattern> {
    let test = Union::new_weighted(vec![
        (6, select(GLOBS).prop_map(Test::Glob).boxed()),
        (2, select(LISTS).prop_map(Test::Whole).boxed()),
        (2, select(LISTS).prop_map(Test::Domain).boxed()),
    ]);
    let bangs = Union::new_weighted(vec![(6, Just(0).boxed()), (2, Just(1).boxed()), (1, Just(2).boxed())]);
    (bangs, test).prop_map(|(bangs, test)| Pattern { bangs, test })
}

//! Maildirs and sessions made up at random.

use proptest::{
    collection::vec,
    prelude::{Just, any},
    prop_oneof,
    sample::{select, subsequence},
    strategy::{BoxedStrategy, Strategy},
};

/// A maildir, and what a client does with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// Its messages, their names all different.
    pub messages: Vec<Message>,
    /// What the client asks for.
    pub commands: Vec<Command>,
    /// Whether it says QUIT at the end.
    pub quits: bool,
    /// Whether `$POP3_EXACT` is set.
    pub is_exact: bool,
}

/// Where a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Folder {
    /// `cur`
    Cur,
    /// `new`
    New,
}

/// A file of the maildir.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its folder.
    pub folder: Folder,
    /// Its name.
    pub name: String,
    /// Its content.
    pub content: String,
}

/// A command of the client. Numbers are as it sends them, from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// STAT
    Stat,
    /// LIST, of all or of one
    List(Option<u64>),
    /// UIDL, of all or of one
    Uidl(Option<u64>),
    /// LAST
    Last,
    /// NOOP
    Noop,
    /// RETR
    Retr(u64),
    /// TOP with a number of lines
    Top(u64, u64),
    /// DELE
    Dele(u64),
    /// RSET
    Rset,
    /// QUIT with an argument, which is no QUIT
    QuitWithArgument,
}

impl Message {
    /// Its place below the maildir.
    pub fn path(&self) -> String {
        let folder = if self.folder == Folder::Cur { "cur" } else { "new" };
        format!("{folder}/{}", self.name)
    }
}

impl Command {
    /// The line that the client sends.
    pub fn line(&self) -> String {
        match self {
            Self::Stat => "STAT".into(),
            Self::List(None) => "LIST".into(),
            Self::List(Some(number)) => format!("LIST {number}"),
            Self::Uidl(None) => "UIDL".into(),
            Self::Uidl(Some(number)) => format!("UIDL {number}"),
            Self::Last => "LAST".into(),
            Self::Noop => "NOOP".into(),
            Self::Retr(number) => format!("RETR {number}"),
            Self::Top(number, lines) => format!("TOP {number} {lines}"),
            Self::Dele(number) => format!("DELE {number}"),
            Self::Rset => "RSET".into(),
            Self::QuitWithArgument => "QUIT now".into(),
        }
    }
}

/// Beginnings of names, no two of them equal in number, so that their order is certain (MAILDIR-SORT-4).
const BEGINNINGS: &[&str] =
    &["+5", "-1.x", "0.a", "02.b", "3", "9.d", "010.e", "11,x.f", "100.g", "2147483647.h", "Z.i", "a", "b.k"];

/// What may stand behind them: sizes and what looks like one.
const SIZES: &[&str] = &["", "", "", ",S=7", ",S=4,W=5", ",W=0,S=3", ",S=0", ",X=1", ",s=9", ",,S=9"];

/// Flags and what looks like flags.
const FLAGS: &[&str] = &["", "", ":2,", ":2,S", ":2,F", ":2,FX", ":2,RS", ":1,S", ":", ":x:2,S"];

/// Pieces of messages; those behind the first ten are of CRLF.
const PIECES: &[&str] = &[
    "\n",
    "\n",
    "\n\n",
    "a",
    "text of a line\n",
    ".",
    "..",
    ".\n",
    "\u{e9}",
    "\0",
    "\r\n",
    "\r",
    "\r\n\r\n",
];

/// Those without CR.
const PIECES_WITHOUT_CR: usize = 10;

/// Most commands of a session.
const COMMANDS_MAX: usize = 16;

/// Inputs made up at random. Without `everything` there is no CR in a message and no `$POP3_EXACT`, of
/// which mailfront 2.12 has its own idea (MAILDIR-DATA-4, -8).
pub fn inputs(everything: bool) -> BoxedStrategy<Input> {
    let pieces = if everything { PIECES } else { &PIECES[..PIECES_WITHOUT_CR] };
    let exact = if everything { any::<bool>().boxed() } else { Just(false).boxed() };
    let names = subsequence(BEGINNINGS, 0..=BEGINNINGS.len());
    let messages = names
        .prop_flat_map(move |names| names.into_iter().map(|name| message(name, pieces)).collect::<Vec<_>>());
    let session = messages.prop_flat_map(|messages| {
        let most = u64::try_from(messages.len()).unwrap_or(0) + 2;
        (Just(messages), vec(command(most), 0..COMMANDS_MAX))
    });
    (session, any::<bool>(), exact)
        .prop_map(|((messages, commands), quits, is_exact)| Input { messages, commands, quits, is_exact })
        .boxed()
}

fn message(beginning: &'static str, pieces: &'static [&'static str]) -> impl Strategy<Value = Message> {
    let folder = prop_oneof![Just(Folder::Cur), Just(Folder::New)];
    (folder, select(SIZES), select(FLAGS), vec(select(pieces), 0..12)).prop_map(
        move |(folder, size, flags, pieces)| Message {
            folder,
            name: format!("{beginning}{size}{flags}"),
            content: pieces.concat(),
        },
    )
}

fn command(most: u64) -> impl Strategy<Value = Command> {
    let number = move || 0..=most;
    prop_oneof![
        Just(Command::Stat),
        Just(Command::List(None)),
        number().prop_map(|n| Command::List(Some(n))),
        Just(Command::Uidl(None)),
        number().prop_map(|n| Command::Uidl(Some(n))),
        Just(Command::Last),
        Just(Command::Noop),
        number().prop_map(Command::Retr),
        number().prop_map(Command::Retr),
        (number(), 0..5_u64).prop_map(|(n, lines)| Command::Top(n, lines)),
        number().prop_map(Command::Dele),
        number().prop_map(Command::Dele),
        Just(Command::Rset),
        Just(Command::QuitWithArgument),
    ]
}

//! QMTP and QMQP packages made up at random: what is answered and what is captured.
//!
//! One model for several laws: a netstring brings every byte (NS-LEN-1); how the input is cut changes
//! nothing; several QMTP packages in one connection are what they would be in a connection each
//! (QMTP-SES-1, -3); each recipient has its answer, in order (QMTP-RSP-3, -4); no declared length takes
//! memory, which is limited (NS-MEM-1, -3).

use proptest::{collection::vec, option, prelude::*, sample::select};

use crate::transcript::{
    Act, Case, Expectation, Fact, Front, Item, Step,
    front::Protocol,
    model::{Content, Exit},
    print,
    service::{Kind, Service},
    text::{Part, Pattern, Piece, Tail, Text},
};

/// Address space of the target where a length is declared, in bytes: far below the lengths.
const SPACE: &str = "limit memory 400000000";

/// A connection.
#[derive(Debug, Clone)]
pub struct Input {
    protocol: Protocol,
    packages: Vec<Package>,
    /// Where the input is cut, in thousandths of it.
    cuts: Vec<usize>,
    /// A last package that declares too much.
    declared: Option<Declared>,
    words: Words,
}

/// Which packages are made up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Words {
    /// All that the contract speaks of.
    All,
    /// Those that mailfront 2.12 answers and delivers as it should.
    Plain,
}

#[derive(Debug, Clone)]
struct Package {
    /// QMTP's CR encoding.
    crlf: bool,
    body: Vec<u8>,
    sender: Vec<u8>,
    recipients: Vec<Vec<u8>>,
}

/// Where a length is too large, and the length.
#[derive(Debug, Clone, Copy)]
struct Declared {
    place: Place,
    length: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Message,
    Sender,
    Recipients,
}

/// Connections of both protocols.
pub fn inputs(words: Words) -> impl Strategy<Value = Input> {
    let protocol = select(vec![Protocol::Qmtp, Protocol::Qmqp]);
    let cuts = vec(0..1000usize, 0..5);
    let package = || match words {
        Words::All => package().boxed(),
        Words::Plain => plain_package().boxed(),
    };
    (protocol, vec(package(), 1..5), cuts, option::weighted(0.2, declared())).prop_map(
        move |(protocol, mut packages, cuts, declared)| {
            let declared = declared.filter(|_| words == Words::All);
            if protocol == Protocol::Qmqp {
                // It takes one package, which may be the one that declares too much.
                packages.truncate(usize::from(declared.is_none()));
            } else if words == Words::Plain {
                packages.iter_mut().for_each(|package| package.recipients.truncate(1));
            }
            Input { protocol, packages, cuts, declared, words }
        },
    )
}

fn package() -> impl Strategy<Value = Package> {
    let address = || prop_oneof![6 => vec(b'!'..=b'~', 1..12), 1 => vec(byte(), 0..8)];
    (any::<bool>(), body(0), address(), vec(address(), 0..4))
        .prop_map(|(crlf, body, sender, recipients)| Package { crlf, body, sender, recipients })
}

/// A message of bytes as they are, and addresses that nobody has a reason to refuse.
fn plain_package() -> impl Strategy<Value = Package> {
    let address = || vec(b'!'..=b'~', 1..12);
    (body(1), address(), vec(address(), 1..4)).prop_map(|(body, sender, recipients)| Package {
        crlf: false,
        body,
        sender,
        recipients,
    })
}

fn byte() -> impl Strategy<Value = u8> {
    prop_oneof![select(b"\r\n\0,:0123456789.\xff".to_vec()), b'a'..=b'z', any::<u8>()]
}

/// A message of so many bytes or more.
fn body(least: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![4 => vec(byte(), least..40), 1 => vec(byte(), 8180..8200)]
}

fn declared() -> impl Strategy<Value = Declared> {
    let place = select(vec![Place::Message, Place::Sender, Place::Recipients]);
    let length = prop_oneof![1_000_000_000..=u64::from(u32::MAX), 1 << 32..1u64 << 40, any::<u64>()];
    let length =
        length.prop_filter("large", |length| *length >= 1_000_000_000 && *length < u64::MAX - 10_000);
    (place, length).prop_map(|(place, length)| Declared { place, length })
}

impl Input {
    /// The connection as a transcript that says what must come of it.
    pub fn transcript(&self) -> String {
        let name = if self.protocol == Protocol::Qmtp { "qmtp" } else { "qmqp" };
        let mut front = Front {
            title: "Packages are answered and captured as the model says".into(),
            clauses: vec!["NS-LEN-1".into(), "QMTP-SES-3".into(), "QMTP-RSP-4".into(), "NS-MEM-3".into()],
            run: format!("mailfront {name} queuedir accept"),
            recorded: "made up".into(),
            setup: self.declared.iter().map(|_| SPACE.to_string()).collect(),
            ..Front::default()
        };
        if self.words == Words::Plain {
            // Queue files of 2.12 do not tell recipients from message (NS-BACK-3).
            front.run = format!("mailfront {name} qmail accept");
            front.env = [("QMAILQUEUE", "${QUEUE}"), ("QMAILHOME", "${CASE}")]
                .map(|(name, value)| (name.into(), value.into()))
                .into();
            let queue = Service { kind: Kind::Command, script: "queue\n".into() };
            front.services = [("queue".into(), queue)].into();
        }
        let mut bytes: Vec<u8> = self.packages.iter().flat_map(|package| self.encode(package)).collect();
        bytes.extend(self.declared.iter().flat_map(|declared| self.unfinished(*declared)));
        let mut body = self.sends(&bytes);
        let mut facts = Vec::new();
        for package in &self.packages {
            let (answers, captured) = self.expected(package);
            body.extend(answers.into_iter().map(|letter| step(Act::Netstring(begins_with(letter)))));
            facts.extend(captured);
        }
        if self.declared.is_some() {
            body.push(step(Act::HalfClose));
            body.push(step(Act::Netstring(begins_with('Z'))));
        }
        if facts.is_empty() {
            facts.push(Fact::QueuedNone);
        }
        facts.push(Fact::Exit(Exit::Status(if self.declared.is_some() { 111 } else { 0 })));
        let expectation = |fact| Item::Expect(Expectation { line: 0, only_if: None, should: false, fact });
        body.extend(facts.into_iter().map(expectation));
        print(&Case { id: "made-up".into(), front, body, ..Case::default() })
    }

    fn sends(&self, bytes: &[u8]) -> Vec<Item> {
        let mut ends: Vec<usize> = self.cuts.iter().map(|cut| cut * bytes.len() / 1000).collect();
        ends.push(bytes.len());
        ends.sort_unstable();
        let mut start = 0;
        let mut items = Vec::new();
        for end in ends {
            if end > start {
                items.push(step(Act::SendRaw(Text::plain(&bytes[start..end]))));
                items.push(step(Act::Boundary));
                start = end;
            }
        }
        items.pop();
        items
    }

    fn encode(&self, package: &Package) -> Vec<u8> {
        let recipients: Vec<u8> = package.recipients.iter().flat_map(|to| netstring(to)).collect();
        match self.protocol {
            Protocol::Qmqp => {
                netstring(&[netstring(&package.body), netstring(&package.sender), recipients].concat())
            }
            _ => {
                let encoding = if package.crlf { b'\r' } else { b'\n' };
                let message = [&[encoding], &package.body[..]].concat();
                [netstring(&message), netstring(&package.sender), netstring(&recipients)].concat()
            }
        }
    }

    /// A package up to a length that is too large, and some bytes of what it declares.
    fn unfinished(&self, declared: Declared) -> Vec<u8> {
        let message: &[u8] = if self.protocol == Protocol::Qmtp { b"\ntest\n" } else { b"test\n" };
        let before = match declared.place {
            Place::Message => Vec::new(),
            Place::Sender => netstring(message),
            Place::Recipients => [netstring(message), netstring(b"a@b")].concat(),
        };
        let outer = match self.protocol {
            Protocol::Qmqp => format!("{}:", declared.length + 1000).into_bytes(),
            _ => Vec::new(),
        };
        let filler = if declared.place == Place::Message {
            [b"\n", &[b'x'; 2000][..]].concat()
        } else {
            vec![b'x'; 20]
        };
        [outer, before, format!("{}:", declared.length).into_bytes(), filler].concat()
    }

    /// The letters of the answers, and what is captured.
    fn expected(&self, package: &Package) -> (Vec<char>, Option<Fact>) {
        let is_fit = |address: &[u8]| memchr::memchr3(0, b'\r', b'\n', address).is_none();
        let accepted = |to: &&Vec<u8>| is_fit(&package.sender) && is_fit(to) && !to.is_empty();
        let count = package.recipients.iter().filter(accepted).count();
        let all = count == package.recipients.len() && count > 0;
        let (answers, takes) = match self.protocol {
            Protocol::Qmqp => (vec![if all { 'K' } else { 'D' }], all),
            _ => {
                let letter = |to: &Vec<u8>| if accepted(&to) { 'K' } else { 'D' };
                (package.recipients.iter().map(letter).collect(), count > 0)
            }
        };
        let content = match self.protocol {
            Protocol::Qmtp if package.crlf => bstr::ByteSlice::replace(&package.body[..], "\r\n", "\n"),
            _ => package.body.clone(),
        };
        let captured = takes.then(|| Fact::Queued {
            from: Text::plain(&package.sender[..]),
            to: package.recipients.iter().filter(accepted).map(|to| Text::plain(&to[..])).collect(),
            content: (!content.is_empty()).then(|| lines(&content)),
        });
        (answers, captured)
    }
}

fn netstring(content: &[u8]) -> Vec<u8> {
    [format!("{}:", content.len()).as_bytes(), content, b","].concat()
}

fn step(act: Act) -> Item {
    Item::Step(Step { line: 0, only_if: None, should: false, act })
}

fn begins_with(letter: char) -> Pattern {
    let parts = vec![Part::Text(Piece::Bytes(letter.to_string().into_bytes()))];
    Pattern { parts, tail: Tail::Any }
}

fn lines(content: &[u8]) -> Vec<Content> {
    let lines = content.split_inclusive(|byte| *byte == b'\n');
    lines
        .map(|line| match line.strip_suffix(b"\n") {
            Some(text) => Content { text: Pattern::plain(text), newline: true },
            None => Content { text: Pattern::plain(line), newline: false },
        })
        .collect()
}

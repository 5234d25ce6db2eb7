//! Attempts to log in, made up at random: right and wrong ones, cut off, malformed, in every mechanism.

use proptest::{
    bool,
    collection::vec,
    option,
    prelude::Just,
    prop_oneof,
    sample::select,
    strategy::{BoxedStrategy, Strategy},
};

use crate::play::Delivery;

/// A session: attempts one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// The attempts.
    pub attempts: Vec<Attempt>,
    /// `$MAXAUTHFAIL`, if it is set.
    pub most_failures: Option<usize>,
    /// Whether CRAM-MD5 is offered.
    pub has_digests: bool,
    /// How the client's bytes are cut.
    pub delivery: Delivery,
}

/// One AUTH command with its responses, and what the module would say if it is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// What the client does.
    pub way: Way,
    /// Whether the first message comes with the command.
    pub initial: bool,
    /// Whether the letters of the mechanism are small.
    pub small: bool,
    /// What the module answers, if it is asked: 0, 100 or a code of trouble.
    pub code: u8,
}

/// What a client does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// PLAIN with this message, of whatever form.
    Plain(Vec<u8>),
    /// LOGIN with name and password.
    Login(Vec<u8>, Vec<u8>),
    /// CRAM-MD5 with this message, of whatever form.
    Digest(Vec<u8>),
    /// This mechanism is begun, and this line said in place of the response at that step (0 or 1).
    Line(&'static str, &'static str, u8),
    /// A mechanism that nobody has.
    Unknown(&'static str),
}

/// Most attempts of a session; 2.12 has no limit of its own, and ours is beyond (AUTH-15).
const ATTEMPTS_MAX: usize = 7;

/// Bytes of names and passwords. `@` divides names (CVM-DOM-2).
const BYTES: &[u8] = b"ab0@@%$~\\ \t\x01\x7f\xe9\xff\"'<>=";

/// Responses that give up, or are no base64.
const LINES: &[&str] = &["*", "*foo", "", "!!!!", "YQ", "Y Q=", "=", "YWI=\t"];

/// Those that 2.12 reads as everybody does: it forgives what follows the padding (SASL-B64-2).
const PLAIN_LINES: &[&str] = &["*", "*foo", "", "!!!!"];

/// Inputs made up at random; without `everything` nothing of which mailfront 2.12 has its own idea: digests
/// (SASL-RESP-3), NUL in LOGIN (SASL-RESP-4), long credentials (CVM-REQ-8), `$MAXAUTHFAIL` (AUTH-15).
pub fn inputs(everything: bool) -> BoxedStrategy<Input> {
    let most = if everything { option::of(1..5_usize).boxed() } else { Just(None).boxed() };
    let digests = if everything { bool::ANY.boxed() } else { Just(false).boxed() };
    // 2.12 may never notice that a command ended before it was asked everything (AUTH-22); ours read all.
    let deliveries = select(&[Delivery::Lockstep, Delivery::Burst, Delivery::Drip, Delivery::Split][..]);
    (vec(attempt(everything), 1..=ATTEMPTS_MAX), most, digests, deliveries)
        .prop_map(|(attempts, most_failures, has_digests, delivery)| Input {
            attempts,
            most_failures,
            has_digests,
            delivery,
        })
        .boxed()
}

fn attempt(everything: bool) -> impl Strategy<Value = Attempt> {
    let code = prop_oneof![6 => Just(100_u8), 3 => Just(0), 2 => select(&[1, 4, 7, 99, 101, 255][..])];
    (way(everything), bool::ANY, bool::ANY, code).prop_map(|(way, initial, small, code)| Attempt {
        way,
        initial,
        small,
        code,
    })
}

fn way(everything: bool) -> BoxedStrategy<Way> {
    let credential = || credential(everything);
    let plain =
        (credential(), credential(), credential(), 0..5_usize).prop_map(|(first, name, password, nuls)| {
            // Two NULs are right; a third ends the password (SASL-RESP-1).
            let parts = [&first[..], &name, &password, b"junk"];
            parts[..parts.len().min(nuls.max(1) + 1).min(4)].join(&0)
        });
    let named = |bytes: Vec<u8>| if bytes.is_empty() { b"u".to_vec() } else { bytes };
    let nul = bool::weighted(if everything { 0.1 } else { 0.0 });
    let login = (credential(), credential(), nul).prop_map(move |(name, password, nul)| {
        let mut password = named(password);
        if nul {
            password.insert(password.len() / 2, 0);
        }
        Way::Login(named(name), password)
    });
    let lines = if everything { LINES } else { PLAIN_LINES };
    let mechanisms = if everything { &["PLAIN", "LOGIN", "CRAM-MD5"][..] } else { &["PLAIN", "LOGIN"] };
    let line =
        (select(mechanisms), select(lines), 0..2_u8).prop_map(|(m, line, step)| Way::Line(m, line, step));
    let unknown = select(&["FOO", "PLAINX", "CRAM-MD4", "EXTERNAL"][..]).prop_map(Way::Unknown);
    let common = prop_oneof![4 => plain.prop_map(Way::Plain), 4 => login, 2 => line, 1 => unknown].boxed();
    if !everything {
        return common;
    }
    let digit = select(&b"0123456789abcdefABCDEF"[..]);
    let digest =
        prop_oneof![6 => Just(32_usize), 1 => 0..40_usize].prop_flat_map(move |n| vec(digit.clone(), n));
    let message = (vec(select(&b"ab@ \xe9"[..]), 0..6), select(&[" ", " ", " ", "  ", ""][..]), digest)
        .prop_map(|(name, blank, digest)| [&name[..], blank.as_bytes(), &digest].concat());
    prop_oneof![4 => common, 1 => message.prop_map(Way::Digest)].boxed()
}

fn credential(everything: bool) -> BoxedStrategy<Vec<u8>> {
    let short = vec(select(BYTES), 0..8);
    let long = (250..260_usize).prop_map(|length| vec![b'l'; length]);
    if everything { prop_oneof![12 => short, 1 => long].boxed() } else { short.boxed() }
}

//! Limits and messages at, below and above them (CNT-PARAM, CNT-BYTES, CNT-RCPT, CNT-MSG, CNT-HOP).

use std::fmt::Write as _;

use proptest::{
    option,
    strategy::{BoxedStrategy, Strategy},
};

use crate::transcript::Front;

/// A message that is sent several times, and the limits: each is its size in the message and a little
/// more or less, or is not set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// Bytes of the body.
    pub body: usize,
    /// `Received:` lines.
    pub received: usize,
    /// `Delivered-To:` lines.
    pub delivered: usize,
    /// Recipients.
    pub recipients: usize,
    /// How often it is sent.
    pub messages: usize,
    /// `$DATABYTES` over the bytes of the message.
    pub databytes: Option<isize>,
    /// The parameter `SIZE` over the bytes of the message.
    pub declared: Option<isize>,
    /// `$MAXHOPS` over the larger number of hops.
    pub maxhops: Option<isize>,
    /// `$MAXRCPTS` over the recipients.
    pub maxrcpts: Option<isize>,
    /// Whether `$MAXRCPTS_REJECT` is set.
    pub rejects: bool,
    /// `$MAXMSGS` over the messages.
    pub maxmsgs: Option<isize>,
}

/// The limits as a model sees them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// `$DATABYTES`
    pub databytes: Option<usize>,
    /// `SIZE`
    pub declared: Option<usize>,
    /// `$MAXHOPS`
    pub maxhops: usize,
    /// `$MAXRCPTS`
    pub maxrcpts: Option<usize>,
    /// `$MAXMSGS`
    pub maxmsgs: Option<usize>,
}

/// Whether a number is over a limit.
pub type Model = fn(usize, usize) -> bool;

/// A number is over a limit that is smaller.
pub fn over(number: usize, limit: usize) -> bool {
    number > limit
}

/// Hops without `$MAXHOPS` (CNT-HOP-1).
const DEFAULT_HOPS: usize = 100;

/// Bytes of a message that are judged at once (SMTP-DATA-12); every header here fits in.
const BLOCK: usize = 4096;

impl Input {
    /// Inputs made up at random.
    pub fn strategy() -> BoxedStrategy<Self> {
        let near = || option::of(-1..=1isize);
        // Bodies around the size of a block, too.
        let body = proptest::prop_oneof![3 => 0..20usize, 1 => 4070..4110usize];
        let counts = (body, 0..4usize, 0..4usize, 1..4usize, 1..3usize);
        let limits = (near(), near(), near(), near(), proptest::bool::ANY, near());
        (counts, limits)
            .prop_map(|((body, received, delivered, recipients, messages), limits)| {
                let (databytes, declared, maxhops, maxrcpts, rejects, maxmsgs) = limits;
                Self {
                    body,
                    received,
                    delivered,
                    recipients,
                    messages,
                    databytes,
                    declared,
                    maxhops,
                    maxrcpts,
                    rejects,
                    maxmsgs,
                }
            })
            .boxed()
    }

    fn bytes(&self) -> usize {
        "Received: x\n".len() * self.received + "Delivered-To: x\n".len() * self.delivered + 1 + self.body + 1
    }

    /// A limit of 0 is none (CNT-NUM-1).
    fn limits(&self) -> Limits {
        let near = |number: usize, distance: Option<isize>| {
            distance.and_then(|distance| number.checked_add_signed(distance)).filter(|n| *n > 0)
        };
        let hops = self.received.max(self.delivered);
        Limits {
            databytes: near(self.bytes(), self.databytes),
            declared: near(self.bytes(), self.declared),
            maxhops: near(hops, self.maxhops).unwrap_or(DEFAULT_HOPS),
            maxrcpts: near(self.recipients, self.maxrcpts),
            maxmsgs: near(self.messages, self.maxmsgs),
        }
    }

    /// The transcript in which a target shows whether it takes for too much what `over` does.
    pub fn transcript(&self, over: Model) -> String {
        let limits = self.limits();
        let mut front = Front {
            title: "Limits are kept as the model keeps them".into(),
            clauses: ["CNT-PARAM-1", "CNT-BYTES-1", "CNT-RCPT-1", "CNT-MSG-1", "CNT-HOP-1"]
                .map(String::from)
                .into(),
            run: "mailfront smtp echo counters accept".into(),
            recorded: "by hand".into(),
            needs: vec!["counters".into()],
            note: Some("Made up by `prop counters`; the model of CNT says what is right.".into()),
            ..Front::default()
        };
        let set = [
            ("DATABYTES", limits.databytes),
            ("MAXHOPS", self.maxhops.map(|_| limits.maxhops)),
            ("MAXRCPTS", limits.maxrcpts),
            ("MAXRCPTS_REJECT", self.rejects.then_some(1)),
            ("MAXMSGS", limits.maxmsgs),
        ];
        for (name, value) in set.into_iter().filter_map(|(name, value)| Some((name, value?))) {
            front.env.insert(name.into(), value.to_string());
        }
        let mut dialogue = String::new();
        let mut counted = 0;
        for _ in 0..self.messages {
            self.message(&limits, over, &mut counted, &mut dialogue);
        }
        super::transcript(&front, &dialogue)
    }

    fn message(&self, limits: &Limits, over: Model, counted: &mut usize, dialogue: &mut String) {
        let declared = limits.declared.map(|size| format!(" SIZE={size}")).unwrap_or_default();
        let _ = writeln!(dialogue, "C: MAIL FROM:<a@b.example>{declared}");
        if limits.maxmsgs.is_some_and(|most| over(*counted + 1, most)) {
            dialogue.push_str("S: 550 5.5.0 Too many messages\n");
            return;
        }
        if limits.declared.zip(limits.databytes).is_some_and(|(size, most)| over(size, most)) {
            dialogue.push_str("S: 552 5.2.3 The message would exceed the maximum message size.\n");
            return;
        }
        dialogue.push_str("S: 250 ~~\n");
        let is_over = |number| limits.maxrcpts.is_some_and(|most| over(number, most));
        for number in 1..=self.recipients {
            let answer = if is_over(number) { "550 5.5.3 Too many recipients" } else { "250 ~~" };
            let _ = write!(dialogue, "C: RCPT TO:<r{number}@d.example>\nS: {answer}\n");
        }
        dialogue.push_str("C: DATA\n");
        if self.rejects && is_over(self.recipients) && !is_over(1) {
            dialogue.push_str("S: 550 5.5.3 Too many recipients\n");
            return;
        }
        if is_over(1) {
            dialogue.push_str("S: 503 ~~\n");
            return;
        }
        dialogue.push_str("S: 354 ~~\n");
        dialogue.push_str(&"C: Received: x\n".repeat(self.received));
        dialogue.push_str(&"C: Delivered-To: x\n".repeat(self.delivered));
        let _ = write!(dialogue, "C:\nC: ${{\"x\" * {}}}\nC: .\n", self.body);
        let bytes = self.bytes();
        let too_large = |bytes| limits.databytes.is_some_and(|most| over(bytes, most));
        let loops = over(self.received.max(self.delivered), limits.maxhops);
        // The first block in which something is wrong decides; in it the size comes first (PAT-REJ-2).
        if too_large(bytes) && (too_large(bytes.min(BLOCK)) || !loops) {
            dialogue.push_str("S: 552 5.2.3 Sorry, that message exceeds the maximum message length.\n");
        } else if loops {
            dialogue.push_str("S: 554 5.6.0 This message is looping, too many hops.\n");
        } else {
            *counted += 1;
            let _ = writeln!(dialogue, "S: 250 Received {bytes} bytes.");
        }
    }
}

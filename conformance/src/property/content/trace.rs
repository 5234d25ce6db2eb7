//! Names that clients call themselves, and the header that tells of them (RCVD-FMT, RCVD-HELO).

use std::fmt::Write as _;

use proptest::{
    collection::vec,
    option,
    sample::select,
    strategy::{BoxedStrategy, Strategy},
};

use crate::transcript::Front;

/// What the client says and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// Its names, one HELO after the other; bytes of any kind but NUL, CR and LF.
    pub names: Vec<Vec<u8>>,
    /// Its host name, if it is known.
    pub host: Option<String>,
    /// Its address, if it is known.
    pub address: Option<String>,
    /// Whether it says EHLO.
    pub extended: bool,
}

/// The bytes of a name that may stand in a header.
pub type Model = fn(&[u8]) -> Vec<u8>;

/// Control bytes become `?`, and a name ends at 255 bytes (RCVD-HELO-2).
pub fn fit(name: &[u8]) -> Vec<u8> {
    let fit = |byte: &u8| if *byte < 32 || *byte == 127 { b'?' } else { *byte };
    name.iter().take(NAME_MAX).map(fit).collect()
}

const NAME_MAX: usize = 255;
const BYTES: &[u8] = b"ab.-()[]<>@,;:\"\\ \t\x01\x0b\x1b\x7f\x80\xe9\xff";

impl Input {
    /// Inputs made up at random.
    pub fn strategy() -> BoxedStrategy<Self> {
        // A name begins and ends with a letter: blanks around it are no part of it.
        let inner = proptest::prop_oneof![9 => 0..12usize, 1 => 250..260usize];
        let name = inner.prop_flat_map(|length| vec(select(BYTES), length)).prop_map(|inner| {
            let mut name = vec![b'h'];
            name.extend(inner);
            name.push(b'o');
            name
        });
        let host = option::of(select(&["r.example", "evil\u{1}host"][..]).prop_map(String::from));
        let address = option::of(select(&["10.0.0.2", "::9"][..]).prop_map(String::from));
        (vec(name, 0..3), host, address, proptest::bool::ANY)
            .prop_map(|(names, host, address, extended)| Self { names, host, address, extended })
            .boxed()
    }

    /// The header but for its date, in the notation of transcripts.
    fn header(&self, fit: Model) -> (Vec<u8>, &'static str) {
        let known = |name: &Option<String>| name.as_ref().map(|name| fit(name.as_bytes()));
        let (host, address) = (known(&self.host), known(&self.address));
        let name = self.names.last().map(|name| fit(name)).or_else(|| host.clone());
        let Some(name) = name.or_else(|| address.clone()) else {
            return (b"unknown".to_vec(), self.protocol());
        };
        let found = match (host, address) {
            (Some(host), Some(address)) => [b" (", &host[..], b" [", &address, b"])"].concat(),
            (Some(host), None) => [b" (", &host[..], b")"].concat(),
            (None, Some(address)) => [b" ([", &address[..], b"])"].concat(),
            (None, None) => Vec::new(),
        };
        ([name, found].concat(), self.protocol())
    }

    fn protocol(&self) -> &'static str {
        if self.extended && !self.names.is_empty() { "ESMTP" } else { "SMTP" }
    }

    /// The message as it must be queued, with a date that is not the real one.
    pub fn queued(&self, fit: Model) -> Vec<u8> {
        let (from, protocol) = self.header(fit);
        let date = "26 Nov 2026 00:00:00 -0000";
        let rest =
            format!("\n  by local.host ([1.2.3.4])\n  with {protocol} via TCP; {date}\nSubject: s\n\nb\n");
        [b"Received: from ", &from[..], rest.as_bytes()].concat()
    }

    /// The transcript in which a target shows whether it writes the header that `fit` gives.
    pub fn transcript(&self, fit: Model) -> String {
        let mut front = Front {
            title: "The trace header is that of the model".into(),
            clauses: ["RCVD-FMT-1", "RCVD-FMT-2", "RCVD-HELO-1", "RCVD-HELO-2"].map(String::from).into(),
            run: "mailfront smtp queuedir add-received accept".into(),
            recorded: "by hand".into(),
            needs: vec!["add-received".into()],
            note: Some("Made up by `prop trace`; the model of RCVD says what is right.".into()),
            ..Front::default()
        };
        for (name, value) in [("TCPREMOTEHOST", &self.host), ("TCPREMOTEIP", &self.address)] {
            front.env.insert(name.into(), value.clone().unwrap_or_default());
        }
        let mut dialogue = String::new();
        for name in &self.names {
            let name = escaped(name);
            if self.extended {
                let _ = write!(dialogue, "C: EHLO {name}\nS+: 250 ~~\n");
            } else {
                let _ = write!(dialogue, "C: HELO {name}\nS: 250 ~~\n");
            }
        }
        dialogue.push_str("C: MAIL FROM:<a@b.example>\nS: 250 ~~\nC: RCPT TO:<c@d.example>\nS: 250 ~~\n");
        dialogue.push_str("C: DATA\nS: 354 ~~\nC: Subject: s\nC:\nC: b\nC: .\nS: 250 ~~\n");
        let (from, protocol) = self.header(fit);
        let date = "${/[0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} -0000/}";
        let _ = write!(
            dialogue,
            "queued: <a@b.example> -> <c@d.example>\n| Received: from {}\n|   by local.host ([1.2.3.4])\n\
             |   with {protocol} via TCP; {date}\n| Subject: s\n|\n| b\n",
            escaped(&from)
        );
        super::transcript(&front, &dialogue)
    }
}

/// Bytes as text of a transcript.
fn escaped(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        match byte {
            b'\\' => text.push_str("\\\\"),
            b'~' => text.push_str("\\~"),
            32..=126 => text.push(char::from(*byte)),
            _ => _ = write!(text, "\\x{byte:02x}"),
        }
    }
    text
}

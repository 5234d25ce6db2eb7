//! What comes of an attempt, by the letter of the contract.

use super::inputs::{Attempt, Way};

/// Who is asked, if anybody is, and what the client is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Course {
    /// What client and server say before the reply: challenges and responses.
    pub exchange: Vec<Said>,
    /// What the module is asked.
    pub question: Option<Question>,
    /// The reply.
    pub reply: Reply,
}

/// A line of the exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// The client's command or response.
    Client(String),
    /// A challenge, in base64; `None` is one of CRAM-MD5.
    Challenge(Option<&'static str>),
}

/// What a module is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// In front of the last `@`.
    pub account: Vec<u8>,
    /// Behind it, or the local host (CVM-DOM-2, -4).
    pub domain: Vec<u8>,
    /// The password, or the digest as it was computed.
    pub proof: Proof,
}

/// What proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// A password.
    Password(Vec<u8>),
    /// The 16 bytes of a digest.
    Digest(Vec<u8>),
}

/// The reply to AUTH (AUTH-10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// The client is who it says.
    Accepted,
    /// It is not, or it gave up.
    Rejected,
    /// What it said cannot be understood.
    Undecodable,
    /// There is no such mechanism.
    Unknown,
    /// The mechanism begins with a challenge.
    NoInitial,
    /// No module could tell.
    Trouble,
    /// It has been accepted before (AUTH-15).
    Already,
}

/// A credential's most bytes (CVM-REQ-8).
const CREDENTIAL_MAX: usize = 255;
/// A request's most bytes, with the last (CVM-REQ-7).
const REQUEST_MAX: usize = 511;
/// Bytes of a digest.
const DIGEST: usize = 16;

const USERNAME: &str = "VXNlcm5hbWU6";
const PASSWORD: &str = "UGFzc3dvcmQ6";

impl Reply {
    /// Its line, as a transcript expects it.
    pub fn line(self) -> &'static str {
        match self {
            Self::Accepted => "235 2.7.0 ~Authentication succeeded.",
            Self::Rejected => "501 ~Authentication failed.",
            Self::Undecodable => "501 ~Could not decode the response.",
            Self::Unknown => "504 ~Unrecognized authentication mechanism.",
            Self::NoInitial => "535 ~Initial response not allowed.",
            Self::Trouble => "451 ~Internal error.",
            Self::Already => "503 5.5.1 ~You are already authenticated.",
        }
    }

    /// Whether it counts against the limit (AUTH-15).
    pub fn is_failure(self) -> bool {
        !matches!(self, Self::Accepted | Self::Already)
    }
}

impl Attempt {
    /// What comes of it in a session in which nobody was accepted yet, where CRAM-MD5 is offered or not.
    pub fn course(&self, has_digests: bool) -> Course {
        match &self.way {
            Way::Plain(message) => {
                let exchange = match self.initial {
                    true => vec![self.command("PLAIN", Some(&base64(message)))],
                    false => vec![self.command("PLAIN", None), Said::Challenge(Some("")), said(message)],
                };
                self.judged(exchange, plain(message))
            }
            Way::Login(name, password) => {
                let mut exchange = match self.initial {
                    true => vec![self.command("LOGIN", Some(&base64(name)))],
                    false => vec![self.command("LOGIN", None), Said::Challenge(Some(USERNAME)), said(name)],
                };
                exchange.extend([Said::Challenge(Some(PASSWORD)), said(password)]);
                let question =
                    (!password.contains(&0)).then(|| question(name, Proof::Password(password.clone())));
                self.judged(exchange, question)
            }
            Way::Digest(message) => {
                if !has_digests || self.initial {
                    let reply = if has_digests { Reply::NoInitial } else { Reply::Unknown };
                    let initial = self.initial.then(|| base64(message));
                    return Course::without(vec![self.command("CRAM-MD5", initial.as_deref())], reply);
                }
                let exchange = vec![self.command("CRAM-MD5", None), Said::Challenge(None), said(message)];
                self.judged(exchange, digest(message))
            }
            Way::Line(mechanism, line, step) => self.cut(mechanism, line, *step, has_digests),
            Way::Unknown(name) => Course::without(vec![self.command(name, None)], Reply::Unknown),
        }
    }

    /// A line in place of a response: it gives up, or is no base64 (SASL-EXCH-3, SASL-B64-1).
    fn cut(&self, mechanism: &str, line: &str, step: u8, has_digests: bool) -> Course {
        if mechanism == "CRAM-MD5" && !has_digests {
            return Course::without(vec![self.command(mechanism, None)], Reply::Unknown);
        }
        let gives_up = line.is_empty() || line.starts_with('*');
        let reply = if gives_up { Reply::Rejected } else { Reply::Undecodable };
        let mut exchange = vec![self.command(mechanism, None)];
        match mechanism {
            "PLAIN" => exchange.push(Said::Challenge(Some(""))),
            "LOGIN" => exchange.push(Said::Challenge(Some(USERNAME))),
            _ => exchange.push(Said::Challenge(None)),
        }
        if mechanism == "LOGIN" && step == 1 {
            exchange.extend([said(b"name"), Said::Challenge(Some(PASSWORD))]);
        }
        exchange.push(Said::Client(line.into()));
        Course::without(exchange, reply)
    }

    fn command(&self, mechanism: &str, initial: Option<&str>) -> Said {
        let mechanism = if self.small { mechanism.to_ascii_lowercase() } else { mechanism.into() };
        // Blanks with nothing behind them are an empty response, which no mechanism has (SASL-EXCH-5).
        Said::Client(initial.map_or(format!("AUTH {mechanism}"), |text| format!("AUTH {mechanism} {text}")))
    }

    /// What the module says, if there is a question and it can be asked.
    fn judged(&self, exchange: Vec<Said>, question: Option<Question>) -> Course {
        let Some(question) = question else { return Course::without(exchange, Reply::Undecodable) };
        if !question.fits() {
            return Course::without(exchange, Reply::Trouble);
        }
        let reply = match self.code {
            0 => Reply::Accepted,
            100 => Reply::Rejected,
            _ => Reply::Trouble,
        };
        Course { exchange, question: Some(question), reply }
    }
}

impl Course {
    fn without(exchange: Vec<Said>, reply: Reply) -> Self {
        Self { exchange, question: None, reply }
    }
}

impl Question {
    /// Whether a request can hold it (CVM-REQ-7, -8). Digests come with short names here.
    fn fits(&self) -> bool {
        let Proof::Password(password) = &self.proof else { return true };
        let parts = [&self.account, &self.domain, password];
        let bytes: usize = parts.iter().map(|part| part.len() + 2).sum();
        parts.iter().all(|part| part.len() <= CREDENTIAL_MAX) && bytes + 3 <= REQUEST_MAX
    }
}

/// `authzid NUL authcid NUL password`; a further NUL ends the password (SASL-RESP-1).
fn plain(message: &[u8]) -> Option<Question> {
    let mut parts = message.split(|byte| *byte == 0).skip(1);
    let (name, password) = (parts.next()?, parts.next()?);
    Some(question(name, Proof::Password(password.into())))
}

/// A name, one blank, 32 digits (SASL-RESP-3).
fn digest(message: &[u8]) -> Option<Question> {
    let blank = message.iter().position(|byte| *byte == b' ')?;
    let (name, digits) = (&message[..blank], &message[blank + 1..]);
    let value = |digit: &u8| char::from(*digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let values: Vec<u8> = digits.iter().map(value).collect::<Option<_>>()?;
    let bytes: Vec<u8> =
        values.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte * 16 + digit)).collect();
    (digits.len() == 2 * DIGEST).then(|| question(name, Proof::Digest(bytes)))
}

fn question(name: &[u8], proof: Proof) -> Question {
    let (account, domain) = match name.iter().rposition(|byte| *byte == b'@') {
        Some(at) => (&name[..at], &name[at + 1..]),
        None => (name, LOCAL_HOST),
    };
    Question { account: account.into(), domain: domain.into(), proof }
}

/// The standard environment's.
const LOCAL_HOST: &[u8] = b"local.host";

fn said(message: &[u8]) -> Said {
    Said::Client(base64(message))
}

/// RFC 4648, section 4.
pub fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |chunk: &[u8]| {
        let bits =
            (0..3).fold(0_usize, |bits, n| bits << 8 | usize::from(chunk.get(n).copied().unwrap_or(0)));
        let letter = |n: usize| char::from(ALPHABET[bits >> (18 - 6 * n) & 63]);
        (0..4).map(|n| if n <= chunk.len() { letter(n) } else { '=' }).collect::<String>()
    };
    bytes.chunks(3).map(group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_rfc_4648() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")]
        {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
        assert_eq!(base64(b"\0testuser\0testpass"), "AHRlc3R1c2VyAHRlc3RwYXNz");
    }

    fn attempt(way: Way) -> Course {
        Attempt { way, initial: false, small: false, code: 100 }.course(true)
    }

    #[test]
    fn a_name_is_split_at_its_last_at_sign() {
        let asked = attempt(Way::Plain(b"x\0a@b@c\0p\0junk".to_vec())).question.unwrap();
        assert_eq!((&asked.account[..], &asked.domain[..]), (&b"a@b"[..], &b"c"[..]));
        assert_eq!(asked.proof, Proof::Password(b"p".to_vec()));
    }

    #[test]
    fn what_no_module_can_judge_is_not_asked() {
        for (way, reply) in [
            (Way::Plain(b"a\0b".to_vec()), Reply::Undecodable),
            (Way::Plain([b"\0a\0".to_vec(), vec![b'p'; 256]].concat()), Reply::Trouble),
            (Way::Login(b"a".to_vec(), b"p\0q".to_vec()), Reply::Undecodable),
            (Way::Digest(b"a 0123".to_vec()), Reply::Undecodable),
            (Way::Line("LOGIN", "*", 1), Reply::Rejected),
            (Way::Unknown("FOO"), Reply::Unknown),
        ] {
            let course = attempt(way);
            assert_eq!((course.question, course.reply), (None, reply));
        }
    }

    #[test]
    fn a_digest_is_its_digits_in_pairs() {
        let asked = attempt(Way::Digest(b"u 000102030405060708090a0B0C0d0e0f".to_vec())).question.unwrap();
        assert_eq!(asked.proof, Proof::Digest((0..16).collect()));
    }
}

//! SASL: the mechanisms and the dialogue with the client, the same in SMTP, POP3 and IMAP (SASL-MECH,
//! SASL-EXCH, SASL-ERR, SASL-LOG).
//!
//! [`exchange`] is what client and server say in each mechanism, without input or output. Here are which
//! mechanisms there are, whom they ask, how the lines travel, and the log.

pub mod exchange;

use bstr::{BString, ByteSlice};

use self::exchange::{Exchange, Mechanism, Proof, Step};
use super::{
    identity::Identity,
    modules::{Modules, Question, Verdict},
    user,
};
use crate::{
    connection::{Connection, End, Line},
    wire::{
        base64,
        cvm::{Credential, Fact},
    },
};

/// The mechanisms in the order in which they are offered (SASL-MECH-1).
const ORDER: [Mechanism; 3] = [Mechanism::Login, Mechanism::Plain, Mechanism::CramMd5];

/// The mechanisms a program offers, each with the modules it asks.
pub struct Mechanisms(Vec<(Mechanism, Modules)>);

/// How the lines of a dialogue travel.
pub struct Dialogue<'a> {
    /// The client.
    pub connection: &'a Connection,
    /// What stands before a challenge: `334 ` in SMTP, `+ ` in POP3 and IMAP (SASL-EXCH-1).
    pub prefix: &'static str,
    /// The longest response line, its line end not counted.
    pub line_max: usize,
    /// What is added to the environment of modules that are commands.
    pub environment: &'a [(BString, BString)],
}

/// Why a client is not who it says (SASL-ERR-1, AUTH-10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The client gave up.
    Cancelled,
    /// The modules rejected it.
    Rejected,
    /// The mechanism is not offered.
    UnknownMechanism,
    /// The mechanism begins with a challenge.
    InitialResponse,
    /// The initial response is no base64.
    UndecodableInitial,
    /// A later response is no base64.
    Undecodable,
    /// A response is not what the mechanism asks for.
    Malformed,
    /// A response line is longer than lines may be (SMTP-CMD-16).
    TooLong,
    /// The client went away.
    EndOfInput,
    /// No module could tell, or the client was silent too long.
    Internal,
}

impl Refusal {
    /// The number of the SMTP reply.
    pub fn number(self) -> u16 {
        match self {
            Self::Cancelled
            | Self::Rejected
            | Self::UndecodableInitial
            | Self::Undecodable
            | Self::Malformed => 501,
            Self::UnknownMechanism => 504,
            Self::InitialResponse | Self::EndOfInput => 535,
            Self::TooLong => 500,
            Self::Internal => 451,
        }
    }

    /// The text of the reply.
    pub fn text(self) -> &'static str {
        match self {
            Self::Cancelled | Self::Rejected => "Authentication failed.",
            Self::UnknownMechanism => "Unrecognized authentication mechanism.",
            Self::InitialResponse => "Initial response not allowed.",
            Self::UndecodableInitial | Self::Undecodable | Self::Malformed => {
                "Could not decode the response."
            }
            Self::TooLong => "5.5.2 Line too long.",
            Self::EndOfInput => "End of file reached.",
            Self::Internal => "Internal error.",
        }
    }

    /// What the log has to say, one line each, behind `SASL AUTH` and the mechanism (SASL-LOG-2).
    fn log(self) -> &'static [&'static str] {
        match self {
            Self::Cancelled => &["failed: aborted", "failed"],
            Self::UndecodableInitial => &["failed: bad response"],
            Self::Undecodable => &["failed: bad response", "failed"],
            _ => &["failed"],
        }
    }
}

/// The argument of AUTH: the mechanism, and the initial response if there is one, perhaps empty (AUTH-7).
pub fn split_argument(argument: &[u8]) -> (&[u8], Option<&[u8]>) {
    match argument.split_once_str(" ") {
        Some((mechanism, rest)) => (mechanism, Some(rest.trim_start_with(|c| c == ' '))),
        None => (argument, None),
    }
}

impl Mechanisms {
    /// Those that the settings allow; an empty setting is as good as none (SASL-MECH-1 … 3, AUTH-1 … 4).
    pub fn from_settings(setting: impl Fn(&str) -> Option<BString>) -> Self {
        let modules = |name| setting(name).filter(|list| !list.is_empty());
        let plain = modules("CVM_SASL_PLAIN");
        let login = modules("CVM_SASL_LOGIN").or_else(|| plain.clone());
        let cram_md5 = modules("CVM_SASL_CRAM_MD5");
        let offered = ORDER.into_iter().zip([login, plain, cram_md5]);
        Self(offered.filter_map(|(name, list)| Some((name, Modules::from_list(&list?)))).collect())
    }

    /// The mechanisms and whom they ask, in the order in which they are offered.
    pub fn iter(&self) -> impl Iterator<Item = &(Mechanism, Modules)> {
        self.0.iter()
    }

    /// Their names, separated by blanks (SASL-MECH-4); nothing if there are none.
    pub fn names(&self) -> Option<String> {
        let names: Vec<&str> = self.0.iter().map(|(mechanism, _)| mechanism.name()).collect();
        (!names.is_empty()).then(|| names.join(" "))
    }

    /// Finds out who the client is, up to the last line of the dialogue, and logs what came of it. The
    /// answer to the client is the caller's.
    ///
    /// # Errors
    /// The reason why it is nobody. That the client or the time is at an end shows again when the caller
    /// goes on reading.
    pub fn authenticate(
        &self,
        dialogue: &Dialogue<'_>,
        name: &[u8],
        initial: Option<&[u8]>,
    ) -> Result<Identity, Refusal> {
        let result = self.run(dialogue, name, initial);
        let log = |text: &[u8]| dialogue.connection.log.line(&[b"SASL AUTH ", name, b" ", text].concat());
        match &result {
            Ok(identity) => log(&success(identity)),
            Err(refusal) => refusal.log().iter().for_each(|text| log(text.as_bytes())),
        }
        result
    }

    fn run(&self, dialogue: &Dialogue<'_>, name: &[u8], initial: Option<&[u8]>) -> Result<Identity, Refusal> {
        // It is decoded before the mechanism is looked up (SASL-EXCH-2).
        let initial = initial.map(base64::decode).transpose().map_err(|_| Refusal::UndecodableInitial)?;
        let found =
            self.0.iter().find(|(mechanism, _)| name.eq_ignore_ascii_case(mechanism.name().as_bytes()));
        let (mechanism, modules) = found.ok_or(Refusal::UnknownMechanism)?;
        let mut step = Exchange::begin(*mechanism, initial.as_deref());
        loop {
            match step {
                Step::Challenge(challenge, exchange) => {
                    step = exchange.answer(&dialogue.ask(&challenge)?);
                }
                Step::Proof(proof) => return proof.verify(modules, dialogue),
                Step::Refused(refusal) => return Err(refusal),
            }
        }
    }
}

/// The facts of an account that the log has (SASL-LOG-1).
fn success(identity: &Identity) -> Vec<u8> {
    let mut text = [b"username=", identity.user.as_bytes()].concat();
    if let Some(name) = identity.fact(Fact::SystemUserName) {
        text.extend_from_slice(&[b" sys_username=", name.as_bytes()].concat());
    }
    if let Some(domain) = identity.fact(Fact::Domain).filter(|domain| !domain.is_empty()) {
        text.extend_from_slice(&[b" domain=", domain.as_bytes()].concat());
    }
    text
}

impl Dialogue<'_> {
    /// Sends a challenge and decodes the response. An empty line cancels, and so does one that begins
    /// with `*` (SASL-EXCH-3).
    fn ask(&self, challenge: &[u8]) -> Result<Vec<u8>, Refusal> {
        let line = [self.prefix.as_bytes(), &base64::encode(challenge), b"\r\n"].concat();
        let ended = |end| if end == End::Eof { Refusal::EndOfInput } else { Refusal::Internal };
        self.connection.write(&line).map_err(ended)?;
        match self.connection.read_line(self.line_max).map_err(ended)? {
            Line::TooLong => Err(Refusal::TooLong),
            Line::Complete(line, _) if line.is_empty() || line.starts_with(b"*") => Err(Refusal::Cancelled),
            Line::Complete(line, _) => base64::decode(&line).map_err(|_| Refusal::Undecodable),
        }
    }
}

impl Proof {
    /// Asks the modules whether it is one. The account is always sent, its domain and the rest too, even
    /// if they are empty (CVM-REQ-5, AUTH-13).
    fn verify(&self, modules: &Modules, dialogue: &Dialogue<'_>) -> Result<Identity, Refusal> {
        let default = user::default_sasl_domain();
        let (account, domain) = user::split(self.user().as_bstr());
        let mut credentials: Vec<(Credential, &[u8])> =
            vec![(Credential::Account, account), (Credential::Domain, domain.unwrap_or(default.as_bstr()))];
        match self {
            Self::Password { password, .. } => credentials.push((Credential::Password, password)),
            Self::Digest { challenge, digest, .. } => credentials.extend([
                (Credential::Challenge, &challenge[..]),
                (Credential::Response, &digest[..]),
                (Credential::ResponseType, b"CRAM-MD5"),
            ]),
        }
        let until = dialogue.connection.patience();
        match modules.ask(Question::Password(&credentials), dialogue.environment, until) {
            Verdict::Accepted(identity) => Ok(identity),
            Verdict::Rejected(_) => Err(Refusal::Rejected),
            Verdict::Failed(_) => Err(Refusal::Internal),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(settings: &[(&str, &str)]) -> Option<String> {
        let setting = |name: &str| {
            let found = settings.iter().find(|(set, _)| name == format!("CVM_SASL_{set}"))?;
            Some(found.1.into())
        };
        Mechanisms::from_settings(setting).names()
    }

    #[test]
    fn every_setting_adds_and_none_takes_away() {
        let (p, l, c) = (("PLAIN", "p"), ("LOGIN", "l"), ("CRAM_MD5", "c"));
        assert_eq!(names(&[]), None);
        assert_eq!(names(&[p]).as_deref(), Some("LOGIN PLAIN"));
        assert_eq!(names(&[l]).as_deref(), Some("LOGIN"));
        assert_eq!(names(&[c]).as_deref(), Some("CRAM-MD5"));
        assert_eq!(names(&[p, l]).as_deref(), Some("LOGIN PLAIN"));
        assert_eq!(names(&[p, c]).as_deref(), Some("LOGIN PLAIN CRAM-MD5"));
        assert_eq!(names(&[l, c]).as_deref(), Some("LOGIN CRAM-MD5"));
        assert_eq!(names(&[p, l, c]).as_deref(), Some("LOGIN PLAIN CRAM-MD5"));
        assert_eq!(names(&[("PLAIN", ""), ("LOGIN", ""), ("CRAM_MD5", "")]), None);
        assert_eq!(names(&[p, ("LOGIN", "")]).as_deref(), Some("LOGIN PLAIN"));
    }

    #[test]
    fn login_has_modules_of_its_own_if_told_so() {
        let mechanisms = Mechanisms::from_settings(|name| match name {
            "CVM_SASL_LOGIN" => Some("l".into()),
            "CVM_SASL_PLAIN" => Some("p".into()),
            _ => None,
        });
        let asked: Vec<_> = mechanisms.iter().map(|(_, modules)| modules.clone()).collect();
        assert_eq!(asked, [Modules::from_list(b"l"), Modules::from_list(b"p")]);
    }

    #[test]
    fn an_argument_is_a_mechanism_and_perhaps_a_response() {
        assert_eq!(split_argument(b"PLAIN"), (&b"PLAIN"[..], None));
        assert_eq!(split_argument(b"PLAIN "), (&b"PLAIN"[..], Some(&b""[..])));
        assert_eq!(split_argument(b"PLAIN  YQ== "), (&b"PLAIN"[..], Some(&b"YQ== "[..])));
        assert_eq!(split_argument(b"PLAIN\tYQ=="), (&b"PLAIN\tYQ=="[..], None));
    }
}

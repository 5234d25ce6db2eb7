//! What client and server say in each mechanism: a state, a response, the next state (SASL-RESP-1 … 4).

use std::time::{SystemTime, UNIX_EPOCH};

use bstr::{BString, ByteSlice};

use super::Refusal;
use crate::credentials::{modules::fill_with_random, user};

/// A way to prove who one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// User name and password, each asked for.
    Login,
    /// Both in one message (RFC 4616).
    Plain,
    /// A digest over a challenge, keyed with the password (RFC 2195).
    CramMd5,
}

impl Mechanism {
    /// Its registered name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Login => "LOGIN",
            Self::Plain => "PLAIN",
            Self::CramMd5 => "CRAM-MD5",
        }
    }
}

/// A dialogue that waits for a response of the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exchange {
    /// PLAIN, for its only message.
    Plain,
    /// LOGIN, for the user name.
    LoginUser,
    /// LOGIN, for the password.
    LoginPassword {
        /// The user name.
        user: BString,
    },
    /// CRAM-MD5, for the digest.
    CramMd5 {
        /// What the client was given.
        challenge: BString,
    },
}

/// How it goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The client is sent this and answers.
    Challenge(BString, Exchange),
    /// The client has said everything.
    Proof(Proof),
    /// It failed to.
    Refused(Refusal),
}

/// What a client says to prove who it is; whether it is true, modules know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// PLAIN and LOGIN.
    Password {
        /// The user name as the client wrote it.
        user: BString,
        /// The password.
        password: BString,
    },
    /// CRAM-MD5.
    Digest {
        /// The user name as the client wrote it.
        user: BString,
        /// What the client was given.
        challenge: BString,
        /// What it made of it.
        digest: [u8; 16],
    },
}

impl Proof {
    /// The user name.
    pub fn user(&self) -> &[u8] {
        match self {
            Self::Password { user, .. } | Self::Digest { user, .. } => user,
        }
    }
}

impl Exchange {
    /// The first step, given the initial response if there was one.
    pub fn begin(mechanism: Mechanism, initial: Option<&[u8]>) -> Step {
        match (mechanism, initial) {
            (Mechanism::Plain, None) => Step::Challenge("".into(), Self::Plain),
            (Mechanism::Plain, Some(message)) => Self::Plain.answer(message),
            (Mechanism::Login, None) => Step::Challenge("Username:".into(), Self::LoginUser),
            (Mechanism::Login, Some(user)) => Self::LoginUser.answer(user),
            (Mechanism::CramMd5, Some(_)) => Step::Refused(Refusal::InitialResponse),
            (Mechanism::CramMd5, None) => match challenge() {
                Ok(challenge) => Step::Challenge(challenge.clone(), Self::CramMd5 { challenge }),
                Err(_) => Step::Refused(Refusal::Internal),
            },
        }
    }

    /// The step after a response.
    pub fn answer(self, response: &[u8]) -> Step {
        let proof = match self {
            Self::Plain => plain(response),
            Self::LoginUser => {
                let password = |user| Step::Challenge("Password:".into(), Self::LoginPassword { user });
                return field(response).map_or(Step::Refused(Refusal::Malformed), password);
            }
            Self::LoginPassword { user } => {
                field(response).map(|password| Proof::Password { user, password })
            }
            Self::CramMd5 { challenge } => {
                digest(response).map(|(user, digest)| Proof::Digest { user: user.into(), challenge, digest })
            }
        };
        proof.map_or(Step::Refused(Refusal::Malformed), Step::Proof)
    }
}

/// `authorization NUL user NUL password`; the first is ignored, never used as an identity (SASL-RESP-1,
/// SEC-81), and a further NUL ends the password (AUTH-11).
fn plain(message: &[u8]) -> Option<Proof> {
    let mut fields = message.split_str("\0").skip(1);
    Some(Proof::Password { user: fields.next()?.into(), password: fields.next()?.into() })
}

/// A user name or password of LOGIN: neither empty nor with a NUL in it (SASL-RESP-2, -4).
fn field(value: &[u8]) -> Option<BString> {
    (!value.is_empty() && !value.contains(&0)).then(|| value.into())
}

/// `user SP 32 hexadecimal digits` (SASL-RESP-3).
fn digest(response: &[u8]) -> Option<(&[u8], [u8; 16])> {
    let (user, digits) = response.split_once_str(" ")?;
    let digits: &[u8; 32] = digits.try_into().ok()?;
    let mut digest = [0; 16];
    for (byte, pair) in digest.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = hexadecimal(pair[0])? << 4 | hexadecimal(pair[1])?;
    }
    Some((user, digest))
}

fn hexadecimal(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// A challenge that no other connection gets (AUTH-8, SEC-85): the form of the C program, and 64 random
/// bits.
fn challenge() -> std::io::Result<BString> {
    let mut random = [0; 8];
    fill_with_random(&mut random)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let (pid, seconds, micros) = (std::process::id(), now.as_secs(), now.subsec_micros());
    let random = u64::from_ne_bytes(random);
    let host = user::local_host().unwrap_or_else(|| "unknown".into());
    let start = format!("<{pid}.{seconds}.{micros:06}.{random:016x}@");
    Ok([start.as_bytes(), &host, b">"].concat().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(user: &str, password: &str) -> Step {
        Step::Proof(Proof::Password { user: user.into(), password: password.into() })
    }

    const MALFORMED: Step = Step::Refused(Refusal::Malformed);

    #[test]
    fn plain_is_three_fields() {
        let answer = |message: &str| Exchange::begin(Mechanism::Plain, Some(message.as_bytes()));
        assert_eq!(answer("\0bob\0pw"), password("bob", "pw"));
        assert_eq!(answer("root\0bob\0pw"), password("bob", "pw"));
        assert_eq!(answer("\0bob\0pw\0junk"), password("bob", "pw"));
        assert_eq!(answer("\0\0"), password("", ""));
        assert_eq!(answer("\0b\0p"), password("b", "p"));
        for message in ["", "bob", "\0", "\0bob", "bob\0pw"] {
            assert_eq!(answer(message), MALFORMED, "{message:?}");
        }
        assert_eq!(Exchange::begin(Mechanism::Plain, None), Step::Challenge("".into(), Exchange::Plain));
    }

    #[test]
    fn login_asks_twice_or_once() {
        let asked = Exchange::begin(Mechanism::Login, None);
        assert_eq!(asked, Step::Challenge("Username:".into(), Exchange::LoginUser));
        let again = Step::Challenge("Password:".into(), Exchange::LoginPassword { user: "bob".into() });
        assert_eq!(Exchange::begin(Mechanism::Login, Some(b"bob")), again);
        assert_eq!(Exchange::LoginUser.answer(b"bob"), again);
        assert_eq!(Exchange::LoginPassword { user: "bob".into() }.answer(b"p"), password("bob", "p"));
        for wrong in [&b""[..], b"a\0", b"\0"] {
            assert_eq!(Exchange::LoginUser.answer(wrong), MALFORMED);
            assert_eq!(Exchange::LoginPassword { user: "bob".into() }.answer(wrong), MALFORMED);
        }
    }

    #[test]
    fn a_digest_is_32_hexadecimal_digits() {
        let answer = |response: &str| Exchange::CramMd5 { challenge: "c".into() }.answer(response.as_bytes());
        let digest =
            [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 1, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef];
        let proof =
            |user: &str| Step::Proof(Proof::Digest { user: user.into(), challenge: "c".into(), digest });
        assert_eq!(answer("tim 0123456789abcdef0123456789ABCDEF"), proof("tim"));
        assert_eq!(answer(" 0123456789abcdef0123456789ABCDEF"), proof(""));
        for wrong in [
            "",
            "tim",
            "tim 0123456789abcdef0123456789ABCDE",
            "tim 0123456789abcdef0123456789ABCDEF0",
            "tim 0123456789abcdef0123456789ABCDEG",
            "tim  0123456789abcdef0123456789ABCDE",
            "tim 0123456789abcdef0123456789ABCDEF ",
            "a b 0123456789abcdef0123456789ABCDEF",
            "tim0123456789abcdef0123456789ABCDEF",
        ] {
            assert_eq!(answer(wrong), MALFORMED, "{wrong:?}");
        }
    }

    #[test]
    fn challenges_differ() {
        let challenge = |_| match Exchange::begin(Mechanism::CramMd5, None) {
            Step::Challenge(text, Exchange::CramMd5 { challenge }) => {
                assert_eq!(text, challenge);
                assert!(text.starts_with(b"<") && text.ends_with(b">") && text.contains(&b'@'));
                text
            }
            step => panic!("{step:?}"),
        };
        let [one, two] = [(), ()].map(challenge);
        assert_ne!(one, two);
        let refused = Step::Refused(Refusal::InitialResponse);
        assert_eq!(Exchange::begin(Mechanism::CramMd5, Some(b"")), refused);
    }
}

//! The packets of the CVM protocol, version 2: credentials there, facts back (CVM-REQ, CVM-RESP).
//!
//! Stops credential injection (CVM-REQ-8): a credential that does not fit its length byte is no packet.

use bstr::{BStr, BString, ByteSlice};

/// The longest request, its final NUL included (CVM-REQ-7).
pub const REQUEST_MAX: usize = 511;

/// The longest response that is looked at (CVM-RESP-1).
pub const RESPONSE_MAX: usize = 512;

/// The longest credential: its length is one byte (CVM-REQ-8).
pub const CREDENTIAL_MAX: usize = 255;

const VERSION: u8 = 2;

/// Ends the list of credentials or facts.
const END: u8 = 0;

/// What a client can give a module (CVM-REQ-2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credential {
    /// Who it wants to be.
    Account = 1,
    /// Where that account is.
    Domain = 2,
    /// The password, as it is.
    Password = 3,
    /// What entitles to look-ups without password.
    Secret = 4,
    /// What the client was given to answer.
    Challenge = 5,
    /// Its answer, 16 bytes for CRAM-MD5.
    Response = 6,
    /// How the answer was made.
    ResponseType = 7,
}

/// What a module can tell of an account (CVM-RESP-4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names of the protocol say it")]
pub enum Fact {
    UserName = 1,
    UserId = 2,
    GroupId = 3,
    RealName = 4,
    Directory = 5,
    Shell = 6,
    GroupName = 7,
    SupplementaryGroupId = 8,
    SystemUserName = 9,
    Domain = 14,
    Mailbox = 15,
    OutOfScope = 16,
}

/// Why there is no request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestError {
    /// The credential has more than [`CREDENTIAL_MAX`] bytes.
    CredentialTooLong(Credential),
    /// All of them together have more than [`REQUEST_MAX`].
    TooLong,
}

/// The request that carries `credentials` in their order, and `random` bytes for the answer to repeat.
///
/// # Errors
/// It would not fit; nothing may be sent then.
pub fn request(random: &[u8], credentials: &[(Credential, &[u8])]) -> Result<Vec<u8>, RequestError> {
    let random_length = u8::try_from(random.len()).map_err(|_| RequestError::TooLong)?;
    let mut packet = vec![VERSION, random_length];
    packet.extend_from_slice(random);
    for (kind, value) in credentials {
        let length = u8::try_from(value.len()).map_err(|_| RequestError::CredentialTooLong(*kind))?;
        packet.extend_from_slice(&[*kind as u8, length]);
        packet.extend_from_slice(value);
    }
    packet.push(END);
    if packet.len() > REQUEST_MAX { Err(RequestError::TooLong) } else { Ok(packet) }
}

/// Where a response stops being one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResponseError {
    /// The byte it was seen at.
    pub offset: usize,
    /// What is wrong.
    pub cause: Cause,
}

/// What is wrong with a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// It ends too early (CVM-RESP-2).
    TooShort,
    /// It does not repeat the random bytes of the request (CVM-RESP-2).
    NotOurs,
    /// A fact reaches beyond its end, or it does not end behind its facts (CVM-RESP-2, -5).
    Malformed,
}

/// A response: its first byte and its facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The result, 0 for success. That of a command is its exit status instead (CVM-XFER-1).
    pub code: u8,
    /// The facts, in their order.
    pub facts: Facts,
}

/// What a module told, each fact cut at its first NUL (CVM-RESP-8).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts(Vec<(u8, BString)>);

impl Facts {
    /// The first one of a kind: of a repeated fact only that counts (CVM-RESP-4).
    pub fn first(&self, fact: Fact) -> Option<&BStr> {
        self.all(fact).next()
    }

    /// All of a kind, in their order.
    pub fn all(&self, fact: Fact) -> impl Iterator<Item = &BStr> {
        self.0.iter().filter(move |(kind, _)| *kind == fact as u8).map(|(_, value)| value.as_bstr())
    }
}

/// Whether a packet carries exactly these random bytes and so answers our request (CVM-XFER-5).
pub fn is_answer_to(random: &[u8], packet: &[u8]) -> bool {
    packet.get(1).is_some_and(|length| usize::from(*length) == random.len())
        && packet.get(2..2 + random.len()) == Some(random)
}

/// Reads the response to a request with these random bytes. What is beyond [`RESPONSE_MAX`] must have
/// been cut off already.
///
/// # Errors
/// It is malformed, or answers another request; both are faults of the module, whatever its code.
pub fn response(random: &[u8], packet: &[u8]) -> Result<Response, ResponseError> {
    let fail = |offset, cause| Err(ResponseError { offset, cause });
    if packet.len() < 3 {
        return fail(packet.len(), Cause::TooShort);
    }
    if !is_answer_to(random, packet) {
        return fail(1, Cause::NotOurs);
    }
    let mut facts = Vec::new();
    let mut offset = 2 + random.len();
    loop {
        match &packet[offset..] {
            [] => return fail(offset, Cause::TooShort),
            [END] => return Ok(Response { code: packet[0], facts: Facts(facts) }),
            [END, ..] => return fail(offset + 1, Cause::Malformed),
            [kind, length, rest @ ..] if rest.len() >= usize::from(*length) => {
                let value = &rest[..usize::from(*length)];
                let text = value.split_once_str("\0").map_or(value, |(text, _)| text);
                facts.push((*kind, text.into()));
                offset += 2 + value.len();
            }
            _ => return fail(offset, Cause::Malformed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_its_credentials_in_order() {
        let credentials: [(Credential, &[u8]); 3] =
            [(Credential::Account, b"bob"), (Credential::Domain, b""), (Credential::Password, b"pw")];
        assert_eq!(request(b"", &credentials).unwrap(), b"\x02\0\x01\x03bob\x02\0\x03\x02pw\0");
        assert_eq!(request(b"ra", &[]).unwrap(), b"\x02\x02ra\0");
    }

    #[test]
    fn what_does_not_fit_is_no_request() {
        let account = |length| request(b"", &[(Credential::Account, &vec![b'x'; length])]);
        assert!(account(255).is_ok());
        assert_eq!(account(256), Err(RequestError::CredentialTooLong(Credential::Account)));
        let two = |length| {
            let values = (vec![b'x'; 250], vec![b'y'; length]);
            request(b"", &[(Credential::Account, &values.0), (Credential::Password, &values.1)])
        };
        assert_eq!(two(254).unwrap().len(), 511);
        assert_eq!(two(255), Err(RequestError::TooLong));
        assert_eq!(request(&[0; 256], &[]), Err(RequestError::TooLong));
    }

    #[test]
    fn a_response_has_facts_up_to_its_end() {
        let read = response(b"rr", b"\x64\x02rr\x01\x03b\0b\x01\x01x\x10\0\xff\x01z\0").unwrap();
        assert_eq!(read.code, 100);
        assert_eq!(read.facts.first(Fact::UserName), Some("b".into()));
        assert_eq!(read.facts.all(Fact::UserName).count(), 2);
        assert_eq!(read.facts.first(Fact::OutOfScope), Some("".into()));
        assert_eq!(read.facts.first(Fact::Domain), None);
    }

    #[test]
    fn a_response_that_is_none_says_where() {
        let table: [(&[u8], &[u8], usize, Cause); 11] = [
            (b"", b"", 0, Cause::TooShort),
            (b"", b"\0\0", 2, Cause::TooShort),
            (b"", b"\0\x01x", 1, Cause::NotOurs),
            (b"r", b"\0\0\0", 1, Cause::NotOurs),
            (b"r", b"\0\x01x\0", 1, Cause::NotOurs),
            (b"rr", b"\0\x02r", 1, Cause::NotOurs),
            (b"r", b"\0\x01r", 3, Cause::TooShort),
            (b"", b"\0\0\x01", 2, Cause::Malformed),
            (b"", b"\0\0\x01\x02x\0", 6, Cause::TooShort),
            (b"", b"\0\0\x01\x05x\0", 2, Cause::Malformed),
            (b"", b"\0\0\0\0", 3, Cause::Malformed),
        ];
        for (random, packet, offset, cause) in table {
            assert_eq!(response(random, packet), Err(ResponseError { offset, cause }), "{packet:?}");
        }
    }
}

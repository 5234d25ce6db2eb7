//! What must hold of the codecs that say who a client is.

use mailfront::{
    credentials::{
        identity::{ID_MAX, Identity},
        modules::out_of_scope,
        sasl::{
            Refusal,
            exchange::{Exchange, Mechanism, Proof, Step},
        },
    },
    wire::{
        base64,
        cvm::{self, CREDENTIAL_MAX, Credential, Fact, REQUEST_MAX},
    },
};
use mailfront_conformance::sandbox::service::cvm::decode;

/// What is taken for base64 is what [`base64::encode`] writes, and nothing else (SASL-B64-1, -2).
pub fn base64(text: &[u8]) {
    assert_eq!(base64::decode(&base64::encode(text)).as_deref(), Ok(text));
    match base64::decode(text) {
        Ok(bytes) => assert_eq!(base64::encode(&bytes), text, "a text that is not canonical"),
        Err(error) => assert!(error.offset < text.len() && error.offset % 4 == 0, "{error:?}"),
    }
}

const KINDS: [Credential; 7] = [
    Credential::Account,
    Credential::Domain,
    Credential::Password,
    Credential::Secret,
    Credential::Challenge,
    Credential::Response,
    Credential::ResponseType,
];

/// A request that is sent holds the credentials it was made of and no others, to a reader that shares no
/// code with its writer (CVM-REQ-1, -8). The input: how many random bytes, then credentials, each a kind,
/// a length in two bytes and so many bytes.
pub fn cvm_request(input: &[u8]) {
    let Some((count, rest)) = input.split_first() else { return };
    let (random, mut rest) = rest.split_at(rest.len().min(usize::from(*count)));
    let mut credentials: Vec<(Credential, &[u8])> = Vec::new();
    while let [kind, high, low, more @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(more.len());
        credentials.push((KINDS[usize::from(*kind) % KINDS.len()], &more[..length]));
        rest = &more[length..];
    }
    let Ok(packet) = cvm::request(random, &credentials) else {
        let size: usize = credentials.iter().map(|(_, value)| 2 + value.len()).sum();
        let is_long = credentials.iter().any(|(_, value)| value.len() > CREDENTIAL_MAX);
        assert!(is_long || 3 + random.len() + size > REQUEST_MAX, "a request that would fit");
        return;
    };
    assert!(packet.len() <= REQUEST_MAX);
    let read = decode(&packet);
    assert_eq!(read.cookie, random);
    assert!(read.facts.iter().all(|(name, _)| name != "malformed"), "{:?}", read.facts);
    let own = ["version", "random", "credentials"];
    let values: Vec<&[u8]> = read
        .facts
        .iter()
        .filter(|(name, _)| !own.contains(&name.as_str()))
        .map(|(_, value)| &value[..])
        .collect();
    assert_eq!(values, credentials.iter().map(|(_, value)| *value).collect::<Vec<_>>());
}

/// Nothing that a module answers is more than it says: every byte has its place, ids are ids, texts have no
/// NUL (CVM-RESP-1 … 8). The input: how many random bytes were sent, these, then the answer.
pub fn cvm_response(input: &[u8]) {
    let Some((count, rest)) = input.split_first() else { return };
    let (random, packet) = rest.split_at(rest.len().min(usize::from(*count)));
    match cvm::response(random, packet) {
        Ok(response) => {
            assert_eq!(packet[0], response.code);
            assert!(cvm::is_answer_to(random, packet) && packet.ends_with(b"\0"));
            let _any = out_of_scope(&response.facts);
            if let Ok(identity) = Identity::from_facts(response.facts) {
                assert!(identity.uid <= ID_MAX && identity.gid <= ID_MAX);
                assert!(identity.groups().iter().all(|id| *id <= ID_MAX));
                let variables = identity.variables();
                assert!(variables.iter().all(|(_, value)| !value.contains(&0)), "{variables:?}");
                assert_eq!(identity.fact(Fact::UserName), Some(identity.user.as_ref()));
            }
        }
        Err(error) => assert!(error.offset <= packet.len(), "{error:?}"),
    }
}

/// Whatever a client answers, an exchange ends after two challenges at most, with what the client said or a
/// refusal (SASL-RESP-1 … 4). The input: mechanism and whether there is an initial response, then responses
/// separated by line feeds.
pub fn sasl(input: &[u8]) {
    let Some((choice, rest)) = input.split_first() else { return };
    let mechanism = [Mechanism::Plain, Mechanism::Login, Mechanism::CramMd5][usize::from(choice % 3)];
    let mut responses = rest.split(|byte| *byte == b'\n');
    let mut last: &[u8] = b"";
    let initial = if choice & 4 == 0 { None } else { responses.next() };
    last = initial.unwrap_or(last);
    let mut step = Exchange::begin(mechanism, initial);
    let mut challenges = 0;
    loop {
        match step {
            Step::Challenge(_, exchange) => {
                challenges += 1;
                assert!(challenges <= 2, "an exchange without end");
                last = responses.next().unwrap_or_default();
                step = exchange.answer(last);
            }
            Step::Proof(Proof::Password { user, password }) => {
                assert!(!user.contains(&0) && !password.contains(&0));
                assert!(last.len() >= password.len());
                return;
            }
            Step::Proof(Proof::Digest { user, challenge, digest }) => {
                assert!(!user.contains(&b' ') && challenge.starts_with(b"<") && challenge.ends_with(b">"));
                let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
                assert_eq!(
                    last.to_ascii_lowercase(),
                    [&user.to_ascii_lowercase()[..], b" ", digits.as_bytes()].concat()
                );
                return;
            }
            Step::Refused(refusal) => {
                assert!(matches!(refusal, Refusal::Malformed | Refusal::InitialResponse), "{refusal:?}");
                return;
            }
        }
    }
}

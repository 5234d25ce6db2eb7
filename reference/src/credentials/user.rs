//! What a client calls itself, split into account and domain (CVM-DOM-1 … 4, AUTH-13).

use bstr::{BStr, BString, ByteSlice};

use crate::session::process_variable;

/// The characters that end the account, without `$CVM_ACCOUNT_SPLIT_CHARS` (CVM-DOM-2).
const SPLIT: &[u8] = b"@";

/// The name of this host as the connection knows it: `$PROTO` and `LOCALHOST`, `TCP` without `$PROTO`.
/// Nothing if it is unset; it may be empty.
pub fn local_host() -> Option<BString> {
    let prefix = process_variable(b"PROTO").unwrap_or_else(|| "TCP".into());
    process_variable(&[&prefix, &b"LOCALHOST"[..]].concat())
}

/// The domain of an account that has none, for a password that comes by itself (CVM-DOM-1).
pub fn default_domain() -> Option<BString> {
    let host = local_host().unwrap_or_else(|| "unknown".into());
    (!host.is_empty()).then_some(host)
}

/// The domain of an account that has none, for SASL: empty where the connection has no `$PROTO`
/// (CVM-DOM-4).
pub fn default_sasl_domain() -> BString {
    process_variable(b"PROTO").and_then(|_| local_host()).unwrap_or_default()
}

/// Splits `name` at its last splitting character. The domain is `None` if there is none (CVM-DOM-2).
pub fn split(name: &BStr) -> (&BStr, Option<&BStr>) {
    let characters = process_variable(b"CVM_ACCOUNT_SPLIT_CHARS").unwrap_or_else(|| SPLIT.into());
    split_at_last(name, &characters)
}

fn split_at_last<'a>(name: &'a BStr, characters: &[u8]) -> (&'a BStr, Option<&'a BStr>) {
    match name.rfind_byteset(characters) {
        Some(at) => (&name[..at], Some(&name[at + 1..])),
        None => (name, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts<'a>(name: &'a str, characters: &str) -> (&'a [u8], Option<&'a [u8]>) {
        let (account, domain) = split_at_last(name.into(), characters.as_bytes());
        (account, domain.map(|domain| domain.as_bytes()))
    }

    #[test]
    fn the_last_splitting_character_counts() {
        assert_eq!(parts("a@b@c", "@"), (&b"a@b"[..], Some(&b"c"[..])));
        assert_eq!(parts("a%b@c", "%@"), (&b"a%b"[..], Some(&b"c"[..])));
        assert_eq!(parts("a@b%c", "%@"), (&b"a@b"[..], Some(&b"c"[..])));
        assert_eq!(parts("@b", "@"), (&b""[..], Some(&b"b"[..])));
        assert_eq!(parts("a@", "@"), (&b"a"[..], Some(&b""[..])));
        assert_eq!(parts("a", "@"), (&b"a"[..], None));
        assert_eq!(parts("a@b", ""), (&b"a@b"[..], None));
    }
}

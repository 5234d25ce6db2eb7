//! GnuTLS's priority strings, as far as they have a meaning here (TLS-3).
//!
//! `NORMAL`, `SECURE…`, `PFS`, `NONE` and switches of protocol versions are honoured. Of the rest,
//! what would restrict makes TLS unavailable, so that nothing is ever silently weaker than was asked
//! for; what would only add is left out and reported.

use bstr::{BString, ByteSlice};

/// What a priority string leaves to be offered; at least one version is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Priority {
    /// TLS 1.2 is offered.
    pub tls12: bool,
    /// TLS 1.3 is offered.
    pub tls13: bool,
    /// Only ciphers of 256 bits and groups of at least 192 bits of security.
    pub strong: bool,
    /// Parts without a meaning here.
    pub ignored: Vec<BString>,
}

impl Default for Priority {
    /// `NORMAL`.
    fn default() -> Self {
        Self { tls12: true, tls13: true, strong: false, ignored: Vec::new() }
    }
}

/// Why nothing can be offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unusable {
    /// A part would restrict, and is not known.
    Restriction(BString),
    /// No protocol version is left.
    NoVersion,
}

/// Versions that are not in the library: leaving them out is done already.
const ABSENT_VERSIONS: &[&str] = &["SSL3.0", "TLS1.0", "TLS1.1", "DTLS0.9", "DTLS1.0", "DTLS1.2", "DTLS-ALL"];

/// Reads a priority string: parts separated by `:`, without regard to case.
///
/// # Errors
/// Why TLS must not be offered.
pub fn parse(text: &[u8]) -> Result<Priority, Unusable> {
    let mut priority = Priority::default();
    if text.trim().is_empty() {
        priority.ignored.push(text.into());
    }
    for part in text.split(|byte| *byte == b':').map(ByteSlice::trim).filter(|part| !part.is_empty()) {
        priority.apply(part)?;
    }
    if priority.tls12 || priority.tls13 { Ok(priority) } else { Err(Unusable::NoVersion) }
}

impl Priority {
    fn apply(&mut self, part: &[u8]) -> Result<(), Unusable> {
        let upper = part.to_ascii_uppercase();
        match (upper[0], &upper[1..]) {
            (b'+', name) => match name.strip_prefix(b"VERS-") {
                Some(version) if self.switch(version, true) => {}
                _ => self.ignored.push(part.into()),
            },
            (b'-' | b'!', name) => match name.strip_prefix(b"VERS-") {
                Some(version) if self.switch(version, false) || is_absent(version) => {}
                _ => return Err(Unusable::Restriction(part.into())),
            },
            _ => match &upper[..] {
                // All that the library has is forward secret.
                b"NORMAL" | b"PFS" | b"SECURE" | b"SECURE128" => {}
                b"NONE" => (self.tls12, self.tls13) = (false, false),
                name if name.starts_with(b"SECURE") => self.strong = true,
                name if name.starts_with(b"SUITEB") => return Err(Unusable::Restriction(part.into())),
                _ => self.ignored.push(part.into()),
            },
        }
        Ok(())
    }

    /// Switches versions; `false` if the library has none of that name.
    fn switch(&mut self, version: &[u8], on: bool) -> bool {
        match version {
            b"TLS1.2" => self.tls12 = on,
            b"TLS1.3" => self.tls13 = on,
            b"ALL" | b"TLS-ALL" => (self.tls12, self.tls13) = (on, on),
            _ => return false,
        }
        true
    }
}

fn is_absent(version: &[u8]) -> bool {
    ABSENT_VERSIONS.iter().any(|absent| absent.as_bytes() == version)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(text: &str) -> (bool, bool, bool) {
        let priority = parse(text.as_bytes()).unwrap();
        assert_eq!(priority.ignored, Vec::<BString>::new(), "{text}");
        (priority.tls12, priority.tls13, priority.strong)
    }

    #[test]
    fn versions_and_strengths_are_honoured() {
        assert_eq!(offered("NORMAL"), (true, true, false));
        assert_eq!(offered("normal:-vers-tls1.2"), (false, true, false));
        assert_eq!(offered("NORMAL:!VERS-TLS1.3:-VERS-SSL3.0"), (true, false, false));
        assert_eq!(offered("NORMAL:-VERS-ALL:+VERS-TLS1.3"), (false, true, false));
        assert_eq!(offered("NONE:+VERS-TLS1.2"), (true, false, false));
        assert_eq!(offered("SECURE128:PFS"), (true, true, false));
        assert_eq!(offered("SECURE256"), (true, true, true));
    }

    #[test]
    fn a_restriction_that_is_not_known_is_never_dropped() {
        for part in ["-RSA", "!AES-128-GCM", "-VERS-TLS1.4", "SUITEB128", "-", "!"] {
            assert_eq!(
                parse(format!("NORMAL:{part}").as_bytes()),
                Err(Unusable::Restriction(part.into())),
                "{part}"
            );
        }
    }

    #[test]
    fn what_would_only_add_is_reported() {
        let priority = parse(b"NORMAL:+ARCFOUR-128:%COMPAT:+VERS-TLS1.0:x").unwrap();
        assert_eq!(priority.ignored, ["+ARCFOUR-128", "%COMPAT", "+VERS-TLS1.0", "x"]);
        assert_eq!(parse(b"").unwrap().ignored, [""]);
    }

    #[test]
    fn no_version_is_an_error() {
        for text in ["NORMAL:-VERS-ALL", "NONE", "NORMAL:-VERS-TLS1.2:-VERS-TLS1.3"] {
            assert_eq!(parse(text.as_bytes()), Err(Unusable::NoVersion), "{text}");
        }
    }
}

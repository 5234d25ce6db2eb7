//! TLS inside a protocol: STARTTLS and `$TLS_IMMEDIATE` (TLS-1 … 16).
//!
//! [`settings`] turns the `$TLS_*` variables and the files they name into a [`Server`] or says what
//! is wrong; [`priority`] reads the part of GnuTLS's priority strings that has a meaning here; and
//! [`stream`] is one connection's TLS as a pure codec: records in, plaintext out, and back. The
//! connection moves the bytes and keeps its time limits.

pub mod priority;
pub mod settings;
pub mod stream;

use std::sync::Arc;

use rustls::{
    Error, ServerConfig, ServerConnection, SignatureAlgorithm, SupportedCipherSuite,
    SupportedProtocolVersion,
    crypto::ring,
    server::NoServerSessionStorage,
    sign::{CertifiedKey, SingleCertAndKey},
    version::{TLS12, TLS13},
};

use self::{priority::Priority, stream::Stream};

/// What is needed to shake hands, ready before the greeting (TLS-2).
#[derive(Debug)]
pub struct Server {
    certified: CertifiedKey,
    priority: Priority,
}

impl Server {
    /// The server's side of one TLS connection. All that only a handshake needs is made here, so that
    /// a session without one does not pay for it.
    ///
    /// # Errors
    /// The library does not take what was configured.
    pub fn accept(&self) -> Result<Stream, Error> {
        let mut provider = ring::default_provider();
        if self.priority.strong {
            provider.cipher_suites.retain(is_strong_suite);
            provider.kx_groups.retain(|group| group.name() == rustls::NamedGroup::secp384r1);
        }
        let key_algorithm = self.certified.key.algorithm();
        let resolver = Arc::new(SingleCertAndKey::from(self.certified.clone()));
        let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&self.versions())?
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        // A process serves one connection: there is nothing to resume.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Stream::new(ServerConnection::new(Arc::new(config))?, key_algorithm))
    }

    fn versions(&self) -> Vec<&'static SupportedProtocolVersion> {
        let wanted = [(&TLS13, self.priority.tls13), (&TLS12, self.priority.tls12)];
        wanted.into_iter().filter(|(_, wanted)| *wanted).map(|(version, _)| version).collect()
    }
}

/// Whether a suite's cipher has a key of 256 bits.
fn is_strong_suite(suite: &SupportedCipherSuite) -> bool {
    let name = suite.suite().as_str().unwrap_or_default();
    name.contains("AES_256") || name.contains("CHACHA20")
}

/// What was agreed on, in the four words of the log and of the session strings (TLS-5, -6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Negotiated {
    /// `TLS1.3`
    pub protocol: &'static str,
    /// `ECDHE-RSA`
    pub key_exchange: &'static str,
    /// `AES-256-GCM`
    pub cipher: &'static str,
    /// `AEAD`
    pub mac: &'static str,
}

impl Negotiated {
    /// All four words.
    pub fn words(&self) -> String {
        [self.protocol, self.key_exchange, self.cipher, self.mac].join(" ")
    }

    fn new(suite: SupportedCipherSuite, key: SignatureAlgorithm) -> Self {
        let name = suite.suite().as_str().unwrap_or_default();
        let cipher = [("AES_128", "AES-128-GCM"), ("AES_256", "AES-256-GCM")];
        Self {
            protocol: if suite.tls13().is_some() { "TLS1.3" } else { "TLS1.2" },
            key_exchange: if key == SignatureAlgorithm::RSA { "ECDHE-RSA" } else { "ECDHE-ECDSA" },
            cipher: cipher
                .iter()
                .find(|(part, _)| name.contains(part))
                .map_or("CHACHA20-POLY1305", |(_, word)| word),
            // The library has no other kind.
            mac: "AEAD",
        }
    }
}

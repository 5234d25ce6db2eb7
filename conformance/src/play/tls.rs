//! The client's side of TLS in a play.

use std::{
    io::{self, Read as _, Write as _},
    sync::{Arc, Mutex, PoisonError},
};

use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, DistinguishedName, Error,
    RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
    version::{TLS12, TLS13},
};

use crate::transcript::{
    text::Variables,
    tls::{Handshake, Verify, Version},
};

/// The most plaintext in one record.
const RECORD_MAX: usize = 16 * 1024;

/// Kinds of a record (RFC 8446 section 5.1).
const KINDS: std::ops::RangeInclusive<u8> = 20..=23;

/// What came of a handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// There is TLS; this was agreed on.
    Agreed(String),
    /// There is none: the alert that the server sent, if it did, and the reason.
    Failed(Option<String>, String),
}

/// One connection's TLS. It moves no bytes itself.
pub struct Client {
    tls: ClientConnection,
    /// Everything the server sent during the handshake.
    raw: Vec<u8>,
    /// The server said that nothing more will come.
    pub peer_closed: bool,
    /// The handshake, or TLS itself, came to this.
    pub error: Option<Error>,
}

impl Client {
    /// A client that shakes hands as a `tls` step says; the files are found through `variables`.
    ///
    /// # Errors
    /// A certificate of the suite cannot be read or used.
    pub fn new(handshake: &Handshake, variables: &Variables) -> io::Result<Self> {
        let provider = Arc::new(ring::default_provider());
        let verifier = Verifier::new(handshake.verify, &provider, variables)?;
        let within = |version| {
            handshake.min.is_none_or(|min| min <= version) && handshake.max.is_none_or(|max| version <= max)
        };
        let versions: Vec<_> = [(Version::Tls13, &TLS13), (Version::Tls12, &TLS12)]
            .into_iter()
            .filter(|(version, _)| within(*version))
            .map(|(_, version)| version)
            .collect();
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&versions)
            .map_err(io::Error::other)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = if handshake.certificate {
            let pem = file(variables, "TLS_CLIENT")?;
            let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
            let key = PrivateKeyDer::from_pem_slice(&pem).map_err(io::Error::other)?;
            builder.with_client_auth_cert(chain.map_err(io::Error::other)?, key).map_err(io::Error::other)?
        } else {
            builder.with_no_client_auth()
        };
        config.resumption = rustls::client::Resumption::disabled();
        config.enable_sni = handshake.name.is_some();
        let name = handshake.name.clone().unwrap_or_else(|| "127.0.0.1".into());
        let name = ServerName::try_from(name).map_err(io::Error::other)?;
        let tls = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
        Ok(Self { tls, raw: Vec::new(), peer_closed: false, error: None })
    }

    /// Takes what the server sent; gives the plaintext in it.
    pub fn take(&mut self, mut bytes: &[u8]) -> Vec<u8> {
        if self.tls.is_handshaking() {
            self.raw.extend_from_slice(bytes);
        }
        let mut plaintext = Vec::new();
        while !bytes.is_empty() && self.error.is_none() && !self.peer_closed {
            let step = self.tls.read_tls(&mut bytes).map_err(|error| Error::General(error.to_string()));
            match step.and_then(|_| self.tls.process_new_packets()) {
                Ok(state) => {
                    let mut reader = self.tls.reader().take(state.plaintext_bytes_to_read() as u64);
                    let _ = reader.read_to_end(&mut plaintext);
                    self.peer_closed = state.peer_has_closed();
                }
                Err(error) => self.error = Some(error),
            }
        }
        plaintext
    }

    /// Encrypts a piece: records of its own, so that the server gets it as a piece of its own.
    pub fn give(&mut self, piece: &[u8]) -> Vec<u8> {
        let mut records = Vec::new();
        for part in piece.chunks(RECORD_MAX) {
            // The library refuses only what it has no room for, and what it had is taken away each time.
            let _ = self.tls.writer().write_all(part);
            records.extend(self.outgoing());
        }
        records
    }

    /// Says that nothing more will be sent.
    pub fn close(&mut self) -> Vec<u8> {
        self.tls.send_close_notify();
        self.outgoing()
    }

    /// What is to be sent to the server.
    pub fn outgoing(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        while self.tls.wants_write() && self.tls.write_tls(&mut bytes).is_ok() {}
        bytes
    }

    /// Whether the handshake goes on.
    pub fn is_handshaking(&self) -> bool {
        self.tls.is_handshaking() && self.error.is_none()
    }

    /// What the server sent that belongs to no TLS record: it spoke in the clear.
    pub fn in_the_clear(&self) -> &[u8] {
        let mut rest = &self.raw[..];
        while let [kind, 3, _, high, low, ..] = rest
            && KINDS.contains(kind)
        {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            rest = rest.get(5 + length..).unwrap_or_default();
        }
        rest
    }

    /// What came of the handshake; `why` is the reason if the library has none.
    pub fn ending(&self, why: &str) -> Ending {
        match &self.error {
            None if !self.tls.is_handshaking() => {
                let facts = self.facts();
                let fact = |name: &str| {
                    let value = facts.iter().find(|(known, _)| *known == name);
                    value.map_or_else(String::new, |(_, value)| String::from_utf8_lossy(value).into_owned())
                };
                Ending::Agreed(format!("{} {}", fact("TLS_VERSION"), fact("TLS_CIPHER")))
            }
            None => Ending::Failed(None, why.into()),
            Some(Error::AlertReceived(alert)) => {
                let name = snake_case(&format!("{alert:?}"));
                Ending::Failed(Some(name.clone()), format!("the server's alert {name}"))
            }
            Some(error) => Ending::Failed(None, error.to_string()),
        }
    }

    /// What was agreed on, under the names that later steps have for it.
    pub fn facts(&self) -> Vec<(&'static str, Vec<u8>)> {
        let mut facts = Vec::new();
        let version = self.tls.protocol_version().and_then(|version| version.as_str()).unwrap_or_default();
        facts.push(("TLS_VERSION", version.replace('v', "").replace('_', ".").into_bytes()));
        let suite = self.tls.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str());
        facts.push(("TLS_CIPHER", suite.unwrap_or_default().replace("TLS13_", "TLS_").into_bytes()));
        let certificate = self.tls.peer_certificates().and_then(<[_]>::first);
        let subject = certificate.and_then(|certificate| common_name(certificate)).unwrap_or_default();
        facts.push(("TLS_SUBJECT", subject.to_vec()));
        facts
    }
}

/// `HandshakeFailure` as RFC 8446 writes it.
fn snake_case(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

/// The content of the file that a variable names.
fn file(variables: &Variables, name: &str) -> io::Result<Vec<u8>> {
    let path = variables.get(name).ok_or_else(|| io::Error::other(format!("there is no ${{{name}}}")))?;
    std::fs::read(String::from_utf8_lossy(path).as_ref())
}

/// The common name in the subject of a certificate (RFC 5280 section 4.1).
fn common_name(certificate: &[u8]) -> Option<&[u8]> {
    let (tbs, _) = element(element(certificate)?.0)?;
    let mut rest = tbs;
    // The version stands there unless it is the first; then serial, algorithm, issuer, validity.
    let before = if rest.first() == Some(&0xa0) { 5 } else { 4 };
    for _ in 0..before {
        rest = element(rest)?.1;
    }
    let subject = element(rest)?.0;
    let oid = [0x06, 0x03, 0x55, 0x04, 0x03];
    let at = subject.windows(oid.len()).position(|window| window == oid)?;
    Some(element(&subject[at + oid.len()..])?.0)
}

/// Content and rest of a DER element.
fn element(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = der.get(1..)?.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81 | 0x82 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first - 0x80))?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

/// Looks at the server's certificate as closely as the step says.
#[derive(Debug)]
struct Verifier {
    verify: Verify,
    inner: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

/// The verifier of each `${TLS_CA}`: making one is dear, and there is one a run.
static VERIFIERS: Mutex<Vec<(Vec<u8>, Arc<WebPkiServerVerifier>)>> = Mutex::new(Vec::new());

impl Verifier {
    fn new(verify: Verify, provider: &Arc<CryptoProvider>, variables: &Variables) -> io::Result<Self> {
        let inner = match verify {
            Verify::None => None,
            Verify::Chain | Verify::Name => Some(Self::inner(provider, &file(variables, "TLS_CA")?)?),
        };
        Ok(Self { verify, inner, provider: provider.clone() })
    }

    fn inner(provider: &Arc<CryptoProvider>, pem: &[u8]) -> io::Result<Arc<WebPkiServerVerifier>> {
        let mut known = VERIFIERS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, verifier)) = known.iter().find(|(ca, _)| ca == pem) {
            return Ok(verifier.clone());
        }
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            roots.add(certificate.map_err(io::Error::other)?).map_err(io::Error::other)?;
        }
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build();
        let verifier = verifier.map_err(io::Error::other)?;
        known.push((pem.to_vec(), verifier.clone()));
        Ok(verifier)
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(inner) = &self.inner else { return Ok(ServerCertVerified::assertion()) };
        match inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            // The chain is looked at first, so that it is good where only the name is not.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if self.verify == Verify::Chain => Ok(ServerCertVerified::assertion()),
            result => result,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }

    fn root_hint_subjects(&self) -> Option<&[DistinguishedName]> {
        None
    }
}

//! The `$TLS_*` variables and the files they name (TLS-1 … 3, TLS-15).

use std::{
    ffi::OsStr,
    fs::File,
    io::{self, Read as _},
    os::unix::ffi::OsStrExt as _,
};

use bstr::{BString, ByteSlice};
use ring::rsa;
use rustls::{
    Error, InconsistentKeys,
    crypto::ring::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};

use super::{
    Server,
    priority::{self, Priority, Unusable},
};
use crate::{plugin::Finding, session::Session};

const CERTFILE: &str = "TLS_CERTFILE";
const KEYFILE: &str = "TLS_KEYFILE";
const PRIORITY: &str = "TLS_PRIORITY";
const DH_PARAMS: &str = "TLS_DH_PARAMS";
const COMPAT: &str = "TLS_COMPAT";
const IMMEDIATE: &str = "TLS_IMMEDIATE";

/// The most bytes of a certificate, key or parameter file that are read: far above any chain.
const FILE_MAX: u64 = 1 << 20;

/// What the settings come to.
#[derive(Debug, Default)]
pub struct Settings {
    /// What a handshake needs; `None` if TLS is not configured or not available.
    pub server: Option<Server>,
    /// `$TLS_IMMEDIATE` is set: the handshake comes before the greeting (TLS-13).
    pub immediate: bool,
    /// What is wrong, one line of the log each.
    pub faults: Vec<Fault>,
    /// What only `--check` tells.
    notes: Vec<BString>,
}

/// Something that is wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The line of the log.
    pub line: String,
    /// Which variable and file, and what the system says, for `--check`.
    about: String,
    /// TLS works in spite of it.
    is_harmless: bool,
}

impl Fault {
    fn new(line: impl Into<String>, about: impl Into<String>) -> Self {
        Self { line: line.into(), about: about.into(), is_harmless: false }
    }
}

impl Settings {
    /// Reads variables and files. Nothing is read and nothing is said if TLS is not configured,
    /// unless it is asked for at once (TLS-1, TLS-15).
    pub fn read(session: &Session) -> Self {
        let mut settings = Self { immediate: session.setting(IMMEDIATE).is_some(), ..Self::default() };
        let certificate = session.setting(CERTFILE).filter(|name| !name.is_empty());
        let key = session.setting(KEYFILE);
        let key_variable = if key.is_some() { KEYFILE } else { CERTFILE };
        let key = key.or_else(|| certificate.clone());
        let (Some(certificate), Some(key)) = (certificate, key.filter(|name| !name.is_empty())) else {
            if settings.immediate {
                let line = "TLS init failed: no certificate is configured";
                settings
                    .faults
                    .push(Fault::new(line, format!("${IMMEDIATE} is set, and ${CERTFILE} is not")));
            }
            return settings;
        };
        let certified = identity(&certificate, key_variable, &key);
        let priority = settings.priority(session.setting(PRIORITY));
        let parameters = session.setting(DH_PARAMS).map(|name| check_parameters(&name));
        match &parameters {
            Some(Ok(())) => settings.note(DH_PARAMS, "is not used: there is no DHE here"),
            Some(Err(fault)) => settings.faults.push(fault.clone()),
            None => {}
        }
        if session.setting(COMPAT).is_some() {
            settings.note(COMPAT, "is not used: the library has no such switch");
        }
        match (certified, priority) {
            (Ok(certified), Some(priority)) if !matches!(parameters, Some(Err(_))) => {
                settings.server = Some(Server { certified, priority });
            }
            (Ok(_), _) => {}
            (Err(fault), _) => settings.faults.insert(0, fault),
        }
        settings
    }

    fn note(&mut self, variable: &str, text: &str) {
        self.notes.push(format!("${variable} {text}").into());
    }

    /// The priority, `None` if there can be none. What was left out of it is a harmless fault.
    fn priority(&mut self, value: Option<BString>) -> Option<Priority> {
        let Some(value) = value else { return Some(Priority::default()) };
        let about = format!("${PRIORITY} is {value:?}");
        let line = match priority::parse(&value) {
            Ok(priority) => {
                for part in &priority.ignored {
                    let line = format!("TLS priority error: {part:?} is not known and left out");
                    self.faults.push(Fault { is_harmless: true, ..Fault::new(line, about.clone()) });
                }
                return Some(priority);
            }
            Err(Unusable::Restriction(part)) => format!("TLS priority error: {part:?} is not known"),
            Err(Unusable::NoVersion) => "TLS priority error: no protocol version is left".into(),
        };
        self.faults.push(Fault::new(line, about));
        None
    }

    /// The faults and notes for `--check`.
    pub fn findings(&self) -> Vec<Finding> {
        let faults = self.faults.iter().map(|fault| {
            let text = format!("{} ({})", fault.line, fault.about).into();
            if fault.is_harmless { Finding::Warning(text) } else { Finding::Problem(text) }
        });
        faults.chain(self.notes.iter().cloned().map(Finding::Warning)).collect()
    }
}

/// Certificate chain and key, which belong together (TLS-2).
fn identity(certificate: &BString, key_variable: &str, key: &BString) -> Result<CertifiedKey, Fault> {
    let of_certificate = (CERTFILE, certificate);
    let of_key = (key_variable, key);
    // Whoever reads the C program's log knows this line.
    let unreadable = |(variable, path): (&str, &BString), error: &io::Error| {
        let about = format!("${variable} {path:?}: {}", said(error));
        Fault::new("TLS init failed: Error while reading file.", about)
    };
    let chain = content(certificate).map_err(|error| unreadable(of_certificate, &error))?;
    let pem = content(key).map_err(|error| unreadable(of_key, &error))?;
    certified(&chain, &pem).map_err(|unfit| {
        let (variable, path) = if unfit.is_of_certificate() { of_certificate } else { of_key };
        Fault::new(format!("TLS init failed: {}", unfit.text()), format!("${variable} {path:?}"))
    })
}

/// Why a certificate and a key cannot be used.
#[derive(Debug, Clone, PartialEq)]
pub enum Unfit {
    /// The first file holds none.
    NoCertificate,
    /// The second file holds none, or an encrypted one.
    NoKey,
    /// An RSA key of less than 2048 bits.
    ShortRsa,
    /// The library knows no such key.
    Key,
    /// The key does not belong to the certificate.
    Mismatch,
    /// The library does not take the certificate.
    Certificate(Error),
}

impl Unfit {
    fn is_of_certificate(&self) -> bool {
        matches!(self, Self::NoCertificate | Self::Certificate(_))
    }

    fn text(&self) -> String {
        match self {
            Self::NoCertificate => "No certificate in PEM form was found.".into(),
            Self::NoKey => "No unencrypted key in PEM form was found.".into(),
            Self::ShortRsa => "RSA keys under 2048 bits are refused.".into(),
            Self::Key => "The key cannot be used.".into(),
            Self::Mismatch => "The certificate and the given key do not match.".into(),
            Self::Certificate(error) => format!("{error}."),
        }
    }
}

/// The chain in one PEM file and the key in another, or in the same.
///
/// # Errors
/// Why they cannot be used.
pub fn certified(certificate: &[u8], key: &[u8]) -> Result<CertifiedKey, Unfit> {
    let chain: Result<Vec<CertificateDer<'static>>, _> =
        CertificateDer::pem_slice_iter(certificate).collect();
    let chain = chain.ok().filter(|chain| !chain.is_empty()).ok_or(Unfit::NoCertificate)?;
    let der = PrivateKeyDer::from_pem_slice(key).map_err(|_| Unfit::NoKey)?;
    CertifiedKey::from_der(chain, der.clone_key(), &default_provider()).map_err(|error| match error {
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => Unfit::Mismatch,
        Error::General(_) if is_short_rsa(&der) => Unfit::ShortRsa,
        Error::General(_) => Unfit::Key,
        error => Unfit::Certificate(error),
    })
}

/// Whether a key that was not taken is an RSA key too short for the library, which does not say so.
fn is_short_rsa(key: &PrivateKeyDer<'_>) -> bool {
    let parsed = match key {
        PrivateKeyDer::Pkcs1(der) => rsa::KeyPair::from_der(der.secret_pkcs1_der()),
        PrivateKeyDer::Pkcs8(der) => rsa::KeyPair::from_pkcs8(der.secret_pkcs8_der()),
        _ => return false,
    };
    parsed.is_err_and(|rejected| rejected.to_string() == "TooSmall")
}

/// Whether a file of DH parameters could be used (TLS-3, TLS-4).
fn check_parameters(path: &BString) -> Result<(), Fault> {
    let about = format!("${DH_PARAMS} {path:?}");
    let pem = content(path).map_err(|error| {
        Fault::new(format!("TLS error reading DH params: {}", said(&error)), about.clone())
    })?;
    if is_dh_parameters(&pem) {
        return Ok(());
    }
    Err(Fault::new("TLS error parsing DH params: No parameters in PEM form were found.", about))
}

/// Whether a PEM file holds a sequence that begins with two integers, prime and generator
/// (PKCS #3, section 9).
pub fn is_dh_parameters(pem: &[u8]) -> bool {
    // The reader of PEM files does not know this label, and passes over those that it does not know.
    let pem = pem.replace(" CERTIFICATE-", " X-").replace(" DH PARAMETERS-", " CERTIFICATE-");
    let Ok(der) = CertificateDer::from_pem_slice(&pem) else { return false };
    let integers = element(&der, 0x30).filter(|(_, rest)| rest.is_empty()).map(|(inside, _)| inside);
    let after_prime = integers.and_then(|inside| element(inside, 0x02)).map(|(_, rest)| rest);
    after_prime.and_then(|rest| element(rest, 0x02)).is_some()
}

/// Content and rest of a DER element with this tag.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81 | 0x82 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first - 0x80))?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    if found == tag { rest.split_at_checked(length) } else { None }
}

/// The content of a file, of at most [`FILE_MAX`] bytes.
fn content(path: &BString) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    File::open(OsStr::from_bytes(path))?.take(FILE_MAX).read_to_end(&mut content)?;
    Ok(content)
}

/// What the system says, without its number.
fn said(error: &io::Error) -> String {
    let text = error.to_string();
    text.split_once(" (os error").map_or(text.as_str(), |(said, _)| said).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 512 bits, made with `openssl dhparam`: too short for anything but a test.
    const DH: &str = "-----BEGIN DH PARAMETERS-----\n\
        MEYCQQCy3MaOEHFfbkHMxJjpjbrLvIlst3+xtDqM7UZeEGLfc2j2M/XlCp+lfLSY\n\
        vvlDsEZnu1qMG8/FDriaHeIyTVQ/AgEC\n\
        -----END DH PARAMETERS-----\n";

    #[test]
    fn dh_parameters_are_two_integers() {
        assert!(is_dh_parameters(DH.as_bytes()));
        for other in ["", "junk", &DH.replace("MEYCQQ", "MEYDQQ"), &DH.replace("DH PARAM", "EC PARAM")] {
            assert!(!is_dh_parameters(other.as_bytes()), "{other}");
        }
    }
}

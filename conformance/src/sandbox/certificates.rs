//! Certificates and keys for the TLS cases, made once a run and only if a case asks for them.
//!
//! RSA keys cannot be made by the library; two of them, for tests only, are in `fixtures/tls`.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    date_time_ymd,
};

use crate::transcript::text::Variables;

/// What the certificates are for.
pub const NAMES: [&str; 3] = ["local.host", "localhost", "mx.example.com"];

/// The variables, with the files they stand for.
pub const FILES: [(&str, &str); 11] = [
    ("TLS_CA", "ca.pem"),
    ("TLS_CERT", "cert.pem"),
    ("TLS_KEY", "key.pem"),
    ("TLS_BOTH", "both.pem"),
    ("TLS_CLIENT", "client.pem"),
    ("TLS_EXPIRED", "expired.pem"),
    ("TLS_OTHER_KEY", "other-key.pem"),
    ("TLS_RSA", "rsa-2048.pem"),
    ("TLS_RSA_1024", "rsa-1024.pem"),
    ("TLS_DH", "dh.pem"),
    ("TLS_JUNK", "junk.pem"),
];

/// Files that are kept with the cases.
const KEPT: [(&str, &str); 3] = [
    ("rsa-2048.pem", include_str!("../../../fixtures/tls/rsa-2048.pem")),
    ("rsa-1024.pem", include_str!("../../../fixtures/tls/rsa-1024.pem")),
    ("dh.pem", include_str!("../../../fixtures/tls/dh.pem")),
];

/// The text of a file that is kept with the cases.
pub fn kept(file: &str) -> Option<&'static str> {
    KEPT.iter().find(|(name, _)| *name == file).map(|(_, text)| *text)
}

/// Writes all files into `folder`.
///
/// # Errors
/// A certificate cannot be made or a file not be written.
pub fn make(folder: &Path) -> io::Result<()> {
    fs::create_dir(folder)?;
    let write = |name: &str, text: &str| fs::write(folder.join(name), text);
    let key = || KeyPair::generate().map_err(io::Error::other);
    let ca_key = key()?;
    let mut ca = named("Test authority", &[])?;
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_certificate = ca.self_signed(&ca_key).map_err(io::Error::other)?;
    let issuer = Issuer::new(ca, ca_key);
    let signed = |params: CertificateParams, key: &KeyPair| {
        params.signed_by(key, &issuer).map(|certificate| certificate.pem()).map_err(io::Error::other)
    };
    write("ca.pem", &ca_certificate.pem())?;

    let server_key = key()?;
    let server = signed(named(NAMES[0], &NAMES)?, &server_key)?;
    write("cert.pem", &server)?;
    write("key.pem", &server_key.serialize_pem())?;
    write("both.pem", &format!("{server}{}", server_key.serialize_pem()))?;

    let mut expired = named(NAMES[0], &NAMES)?;
    expired.not_after = date_time_ymd(2001, 1, 1);
    expired.not_before = date_time_ymd(2000, 1, 1);
    write("expired.pem", &format!("{}{}", signed(expired, &server_key)?, server_key.serialize_pem()))?;

    let client_key = key()?;
    let mut client = named("client.example.net", &["client.example.net"])?;
    client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    write("client.pem", &format!("{}{}", signed(client, &client_key)?, client_key.serialize_pem()))?;
    write("other-key.pem", &client_key.serialize_pem())?;
    write("junk.pem", "-----BEGIN CERTIFICATE-----\nno base64 at all!\n-----END CERTIFICATE-----\n")?;
    KEPT.into_iter().try_for_each(|(name, text)| write(name, text))
}

fn named(common_name: &str, names: &[&str]) -> io::Result<CertificateParams> {
    let names: Vec<String> = names.iter().map(|name| (*name).into()).collect();
    let mut params = CertificateParams::new(names).map_err(io::Error::other)?;
    params.distinguished_name.push(DnType::CommonName, common_name);
    Ok(params)
}

/// Adds the variables to `variables`.
pub fn name(folder: &Path, variables: &mut Variables) {
    let path = |file: &str| -> PathBuf { folder.join(file) };
    variables.extend(
        FILES.map(|(name, file)| (name.to_string(), path(file).to_string_lossy().into_owned().into_bytes())),
    );
}

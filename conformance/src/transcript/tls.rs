//! The words of a `tls` step.

use std::fmt::Write as _;

/// How the client shakes hands, and what must come of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Handshake {
    /// The server's name: sent along, and what [`Verify::Name`] looks for.
    pub name: Option<String>,
    /// The lowest version offered.
    pub min: Option<Version>,
    /// The highest version offered.
    pub max: Option<Version>,
    /// What the server's certificate must show.
    pub verify: Verify,
    /// The client shows a certificate if it is asked for one.
    pub certificate: bool,
    /// The handshake must fail, with this alert if one is named.
    pub fails: Option<Option<String>>,
}

/// A version that the client can speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// TLS 1.2.
    Tls12,
    /// TLS 1.3.
    Tls13,
}

/// How closely the client looks at the server's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verify {
    /// Not at all, as mail is sent on (RFC 7672 section 1.3).
    #[default]
    None,
    /// It must come from `${TLS_CA}` and be valid today.
    Chain,
    /// It must be for the server's name, too.
    Name,
}

impl Version {
    fn word(self) -> &'static str {
        match self {
            Self::Tls12 => "1.2",
            Self::Tls13 => "1.3",
        }
    }

    fn named(word: &str) -> Option<Self> {
        [Self::Tls12, Self::Tls13].into_iter().find(|version| version.word() == word)
    }
}

impl Verify {
    fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Chain => "chain",
            Self::Name => "name",
        }
    }

    fn named(word: &str) -> Option<Self> {
        [Self::None, Self::Chain, Self::Name].into_iter().find(|verify| verify.word() == word)
    }
}

impl Handshake {
    /// Reads the words behind `tls`, separated by one blank each.
    ///
    /// # Errors
    /// The word that is not understood, or does not go with the others, and why.
    pub fn parse(words: &str) -> Result<Self, (usize, String)> {
        let mut handshake = Self::default();
        let mut at = 0;
        for word in words.split(' ').filter(|_| !words.is_empty()) {
            handshake.apply(word).map_err(|why| (at, why))?;
            at += word.len() + 1;
        }
        if handshake.verify == Verify::Name && handshake.name.is_none() {
            return Err((0, "`verify=name` wants `name=`".into()));
        }
        if handshake.min > handshake.max && handshake.max.is_some() {
            return Err((0, "`min=` is above `max=`".into()));
        }
        Ok(handshake)
    }

    fn apply(&mut self, word: &str) -> Result<(), String> {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        let version = || Version::named(value).ok_or_else(|| "a version is `1.2` or `1.3`".to_string());
        let has_value = word.contains('=');
        match key {
            "name" if is_name(value) => self.name = Some(value.into()),
            "name" => return Err("`name=` wants the name of a host".into()),
            "min" => self.min = Some(version()?),
            "max" => self.max = Some(version()?),
            "verify" => {
                self.verify = Verify::named(value).ok_or("`verify=` is `none`, `chain` or `name`")?;
            }
            "certificate" if !has_value => self.certificate = true,
            "fails" if !has_value => self.fails = Some(None),
            "fails" if !value.is_empty() && value.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') => {
                self.fails = Some(Some(value.into()));
            }
            "fails" => return Err("`fails=` wants the name of an alert, as RFC 8446 section 6 has it".into()),
            _ => {
                let all = "`name=`, `min=`, `max=`, `verify=`, `certificate`, `fails`, `fails=`";
                return Err(format!("`tls` is followed by {all}"));
            }
        }
        Ok(())
    }

    /// The step as a line.
    pub fn print(&self) -> String {
        let mut line = String::from("tls");
        let mut word = |key: &str, value: Option<&str>| {
            if let Some(value) = value {
                let _ = write!(line, " {key}={value}");
            }
        };
        word("name", self.name.as_deref());
        word("min", self.min.map(Version::word));
        word("max", self.max.map(Version::word));
        word("verify", Some(self.verify).filter(|verify| *verify != Verify::None).map(Verify::word));
        if self.certificate {
            line.push_str(" certificate");
        }
        match &self.fails {
            None => {}
            Some(None) => line.push_str(" fails"),
            Some(Some(alert)) => _ = write!(line, " fails={alert}"),
        }
        line
    }
}

/// Whether a client may send this as a server's name (RFC 6066 section 3).
fn is_name(name: &str) -> bool {
    !name.is_empty() && rustls::pki_types::DnsName::try_from(name).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_and_written_back() {
        for line in
            ["tls", "tls name=mx.example.com min=1.2 max=1.3 verify=name certificate fails=bad_record_mac"]
        {
            let words = line.strip_prefix("tls").unwrap().trim_start();
            assert_eq!(Handshake::parse(words).unwrap().print(), line);
        }
    }

    #[test]
    fn a_wrong_word_is_named_with_its_place() {
        for (words, at) in
            [("min=1.1", 0), ("max=1.2 x", 8), ("fails=A", 0), ("verify=name", 0), ("min=1.3 max=1.2", 0)]
        {
            assert_eq!(Handshake::parse(words).unwrap_err().0, at, "{words}");
        }
    }
}

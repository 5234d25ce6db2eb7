//! Requests of credential validation clients, version 2 (`docs/spec` CVM-REQ-1, -2).

/// Names of the credentials.
const CREDENTIALS: [&str; 8] =
    ["", "account", "domain", "password", "secret", "challenge", "response", "response-type"];

/// A request as far as it could be read.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The random bytes.
    pub cookie: Vec<u8>,
    /// `version`, `random`, each credential by its name, and `malformed` with the reason.
    pub facts: Vec<(String, Vec<u8>)>,
}

/// Reads a request; what is wrong with it is a fact, too.
pub fn decode(bytes: &[u8]) -> Request {
    let mut request = Request::default();
    if let Err(why) = read(bytes, &mut request) {
        request.facts.push(("malformed".into(), why.into()));
    }
    request
}

fn read<'a>(bytes: &'a [u8], request: &mut Request) -> Result<(), &'a str> {
    let (version, rest) = bytes.split_first().ok_or("empty")?;
    request.facts.push(("version".into(), version.to_string().into()));
    let (cookie, mut rest) = counted(rest).ok_or("the random bytes are cut")?;
    request.cookie = cookie.to_vec();
    request.facts.push(("random".into(), cookie.len().to_string().into()));
    let mut names = Vec::new();
    loop {
        let (kind, more) = rest.split_first().ok_or("no end")?;
        if *kind == 0 {
            let order: Vec<&str> = names.iter().map(String::as_str).collect();
            request.facts.push(("credentials".into(), order.join(" ").into()));
            return if more.is_empty() { Ok(()) } else { Err("bytes behind the end") };
        }
        let (value, more) = counted(more).ok_or("a credential is cut")?;
        let known = CREDENTIALS.get(usize::from(*kind)).map(|name| (*name).to_string());
        let name = known.unwrap_or_else(|| format!("credential-{kind}"));
        names.push(name.clone());
        request.facts.push((name, value.to_vec()));
        rest = more;
    }
}

/// Bytes behind their number, and the rest.
fn counted(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first()?;
    rest.split_at_checked(usize::from(*length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fact(request: &Request, name: &str) -> Option<String> {
        let found = request.facts.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
    }

    #[test]
    fn credentials_have_their_names() {
        let request = decode(b"\x02\x02ab\x01\x03bob\x02\0\x03\x01p\x80\x01x\0");
        assert_eq!(request.cookie, b"ab");
        for (name, value) in [("account", "bob"), ("domain", ""), ("password", "p"), ("credential-128", "x")]
        {
            assert_eq!(fact(&request, name).as_deref(), Some(value), "{name}");
        }
        assert_eq!(fact(&request, "credentials").unwrap(), "account domain password credential-128");
        assert_eq!(fact(&request, "malformed"), None);
    }

    #[test]
    fn what_is_cut_is_malformed() {
        for bytes in [&b""[..], b"\x02", b"\x02\x05ab", b"\x02\0\x01\x09x", b"\x02\0\x01\x01x", b"\x02\0\0x"]
        {
            assert!(fact(&decode(bytes), "malformed").is_some(), "{bytes:?}");
        }
    }
}

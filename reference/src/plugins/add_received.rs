//! `add-received`: puts trace and site headers in front of each message (RCVD-ADD-1 … RCVD-AUTH-3).
//!
//! Whatever a client chose is fit for a header before it gets here or is made so: no byte of it can
//! begin another header (SEC-43).

use std::{
    fs::File,
    time::{SystemTime, UNIX_EPOCH},
};

use bstr::{BString, ByteSlice};

use crate::{
    plugin::{Answer, Hook, Module},
    session::Session,
    wire::{date, text},
};

/// The plugin.
#[derive(Default)]
pub struct AddReceived {
    /// `$FIXUP_RECEIVED_HOST` and `$FIXUP_RECEIVED_IP`, read at start-up (RCVD-FIX-3).
    fixup: Option<(BString, BString)>,
}

impl Module for AddReceived {
    fn has(&self, hook: Hook) -> bool {
        matches!(hook, Hook::Init | Hook::DataStart)
    }

    fn variables(&self) -> &'static [&'static str] {
        &["HEADER_ADD", "AUTH_ADD_RECEIVED", "RELAYCLIENT"]
    }

    fn init(&mut self, session: &Session) -> Answer {
        let host = stripped(session.setting("FIXUP_RECEIVED_HOST"));
        self.fixup = host.zip(stripped(session.setting("FIXUP_RECEIVED_IP")));
        None
    }

    fn data_start(&mut self, session: &Session, _: Option<&File>) -> Answer {
        let place = Place::of(session);
        let date =
            date::trace(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()));
        let traced = is_traced(session);
        let mut block = Vec::new();
        if let Some((host, ip)) = self.fixup.as_ref().filter(|_| traced) {
            place.fix_up(host, ip, &date, &mut block);
        }
        if let Some(headers) = session.variable(b"HEADER_ADD") {
            // An empty line would end the header (RCVD-HDR-2).
            for line in headers.split_str("\n").filter(|line| !line.is_empty()) {
                block.extend_from_slice(line);
                block.push(b'\n');
            }
        }
        if traced {
            place.trace(session, &date, &mut block);
        }
        session.inject(&block);
        None
    }
}

/// Whether a `Received:` header is wanted: a site may leave it out for its own users (RCVD-AUTH-1, -2).
fn is_traced(session: &Session) -> bool {
    let trusted =
        session.number(b"authenticated").unwrap_or(0) != 0 || session.variable(b"RELAYCLIENT").is_some();
    !trusted || session.first_number(b"AUTH_ADD_RECEIVED", 1) != 0
}

/// The value without blanks at its ends; nothing left is nothing (RCVD-FIX-3).
fn stripped(value: Option<BString>) -> Option<BString> {
    let value = value?;
    let inner = value.trim_with(|c| matches!(c, ' ' | '\t' | '\n' | '\x0b' | '\x0c' | '\r'));
    (!inner.is_empty()).then(|| inner.into())
}

/// The two ends of the connection, as far as they are known.
struct Place {
    local_host: Option<BString>,
    local_ip: Option<BString>,
    remote_host: Option<BString>,
    remote_ip: Option<BString>,
}

impl Place {
    fn of(session: &Session) -> Self {
        let fact = |name| session.fact(name).map(|value| text::for_helo(&value));
        // RCVD-FMT-7
        let mark: &[u8] = if session.prefix().eq_ignore_ascii_case(b"TCP6") { b"IPv6:" } else { b"" };
        let ip = |name| fact(name).map(|ip| [mark, ip.as_slice()].concat().into());
        Self {
            local_host: fact("LOCALHOST"),
            local_ip: ip("LOCALIP"),
            remote_host: fact("REMOTEHOST"),
            remote_ip: ip("REMOTEIP"),
        }
    }

    /// The header a machine before us would have written, if we stand for it (RCVD-FIX-1, -2).
    fn fix_up(&self, fixed_host: &[u8], fixed_ip: &[u8], date: &str, block: &mut Vec<u8>) {
        let (Some(host), Some(ip)) = (&self.local_host, &self.local_ip) else { return };
        if host.eq_ignore_ascii_case(fixed_host) && ip.eq_ignore_ascii_case(fixed_ip) {
            return;
        }
        let (host, ip) = (host.as_slice(), ip.as_slice());
        let parts: [&[u8]; 12] = [
            b"Received: from ",
            host,
            b" (",
            host,
            b" [",
            ip,
            b"])\n  by ",
            fixed_host,
            b" ([",
            fixed_ip,
            b"]); ",
            date.as_bytes(),
        ];
        block.extend_from_slice(&parts.concat());
        block.push(b'\n');
    }

    /// The header of this hop (RCVD-FMT-1).
    fn trace(&self, session: &Session, date: &str, block: &mut Vec<u8>) {
        let helo = session.string(b"helo_domain").filter(|name| !name.is_empty());
        let protocol = session.protocol();
        let parts: [&[u8]; 10] = [
            b"Received: from ",
            &self.from(helo.as_deref().map(AsRef::as_ref)),
            b"\n  by ",
            &self.by(),
            b"\n  with ",
            &protocol,
            b" via ",
            session.prefix(),
            b"; ",
            date.as_bytes(),
        ];
        block.extend_from_slice(&parts.concat());
        block.push(b'\n');
    }

    /// RCVD-FMT-2
    fn from(&self, helo: Option<&[u8]>) -> Vec<u8> {
        let (host, ip) = (self.remote_host.as_deref(), self.remote_ip.as_deref());
        let (host, ip) = (host.map(AsRef::as_ref), ip.map(AsRef::as_ref));
        let name: Option<&[u8]> = helo.or(host).or(ip);
        let Some(name) = name else { return b"unknown".to_vec() };
        let found: Vec<u8> = match (host, ip) {
            (Some(host), Some(ip)) => [b" (", host, b" [", ip, b"])"].concat(),
            (Some(host), None) => [b" (", host, b")"].concat(),
            (None, Some(ip)) => [b" ([", ip, b"])"].concat(),
            (None, None) => Vec::new(),
        };
        [name, &found].concat()
    }

    /// RCVD-FMT-3
    fn by(&self) -> Vec<u8> {
        match (self.local_host.as_deref(), self.local_ip.as_deref()) {
            (Some(host), Some(ip)) => [host.as_slice(), b" ([", ip, b"])"].concat(),
            (Some(host), None) => host.clone(),
            (None, Some(ip)) => [ip.as_slice(), b" ([", ip, b"])"].concat(),
            (None, None) => b"unknown".to_vec(),
        }
    }
}

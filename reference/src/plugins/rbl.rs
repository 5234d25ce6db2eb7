//! `rbl`: blocks clients that DNS lists name (RBL-1 … 27).
//!
//! All is decided at start-up. A list that cannot be asked ends the session before it began: temporary,
//! and never as if the client were unlisted (RBL-12). With `$RBL_QUEUEDIR` a listed client may send its
//! message, which is kept there and then refused (RBL-18).

use std::{fs::File, net::IpAddr};

use bstr::{BString, ByteSlice};

use crate::{
    backends::queuedir::Queuedir,
    plugin::{Answer, Finding, Hook, Module},
    resolver::{Resolver, Unresolved},
    response::Response,
    session::Session,
    wire::{dns::listed_name, text},
};

const BLACKLISTS: &str = "RBL_BLACKLISTS";
const WHITELISTS: &str = "RBL_WHITELISTS";
const DEBUG: &str = "RBL_DEBUG";
const IPV6: &str = "RBL_IPV6";
const QUEUEDIR: &str = "RBL_QUEUEDIR";

/// The plugin.
#[derive(Default)]
pub struct Rbl {
    client: Client,
}

/// What is known of the client.
#[derive(Default)]
enum Client {
    /// On no list, or on one that clears it, or nobody asked.
    #[default]
    Welcome,
    /// Listed, with this text (RBL-9, -10).
    Blocked(BString),
    /// Listed, and its messages are kept before they are refused (RBL-18).
    Captured(BString, Queuedir),
}

impl Rbl {
    /// The text of the list that names the client, if one does and none clears it (RBL-5 … 8).
    fn look_up(session: &Session) -> Result<Option<BString>, Unresolved> {
        let is_debugging = session.variable(DEBUG.as_bytes()).is_some();
        let debug = |text: &str| {
            if is_debugging {
                session.log(text.as_bytes());
            }
        };
        let Some(blacklists) = non_empty(session, BLACKLISTS) else {
            debug("{rbl: No blacklists, skipping}");
            return Ok(None);
        };
        let Some(address) = session.variable(b"TCPREMOTEIP") else {
            debug("{rbl: $TCPREMOTEIP is unset, skipping RBL tests}");
            return Ok(None);
        };
        let Some(client) = parse(&address, session.variable(IPV6.as_bytes()).is_some()) else {
            session.log(&[b"rbl: Cannot parse IP '", address.as_slice(), b"'"].concat());
            return Ok(None);
        };
        let resolver = Resolver::new(session);
        let whitelists = non_empty(session, WHITELISTS).unwrap_or_default();
        let ask = |lists: &BString, found_by: &str| {
            let mut hit = None;
            for list in lists.split_str(",") {
                let texts = resolver.texts(&listed_name(client, list))?;
                let Some(first) = texts.first() else { continue };
                let all = bstr::join(" // ", &texts);
                debug(&format!("rbl: {found_by} by {}: {}", list.as_bstr(), all.as_bstr()));
                hit = Some(text::printable(first));
            }
            Ok(hit)
        };
        if !whitelists.is_empty() && ask(&whitelists, "whitelisted")?.is_some() {
            return Ok(None);
        }
        ask(&blacklists, "blacklisted")
    }

    /// The refusal of a blocked client, with a capture its answer.
    fn answer(&mut self, capture: impl FnOnce(&mut Queuedir) -> Answer) -> Answer {
        match &mut self.client {
            Client::Captured(_, queue) => capture(queue).filter(|answer| !answer.is_ok()),
            Client::Welcome | Client::Blocked(_) => None,
        }
    }
}

/// A variable; an empty one is as if unset (RBL-2, -24).
fn non_empty(session: &Session, name: &str) -> Option<BString> {
    session.variable(name.as_bytes()).filter(|lists| !lists.is_empty())
}

/// The address of the client; IPv6 only where it is wanted (RBL-3, -27).
fn parse(address: &[u8], has_ipv6: bool) -> Option<IpAddr> {
    let address: IpAddr = address.to_str().ok()?.parse().ok()?;
    (address.is_ipv4() || has_ipv6).then(|| address.to_canonical())
}

fn blocked(text: &BString) -> Response {
    Response::new(451, [b"Blocked: ", text.as_slice()].concat())
}

impl Module for Rbl {
    fn has(&self, hook: Hook) -> bool {
        match &self.client {
            Client::Welcome => hook == Hook::Init,
            Client::Blocked(_) => hook == Hook::Sender,
            Client::Captured(..) => !matches!(hook, Hook::Init | Hook::Helo),
        }
    }

    fn variables(&self) -> &'static [&'static str] {
        &[
            BLACKLISTS,
            WHITELISTS,
            DEBUG,
            IPV6,
            QUEUEDIR,
            "RBL_QUEUEDIR_TMP",
            "RBL_QUEUEDIR_DEST",
            "RBL_QUEUEDIR_NOSYNC",
            "TCPREMOTEIP",
        ]
    }

    fn check(&self, session: &Session) -> Vec<Finding> {
        if non_empty(session, BLACKLISTS).is_none() {
            return vec![Finding::Warning("$RBL_BLACKLISTS is not set: rbl does nothing".into())];
        }
        let queue = non_empty(session, QUEUEDIR).map(|_| Queuedir::for_blocked().check(session));
        queue.unwrap_or_default()
    }

    fn init(&mut self, session: &Session) -> Answer {
        match Self::look_up(session) {
            Ok(None) => {}
            Ok(Some(text)) if non_empty(session, QUEUEDIR).is_some() => {
                self.client = Client::Captured(text, Queuedir::for_blocked());
            }
            Ok(Some(text)) => self.client = Client::Blocked(text),
            Err(Unresolved) => return Some(Response::new(451, "4.3.0 DNS error doing RBL lookup")),
        }
        None
    }

    fn reset(&mut self, session: &Session) -> Answer {
        self.answer(|queue| queue.reset(session))
    }

    fn sender(&mut self, session: &Session, address: &mut BString, parameters: &mut BString) -> Answer {
        if let Client::Blocked(text) = &self.client {
            return Some(blocked(text));
        }
        self.answer(|queue| queue.sender(session, address, parameters))
    }

    fn recipient(&mut self, session: &Session, address: &mut BString, parameters: &mut BString) -> Answer {
        self.answer(|queue| queue.recipient(session, address, parameters))
    }

    fn data_start(&mut self, session: &Session, _: Option<&File>) -> Answer {
        // What is kept is what the client sent, also in file mode (RBL-19).
        self.answer(|queue| queue.data_start(session, None))
    }

    fn data_block(&mut self, session: &Session, block: &[u8]) -> Answer {
        self.answer(|queue| queue.data_block(session, block))
    }

    fn message_end(&mut self, session: &Session, _: Option<&File>) -> Answer {
        let failure = self.answer(|queue| queue.message_end(session, None));
        match &self.client {
            Client::Captured(text, _) => failure.or_else(|| Some(blocked(text))),
            Client::Welcome | Client::Blocked(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_clients_are_ipv4_unless_more_is_wanted() {
        let shown = |address: &str, has_ipv6| parse(address.as_bytes(), has_ipv6).map(|ip| ip.to_string());
        assert_eq!(shown("127.0.0.2", false), Some("127.0.0.2".into()));
        for wrong in ["::1", "::ffff:1.2.3.4", "1.2.3", "1.2.3.256", "", "x"] {
            assert_eq!(shown(wrong, false), None, "{wrong}");
        }
        assert_eq!(shown("2001:db8::2", true), Some("2001:db8::2".into()));
        assert_eq!(shown("::ffff:1.2.3.4", true), Some("1.2.3.4".into()));
        assert_eq!(shown("x", true), None);
    }
}

//! What the client is told of a program's end (QMAIL-13 … 17).

use crate::{response::Response, session::Session};

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// By itself, with this status.
    Exited(i32),
    /// By a signal, or it had to be killed because it stood still (QMAIL-17, -18).
    Crashed,
}

/// The status of a child that could not be executed (QMAIL-20).
pub(super) const NOT_EXECUTED: i32 = 120;

impl Ending {
    /// Whether the program says that it took the message.
    pub(super) fn is_success(self) -> bool {
        self == Self::Exited(0)
    }

    /// The answer to the client. `id` and `size`: of the program and of the message.
    pub(super) fn response(self, session: &Session, id: u32, size: u64) -> Response {
        let status = match self {
            Self::Crashed => return Response::new(451, "4.3.0 qmail-queue crashed."),
            Self::Exited(0) => {
                let text = format!("2.6.0 Accepted message qp {id} bytes {size}");
                session.log(text.as_bytes());
                return Response::new(250, text);
            }
            Self::Exited(status) => status,
        };
        let number = if is_permanent(status) { 554 } else { 451 };
        let own = session.variable(format!("QQERRMSG_{status}").as_bytes());
        Response::new(number, own.unwrap_or_else(|| text(status).into()))
    }
}

/// Whether trying again will not change it (QMAIL-14).
fn is_permanent(status: i32) -> bool {
    (11..=40).contains(&status)
}

/// What a status means to qmail (QMAIL-16).
fn text(status: i32) -> &'static str {
    match status {
        11 => "5.1.3 Address too long.",
        31 => "5.3.0 Message refused.",
        51 => "4.3.0 Out of memory.",
        52 => "4.3.0 Timeout.",
        53 => "4.3.0 Write error (queue full?).",
        54 => "4.3.0 Unable to read the message or envelope.",
        55 => "4.3.0 Unable to read a configuration file.",
        56 => "4.3.0 Network problem.",
        61 => "4.3.0 Problem with the qmail home directory.",
        62 => "4.3.0 Problem with the qmail queue directory.",
        63 => "4.3.0 Problem with queue/pid.",
        64 => "4.3.0 Problem with queue/mess.",
        65 => "4.3.0 Problem with queue/intd.",
        66 => "4.3.0 Problem with queue/todo.",
        71 => "4.3.0 Message refused by mail server.",
        72 => "4.3.0 Connection to mail server timed out.",
        73 => "4.3.0 Connection to mail server rejected.",
        74 => "4.3.0 Communication with mail server failed.",
        81 => "4.3.0 Internal qmail-queue bug.",
        91 => "4.3.0 Envelope format error.",
        _ if is_permanent(status) => "5.3.0 Message rejected by qmail-queue.",
        _ => "4.3.0 Temporary qmail-queue failure.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{connection::Connection, log::Log};

    fn session() -> Session {
        Session::new(Connection::new(Log::new("test")))
    }

    fn told(session: &Session, status: i32) -> (u16, String) {
        let response = Ending::Exited(status).response(session, 1, 2);
        (response.number(), String::from_utf8(response.text().unwrap().to_vec()).unwrap())
    }

    #[test]
    fn every_status_has_a_class_and_a_text_that_agrees_with_it() {
        let session = session();
        for status in 1..=255 {
            let (number, text) = told(&session, status);
            let is_permanent = (11..=40).contains(&status);
            assert_eq!(number, if is_permanent { 554 } else { 451 }, "{status}");
            assert!(text.starts_with(if is_permanent { "5." } else { "4." }), "{status}: {text}");
        }
        assert_eq!(told(&session, 0), (250, "2.6.0 Accepted message qp 1 bytes 2".into()));
        assert_eq!(told(&session, 12).1, "5.3.0 Message rejected by qmail-queue.");
        assert_eq!(told(&session, 120).1, "4.3.0 Temporary qmail-queue failure.");
    }

    #[test]
    fn a_text_of_the_site_s_own_replaces_words_but_no_number() {
        let session = session();
        session.put(b"QQERRMSG_31=5.7.1 No\nthanks");
        session.put(b"QQERRMSG_53=");
        session.put(b"QQERRMSG_0=never");
        assert_eq!(told(&session, 31), (554, "5.7.1 No\nthanks".into()));
        assert_eq!(told(&session, 53), (451, String::new()));
        assert_eq!(told(&session, 0).0, 250);
    }
}

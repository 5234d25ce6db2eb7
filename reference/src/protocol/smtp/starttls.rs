//! The way into TLS (TLS-5 … 16). Stops commands and state that somebody put in before it
//! (SEC-20 … 24).

use super::conversation::{Conversation, Next, not_implemented};
use crate::{
    connection::{End, NoHandshake},
    protocol::ExitStatus,
    response::Response,
    session::Session,
    tls::Server,
};

/// The verb, and the capability of the same name.
pub(super) const STARTTLS: &[u8] = b"STARTTLS";

/// Shakes hands and tells session and log what was agreed on.
///
/// # Errors
/// The status to exit with: there is no way back into the clear (TLS-7).
pub(super) fn shake_hands(server: &Server, session: &Session) -> Result<(), ExitStatus> {
    session.log(b"Starting TLS handshake");
    let failed = |why: &str| {
        session.log(format!("TLS handshake failed: {why}").as_bytes());
        ExitStatus::FAILED
    };
    let stream = server.accept().map_err(|error| failed(&error.to_string()))?;
    match session.connection.shake_hands(stream) {
        Ok(negotiated) => {
            session.enter_tls();
            session.log(format!("TLS handshake: {}", negotiated.words()).as_bytes());
            for (name, value) in [
                ("tls_params", negotiated.words().as_str()),
                ("tls_protocol", negotiated.protocol),
                ("tls_keyex", negotiated.key_exchange),
                ("tls_cipher", negotiated.cipher),
                ("tls_mac", negotiated.mac),
            ] {
                session.set_string(name.as_bytes(), value.as_bytes());
            }
            Ok(())
        }
        Err(NoHandshake::Protocol(error)) => Err(failed(&error.to_string())),
        Err(NoHandshake::End(End::SessionOver)) => Err(ExitStatus::DONE),
        Err(NoHandshake::End(End::TimedOut)) => Err(failed("The operation timed out")),
        Err(NoHandshake::End(End::Eof | End::Failed)) => Err(failed("The connection was closed")),
    }
}

impl Conversation<'_> {
    /// Whether the protocol itself can enter TLS now.
    pub(super) fn offers_tls(&self) -> bool {
        self.smtp.tls.server.is_some() && !self.session.is_in_tls()
    }

    pub(super) fn starttls(&mut self) -> Next {
        let Some(server) = self.smtp.tls.server.as_ref().filter(|_| self.offers_tls()) else {
            return self.reply(&not_implemented());
        };
        self.reply(&Response::new(220, "2.0.0 Ready to start TLS"))?;
        match shake_hands(server, self.session) {
            Ok(()) => self.forget_clear_text(),
            Err(status) => Next::Break(status),
        }
    }

    /// Forgets everything learned before TLS: transaction, names, who the client is (TLS-10).
    pub(super) fn forget_clear_text(&mut self) -> Next {
        self.session.forget_client();
        self.session.set_protocol("SMTP");
        self.reset()
    }
}

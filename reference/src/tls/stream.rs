//! One connection's TLS as a codec: records in, plaintext out, and back. It moves no bytes itself.

use std::io::{Read as _, Write as _};

use rustls::{Error, ServerConnection, SignatureAlgorithm};

use super::Negotiated;

/// The most plaintext given at once: one record.
pub const RECORD_MAX: usize = 16 * 1024;

/// The server's side of a connection.
pub struct Stream {
    tls: ServerConnection,
    key: SignatureAlgorithm,
    /// Nothing more comes: the client said so, or an error ended the connection.
    is_over: bool,
}

impl Stream {
    pub(super) fn new(tls: ServerConnection, key: SignatureAlgorithm) -> Self {
        Self { tls, key, is_over: false }
    }

    /// Takes bytes from the client and adds the plaintext in them to `plaintext`, never more than
    /// went in. Bytes behind the client's `close_notify` are ignored. What is to be sent in return,
    /// an alert before an error among it, is in [`Stream::outgoing`].
    ///
    /// # Errors
    /// The client does not keep to the protocol; the connection is over.
    pub fn take(&mut self, mut bytes: &[u8], plaintext: &mut Vec<u8>) -> Result<(), Error> {
        while !bytes.is_empty() && !self.is_over {
            // The library takes what it has room for; it has some, for all plaintext is taken away.
            let taken = self.tls.read_tls(&mut bytes).map_err(|error| Error::General(error.to_string()))?;
            let state = self.tls.process_new_packets().inspect_err(|_| self.is_over = true)?;
            let before = plaintext.len();
            let mut decrypted = self.tls.reader().take(state.plaintext_bytes_to_read() as u64);
            decrypted.read_to_end(plaintext).map_err(|error| Error::General(error.to_string()))?;
            self.is_over |= state.peer_has_closed();
            debug_assert!(taken > 0 || plaintext.len() > before || self.is_over, "no progress");
        }
        Ok(())
    }

    /// Encrypts at most [`RECORD_MAX`] bytes of plaintext.
    ///
    /// # Errors
    /// More than that was given.
    pub fn give(&mut self, plaintext: &[u8]) -> std::io::Result<()> {
        self.tls.writer().write_all(plaintext)
    }

    /// Says that nothing more will be sent (TLS-12).
    pub fn close(&mut self) {
        self.tls.send_close_notify();
    }

    /// Takes away what is to be sent to the client.
    pub fn outgoing(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        // Writing into memory does not fail.
        while self.tls.wants_write() && self.tls.write_tls(&mut bytes).is_ok() {}
        bytes
    }

    /// Whether nothing more comes from the client.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// What was agreed on; nothing before the handshake is complete.
    pub fn negotiated(&self) -> Option<Negotiated> {
        if self.tls.is_handshaking() {
            return None;
        }
        self.tls.negotiated_cipher_suite().map(|suite| Negotiated::new(suite, self.key))
    }
}

/// The number GnuTLS has for such a fault: sites search their logs for `TLS error` (TLS-11).
pub fn error_number(error: &Error) -> i32 {
    match error {
        // GNUTLS_E_FATAL_ALERT_RECEIVED
        Error::AlertReceived(_) => -12,
        // GNUTLS_E_DECRYPTION_FAILED
        Error::DecryptError => -24,
        // GNUTLS_E_RECORD_OVERFLOW
        Error::PeerSentOversizedRecord => -7,
        // GNUTLS_E_UNEXPECTED_PACKET
        _ => -15,
    }
}

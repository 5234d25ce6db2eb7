//! The envelope that qmail-queue reads: `F` sender NUL, `T` recipient NUL for each recipient, NUL
//! (QMAIL-8).
//!
//! An address with a NUL would be read as two (QMAIL-25, SEC-40): no envelope takes one. The last NUL,
//! which tells qmail-queue that it has everything, is written by [`Envelope::complete`] alone.

use std::{error, fmt};

use bstr::BString;

/// A sender and recipients, not yet complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    bytes: Vec<u8>,
    has_recipient: bool,
}

/// An address has a NUL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NulInAddress {
    /// Its index.
    pub offset: usize,
}

impl fmt::Display for NulInAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NUL at byte {} of an address", self.offset)
    }
}

impl error::Error for NulInAddress {}

impl Envelope {
    /// One without recipients; the sender may be empty.
    ///
    /// # Errors
    /// The sender has a NUL.
    pub fn from_sender(sender: &[u8]) -> Result<Self, NulInAddress> {
        let mut envelope = Self { bytes: Vec::new(), has_recipient: false };
        envelope.push(b'F', sender)?;
        Ok(envelope)
    }

    /// Adds a recipient behind those that are there.
    ///
    /// # Errors
    /// It has a NUL; the envelope is as before.
    pub fn add_recipient(&mut self, recipient: &[u8]) -> Result<(), NulInAddress> {
        self.push(b'T', recipient)?;
        self.has_recipient = true;
        Ok(())
    }

    /// All bytes, the end mark included; nothing without a recipient (QMTP-RCPT-6).
    pub fn complete(mut self) -> Option<BString> {
        self.bytes.push(b'\0');
        self.has_recipient.then(|| self.bytes.into())
    }

    fn push(&mut self, kind: u8, address: &[u8]) -> Result<(), NulInAddress> {
        if let Some(offset) = memchr::memchr(b'\0', address) {
            return Err(NulInAddress { offset });
        }
        self.bytes.push(kind);
        self.bytes.extend_from_slice(address);
        self.bytes.push(b'\0');
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_stand_in_order_and_the_end_is_marked() {
        let mut envelope = Envelope::from_sender(b"a@b").unwrap();
        envelope.add_recipient(b"c@d").unwrap();
        envelope.add_recipient(b"\xff").unwrap();
        assert_eq!(envelope.complete(), Some(b"Fa@b\0Tc@d\0T\xff\0\0".into()));
    }

    #[test]
    fn without_recipient_there_is_no_complete_envelope() {
        assert_eq!(Envelope::from_sender(b"").unwrap().complete(), None);
    }

    #[test]
    fn a_nul_is_refused_and_leaves_no_trace() {
        assert_eq!(Envelope::from_sender(b"a\0Tb"), Err(NulInAddress { offset: 1 }));
        let mut envelope = Envelope::from_sender(b"").unwrap();
        assert_eq!(envelope.add_recipient(b"\0"), Err(NulInAddress { offset: 0 }));
        envelope.add_recipient(b"c").unwrap();
        assert_eq!(envelope.complete(), Some(b"F\0Tc\0\0".into()));
    }
}

//! DATA: from the 354 to the reply at the end of the message (SMTP-DATA-1 … 15).
//!
//! Stops smuggled messages (SEC-1 …): see [`crate::wire::data`] for what ends a message.

use super::{
    commands::sender_first,
    conversation::{Conversation, Next, Transaction},
};
use crate::{
    connection::{End, LineEnd},
    protocol::ExitStatus,
    response::Response,
    wire::data::{self, Decoder, Framing},
};

/// What hooks get at once (SMTP-DATA-12).
const BLOCK: usize = 4096;

/// How the reading of a message came to its end.
enum Outcome {
    /// At its end mark.
    Complete,
    /// At bytes that others could take for an end mark (SMTP-DATA-14).
    Ambiguous,
    /// With the input.
    Cut(End),
}

impl Conversation<'_> {
    pub(super) fn data(&mut self, line_end: LineEnd) -> Next {
        match self.transaction {
            Transaction::None => return self.reply(&sender_first()),
            Transaction::Sender => {
                return self.reply(&Response::new(503, "5.5.1 You must send RCPT TO: first"));
            }
            // Whatever becomes of it now, the transaction is over (SMTP-DATA-5).
            Transaction::Recipients => self.transaction = Transaction::None,
        }
        if let Some(refusal) = self.chain.data_start(self.session) {
            return self.reply(&refusal);
        }
        self.reply(&Response::new(354, "End your message with a period on a line by itself."))?;
        match self.receive(self.framing(line_end)) {
            Outcome::Complete => {
                let response = self.chain.message_end(self.session);
                self.reply(&response)
            }
            Outcome::Ambiguous => {
                self.reply(&Response::new(554, "5.5.2 Ambiguous end of message."))?;
                Next::Break(ExitStatus::FAILED)
            }
            Outcome::Cut(End::SessionOver) => Next::Break(ExitStatus::DONE),
            Outcome::Cut(end) => self.cut(end),
        }
    }

    /// The line end of DATA itself says which one the message has (SMTP-DATA-14, -15).
    fn framing(&self, line_end: LineEnd) -> Framing {
        match line_end {
            _ if self.smtp.dangerous_line_endings => Framing::Dangerous,
            LineEnd::Crlf => Framing::Crlf,
            LineEnd::Lf => Framing::Lf,
        }
    }

    fn receive(&mut self, framing: Framing) -> Outcome {
        let mut decoder = Decoder::new(framing);
        let mut decoded = Vec::new();
        loop {
            let step = match self.session.connection.fill() {
                Ok(input) => decoder.push(&input, &mut decoded),
                Err(end) => return Outcome::Cut(end),
            };
            self.session.connection.consume(step.consumed);
            self.pass_on_blocks(&mut decoded);
            if decoder.doomed() {
                decoded.clear();
                let text = "5.6.0 Message contains a bare CR or LF.";
                self.chain.fail(self.session, Response::new(554, text));
            }
            match step.outcome {
                data::Outcome::GoesOn => {}
                data::Outcome::End => {
                    if !decoded.is_empty() {
                        self.chain.data_block(self.session, &decoded);
                    }
                    return Outcome::Complete;
                }
                data::Outcome::Ambiguous => return Outcome::Ambiguous,
            }
        }
    }

    /// Hands on whole blocks and keeps what is left, less than one.
    fn pass_on_blocks(&mut self, decoded: &mut Vec<u8>) {
        let whole = decoded.len() - decoded.len() % BLOCK;
        for block in decoded[..whole].chunks_exact(BLOCK) {
            self.chain.data_block(self.session, block);
        }
        decoded.drain(..whole);
    }

    /// The client left in the middle of its message: nothing is delivered (SMTP-DATA-6).
    fn cut(&mut self, end: End) -> Next {
        if let Some(refusal) = self.chain.reset(self.session) {
            self.reply(&refusal)?;
            return Next::Break(ExitStatus::DONE);
        }
        let text: &[u8] = if end == End::TimedOut { b"Timed out" } else { b"Connection dropped" };
        self.session.log(text);
        Next::Break(ExitStatus::FAILED)
    }
}

//! Standard input and output: buffered bytes, lines, responses, time limits and byte counts, in the
//! clear or inside TLS.
//!
//! From the system to the protocol: [`input`] takes the client's bytes, [`encryption`] opens the records
//! they may be in, [`reading`] keeps them until they are consumed, and [`lines`] are what most protocols
//! consume. What is said to the client is written here and goes out through [`output`]. Every wait of them
//! is within [`limits`].
//!
//! All methods take `&self`: a loaded module may write through the session while a protocol reads.

mod encryption;
mod input;
mod limits;
mod lines;
mod output;
mod reading;

use std::{
    cell::{Cell, RefCell},
    os::fd::BorrowedFd,
};

use self::{input::Input, limits::Limits, output::Output, reading::Buffer};
use crate::{
    log::Log,
    response::{Framing, Response},
    tls::stream::Stream,
};

pub use self::{
    encryption::NoHandshake,
    limits::{DEFAULT_TIMEOUT, LONGEST},
    lines::{Line, LineEnd},
};

/// How much is read at once. A whole ordinary message takes few system calls and little memory.
const READ_SIZE: usize = 64 * 1024;

/// Why no more bytes come or go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The client closed its sending side.
    Eof,
    /// Nothing moved for `$TIMEOUT` seconds (CORE-TIME-2).
    TimedOut,
    /// `$SESSION_TIMEOUT` is over (CORE-TIME-7).
    SessionOver,
    /// The system refused to read or write.
    Failed,
}

/// Writes all lines of a response by other means than [`Connection::write`] alone.
pub type LineWriter = fn(&Connection, &Response) -> Result<(), End>;

/// The client's connection.
pub struct Connection {
    /// The log of the program that serves it.
    pub log: Log,
    input: Input,
    output: Output,
    limits: Limits,
    tls: RefCell<Option<Stream>>,
    buffer: RefCell<Buffer>,
    /// How the input ended, if it did.
    input_end: Cell<Option<End>>,
    framing: Cell<Framing>,
    line_writer: Cell<Option<LineWriter>>,
    bytes_in: Cell<u64>,
    bytes_out: Cell<u64>,
}

impl Connection {
    /// A connection over standard input and output, without a session limit.
    pub fn new(log: Log) -> Self {
        Self::over(rustix::stdio::stdin(), rustix::stdio::stdout(), log)
    }

    /// A connection over two descriptors.
    pub fn over(input: BorrowedFd<'static>, output: BorrowedFd<'static>, log: Log) -> Self {
        Self {
            log,
            input: Input::new(input),
            output: Output::new(output),
            limits: Limits::new(),
            tls: RefCell::default(),
            buffer: RefCell::default(),
            input_end: Cell::new(None),
            framing: Cell::new(Framing::Smtp),
            line_writer: Cell::new(None),
            bytes_in: Cell::new(0),
            bytes_out: Cell::new(0),
        }
    }

    /// The descriptors read from and written to, for a transport that takes their place.
    pub fn descriptors(&self) -> (BorrowedFd<'static>, BorrowedFd<'static>) {
        (self.input.fd.get(), self.output.fd)
    }

    /// How responses are written from now on.
    pub fn set_framing(&self, framing: Framing) {
        self.framing.set(framing);
    }

    /// From now on a loaded protocol writes the responses, whatever framing is set (PLUG-ABI-8).
    pub fn set_line_writer(&self, writer: LineWriter) {
        self.line_writer.set(Some(writer));
    }

    /// From now on `input` is read and counted; what was read before and not consumed is forgotten.
    /// Gives the number of bytes that were (SMTP-MISC-10, TLS-22).
    pub fn replace_input(&self, input: BorrowedFd<'static>) -> usize {
        self.input_end.set(None);
        let forgotten = self.buffer.take();
        self.input.fd.set(input);
        self.bytes_in.set(0);
        forgotten.unconsumed().len()
    }

    /// Bytes read so far, acted upon or not (CORE-LOG-7).
    pub fn bytes_in(&self) -> u64 {
        self.bytes_in.get()
    }

    /// Bytes written so far.
    pub fn bytes_out(&self) -> u64 {
        self.bytes_out.get()
    }

    /// The last log line of a session (CORE-LOG-7, MAILDIR-LOG-1).
    pub fn log_bytes(&self) {
        let (read, written) = (self.bytes_in(), self.bytes_out());
        self.log.line(format!("bytes in: {read} bytes out: {written}").as_bytes());
    }

    /// From now on no byte is taken from the system that is not needed, so that everything behind what
    /// was asked for is left to the next program (POPAUTH-EXEC-7, IMAP-EXEC-4).
    pub fn read_nothing_ahead(&self) {
        self.input.read_nothing_ahead();
    }

    /// Sends a response in the framing set, each line of a refusal logged first (CORE-LOG-3).
    ///
    /// # Errors
    /// The client is gone, or takes nothing.
    pub fn respond(&self, response: &Response) -> Result<(), End> {
        self.log_refusal(response);
        self.send(response)
    }

    /// Logs the lines of a response of 400 or more (CORE-LOG-3).
    pub fn log_refusal(&self, response: &Response) {
        if !response.is_ok() {
            for line in response.lines() {
                self.log.parts(&[format!("{} ", response.number()).as_bytes(), line]);
            }
        }
    }

    /// Sends a response without logging it.
    ///
    /// # Errors
    /// The client is gone, or takes nothing.
    pub fn send(&self, response: &Response) -> Result<(), End> {
        match self.line_writer.get() {
            Some(write) => write(self, response),
            None => self.write(&self.framing.get().encode(response)),
        }
    }

    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// The client is gone, or takes nothing.
    pub fn write(&self, bytes: &[u8]) -> Result<(), End> {
        match self.tls.borrow_mut().as_mut() {
            Some(stream) => self.encrypt(stream, bytes),
            None => {
                let (sent, result) = self.output.transmit(&self.limits, bytes);
                self.bytes_out.set(self.bytes_out.get() + sent);
                result
            }
        }
    }
}

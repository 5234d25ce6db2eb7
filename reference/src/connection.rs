//! Standard input and output: buffered bytes, lines, responses, time limits and byte counts, in the
//! clear or inside TLS.
//!
//! All methods take `&self`: a loaded module may write through the session while a protocol reads.

use std::{
    cell::{Cell, Ref, RefCell},
    io::IoSlice,
    os::fd::BorrowedFd,
    time::{Duration, Instant},
};

use bstr::BString;
use rustix::{
    buffer::spare_capacity,
    event::PollFlags,
    io::{Errno, ReadWriteFlags, pwritev2},
    net::{RecvFlags, recv},
};

use crate::{
    log::Log,
    response::{Framing, Response},
    tls::{
        Negotiated,
        stream::{self, Stream},
    },
    wait,
};

/// How much is read at once. A whole ordinary message takes few system calls and little memory.
const READ_SIZE: usize = 64 * 1024;

/// How far a socket is looked into for the end of a line.
const PEEK_SIZE: usize = 4096;

/// How much is written at once: what a pipe that polls writable takes without blocking (`PIPE_BUF`),
/// so that the time limits hold on output too (CORE-TIME-2).
const WRITE_SIZE: usize = 4096;

/// Inactivity allowed without `$TIMEOUT`, in seconds (CORE-TIME-1).
pub const DEFAULT_TIMEOUT: u64 = 1200;

/// The longest time limit, in seconds: larger values act as this one, a century (CORE-TIME-6).
pub const LONGEST: u64 = 100 * 366 * 86_400;

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

/// The bytes that ended a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineEnd {
    /// CR LF.
    Crlf,
    /// LF alone (SMTP-CMD-1).
    Lf,
}

/// A line from the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// The bytes without their line end.
    Complete(BString, LineEnd),
    /// More than the limit; it was read to its end and thrown away (SMTP-CMD-16).
    TooLong,
}

/// Why there is no TLS after a handshake (TLS-7).
#[derive(Debug, Clone, PartialEq)]
pub enum NoHandshake {
    /// The client does not keep to the protocol, or there is nothing both sides know.
    Protocol(rustls::Error),
    /// The client did not go on.
    End(End),
}

/// Writes all lines of a response by other means than [`Connection::write`] alone.
pub type LineWriter = fn(&Connection, &Response) -> Result<(), End>;

/// The client's connection.
pub struct Connection {
    /// The log of the program that serves it.
    pub log: Log,
    input: Cell<BorrowedFd<'static>>,
    output: BorrowedFd<'static>,
    tls: RefCell<Option<Stream>>,
    buffer: RefCell<Buffer>,
    framing: Cell<Framing>,
    line_writer: Cell<Option<LineWriter>>,
    /// How the input ended, if it did.
    input_end: Cell<Option<End>>,
    inactivity: Cell<Duration>,
    deadline: Cell<Option<Instant>>,
    bytes_in: Cell<u64>,
    bytes_out: Cell<u64>,
    reading: Cell<Reading>,
    /// Whether the system can be asked to write as much as fits, without waiting.
    writes_at_once: Cell<bool>,
}

/// How much is taken from the system at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// As much as there is.
    Ahead,
    /// Up to the end of a line, which a socket shows before it is read.
    Peeking,
    /// One byte: a pipe shows nothing.
    Bytewise,
}

#[derive(Default)]
struct Buffer {
    bytes: Vec<u8>,
    start: usize,
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
            input: Cell::new(input),
            output,
            tls: RefCell::default(),
            buffer: RefCell::default(),
            framing: Cell::new(Framing::Smtp),
            line_writer: Cell::new(None),
            input_end: Cell::new(None),
            inactivity: Cell::new(Duration::from_secs(DEFAULT_TIMEOUT)),
            deadline: Cell::new(None),
            bytes_in: Cell::new(0),
            bytes_out: Cell::new(0),
            reading: Cell::new(Reading::Ahead),
            writes_at_once: Cell::new(true),
        }
    }

    /// The descriptors read from and written to, for a transport that takes their place.
    pub fn descriptors(&self) -> (BorrowedFd<'static>, BorrowedFd<'static>) {
        (self.input.get(), self.output)
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
        self.input.set(input);
        self.bytes_in.set(0);
        forgotten.bytes.len() - forgotten.start
    }

    /// Shakes hands. From then on everything read and written goes through `stream`, and the counts
    /// begin anew (SMTP-MISC-10). What the client sent ahead is taken for its part of the handshake,
    /// never for commands (TLS-8).
    ///
    /// # Errors
    /// There is no TLS; nothing may be sent any more.
    pub fn shake_hands(&self, mut stream: Stream) -> Result<Negotiated, NoHandshake> {
        let early = self.buffer.take();
        self.bytes_in.set(0);
        self.bytes_out.set(0);
        let mut records = early.bytes[early.start..].to_vec();
        let mut bytes = Vec::new();
        loop {
            let taken = stream.take(&records, &mut bytes);
            // An alert tells the client what is wrong; whether it arrives matters no more.
            let sent = self.transmit(&stream.outgoing());
            taken.map_err(NoHandshake::Protocol)?;
            sent.map_err(NoHandshake::End)?;
            if let Some(negotiated) = stream.negotiated() {
                self.bytes_in.set(bytes.len() as u64);
                *self.buffer.borrow_mut() = Buffer { bytes, start: 0 };
                *self.tls.borrow_mut() = Some(stream);
                return Ok(negotiated);
            }
            if stream.is_over() {
                return Err(NoHandshake::End(End::Eof));
            }
            records.clear();
            self.receive(&mut records, READ_SIZE).map_err(NoHandshake::End)?;
        }
    }

    /// Tells a client inside TLS that nothing more will come, if it takes that at once (TLS-12).
    pub fn close(&self) {
        if let Some(mut stream) = self.tls.take() {
            stream.close();
            if wait::ready(self.output, PollFlags::OUT, Instant::now()).is_ok_and(|ready| ready) {
                // It is a courtesy to a client that may be gone.
                let _ignored = rustix::io::write(self.output, &stream.outgoing());
            }
        }
    }

    /// Puts bytes back in front of those not yet consumed.
    pub fn give_back(&self, bytes: &[u8]) {
        let mut buffer = self.buffer.borrow_mut();
        let start = std::mem::take(&mut buffer.start);
        buffer.bytes.splice(..start, bytes.iter().copied());
    }

    /// Limits each wait for the client to `seconds` (CORE-TIME-2).
    pub fn set_inactivity(&self, seconds: u64) {
        self.inactivity.set(Duration::from_secs(seconds.min(LONGEST)));
    }

    /// Ends the session `seconds` from now (CORE-TIME-7).
    pub fn set_session_limit(&self, seconds: u64) {
        self.deadline.set(Instant::now().checked_add(Duration::from_secs(seconds.min(LONGEST))));
    }

    /// What is left of the session; `None` without a limit.
    pub fn session_left(&self) -> Option<Duration> {
        self.deadline.get().map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// When the session ends, for those who wait for others than the client (CORE-TIME-7).
    pub fn session_end(&self) -> Instant {
        self.deadline.get().unwrap_or_else(|| Instant::now() + Duration::from_secs(LONGEST))
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
        self.reading.set(Reading::Peeking);
    }

    /// The bytes read but not yet consumed, never empty: if there are none, waits for more.
    ///
    /// # Errors
    /// There will be none.
    pub fn fill(&self) -> Result<Ref<'_, [u8]>, End> {
        let is_empty = self.buffer.borrow().start == self.buffer.borrow().bytes.len();
        if is_empty {
            self.read(1)?;
        }
        Ok(Ref::map(self.buffer.borrow(), |buffer| &buffer.bytes[buffer.start..]))
    }

    /// Takes the first `count` bytes of [`Connection::fill`] away.
    pub fn consume(&self, count: usize) {
        let mut buffer = self.buffer.borrow_mut();
        buffer.start = buffer.bytes.len().min(buffer.start + count);
    }

    /// Lends the bytes of [`Connection::fill`] to `take`, which says how many of them it used up. Who reads
    /// from the connection meanwhile gets what comes behind them.
    ///
    /// # Errors
    /// There will be none.
    pub fn lend(&self, take: impl FnOnce(&[u8]) -> usize) -> Result<(), End> {
        drop(self.fill()?);
        let Buffer { bytes, start } = self.buffer.take();
        let start = bytes.len().min(start + take(&bytes[start..]));
        let mut buffer = self.buffer.borrow_mut();
        if buffer.start == buffer.bytes.len() {
            *buffer = Buffer { bytes, start };
        } else {
            drop(buffer);
            self.give_back(&bytes[start..]);
        }
        Ok(())
    }

    /// Exactly `count` bytes. What is kept grows with what comes, not with what was announced.
    ///
    /// # Errors
    /// The input ended before.
    pub fn read_exact(&self, count: usize) -> Result<BString, End> {
        let mut taken = Vec::new();
        while taken.len() < count {
            let left = count - taken.len();
            if self.buffer.borrow().start == self.buffer.borrow().bytes.len() {
                self.read(left)?;
            }
            let bytes = self.fill()?;
            let used = bytes.len().min(left);
            taken.extend_from_slice(&bytes[..used]);
            drop(bytes);
            self.consume(used);
        }
        Ok(taken.into())
    }

    /// One line of at most `max` bytes, its line end not counted. Memory stays within `max` however
    /// long the line is. A last line without line end is nothing (SMTP-CMD-14).
    ///
    /// # Errors
    /// The input ended before the line did.
    pub fn read_line(&self, max: usize) -> Result<Line, End> {
        let mut line = Vec::new();
        Ok(match self.read_line_into(max, &mut line)? {
            Some(line_end) => Line::Complete(line.into(), line_end),
            None => Line::TooLong,
        })
    }

    /// As [`Connection::read_line`], into a buffer that is emptied first. Of a line that is too long,
    /// for which there is nothing as line end, it has the beginning.
    ///
    /// # Errors
    /// The input ended before the line did.
    pub fn read_line_into(&self, max: usize, line: &mut Vec<u8>) -> Result<Option<LineEnd>, End> {
        line.clear();
        let mut length = 0usize;
        loop {
            let bytes = self.fill()?;
            let end = memchr::memchr(b'\n', &bytes);
            let part = &bytes[..end.unwrap_or(bytes.len())];
            // One byte more than the limit, since the last one may be the CR of the line end.
            let room = (max + 1).saturating_sub(line.len());
            line.extend_from_slice(&part[..part.len().min(room)]);
            length = length.saturating_add(part.len());
            let used = part.len() + usize::from(end.is_some());
            drop(bytes);
            self.consume(used);
            if end.is_some() {
                return Ok(Self::finish_line(line, length, max));
            }
        }
    }

    fn finish_line(line: &mut Vec<u8>, length: usize, max: usize) -> Option<LineEnd> {
        if length > line.len() {
            return None;
        }
        let line_end = if line.last() == Some(&b'\r') { LineEnd::Crlf } else { LineEnd::Lf };
        if line_end == LineEnd::Crlf {
            line.pop();
        }
        (line.len() <= max).then_some(line_end)
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
        let mut tls = self.tls.borrow_mut();
        let Some(stream) = tls.as_mut() else {
            let (sent, result) = self.transmit_counted(bytes);
            self.bytes_out.set(self.bytes_out.get() + sent);
            return result;
        };
        for record in bytes.chunks(stream::RECORD_MAX) {
            stream.give(record).map_err(|_| End::Failed)?;
            self.transmit(&stream.outgoing())?;
            self.bytes_out.set(self.bytes_out.get() + record.len() as u64);
        }
        Ok(())
    }

    /// Once there was an end there is nothing more: a caller that goes on reading is told the same
    /// (AUTH-14).
    fn read(&self, wanted: usize) -> Result<(), End> {
        let read = self.input_end.get().map_or_else(|| self.read_more(wanted), Err);
        self.input_end.set(read.err());
        read
    }

    fn read_more(&self, wanted: usize) -> Result<(), End> {
        let mut bytes = std::mem::take(&mut *self.buffer.borrow_mut()).bytes;
        bytes.clear();
        match self.tls.borrow_mut().as_mut() {
            None => self.receive(&mut bytes, wanted)?,
            Some(stream) => self.decrypt(stream, &mut bytes)?,
        }
        self.bytes_in.set(self.bytes_in.get() + bytes.len() as u64);
        *self.buffer.borrow_mut() = Buffer { bytes, start: 0 };
        Ok(())
    }

    /// Reads until there is plaintext. Whatever ends TLS ends the input (TLS-11).
    fn decrypt(&self, stream: &mut Stream, plaintext: &mut Vec<u8>) -> Result<(), End> {
        let mut records = Vec::new();
        while plaintext.is_empty() {
            if stream.is_over() {
                return Err(End::Eof);
            }
            records.clear();
            self.receive(&mut records, READ_SIZE)
                .map_err(|end| if end == End::SessionOver { end } else { End::Eof })?;
            let taken = stream.take(&records, plaintext);
            self.transmit(&stream.outgoing())?;
            if let Err(error) = taken {
                self.log.line(format!("TLS error {}", stream::error_number(&error)).as_bytes());
            }
        }
        Ok(())
    }

    /// Reads what the client has sent, at least one byte; no more than `wanted` where nothing may be read
    /// ahead.
    fn receive(&self, bytes: &mut Vec<u8>, wanted: usize) -> Result<(), End> {
        loop {
            self.wait(self.input.get(), PollFlags::IN)?;
            match self.read_into(bytes, wanted) {
                Ok(0) => return Err(End::Eof),
                Ok(_) => return Ok(()),
                Err(Errno::INTR | Errno::AGAIN) => {}
                Err(_) => return Err(End::Failed),
            }
        }
    }

    fn transmit(&self, bytes: &[u8]) -> Result<(), End> {
        self.transmit_counted(bytes).1
    }

    /// Sends bytes as they are; gives how many of them went out.
    fn transmit_counted(&self, bytes: &[u8]) -> (u64, Result<(), End>) {
        let mut sent = 0;
        while sent < bytes.len() {
            match self.write_some(&bytes[sent..]) {
                Ok(written) => sent += written,
                Err(end) => return (sent as u64, Err(end)),
            }
        }
        (sent as u64, Ok(()))
    }

    /// Writes what the client takes at once, and waits first only if that is nothing; perhaps nothing.
    fn write_some(&self, bytes: &[u8]) -> Result<usize, End> {
        if self.writes_at_once.get() {
            self.check_limit()?;
            let much = [IoSlice::new(&bytes[..bytes.len().min(READ_SIZE)])];
            match pwritev2(self.output, &much, u64::MAX, ReadWriteFlags::NOWAIT) {
                Ok(written) => return Ok(written),
                Err(Errno::INTR) => return Ok(0),
                Err(Errno::AGAIN) => {}
                // Not every descriptor and every kernel can be asked so.
                Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL | Errno::SPIPE) => {
                    self.writes_at_once.set(false);
                }
                Err(_) => return Err(End::Failed),
            }
        }
        self.wait(self.output, PollFlags::OUT)?;
        match rustix::io::write(self.output, &bytes[..bytes.len().min(WRITE_SIZE)]) {
            Ok(written) => Ok(written),
            Err(Errno::INTR | Errno::AGAIN) => Ok(0),
            Err(_) => Err(End::Failed),
        }
    }

    /// Reads once, into an empty buffer; no more than `wanted`, or than a line, where nothing may be read
    /// ahead.
    fn read_into(&self, bytes: &mut Vec<u8>, wanted: usize) -> Result<usize, Errno> {
        let input = self.input.get();
        if self.reading.get() == Reading::Ahead {
            bytes.reserve_exact(READ_SIZE);
            return rustix::io::read(input, spare_capacity(bytes));
        }
        let most = if wanted > 1 { wanted.min(READ_SIZE) } else { self.bytes_of_line()? };
        bytes.resize(most, 0);
        let read = rustix::io::read(input, &mut bytes[..]);
        bytes.truncate(*read.as_ref().unwrap_or(&0));
        read
    }

    /// How many bytes can be read without passing the end of a line.
    fn bytes_of_line(&self) -> Result<usize, Errno> {
        if self.reading.get() == Reading::Peeking {
            let mut seen = [0; PEEK_SIZE];
            match recv(self.input.get(), &mut seen, RecvFlags::PEEK) {
                Ok((count, _)) => {
                    return Ok(memchr::memchr(b'\n', &seen[..count]).map_or(count.max(1), |at| at + 1));
                }
                Err(Errno::NOTSOCK) => self.reading.set(Reading::Bytewise),
                Err(error) => return Err(error),
            }
        }
        Ok(1)
    }

    /// Waits until `fd` is ready, or has an error that the next call will tell.
    fn wait(&self, fd: BorrowedFd<'static>, event: PollFlags) -> Result<(), End> {
        self.check_limit()?;
        let (until, cause) = self.limit();
        match wait::ready(fd, event, until) {
            Ok(true) => Ok(()),
            Ok(false) => Err(cause),
            Err(_) => Err(End::Failed),
        }
    }

    /// A busy client must not outlive the session limit either.
    fn check_limit(&self) -> Result<(), End> {
        let is_over = self.deadline.get().is_some_and(|deadline| deadline <= Instant::now());
        if is_over { Err(End::SessionOver) } else { Ok(()) }
    }

    /// How long a wait that begins now may last, and what it means if it does.
    fn limit(&self) -> (Instant, End) {
        let silent_until = Instant::now() + self.inactivity.get();
        match self.deadline.get() {
            Some(deadline) if deadline <= silent_until => (deadline, End::SessionOver),
            _ => (silent_until, End::TimedOut),
        }
    }

    /// When somebody else who is asked now must have answered: the client's own limits hold for those
    /// who work for it (CVM-XFER-7).
    pub fn patience(&self) -> Instant {
        self.limit().0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(bytes: &[u8], max: usize) -> Option<(Vec<u8>, LineEnd)> {
        let mut line = bytes[..bytes.len().min(max + 1)].to_vec();
        Connection::finish_line(&mut line, bytes.len(), max).map(|line_end| (line, line_end))
    }

    #[test]
    fn a_line_end_is_not_counted() {
        assert_eq!(finished(b"abc\r", 3), Some((b"abc".to_vec(), LineEnd::Crlf)));
        assert_eq!(finished(b"abc", 3), Some((b"abc".to_vec(), LineEnd::Lf)));
        assert_eq!(finished(b"abcd", 3), None);
        assert_eq!(finished(b"abcd\r", 3), None);
    }

    #[test]
    fn only_one_cr_belongs_to_the_line_end() {
        assert_eq!(finished(b"a\r\r", 3), Some((b"a\r".to_vec(), LineEnd::Crlf)));
    }
}

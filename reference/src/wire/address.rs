//! The argument of MAIL and RCPT: an address and what follows it (SMTP-MAIL-10 … 18).
//!
//! Stops envelope injection by NUL or CR (SEC-40 … 42, SMTP-RCPT-6, -7) and overlong addresses (SEC-48).

use std::{error, fmt};

use bstr::BString;

/// The longest address in bytes, counted after quoting and source route are gone (SMTP-MAIL-18).
pub const ADDRESS_MAX: usize = 4096;

/// The envelope part of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed {
    /// The address without quoting and source route. May be empty; has no NUL, CR or LF.
    pub address: BString,
    /// The words behind it, each blank replaced by NUL (HOOK-ADDR-2). [`items`] takes them apart.
    pub parameters: BString,
}

/// Why there is no address, and where the argument shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressError {
    /// What is wrong.
    pub cause: Cause,
    /// The index in the argument of the byte that shows it; its length if the end does.
    pub offset: usize,
}

/// What can be wrong with an address argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// A NUL, CR or LF anywhere in the argument (SMTP-CMD-15, HOOK-ADDR-4).
    ForbiddenByte,
    /// No address, or one without its end (SMTP-MAIL-10, -13, -16).
    Syntax,
    /// More than [`ADDRESS_MAX`] bytes; the offset is where the address starts.
    TooLong,
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cause = match self.cause {
            Cause::ForbiddenByte => "NUL, CR or LF",
            Cause::Syntax => "no complete address",
            Cause::TooLong => "address too long",
        };
        write!(f, "{cause} at byte {} of the address parameter", self.offset)
    }
}

impl error::Error for AddressError {}

/// Parses the argument of MAIL or RCPT. The keyword in front, `FROM:` or `TO:`, is not checked.
///
/// # Errors
/// See [`Cause`]. The clients are told `501` in each case.
pub fn parse(argument: &[u8]) -> Result<Parsed, AddressError> {
    let fail = |cause, offset| Err(AddressError { cause, offset });
    if let Some(offset) = memchr::memchr3(b'\0', b'\r', b'\n', argument) {
        return fail(Cause::ForbiddenByte, offset);
    }
    let Some((start, closing)) = find_start(argument) else {
        return fail(Cause::Syntax, argument.len());
    };
    let (mut address, end) = unquote(&argument[start..], closing);
    let parameters = match end {
        End::Closed(length) => parameters(&argument[start + length..]),
        // Without brackets the end of the line is as good as a blank (SMTP-MAIL-13).
        End::OfLine if closing == b' ' && !address.is_empty() => BString::default(),
        End::OfLine | End::Escape => return fail(Cause::Syntax, argument.len()),
    };
    strip_route(&mut address);
    if address.len() > ADDRESS_MAX {
        return fail(Cause::TooLong, start);
    }
    Ok(Parsed { address: address.into(), parameters })
}

/// The items of [`Parsed::parameters`], in order, verbatim. Two blanks in a row have an empty item
/// between them; one at the very end adds none (SMTP-MAIL-12).
pub fn items(parameters: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut parts = parameters.split(|byte| *byte == b'\0').peekable();
    std::iter::from_fn(move || {
        let item = parts.next()?;
        (parts.peek().is_some() || !item.is_empty()).then_some(item)
    })
}

/// Where the address starts and which unquoted byte ends it (SMTP-MAIL-10).
fn find_start(argument: &[u8]) -> Option<(usize, u8)> {
    let skip_blanks = |from: usize| from + leading_blanks(&argument[from..]);
    if let Some(bracket) = memchr::memchr(b'<', argument) {
        Some((bracket + 1, b'>'))
    } else if let Some(colon) = memchr::memchr(b':', argument) {
        Some((skip_blanks(colon + 1), b' '))
    } else {
        memchr::memchr(b' ', argument).map(|blank| (skip_blanks(blank), b' '))
    }
}

/// What ended the scan of an address.
enum End {
    /// The closing byte; the length includes it.
    Closed(usize),
    /// The end of the argument.
    OfLine,
    /// The end of the argument directly after a backslash that needed one more byte.
    Escape,
}

/// Copies the address up to its unquoted `closing` byte, without its quoting (SMTP-MAIL-11).
fn unquote(bytes: &[u8], closing: u8) -> (Vec<u8>, End) {
    let mut address = Vec::with_capacity(bytes.len().min(ADDRESS_MAX));
    let mut is_quoted = false;
    let mut rest = bytes.iter().enumerate();
    while let Some((at, &byte)) = rest.next() {
        match byte {
            b'\\' => match rest.next() {
                Some((_, &escaped)) => address.push(escaped),
                None => return (address, End::Escape),
            },
            b'"' => is_quoted = !is_quoted,
            _ if byte == closing && !is_quoted => return (address, End::Closed(at + 1)),
            _ => address.push(byte),
        }
    }
    (address, End::OfLine)
}

/// Removes one source route, `@…:`, from the front (SMTP-MAIL-15, RFC 5321 App. C).
fn strip_route(address: &mut Vec<u8>) {
    if address.first() == Some(&b'@')
        && let Some(colon) = memchr::memchr(b':', address)
    {
        address.drain(..=colon);
    }
}

fn parameters(rest: &[u8]) -> BString {
    let words = &rest[leading_blanks(rest)..];
    words.iter().map(|&byte| if byte == b' ' { b'\0' } else { byte }).collect::<Vec<u8>>().into()
}

/// Only SP is a blank here, TAB is not (SMTP-MAIL-11, -12).
fn leading_blanks(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| **byte == b' ').count()
}

#[cfg(test)]
mod tests;

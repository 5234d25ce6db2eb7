//! Look-up in a constant database, Bernstein's `cdb`: is a key there?
//!
//! A file is 256 pairs of position and length, the records, then one hash table for each pair; all
//! numbers are 32 bits, little endian (<https://cr.yp.to/cdb/cdb.txt>). Nothing read from it is
//! believed: every offset is held against the length of the file before it is followed (RULES-CDB-3,
//! QVAL-12, SEC-108), and what is read at once never exceeds the key that is looked for.

use std::{error, fmt};

/// Pairs at the start, one for each low byte of a hash.
const TABLES: u32 = 256;

/// Bytes of a pair of numbers: of the start, of a slot, of the head of a record.
const PAIR: u64 = 8;

/// Why a look-up has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CdbError<E> {
    /// The bytes cannot be read.
    Unreadable(E),
    /// The file says that something lies at this offset, outside of it.
    Damaged {
        /// Where the bytes should have been.
        offset: u64,
    },
}

impl<E: fmt::Display> fmt::Display for CdbError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => write!(f, "cdb cannot be read: {error}"),
            Self::Damaged { offset } => write!(f, "cdb is damaged: nothing at byte {offset}"),
        }
    }
}

impl<E: error::Error> error::Error for CdbError<E> {}

/// Whether the database of `length` bytes has `key`. `read` fills a buffer with the bytes at an offset,
/// all of which lie within `length`; the longest it is asked for is as long as the key.
///
/// # Errors
/// See [`CdbError`]. A file too short to be a database, an empty one too, is damaged.
pub fn contains<E>(
    length: u64,
    key: &[u8],
    read: impl FnMut(u64, &mut [u8]) -> Result<(), E>,
) -> Result<bool, CdbError<E>> {
    let mut file = Bounded { length, read };
    let hash = hash(key);
    let (table, slots) = file.pair(u64::from(hash % TABLES) * PAIR)?;
    if slots == 0 {
        return Ok(false);
    }
    let first = hash / TABLES % slots;
    for slot in (first..slots).chain(0..first) {
        let (hashed, record) = file.pair(u64::from(table) + u64::from(slot) * PAIR)?;
        if record == 0 {
            return Ok(false);
        }
        if hashed == hash && file.has_key(u64::from(record), key)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The hash of a key.
fn hash(key: &[u8]) -> u32 {
    key.iter().fold(5381, |hash: u32, byte| hash.wrapping_mul(33) ^ u32::from(*byte))
}

/// Reads within the length only.
struct Bounded<R> {
    length: u64,
    read: R,
}

impl<R> Bounded<R> {
    fn fill<E>(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), CdbError<E>>
    where
        R: FnMut(u64, &mut [u8]) -> Result<(), E>,
    {
        // Offsets come from 32-bit numbers and the buffer from a key: the sum cannot overflow.
        if offset + buffer.len() as u64 > self.length {
            return Err(CdbError::Damaged { offset });
        }
        (self.read)(offset, buffer).map_err(CdbError::Unreadable)
    }

    fn pair<E>(&mut self, offset: u64) -> Result<(u32, u32), CdbError<E>>
    where
        R: FnMut(u64, &mut [u8]) -> Result<(), E>,
    {
        let mut bytes = [0; 8];
        self.fill(offset, &mut bytes)?;
        let [a, b, c, d, e, f, g, h] = bytes;
        Ok((u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h])))
    }

    /// Whether the record at `offset` has this key.
    fn has_key<E>(&mut self, offset: u64, key: &[u8]) -> Result<bool, CdbError<E>>
    where
        R: FnMut(u64, &mut [u8]) -> Result<(), E>,
    {
        let (key_length, _) = self.pair(offset)?;
        if u64::from(key_length) != key.len() as u64 {
            return Ok(false);
        }
        let mut found = vec![0; key.len()];
        self.fill(offset + PAIR, &mut found)?;
        Ok(found == key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A look-up in bytes, with the offsets that were read.
    fn look(bytes: &[u8], key: &[u8]) -> Result<bool, CdbError<()>> {
        contains(bytes.len() as u64, key, |offset, buffer| {
            let start = usize::try_from(offset).unwrap();
            buffer.copy_from_slice(&bytes[start..start + buffer.len()]);
            Ok(())
        })
    }

    /// A database with one record, whose table has `slots` slots, all in use if `full`.
    fn one_key(key: &[u8], slots: u32, full: bool) -> Vec<u8> {
        let hashed = hash(key);
        let key_length = u32::try_from(key.len()).unwrap();
        let record_end = 2056 + key_length;
        let mut bytes = vec![0; 2048];
        for (index, pair) in (0..256).zip(bytes.chunks_exact_mut(8)) {
            let slots = if index == hashed % 256 { slots } else { 0 };
            pair[..4].copy_from_slice(&record_end.to_le_bytes());
            pair[4..].copy_from_slice(&slots.to_le_bytes());
        }
        bytes.extend(key_length.to_le_bytes());
        bytes.extend(0u32.to_le_bytes());
        bytes.extend(key);
        for slot in 0..slots {
            let (hash, record) = match slot == (hashed / 256 + slots - 1) % slots {
                true => (hashed, 2048u32),
                false => (hashed ^ 256, 2048 * u32::from(full || slots < 3)),
            };
            bytes.extend(hash.to_le_bytes());
            bytes.extend(record.to_le_bytes());
        }
        bytes
    }

    #[test]
    fn a_key_is_found_in_the_last_slot_tried_and_no_other_is() {
        for slots in [1, 2, 5] {
            let bytes = one_key(b"example.com", slots, true);
            assert_eq!(look(&bytes, b"example.com"), Ok(true), "{slots}");
            for absent in ["Example.com", "example.co", "example.comm", "", "example.net"] {
                assert_eq!(look(&bytes, absent.as_bytes()), Ok(false), "{absent}");
            }
        }
    }

    #[test]
    fn an_empty_slot_ends_the_search() {
        assert_eq!(look(&one_key(b"example.com", 5, false), b"example.com"), Ok(false));
    }

    #[test]
    fn the_empty_key_is_a_key() {
        assert_eq!(look(&one_key(b"", 1, true), b""), Ok(true));
    }

    #[test]
    fn what_lies_outside_the_file_is_damage() {
        let bytes = one_key(b"key", 2, true);
        assert_eq!(look(&[], b"key"), Err(CdbError::Damaged { offset: u64::from(hash(b"key") % 256) * 8 }));
        for length in 2048..bytes.len() {
            assert!(matches!(look(&bytes[..length], b"key"), Err(CdbError::Damaged { .. })), "{length}");
        }
        let garbage = vec![b'x'; 3000];
        assert!(matches!(look(&garbage, b"key"), Err(CdbError::Damaged { .. })));
        let mut everywhere = bytes.clone();
        everywhere[2048..2052].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(look(&everywhere, b"key"), Ok(false), "a record of another length is another key");
    }

    #[test]
    fn a_failed_read_is_told() {
        let answer = contains(4096, b"key", |_, _| Err("gone"));
        assert_eq!(answer, Err(CdbError::Unreadable("gone")));
    }
}

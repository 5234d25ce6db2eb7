//! A text list of addresses: one a line, looked up in constant time (RULES-LIST-4).

use std::{
    error, fmt,
    hash::{BuildHasher, RandomState},
};

use super::rule_text::trim;

/// The entries of a file.
///
/// The index is a hash table with open addressing whose slots are places in the text, so that a million
/// entries are one allocation and not a million. Its hash is keyed: no file can be made slow to look up.
#[derive(Debug)]
pub struct TextList {
    /// The file, in lower case.
    text: Vec<u8>,
    /// At most half of them are taken; their number is a power of two.
    slots: Vec<Slot>,
    hasher: RandomState,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    /// A part of the hash: texts are compared only where it is the same.
    tag: u32,
    /// Where the entry begins in the text.
    start: u32,
}

const FREE: Slot = Slot { tag: 0, start: u32::MAX };

/// A file of 4 GiB or more, which this index cannot address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong;

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text list has less than 4 GiB")
    }
}

impl error::Error for TooLong {}

impl TextList {
    /// The list in a file. Empty lines and those that begin with `#` are no entries.
    ///
    /// # Errors
    /// The file is too long.
    pub fn new(mut text: Vec<u8>) -> Result<Self, TooLong> {
        let end = u32::try_from(text.len()).map_err(|_| TooLong)?;
        text.make_ascii_lowercase();
        let lines = memchr::memchr_iter(b'\n', &text).count() + 1;
        let slots = vec![FREE; (2 * lines).next_power_of_two()];
        let mut list = Self { text, slots, hasher: RandomState::new() };
        let mut start = 0;
        while start < end {
            let line = list.line(start);
            let next = start + u32::try_from(line.len()).unwrap_or(end) + 1;
            if !matches!(trim(line).first(), None | Some(b'#')) {
                list.add(start);
            }
            start = next;
        }
        Ok(list)
    }

    /// Whether `entry`, in lower case, is in the list. The empty one never is.
    pub fn contains(&self, entry: &[u8]) -> bool {
        !entry.is_empty() && self.slots[self.find(entry)].start != FREE.start
    }

    fn add(&mut self, start: u32) {
        let entry = trim(self.line(start));
        let (tag, slot) = (self.hash(entry).0, self.find(entry));
        self.slots[slot] = Slot { tag, start };
    }

    /// The slot that holds `entry`, else the free one where it would go.
    fn find(&self, entry: &[u8]) -> usize {
        let (tag, mut at) = self.hash(entry);
        loop {
            let slot = self.slots[at];
            if slot.start == FREE.start || slot.tag == tag && trim(self.line(slot.start)) == entry {
                return at;
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
    }

    /// A tag and the slot where the search begins.
    fn hash(&self, entry: &[u8]) -> (u32, usize) {
        let mut low_and_high = [0; 8];
        low_and_high.copy_from_slice(&self.hasher.hash_one(entry).to_ne_bytes());
        let [a, b, c, d, low @ ..] = low_and_high;
        (u32::from_ne_bytes([a, b, c, d]), u32::from_ne_bytes(low) as usize & (self.slots.len() - 1))
    }

    /// The line that begins at `start`, without its end.
    fn line(&self, start: u32) -> &[u8] {
        let rest = &self.text[start as usize..];
        &rest[..memchr::memchr(b'\n', rest).unwrap_or(rest.len())]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn list(text: &str) -> TextList {
        TextList::new(text.into()).unwrap()
    }

    #[test]
    fn entries_are_trimmed_and_folded() {
        let list = list("a@ONE\n\n  # no\n#no\n @two \r\nx # y\n\x0b\0z\nlast");
        for entry in ["a@one", "@two", "x # y", "\0z", "last"] {
            assert!(list.contains(entry.as_bytes()), "{entry}");
        }
        for entry in ["", "# no", "#no", "no", "two", "x", "a@ONE", "las", "z"] {
            assert!(!list.contains(entry.as_bytes()), "{entry}");
        }
    }

    #[test]
    fn an_empty_list_holds_nothing() {
        for text in ["", "\n", " \n#\n"] {
            assert!(!list(text).contains(b"") && !list(text).contains(b"a"));
        }
    }

    proptest! {
        #[test]
        fn it_holds_its_lines_and_nothing_else(lines in prop::collection::vec("[a-c]{0,3}", 0..40), ask in "[a-c]{1,3}") {
            let list = list(&lines.join("\n"));
            prop_assert_eq!(list.contains(ask.as_bytes()), lines.contains(&ask));
        }
    }
}

//! The patterns of `VAR~PATTERN` (RULESX-COND-3).

/// A pattern of stars and other bytes. A star ends at the first byte that is the one behind it: there
/// is nothing to try twice, and a match takes time linear in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wildcard(Vec<u8>);

impl Wildcard {
    /// Every byte string is a pattern.
    pub fn new(pattern: &[u8]) -> Self {
        Self(pattern.to_ascii_lowercase())
    }

    /// Whether the whole of `text`, in lower case, is as the pattern says.
    pub fn matches(&self, text: &[u8]) -> bool {
        let (mut pattern, mut text) = (&self.0[..], text);
        while let Some((&byte, behind)) = pattern.split_first() {
            pattern = behind;
            if byte == b'*' {
                let Some(next) = pattern.iter().find(|byte| **byte != b'*') else { return true };
                let Some(end) = memchr::memchr(*next, text) else { return false };
                text = &text[end..];
            } else if let Some(rest) = text.strip_prefix(&[byte]) {
                text = rest;
            } else {
                return false;
            }
        }
        text.is_empty()
    }
}

//! Base64 as SASL has it: the standard alphabet, whole groups, canonical padding, nothing else
//! (SASL-B64-1, -2, RFC 4648 §4).

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// What fills up the last group.
const PADDING: u8 = b'=';

/// Where a text stops being base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Base64Error {
    /// The start of the group that is none.
    pub offset: usize,
}

/// The text of `bytes`.
pub fn encode(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let value =
            group.iter().fold(0, |value, byte| value << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for place in 0..4 {
            let digit = ALPHABET[(value >> (18 - 6 * place) & 63) as usize];
            text.push(if place <= group.len() { digit } else { PADDING });
        }
    }
    text
}

/// The bytes that `text` stands for; [`encode`] gives `text` back.
///
/// # Errors
/// The first group that is incomplete, has a foreign character, or has padding anywhere but at the end of
/// the text, or unused bits that are not zero.
pub fn decode(text: &[u8]) -> Result<Vec<u8>, Base64Error> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    for (index, group) in text.chunks(4).enumerate() {
        let offset = index * 4;
        let padding = group.iter().rev().take_while(|character| **character == PADDING).count();
        let is_last = offset + group.len() == text.len();
        if group.len() < 4 || padding > 2 || (padding > 0 && !is_last) {
            return Err(Base64Error { offset });
        }
        let mut value = 0u32;
        for character in &group[..4 - padding] {
            value = value << 6 | digit(*character).ok_or(Base64Error { offset })?;
        }
        value <<= 6 * padding;
        let [_, all @ ..] = value.to_be_bytes();
        let (kept, unused) = all.split_at(3 - padding);
        if unused.iter().any(|byte| *byte != 0) {
            return Err(Base64Error { offset });
        }
        bytes.extend_from_slice(kept);
    }
    Ok(bytes)
}

fn digit(character: u8) -> Option<u32> {
    let digit = match character {
        b'A'..=b'Z' => character - b'A',
        b'a'..=b'z' => character - b'a' + 26,
        b'0'..=b'9' => character - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(digit.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors_of_rfc_4648() {
        let vectors: [(&[u8], &[u8]); 7] = [
            (b"", b""),
            (b"f", b"Zg=="),
            (b"fo", b"Zm8="),
            (b"foo", b"Zm9v"),
            (b"foob", b"Zm9vYg=="),
            (b"fooba", b"Zm9vYmE="),
            (b"foobar", b"Zm9vYmFy"),
        ];
        for (bytes, text) in vectors {
            assert_eq!(encode(bytes), text);
            assert_eq!(decode(text), Ok(bytes.to_vec()));
        }
    }

    #[test]
    fn every_byte_goes_there_and_back() {
        let all: Vec<u8> = (0..=255).collect();
        for start in 0..3 {
            assert_eq!(decode(&encode(&all[start..])), Ok(all[start..].to_vec()));
        }
        assert_eq!(encode(&[0xfb, 0xff]), b"+/8=");
    }

    #[test]
    fn what_only_looks_like_base64_is_refused() {
        let wrong: [&[u8]; 17] = [
            b"=",
            b"Y",
            b"YQ",
            b"YWJ",
            b"YQ=",
            b"Y===",
            b"====",
            b"=YQ=",
            b"YQ==YQ==",
            b"YQ==x",
            b"YQ== ",
            b"YQ=x",
            b"Y Q=",
            b"-_8=",
            b"YQ=\0",
            b"YR==",
            b"YWK=",
        ];
        for text in wrong {
            assert!(decode(text).is_err(), "{}", text.escape_ascii());
        }
        assert_eq!(decode(b"YWJjZ!=="), Err(Base64Error { offset: 4 }));
    }
}

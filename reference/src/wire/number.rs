//! Numbers in variables (CORE-TIME-1, SESS-ENV-7).

use bstr::ByteSlice;

/// A number that is entirely decimal: leading blanks and one `+` allowed, overflow saturates, `-`
/// never (SESS-ENV-7, CNT-NUM-3).
pub fn whole_decimal(value: &[u8]) -> Option<u64> {
    let value = value.trim_start_with(|c| matches!(c, ' ' | '\t' | '\n' | '\x0b' | '\x0c' | '\r'));
    let digits = value.strip_prefix(b"+").unwrap_or(value);
    (!digits.is_empty() && digits.iter().all(u8::is_ascii_digit)).then(|| saturating(digits))
}

/// The decimal prefix of a number: leading blanks allowed, trailing junk ignored; `None` without
/// digits or with a minus (CORE-TIME-1, -6, SMTP-CMD-12).
pub fn decimal_prefix(value: &[u8]) -> Option<u64> {
    let value = value.trim_start_with(|c| matches!(c, ' ' | '\t' | '\n' | '\x0b' | '\x0c' | '\r'));
    let value = value.strip_prefix(b"+").unwrap_or(value);
    let digits = &value[..value.iter().take_while(|b| b.is_ascii_digit()).count()];
    (!digits.is_empty()).then(|| saturating(digits))
}

/// Whether a switch is on: its decimal prefix, sign allowed, is not 0 (IMAP-CAPA-3).
pub fn is_nonzero(value: &[u8]) -> bool {
    let value = value.trim_start_with(|c| matches!(c, ' ' | '\t' | '\n' | '\x0b' | '\x0c' | '\r'));
    let value = value.strip_prefix(b"+").or_else(|| value.strip_prefix(b"-")).unwrap_or(value);
    value.iter().take_while(|byte| byte.is_ascii_digit()).any(|digit| *digit != b'0')
}

/// A number that is nothing but digits; overflow saturates (CLAM-2, SPAM-11).
pub fn digits(value: &[u8]) -> Option<u64> {
    (!value.is_empty() && value.iter().all(u8::is_ascii_digit)).then(|| saturating(value))
}

fn saturating(digits: &[u8]) -> u64 {
    digits.iter().fold(0u64, |n, b| n.saturating_mul(10).saturating_add(u64::from(b - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_decimal_and_saturate() {
        assert_eq!(whole_decimal(b" +7"), Some(7));
        assert_eq!(whole_decimal(b"99999999999999999999"), Some(u64::MAX));
        for wrong in [&b""[..], b"5x", b"0x10", b"-1", b"+", b"+ 1"] {
            assert_eq!(whole_decimal(wrong), None);
        }
        assert_eq!(decimal_prefix(b" 1x"), Some(1));
        assert_eq!(decimal_prefix(b"-1"), None);
        assert_eq!(decimal_prefix(b"x"), None);
    }

    #[test]
    fn a_switch_is_on_unless_it_is_zero() {
        for on in [&b"1"[..], b"-1", b" +2x", b"010"] {
            assert!(is_nonzero(on));
        }
        for off in [&b""[..], b"0", b"-0", b"yes", b"x1", b"- 1"] {
            assert!(!is_nonzero(off));
        }
    }
}

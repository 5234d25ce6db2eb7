//! The name of a message's file in a maildir: its order, its unique id, its size and flags
//! (MAILDIR-SORT-1 … 4, -UIDL-1 … 3, -SIZE-1 … 4, -FLAG-1, -QUIT-3).

use std::cmp::Ordering;

use bstr::ByteSlice;

use super::number::decimal_prefix;

/// The longest unique id, in bytes (MAILDIR-UIDL-1, RFC 1939 §7).
pub const ID_MAX: usize = 70;

/// Digits of a size that is believed; a longer one is no size (MAILDIR-SIZE-4).
const SIZE_DIGITS_MAX: usize = 18;

/// What stands in an id for a byte that RFC 1939 §7 does not allow there (MAILDIR-UIDL-3).
const SUBSTITUTE: u8 = b'?';

/// A file name, split where its parts meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Name<'a> {
    whole: &'a [u8],
    /// In front of the first `:`.
    base: &'a [u8],
    /// `S=1234,W=1250`, if the base's first comma opens such a list (MAILDIR-SIZE-1).
    indicators: Option<&'a [u8]>,
}

impl<'a> Name<'a> {
    /// Splits a name. Every name is one.
    pub fn parse(whole: &'a [u8]) -> Self {
        let base = &whole[..memchr::memchr(b':', whole).unwrap_or(whole.len())];
        let comma = memchr::memchr(b',', base);
        let indicators = comma.map(|at| &base[at + 1..]).filter(|area| area.get(1) == Some(&b'='));
        Self { whole, base, indicators }
    }

    /// The size the name tells, never 0: the last `W=`, else the first `S=` (MAILDIR-SIZE-2).
    pub fn size(&self) -> Option<u64> {
        let mut size = 0;
        for field in self.indicators?.split(|byte| *byte == b',') {
            let Some((key @ (b'S' | b'W'), value)) = indicator(field) else { continue };
            if key == b'W' || size == 0 {
                size = value;
            }
        }
        (size > 0).then_some(size)
    }

    /// The unique id: the same in `new` and `cur` and whatever flags there are (MAILDIR-UIDL-1). Bytes
    /// that may not be in one become `?`, and it is never empty (MAILDIR-UIDL-3).
    pub fn id(&self) -> impl Iterator<Item = u8> + use<'a> {
        let stable = match self.indicators {
            Some(area) => &self.base[..self.base.len() - area.len() - 1],
            None => self.base,
        };
        let id = if stable.is_empty() { self.whole } else { stable };
        id.iter().take(ID_MAX).map(|byte| if byte.is_ascii_graphic() { *byte } else { SUBSTITUTE })
    }

    /// Whether the flags say that the message was read (MAILDIR-FLAG-1).
    pub fn is_seen(&self) -> bool {
        self.flags().is_some_and(|flags| flags.contains(&b'S'))
    }

    /// The name when the message has been read (MAILDIR-QUIT-3).
    pub fn seen(&self) -> Vec<u8> {
        let mark: &[u8] = match self.flags() {
            Some(flags) if !flags.contains(&b'S') => b"S",
            None if self.base.len() == self.whole.len() => b":2,S",
            // Flagged already, or a suffix that is not ours to change.
            _ => b"",
        };
        [self.whole, mark].concat()
    }

    fn flags(&self) -> Option<&'a [u8]> {
        self.whole[self.base.len()..].strip_prefix(b":2,")
    }
}

/// One field of the indicators: its letter and its value. A value with a minus or with more digits than
/// sizes have makes it none (MAILDIR-SIZE-4).
fn indicator(field: &[u8]) -> Option<(u8, u64)> {
    let [key, b'=', value @ ..] = field else { return None };
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    (digits <= SIZE_DIGITS_MAX && !value.trim_start().starts_with(b"-"))
        .then(|| (*key, decimal_prefix(value).unwrap_or(0)))
}

/// What decides most comparisons of [`order`]: keys that differ are in the order of their names.
///
/// A digit run that needs more than 63 bits has the greatest key of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(u64);

/// Keys of names that begin with a digit; below and above it are those of other names.
const NUMBERS: u64 = 1 << 63;

impl Key {
    /// The key of a name.
    pub fn of(name: &[u8]) -> Self {
        Self(match name.first() {
            Some(b'0'..=b'9') => {
                let number = decimal_prefix(name).unwrap_or(0);
                NUMBERS | (number.min(NUMBERS - 2))
            }
            Some(first) if *first > b'9' => u64::MAX,
            _ => 0,
        })
    }
}

/// The order of messages: by the value of the leading digits if both names have some, else bytewise;
/// equal numbers bytewise too (MAILDIR-SORT-1 … 4).
pub fn order(a: &[u8], b: &[u8]) -> Ordering {
    let by_number = match (number(a), number(b)) {
        (Some(a), Some(b)) => a.len().cmp(&b.len()).then_with(|| a.cmp(b)),
        _ => Ordering::Equal,
    };
    by_number.then_with(|| a.cmp(b))
}

/// The leading digits without leading zeros; nothing if there is no digit.
fn number(name: &[u8]) -> Option<&[u8]> {
    let digits = &name[..name.iter().take_while(|byte| byte.is_ascii_digit()).count()];
    (!digits.is_empty()).then(|| digits.trim_start_with(|zero| zero == '0'))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn id(name: &[u8]) -> Vec<u8> {
        Name::parse(name).id().collect()
    }

    #[rstest]
    #[case(b"1.a", None)]
    #[case(b"1.a,S=5", Some(5))]
    #[case(b"1.a,S=5:2,S", Some(5))]
    #[case(b"1.a,S=5,W=7", Some(7))]
    #[case(b"1.a,W=7,S=5", Some(7))]
    #[case(b"1.a,S=0,S=5,S=6", Some(5))]
    #[case(b"1.a,W=5,W=6", Some(6))]
    #[case(b"1.a,S=7,W=0", None)]
    #[case(b"1.a,W=0,S=7", Some(7))]
    #[case(b"1.a,X=1,S=7", Some(7))]
    #[case(b"1.a,s=7", None)]
    #[case(b"1.a,b,S=7", None)]
    #[case(b"1.a,,S=7", None)]
    #[case(b"1.a,S", None)]
    #[case(b"1.a:2,S=7", None)]
    #[case(b"1.a,S=12abc", Some(12))]
    #[case(b"1.a,S= 5", Some(5))]
    #[case(b"1.a,S=010", Some(10))]
    #[case(b"1.a,S=abc", None)]
    #[case(b"1.a,S=-5", None)]
    #[case(b"1.a,S=999999999999999999", Some(999_999_999_999_999_999))]
    #[case(b"1.a,S=1000000000000000000", None)]
    #[case(b"1.a,S=4,W=1000000000000000000", Some(4))]
    fn sizes_are_in_names(#[case] name: &[u8], #[case] size: Option<u64>) {
        assert_eq!(Name::parse(name).size(), size);
    }

    #[rstest]
    #[case(b"1.a", b"1.a")]
    #[case(b"1.a:2,S", b"1.a")]
    #[case(b"1.a,S=5:2,S", b"1.a")]
    #[case(b"1,a,S=9", b"1,a,S=9")]
    #[case(b"1,,S=9", b"1,,S=9")]
    #[case(b"1,S", b"1,S")]
    #[case(b",S=5", b",S=5")]
    #[case(b":2,S", b":2,S")]
    #[case(b"a b\xe9\n\x7f!~", b"a?b???!~")]
    fn ids_do_not_change_with_the_flags(#[case] name: &[u8], #[case] expected: &[u8]) {
        assert_eq!(id(name).as_bstr(), expected.as_bstr());
    }

    #[test]
    fn ids_have_an_end() {
        assert_eq!(id(&[b'x'; 70]).len(), 70);
        assert_eq!(id(&[b'x'; 71]).len(), 70);
    }

    #[rstest]
    #[case(b"1", false, b"1:2,S")]
    #[case(b"1:2,", false, b"1:2,S")]
    #[case(b"1:2,FX", false, b"1:2,FXS")]
    #[case(b"1:2,SX", true, b"1:2,SX")]
    #[case(b"1,S=4:2,F", false, b"1,S=4:2,FS")]
    #[case(b"1:", false, b"1:")]
    #[case(b"1:2", false, b"1:2")]
    #[case(b"1:1,S", false, b"1:1,S")]
    #[case(b"1:3,S", false, b"1:3,S")]
    #[case(b"1:x:2,S", false, b"1:x:2,S")]
    fn flags_follow_the_first_colon(#[case] name: &[u8], #[case] seen: bool, #[case] then: &[u8]) {
        assert_eq!(Name::parse(name).is_seen(), seen);
        assert_eq!(Name::parse(name).seen().as_bstr(), then.as_bstr());
    }

    const SORTED: &[&[u8]] = &[
        b"+5",
        b"-1",
        b"0",
        b"00",
        b"9",
        b"09",
        b"10a",
        b"99",
        b"100",
        b"2147483648",
        b"4294967297",
        b"9223372036854775805",
        b"9223372036854775806",
        b"9223372036854775807",
        b"18446744073709551616",
        b"18446744073709551617",
        b"99999999999999999999",
        b"100000000000000000000",
        b"Z",
        b"a",
        b"b",
        b"~",
    ];

    #[test]
    fn numbers_come_by_value_and_other_names_by_byte() {
        let mut expected = SORTED.to_vec();
        // A tie in number comes bytewise.
        expected.swap(4, 5);
        let mut sorted = SORTED.to_vec();
        sorted.reverse();
        sorted.sort_by(|a, b| order(a, b));
        assert_eq!(sorted, expected);
    }

    #[test]
    fn keys_agree_with_the_order() {
        for a in SORTED {
            for b in SORTED {
                if Key::of(a) < Key::of(b) {
                    assert_eq!(order(a, b), Ordering::Less, "{} {}", a.as_bstr(), b.as_bstr());
                }
            }
        }
    }
}

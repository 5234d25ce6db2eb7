//! The parameter of MAIL in which a client says how large its message will be (RFC 1870).

use bstr::ByteSlice;

use super::number::whole_decimal;

/// The number of the first parameter `SIZE=…`, if it is one. `parameters` are separated by NUL
/// (CNT-PARAM-2, HOOK-ADDR-2; RFC 1870 section 3).
pub fn declared_size(parameters: &[u8]) -> Option<u64> {
    let mut values = parameters.split_str("\0").filter_map(|item| {
        let (name, value) = item.split_once_str("=")?;
        name.eq_ignore_ascii_case(b"SIZE").then_some(value)
    });
    whole_decimal(values.next()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_size_counts() {
        for (parameters, size) in [
            (&b""[..], None),
            (b"SIZE", None),
            (b"SIZE=", None),
            (b"SIZE=101x", None),
            (b"SIZEX=1", None),
            (b"XSIZE=1", None),
            (b"SIZE0101", None), // CNT-PARAM-4
            (b"SIZE0=101", None),
            (b"BODY=8BITMIME\0\0size=007", Some(7)),
            (b"SIZE\0SIZE=5\0SIZE=500", Some(5)),
            (b"SIZE=x\0SIZE=5", None),
            (b"SIZE=99999999999999999999", Some(u64::MAX)),
        ] {
            assert_eq!(declared_size(parameters), size, "{:?}", parameters.as_bstr());
        }
    }
}

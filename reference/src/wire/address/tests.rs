use bstr::ByteSlice;

use super::*;

/// An argument, and the address and parameters it holds, or `None` for `501`.
type Row = (&'static [u8], Option<(&'static [u8], &'static [&'static [u8]])>);

/// The table behind SMTP-MAIL-18, as the reference must read it.
const TABLE: &[Row] = &[
    (b"FROM", None),
    (b"FROM\x20", None),
    (b"FROM:", None),
    (b"FROM:\x20", None),
    (b"FROM<", None),
    (b"FROM>", None),
    (b"FROM<>", Some((b"", &[]))),
    (b"FROM:<>", Some((b"", &[]))),
    (b"FROM: <>", Some((b"", &[]))),
    (b"FROM: < >", Some((b" ", &[]))),
    (b"FROM:<a", None),
    (b"FROM:a>", Some((b"a>", &[]))),
    (b"FROM:<a>", Some((b"a", &[]))),
    (b"FROM:  <a>", Some((b"a", &[]))),
    (b"FROM :<a>", Some((b"a", &[]))),
    (b"<a>", Some((b"a", &[]))),
    (b"x<a>", Some((b"a", &[]))),
    (b"TO:<me>", Some((b"me", &[]))),
    (b"me", None),
    (b":me", Some((b"me", &[]))),
    (b":me\x20", Some((b"me", &[]))),
    (b"m:e", Some((b"e", &[]))),
    (b"me@x y", Some((b"y", &[]))),
    (b"FROM me", Some((b"me", &[]))),
    (b"FROM me\x20", Some((b"me", &[]))),
    (b"FROM  me", Some((b"me", &[]))),
    (b"FROM:me", Some((b"me", &[]))),
    (b"FROM:me\x20", Some((b"me", &[]))),
    (b"FROM: me", Some((b"me", &[]))),
    (b"FROM:\tme", Some((b"\tme", &[]))),
    (b"FROM:\t<me>", Some((b"me", &[]))),
    (b"FROM a:b", Some((b"b", &[]))),
    (b"FROM a:b\x20", Some((b"b", &[]))),
    (b"FROM a:", None),
    (b"FROM me P=V", Some((b"me", &[b"P=V"]))),
    (b"FROM:me P=V", Some((b"me", &[b"P=V"]))),
    (b"FROM<me> P=V", Some((b"me", &[b"P=V"]))),
    (b"FROM:<me> P=V", Some((b"me", &[b"P=V"]))),
    (b"FROM:<me>P=V", Some((b"me", &[b"P=V"]))),
    (b"FROM:<me>  A=1  B=2\x20", Some((b"me", &[b"A=1", b"", b"B=2"]))),
    (b"FROM:<me> A=1\tB=2", Some((b"me", &[b"A=1\tB=2"]))),
    (b"FROM:<me>\tA=1", Some((b"me", &[b"\tA=1"]))),
    (b"FROM:<me>\x20", Some((b"me", &[]))),
    (b"FROM:<me>> A", Some((b"me", &[b">", b"A"]))),
    (b"FROM:<<me>> A", Some((b"<me", &[b">", b"A"]))),
    (b"FROM:<a@b>,<c@d>", Some((b"a@b", &[b",<c@d>"]))),
    (b"FROM:<a@b> \"x y\"", Some((b"a@b", &[b"\"x", b"y\""]))),
    (b"FROM:a S=1 <b>", Some((b"b", &[]))),
    (b"FROM:\"x\" <b>", Some((b"b", &[]))),
    (b"FROM:\"<\" <b>", None),
    (b"FROM:me x:y", Some((b"me", &[b"x:y"]))),
    (b"FROM:\"me\"", Some((b"me", &[]))),
    (b"FROM:\"me x\" y", Some((b"me x", &[b"y"]))),
    (b"FROM:\"me x y", Some((b"me x y", &[]))),
    (b"FROM:\"\"", None),
    (b"FROM:\"\"\x20", Some((b"", &[]))),
    (b"FROM:<\"\">", Some((b"", &[]))),
    (b"FROM:<\"me, myself, and I\"@example.net>", Some((b"me, myself, and I@example.net", &[]))),
    (b"FROM:<\"a>b\"@c>", Some((b"a>b@c", &[]))),
    (b"FROM:<\"a>b@c>", None),
    (b"FROM:<a\"b\"c@d>", Some((b"abc@d", &[]))),
    (b"FROM:<\"a\\\"b\"@c>", Some((b"a\"b@c", &[]))),
    (b"FROM:<a\\>b@c>", Some((b"a>b@c", &[]))),
    (b"FROM:<a\\\\b@c>", Some((b"a\\b@c", &[]))),
    (b"FROM:<a\\", None),
    (b"FROM:<a\\>", None),
    (b"FROM:a\\ b", Some((b"a b", &[]))),
    (b"FROM:a\\\x20", Some((b"a ", &[]))),
    (b"FROM:<him\\,himself@example.com>", Some((b"him,himself@example.com", &[]))),
    (b"FROM:<@a,@b:user@c>", Some((b"user@c", &[]))),
    (b"FROM:<@a:>", Some((b"", &[]))),
    (b"FROM:<@a>", Some((b"@a", &[]))),
    (b"FROM:<@:x>", Some((b"x", &[]))),
    (b"FROM:<@a:@b:c>", Some((b"@b:c", &[]))),
    (b"FROM:<\\@a:b>", Some((b"b", &[]))),
    (b"FROM:<\"@a:b\">", Some((b"b", &[]))),
    (b"FROM:@a,@b:user@c", Some((b"user@c", &[]))),
    (b"FROM:@a,@b:user@c\x20", Some((b"user@c", &[]))),
    (b"FROM @a,@b:user@c", Some((b"user@c", &[]))),
    (b"FROM:<user@[IPv6:::1]>", Some((b"user@[IPv6:::1]", &[]))),
    (b"FROM:user@[IPv6:::1]", Some((b"user@[IPv6:::1]", &[]))),
    (b"FROM:< a@b >", Some((b" a@b ", &[]))),
    (b"FROM:<\xe9@\xfc>", Some((b"\xe9@\xfc", &[]))),
    (b"FROM:<.@.>", Some((b".@.", &[]))),
];

#[test]
fn every_row_of_the_table_is_read_as_the_sheet_says() {
    for &(argument, expected) in TABLE {
        let parsed = parse(argument);
        let found =
            parsed.as_ref().ok().map(|p| (p.address.as_bytes(), items(&p.parameters).collect::<Vec<_>>()));
        let expected = expected.map(|(address, items)| (address, items.to_vec()));
        assert_eq!(found, expected, "{}", argument.as_bstr());
        if let Err(error) = parsed {
            assert_eq!(error.cause, Cause::Syntax, "{}", argument.as_bstr());
        }
    }
}

fn address(argument: &[u8]) -> Result<BString, AddressError> {
    parse(argument).map(|parsed| parsed.address)
}

#[test]
fn a_route_is_stripped_without_brackets_too() {
    assert_eq!(address(b"FROM:@a:u@c"), Ok("u@c".into()));
    assert_eq!(address(b"FROM:@a:u@c X=1"), Ok("u@c".into()));
    assert_eq!(address(b"FROM:@a"), Ok("@a".into()));
}

#[test]
fn a_backslash_at_the_end_is_no_address() {
    for argument in [&b"FROM:a\\"[..], b"FROM:\\", b"a b\\", b"FROM:\"a\\"] {
        let expected = AddressError { cause: Cause::Syntax, offset: argument.len() };
        assert_eq!(address(argument), Err(expected));
    }
}

#[test]
fn nul_cr_and_lf_are_refused_wherever_they_are() {
    for byte in [b'\0', b'\r', b'\n'] {
        for offset in 0..=9 {
            let mut argument = b"FROM:<a> X".to_vec();
            argument[offset] = byte;
            assert_eq!(parse(&argument), Err(AddressError { cause: Cause::ForbiddenByte, offset }));
        }
    }
}

#[test]
fn the_longest_address_passes_and_a_longer_one_does_not() {
    let argument =
        |length: usize, route: &str| [b"TO:<", route.as_bytes(), &vec![b'x'; length], b"> A=1"].concat();
    assert_eq!(address(&argument(4096, "")).map(|found| found.len()), Ok(4096));
    assert_eq!(address(&argument(4096, "@a:")).map(|found| found.len()), Ok(4096));
    assert_eq!(address(&argument(4096, "\"\"")).map(|found| found.len()), Ok(4096));
    let expected = AddressError { cause: Cause::TooLong, offset: 4 };
    assert_eq!(address(&argument(4097, "")), Err(expected));
    assert_eq!(address(&argument(4097, "@a:")), Err(expected));
}

#[test]
fn every_blank_among_the_parameters_is_one_nul() {
    let parameters = |argument: &[u8]| parse(argument).map(|parsed| parsed.parameters);
    assert_eq!(parameters(b"FROM:<me> A=1  B=2 "), Ok("A=1\0\0B=2\0".into()));
    assert_eq!(parameters(b"FROM:<me> X  "), Ok("X\0\0".into()));
    assert_eq!(parameters(b"FROM:<me>   "), Ok("".into()));
    assert_eq!(items(b"X\0\0").collect::<Vec<_>>(), [&b"X"[..], b""]);
    assert_eq!(items(b"X\0").collect::<Vec<_>>(), [b"X"]);
    assert_eq!(items(b"").count(), 0);
}

#[test]
fn an_error_says_where() {
    let error = parse(b"FROM:<a\0").unwrap_err();
    assert_eq!(error.to_string(), "NUL, CR or LF at byte 7 of the address parameter");
}

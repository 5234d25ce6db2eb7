use bstr::ByteSlice;
use rstest::rstest;

use super::*;

fn one(line: &str) -> Rule {
    let mut all = rules(line.as_bytes());
    all.next().unwrap().unwrap()
}

fn faults(file: &[u8]) -> Vec<String> {
    rules(file).filter_map(Result::err).map(|fault| fault.to_string()).collect()
}

#[test]
fn all_fields() {
    let rule = one("&!!!a\\:b*:[[@x\\:y]]:Hi\\n\\\\\\t:0070:@s\\::A=1\\,2:x,,B\\=,=\\\\,");
    assert_eq!((rule.code, rule.of_senders), (Code::And, false));
    assert!(rule.sender.negated && !rule.recipient.negated);
    assert!(matches!(&rule.sender.test, Test::Glob(glob) if glob.matches(b"A:bc")));
    assert!(matches!(&rule.recipient.test, Test::List(list) if list.file == "x:y" && list.domain_only));
    assert_eq!(rule.response, "Hi\n\\t");
    assert_eq!((rule.data_bytes, rule.suffix), (70, "@s:".into()));
    assert_eq!(rule.environment, ["A=1,2:x", "B=", "=\\"]);
}

#[rstest]
#[case("d", false)]
#[case("da@b", false)]
#[case("da@b:", false)]
#[case("da@b:*", true)]
#[case("d*:!*", true)]
#[case("d*:!!*", true)]
#[case("d*:\\*", true)]
#[case("d*:\\!*", false)]
#[case("d*:**", false)]
#[case("d*:?*", false)]
fn a_rule_before_any_selector_goes_by_its_recipient(#[case] line: &str, #[case] of_senders: bool) {
    assert_eq!(one(line).of_senders, of_senders);
}

#[test]
fn selectors_alternate() {
    let file = b"d\n:sxyz\nd\n:r\nd*:*\n :s\r\n# d\nX\nd";
    let sections: Vec<bool> = rules(file).map(|rule| rule.unwrap().of_senders).collect();
    assert_eq!(sections, [false, true, false, true]);
}

#[test]
fn faults_have_places() {
    let file =
        b":S\n:\n  : s\nD*:*::12x\nk*:*::12x:\nka\\400:b\nk::\\000\nk:::1\\2\nn::::::\\777,\nk*:*:: 1\n";
    assert_eq!(
        faults(file),
        [
            "1:2: a selector is `:sender` or `:recipient`",
            "2:2: a selector is `:sender` or `:recipient`",
            "3:4: a selector is `:sender` or `:recipient`",
            "5:9: data bytes must be decimal digits",
            "6:3: an octal escape must be one of \\001 to \\377",
            "7:4: an octal escape must be one of \\001 to \\377",
            "8:6: data bytes must be decimal digits",
            "9:8: an octal escape must be one of \\001 to \\377",
            "10:7: data bytes must be decimal digits",
        ]
    );
}

#[test]
fn escapes_are_bytes() {
    assert_eq!(one("d::\\101\\15\\1\\\\\\377").response, b"A151\\\xff".as_bstr());
    assert_eq!(one("d::a\\").response, "a");
    assert_eq!(one("n:::::A=1\\").environment, ["A=1"]);
    assert_eq!(one("d::::").suffix, "");
    assert_eq!(one("d:::18446744073709551616").data_bytes, u64::MAX);
}

#[test]
fn remarks_tell_what_has_changed() {
    let file = b"# \\1\nDx\nd*?\nda*?b\nda[b\nda[\\\\]]\nd[[x[]]:\\7:\n:s\nda*:!*?:\\101\\\nk:::18446744073709551616\n";
    let seen: Vec<String> = remarks(file).iter().map(ToString::to_string).collect();
    assert_eq!(
        seen,
        [
            format!("2:1: {}", "neither a rule nor a comment: ignored"),
            format!("3:2: {}", "`?` needs a byte; behind the last `*` the C program did without"),
            format!(
                "5:2: {}",
                "`[` without `]` is an ordinary byte; in the C program the whole pattern matched there"
            ),
            format!("7:9: {}", "a digit behind a backslash; the C program made a NUL of it"),
            format!("9:9: {}", "a digit behind a backslash; the C program made a NUL of it"),
            format!("9:13: {}", "a backslash at the end of the line: dropped"),
            format!("9:5: {}", "`?` needs a byte; behind the last `*` the C program did without"),
            format!("10:5: {}", "2^64 bytes or more are no limit; the C program took the remainder"),
        ]
    );
}

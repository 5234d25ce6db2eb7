use rstest::rstest;

use super::*;

fn good(file: &str) -> Vec<Rule> {
    rules(file.as_bytes()).into_iter().map(Result::unwrap).collect()
}

fn faults(file: &str) -> Vec<String> {
    rules(file.as_bytes()).into_iter().filter_map(Result::err).map(|fault| fault.to_string()).collect()
}

fn named(name: &str) -> Variable {
    Variable::Environment(name.into())
}

/// The examples of the page that describes these rules.
const PAGE: &str = "\
[sender]
sender~[[/var/qmail/control/badmailfrom]]
:REJECT:Sorry, your envelope sender is in my badmailfrom list (#5.7.1)

[recipient]
$RELAYCLIENT
:ACCEPT:Accepted
recipient=${recipient}$RELAYCLIENT

authenticated
:ACCEPT:Accepted

recipient~[[@/var/qmail/control/rcpthosts]]
:ACCEPT:Accepted

recipient~[[@/var/qmail/control/morercpthosts.cdb]]
:ACCEPT:Accepted

:REJECT:Sorry, that domain isn't in my list of allowed rcpthosts
";

#[test]
fn the_example_of_the_page() {
    let rules = good(PAGE);
    let sections: Vec<Section> = rules.iter().map(|rule| rule.section).collect();
    assert_eq!(sections, [vec![Section::Sender], vec![Section::Recipient; 5]].concat());
    let counts: Vec<usize> = rules.iter().map(|rule| rule.conditions.len()).collect();
    assert_eq!(counts, [1, 1, 1, 1, 1, 0]);
    assert_eq!(rules[1].conditions[0].variable, named("RELAYCLIENT"));
    let (_, Assignment::Set(Variable::Recipient, value)) = &rules[1].assignments[0] else { panic!() };
    assert_eq!(value.pieces(), [Piece::Variable(Variable::Recipient), Piece::Variable(named("RELAYCLIENT"))]);
    let Test::Listed(list) = &rules[4].conditions[0].test else { panic!() };
    assert!(list.is_cdb() && list.domain_only);
    assert_eq!((rules[5].action, rules[5].place.to_string()), (Action::Reject, "19:1".into()));
}

#[test]
fn conditions() {
    let rule = &good("!!sender=a\\:b\n!A_1~x*\n_\n:NO-OP")[0];
    let [equal, looks, defined] = &rule.conditions[..] else { panic!() };
    assert!(!equal.negated && looks.negated && !defined.negated);
    assert!(matches!(&equal.test, Test::Equals(value) if value == "a:b"));
    assert!(matches!(&looks.test, Test::Looks(pattern) if pattern.matches(b"xy")));
    assert!(matches!(defined.test, Test::Defined));
    assert_eq!((rule.action, rule.section), (Action::NoOp, Section::None));
    assert!(matches!(&good("a~[[x]]\n:PASS")[0].conditions[0].test, Test::Listed(list) if list.file == "x"));
    assert!(matches!(&good("a~[[]]\n:PASS")[0].conditions[0].test, Test::Looks(_)));
    assert!(matches!(&good("a=[[x]]\n:PASS")[0].conditions[0].test, Test::Equals(_)));
}

#[test]
fn rules_end_where_they_must() {
    let file = "a\n# c\n:PASS\n# c\nb=1\n\n\n:ACCEPT\n[connect]\r\n  :REJECT  \nX=1";
    let rules = good(file);
    let seen: Vec<_> = rules.iter().map(|rule| (rule.section, rule.action, rule.assignments.len())).collect();
    assert_eq!(
        seen,
        [
            (Section::None, Action::Pass, 1),
            (Section::None, Action::Accept, 0),
            (Section::Connect, Action::Reject, 1)
        ]
    );
}

#[rstest]
#[case("a$b", &[("a", ""), ("", "b")])]
#[case("$b-c", &[("", "b"), ("-c", "")])]
#[case("${b}c$", &[("", "b"), ("c$", "")])]
#[case("\\$b\\${c} $1 $", &[("$b${c} $1 $", "")])]
#[case("\\101:\\n\\", &[("A:\n", "")])]
#[case("", &[])]
fn messages(#[case] text: &str, #[case] pieces: &[(&str, &str)]) {
    let rule = &good(&format!(":REJECT:{text}"))[0];
    let expected: Vec<Piece> = pieces
        .iter()
        .map(|(text, name)| match *name {
            "" => Piece::Text((*text).into()),
            name => Piece::Variable(named(name)),
        })
        .collect();
    assert_eq!(rule.message.pieces(), expected);
}

#[rstest]
#[case("[connect] \n[x]\n", &["2:1: a section"])]
#[case("a\n", &["1:1: the rule has no action"])]
#[case("a\n\n:PASS\n", &["1:1: the rule has no action"])]
#[case(":PASS\n:PASS\n", &["2:1: the rule has an action"])]
#[case(":pass\n", &["1:2: an action is"])]
#[case(":\n", &["1:2: an action is"])]
#[case(":PASS :x\n", &["1:2: an action is"])]
#[case("1=2\n  =x\n:PASS", &["1:1: here must stand", "2:3: here must stand"])]
#[case("a b\n!a*\n:PASS", &["1:2: behind a name", "2:3: behind a name"])]
#[case(":PASS\na~b\nb\n!c=d", &["2:2: behind a name", "3:2: behind a name", "4:3: behind a name"])]
#[case(":PASS\nauthenticated=1\n!sender\n!authenticated\n!databytes", &["2:1: this", "3:2: this", "4:2: this", "5:2: this"])]
#[case(":PASS\ndatabytes=1x\n", &["2:11: databytes"])]
#[case(":REJECT:${a\n", &["1:9: `${`"])]
#[case(":REJECT:x${a:-b}\n", &["1:10: `${`"])]
#[case(":REJECT:${}\n", &["1:9: `${`"])]
#[case("a=\\000\n:REJECT:\\400\n", &["1:3: an octal", "2:9: an octal"])]
fn faults_have_places(#[case] file: &str, #[case] expected: &[&str]) {
    let faults = faults(file);
    assert_eq!(faults.len(), expected.len(), "{faults:?}");
    for (fault, start) in faults.iter().zip(expected) {
        assert!(fault.starts_with(start), "{fault}");
    }
}

#[test]
fn a_faulty_rule_is_none_and_the_next_is_read() {
    let read = rules(b"1\n:PASS\nX=1\n\na\n:ACCEPT\n");
    assert_eq!(read.len(), 2);
    assert!(read[0].is_err() && read[1].as_ref().is_ok_and(|rule| rule.action == Action::Accept));
}

#[test]
fn a_limit_may_come_from_a_variable() {
    let rule = &good(":PASS\ndatabytes=\ndatabytes=12\ndatabytes=$A\ndatabytes=1$A")[0];
    assert_eq!(rule.assignments.len(), 4);
    let (_, Assignment::Set(_, value)) = &rule.assignments[1] else { panic!() };
    assert_eq!(value.literal(), Some(&b"12"[..]));
}

#[rstest]
#[case("", "", true)]
#[case("", "a", false)]
#[case("*", "", true)]
#[case("***", "a@b", true)]
#[case("A*c", "abbc", true)]
#[case("a*c", "acc", false)]
#[case("a**c", "axc", true)]
#[case("*@b", "a@b", true)]
#[case("*@b", "a@c@b", false)]
#[case("*@*@b", "a@c@b", true)]
#[case("*@b", "@b", true)]
#[case("a*", "b", false)]
#[case("?[x]", "?[x]", true)]
#[case("a*b*", "axbyb", true)]
#[case("a*b", "ax", false)]
fn wildcards(#[case] pattern: &str, #[case] text: &str, #[case] expected: bool) {
    assert_eq!(Wildcard::new(pattern.as_bytes()).matches(text.as_bytes()), expected);
}

use super::{
    model::{Model, Verdict, glob_matches, judge},
    rules::{Pattern, Rule, Test},
    *,
};
use crate::{property::Search, transcript};

type Rules<'a, 'b> = &'a [(usize, &'b Rule)];

fn counterexample(wrong: Model) -> Option<Input> {
    let holds = |input: &Input| {
        let agree = input.transcript(wrong) == input.transcript(judge);
        Ok(if agree { Ok(()) } else { Err("they differ".to_string()) })
    };
    let search = Search { cases: 2000, seed: 1, jobs: 1 };
    search.run(|| Input::strategy(Words::All), holds).unwrap().map(|found| found.input)
}

/// Leaves `&` out.
fn without_guards(rules: Rules<'_, '_>, entries: &[&str], sender: &str, recipient: Option<&str>) -> Verdict {
    let kept: Vec<_> = rules.iter().filter(|(_, rule)| rule.code != '&').copied().collect();
    judge(&kept, entries, sender, recipient)
}

/// Lets a guard hold for all rules behind it.
fn guards_stay(rules: Rules<'_, '_>, entries: &[&str], sender: &str, recipient: Option<&str>) -> Verdict {
    for (at, (_, rule)) in rules.iter().enumerate() {
        if rule.code == '&'
            && judge(&[(0, &Rule { code: 'k', ..(*rule).clone() })], entries, sender, recipient)
                .decision
                .is_none()
        {
            return judge(&rules[..at], entries, sender, recipient);
        }
    }
    without_guards(rules, entries, sender, recipient)
}

/// Takes `p` for `n`.
fn pass_goes_on(rules: Rules<'_, '_>, entries: &[&str], sender: &str, recipient: Option<&str>) -> Verdict {
    let changed: Vec<Rule> = rules
        .iter()
        .map(|(_, rule)| Rule { code: if rule.code == 'p' { 'n' } else { rule.code }, ..(*rule).clone() })
        .collect();
    let numbers = rules.iter().map(|(number, _)| *number);
    judge(&numbers.zip(&changed).collect::<Vec<_>>(), entries, sender, recipient)
}

/// Takes `!!` for `!`.
fn bangs_are_one(rules: Rules<'_, '_>, entries: &[&str], sender: &str, recipient: Option<&str>) -> Verdict {
    let one = |pattern: &Pattern| Pattern { bangs: pattern.bangs.min(1), test: pattern.test };
    let changed: Vec<Rule> = rules
        .iter()
        .map(|(_, rule)| Rule {
            sender: one(&rule.sender),
            recipient: rule.recipient.as_ref().map(one),
            ..(*rule).clone()
        })
        .collect();
    let numbers = rules.iter().map(|(number, _)| *number);
    judge(&numbers.zip(&changed).collect::<Vec<_>>(), entries, sender, recipient)
}

/// Knows no `@domain` entries.
fn whole_entries_only(
    rules: Rules<'_, '_>,
    entries: &[&str],
    sender: &str,
    recipient: Option<&str>,
) -> Verdict {
    let kept: Vec<&str> = entries.iter().filter(|entry| !entry.starts_with('@')).copied().collect();
    judge(rules, &kept, sender, recipient)
}

#[test]
fn a_wrong_model_is_found_out_by_few_lines() {
    let wrong: [Model; 5] = [without_guards, guards_stay, pass_goes_on, bangs_are_one, whole_entries_only];
    for (number, model) in wrong.into_iter().enumerate() {
        let Some(found) = counterexample(model) else { panic!("2000 files agree with wrong model {number}") };
        assert!(found.lines.len() <= 4 && found.mails.len() == 1, "wrong model {number}: {found:?}");
    }
}

#[test]
fn a_wrong_glob_is_found_out() {
    let greedy = |pattern: &[u8], text: &[u8]| pattern != b"*" && glob_matches(pattern, text);
    let holds = |input: &globs::Input| {
        let agree = input.transcript(greedy) == input.transcript(glob_matches);
        Ok(if agree { Ok(()) } else { Err("they differ".to_string()) })
    };
    let search = Search { cases: 5000, seed: 1, jobs: 1 };
    let found = search.run(|| globs::Input::strategy(Words::Plain), holds).unwrap().unwrap().input;
    assert_eq!((found.pattern.trim_start_matches('!'), found.addresses.len()), ("*", 1));
}

#[test]
fn the_model_of_globs_says_what_the_clauses_say() {
    for (pattern, text, expected) in [
        ("", "", true),
        ("a*c", "ac", true),
        ("a*?", "a", false),
        ("a[!b]", "ab", false),
        ("[]", "a", false),
        ("[!]", "a", true),
        ("[a-c]", "b", false),
        ("foo[abc", "foo[abc", true),
        ("foo[abc", "fooa", false),
        ("[\\]]", "]", true),
    ] {
        assert_eq!(glob_matches(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
    }
}

#[test]
fn every_input_gives_a_transcript_that_can_be_read() {
    let read = |source: &str| {
        let case = transcript::parse("x", source).map_err(|e| std::io::Error::other(e.to_string()))?;
        let printed = transcript::print(&case);
        let same = transcript::parse("x", &printed)
            .is_ok_and(|again| (again.front, again.body) == (case.front, case.body));
        Ok(if same { Ok(()) } else { Err(printed) })
    };
    let search = Search { cases: 300, seed: 1, jobs: 1 };
    let rules = search.run(|| Input::strategy(Words::All), |input| read(&input.transcript(judge)));
    assert_eq!(rules.unwrap(), None);
    let globs =
        search.run(|| globs::Input::strategy(Words::All), |input| read(&input.transcript(glob_matches)));
    assert_eq!(globs.unwrap(), None);
}

#[test]
fn a_list_needs_more_than_five_bytes() {
    let pattern = Pattern { bangs: 0, test: Test::Whole("list") };
    let rule = Rule { code: 'd', sender: pattern, recipient: None, suffix: "", relays: false };
    assert_eq!(judge(&[(3, &rule)], &["@x"], "A@X", None).decision, Some(('d', 3)));
    assert_eq!(judge(&[(3, &rule)], &["@x"], "", None).decision, None);
}

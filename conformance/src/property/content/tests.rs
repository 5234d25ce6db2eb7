use std::fmt::Debug;

use mailparse::MailHeaderMap as _;
use proptest::strategy::BoxedStrategy;

use super::{counters, patterns, trace};
use crate::{property::Search, transcript};

fn counterexample<T: Debug + Send>(
    strategy: impl Fn() -> BoxedStrategy<T> + Sync,
    agree: impl Fn(&T) -> bool + Sync,
) -> Option<T> {
    let search = Search { cases: 3000, seed: 1, jobs: 1 };
    let holds = |input: &T| Ok(if agree(input) { Ok(()) } else { Err("they differ".to_string()) });
    search.run(strategy, holds).unwrap().map(|found| found.input)
}

#[test]
fn a_wrong_model_of_patterns_is_found_out_by_few_lines() {
    /// Goes by the first pattern, not by the first line.
    fn first_pattern(file: &[String], message: &[String], most: usize) -> Option<String> {
        let refused = |end| patterns::refusal(&file[..end], message, most);
        (1..=file.len()).find_map(refused)
    }
    /// Knows no end of the header.
    fn all_header(file: &[String], message: &[String], most: usize) -> Option<String> {
        let lines: Vec<String> = message.iter().filter(|line| !line.is_empty()).cloned().collect();
        patterns::refusal(file, &lines, most)
    }
    /// Compares whole lines.
    fn whole_lines(file: &[String], message: &[String], _: usize) -> Option<String> {
        patterns::refusal(file, message, usize::MAX)
    }
    for (number, wrong) in [first_pattern as patterns::Model, all_header, whole_lines].into_iter().enumerate()
    {
        let agree = |input: &patterns::Input| input.transcript(wrong) == input.transcript(patterns::refusal);
        let found = counterexample(patterns::Input::strategy, agree);
        let Some(found) = found else { panic!("all files agree with wrong model {number}") };
        assert!(found.file.len() <= 3 && found.message.len() <= 3, "wrong model {number}: {found:?}");
    }
}

#[test]
fn limits_off_by_one_are_found_out() {
    let agree = |input: &counters::Input| {
        input.transcript(|number, limit| number >= limit) == input.transcript(counters::over)
    };
    assert!(counterexample(counters::Input::strategy, agree).is_some());
    let agree = |input: &counters::Input| {
        input.transcript(|number, limit| number > limit + 1) == input.transcript(counters::over)
    };
    assert!(counterexample(counters::Input::strategy, agree).is_some());
}

#[test]
fn raw_names_are_found_out() {
    let agree = |input: &trace::Input| input.transcript(<[u8]>::to_vec) == input.transcript(trace::fit);
    let found = counterexample(trace::Input::strategy, agree).unwrap();
    assert!(found.names.len() <= 1, "{found:?}");
}

#[test]
fn every_trace_header_is_one_header() {
    let one = |input: &trace::Input| {
        let message = input.queued(trace::fit);
        let Ok(mail) = mailparse::parse_mail(&message) else { return false };
        let names: Vec<String> = mail.headers.iter().map(mailparse::MailHeader::get_key).collect();
        let received = mail.headers.get_first_header("Received");
        names == ["Received", "Subject"]
            && received.is_some_and(|header| {
                header.get_value_raw().iter().all(|byte| *byte == b'\n' || (*byte >= 32 && *byte != 127))
            })
            && mail.get_body_raw().is_ok_and(|body| body == b"b\n")
    };
    assert_eq!(counterexample(trace::Input::strategy, one), None);
}

#[test]
fn every_input_gives_a_transcript_that_can_be_read() {
    let read = |source: String| {
        let case = transcript::parse("x", &source).unwrap_or_else(|e| panic!("{e} in\n{source}"));
        let printed = transcript::print(&case);
        transcript::parse("x", &printed)
            .is_ok_and(|again| (again.front, again.body) == (case.front, case.body))
    };
    let patterns = |input: &patterns::Input| read(input.transcript(patterns::refusal));
    assert_eq!(counterexample(patterns::Input::strategy, patterns), None);
    let counters = |input: &counters::Input| read(input.transcript(counters::over));
    assert_eq!(counterexample(counters::Input::strategy, counters), None);
    let trace = |input: &trace::Input| read(input.transcript(trace::fit));
    assert_eq!(counterexample(trace::Input::strategy, trace), None);
}

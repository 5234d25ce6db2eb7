//! Every transcript is a named test: it passes on the reference in every delivery.

use std::{path::Path, process::ExitCode, sync::Arc};

use libtest_mimic::{Arguments, Failed, Trial};
use mailfront_conformance::{
    cases::Cases,
    play::player::LIMIT,
    sandbox::{Workshop, rights, signals},
    transcript::model::Level,
};
use mailfront_tests::{play, reference, story, transcripts, verdict};

fn main() -> std::io::Result<ExitCode> {
    let mut arguments = Arguments::from_args();
    // Most plays wait for a process to start or for a time-out to pass.
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    arguments.test_threads.get_or_insert(4 * processors);
    let cases = Cases::below(&transcripts())?;
    let workshop = Arc::new(Workshop::new()?);
    let target = Arc::new(reference(&workshop, Path::new(env!("CARGO_BIN_EXE_suite")))?);
    let mut trials: Vec<Trial> = cases
        .unreadable
        .into_iter()
        .map(|case| {
            Trial::test(case.file.clone(), move || Err(Failed::from(format!("{}: {}", case.file, case.why))))
        })
        .collect();
    for case in cases.cases {
        let (workshop, target) = (workshop.clone(), target.clone());
        // What cannot be seen here is listed as ignored, with the reason, never as passed or failed: a
        // module the reference does not have, a right that the suite has not, an ignored signal.
        let lacking = target.lacks(&case.front.needs).join(", ");
        let spoilt = rights::spoil(&case.front, &workshop).map(String::from);
        let unseen = spoilt.or_else(|| signals::spoil(&case, &workshop.ignored));
        let unseen = unseen.or_else(|| (!lacking.is_empty()).then_some(lacking));
        let name = case.id.clone();
        let trial = Trial::test(name, move || {
            let events = play(&case, &target, &workshop, &[], Level::Should, LIMIT)?;
            match verdict(&events).0.as_str() {
                "pass" | "variant" => Ok(()),
                verdict => Err(format!("{verdict}\n{}", story(&events)).into()),
            }
        });
        trials.push(match unseen {
            None => trial,
            Some(reason) => trial.with_kind(reason).with_ignored_flag(true),
        });
    }
    if trials.is_empty() {
        return Err(std::io::Error::other("there are no transcripts"));
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    drop((workshop, target));
    Ok(conclusion.exit_code())
}

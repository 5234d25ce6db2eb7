//! What the test files share: the suite's target for the reference, and a run of single cases.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use mailfront_conformance::{
    play::Delivery,
    report::{Event, Report},
    run::Run,
    sandbox::Workshop,
    target::{KnownList, Target},
    transcript::{Case, model::Level},
};

/// The folder of the repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The folder of the transcripts.
pub fn transcripts() -> PathBuf {
    repository().join("fixtures/transcripts")
}

/// The reference as a target: links to `suite`, the program that carries it, under its names.
///
/// # Errors
/// A link cannot be made.
pub fn reference(workshop: &Workshop, suite: &Path) -> std::io::Result<Target> {
    mailfront_conformance::target::built_in(
        workshop,
        suite,
        mailfront::programs::names(),
        mailfront::programs::features(),
    )
}

/// The base64 of `bytes`, by nobody's codec but the tests'.
pub fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bit = |at: usize| bytes.get(at / 8).is_some_and(|byte| byte >> (7 - at % 8) & 1 == 1);
    let digits = (0..(bytes.len() * 8).div_ceil(6)).map(|digit| {
        let value = (0..6).fold(0, |value, place| value << 1 | usize::from(bit(digit * 6 + place)));
        char::from(ALPHABET[value])
    });
    let text: String = digits.collect();
    let padding = "=".repeat(text.len().next_multiple_of(4) - text.len());
    text + &padding
}

/// Keeps the events of a run.
#[derive(Clone, Default)]
pub struct Kept(Arc<Mutex<Vec<Event>>>);

impl Report for Kept {
    fn take(&mut self, event: &Event) -> std::io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(event.clone());
        Ok(())
    }
}

/// Plays one case in all its deliveries, or in one; gives the events.
///
/// # Errors
/// The suite could not do its part.
pub fn play(
    case: &Case,
    target: &Target,
    workshop: &Workshop,
    deliveries: &[Delivery],
    level: Level,
    limit: Duration,
) -> std::io::Result<Vec<Event>> {
    let kept = Kept::default();
    let run = Run {
        cases: std::slice::from_ref(case),
        target,
        known: &KnownList::default(),
        level,
        deliveries,
        jobs: 1,
        limit,
        shard: None,
        faults: Vec::new(),
        workshop,
    };
    run.go(&mut [Box::new(kept.clone())])?;
    let events = kept.0.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(events.clone())
}

/// The verdict on the case of a run of one, with its detail.
pub fn verdict(events: &[Event]) -> (String, String) {
    let result = events.iter().find_map(|event| match event {
        Event::Case(case) => Some((case.verdict.clone(), case.detail.clone().unwrap_or_default())),
        _ => None,
    });
    result.unwrap_or_default()
}

/// What went wrong in the plays of a run, for a person.
pub fn story(events: &[Event]) -> String {
    let mut story = String::new();
    for event in events {
        let Event::Play(play) = event else { continue };
        let Some(evidence) = &play.evidence else { continue };
        story.push_str(&format!("{} in delivery {}\n", play.verdict, play.delivery));
        for finding in &play.findings {
            let (level, aspect, line) = (finding.level, &finding.aspect, finding.line);
            story.push_str(&format!(
                "  {level} {aspect} line {line}:\n    expected {}\n    got      {}\n",
                finding.expected, finding.got
            ));
        }
        for line in evidence.conversation.iter().chain(&evidence.log) {
            story.push_str(&format!("    {line}\n"));
        }
        story.push_str(&format!("  exit {}\n  {}\n", evidence.exit, evidence.reproduce));
    }
    story
}

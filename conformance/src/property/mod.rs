//! Cases made up at random and held against a model. What fails is made small and is a transcript.
//!
//! [`search`] makes inputs up and shrinks one that fails, [`stage`] plays a transcript against a
//! target. [`auth`], [`content`], [`mail_rules`], [`maildir`], [`packages`], [`plugin_list`] and [`retrieval`] are
//! properties: their inputs, their models, and the transcripts that show whether a target does as the model says.

pub mod auth;
pub mod content;
pub mod mail_rules;
pub mod maildir;
pub mod packages;
pub mod plugin_list;
pub mod retrieval;
pub mod search;
pub mod stage;

pub use search::{Counterexample, Search};
pub use stage::Stage;

/// Asserts that what a property writes for each of `cases` inputs can be read as a transcript.
#[cfg(test)]
fn each_can_be_read<S>(cases: u32, inputs: impl Fn() -> S + Sync, transcript: fn(&S::Value) -> String)
where
    S: proptest::strategy::Strategy,
    S::Value: std::fmt::Debug + PartialEq + Send,
{
    let holds = |input: &S::Value| {
        let source = transcript(input);
        let read = crate::transcript::parse("x", &source);
        Ok(read.map(drop).map_err(|e| format!("{e}\n{source}")))
    };
    let found = Search { cases, seed: 1, jobs: 1 }.run(inputs, holds).unwrap();
    assert_eq!(found, None);
}

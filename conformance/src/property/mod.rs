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

//! Cases made up at random and held against a model. What fails is made small and is a transcript.
//!
//! [`search`] makes inputs up and shrinks one that fails, [`stage`] plays a transcript against a
//! target, [`plugin_list`] and [`mail_rules`] are properties: inputs, a model, and the transcript that
//! shows whether a target does as the model says.

pub mod mail_rules;
pub mod plugin_list;
pub mod search;
pub mod stage;

pub use search::{Counterexample, Search};
pub use stage::Stage;

//! Reports: each reads the stream of events and nothing else but the contract.
//!
//! [`event`] is the stream; [`terminal`] is for a person, with [`block`] for one unexpected play and
//! [`table`] for the counts; [`style`] holds the words for verdicts.

pub mod block;
pub mod event;
pub mod style;
pub mod table;
pub mod terminal;

pub use event::Event;

/// Something that takes the events of a run.
pub trait Report: Send {
    /// Takes the next event.
    ///
    /// # Errors
    /// The report cannot be written.
    fn take(&mut self, event: &Event) -> std::io::Result<()>;
}

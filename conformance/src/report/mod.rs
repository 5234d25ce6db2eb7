//! Reports: each reads the stream of events and nothing else but the contract.
//!
//! [`event`] is the stream. [`terminal`] and [`html`] are for people, [`junit`] and [`ndjson`] for
//! programs, and [`draft`] drafts a list of known failures. They share [`block`], one unexpected play;
//! [`table`], the counts; [`plays`], the plays of a case; and [`style`], the words for verdicts.

pub mod block;
pub mod draft;
pub mod event;
pub mod html;
pub mod junit;
pub mod ndjson;
pub mod plays;
#[cfg(test)]
pub(crate) mod sample;
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

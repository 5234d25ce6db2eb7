//! Reports: each reads the stream of events and nothing else.

pub mod event;
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

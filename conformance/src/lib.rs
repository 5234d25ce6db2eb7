//! The conformance suite as a library; `mailfront-conformance` is its program.
//!
//! Read in this order:
//!
//! [`transcript`] is a case as data and as a file. [`spec`] is the contract that cases cite, and
//! [`target`] an implementation and what is known of its faults. [`sandbox`] is the world one play
//! happens in. [`play`] speaks the case to the target and observes; it never judges. [`judge`]
//! compares and gives a verdict; it never prints. [`run`] does both for a selection of cases and sends
//! events, and [`report`] reads the stream of events and nothing else.
//!
//! [`profile`] is a named selection of cases. [`record`] writes down what an implementation answers. [`lint`] holds the cases against the guide,
//! [`coverage`] the contract against the cases. [`property`] makes cases up and holds them against
//! models. [`mod@bench`] measures. [`cli`] is one verb, one file.

pub mod bench;
pub mod cases;
pub mod cli;
pub mod coverage;
pub mod evidence;
pub mod exit;
pub mod judge;
pub mod lint;
pub mod play;
pub mod profile;
pub mod property;
pub mod record;
pub mod report;
pub mod run;
pub mod sandbox;
pub mod spec;
pub mod target;
pub mod transcript;

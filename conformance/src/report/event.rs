//! The stream of events that every report is made from. NDJSON is this, line by line.

use serde::{Deserialize, Serialize};

use crate::{
    judge::Finding,
    target::Known,
    transcript::{front::Reach, model::Level},
};

/// One event of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A run begins.
    RunStart {
        /// The suite's version.
        suite: String,
        /// The target's name.
        target: String,
        /// What the target is.
        title: String,
        /// How many cases were selected.
        cases: usize,
        /// How many plays these are.
        plays: usize,
        /// `k/n` if only a part is run here.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        shard: Option<String>,
    },
    /// A case was played in one delivery.
    Play(Box<Play>),
    /// All plays of a case are done.
    Case(Box<CaseResult>),
    /// The run is over.
    RunEnd(Summary),
}

/// One play.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Play {
    /// The case.
    pub case: String,
    /// The delivery.
    pub delivery: String,
    /// The verdict's word.
    pub verdict: String,
    /// More than the word.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub detail: Option<String>,
    /// The departures.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub findings: Vec<Departure>,
    /// From start to exit, in microseconds.
    pub micros: u64,
    /// What happened, for plays that are not as they should be.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub evidence: Option<Evidence>,
}

/// One departure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Departure {
    /// How much it counts.
    pub level: Level,
    /// What it is about.
    pub aspect: String,
    /// The case's line, 0 if none.
    pub line: usize,
    /// What was expected.
    pub expected: String,
    /// What came.
    pub got: String,
}

impl Departure {
    /// The form in which known failures record it, as [`Finding::signature`].
    pub fn signature(&self) -> String {
        format!("{}: {}", self.aspect, self.got)
    }
}

impl From<&Finding> for Departure {
    fn from(finding: &Finding) -> Self {
        Self {
            level: finding.level,
            aspect: finding.aspect.name().into(),
            line: finding.line,
            expected: finding.expected.clone(),
            got: finding.got.clone(),
        }
    }
}

/// What happened in a play, enough to understand it without running it again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The conversation: `C: …`, `S: …`, `-- client closes`, escaped, in order.
    pub conversation: Vec<String>,
    /// Standard error, escaped, line by line.
    pub log: Vec<String>,
    /// The exit status, or that there was none.
    pub exit: String,
    /// The files below the case's folder afterwards: path, size and beginning, escaped.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub files: Vec<String>,
    /// A shell line that does the same with no tool of ours.
    pub reproduce: String,
}

impl Evidence {
    /// The evidence of a play that did not come about.
    pub fn none() -> Self {
        Self {
            conversation: Vec::new(),
            log: Vec::new(),
            exit: "not started".into(),
            files: Vec::new(),
            reproduce: String::new(),
        }
    }
}

/// The result of one case over its deliveries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CaseResult {
    /// The case.
    pub case: String,
    /// Its title.
    pub title: String,
    /// Its level.
    pub level: Level,
    /// Its clauses.
    pub clauses: Vec<String>,
    /// The verdict's word: the gravest of its plays.
    pub verdict: String,
    /// More than the word.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub detail: Option<String>,
    /// The deliveries played, each with its verdict.
    pub deliveries: Vec<(String, String)>,
    /// The entry in the target's list of known failures.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub known: Option<Known>,
    /// Of an attack: whether a conforming relay can carry it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reach: Option<Reach>,
    /// What its author wants a reader of the failure to know.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub note: Option<String>,
    /// The file of the case.
    pub file: String,
    /// The source of the case.
    pub source: String,
}

impl CaseResult {
    /// The folder of the case: the area that summaries count by.
    pub fn area(&self) -> &str {
        self.case.rsplit_once('/').map_or("", |(folder, _)| folder)
    }
}

/// The end of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub struct Summary {
    /// Cases by verdict.
    pub verdicts: std::collections::BTreeMap<String, usize>,
    /// Plays done.
    pub plays: usize,
    /// Faults of the run that belong to no case: dead entries of the list of known failures, cases
    /// that cannot be read.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub faults: Vec<String>,
    /// Duration in seconds.
    pub seconds: f64,
    /// The exit status that follows.
    pub exit: u8,
}

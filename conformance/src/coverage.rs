//! Which clauses of the contract the cases cite, and which cannot be seen from outside.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{
    spec::{Clause, Spec},
    transcript::{Case, model::Level},
};

/// The list of clauses that cannot be seen from outside, as the program carries it.
pub const UNOBSERVABLE: &str = include_str!("../../fixtures/coverage.toml");

/// Clauses that no transcript can show, each with the reason.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unobservable {
    /// The entries.
    #[serde(default)]
    pub unobservable: Vec<Entry>,
}

/// One such clause.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The clause's id.
    pub clause: String,
    /// Why no transcript can show it, and what does instead.
    pub reason: String,
}

impl Unobservable {
    /// Parses the list.
    ///
    /// # Errors
    /// What is not understood, and where.
    pub fn parse(source: &str) -> Result<Self, String> {
        toml::from_str(source).map_err(|e| e.to_string().trim_end().to_string())
    }

    /// The reason for a clause.
    pub fn reason(&self, id: &str) -> Option<&str> {
        self.unobservable.iter().find(|entry| entry.clause == id).map(|entry| entry.reason.as_str())
    }

    /// Entries that are wrong: of no clause, without reason, twice, of a clause that a case cites or
    /// that need not be cited.
    fn faults(&self, coverage: &Coverage<'_>) -> Vec<String> {
        let mut faults = Vec::new();
        for (at, Entry { clause, reason }) in self.unobservable.iter().enumerate() {
            let mut find = |what: String| faults.push(format!("unobservable {clause}: {what}"));
            if reason.trim().is_empty() {
                find("has no reason".into());
            }
            if self.unobservable[..at].iter().any(|other| other.clause == *clause) {
                find("stands twice".into());
            }
            match coverage.rows.iter().find(|row| row.clause.id == *clause) {
                None => find("there is no such clause".into()),
                Some(row) if row.clause.level != Level::Must => find("is no must clause".into()),
                Some(row) => {
                    if let Some(case) = row.cases.first() {
                        find(format!("is cited by {case}"));
                    }
                }
            }
        }
        faults
    }
}

/// The clauses, each with the cases that cite it.
pub struct Coverage<'a> {
    /// One for each clause, in the order of the sheets.
    pub rows: Vec<Row<'a>>,
    /// What is wrong with the list of unobservable clauses.
    pub faults: Vec<String>,
}

/// A clause and who cites it.
pub struct Row<'a> {
    /// The clause.
    pub clause: &'a Clause,
    /// The ids of the cases.
    pub cases: Vec<&'a str>,
    /// Why no case can.
    pub unobservable: Option<&'a str>,
}

impl Row<'_> {
    /// Whether a case is missing.
    pub fn is_missing(&self) -> bool {
        self.clause.level == Level::Must && self.cases.is_empty() && self.unobservable.is_none()
    }
}

impl<'a> Coverage<'a> {
    /// Holds the contract against the cases.
    pub fn new(spec: &'a Spec, cases: &'a [Case], unobservable: &'a Unobservable) -> Self {
        let mut citing: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for case in cases {
            for id in &case.front.clauses {
                citing.entry(id).or_default().push(&case.id);
            }
        }
        let rows = spec.clauses().into_iter().map(|clause| Row {
            clause,
            cases: citing.remove(clause.id.as_str()).unwrap_or_default(),
            unobservable: unobservable.reason(&clause.id),
        });
        let mut coverage = Self { rows: rows.collect(), faults: Vec::new() };
        coverage.faults = unobservable.faults(&coverage);
        coverage
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcript::Front;

    #[test]
    fn entries_must_be_needed() {
        let mut spec = Spec::default();
        spec.add("x.md", "**X-1** [must] a\n\n**X-2** [must] b\n\n**X-3** [should] c\n\n**X-4** [must] d\n");
        let front = Front { clauses: vec!["X-1".into()], ..Front::default() };
        let cases = [Case { id: "a/b".into(), front, ..Case::default() }];
        let entry =
            |id: &str, reason: &str| format!("[[unobservable]]\nclause = '{id}'\nreason = '{reason}'\n");
        let list = Unobservable::parse(&entry("X-2", "why")).unwrap();
        let coverage = Coverage::new(&spec, &cases, &list);
        assert_eq!(coverage.faults, [""; 0]);
        let missing = coverage.rows.iter().filter(|row| row.is_missing()).map(|row| &*row.clause.id);
        assert_eq!(missing.collect::<Vec<_>>(), ["X-4"]);
        let wrong = [("X-1", "y"), ("X-3", "y"), ("X-9", "y"), ("X-4", ""), ("X-4", "y")];
        let wrong: String = wrong.iter().map(|(id, reason)| entry(id, reason)).collect();
        let list = Unobservable::parse(&wrong).unwrap();
        assert_eq!(
            Coverage::new(&spec, &cases, &list).faults,
            [
                "unobservable X-1: is cited by a/b",
                "unobservable X-3: is no must clause",
                "unobservable X-9: there is no such clause",
                "unobservable X-4: has no reason",
                "unobservable X-4: stands twice",
            ]
        );
    }
}

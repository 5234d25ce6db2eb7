//! Cases counted by area and verdict.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use super::style::{self, DIM, HEAD, VERDICTS};
use crate::transcript::text::printable;

/// Counts by area, which is the folder of the cases.
#[derive(Debug, Default, Clone)]
pub struct Table {
    areas: BTreeMap<String, BTreeMap<String, usize>>,
}

/// One line: a name and a number for each column of [`Table::columns`].
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Row {
    /// The area.
    pub name: String,
    /// Its cases.
    pub cases: usize,
    /// Cases by verdict, 0 where there are none.
    pub counts: Vec<usize>,
}

impl Table {
    /// Counts one case.
    pub fn count(&mut self, area: &str, verdict: &str) {
        *self.areas.entry(area.into()).or_default().entry(verdict.into()).or_default() += 1;
    }

    /// The verdicts that occur, in the order of reports.
    pub fn columns(&self) -> Vec<&'static str> {
        let occurs = |verdict: &&str| self.areas.values().any(|counts| counts.contains_key(*verdict));
        VERDICTS.into_iter().filter(occurs).collect()
    }

    /// One row for each area, and the sum of all.
    pub fn rows(&self) -> (Vec<Row>, Row) {
        let columns = self.columns();
        let row = |(name, counts): (&String, &BTreeMap<String, usize>)| Row {
            name: name.clone(),
            cases: counts.values().sum(),
            counts: columns.iter().map(|verdict| counts.get(*verdict).copied().unwrap_or(0)).collect(),
        };
        let rows: Vec<Row> = self.areas.iter().map(row).collect();
        let sums = (0..columns.len()).map(|i| rows.iter().map(|row| row.counts[i]).sum()).collect();
        let total = Row { name: "all".into(), cases: rows.iter().map(|row| row.cases).sum(), counts: sums };
        (rows, total)
    }

    /// Writes the table for a terminal.
    ///
    /// # Errors
    /// `out` cannot be written.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let columns = self.columns();
        let (rows, total) = self.rows();
        let width = rows.iter().map(|row| printable(row.name.as_bytes()).chars().count()).max();
        let width = width.unwrap_or(0).max("area".len());
        write!(out, "{HEAD}{:width$}  {:>6}{HEAD:#}", "area", "cases")?;
        for verdict in &columns {
            write!(out, "  {HEAD}{verdict:>6}{HEAD:#}")?;
        }
        writeln!(out)?;
        let single = rows.len() == 1;
        for row in rows.iter().chain((!single).then_some(&total)) {
            write!(out, "{:width$}  {:>6}", printable(row.name.as_bytes()), row.cases)?;
            for (count, verdict) in row.counts.iter().zip(&columns) {
                let style = if *count == 0 { DIM } else { style::of_verdict(verdict) };
                write!(out, "  {style}{count:>0$}{style:#}", verdict.len().max(6))?;
            }
            writeln!(out)?;
        }
        Ok(())
    }
}

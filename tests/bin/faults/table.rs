//! The result for a person: counts by system call.

use super::{
    attempt::{Fault, Harm, Outcome, Told},
    scenario::Scenario,
    trace::Call,
};

/// What became of the attempts at one system call.
pub struct Row {
    pub name: String,
    /// How often a session without faults makes it.
    pub calls: usize,
    pub attempts: usize,
    hit: usize,
    kills: usize,
    /// Messages acknowledged, refused, and without an answer.
    told: [usize; 3],
    unacknowledged: usize,
    /// Attempts after which a file is left that may be.
    stale: usize,
    pub harms: Vec<Harm>,
}

/// Empty rows, by name.
pub fn rows(calls: &[Call]) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for call in calls {
        match rows.iter_mut().find(|row| row.name == call.name) {
            Some(row) => row.calls += 1,
            None => rows.push(Row {
                name: call.name.clone(),
                calls: 1,
                attempts: 0,
                hit: 0,
                kills: 0,
                told: [0; 3],
                unacknowledged: 0,
                stale: 0,
                harms: Vec::new(),
            }),
        }
    }
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    rows
}

/// Adds an outcome to its row.
pub fn count(rows: &mut [Row], name: &str, fault: Fault, outcome: &Outcome) {
    let Some(row) = rows.iter_mut().find(|row| row.name == name) else { return };
    row.attempts += 1;
    row.hit += usize::from(outcome.is_hit);
    row.kills += usize::from(outcome.is_hit && fault == Fault::Kill);
    for told in &outcome.told {
        row.told[match told {
            Told::Accepted => 0,
            Told::Refused => 1,
            Told::Nothing => 2,
        }] += 1;
    }
    row.unacknowledged += outcome.unacknowledged;
    row.stale += usize::from(outcome.is_left && !outcome.harms.contains(&Harm::Left));
    row.harms.extend(&outcome.harms);
}

/// The whole page.
pub fn page(found: &[(&Scenario, Vec<Row>)], errors: &[&str], never_fail: &[&str]) -> String {
    let mut page = format!(
        "# Faults\n\n\
         Every system call that the reference makes from its greeting, or in QMTP and QMQP from its first wait\n\
         for the client, to its end fails once with each of {},\n\
         and the process is killed before each one in turn\n\
         ({} never fail here: they cannot, or a tracer cannot show it).\n\
         A session has two messages, of 200 kB for two recipients and of 5 bytes for one; in QMQP the first only.\n\
         Acknowledged messages must be in the queue whole and once; others are absent, or whole (the client sends\n\
         them again: \"unacknowledged\"). Nothing may be left in a folder for temporary files, before whichever\n\
         call the process is killed. In the scenarios \"named files\" the file system seems unable to keep a file\n\
         without a name (each call with `O_TMPFILE` fails with EOPNOTSUPP): a file may be left there by a process\n\
         that was killed, or if its removal failed (\"stale\"); it is never in the queue.\n\n\
         The page is written by `cargo run -p mailfront-tests --bin faults -- --program target/debug/mailfront\n\
         --write docs/faults.md`; `cargo test` makes a sample of the attempts. `accepted`, `refused` and\n\
         `no answer` count messages.\n",
        errors.join(", "),
        never_fail.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
    );
    page.push_str(
        "\n| scenario | attempts | kills | lost | twice | partial | left behind | stale | hung | crashed |\n\
         |---|---|---|---|---|---|---|---|---|---|\n",
    );
    for (Scenario { name, .. }, rows) in found {
        let total = |of: fn(&Row) -> usize| rows.iter().map(of).sum::<usize>();
        page.push_str(&format!(
            "| {name} | {} | {} | {} | {} | {} | {} | {} | {} | {} |\n",
            total(|row| row.hit),
            total(|row| row.kills),
            total(|row| harms(row, Harm::Lost)),
            total(|row| harms(row, Harm::Twice)),
            total(|row| harms(row, Harm::Partial)),
            total(|row| harms(row, Harm::Left)),
            total(|row| row.stale),
            total(|row| harms(row, Harm::Hung)),
            total(|row| harms(row, Harm::Crashed)),
        ));
    }
    for (Scenario { name, .. }, rows) in found {
        page.push_str(&format!(
            "\n## {name}\n\n\
             | call | calls | faults | accepted | refused | no answer | unacknowledged | harm |\n\
             |---|---|---|---|---|---|---|---|\n",
        ));
        for row in rows {
            let [accepted, refused, nothing] = row.told;
            page.push_str(&format!(
                "| `{}` | {} | {} | {accepted} | {refused} | {nothing} | {} | {} |\n",
                row.name,
                row.calls,
                row.hit,
                row.unacknowledged,
                if row.harms.is_empty() { "none".into() } else { format!("{:?}", row.harms) },
            ));
        }
    }
    page
}

fn harms(row: &Row, harm: Harm) -> usize {
    row.harms.iter().filter(|found| **found == harm).count()
}

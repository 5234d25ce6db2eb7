//! A draft of the list of known failures: an entry for each unexpected failure of a run, to be given
//! its reason by a person.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Write},
};

use super::{
    Report,
    event::{CaseResult, Event},
};
use crate::{
    target::{Known, KnownList, known::Observed},
    transcript::{model::Level, text::printable},
};

/// Writes the draft at the end of the run.
pub struct Draft<W> {
    out: W,
    level: Level,
    /// Case → delivery → what was seen there.
    seen: BTreeMap<String, BTreeMap<String, String>>,
    list: KnownList,
}

/// Verdicts that an entry can stand for.
const FAILURES: [&str; 5] = ["fail", "crash", "hang", "leak", "changed"];

impl<W: Write + Send> Draft<W> {
    /// A draft on `out`; departures below `level` are not counted.
    pub fn new(out: W, level: Level) -> Self {
        Self { out, level, seen: BTreeMap::new(), list: KnownList::default() }
    }

    fn case(&mut self, case: &CaseResult) {
        let Some(seen) = self.seen.remove(&case.case) else { return };
        let mut observed: BTreeSet<String> = seen.values().cloned().collect();
        let mut failing: BTreeSet<&str> = seen.keys().map(String::as_str).collect();
        // What the list says already stays true of the deliveries that fail as listed.
        for (delivery, _) in case.deliveries.iter().filter(|(_, verdict)| verdict == "xfail") {
            failing.insert(delivery);
            observed.extend(case.known.iter().flat_map(|known| known.observed.all().to_vec()));
        }
        let reason = match &case.known {
            Some(known) => printable(known.reason.as_bytes()).into_owned(),
            None => format!("{}: {}", case.clauses.join(" "), printable(case.title.as_bytes())),
        };
        let all = case.deliveries.iter().all(|(delivery, _)| failing.contains(delivery.as_str()));
        let in_order = case.deliveries.iter().map(|(delivery, _)| delivery.clone());
        self.list.known.push(Known {
            case: case.case.clone(),
            reason,
            observed: Observed::from_iter(observed),
            deliveries: if all {
                Vec::new()
            } else {
                in_order.filter(|delivery| failing.contains(delivery.as_str())).collect()
            },
            sometimes: false,
        });
    }

    fn end(&mut self) -> io::Result<()> {
        self.list.known.sort_by(|a, b| a.case.cmp(&b.case));
        for (at, entry) in self.list.known.iter().enumerate() {
            if at > 0 {
                writeln!(self.out)?;
            }
            let entry = toml::to_string(entry).map_err(io::Error::other)?;
            write!(self.out, "[[known]]\n{entry}")?;
        }
        self.out.flush()
    }
}

impl<W: Write + Send> Report for Draft<W> {
    fn take(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::RunStart { .. } => {}
            Event::Play(play) => {
                let counted = play.findings.iter().find(|finding| finding.level >= self.level);
                if let Some(finding) = counted.filter(|_| FAILURES.contains(&play.verdict.as_str())) {
                    let of_case = self.seen.entry(play.case.clone()).or_default();
                    of_case.insert(play.delivery.clone(), finding.signature());
                }
            }
            Event::Case(case) => self.case(case),
            Event::RunEnd(_) => self.end()?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample::events;

    #[test]
    fn an_entry_for_each_unexpected_failure() {
        let mut out = Vec::new();
        let mut draft = Draft::new(&mut out, Level::Should);
        events().iter().try_for_each(|event| draft.take(event)).unwrap();
        let text = String::from_utf8(out).unwrap();
        let list = KnownList::parse(&text).unwrap();
        assert_eq!(list.known.len(), 2);
        insta::assert_snapshot!(text);
    }
}

//! Rules that concern several cases.

use std::collections::{BTreeMap, BTreeSet};

use super::{List, Problem, line_of_key, reply_code};
use crate::{
    play::Delivery,
    transcript::{
        Act, Case, Front,
        model::Step,
        script,
        text::{Piece, merged},
    },
};

pub(super) fn check(cases: &[Case], lists: &[List], problems: &mut Vec<Problem>) {
    let by_id: BTreeMap<&str, &Case> = cases.iter().map(|case| (case.id.as_str(), case)).collect();
    for case in cases {
        twin(case, &by_id, problems);
    }
    stimuli(cases, problems);
    for list in lists {
        known(list, &by_id, problems);
    }
}

fn twin(case: &Case, by_id: &BTreeMap<&str, &Case>, problems: &mut Vec<Problem>) {
    let mut find = |key: &str, what: String| {
        let line = line_of_key(&case.source, key);
        problems.push(Problem { file: case.file.clone(), line, what });
    };
    let Some(name) = &case.front.twin else {
        if is_refusal(case) {
            find("title", "nothing but refusals is expected: name the `twin` that is accepted".into());
        }
        return;
    };
    match by_id.get(name.as_str()) {
        None => find("twin", format!("there is no case {name}")),
        Some(twin) if twin.id == case.id => find("twin", "a case is not its own twin".into()),
        Some(twin) if is_refusal(twin) && twin.front.twin.as_ref() == Some(&case.id) => {
            find("twin", format!("{name} expects refusals only, too, and has this case for its twin"));
        }
        Some(twin) if twin.front.reach.is_some() => {
            find("twin", format!("the twin {name} is an attack itself"));
        }
        Some(_) => {}
    }
}

/// Whether everything that is expected in answer to the client, up to a good bye, is a refusal.
fn is_refusal(case: &Case) -> bool {
    let steps = script::steps(case);
    let begun = steps.iter().position(|step| matches!(step.act, Act::Send(_) | Act::SendRaw(_)));
    let behind = begun.map_or(&[][..], |at| &steps[at..]);
    let mut codes = behind.iter().filter_map(|step| reply_code(&step.act)).filter(|code| *code != 221);
    codes.next().is_some_and(|first| first >= 400) && codes.all(|code| code >= 400)
}

/// All that the implementation gets to see of a case.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Stimulus {
    head: String,
    steps: Vec<String>,
}

fn stimulus(case: &Case) -> Stimulus {
    let front = &case.front;
    let head = Front {
        run: front.words().join("\0"),
        needs: front.needs.clone(),
        unset: front.unset.clone(),
        modules: front.modules.clone(),
        setup: front.setup.clone(),
        only: front.only.keys().map(|name| (name.clone(), String::new())).collect(),
        skip: front.skip.keys().map(|name| (name.clone(), String::new())).collect(),
        env: front.env.clone(),
        files: front.files.clone(),
        maildir: front.maildir.clone(),
        services: front.services.clone(),
        ..Front::default()
    };
    let seen = |step: &Step| match &step.act {
        // Sent as a line or as bytes: the same if the bytes are.
        Act::Send(text) => {
            let mut text = text.clone();
            text.0.push(Piece::Bytes(b"\r\n".to_vec()));
            Some(format!("{:?}", merged(text.0)))
        }
        Act::SendRaw(text) => Some(format!("{:?}", merged(text.0.clone()))),
        act if act.pattern().is_some() || matches!(act, Act::Alternative(..)) => None,
        act => Some(format!("{act:?}")),
    };
    let steps = script::steps(case).iter().filter_map(seen).collect();
    Stimulus { head: format!("{head:?}"), steps }
}

fn stimuli(cases: &[Case], problems: &mut Vec<Problem>) {
    let mut seen: BTreeMap<Stimulus, &Case> = BTreeMap::new();
    for case in cases {
        if let Some(first) = seen.get(&stimulus(case)) {
            let what = format!("the stimulus is that of {}", first.id);
            problems.push(Problem { file: case.file.clone(), line: 0, what });
        } else {
            seen.insert(stimulus(case), case);
        }
    }
}

/// A list of known failures: entries of no case, and deliveries of no name or not played.
fn known(list: &List, by_id: &BTreeMap<&str, &Case>, problems: &mut Vec<Problem>) {
    let mut find = |line: usize, what: String| problems.push(Problem { file: list.file.clone(), line, what });
    let entries = match &list.entries {
        Ok(entries) => entries,
        Err(why) => return find(0, why.lines().next().unwrap_or_default().into()),
    };
    for entry in &entries.known {
        let line = list.source.lines().position(|line| {
            line.starts_with("case") && line.split(['"', '\'']).nth(1) == Some(entry.case.as_str())
        });
        let line = line.map_or(0, |at| at + 1);
        let Some(case) = by_id.get(entry.case.as_str()) else {
            find(line, format!("there is no case {}", entry.case));
            continue;
        };
        let mut named = BTreeSet::new();
        for name in &entry.deliveries {
            match Delivery::named(name) {
                None => find(line, format!("there is no delivery `{name}`")),
                Some(delivery) if !crate::run::plays_in(&case.front, delivery) => {
                    find(line, format!("{} is not played in {name}", case.id));
                }
                Some(_) if !named.insert(name) => find(line, format!("delivery {name} stands twice")),
                Some(_) => {}
            }
        }
    }
}

//! Rules of the front matter.

use std::collections::{BTreeMap, BTreeSet};

use super::{Found, line_of_text};
use crate::{
    play::Delivery,
    run::plays_in,
    sandbox::certificates,
    spec::Spec,
    transcript::{Case, model::Level, text::printable},
};

/// Longest title, in characters: it must be taken in at a glance.
const TITLE_MAX: usize = 160;

/// The folders below which cases hold for anything that speaks the protocol; also their roles.
const GENERIC: [&str; 4] = ["smtp", "qmtp", "qmqp", "pop3"];

/// Roles of cases that hold for a mailfront, besides the wrapper commands.
const ROLES: [&str; 4] = ["mailfront", "pop3front-auth", "pop3front-maildir", "imapfront-auth"];

/// First parts of the wrapper commands' names.
const WRAPPERS: [&str; 3] = ["smtpfront-", "qmtpfront-", "qmqpfront-"];

/// What `${NAME}` may be in values of the head.
const VARIABLES: [&str; 4] = ["CASE", "Q", "TMP", "MODULES"];

pub(super) fn check(case: &Case, spec: &Spec, found: &mut Found<'_>) {
    id(case, found);
    title(case, found);
    clauses(case, spec, found);
    run(case, found);
    let front = &case.front;
    if front.recorded.trim().is_empty() {
        found.key("recorded", "`recorded` is missing: what were the answers checked against?");
    }
    deliveries(case, found);
    if let Some(custody) = &front.custody
        && custody.strip_prefix("off: ").is_none_or(|why| why.trim().is_empty())
    {
        found.key("custody", "`custody` is `\"off: why\"`");
    }
    if let Err(entry) = front.setups() {
        found.key("setup", format!("`setup` does not know `{entry}`"));
    }
    for path in front.maildir.iter().flat_map(BTreeMap::keys) {
        if !["cur/", "new/", "tmp/"].iter().any(|folder| path.starts_with(folder)) {
            found.key("maildir", format!("message `{path}` is in none of cur, new and tmp"));
        }
    }
    for module in &front.modules {
        if !["plugin-", "backend-", "protocol-"].iter().any(|kind| module.starts_with(kind)) {
            found.key("modules", format!("module `{module}` is neither plugin-, backend- nor protocol-…"));
        }
    }
    if front.files.contains_key("probe") && front.modules.is_empty() {
        found.key("files", "`files.probe` is a script for modules, and there are none");
    }
    for name in front.unset.iter().filter(|name| front.env.contains_key(*name)) {
        found.key("unset", format!("`{name}` is set by `env` and taken away by `unset`"));
    }
    services(case, found);
    values(case, found);
    reach(case, found);
}

fn id(case: &Case, found: &mut Found<'_>) {
    let fits = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b))
    };
    if !case.id.split('/').all(fits) {
        found.at(0, "an id has small letters, digits, `-` and `.`, and `/` between its parts");
    }
    let area = case.id.split('/').next().unwrap_or_default();
    if area != "mailfront" && !GENERIC.contains(&area) {
        found.at(0, format!("area `{area}` is none of mailfront, {}", GENERIC.join(", ")));
    }
}

fn title(case: &Case, found: &mut Found<'_>) {
    let title = case.front.title.as_str();
    let problem = if title.trim().is_empty() {
        "`title` is missing: one sentence that is true when the case passes".into()
    } else if title.ends_with('.') || title != title.trim() {
        "`title` is a sentence without period or blanks around it".into()
    } else if title.chars().count() > TITLE_MAX {
        format!("`title` is longer than {TITLE_MAX} characters")
    } else if printable(title.as_bytes()) != title {
        "`title` has control or invisible characters".into()
    } else {
        return;
    };
    found.key("title", problem);
}

fn clauses(case: &Case, spec: &Spec, found: &mut Found<'_>) {
    let cited = &case.front.clauses;
    if cited.is_empty() {
        found.key("clauses", "`clauses` is missing: which clause does the case show?");
    }
    let mut strongest = Level::May;
    let mut seen = BTreeSet::new();
    for id in cited {
        let line = line_of_text(&case.source, "clauses", &format!("\"{id}\""));
        if !seen.insert(id) {
            found.at(line, format!("clause {id} is cited twice"));
        }
        match spec.get(id) {
            Some(clause) => strongest = strongest.max(clause.level),
            None if is_rfc(id) => strongest = Level::Must,
            None => {
                found.at(line, format!("`{id}` is neither a clause of docs/spec nor `RFC NUMBER SECTION`"));
            }
        }
    }
    if !cited.is_empty() && case.front.level > strongest {
        let level = case.front.level;
        found.key("clauses", format!("level {level}, but no cited clause is stronger than {strongest}"));
    }
}

/// `RFC 5321 4.5.2`
fn is_rfc(text: &str) -> bool {
    let words: Vec<&str> = text.split(' ').collect();
    let [rfc, number, section] = words[..] else { return false };
    rfc == "RFC"
        && !number.is_empty()
        && number.bytes().all(|b| b.is_ascii_digit())
        && section.split('.').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric()))
}

fn run(case: &Case, found: &mut Found<'_>) {
    let front = &case.front;
    if front.run.matches('\'').count() % 2 == 1 {
        return found.key("run", "`run` has a `'` without its partner");
    }
    let words = front.words();
    let Some(role) = words.first() else {
        return found.key("run", "`run` is missing: the role and its arguments");
    };
    let area = case.id.split('/').next().unwrap_or_default();
    if GENERIC.contains(&area) {
        if words != [area] {
            found.key("run", format!("a case below {area}/ runs the role `{area}` without arguments"));
        }
    } else if !ROLES.contains(&role.as_str()) && !WRAPPERS.iter().any(|wrapper| role.starts_with(wrapper)) {
        found.key("run", format!("role `{role}` is not known"));
    }
}

fn deliveries(case: &Case, found: &mut Found<'_>) {
    let front = &case.front;
    let lists: [(&str, &BTreeMap<String, String>); 2] = [("only", &front.only), ("skip", &front.skip)];
    for (key, list) in lists {
        for (name, reason) in list {
            if Delivery::named(name).is_none() {
                found.key(key, format!("`{key}`: there is no delivery `{name}`"));
            }
            if reason.trim().is_empty() {
                found.key(key, format!("`{key}`: {name} has no reason"));
            }
        }
    }
    if !front.only.is_empty() && !front.skip.is_empty() {
        found.key("skip", "`only` and `skip` exclude each other");
    }
    if !Delivery::ALL.iter().any(|delivery| plays_in(front, *delivery)) {
        found.key("skip", "no delivery is left to play");
    }
}

fn services(case: &Case, found: &mut Found<'_>) {
    let known = case.front.variables();
    for (name, service) in &case.front.services {
        let key = format!("services.{name}");
        let fits = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !fits || !name.starts_with(|c: char| c.is_ascii_lowercase()) {
            found.key(&key, format!("service `{name}`: its name has small letters, digits and `-`"));
        }
        if case.front.files.keys().any(|path| path == name) {
            found.key(&key, format!("service `{name}` has the place of a file"));
        }
        // The parser has read it.
        for line in service.blocks().into_iter().flatten().flatten() {
            for variable in line.variables() {
                let standard = VARIABLES.contains(&variable) || variable == "COOKIE";
                if !standard && !known.iter().any(|known| known == variable) {
                    found.key(
                        &key,
                        format!("service `{name}`: there is no variable `${{{variable}}}` in its script"),
                    );
                }
            }
        }
    }
}

/// Unknown variables in values that get them filled in. File contents may mean their `${…}`.
fn values(case: &Case, found: &mut Found<'_>) {
    let front = &case.front;
    let (words, own) = (front.words(), front.variables());
    let all = front.env.iter().map(|(name, value)| (name.as_str(), "env", value));
    let all = all.chain(words.iter().map(|word| ("run", "run", word)));
    for (name, key, value) in all.chain(front.setup.iter().map(|entry| ("setup", "setup", entry))) {
        for variable in value.split("${").skip(1).filter_map(|rest| Some(rest.split_once('}')?.0)) {
            let is_file = certificates::FILES.iter().any(|(name, _)| *name == variable);
            let counts = key == "setup" && variable == "#";
            if !is_file && !VARIABLES.contains(&variable) && !counts && !own.iter().any(|own| own == variable)
            {
                let line = line_of_text(&case.source, key, &format!("${{{variable}}}"));
                found.at(line, format!("{name}: there is no variable `${{{variable}}}` in the head"));
            }
        }
    }
}

fn reach(case: &Case, found: &mut Found<'_>) {
    let front = &case.front;
    if front.reach.is_some() && front.twin.is_none() {
        found.key("reach", "an attack has a `twin` in which the well-formed input is accepted");
    }
    if front.reach.is_some() && front.level == Level::May {
        found.key("reach", "an attack is answered by a must or a should");
    }
}

//! What `--check` tells of a rules file: every fault with its place, and what a rule cannot do.

use std::fmt::Display;

use bstr::{BString, ByteSlice};

use super::source;
use crate::{
    lists,
    plugin::Finding,
    plugins::mailrules::{no_effect, rules_file},
    session::Session,
    wire::mailrulesx::{self, Assignment, Section, Test, Variable},
};

/// Everything that is to be told of the rules file.
pub(super) fn findings(session: &Session) -> Vec<Finding> {
    let Some((_, path)) = source(session) else { return Vec::new() };
    let at = |text: &dyn Display| BString::from([path.as_bytes(), format!(":{text}").as_bytes()].concat());
    let file = match rules_file(path.as_bytes()) {
        Ok(file) => file,
        Err(problem) => return vec![problem],
    };
    let mut findings = Vec::new();
    for rule in mailrulesx::rules(&file) {
        let rule = match rule {
            Ok(rule) => rule,
            Err(fault) => {
                findings.push(Finding::Problem(at(&fault)));
                continue;
            }
        };
        for condition in &rule.conditions {
            if let Test::Listed(name) = &condition.test {
                let told = |text: &dyn Display| at(&format!("{}: {}: {text}", condition.place, name.file));
                findings.extend(lists::finding(name, told));
            }
        }
        for (place, assignment) in &rule.assignments {
            let Assignment::Set(variable, _) = assignment else { continue };
            let why = match (variable, rule.section) {
                // Early enough for everything that is not read at the start.
                (Variable::Environment(_), Section::Connect) => None,
                (Variable::Environment(name), _) => no_effect(session, name),
                (Variable::Sender, Section::Connect | Section::Recipient)
                | (Variable::Recipient, Section::Connect | Section::Sender) => {
                    Some("addresses of another event are not changed".into())
                }
                _ => None,
            };
            findings.extend(why.map(|why| Finding::Warning(at(&format!("{place}: {why}")))));
        }
    }
    findings
}

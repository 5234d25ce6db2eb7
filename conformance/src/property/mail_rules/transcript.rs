//! The transcript in which a target shows whether it does as the model says.

use std::fmt::Write as _;

use super::{
    model::{Model, lists},
    rules::{Input, Line, Pattern, Rule, Test},
};
use crate::transcript::Front;

impl Input {
    /// The transcript for what `model` says.
    pub fn transcript(&self, model: Model) -> String {
        let plugins =
            if self.rejects { "mailrules reject relayclient accept" } else { "mailrules relayclient accept" };
        let mut front = Front {
            title: "Rules answer as the model says".into(),
            clauses: ["RULES-EVAL-2", "RULES-EVAL-3", "RULES-AND-1"].map(String::from).into(),
            run: format!("mailfront smtp echo {plugins}"),
            recorded: "by hand".into(),
            needs: vec!["mailrules".into()],
            note: Some(
                "Made up by `prop mail-rules`; the model of RULES-EVAL and RULES-AND says what is right."
                    .into(),
            ),
            ..Front::default()
        };
        front.env.insert("MAILRULES".into(), "rules".into());
        if self.rejects {
            front.env.insert("REJECT".into(), "-behind".into());
        }
        front.files.insert("rules".into(), self.file());
        front.files.insert("list".into(), self.entries.iter().map(|entry| format!("{entry}\n")).collect());
        let keys: String = self.entries.iter().map(|entry| format!(" {entry}")).collect();
        front.setup.push(format!("cdb list.cdb{keys}"));
        // A head of strings always has a form in TOML.
        let head = toml::to_string(&front).unwrap_or_default();
        format!("+++\n{head}+++\n{}exit: 0\n", self.dialogue(model))
    }

    fn file(&self) -> String {
        let mut file = String::new();
        for (number, line) in self.lines.iter().enumerate() {
            match line {
                Line::Selector(true) => file.push_str(":sender"),
                Line::Selector(false) => file.push_str(":recipient"),
                Line::Ignored(text) => file.push_str(text),
                Line::Rule(rule) => file.push_str(&written(rule, number)),
            }
            file.push('\n');
        }
        file
    }

    fn dialogue(&self, model: Model) -> String {
        let lists = lists(&self.lines);
        let mut dialogue = String::from("S: 220 ${LOCALHOST} mailfront ESMTP\n");
        for (sender, recipients) in &self.mails {
            let verdict = model(&lists.senders, &self.entries, sender, None);
            let mut relays = verdict.relays;
            let (answer, accepted) = match verdict.decision {
                Some(decision @ ('K' | 'd' | 'z', _)) => answered(decision),
                _ if self.rejects => ("553 behind".into(), false),
                Some(decision) => answered(decision),
                None => (format!("250 Sender='{sender}'."), true),
            };
            let _ = writeln!(dialogue, "C: MAIL FROM:<{sender}>\nS: {answer}");
            for recipient in recipients.iter().filter(|_| accepted) {
                let verdict = model(&lists.recipients, &self.entries, sender, Some(recipient));
                relays |= verdict.relays;
                let relayed = if relays { "+relayed" } else { "" };
                let answer = match verdict.decision {
                    Some(decision) => answered(decision).0,
                    None => format!("250 Recipient='{recipient}{}{relayed}'.", verdict.suffix),
                };
                let _ = writeln!(dialogue, "C: RCPT TO:<{recipient}>\nS: {answer}");
            }
        }
        dialogue.push_str("C: QUIT\nS: 221 ~~\n");
        dialogue
    }
}

/// The answer of a rule, and whether it accepts.
fn answered((code, number): (char, usize)) -> (String, bool) {
    match code {
        'd' => (format!("553 rule {number}"), false),
        'z' => (format!("451 rule {number}"), false),
        _ => (format!("250 rule {number}"), true),
    }
}

fn written(rule: &Rule, number: usize) -> String {
    let Rule { code, sender, recipient, suffix, relays } = rule;
    let recipient = recipient.as_ref().map(pattern).unwrap_or_default();
    let relays = if *relays { "X=1,RELAYCLIENT=+relayed" } else { "" };
    format!("{code}{}:{recipient}:rule {number}::{suffix}:{relays}", pattern(sender))
}

fn pattern(pattern: &Pattern) -> String {
    let bangs = "!".repeat(pattern.bangs);
    match pattern.test {
        Test::Glob(glob) => format!("{bangs}{glob}"),
        Test::Whole(file) => format!("{bangs}[[{file}]]"),
        Test::Domain(file) => format!("{bangs}[[@{file}]]"),
    }
}

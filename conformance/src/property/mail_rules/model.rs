//! What rules amount to, as plainly as can be.

use super::rules::{Line, Pattern, Rule, Test};

/// The rules of a file by the list they are in, each with its number among all lines.
#[derive(Debug, Default)]
pub struct Lists<'a> {
    /// Rules of senders.
    pub senders: Vec<(usize, &'a Rule)>,
    /// Rules of recipients.
    pub recipients: Vec<(usize, &'a Rule)>,
}

/// Divides the rules of a file (RULES-SEL-1, -2, -4).
pub fn lists(lines: &[Line]) -> Lists<'_> {
    let mut lists = Lists::default();
    let mut section = None;
    for (number, line) in lines.iter().enumerate() {
        match line {
            Line::Selector(of_senders) => section = Some(*of_senders),
            Line::Ignored(_) => {}
            Line::Rule(rule) => {
                let is_star = rule.recipient.as_ref().is_some_and(|p| p.test == Test::Glob("*"));
                let list =
                    if section.unwrap_or(is_star) { &mut lists.senders } else { &mut lists.recipients };
                list.push((number, rule));
            }
        }
    }
    lists
}

/// What the rules of a list say of an address.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The code that decided, `k`, `K`, `d` or `z`, and the number of its rule.
    pub decision: Option<(char, usize)>,
    /// What is appended to a recipient.
    pub suffix: String,
    /// Whether RELAYCLIENT has been set.
    pub relays: bool,
}

/// A model: the rules of a list, what the list files hold, the sender, the recipient if it is judged.
pub type Model = fn(&[(usize, &Rule)], &[&str], &str, Option<&str>) -> Verdict;

/// Walks over a list (RULES-EVAL-2 … 6, RULES-AND-1, -2).
pub fn judge(rules: &[(usize, &Rule)], entries: &[&str], sender: &str, recipient: Option<&str>) -> Verdict {
    let mut verdict = Verdict::default();
    let mut guards_hold = true;
    for (number, rule) in rules {
        let of_recipient = |address| {
            let empty = Pattern { bangs: 0, test: Test::Glob("") };
            matches(rule.recipient.as_ref().unwrap_or(&empty), entries, address)
        };
        let hit = matches(&rule.sender, entries, sender) && recipient.is_none_or(of_recipient);
        if rule.code == '&' {
            guards_hold &= hit;
            continue;
        }
        if std::mem::replace(&mut guards_hold, true) && hit {
            verdict.relays |= rule.relays;
            verdict.suffix.push_str(rule.suffix);
            match rule.code {
                'n' => {}
                'p' => break,
                code => {
                    verdict.decision = Some((code, *number));
                    break;
                }
            }
        }
    }
    verdict
}

fn matches(pattern: &Pattern, entries: &[&str], address: &str) -> bool {
    let address = address.to_ascii_lowercase();
    let domain = address.rsplit_once('@').map(|(_, domain)| domain);
    let listed = |entry: &str| entries.contains(&entry);
    let hit = match pattern.test {
        Test::Glob(glob) => glob_matches(glob.to_ascii_lowercase().as_bytes(), address.as_bytes()),
        Test::Whole(_) => {
            !address.is_empty() && listed(&address)
                || domain.is_some_and(|domain| listed(&format!("@{domain}")))
        }
        Test::Domain(_) => domain.is_some_and(listed),
    };
    hit == pattern.bangs.is_multiple_of(2)
}

/// The definition of a glob, both sides in lower case (RULES-GLOB-1 … 6).
pub fn glob_matches(pattern: &[u8], text: &[u8]) -> bool {
    let Some((first, rest)) = pattern.split_first() else { return text.is_empty() };
    let one = |test: bool, rest: &[u8]| test && glob_matches(rest, &text[1..]);
    match (first, text.first()) {
        (b'*', _) => (0..=text.len()).any(|skipped| glob_matches(rest, &text[skipped..])),
        (_, None) => false,
        (b'?', Some(_)) => one(true, rest),
        (b'[', Some(byte)) => match set(rest) {
            Some((negated, members, behind)) => one(members.contains(byte) != negated, behind),
            None => one(*byte == b'[', rest),
        },
        (literal, Some(byte)) => one(literal == byte, rest),
    }
}

/// The set behind a `[`: whether it is negated, its bytes, and what stands behind its `]`.
fn set(text: &[u8]) -> Option<(bool, Vec<u8>, &[u8])> {
    let negated = text.first().is_some_and(|byte| b"!^".contains(byte));
    let mut members = Vec::new();
    let mut bytes = text.iter().enumerate().skip(usize::from(negated));
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b']' => return Some((negated, members, &text[at + 1..])),
            b'\\' => members.push(*bytes.next()?.1),
            byte => members.push(*byte),
        }
    }
    None
}

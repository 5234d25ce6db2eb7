//! Known failures of a target: which case, why, and what is seen.

use std::{collections::BTreeMap, time::Duration};

use regex::Regex;
use serde::{Deserialize, Serialize};

/// A list of known failures, one entry a case.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct KnownList {
    /// The entries.
    #[serde(default)]
    pub known: Vec<Known>,
}

/// One known failure.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// The id of the case.
    pub case: String,
    /// Why the target does what it does.
    pub reason: String,
    /// What is seen: the first finding of the failing play, as reports show it. Several where the
    /// deliveries differ.
    pub observed: Observed,
    /// The deliveries that fail; all of them if left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deliveries: Vec<String>,
    /// It is a race: the case may also pass.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sometimes: bool,
}

/// One thing seen, or several.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(untagged)]
pub enum Observed {
    /// Always this.
    One(String),
    /// One of these.
    Several(Vec<String>),
}

impl FromIterator<String> for Observed {
    fn from_iter<I: IntoIterator<Item = String>>(all: I) -> Self {
        let mut all: Vec<String> = all.into_iter().collect();
        match all.len() {
            1 => Self::One(all.remove(0)),
            _ => Self::Several(all),
        }
    }
}

impl Observed {
    /// Whether `finding` is what was recorded.
    pub fn covers(&self, finding: &str) -> bool {
        self.all().iter().any(|one| one == finding || matches(one, finding))
    }

    /// All of them.
    pub fn all(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Several(several) => several,
        }
    }
}

/// Whether `finding` is `observed`, in which `${/regex/}` stands for what is never twice the same,
/// such as a date.
fn matches(observed: &str, finding: &str) -> bool {
    let Some((first, rest)) = observed.split_once("${/") else { return false };
    let mut pattern = format!("^{}", regex::escape(first));
    for part in rest.split("${/") {
        let Some((inner, literal)) = part.split_once("/}") else { return false };
        pattern += &format!("(?:{inner}){}", regex::escape(literal));
    }
    Regex::new(&format!("(?s){pattern}$")).is_ok_and(|pattern| pattern.is_match(finding))
}

impl KnownList {
    /// Parses a list.
    ///
    /// # Errors
    /// What is wrong: the file's form, an entry without reason or without what is observed, or two
    /// entries for one case.
    pub fn parse(source: &str) -> Result<Self, String> {
        let list: Self = toml::from_str(source).map_err(|e| e.to_string().trim_end().to_string())?;
        list.check()?;
        Ok(list)
    }

    /// Takes over the entries of another list.
    ///
    /// # Errors
    /// Both have an entry for one case.
    pub fn join(&mut self, other: Self) -> Result<(), String> {
        self.known.extend(other.known);
        self.check()
    }

    fn check(&self) -> Result<(), String> {
        let mut seen = BTreeMap::new();
        for (i, entry) in self.known.iter().enumerate() {
            let at = |what: &str| Err(format!("entry {} ({}): {what}", i + 1, entry.case));
            if entry.reason.trim().is_empty() {
                return at("has no reason");
            }
            match &entry.observed {
                Observed::One(one) if one.is_empty() => return at("does not say what is observed"),
                Observed::Several(several) if several.is_empty() => {
                    return at("does not say what is observed");
                }
                _ => {}
            }
            if let Some(first) = seen.insert(entry.case.as_str(), i) {
                return at(&format!("is a second one for this case, the first is entry {}", first + 1));
            }
        }
        Ok(())
    }

    /// The entry for a case.
    pub fn get(&self, id: &str) -> Option<&Known> {
        self.known.iter().find(|entry| entry.case == id)
    }
}

impl Known {
    /// Whether the entry speaks of this delivery.
    pub fn speaks_of(&self, delivery: &str) -> bool {
        self.deliveries.is_empty() || self.deliveries.iter().any(|d| d == delivery)
    }

    /// Whether it takes its time to see: the suite waits for an end that does not come.
    pub fn is_waited_for(&self) -> bool {
        self.observed.all().iter().any(|one| one.starts_with("hang: ") || one.starts_with("leak: "))
    }

    /// After how long it was seen to hang, if that is what is known: nobody needs to wait longer.
    pub fn hang_limit(&self) -> Option<Duration> {
        let seconds =
            |one: &String| one.strip_prefix("hang: no end within ")?.split(' ').next()?.parse().ok();
        self.observed.all().iter().filter_map(seconds).max().map(Duration::from_secs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_hang_says_how_long_it_was_waited_for() {
        let limit = |observed: &[&str]| {
            let observed = observed.iter().map(|one| (*one).to_string()).collect();
            let known = Known {
                case: "x".into(),
                reason: "y".into(),
                observed,
                deliveries: Vec::new(),
                sometimes: false,
            };
            known.hang_limit()
        };
        let hang = ["S: 451 no", "hang: no end within 5 s; waiting at line 17"];
        assert_eq!(limit(&hang), Some(Duration::from_secs(5)));
        assert_eq!(
            limit(&["hang: no end within 7 s after the last step", hang[1]]),
            Some(Duration::from_secs(7))
        );
        assert_eq!(limit(&hang[..1]), None);
    }

    #[test]
    fn what_changes_each_time_is_an_expression() {
        let observed = Observed::One("queued: a.b ${/[0-9]+ Nov/} c${/x*/}".into());
        assert!(observed.covers("queued: a.b 26 Nov c"));
        assert!(observed.covers("queued: a.b 26 Nov cxx"));
        assert!(!observed.covers("queued: a-b 26 Nov c"));
        assert!(!observed.covers("queued: a.b 26 Nov c."));
        assert!(!Observed::One("${/[/}".into()).covers("["));
    }

    #[test]
    fn an_entry_wants_a_reason_and_bytes_and_is_the_only_one() {
        let entry = |reason: &str, observed: &str| {
            format!("[[known]]\ncase = 'a'\nreason = '{reason}'\nobserved = '{observed}'\n")
        };
        assert!(KnownList::parse(&entry("why", "S: 250")).is_ok());
        assert!(KnownList::parse(&entry("", "S: 250")).unwrap_err().contains("no reason"));
        assert!(KnownList::parse(&entry("why", "")).unwrap_err().contains("observed"));
        let twice = entry("why", "x").repeat(2);
        assert!(KnownList::parse(&twice).unwrap_err().contains("second one"));
    }
}

//! Single patterns over many addresses (RULES-GLOB-1 … 6, RULES-NEG-1).

use proptest::{
    collection::vec,
    sample::select,
    strategy::{BoxedStrategy, Strategy},
};

use super::Words;
use crate::transcript::Front;

/// A pattern and the addresses that are held against it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// The pattern, as it stands in the rules file.
    pub pattern: String,
    /// The addresses.
    pub addresses: Vec<String>,
}

const PATTERN_BYTES: &[char] = &['a', 'b', 'A', '*', '*', '?', '[', ']', '!', '^', '-', '.', 'x', '@'];
const ADDRESS_BYTES: &[char] = &['a', 'b', 'B', '[', ']', '!', '^', '-', '.', 'x', '@', '*', '?'];
const PATTERN_MAX: usize = 9;
const ADDRESS_MAX: usize = 7;
const ADDRESSES_MAX: usize = 12;

impl Input {
    /// Inputs made up at random; plain ones have nothing in them that the C program reads otherwise.
    pub fn strategy(words: Words) -> BoxedStrategy<Self> {
        let text = |bytes: &'static [char], most| {
            vec(select(bytes), 0..=most).prop_map(|bytes| bytes.into_iter().collect::<String>())
        };
        let pattern = text(PATTERN_BYTES, PATTERN_MAX).prop_filter("a list", |pattern| !is_list(pattern));
        let pattern = pattern.prop_filter("not plain", move |text| words == Words::All || is_plain(text));
        (pattern, vec(text(ADDRESS_BYTES, ADDRESS_MAX), 1..=ADDRESSES_MAX))
            .prop_map(|(pattern, addresses)| Self { pattern, addresses })
            .boxed()
    }

    /// The transcript in which a target shows whether it matches as `glob` does.
    pub fn transcript(&self, glob: fn(&[u8], &[u8]) -> bool) -> String {
        let mut front = Front {
            title: "A pattern matches as the model says".into(),
            clauses: ["RULES-GLOB-1", "RULES-GLOB-2", "RULES-NEG-1"].map(String::from).into(),
            run: "mailfront smtp echo mailrules accept".into(),
            recorded: "by hand".into(),
            needs: vec!["mailrules".into()],
            note: Some("Made up by `prop globs`; the model of RULES-GLOB says what is right.".into()),
            ..Front::default()
        };
        front.env.insert("MAILRULES".into(), "rules".into());
        front.files.insert("rules".into(), format!(":sender\nd{}\n", self.pattern));
        let pattern = self.pattern.trim_start_matches('!');
        let negated = (self.pattern.len() - pattern.len()) % 2 == 1;
        let lower = |text: &str| text.to_ascii_lowercase().into_bytes();
        let answers = self.addresses.iter().map(|address| {
            let answer = if glob(&lower(pattern), &lower(address)) == negated {
                format!("250 Sender='{address}'.")
            } else {
                "553 Rejected".into()
            };
            format!("C: MAIL FROM:<{address}>\nS: {answer}\n")
        });
        let dialogue: String = answers.collect();
        // A head of strings always has a form in TOML.
        let head = toml::to_string(&front).unwrap_or_default();
        format!(
            "+++\n{head}+++\nS: 220 ${{LOCALHOST}} mailfront ESMTP\n{dialogue}C: QUIT\nS: 221 ~~\nexit: 0\n"
        )
    }
}

/// Whether this names a list (RULES-LIST-1).
fn is_list(pattern: &str) -> bool {
    let pattern = pattern.trim_start_matches('!');
    pattern.starts_with("[[") && pattern.ends_with("]]") && pattern.len() > "[[]]x".len()
}

/// Whether each `[` has its `]`, and no `?` is in the last run of wildcards that begins with a star
/// (RULES-GLOB-5, -6).
fn is_plain(pattern: &str) -> bool {
    let mut rest = pattern;
    while let Some((_, set)) = rest.split_once('[') {
        // A `]` closes at once, also behind the sign of negation.
        let Some((_, behind)) = set.split_once(']') else { return false };
        rest = behind;
    }
    let run = &rest[rest.trim_end_matches(['*', '?']).len()..];
    run.split_once('*').is_none_or(|(_, behind)| !behind.contains('?'))
}

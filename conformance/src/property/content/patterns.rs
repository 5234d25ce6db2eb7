//! Files of patterns, and messages that are held against them (PAT-LINE, PAT-RESP, PAT-MATCH, PAT-MODE).

use std::fmt::Write as _;

use proptest::{
    collection::{btree_set, vec},
    sample::select,
    strategy::{BoxedStrategy, Strategy},
};

use crate::{property::mail_rules::model::glob_matches, transcript::Front};

/// A file, a message, and where it is cut on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// The lines of the file.
    pub file: Vec<String>,
    /// The lines of the message.
    pub message: Vec<String>,
    /// `$PATTERNS_LINEMAX`, if it is set.
    pub line_max: Option<usize>,
    /// Offsets in the bytes of the message behind which the next ones come in a read of their own.
    pub cuts: Vec<usize>,
}

/// What the model is asked: file, message and line length.
pub type Model = fn(&[String], &[String], usize) -> Option<String>;

const CONTROLS: &[char] = &['/', '/', '/', ':', '\\', '=', '#', 'x'];
const PATTERN_BYTES: &[char] = &['a', 'b', 'A', '*', '*', '?', '[', ']', '!', '-'];
const LINE_BYTES: &[char] = &['a', 'b', 'A', '[', ']', '-', '.'];
const PATTERN_MAX: usize = 5;
const LINE_MAX: usize = 4;
const LINES_MAX: usize = 8;
const CUTS_MAX: usize = 4;

/// What is compared of a line without `$PATTERNS_LINEMAX` (PAT-MATCH-3).
const DEFAULT_LINE_MAX: usize = 256;

impl Input {
    /// Inputs made up at random.
    pub fn strategy() -> BoxedStrategy<Self> {
        let text = |bytes: &'static [char], most| {
            vec(select(bytes), 0..=most).prop_map(|bytes| bytes.into_iter().collect::<String>())
        };
        let line = (select(CONTROLS), text(PATTERN_BYTES, PATTERN_MAX));
        let line = line.prop_map(|(control, text)| format!("{control}{text}"));
        let message = vec(text(LINE_BYTES, LINE_MAX), 0..=LINES_MAX);
        let cuts = btree_set(0..LINES_MAX * (LINE_MAX + 2), 0..=CUTS_MAX);
        let line_max = proptest::option::of(1..=LINE_MAX);
        (vec(line, 0..=LINES_MAX), message, line_max, cuts)
            .prop_map(|(file, message, line_max, cuts)| Self {
                file,
                message,
                line_max,
                cuts: cuts.into_iter().collect(),
            })
            .boxed()
    }

    /// The transcript in which a target shows whether it finds what `model` finds.
    pub fn transcript(&self, model: Model) -> String {
        let mut front = Front {
            title: "Patterns refuse what the model refuses".into(),
            clauses: ["PAT-LINE-1", "PAT-MATCH-5", "PAT-MODE-1", "PAT-MODE-2"].map(String::from).into(),
            run: "mailfront smtp echo patterns accept".into(),
            recorded: "by hand".into(),
            needs: vec!["patterns".into()],
            note: Some("Made up by `prop patterns`; the model of PAT-MODE says what is right.".into()),
            ..Front::default()
        };
        front.env.insert("PATTERNS".into(), "patterns".into());
        if let Some(line_max) = self.line_max {
            front.env.insert("PATTERNS_LINEMAX".into(), line_max.to_string());
        }
        front.files.insert("patterns".into(), self.file.iter().map(|line| format!("{line}\n")).collect());
        let bytes: usize = self.message.iter().map(|line| line.len() + 1).sum();
        let answer = match model(&self.file, &self.message, self.line_max.unwrap_or(DEFAULT_LINE_MAX)) {
            Some(text) => format!("554 {}", if text.is_empty() { "\\x20" } else { &text }),
            None => format!("250 Received {bytes} bytes."),
        };
        // An empty text leaves a blank at the end of the line, which is written as an escape.
        let answer = answer.replace("554 \\x20", "554\\x20");
        let mut dialogue = String::from(
            "C: MAIL FROM:<a@b.example>\nS: 250 ~~\nC: RCPT TO:<c@d.example>\nS: 250 ~~\nC: DATA\nS: 354 ~~\n",
        );
        for piece in self.pieces() {
            let _ = write!(dialogue, "C| {piece}\nboundary\n");
        }
        let _ = write!(dialogue, "C: .\nS: {answer}\n");
        super::transcript(&front, &dialogue)
    }

    /// The message as it is sent, cut up, in the notation of transcripts.
    fn pieces(&self) -> Vec<String> {
        let stuffed = |line: &String| {
            let dot = if line.starts_with('.') { "." } else { "" };
            format!("{dot}{line}\r\n")
        };
        let sent: String = self.message.iter().map(stuffed).collect();
        let mut pieces = Vec::new();
        let mut start = 0;
        for end in self.cuts.iter().copied().chain([sent.len()]) {
            if (start + 1..=sent.len()).contains(&end) {
                pieces.push(sent[start..end].replace('\r', "\\r").replace('\n', "\\n"));
                start = end;
            }
        }
        pieces
    }
}

/// Where in the message a line stands.
#[derive(PartialEq, Eq)]
enum State {
    Header,
    AfterBlank,
    Body,
}

/// The text of the refusal, by the clauses one after the other.
pub fn refusal(file: &[String], message: &[String], line_max: usize) -> Option<String> {
    let mut state = State::Header;
    for line in message {
        if line.is_empty() {
            state = State::AfterBlank;
            continue;
        }
        let compared = &line[..line.len().min(line_max)];
        let mut response = "This message contains prohibited content";
        for (control, text) in file.iter().filter_map(|line| line.split_at_checked(1)) {
            let is_tried = match control {
                "=" => {
                    response = text;
                    false
                }
                "#" => false,
                ":" => state == State::Header,
                "\\" => state == State::AfterBlank,
                _ => true,
            };
            if is_tried && glob_matches(text.as_bytes(), compared.as_bytes()) {
                return Some(response.into());
            }
        }
        if state == State::AfterBlank {
            state = State::Body;
        }
    }
    None
}

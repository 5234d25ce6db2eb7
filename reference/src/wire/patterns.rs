//! Files of patterns for message text, and the scan of a message for them (PAT-FILE-4, PAT-LINE,
//! PAT-RESP, PAT-MATCH, PAT-MODE).
//!
//! Most lines of most messages match nothing. So the bytes that each pattern cannot do without are
//! looked for all at once, and only what was found is held against the line.

use aho_corasick::AhoCorasick;
use bstr::{BString, ByteSlice};

use super::glob::Glob;

/// Bytes of a line that are compared without `$PATTERNS_LINEMAX` (PAT-MATCH-3).
pub const DEFAULT_LINE_MAX: usize = 256;

/// The largest line length that can be asked for (PAT-CFG-2).
pub const LONGEST_LINE_MAX: usize = 64 * 1024;

/// The text of a refusal without `=` line (PAT-RESP-1).
pub const DEFAULT_RESPONSE: &str = "This message contains prohibited content";

/// Where a pattern is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    Everywhere,
    /// `:`
    Header,
    /// `\`
    AfterBlank,
}

/// One pattern.
#[derive(Debug)]
struct Pattern {
    scope: Scope,
    glob: Glob,
    /// Index into the responses.
    response: usize,
}

/// A file of patterns, ready to scan with.
#[derive(Debug)]
pub struct Patterns {
    patterns: Vec<Pattern>,
    responses: Vec<BString>,
    /// Finds the bytes that patterns require; the id of a match is an index into `requiring`.
    finder: Option<AhoCorasick>,
    /// Patterns that require bytes, in file order.
    requiring: Vec<usize>,
    /// Patterns that require none and are tried on each line.
    always: Vec<usize>,
    line_max: usize,
}

/// A line of a file that is hardly what its author meant.
#[derive(Debug, PartialEq, Eq)]
pub struct Doubt {
    /// The line, from 1.
    pub line: usize,
    /// Its first byte, which is dropped (PAT-LINE-1).
    pub byte: u8,
}

/// The lines of a file: number from 1, control byte and text.
fn lines(source: &[u8]) -> impl Iterator<Item = (usize, u8, &[u8])> {
    source.split_str("\n").enumerate().filter_map(|(at, line)| {
        let line = line.trim_end_with(|c| matches!(c, ' ' | '\t' | '\n' | '\x0b' | '\x0c' | '\r'));
        line.split_first().map(|(control, text)| (at + 1, *control, text))
    })
}

/// Lines whose control byte is none of the documented ones.
pub fn doubts(source: &[u8]) -> impl Iterator<Item = Doubt> {
    let odd = lines(source).filter(|(_, byte, _)| !b"#=:\\/".contains(byte));
    odd.map(|(line, byte, _)| Doubt { line, byte })
}

impl Patterns {
    /// Reads a file; every byte string is one. `response` is given for patterns before the first `=`
    /// line. Of message lines `line_max` bytes are compared, at most [`LONGEST_LINE_MAX`].
    pub fn parse(source: &[u8], response: &[u8], line_max: usize) -> Self {
        let mut patterns = Vec::new();
        let mut responses = vec![BString::from(response)];
        for (_, control, text) in lines(source) {
            let scope = match control {
                b'#' => continue,
                b'=' => {
                    // PAT-FILE-4: NUL ends a response.
                    responses.push(text.split(|byte| *byte == 0).next().unwrap_or_default().into());
                    continue;
                }
                b':' => Scope::Header,
                b'\\' => Scope::AfterBlank,
                _ => Scope::Everywhere,
            };
            patterns.push(Pattern { scope, glob: Glob::new(text), response: responses.len() - 1 });
        }
        let mut literals = Vec::new();
        let (mut requiring, mut always) = (Vec::new(), Vec::new());
        for (at, pattern) in patterns.iter().enumerate() {
            let required = pattern.glob.required();
            if required.is_empty() {
                always.push(at);
            } else {
                requiring.push(at);
                literals.push(required);
            }
        }
        // More than an automaton can hold: then each is tried on each line.
        let finder = AhoCorasick::new(&literals).ok();
        if finder.is_none() {
            always = (0..patterns.len()).collect();
        }
        let line_max = line_max.clamp(1, LONGEST_LINE_MAX);
        Self { patterns, responses, finder, requiring, always, line_max }
    }

    /// The first pattern in file order that matches `line` in `state`.
    fn matching(&self, line: &[u8], state: State, candidates: &mut Candidates) -> Option<&BString> {
        let line = &line[..line.len().min(self.line_max)];
        candidates.begin(self.patterns.len());
        for at in &self.always {
            candidates.add(*at);
        }
        for hit in self.finder.iter().flat_map(|finder| finder.find_overlapping_iter(line)) {
            candidates.add(self.requiring[hit.pattern().as_usize()]);
        }
        let applies = |scope| match scope {
            Scope::Everywhere => true,
            Scope::Header => state == State::Header,
            Scope::AfterBlank => state == State::AfterBlank,
        };
        let mut patterns = candidates.in_order().iter().map(|at| &self.patterns[*at]);
        let first = patterns.find(|pattern| applies(pattern.scope) && pattern.glob.matches(line));
        first.map(|pattern| &self.responses[pattern.response])
    }
}

/// The patterns to try on one line, each once; kept from line to line for its memory.
#[derive(Debug, Default)]
struct Candidates {
    found: Vec<usize>,
    is_found: Vec<bool>,
}

impl Candidates {
    fn begin(&mut self, patterns: usize) {
        for at in self.found.drain(..) {
            self.is_found[at] = false;
        }
        self.is_found.resize(patterns, false);
    }

    fn add(&mut self, at: usize) {
        if !std::mem::replace(&mut self.is_found[at], true) {
            self.found.push(at);
        }
    }

    fn in_order(&mut self) -> &[usize] {
        self.found.sort_unstable();
        &self.found
    }
}

/// Where in the message a line stands (PAT-MODE-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    /// Before the first empty line.
    #[default]
    Header,
    /// Behind an empty line.
    AfterBlank,
    /// Anywhere else.
    Body,
}

/// The scan of one message, fed in pieces. Every cut of the message gives the same.
#[derive(Debug, Default)]
pub struct Scan {
    state: State,
    /// The beginning of the line that the last piece ended in; never more than is compared.
    begun: Vec<u8>,
    candidates: Candidates,
}

impl Scan {
    /// Takes the next piece, lines ending in LF; gives the response of the first match.
    pub fn push<'p>(&mut self, patterns: &'p Patterns, piece: &[u8]) -> Option<&'p BString> {
        let mut rest = piece;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let line = &rest[..end];
            rest = &rest[end + 1..];
            let hit = if self.begun.is_empty() {
                self.line(patterns, line)
            } else {
                self.keep(patterns, line);
                let line = std::mem::take(&mut self.begun);
                self.line(patterns, &line)
            };
            if hit.is_some() {
                return hit;
            }
        }
        self.keep(patterns, rest);
        None
    }

    /// The message is complete: its last line may lack a line end (PAT-MODE-3).
    pub fn finish<'p>(&mut self, patterns: &'p Patterns) -> Option<&'p BString> {
        let line = std::mem::take(&mut self.begun);
        self.line(patterns, &line)
    }

    fn keep(&mut self, patterns: &Patterns, part: &[u8]) {
        let room = patterns.line_max.saturating_sub(self.begun.len());
        self.begun.extend_from_slice(&part[..part.len().min(room)]);
    }

    fn line<'p>(&mut self, patterns: &'p Patterns, line: &[u8]) -> Option<&'p BString> {
        if line.is_empty() {
            self.state = State::AfterBlank;
            return None;
        }
        let hit = patterns.matching(line, self.state, &mut self.candidates);
        if self.state == State::AfterBlank {
            self.state = State::Body;
        }
        hit
    }
}

#[cfg(test)]
mod tests;

//! Finds the expected parts in what the server wrote.

use bstr::ByteSlice as _;

use crate::transcript::{
    Act, Step,
    text::{Match, Pattern, Variables},
};

/// A place in the output and what was learned on the way there.
#[derive(Debug, Clone, Default)]
pub struct Cursor {
    /// The next step to look for.
    pub step: usize,
    /// Bytes of the output already accounted for.
    pub at: usize,
    /// Alternatives seen so far.
    pub branches: Vec<String>,
}

/// How one expected part compares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// It is there.
    Right,
    /// Only the human wording differs: the bytes found.
    OtherWording(Vec<u8>),
    /// Something else is there; empty at the end of the output.
    Wrong(Vec<u8>),
}

/// The part found for one step: its index, its bytes and how they compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The step's index.
    pub step: usize,
    /// How it compares.
    pub seen: Seen,
}

/// Whether `step` is taken, given the alternatives seen.
pub fn is_taken(step: &Step, branches: &[String]) -> bool {
    step.only_if.as_ref().is_none_or(|name| branches.contains(name))
}

impl Cursor {
    /// Accounts for the expectations from `self.step` up to `end` (not included) as far as `output`
    /// goes; `complete` says that no more output will come. Returns what was found, step by step,
    /// and stops in front of the first part that is not there yet.
    pub fn advance(
        &mut self,
        steps: &[Step],
        end: usize,
        output: &[u8],
        complete: bool,
        variables: &mut Variables,
    ) -> Vec<Found> {
        let mut found = Vec::new();
        while self.step < end {
            let step = &steps[self.step];
            if !is_taken(step, &self.branches) {
                self.step += 1;
                continue;
            }
            let rest = &output[self.at..];
            match &step.act {
                Act::Line(pattern) => {
                    let Some(line) = next_line(rest, complete) else { break };
                    self.account(line, pattern, variables, &mut found);
                }
                Act::Raw(pattern) => {
                    let Some(piece) = next_piece(rest, pattern, complete, variables) else { break };
                    self.at += piece.len();
                    let seen = compare(pattern, piece, variables);
                    found.push(Found { step: self.step, seen });
                    self.step += 1;
                }
                Act::Unordered(_) => {
                    let group = self.group(steps, |act| matches!(act, Act::Unordered(_)));
                    let Some(lines) = next_lines(rest, group, complete) else { break };
                    self.unordered(steps, &lines, variables, &mut found);
                }
                Act::Alternative(..) => {
                    let group = self.group(steps, |act| matches!(act, Act::Alternative(..)));
                    if !self.alternative(
                        &steps[self.step..self.step + group],
                        rest,
                        complete,
                        variables,
                        &mut found,
                    ) {
                        break;
                    }
                }
                _ => self.step += 1,
            }
        }
        found
    }

    fn account(&mut self, line: &[u8], pattern: &Pattern, variables: &mut Variables, found: &mut Vec<Found>) {
        self.at += line.len();
        let seen = match line.strip_suffix(b"\r\n") {
            Some(text) => compare(pattern, text, variables),
            None => Seen::Wrong(line.to_vec()),
        };
        let seen = match seen {
            Seen::Wrong(_) => Seen::Wrong(line.to_vec()),
            other => other,
        };
        found.push(Found { step: self.step, seen });
        self.step += 1;
    }

    fn group(&self, steps: &[Step], belongs: impl Fn(&Act) -> bool) -> usize {
        steps[self.step..].iter().take_while(|step| belongs(&step.act)).count()
    }

    fn unordered(
        &mut self,
        steps: &[Step],
        lines: &[&[u8]],
        variables: &mut Variables,
        found: &mut Vec<Found>,
    ) {
        let group = self.group(steps, |act| matches!(act, Act::Unordered(_)));
        let mut free: Vec<usize> = (0..lines.len()).collect();
        for (step, taken) in steps.iter().enumerate().skip(self.step).take(group) {
            let Act::Unordered(pattern) = &taken.act else { continue };
            let place = free.iter().position(|&i| {
                let wanted_last = i + 1 == lines.len();
                unify(lines[i], wanted_last).is_some_and(|text| {
                    matches!(compare(pattern, &text, variables), Seen::Right | Seen::OtherWording(_))
                })
            });
            let seen = match place {
                Some(place) => {
                    free.remove(place);
                    Seen::Right
                }
                None => Seen::Wrong(free.iter().flat_map(|&i| lines[i].to_vec()).collect()),
            };
            found.push(Found { step, seen });
        }
        self.at += lines.iter().map(|line| line.len()).sum::<usize>();
        self.step += group;
    }

    /// Decides between the alternatives by their first lines; `false` if there is no line yet.
    fn alternative(
        &mut self,
        group: &[Step],
        rest: &[u8],
        complete: bool,
        variables: &mut Variables,
        found: &mut Vec<Found>,
    ) -> bool {
        let Some(line) = next_line(rest, complete) else { return false };
        let text = line.strip_suffix(b"\r\n").unwrap_or(line);
        let mut tried: Vec<&str> = Vec::new();
        for (i, step) in group.iter().enumerate() {
            let Act::Alternative(name, pattern) = &step.act else { continue };
            if tried.contains(&name.as_str()) {
                continue;
            }
            tried.push(name);
            if compare(pattern, text, variables) == Seen::Right {
                let more =
                    group[i..].iter().filter(|s| matches!(&s.act, Act::Alternative(n, _) if n == name));
                let wanted: Vec<&Pattern> = more
                    .filter_map(|s| match &s.act {
                        Act::Alternative(_, pattern) => Some(pattern),
                        _ => None,
                    })
                    .collect();
                let Some(lines) = next_lines(rest, wanted.len(), complete) else { return false };
                for (line, pattern) in lines.iter().zip(wanted) {
                    let text = line.strip_suffix(b"\r\n").unwrap_or(line);
                    found.push(Found { step: self.step + i, seen: compare(pattern, text, variables) });
                }
                self.at += lines.iter().map(|line| line.len()).sum::<usize>();
                self.branches.push(name.clone());
                self.step += group.len();
                return true;
            }
        }
        found.push(Found { step: self.step, seen: Seen::Wrong(line.to_vec()) });
        self.at += line.len();
        self.step += group.len();
        true
    }
}

/// The next line with its ending; what is there without one if nothing more will come.
fn next_line(rest: &[u8], complete: bool) -> Option<&[u8]> {
    match rest.find_byte(b'\n') {
        Some(end) => Some(&rest[..=end]),
        None if complete => Some(rest),
        None => None,
    }
}

fn next_lines(mut rest: &[u8], count: usize, complete: bool) -> Option<Vec<&[u8]>> {
    let mut lines = Vec::new();
    for _ in 0..count {
        let line = next_line(rest, complete)?;
        lines.push(line);
        rest = &rest[line.len()..];
    }
    Some(lines)
}

fn next_piece<'a>(
    rest: &'a [u8],
    pattern: &Pattern,
    complete: bool,
    variables: &Variables,
) -> Option<&'a [u8]> {
    match pattern.fixed(variables) {
        Some(fixed) if rest.len() >= fixed.len() => Some(&rest[..fixed.len()]),
        // A wrong beginning need not be waited out.
        Some(fixed) if !fixed.starts_with(rest) => Some(rest),
        _ if complete => Some(rest),
        _ => None,
    }
}

/// A reply line of a group without its ending, `250-x` and `250 x` made alike; `None` if the mark
/// behind the code is wrong for its place.
fn unify(line: &[u8], last: bool) -> Option<Vec<u8>> {
    let mut text = line.strip_suffix(b"\r\n")?.to_vec();
    if text.len() > 3 && text[..3].iter().all(u8::is_ascii_digit) {
        if (text[3] == b' ') != last {
            return None;
        }
        text[3] = b' ';
    }
    Some(text)
}

fn compare(pattern: &Pattern, actual: &[u8], variables: &mut Variables) -> Seen {
    match pattern.matches(actual, variables) {
        Match::Yes(captures) => {
            variables.extend(captures);
            Seen::Right
        }
        Match::Wording => Seen::OtherWording(actual.to_vec()),
        Match::No => Seen::Wrong(actual.to_vec()),
    }
}

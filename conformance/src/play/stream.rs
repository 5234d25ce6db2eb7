//! Finds the expected parts in what the server wrote.

use bstr::ByteSlice as _;

use crate::transcript::{
    Act, Choice, Step,
    netstring::{self, Next},
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
                Act::Netstring(pattern) => {
                    let Some(part) = next_netstring(rest, complete) else { break };
                    self.at += part.len();
                    let seen = compare_netstring(pattern, part, variables);
                    found.push(Found { step: self.step, seen });
                    self.step += 1;
                }
                Act::Reply(pattern) => {
                    let Some(lines) = next_reply(rest, complete) else { break };
                    self.at += lines.iter().map(|line| line.len()).sum::<usize>();
                    let mut seen = Seen::Wrong(lines.concat());
                    for (i, line) in lines.iter().enumerate() {
                        let text = unify(line, i + 1 == lines.len());
                        seen = match text.map(|text| compare(pattern, &text, variables)) {
                            Some(Seen::Wrong(_)) | None => Seen::Wrong(line.to_vec()),
                            Some(seen) => seen,
                        };
                        if seen != Seen::Right {
                            break;
                        }
                    }
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

    /// Decides between the alternatives by their first parts; `false` if there is none yet.
    fn alternative(
        &mut self,
        group: &[Step],
        rest: &[u8],
        complete: bool,
        variables: &mut Variables,
        found: &mut Vec<Found>,
    ) -> bool {
        let mut tried: Vec<&str> = Vec::new();
        for (name, choice) in choices(group) {
            if tried.contains(&name) {
                continue;
            }
            tried.push(name);
            let Some(part) = choice.next(rest, complete) else { return false };
            if choice.compare(part, variables) != Seen::Right {
                continue;
            }
            let mut parts = Vec::new();
            let mut left = rest;
            for (at, (_, choice)) in choices(group).enumerate().filter(|(_, (other, _))| *other == name) {
                let Some(part) = choice.next(left, complete) else { return false };
                left = &left[part.len()..];
                parts.push((at, choice, part));
            }
            for (at, choice, part) in parts {
                found.push(Found { step: self.step + at, seen: choice.compare(part, variables) });
            }
            self.at += rest.len() - left.len();
            self.branches.push(name.into());
            self.step += group.len();
            return true;
        }
        // Neither: what is there is shown as the first would have it.
        let first = choices(group).next().and_then(|(_, choice)| choice.next(rest, complete));
        let part = first.unwrap_or(rest);
        found.push(Found { step: self.step, seen: Seen::Wrong(part.to_vec()) });
        self.at += part.len();
        self.step += group.len();
        true
    }
}

fn choices(group: &[Step]) -> impl Iterator<Item = (&str, &Choice)> {
    group.iter().filter_map(|step| match &step.act {
        Act::Alternative(name, choice) => Some((name.as_str(), choice)),
        _ => None,
    })
}

impl Choice {
    /// The part of the output that it speaks of; `None` if that is not there yet.
    fn next<'a>(&self, rest: &'a [u8], complete: bool) -> Option<&'a [u8]> {
        match self {
            Self::Line(_) => next_line(rest, complete),
            Self::Netstring(_) => next_netstring(rest, complete),
            Self::Eof => (complete || !rest.is_empty()).then_some(rest),
        }
    }

    fn compare(&self, part: &[u8], variables: &mut Variables) -> Seen {
        match self {
            Self::Line(pattern) => compare(pattern, part.strip_suffix(b"\r\n").unwrap_or(part), variables),
            Self::Netstring(pattern) => compare_netstring(pattern, part, variables),
            Self::Eof if part.is_empty() => Seen::Right,
            Self::Eof => Seen::Wrong(part.to_vec()),
        }
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

/// The next netstring; what is there if it is none, or if nothing more will come.
fn next_netstring(rest: &[u8], complete: bool) -> Option<&[u8]> {
    match netstring::next(rest) {
        Next::Whole(_, length) => Some(&rest[..length]),
        Next::Incomplete if !complete => None,
        Next::Incomplete | Next::Wrong => Some(rest),
    }
}

/// The lines of a reply, to the first whose code is not followed by `-`.
fn next_reply(mut rest: &[u8], complete: bool) -> Option<Vec<&[u8]>> {
    let mut lines = Vec::new();
    loop {
        let line = next_line(rest, complete)?;
        lines.push(line);
        rest = &rest[line.len()..];
        if line.get(3) != Some(&b'-') {
            return Some(lines);
        }
    }
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
    seen(pattern.matches(actual, variables), actual, variables)
}

/// `part` as [`next_netstring`] found it against a pattern of its content.
fn compare_netstring(pattern: &Pattern, part: &[u8], variables: &mut Variables) -> Seen {
    match netstring::next(part) {
        Next::Whole(content, length) if length == part.len() => {
            seen(pattern.matches_lines(content, variables), part, variables)
        }
        _ => Seen::Wrong(part.to_vec()),
    }
}

fn seen(result: Match, actual: &[u8], variables: &mut Variables) -> Seen {
    match result {
        Match::Yes(captures) => {
            variables.extend(captures);
            Seen::Right
        }
        Match::Wording => Seen::OtherWording(actual.to_vec()),
        Match::No => Seen::Wrong(actual.to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcript::{parse, script};

    /// How the steps of `body` compare with `output`, the alternatives seen, and what is left.
    fn found(body: &str, output: &[u8], complete: bool) -> (Vec<Seen>, Vec<String>, Vec<u8>) {
        let steps = script::steps(&parse("x", &format!("+++\n+++\n{body}")).unwrap());
        let mut cursor = Cursor::default();
        let found = cursor.advance(&steps, steps.len(), output, complete, &mut Variables::new());
        (found.into_iter().map(|found| found.seen).collect(), cursor.branches, output[cursor.at..].to_vec())
    }

    #[test]
    fn netstrings_are_compared_by_their_content() {
        let body = "N: K~ok\nN: D5.1.1 ~no\\nway\n";
        let output = b"3:Kok,15:D5.1.1 no\nnever,";
        let (seen, _, rest) = found(body, &output[..12], false);
        assert_eq!((seen, rest), (vec![Seen::Right], output[6..12].to_vec()));
        let (seen, _, rest) = found(body, b"3:Kok,15:D5.1.1 no\nnevr,,x", false);
        assert_eq!(
            (seen, rest),
            (vec![Seen::Right, Seen::OtherWording(b"15:D5.1.1 no\nnevr,,".into())], b"x".into())
        );
        let (seen, ..) = found(body, b"3:Kok,03:Dno,", false);
        assert_eq!(seen, [Seen::Right, Seen::Wrong(b"03:Dno,".into())]);
        let (seen, ..) = found(body, b"3:Kok,15:D5", true);
        assert_eq!(seen, [Seen::Right, Seen::Wrong(b"15:D5".into())]);
    }

    #[test]
    fn alternatives_may_be_netstrings_or_no_word_at_all() {
        let body = "N(later): Z~~\nN(never): D~~\nN(never): D2\neof(silent)\n";
        assert_eq!(found(body, b"3:Zno,", false).1, ["later"]);
        assert_eq!(found(body, b"3:Dno,", false), (Vec::new(), Vec::new(), b"3:Dno,".into()));
        assert_eq!(found(body, b"3:Dno,2:D2,", false).1, ["never"]);
        assert_eq!(found(body, b"", false).1, [""; 0]);
        assert_eq!(found(body, b"", true).1, ["silent"]);
        assert_eq!(found(body, b"3:Kok,", true).0, [Seen::Wrong(b"3:Kok,".into())]);
    }
}

//! Checks what is left behind: exit status, log, queue, files, memory, time.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf};

use bstr::ByteSlice as _;

use super::{Aspect, Finding, Judgement, queue};
use crate::{
    play::Outcome,
    sandbox::World,
    transcript::{
        Case, Expectation, Fact,
        model::{Content, Level},
        printer, script,
        text::{Match, Pattern, Text, Variables},
    },
};

/// Checks every expectation of `case`, and that nothing is left in the folders for temporary files.
pub fn check(case: &Case, world: &World, outcome: &Outcome, judgement: &mut Judgement) {
    let taken: Vec<&Expectation> = script::expectations(case)
        .filter(|e| e.only_if.as_ref().is_none_or(|name| outcome.branches.contains(name)))
        .collect();
    let (findings, variables) = (&mut judgement.findings, &outcome.variables);
    let before = findings.len();
    if outcome.remote {
        let unseen = taken.iter().filter_map(|e| match e.fact {
            Fact::Exit(_) => Some("exit status"),
            Fact::Log(_) | Fact::LogHas(_) | Fact::LogLacks(_) | Fact::Stderr(_) => Some("log"),
            _ => None,
        });
        judgement.unobservable.extend(unseen.map(String::from));
    } else {
        lines(&taken, outcome, findings);
    }
    queued(&taken, world, outcome, findings, &mut judgement.unobservable);
    for expectation in &taken {
        let mut find = |aspect, expected: &str, got: &[u8]| {
            let level = if expectation.should { Level::Should } else { Level::Must };
            findings.push(Finding::new(aspect, expectation.line, expected, got).weakened(level));
        };
        match &expectation.fact {
            Fact::Exit(wanted) if outcome.exit.is_some_and(|exit| exit != *wanted) => {
                let got = outcome.exit.map(|exit| exit.to_string()).unwrap_or_default();
                find(Aspect::Exit, &wanted.to_string(), got.as_bytes());
            }
            Fact::CloseNotify if !outcome.close_notify => find(Aspect::Tls, "close_notify", b"none"),
            Fact::FileAbsent(path) => {
                if let Some(found) = matching(world, path, variables).first() {
                    find(Aspect::File, "absent", found.to_string_lossy().as_bytes());
                }
            }
            Fact::File(path, content) => file(world, path, content.as_deref(), variables, &mut find),
            Fact::Mode(path, mode) => self::mode(world, path, *mode, variables, &mut find),
            Fact::Folder(path, names) => folder(world, path, names, variables, &mut find),
            Fact::Memory(most) => match outcome.peak_memory {
                Some(used) if used > *most => {
                    find(Aspect::Memory, &format!("at most {} MB", most >> 20), b"more");
                }
                Some(_) => {}
                None => judgement.unobservable.push("peak memory".into()),
            },
            Fact::Time(most) if outcome.duration.as_secs_f64() > to_seconds(*most) => {
                find(Aspect::Time, &format!("at most {most} s"), b"more");
            }
            _ => {}
        }
    }
    for finding in &mut judgement.findings[before..] {
        finding.level = finding.level.min(case.front.level);
    }
    // Whether a file may stay after a signal the case says by its own level (QDIR-19).
    let level = if outcome.signalled { case.front.level } else { Level::Must };
    judgement.findings.extend(left_over(world).map(|finding| finding.at_most(level)));
}

#[expect(clippy::cast_precision_loss, reason = "seconds of a case are small numbers")]
fn to_seconds(seconds: u64) -> f64 {
    seconds as f64
}

/// The log, as a whole and by single lines.
fn lines(taken: &[&Expectation], outcome: &Outcome, findings: &mut Vec<Finding>) {
    let mut log: Vec<&[u8]> = outcome.log.split_str("\n").collect();
    if log.last().is_some_and(|last| last.is_empty()) {
        log.pop();
    }
    let mark = format!("[{}]: ", outcome.pid);
    let texts: Vec<&[u8]> =
        log.iter().map(|line| line.split_once_str(&mark).map_or(*line, |(_, text)| text)).collect();
    let mut at = 0;
    let mut complete = false;
    for expectation in taken {
        let level = if expectation.should { Level::Should } else { Level::Must };
        let mut find = |expected: &str, got: &[u8]| {
            findings.push(Finding::new(Aspect::Log, expectation.line, expected, got).weakened(level));
        };
        match &expectation.fact {
            Fact::Log(pattern) | Fact::Stderr(pattern) => {
                let source = if matches!(expectation.fact, Fact::Log(_)) { &texts } else { &log };
                let got = source.get(at).copied();
                complete = true;
                at += 1;
                match got.map_or(Match::No, |got| pattern.matches(got, &outcome.variables)) {
                    Match::Yes(_) => {}
                    Match::Wording => {
                        let got = got.unwrap_or_default();
                        findings.push(
                            Finding::new(Aspect::Log, expectation.line, &printer::pattern(pattern), got)
                                .weakened(Level::Should),
                        );
                    }
                    Match::No => {
                        find(&printer::pattern(pattern), got.unwrap_or_default());
                        // The lines after a wrong one are its consequence.
                        return;
                    }
                }
            }
            Fact::LogHas(pattern) => {
                let there =
                    texts.iter().any(|t| !matches!(pattern.matches(t, &outcome.variables), Match::No));
                if !there {
                    find(&format!("a line {}", printer::pattern(pattern)), &texts.join(&b"\n"[..]));
                }
            }
            Fact::LogLacks(text) => {
                let unwanted = text.expand(&outcome.variables);
                if let Some(line) = texts.iter().find(|line| line.contains_str(&unwanted)) {
                    find(&format!("no line with {}", printer::text(text)), line);
                }
            }
            _ => {}
        }
    }
    if complete && at < texts.len() {
        findings.push(Finding::new(Aspect::Log, 0, "no more lines", texts[at]));
    }
}

/// The captured messages against the `queued:` lines, in any order.
fn queued(
    taken: &[&Expectation],
    world: &World,
    outcome: &Outcome,
    findings: &mut Vec<Finding>,
    unobservable: &mut Vec<String>,
) {
    let variables = &outcome.variables;
    let wanted: Vec<&&Expectation> =
        taken.iter().filter(|e| matches!(e.fact, Fact::QueuedNone | Fact::Queued { .. })).collect();
    let Some(first) = wanted.first() else { return };
    if !queue::is_seen(world) {
        unobservable.push("captured messages".into());
        return;
    }
    let mut captured = match queue::captured(world, outcome) {
        Ok(captured) => captured,
        Err(error) => {
            let got = error.to_string();
            findings.push(Finding::new(Aspect::Queued, first.line, "readable messages", got.as_bytes()));
            return;
        }
    };
    for expectation in &wanted {
        let Fact::Queued { from, to, content } = &expectation.fact else { continue };
        let (from, to) = (from.expand(variables), to.iter().map(|to| to.expand(variables)));
        let to: Vec<Vec<u8>> = to.collect();
        let found = captured.iter().position(|message| {
            message.from == from
                && message.to == to
                && content.as_ref().is_none_or(|content| {
                    differs(content, &message.content, variables).is_none()
                        || world.capture_is_shared
                            && below_trace(&message.content)
                                .any(|below| differs(content, below, variables).is_none())
                })
        });
        match found {
            Some(at) => _ = captured.remove(at),
            None => {
                let got: Vec<String> = captured.iter().map(queue::describe).collect();
                let got = if got.is_empty() { "none".into() } else { got.join(" ; ") };
                findings.push(Finding {
                    got,
                    ..Finding::new(Aspect::Queued, expectation.line, &describe(&from, &to), b"")
                });
                return;
            }
        }
    }
    if let Some(message) = captured.first() {
        let got = queue::describe(message);
        findings.push(Finding { got, ..Finding::new(Aspect::Queued, first.line, "no other message", b"") });
    }
}

fn describe(from: &[u8], to: &[Vec<u8>]) -> String {
    use crate::transcript::text::escape;
    let to: Vec<String> = to.iter().map(|to| format!("<{}>", escape(to))).collect();
    format!("<{}> -> {}", escape(from), to.join(" "))
}

/// What is below each of the header fields that a server has put on top.
fn below_trace(content: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = content;
    std::iter::from_fn(move || {
        let colon = rest.find_byte(b':')?;
        let name = &rest[..colon];
        if name.is_empty() || !name.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-') {
            return None;
        }
        let mut end = rest.find_byte(b'\n')? + 1;
        while rest.get(end).is_some_and(|b| b" \t".contains(b)) {
            end += rest[end..].find_byte(b'\n')? + 1;
        }
        rest = &rest[end..];
        Some(rest)
    })
}

/// The first line of `actual` that is not as `wanted`; `None` if all is right.
pub(super) fn differs<'a>(wanted: &[Content], actual: &'a [u8], variables: &Variables) -> Option<&'a [u8]> {
    let mut rest = actual;
    for line in wanted {
        let end = if line.newline {
            rest.find_byte(b'\n')
        } else {
            line.text.fixed(variables).map(|f| f.len()).or(Some(rest.len())).filter(|n| *n <= rest.len())
        };
        let Some(end) = end else { return Some(rest) };
        if !matches!(line.text.matches(&rest[..end], variables), Match::Yes(_)) {
            return Some(&rest[..end]);
        }
        rest = &rest[end + usize::from(line.newline)..];
    }
    (!rest.is_empty()).then_some(rest)
}

fn file(
    world: &World,
    path: &Text,
    content: Option<&[Content]>,
    variables: &Variables,
    find: &mut impl FnMut(Aspect, &str, &[u8]),
) {
    let found = matching(world, path, variables);
    let [one] = &found[..] else {
        let got = format!("{} files", found.len());
        return find(Aspect::File, &format!("one file {}", printer::text(path)), got.as_bytes());
    };
    let Some(content) = content else { return };
    match fs::read(world.folder.join(one)) {
        Ok(bytes) => {
            if let Some(wrong) = differs(content, &bytes, variables) {
                find(Aspect::File, &format!("the content of {}", printer::text(path)), wrong);
            }
        }
        Err(error) => find(Aspect::File, "a readable file", error.to_string().as_bytes()),
    }
}

fn mode(
    world: &World,
    path: &Text,
    mode: u32,
    variables: &Variables,
    find: &mut impl FnMut(Aspect, &str, &[u8]),
) {
    let found = matching(world, path, variables);
    let plain = world.folder.join(path.expand(variables).to_str_lossy().as_ref());
    let place = match &found[..] {
        [one] => world.folder.join(one),
        [] if plain.is_dir() => plain,
        _ => {
            let got = format!("{} files", found.len());
            return find(Aspect::File, &format!("one file {}", printer::text(path)), got.as_bytes());
        }
    };
    match fs::symlink_metadata(place) {
        Ok(meta) => {
            let got = meta.permissions().mode() & 0o7777;
            if got != mode {
                find(Aspect::File, &format!("mode {mode:04o}"), format!("mode {got:04o}").as_bytes());
            }
        }
        Err(error) => find(Aspect::File, "a readable mode", error.to_string().as_bytes()),
    }
}

/// The names in a folder, in any order.
fn folder(
    world: &World,
    path: &Text,
    wanted: &[Pattern],
    variables: &Variables,
    find: &mut impl FnMut(Aspect, &str, &[u8]),
) {
    let place = world.folder.join(path.expand(variables).to_str_lossy().as_ref());
    let entries = match fs::read_dir(&place) {
        Ok(entries) => entries,
        Err(error) => return find(Aspect::File, "a folder", error.to_string().as_bytes()),
    };
    let mut names: Vec<Vec<u8>> =
        entries.flatten().map(|entry| entry.file_name().into_encoded_bytes()).collect();
    names.sort();
    let got = names.join(&b' ');
    for pattern in wanted {
        match names.iter().position(|name| matches!(pattern.matches(name, variables), Match::Yes(_))) {
            Some(at) => _ = names.remove(at),
            None => return find(Aspect::File, &format!("an entry {}", printer::pattern(pattern)), &got),
        }
    }
    if !names.is_empty() {
        find(Aspect::File, "no other entry", &names.join(&b' '));
    }
}

/// The files below the case's folder that match a path or glob, relative to it.
fn matching(world: &World, path: &Text, variables: &Variables) -> Vec<PathBuf> {
    let wanted = path.expand(variables).to_str_lossy().into_owned();
    let Ok(glob) = globset::GlobBuilder::new(&wanted).literal_separator(true).build() else {
        return Vec::new();
    };
    let matcher = glob.compile_matcher();
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(world.folder.join(&folder)) else { continue };
        for entry in entries.flatten() {
            let relative = folder.join(entry.file_name());
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(relative);
            } else if matcher.is_match(&relative) {
                found.push(relative);
            }
        }
    }
    found.sort();
    found
}

/// What is left in the folder for temporary files or in the queue's `tmp`, where nothing may be.
fn left_over(world: &World) -> impl Iterator<Item = Finding> {
    let queue_tmp = world.queue.as_ref().filter(|_| !world.capture_is_shared).map(|queue| queue.join("tmp"));
    [Some(world.temporary.clone()), queue_tmp].into_iter().flatten().filter_map(|folder| {
        let entry = fs::read_dir(&folder).ok()?.next()?.ok()?;
        let inside = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let kind = if entry.path().is_dir() { "a folder" } else { "a file" };
        let got = format!("{kind} in {inside}");
        Some(Finding::new(Aspect::Left, 0, "nothing is left behind", got.as_bytes()))
    })
}

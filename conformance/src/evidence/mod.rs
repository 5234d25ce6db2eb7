//! What happened in a play, as a person needs it to understand a failure.

mod reproduce;

use std::{fs, io::Read as _, os::unix::ffi::OsStrExt as _, path::Path};

use bstr::ByteSlice as _;

pub use reproduce::{Sent, reproduce};

use crate::{
    play::{Exchange, Outcome},
    report::event::Evidence,
    sandbox::World,
    target::Program,
    transcript::{
        Case,
        text::{escape, escape_short},
    },
};

/// Longest line shown of a conversation or a log, in bytes.
const LINE_MAX: usize = 300;
/// Most lines shown of a conversation or a log.
const LINES_MAX: usize = 200;

/// Collects the evidence of one play.
pub fn collect(case: &Case, program: &Program, world: &World, outcome: &Outcome) -> Evidence {
    let mut conversation = conversation(&outcome.exchange);
    calls(outcome, &mut conversation);
    let log = outcome.log.lines().map(|line| escape_short(line, LINE_MAX)).collect();
    let exit = match (&outcome.hang, outcome.exit) {
        (Some(hang), _) => hang.clone(),
        (None, Some(exit)) => exit.to_string(),
        (None, None) => "none".into(),
    };
    Evidence {
        conversation: shortened(conversation),
        log: shortened(log),
        exit,
        files: files(&world.folder),
        reproduce: reproduce(
            case,
            program,
            world,
            &Sent { bytes: &outcome.sent, clear: outcome.clear_bytes, waits: &outcome.waits },
        ),
    }
}

/// The exchange line by line, `C: ` and `S: ` before each.
fn conversation(exchange: &[Exchange]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut open: Option<(char, Vec<u8>)> = None;
    for part in exchange {
        let (mark, bytes) = match part {
            Exchange::Sent(bytes) => ('C', bytes.clone()),
            Exchange::Received(bytes) => ('S', bytes.clone()),
            Exchange::HalfClosed => ('-', b"the client closes its sending side".to_vec()),
            Exchange::Handshake(said) => ('-', said.clone().into_bytes()),
            Exchange::Waited(time) => ('-', format!("the client waits {} ms", time.as_millis()).into_bytes()),
        };
        // What one side said in several pieces is shown as one.
        match &mut open {
            Some((side, said)) if *side == mark && mark != '-' => said.extend(bytes),
            _ => say(open.replace((mark, bytes)), &mut lines),
        }
    }
    say(open, &mut lines);
    lines
}

fn say(said: Option<(char, Vec<u8>)>, lines: &mut Vec<String>) {
    match said {
        None => {}
        Some(('-', said)) => lines.push(format!("-- {}", escape_short(&said, LINE_MAX))),
        Some((mark, bytes)) => {
            for line in bytes.split_inclusive(|b| *b == b'\n') {
                lines.push(format!("{mark}: {}", escape_short(line, LINE_MAX)));
            }
        }
    }
}

/// What the services were asked for.
fn calls(outcome: &Outcome, lines: &mut Vec<String>) {
    for (name, calls) in &outcome.calls {
        if calls.is_empty() {
            lines.push(format!("-- service {name}: never called"));
        }
        for (number, call) in calls.iter().enumerate() {
            for (descriptor, got) in &call.got {
                let (number, got) = (number + 1, escape_short(got, LINE_MAX));
                let of = if *descriptor == 0 { String::new() } else { format!(" {descriptor}") };
                lines.push(format!("-- service {name} call {number} got{of}: {got}"));
            }
        }
    }
}

/// Most files shown.
const FILES_MAX: usize = 30;
/// Most bytes shown of a file.
const FILE_MAX: usize = 160;

/// The files below a case's folder, in the order of their paths.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(current) = folders.pop() {
        let Ok(entries) = fs::read_dir(&current) else { continue };
        for entry in entries.flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(kind) if kind.is_file() => found.push(entry.path()),
                _ => {}
            }
        }
    }
    found.sort();
    let shown = found.iter().take(FILES_MAX).map(|path| {
        let name = path.strip_prefix(folder).unwrap_or(path);
        let name = escape(name.as_os_str().as_bytes());
        let mut start = Vec::new();
        let read = fs::File::open(path).and_then(|file| file.take(FILE_MAX as u64).read_to_end(&mut start));
        match (read, fs::metadata(path)) {
            (Ok(_), Ok(meta)) => {
                let more = if meta.len() > FILE_MAX as u64 { "…" } else { "" };
                format!("{name}: {} bytes | {}{more}", meta.len(), escape(&start))
            }
            _ => format!("{name}: not readable"),
        }
    });
    let mut lines: Vec<String> = shown.collect();
    if found.len() > FILES_MAX {
        lines.push(format!("… {} more files", found.len() - FILES_MAX));
    }
    lines
}

fn shortened(mut lines: Vec<String>) -> Vec<String> {
    if lines.len() > LINES_MAX {
        let left_out = lines.len() - LINES_MAX;
        lines.splice(LINES_MAX / 2..LINES_MAX / 2 + left_out, [format!("… {left_out} lines …")]);
    }
    lines
}

//! Seeds made from the transcripts: what their clients send is what the codecs read.

use mailfront_conformance::{
    cases::Cases,
    transcript::{Act, Case, print, script, text::Variables},
};

/// Longest seed, in bytes: the engine prefers short ones.
const SEED_MAX: usize = 4096;

/// The seeds of one target.
pub fn of(target: &str, cases: &Cases) -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = cases
        .cases
        .iter()
        .flat_map(|case| match target {
            "command_line" => lines(case),
            "address" => lines(case).into_iter().filter_map(|line| argument(&line)).collect(),
            "data" => sent(case).iter().flat_map(|data| framed(data)).collect(),
            "plugin_list" => case.front.words().into_iter().skip(3).map(String::into_bytes).collect(),
            "cdb" => lines(case).iter().map(|line| [b"\x03", &line[..]].concat()).collect(),
            "imap" if case.id.contains("/imap-") => vec![everything(case)],
            "maildir_name" => names(case),
            "pop3" if case.id.contains("pop3") => lines(case).into_iter().chain(messages(case)).collect(),
            "transcript" => vec![print(case).into_bytes()],
            _ => Vec::new(),
        })
        .filter(|seed| seed.len() <= SEED_MAX)
        .collect();
    seeds.sort();
    seeds.dedup();
    seeds
}

/// Message data with each choice of framing in front.
fn framed(data: &[u8]) -> [Vec<u8>; 3] {
    [0, 1, 2].map(|framing| [&[framing, 3], data].concat())
}

/// The command lines a case sends.
fn lines(case: &Case) -> Vec<Vec<u8>> {
    let steps = script::steps(case).into_iter();
    steps
        .filter_map(|step| match step.act {
            Act::Send(text) => Some(text.expand(&Variables::new())),
            _ => None,
        })
        .collect()
}

/// What follows MAIL or RCPT.
fn argument(line: &[u8]) -> Option<Vec<u8>> {
    let verb = line.get(..5)?.to_ascii_uppercase();
    matches!(&verb[..], b"MAIL " | b"RCPT ").then(|| line[5..].to_vec())
}

/// Everything a case sends behind its DATA line.
fn sent(case: &Case) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for step in script::steps(case) {
        match step.act {
            Act::Send(text) => all.extend([text.expand(&Variables::new()), b"\r\n".to_vec()].concat()),
            Act::SendRaw(text) => all.extend(text.expand(&Variables::new())),
            _ => {}
        }
    }
    let start = all.windows(6).position(|w| w.eq_ignore_ascii_case(b"DATA\r\n"));
    start.map(|at| all[at + 6..].to_vec()).into_iter().collect()
}

/// Everything a case sends.
fn everything(case: &Case) -> Vec<u8> {
    let steps = script::steps(case).into_iter();
    steps
        .flat_map(|step| match step.act {
            Act::Send(text) => [text.expand(&Variables::new()), b"\r\n".to_vec()].concat(),
            Act::SendRaw(text) => text.expand(&Variables::new()),
            _ => Vec::new(),
        })
        .collect()
}

/// The names of the messages of a case.
fn names(case: &Case) -> Vec<Vec<u8>> {
    let paths = case.front.maildir.iter().flatten().map(|(path, _)| path.rsplit('/').next());
    let names: Vec<&str> = paths.flatten().collect();
    if names.is_empty() { Vec::new() } else { vec![names.join("\n").into_bytes()] }
}

/// Its messages, each with choices of lines and cuts in front.
fn messages(case: &Case) -> Vec<Vec<u8>> {
    let contents = case.front.maildir.iter().flatten().map(|(_, content)| content.as_bytes());
    contents.flat_map(|content| [[0, 3], [129, 0]].map(|choice| [&choice, content].concat())).collect()
}

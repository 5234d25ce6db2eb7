//! Seeds made from the transcripts: what their clients send is what the codecs read.

use mailfront_conformance::{
    cases::Cases,
    sandbox::certificates,
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
            "tls_priority" => {
                case.front.env.get("TLS_PRIORITY").map(|text| text.clone().into()).into_iter().collect()
            }
            "tls_files" => tls_files(case),
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

/// The kept files of TLS that a case names, alone and as certificate and key.
fn tls_files(case: &Case) -> Vec<Vec<u8>> {
    let named = |name: &str| case.front.env.values().any(|value| value.contains(&format!("${{{name}}}")));
    let files = certificates::FILES.iter().filter(|(name, _)| named(name));
    let kept = files.filter_map(|(_, file)| certificates::kept(file)).map(|text| text.as_bytes().to_vec());
    kept.flat_map(|file| [[&file[..], b"\xff", &file[..]].concat(), file]).collect()
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

//! Signals that whoever started the suite had it ignore, as `nohup` does and a script's `&`: every program
//! that it starts inherits that, so what a case says of them cannot be seen.

use std::{fs, io};

use crate::transcript::{Act, Case, Expectation, Fact, Item, Step};

/// Bits of signals that the C library keeps for itself.
const C_LIBRARY: [u32; 2] = [31, 32];

/// The suite ignores it itself; it is given back to each program.
const PIPE: u32 = 13;

/// The numbers in a set of signals as `/proc` writes it.
pub fn in_set(mask: &str) -> Vec<u32> {
    let mask = u64::from_str_radix(mask.trim(), 16).unwrap_or_default();
    (0..64).filter(|bit| mask >> bit & 1 == 1 && !C_LIBRARY.contains(bit)).map(|bit| bit + 1).collect()
}

/// Why `case` cannot be judged where these signals are ignored, if it cannot.
pub fn spoil(case: &Case, ignored: &[u32]) -> Option<String> {
    let spoilt = case.body.iter().any(|item| is_spoilt(item, ignored));
    spoilt.then(|| format!("whoever started the suite made it ignore signals {ignored:?}"))
}

/// Whether it needs one of them, or shows them.
fn is_spoilt(item: &Item, ignored: &[u32]) -> bool {
    match item {
        Item::Step(Step { act: Act::Signal(name), .. }) => {
            number(name).is_some_and(|number| ignored.contains(&number))
        }
        Item::Repeat { body, .. } => body.iter().any(|item| is_spoilt(item, ignored)),
        Item::Expect(Expectation { fact: Fact::Service { what, .. }, .. }) => {
            what == "ignored" && !ignored.is_empty()
        }
        _ => false,
    }
}

/// Of those that can be ignored.
fn number(name: &str) -> Option<u32> {
    match name {
        "HUP" => Some(1),
        "INT" => Some(2),
        "ALRM" => Some(14),
        "TERM" => Some(15),
        _ => None,
    }
}

/// Those that this process ignores and did not choose to.
///
/// # Errors
/// `/proc` cannot be read.
pub fn ignored() -> io::Result<Vec<u32>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap_or_default();
    Ok(in_set(mask).into_iter().filter(|signal| *signal != PIPE).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcript::parse;

    #[test]
    fn a_set_is_read() {
        assert_eq!(in_set("0000000180001007\n"), [1, 2, 3, 13]);
    }

    #[test]
    fn only_cases_of_signals_are_spoilt() {
        let reason = |body: &str, ignored: &[u32]| {
            let text = format!("+++\ntitle = 't'\nclauses = ['A-1']\nrun = 'x'\nrecorded = 'x'\n+++\n{body}");
            spoil(&parse("a/case", &text).unwrap(), ignored)
        };
        assert!(reason("signal HUP\nexit: signal 1\n", &[1]).unwrap().contains("[1]"));
        assert!(reason("service next ignored:\n", &[2]).is_some());
        assert_eq!(reason("signal HUP\nexit: signal 1\n", &[2, 25]), None);
        assert_eq!(reason("signal KILL\nexit: signal 9\n", &[1]), None);
        assert_eq!(reason("C: QUIT\nexit: 0\n", &[1]), None);
    }
}

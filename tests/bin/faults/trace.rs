//! The system calls of a session, in their order.

/// A system call: its name, the how-manieth of that name in the process it is, and its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    pub name: String,
    pub ordinal: usize,
    pub line: String,
}

/// The calls of a trace from the greeting on.
pub fn delivery(trace: &str) -> Vec<Call> {
    let mut counts = std::collections::BTreeMap::<&str, usize>::new();
    let mut calls = Vec::new();
    let mut is_greeted = false;
    for line in trace.lines() {
        let Some((name, rest)) = line.split_once('(') else { continue };
        if !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_') {
            continue;
        }
        let count = counts.entry(name).or_default();
        *count += 1;
        if is_greeted {
            calls.push(Call { name: name.into(), ordinal: *count, line: line.into() });
        }
        is_greeted |= name == "write" && rest.starts_with("1, \"220 ");
    }
    calls
}

/// Whether each acknowledgement comes after: the file synchronised, linked, and its directory synchronised
/// (QDIR-9).
pub fn is_on_disk_before_acknowledged(calls: &[Call]) -> bool {
    let mut steps = Vec::new();
    for call in calls {
        match call.name.as_str() {
            "fsync" | "fdatasync" => steps.push('s'),
            "link" | "linkat" | "rename" | "renameat" | "renameat2" => steps.push('l'),
            "write" if call.line.starts_with("write(1, \"250 2.6.0") => {
                if !steps.ends_with(&['s', 'l', 's']) {
                    return false;
                }
                steps.clear();
            }
            _ => {}
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_from_the_start_and_kept_from_the_greeting_on() {
        let trace = "read(3, \"x\") = 1\nwrite(1, \"220 x\\r\\n\", 7) = 7\n--- SIGCHLD {} ---\nread(0, \"y\") = 1\n+++ exited with 0 +++\n";
        let calls = delivery(trace);
        assert_eq!(calls.len(), 1);
        assert_eq!((calls[0].name.as_str(), calls[0].ordinal), ("read", 2));
    }

    #[test]
    fn an_acknowledgement_before_the_directory_is_on_disk_is_noticed() {
        let calls = |lines: &[&str]| delivery(&format!("write(1, \"220 x\") = 3\n{}\n", lines.join("\n")));
        let good = ["fsync(3) = 0", "linkat(a) = 0", "fsync(4) = 0", "write(1, \"250 2.6.0 ok\") = 9"];
        assert!(is_on_disk_before_acknowledged(&calls(&good)));
        let early = [good[0], good[1], good[3], good[2]];
        assert!(!is_on_disk_before_acknowledged(&calls(&early)));
        let unsynced = [good[1], good[2], good[3]];
        assert!(!is_on_disk_before_acknowledged(&calls(&unsynced)));
    }
}

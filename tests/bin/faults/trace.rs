//! The system calls of a session, in their order.

/// A system call: its name, the how-manieth of that name in the process it is, and its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    pub name: String,
    pub ordinal: usize,
    pub line: String,
}

/// The calls of a trace from the greeting, or the first wait for the client, on.
pub fn delivery(trace: &str) -> Vec<Call> {
    let mut counts = std::collections::BTreeMap::<&str, usize>::new();
    let mut calls = Vec::new();
    let mut is_begun = false;
    for line in trace.lines() {
        let Some((name, rest)) = line.split_once('(') else { continue };
        if !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_') {
            continue;
        }
        let count = counts.entry(name).or_default();
        *count += 1;
        is_begun |= name == "ppoll" || name == "read" && rest.starts_with("0, ");
        if is_begun {
            calls.push(Call { name: name.into(), ordinal: *count, line: line.into() });
        }
        is_begun |= name == "write" && rest.starts_with("1, \"220 ");
    }
    calls
}

/// What a file system says that keeps no file without a name; no other call fails with it here.
pub const NO_UNNAMED_FILES: &str = "EOPNOTSUPP";

/// Whether a line is of the call that was hit.
pub fn is_injected(line: &str) -> bool {
    line.ends_with("(INJECTED)") && !line.contains(NO_UNNAMED_FILES)
}

/// The first call that asks for a file without a name, if all of its name do so from there on and can be
/// made fail without failing any other.
pub fn unnamed(trace: &str) -> Option<Call> {
    let calls = delivery(trace);
    let asks = |call: &&Call| call.line.contains("O_TMPFILE");
    let first = calls.iter().find(asks)?;
    let mut like_it = calls.iter().filter(|call| call.name == first.name && call.ordinal > first.ordinal);
    like_it.all(|call| asks(&call)).then(|| first.clone())
}

/// How a backend without words of its own is heard to have taken a message (QDIR-11).
const ACKNOWLEDGEMENTS: [&str; 2] = ["write(1, \"250 2.6.0", "write(1, \"24:K2.6.0"];

/// Whether each of so many messages is on disk before the first acknowledgement behind it: the file
/// synchronised, linked, and its directory synchronised (QDIR-9). QMTP acknowledges a message to each of its
/// recipients.
pub fn is_on_disk_before_acknowledged(calls: &[Call], messages: usize) -> bool {
    let mut steps = Vec::new();
    let mut kept = 0;
    for call in calls {
        match call.name.as_str() {
            "fsync" | "fdatasync" => steps.push('s'),
            "link" | "linkat" | "rename" | "renameat" | "renameat2" => steps.push('l'),
            "write" if ACKNOWLEDGEMENTS.iter().any(|said| call.line.starts_with(said)) => {
                if steps.ends_with(&['s', 'l', 's']) {
                    kept += 1;
                } else if !steps.is_empty() || kept == 0 {
                    return false;
                }
                steps.clear();
            }
            _ => {}
        }
    }
    kept == messages
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
    fn a_call_for_an_unnamed_file_is_found_if_it_can_fail_alone() {
        let trace = |other: &str| {
            format!(
                "open(\"a\") = 3\nread(0, \"y\") = 1\nopen(\"t\", O_WRONLY|O_TMPFILE) = 3\n{other}(\"t\") = 4\n"
            )
        };
        let found = unnamed(&trace("openat")).map(|call| (call.name, call.ordinal));
        assert_eq!(found, Some(("open".into(), 2)));
        assert_eq!(unnamed(&trace("open")), None);
        assert!(is_injected("write(1, x) = -1 EIO (Input/output error) (INJECTED)"));
        assert!(!is_injected("open(x) = -1 EOPNOTSUPP (Operation not supported) (INJECTED)"));
    }

    #[test]
    fn without_a_greeting_calls_are_kept_from_the_first_wait_on() {
        let calls = delivery("read(3, \"x\") = 1\nppoll([{fd=0}]) = 1\nread(0, \"y\") = 1\n");
        assert_eq!(calls.iter().map(|call| call.name.as_str()).collect::<Vec<_>>(), ["ppoll", "read"]);
    }

    #[test]
    fn an_acknowledgement_before_the_directory_is_on_disk_is_noticed() {
        let calls = |lines: &[&str]| delivery(&format!("write(1, \"220 x\") = 3\n{}\n", lines.join("\n")));
        let good = ["fsync(3) = 0", "linkat(a) = 0", "fsync(4) = 0", "write(1, \"250 2.6.0 ok\") = 9"];
        assert!(is_on_disk_before_acknowledged(&calls(&good), 1));
        assert!(is_on_disk_before_acknowledged(&calls(&[good[0], good[1], good[2], good[3], good[3]]), 1));
        assert!(!is_on_disk_before_acknowledged(&calls(&[good[0], good[1], good[2], good[3], good[3]]), 2));
        let early = [good[0], good[1], good[3], good[2]];
        assert!(!is_on_disk_before_acknowledged(&calls(&early), 1));
        let package = [good[0], "write(1, \"24:K2.6.0 Message accepted.,\") = 27"];
        assert!(!is_on_disk_before_acknowledged(&calls(&package), 1));
        let unsynced = [good[1], good[2], good[3]];
        assert!(!is_on_disk_before_acknowledged(&calls(&unsynced), 1));
    }
}

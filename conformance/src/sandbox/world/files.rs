//! The files of a case, and the maildir it begins with.

use std::{collections::BTreeMap, fs, io};

use super::World;
use crate::transcript::Front;

impl World {
    pub(super) fn place_files(&self, front: &Front) -> io::Result<()> {
        for (path, content) in &front.files {
            let place = self.folder.join(path);
            if path.ends_with('/') {
                fs::create_dir_all(place)?;
                continue;
            }
            if let Some(parent) = place.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(place, repeated(&self.fill(content)))?;
        }
        Ok(())
    }

    pub(super) fn place_maildir(&mut self, messages: &BTreeMap<String, String>) -> io::Result<()> {
        let maildir = self.folder.join("Maildir");
        for sub in ["", "tmp", "new", "cur"] {
            fs::create_dir(maildir.join(sub))?;
        }
        for (path, content) in messages {
            fs::write(maildir.join(path), repeated(content))?;
        }
        self.variables.insert("MAILDIR".into(), maildir.to_string_lossy().into_owned().into());
        Ok(())
    }
}

/// The content of a file with every `${"text" * COUNT}` written out.
pub fn repeated(content: &str) -> String {
    let mut out = String::with_capacity(content.len());
    let mut rest = content;
    while let Some((before, text, count, behind)) = next_repetition(rest) {
        out.push_str(before);
        out.push_str(&text.repeat(count));
        rest = behind;
    }
    out.push_str(rest);
    out
}

/// The next repetition: what is before it, its text, its count, what is behind it.
fn next_repetition(content: &str) -> Option<(&str, &str, usize, &str)> {
    let (before, opened) = content.split_once("${\"")?;
    let (text, counted) = opened.split_once("\" * ")?;
    let (count, behind) = counted.split_once('}')?;
    Some((before, text, count.parse().ok()?, behind))
}

#[cfg(test)]
mod tests {
    use super::repeated;

    #[test]
    fn repetitions_in_files_are_written_out() {
        assert_eq!(repeated("a${\"xy\" * 3}b\n${\".\n\" * 2}"), "axyxyxyb\n.\n.\n");
        assert_eq!(repeated("echo \"${HOME}\" ${\"x\" * y}"), "echo \"${HOME}\" ${\"x\" * y}");
    }
}

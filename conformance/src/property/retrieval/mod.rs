//! The property of retrieved messages, of any POP3 server: every message is sent line by line as it is
//! stored, and whoever reads mail reads the same in what was retrieved as in the file.
//!
//! [`mod@mails`] makes messages up, the transcript says what is sent, and [`reading`] compares what was.

pub mod mails;
pub mod reading;

use std::fmt::Write as _;

use proptest::{
    collection::vec,
    strategy::{BoxedStrategy, Strategy},
};

use super::search::Trial;
use crate::transcript::{Front, text::escape};

pub use mails::{Mail, mails};

/// The messages of a maildir, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// The messages.
    pub mails: Vec<Mail>,
}

/// Most messages of a maildir.
const MESSAGES_MAX: usize = 4;

impl Input {
    /// Inputs made up at random, with `everything` also what servers are known to bend.
    pub fn strategy(everything: bool) -> BoxedStrategy<Self> {
        vec(mails(everything), 1..=MESSAGES_MAX).prop_map(|mails| Self { mails }).boxed()
    }

    /// The transcript in which a server shows whether it sends each message line by line.
    pub fn transcript(&self) -> String {
        let names = (1..).map(|number| format!("cur/100000000{number}.a:2,"));
        let front = Front {
            title: "Every message is sent line by line as it is stored".into(),
            clauses: vec!["RFC 1939 5".into(), "MAILDIR-DATA-1".into()],
            run: "pop3".into(),
            recorded: "by hand".into(),
            note: Some("Made up by `prop retrieval`.".into()),
            maildir: Some(names.zip(self.mails.iter().cloned()).collect()),
            ..Front::default()
        };
        let mut dialogue = String::from("S: ${/[+]OK.*/}\n");
        for (number, mail) in (1..).zip(&self.mails) {
            let _ = writeln!(dialogue, "C: RETR {number}\nS: ${{/[+]OK.*/}}");
            let lines = mail.strip_suffix('\n').unwrap_or(mail).split('\n');
            for line in lines.filter(|_| !mail.is_empty()) {
                let line = line.strip_suffix('\r').unwrap_or(line);
                let dot = if line.starts_with('.') { "." } else { "" };
                let _ = writeln!(dialogue, "{}", format!("S: {dot}{}", escape(line.as_bytes())).trim_end());
            }
            // Names of alternatives are of the whole transcript.
            let _ =
                writeln!(dialogue, "S(exact{number}): .\nS(extra{number}): ${{/^$/}}\n[extra{number}] S: .");
        }
        dialogue.push_str("C: QUIT\nS: ${/[+]OK.*/}\neof\n");
        // A head of strings always has a form in TOML.
        format!("+++\n{}+++\n{dialogue}", toml::to_string(&front).unwrap_or_default())
    }

    /// Whether what a server said reads as the files do.
    ///
    /// # Errors
    /// What differs, and in which message.
    pub fn reads_alike(&self, output: &[u8]) -> Trial {
        let retrieved = reading::messages(output);
        for (number, mail) in (1..).zip(&self.mails) {
            let Some(retrieved) = retrieved.get(number - 1) else {
                return Err(format!("message {number} was not sent"));
            };
            reading::reads_alike(mail.as_bytes(), retrieved)
                .map_err(|why| format!("message {number}: {why}"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::property::{Search, each_can_be_read};

    #[test]
    fn every_input_gives_a_transcript_that_can_be_read() {
        each_can_be_read(200, || Input::strategy(true), Input::transcript);
    }

    /// What stands in a file reads the same with every line ended by CRLF: else the property would find
    /// faults in servers that have none.
    #[test]
    fn line_ends_alone_are_never_a_difference() {
        let holds = |input: &Input| {
            let sent: Vec<u8> = input.mails.iter().fold(b"+OK\r\n".to_vec(), |mut sent, mail| {
                let text = mail.replace("\r\n", "\n").replace("\n.", "\n..").replace('\n', "\r\n");
                let dot = if text.starts_with('.') { "." } else { "" };
                sent.extend(format!("+OK\r\n{dot}{text}\r\n.\r\n").into_bytes());
                sent
            });
            Ok(input.reads_alike(&sent))
        };
        let found = Search { cases: 200, seed: 1, jobs: 1 }.run(|| Input::strategy(true), holds).unwrap();
        assert_eq!(found, None);
    }
}

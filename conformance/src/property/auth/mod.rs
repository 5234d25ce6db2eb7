//! The property of AUTH: whoever a client says it is, in whatever mechanism and however cut, the module is
//! asked just that, and its word decides.
//!
//! [`mod@inputs`] makes sessions up, [`model`] says what comes of each attempt, and the transcript shows
//! whether a target does it, with a module that answers by a script.

pub mod inputs;
pub mod model;

use std::fmt::Write as _;

use crate::transcript::{Front, text::escape};

pub use inputs::{Attempt, Input, Way, inputs};
use model::{Course, Proof, Reply, Said};

/// Responses shorter than this may stand in a log by chance.
const SECRET_MIN: usize = 12;

impl Input {
    /// The transcript that shows whether a target does with this input what the model says.
    pub fn transcript(&self) -> String {
        let mut courses: Vec<Course> = Vec::new();
        let mut blocks = Vec::new();
        let (mut is_known, mut failures) = (false, 0);
        let mut is_closed = false;
        for attempt in &self.attempts {
            let mut course = attempt.course(self.has_digests);
            if is_known {
                course.exchange.truncate(1);
                (course.question, course.reply) = (None, Reply::Already);
            }
            if course.question.is_some() {
                blocks.push(match attempt.code {
                    0 => "cvm 0 user=bob uid=1000 gid=1000 dir=/".into(),
                    code => format!("cvm {code}"),
                });
            }
            is_known |= course.reply == Reply::Accepted;
            failures += usize::from(course.reply.is_failure());
            courses.push(course);
            if self.most_failures.is_some_and(|most| failures >= most) {
                is_closed = true;
                break;
            }
        }
        let mut dialogue = String::from("S: 220 ${LOCALHOST} mailfront ESMTP\n");
        courses.iter().for_each(|course| write_course(course, &mut dialogue));
        if is_closed {
            dialogue.push_str("eof\nexit: 1\n");
        } else {
            let answer = if is_known { "250 ~~" } else { "530 ~~" };
            let _ =
                write!(dialogue, "C: MAIL FROM:<a@b.example>\nS: {answer}\nC: QUIT\nS: 221 ~~\nexit: 0\n");
        }
        let _ = writeln!(dialogue, "service cvm calls: {}", blocks.len());
        let questions = courses.iter().filter_map(|course| course.question.as_ref());
        for (number, question) in (1..).zip(questions) {
            let mut asked = |what: &str, bytes: &[u8]| {
                let line = format!("service cvm call {number} {what}: {}", pattern(bytes));
                let _ = writeln!(dialogue, "{}", line.trim_end());
            };
            asked("account", &question.account);
            asked("domain", &question.domain);
            match &question.proof {
                Proof::Password(password) => asked("password", password),
                Proof::Digest(digest) => asked("response", digest),
            }
        }
        format!("+++\n{}+++\n{dialogue}", self.head(&blocks))
    }

    fn head(&self, blocks: &[String]) -> String {
        let front = Front {
            title: format!("{} attempts to log in", self.attempts.len()),
            clauses: ["AUTH-7", "AUTH-8", "AUTH-10", "AUTH-13", "AUTH-15"].map(String::from).into(),
            run: "mailfront smtp echo cvm-authenticate require-auth accept".into(),
            recorded: "by hand".into(),
            needs: vec!["cvm-authenticate".into()],
            note: Some("Made up by `prop auth`; its model says what is right.".into()),
            env: [
                Some(("CVM_SASL_PLAIN".into(), "${CVM}".into())),
                self.has_digests.then(|| ("CVM_SASL_CRAM_MD5".into(), "${CVM}".into())),
                self.most_failures.map(|most| ("MAXAUTHFAIL".into(), most.to_string())),
            ]
            .into_iter()
            .flatten()
            .collect(),
            ..Front::default()
        };
        // What is never asked has a script all the same.
        let script = if blocks.is_empty() { "cvm 100".into() } else { blocks.join("\nnext\n") };
        // A head of strings always has a form in TOML.
        let head = toml::to_string(&front).unwrap_or_default();
        format!("{head}\n[services.cvm]\nkind = \"command\"\nscript = '''\n{script}\n'''\n")
    }
}

/// The lines of one attempt; what might give a password away is in no log (SMTP-CMD-17, SASL-LOG-4).
fn write_course(course: &Course, dialogue: &mut String) {
    for said in &course.exchange {
        let _ = match said {
            Said::Client(line) => {
                writeln!(dialogue, "{}", format!("C: {}", escape(line.as_bytes())).trim_end())
            }
            Said::Challenge(Some("")) => writeln!(dialogue, "S: 334\\x20"),
            Said::Challenge(Some(text)) => writeln!(dialogue, "S: 334 {text}"),
            Said::Challenge(None) => writeln!(dialogue, "S: 334 ${{/[A-Za-z0-9+\\/]+=*/}}"),
        };
    }
    let _ = writeln!(dialogue, "S: {}", course.reply.line());
    let responses = course.exchange.iter().filter_map(|said| match said {
        Said::Client(line) => line.rsplit(' ').next(),
        Said::Challenge(_) => None,
    });
    for response in responses.skip(1).filter(|response| response.len() >= SECRET_MIN) {
        let _ = writeln!(dialogue, "log lacks: {response}");
    }
}

/// Bytes that are expected.
fn pattern(bytes: &[u8]) -> String {
    escape(bytes).replace('~', "\\~")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{play::Delivery, property::each_can_be_read};

    #[test]
    fn every_input_gives_a_transcript_that_can_be_read() {
        each_can_be_read(300, || inputs(true), Input::transcript);
    }

    #[test]
    fn a_session_is_written_as_a_dialogue() {
        let attempt = |way, code| Attempt { way, initial: false, small: false, code };
        let input = Input {
            attempts: vec![
                attempt(Way::Login(b"a@b".to_vec(), b"wrong".to_vec()), 100),
                attempt(Way::Line("PLAIN", "*", 0), 0),
                attempt(Way::Plain(b"\0u\0p".to_vec()), 0),
                attempt(Way::Plain(b"\0u\0p".to_vec()), 0),
            ],
            most_failures: None,
            has_digests: false,
            delivery: Delivery::Lockstep,
        };
        let transcript = input.transcript();
        assert!(transcript.contains("'''\ncvm 100\nnext\ncvm 0 user=bob uid=1000 gid=1000 dir=/\n'''\n"));
        let (_, dialogue) = transcript.split_once("\n+++\n").unwrap();
        assert_eq!(
            dialogue,
            "S: 220 ${LOCALHOST} mailfront ESMTP\nC: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: YUBi\n\
             S: 334 UGFzc3dvcmQ6\nC: d3Jvbmc=\nS: 501 ~Authentication failed.\n\
             C: AUTH PLAIN\nS: 334\\x20\nC: *\nS: 501 ~Authentication failed.\n\
             C: AUTH PLAIN\nS: 334\\x20\nC: AHUAcA==\nS: 235 2.7.0 ~Authentication succeeded.\n\
             C: AUTH PLAIN\nS: 503 5.5.1 ~You are already authenticated.\n\
             C: MAIL FROM:<a@b.example>\nS: 250 ~~\nC: QUIT\nS: 221 ~~\nexit: 0\n\
             service cvm calls: 2\nservice cvm call 1 account: a\nservice cvm call 1 domain: b\n\
             service cvm call 1 password: wrong\nservice cvm call 2 account: u\n\
             service cvm call 2 domain: local.host\nservice cvm call 2 password: p\n"
        );
    }
}

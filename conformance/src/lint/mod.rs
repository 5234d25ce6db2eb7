//! Holds the transcripts against the rules of the guide.
//!
//! [`head`] checks the front matter of one case, [`body`] its dialogue and expectations, [`set`] what
//! concerns several cases: stimuli, twins, lists of known failures.

mod body;
mod head;
mod set;

use crate::{
    cases::{Cases, Unreadable},
    spec::{Fault, Spec},
    target::KnownList,
    transcript::{
        Act, Case, Choice, Item, Step,
        text::{Part, Piece, printable},
    },
};

/// Something that is not as the guide asks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file.
    pub file: String,
    /// The line, from 1; 0 if it concerns the whole file.
    pub line: usize,
    /// What is wrong.
    pub what: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.what),
            line => write!(f, "{}:{line}: {}", self.file, self.what),
        }
    }
}

/// A list of known failures and the file it is in.
pub struct List {
    /// The file.
    pub file: String,
    /// Its text, to name lines.
    pub source: String,
    /// Its entries, or why it cannot be read.
    pub entries: Result<KnownList, String>,
}

/// Everything that is wrong with the cases, the lists and the contract, in the order of files.
pub fn all(cases: &Cases, spec: &Spec, lists: &[List]) -> Vec<Problem> {
    let mut problems: Vec<Problem> = cases.unreadable.iter().map(unreadable).collect();
    for case in &cases.cases {
        let mut found = Found { case, problems: &mut problems };
        head::check(case, spec, &mut found);
        body::check(case, &mut found);
    }
    set::check(&cases.cases, lists, &mut problems);
    problems.sort();
    problems.extend(spec.faults.iter().map(|fault| {
        let Fault { file, line, what } = fault.clone();
        Problem { file, line, what }
    }));
    problems
}

/// The problems for a person, one a line.
pub fn render(problems: &[Problem]) -> String {
    problems
        .iter()
        .fold(String::new(), |out, problem| out + &printable(problem.to_string().as_bytes()) + "\n")
}

fn unreadable(case: &Unreadable) -> Problem {
    let prefix = format!("line {}, ", case.line);
    let what = case.why.strip_prefix(&prefix).unwrap_or(&case.why);
    Problem { file: case.file.clone(), line: case.line, what: what.into() }
}

/// Takes the problems of one case.
struct Found<'a> {
    case: &'a Case,
    problems: &'a mut Vec<Problem>,
}

impl Found<'_> {
    fn at(&mut self, line: usize, what: impl Into<String>) {
        self.problems.push(Problem { file: self.case.file.clone(), line, what: what.into() });
    }

    /// At the line of the head where `key` is set.
    fn key(&mut self, key: &str, what: impl Into<String>) {
        let line = line_of_key(&self.case.source, key);
        self.at(line, what);
    }
}

/// The line of the head that begins with `key`, else the first.
fn line_of_key(source: &str, key: &str) -> usize {
    let sets = |line: &str| {
        let rest = line.trim_start_matches('[').strip_prefix(key).map(str::trim_start);
        rest.is_some_and(|rest| rest.starts_with(['=', '.', ']']))
    };
    let head = source.lines().enumerate().skip(1).take_while(|(_, line)| *line != "+++");
    head.into_iter().find(|(_, line)| sets(line)).map_or(1, |(at, _)| at + 1)
}

/// The line of the head that contains `text`, else that of `key`.
fn line_of_text(source: &str, key: &str, text: &str) -> usize {
    let mut head = source.lines().enumerate().skip(1).take_while(|(_, line)| *line != "+++");
    head.find(|(_, line)| line.contains(text)).map_or_else(|| line_of_key(source, key), |(at, _)| at + 1)
}

/// The steps as they are written, repetitions not written out, and whether they are repeated.
fn written_steps(case: &Case) -> impl Iterator<Item = (&Step, bool)> {
    case.body.iter().flat_map(|item| {
        let (steps, repeated): (Vec<&Item>, bool) = match item {
            Item::Repeat { body, .. } => (body.iter().collect(), true),
            item => (vec![item], false),
        };
        steps.into_iter().filter_map(move |item| match item {
            Item::Step(step) => Some((step, repeated)),
            _ => None,
        })
    })
}

/// The code of the reply a step expects: that of a line, or one with the meaning of a netstring's letter
/// (QMTP, QMQP).
fn reply_code(act: &Act) -> Option<u16> {
    let Some(Part::Text(Piece::Bytes(bytes))) = act.pattern()?.parts.first() else { return None };
    if matches!(act, Act::Netstring(_) | Act::Alternative(_, Choice::Netstring(_))) {
        return match bytes.first()? {
            b'K' => Some(250),
            b'Z' => Some(450),
            b'D' => Some(550),
            _ => None,
        };
    }
    // POP3 has words for codes.
    if bytes.starts_with(b"-ERR") {
        return Some(500);
    }
    if bytes.starts_with(b"+OK") {
        return Some(250);
    }
    // So has IMAP, behind the tag.
    match bytes.split(|byte| *byte == b' ').nth(1) {
        Some(b"BAD" | b"NO" | b"BYE") => return Some(500),
        Some(b"OK") => return Some(250),
        _ => {}
    }
    let code = std::str::from_utf8(bytes.get(..3)?).ok()?.parse().ok()?;
    bytes.get(3).is_none_or(|b| b" -".contains(b)).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        report::sample::{HOSTILE, is_tame},
        transcript::parse,
    };

    const CLAUSES: &str = "\
**A-1** [must] One.

**A-2** [should] Two.

**A-3** [sometimes] Three.
";

    /// A case that is as the guide asks, but for `head` and `body` put into it.
    fn case(id: &str, head: &str, body: &str) -> Case {
        let has = |key: &str| head.lines().any(|line| line.starts_with(key));
        let mut front = String::new();
        for (key, value) in [
            ("title", "'A title'".into()),
            ("clauses", "[\"A-1\"]".into()),
            ("run", format!("'mailfront smtp echo {id}'")),
            ("recorded", "'x'".into()),
        ] {
            if !has(key) {
                front += &format!("{key} = {value}\n");
            }
        }
        let exit = if body.contains("exit:") { "" } else { "exit: 0\n" };
        let source = format!("+++\n{front}{head}+++\n{body}{exit}");
        let case = parse(id, &source).unwrap_or_else(|e| panic!("{id}: {e}\n{source}"));
        Case { file: format!("{id}.case"), ..case }
    }

    fn problems(cases: Vec<Case>, lists: &[List]) -> Vec<Problem> {
        let mut spec = Spec::default();
        spec.add("docs/spec/x.md", CLAUSES);
        spec.faults.clear();
        all(&Cases { cases, ..Cases::default() }, &spec, lists)
    }

    #[test]
    fn a_case_as_the_guide_asks_has_no_problem() {
        let twin = case("mailfront/twin", "", "C: NOOP\nS: 250 ok\n");
        let attack = "reach = 'reachable'\ntwin = 'mailfront/twin'\nenv = { A = '${CASE}' }\n";
        let answer =
            "C: X\nS(a): 500 ${N=/.*/}\nS(b): 501 x\n[a] C: Y ${N}\nrepeat 2 {\nC: ${#}\nS: 500 ${#}\n}\n";
        let attack = case("mailfront/attack", attack, answer);
        assert_eq!(problems(vec![twin, attack], &[]), []);
    }

    #[test]
    fn every_rule_speaks_and_names_file_and_line() {
        let wrong = [
            ("mailfront/A_b", "", ""),
            ("other/area", "", ""),
            ("mailfront/title-missing", "title = ''\n", "C: a\n"),
            ("mailfront/title-period", "title = 'A.'\n", ""),
            ("mailfront/title-hostile", &format!("title = {}\n", toml::Value::from(HOSTILE)), ""),
            ("mailfront/title-long", &format!("title = '{}'\n", "x".repeat(161)), ""),
            ("mailfront/clauses-missing", "clauses = []\n", ""),
            ("mailfront/clauses", "clauses = [\"A-1\", \"A-1\", \"A-9\",\n\"RFC 5321\"]\n", ""),
            ("mailfront/level", "clauses = ['A-2']\n", ""),
            ("mailfront/run-missing", "run = ''\n", ""),
            ("mailfront/run-quote", "run = \"mailfront '\"\n", ""),
            ("mailfront/role", "run = 'sendmail'\n", ""),
            ("smtp/role", "", ""),
            ("mailfront/recorded", "recorded = ''\n", ""),
            ("mailfront/delivery", "only = { flood = 'why', drip = '' }\n", ""),
            ("mailfront/both", "only = { drip = 'why' }\nskip = { drip = 'why' }\n", ""),
            ("mailfront/custody", "custody = 'off'\n", ""),
            ("mailfront/setup", "setup = ['mode x']\n", ""),
            ("mailfront/modules", "modules = ['a']\n", ""),
            ("mailfront/probe", "files.probe = 'a'\n", ""),
            ("mailfront/unset", "unset = ['A']\nenv = { A = '${LOCALHOST}' }\n", ""),
            ("mailfront/reach", "reach = 'robustness'\n", "C: a\nS: 250 ok\n"),
            ("mailfront/twin-missing", "twin = 'mailfront/nowhere'\n", ""),
            ("mailfront/twin-self", "twin = 'mailfront/twin-self'\n", ""),
            ("mailfront/refusal", "", "S: 220 x\nC: a\nS: 500 no\nC: QUIT\nS: 221 ~Good bye.\n"),
            ("mailfront/blank", "", "C: a \n"),
            ("mailfront/hostile", "", &format!("# {}\n", HOSTILE.replace(char::is_control, ""))),
            ("mailfront/variable", "", "C: ${NOPE} ${#}\nS: ${SENT}\nlog: ${NOPE}\n"),
            ("mailfront/alternative", "", "[a] C: x\n[b] exit: 0\n"),
            ("mailfront/signal", "", "signal QUIT\n"),
            ("mailfront/exits", "", "exit: 0\nexit: 1\n"),
            ("mailfront/exit-missing", "", "# exit:\n"),
            ("mailfront/queued", "", "queued: none\nqueued: <a> -> <b>\n"),
        ];
        let mut cases: Vec<Case> = wrong.iter().map(|(id, head, body)| case(id, head, body)).collect();
        let same = "run = 'mailfront smtp echo'\n";
        cases.push(case("mailfront/same-1", same, "C: x\n"));
        cases.push(case("mailfront/same-2", same, "C| x\\r\nC| \\n\n"));
        cases.push(case("mailfront/same-3", same, "C| x\\r\\n\nS: 250 ok\n"));
        let source = "[[known]]\ncase = \"mailfront/nowhere\"\nreason = 'r'\nobserved = 'x'\n\n\
                      [[known]]\ncase = \"mailfront/both\"\nreason = 'r'\nobserved = 'x'\n\
                      deliveries = ['drip', 'flood']\n";
        let dead =
            List { file: "t.known.toml".into(), source: source.into(), entries: KnownList::parse(source) };
        let twice = "[[known]]\ncase = 'a'\nreason = 'r'\nobserved = 'x'\n".repeat(2);
        let twice = List { file: "u.known.toml".into(), entries: KnownList::parse(&twice), source: twice };
        let text = render(&problems(cases, &[dead, twice]));
        assert!(is_tame(&text));
        insta::assert_snapshot!(text);
    }

    #[test]
    fn an_unreadable_case_and_a_wrong_sheet_are_problems() {
        let unreadable = Unreadable {
            file: format!("{HOSTILE}.case"),
            line: 3,
            why: "line 3, column 1: neither a step nor an expectation of the guide".into(),
        };
        let cases = Cases { unreadable: vec![unreadable], ..Cases::default() };
        let mut spec = Spec::default();
        spec.add("docs/spec/x.md", CLAUSES);
        insta::assert_snapshot!(render(&all(&cases, &spec, &[])));
    }
}

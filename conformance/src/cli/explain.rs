//! `explain`: one case or one clause, with all that belongs to it.

use std::{
    fs,
    io::{self, Write},
    path::PathBuf,
    time::Duration,
};

use super::{Built, Failure, select};
use crate::{
    cases::Cases,
    coverage::{UNOBSERVABLE, Unobservable},
    evidence,
    exit::Status,
    play::Delivery,
    report::style::{BAD, DIM, HEAD},
    run::plays_in,
    sandbox::{PROBE, Workshop, World, certificates},
    spec::{Clause, Spec},
    target::{Program, Target},
    transcript::{Act, Case, front::Reach, script, text::printable},
};

/// The arguments of `explain`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The id of a case or of a clause.
    id: String,
    /// Whose program stands in the line that reproduces the case: a target file, the name of one in
    /// the program, or `reference`.
    #[arg(long, value_name = "FILE|NAME")]
    target: Option<String>,
    /// Write the bytes that the client sends to standard output, and nothing else.
    #[arg(long, conflicts_with = "modules")]
    input: bool,
    /// Put the probe modules of the case into this folder, and print nothing.
    #[arg(long, value_name = "DIR")]
    modules: Option<PathBuf>,
    /// Put certificates and keys such as the case asks for into this folder, and print nothing.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["modules", "input"])]
    certificates: Option<PathBuf>,
}

/// Most ids offered in place of one that is not there.
const OFFERED: usize = 8;

/// Runs the verb.
///
/// # Errors
/// There is no such case or clause, or the target is not there.
pub fn explain(arguments: &Arguments, cases: &Cases, built: Option<Built>) -> Result<Status, Failure> {
    let out = &mut anstream::stdout().lock();
    let id = arguments.id.as_str();
    let spec = Spec::embedded();
    if let Some(case) = cases.cases.iter().find(|case| case.id == id) {
        if let Some(folder) = &arguments.modules {
            return modules(case, folder);
        }
        if let Some(folder) = &arguments.certificates {
            let wrong = |e: io::Error| Failure::usage(format!("--certificates {}: {e}", folder.display()));
            certificates::make(folder).map_err(wrong)?;
            return Ok(Status::Expected);
        }
        let workshop = Workshop::new()?;
        let target = stand_in(arguments, case, &workshop, built)?;
        let world = World::new(&workshop, &target, &case.front)?;
        let (bytes, clear, waits) = input(case, &world);
        if arguments.input {
            io::stdout().write_all(&bytes)?;
            return Ok(Status::Expected);
        }
        explain_case(out, case, spec)?;
        let sent = evidence::Sent { bytes: &bytes, clear, waits: &waits };
        let program = program(case, &target)?;
        heading(out, "reproduce, in bash in an empty folder")?;
        writeln!(out, "  {}", shown(&evidence::reproduce(case, &program, &world, &sent)))?;
        return Ok(Status::Expected);
    }
    if arguments.input || arguments.modules.is_some() || arguments.certificates.is_some() {
        return Err(unknown(id, cases, spec));
    }
    match spec.get(id) {
        Some(clause) => {
            explain_clause(out, clause, cases)?;
            Ok(Status::Expected)
        }
        None => Err(unknown(id, cases, spec)),
    }
}

/// The target for the reproducing line; without one, programs are called by their role.
fn stand_in(
    arguments: &Arguments,
    case: &Case,
    workshop: &Workshop,
    built: Option<Built>,
) -> Result<Target, Failure> {
    match (&arguments.target, built) {
        (Some(name), _) => Ok(select::target(name, workshop, built)?.0),
        (None, Some(built)) => Ok(built(workshop)?),
        (None, None) => {
            let role = case.front.words().first().cloned().unwrap_or_default();
            Ok(Target {
                name: "none".into(),
                title: String::new(),
                programs: [(role.clone(), role)].into(),
                features: Vec::new(),
                modules: None,
                delivery: Some("queuedir".into()),
                known: Vec::new(),
                ..Target::default()
            })
        }
    }
}

fn program(case: &Case, target: &Target) -> Result<Program, Failure> {
    let words = case.front.words();
    let role = words.first().map_or("", String::as_str);
    // A target without the program is no reason not to explain the case.
    match target.program(role) {
        Some(program) => Ok(program),
        None if role.is_empty() => Err(Failure::usage(format!("{}: `run` is missing", case.id))),
        None => Ok(Program { path: role.into(), ..Program::default() }),
    }
}

/// All that the client sends, if it waits for no answer, how much of it before a handshake, and its waits
/// by the clock. Steps that depend on an answer are left out.
fn input(case: &Case, world: &World) -> (Vec<u8>, Option<usize>, Vec<(usize, Duration)>) {
    let mut bytes = Vec::new();
    let (mut clear, mut waits) = (None, Vec::new());
    for step in script::steps(case).iter().filter(|step| step.only_if.is_none()) {
        match &step.act {
            Act::Send(text) => {
                bytes.extend(text.expand(&world.variables));
                bytes.extend_from_slice(b"\r\n");
            }
            Act::SendRaw(text) => bytes.extend(text.expand(&world.variables)),
            Act::Tls(_) => clear = clear.or(Some(bytes.len())),
            Act::Wait(time) => waits.push((bytes.len(), *time)),
            _ => {}
        }
    }
    (bytes, clear, waits)
}

/// Copies of the probe under the names that the case asks for.
fn modules(case: &Case, folder: &PathBuf) -> Result<Status, Failure> {
    let wrong = |e: io::Error| Failure::usage(format!("--modules {}: {e}", folder.display()));
    fs::create_dir_all(folder).map_err(wrong)?;
    for name in &case.front.modules {
        let place = folder.join(format!("{name}.so"));
        // In place of a link to a module of the target, never into that module.
        let _ = fs::remove_file(&place);
        fs::write(&place, PROBE).map_err(wrong)?;
    }
    Ok(Status::Expected)
}

fn shown(text: &str) -> String {
    printable(text.as_bytes()).into_owned()
}

fn heading(out: &mut impl Write, text: &str) -> io::Result<()> {
    writeln!(out, "\n{HEAD}{text}{HEAD:#}")
}

fn explain_case(out: &mut impl Write, case: &Case, spec: &Spec) -> io::Result<()> {
    let front = &case.front;
    writeln!(out, "{HEAD}{}{HEAD:#}\n{}", shown(&case.id), shown(&front.title))?;
    let mut about = vec![format!("level {}", front.level)];
    if !front.recorded.is_empty() {
        about.push(format!("answers from or checked against {}", shown(&front.recorded)));
    }
    match front.reach {
        Some(Reach::Reachable) => about.push("an attack that comes through a conforming relay".into()),
        Some(Reach::Robustness) => {
            about.push("an attack by a client that speaks to the server itself".into());
        }
        None => {}
    }
    if let Some(twin) = &front.twin {
        about.push(format!("the well-formed input is accepted in {}", shown(twin)));
    }
    if !front.needs.is_empty() {
        about.push(format!("only for targets with {}", shown(&front.needs.join(", "))));
    }
    writeln!(out, "{DIM}{}{DIM:#}", about.join("; "))?;
    if let Some(note) = &front.note {
        writeln!(out, "{}", shown(note))?;
    }
    heading(out, "played")?;
    let played = Delivery::ALL.into_iter().filter(|delivery| plays_in(front, *delivery));
    let played: Vec<&str> = played.map(Delivery::name).collect();
    writeln!(out, "  in {}", played.join(", "))?;
    for (delivery, reason) in &front.only {
        writeln!(out, "  only in {}: {}", shown(delivery), shown(reason))?;
    }
    for (delivery, reason) in &front.skip {
        writeln!(out, "  not in {}: {}", shown(delivery), shown(reason))?;
    }
    if !front.clauses.is_empty() {
        heading(out, "clauses")?;
    }
    for id in &front.clauses {
        match spec.get(id) {
            Some(clause) => clause_text(out, clause)?,
            None if id.starts_with("RFC ") => writeln!(out, "  {}", shown(id))?,
            None => writeln!(out, "  {BAD}{} is not in the contract{BAD:#}", shown(id))?,
        }
    }
    heading(out, &format!("transcript {}", shown(&case.file)))?;
    for (at, line) in case.source.lines().enumerate() {
        writeln!(out, "{DIM}{:>4}{DIM:#}  {}", at + 1, shown(line))?;
    }
    Ok(())
}

fn clause_text(out: &mut impl Write, clause: &Clause) -> io::Result<()> {
    let tags = clause.tags.iter().map(|tag| format!("; {tag}")).collect::<String>();
    writeln!(
        out,
        "  {HEAD}{}{HEAD:#} [{}{}] {DIM}{}:{}{DIM:#}",
        clause.id,
        clause.level,
        shown(&tags),
        clause.file,
        clause.line
    )?;
    for line in clause.text.lines() {
        writeln!(out, "    {}", shown(line))?;
    }
    Ok(())
}

fn explain_clause(out: &mut impl Write, clause: &Clause, cases: &Cases) -> Result<(), Failure> {
    clause_text(out, clause)?;
    let citing: Vec<&Case> =
        cases.cases.iter().filter(|case| case.front.clauses.contains(&clause.id)).collect();
    heading(out, &format!("cited by {} {}", citing.len(), if citing.len() == 1 { "case" } else { "cases" }))?;
    for case in citing {
        writeln!(out, "  {}  {DIM}{}{DIM:#}", shown(&case.id), shown(&case.front.title))?;
    }
    let list = Unobservable::parse(UNOBSERVABLE).map_err(Failure::suite)?;
    if let Some(reason) = list.reason(&clause.id) {
        writeln!(out, "  not to be seen from outside: {}", shown(reason))?;
    }
    Ok(())
}

/// Names what is there and resembles `id`.
fn unknown(id: &str, cases: &Cases, spec: &Spec) -> Failure {
    let last = id.rsplit('/').next().unwrap_or(id).to_ascii_lowercase();
    let ids = cases.cases.iter().map(|case| case.id.as_str());
    let clauses = spec.clauses();
    let all = ids.chain(clauses.iter().map(|clause| clause.id.as_str()));
    let alike: Vec<&str> = all
        .filter(|other| !last.is_empty() && other.to_ascii_lowercase().contains(&last))
        .take(OFFERED)
        .collect();
    let offer = if alike.is_empty() {
        "`list` and `coverage` show what there is".into()
    } else {
        format!("did you mean {}?", alike.join(", "))
    };
    Failure::usage(format!("{id}: neither a case nor a clause; {offer}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        report::sample::{HOSTILE, is_tame, spec},
        transcript::parse,
    };

    fn cases() -> Cases {
        let head = format!(
            "title = {}\nclauses = ['SMTP-DATA-11', 'RFC 5321 4.5.2', 'X-1']\nrun = 'mailfront smtp echo'\n\
             recorded = 'x'\nreach = 'reachable'\ntwin = 'a/twin'\nneeds = ['lua']\nskip = {{ drip = 'why' }}",
            toml::Value::from(HOSTILE)
        );
        let source =
            format!("+++\n{head}\n+++\n# {}\nC: QUIT\nexit: 0\n", HOSTILE.replace(char::is_control, ""));
        let case = Case { file: format!("{HOSTILE}.case"), ..parse("a/b", &source).unwrap() };
        Cases { cases: vec![case], ..Cases::default() }
    }

    fn plain(out: &[u8]) -> String {
        String::from_utf8(anstream::adapter::strip_bytes(out).into_vec()).unwrap()
    }

    #[test]
    fn a_case_with_hostile_bytes() {
        let mut out = Vec::new();
        explain_case(&mut out, &cases().cases[0], spec()).unwrap();
        assert!(is_tame(&plain(&out)));
        insta::assert_snapshot!(plain(&out));
    }

    #[test]
    fn a_clause_and_the_cases_that_cite_it() {
        let mut out = Vec::new();
        explain_clause(&mut out, spec().get("SMTP-DATA-11").unwrap(), &cases()).unwrap();
        assert!(is_tame(&plain(&out)));
        insta::assert_snapshot!(plain(&out));
    }

    #[test]
    fn something_alike_is_offered() {
        let said = unknown("smtp-data", &cases(), spec()).what;
        assert!(said.ends_with("did you mean SMTP-DATA-11?"), "{said}");
    }
}

//! `record`: play the client's lines of a transcript and fill in what comes.

use std::{fs, io::Write as _, path::PathBuf, time::Duration};

use super::{Built, Failure, select};
use crate::{
    exit::Status,
    play::player::LIMIT,
    record::Recorder,
    sandbox::Workshop,
    transcript::{parse, text::printable},
};

/// The arguments of `record`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// A target file, the name of one in the program, or `reference`.
    #[arg(long, default_value = select::BUILT_IN, value_name = "FILE|NAME")]
    target: String,
    /// Write the recording into the file instead of to standard output.
    #[arg(long)]
    write: bool,
    /// Seconds after which the session counts as hanging.
    #[arg(long, value_name = "SECONDS", default_value_t = LIMIT.as_secs())]
    hang_limit: u64,
    /// The transcript: head and client's lines; expectations that hold stay as they are.
    file: PathBuf,
}

/// Runs the verb.
///
/// # Errors
/// The file is no transcript, the target is not there, or the case cannot be recorded.
pub fn record(arguments: &Arguments, built: Option<Built>) -> Result<Status, Failure> {
    let place = arguments.file.display();
    let source = fs::read_to_string(&arguments.file).map_err(|e| Failure::usage(format!("{place}: {e}")))?;
    let id = arguments.file.with_extension("").to_string_lossy().into_owned();
    let case = parse(&id, &source).map_err(|e| Failure::usage(format!("{place}: {e}")))?;
    let workshop = Workshop::new()?;
    let (target, _) = select::target(&arguments.target, &workshop, built)?;
    let words = case.front.words();
    let Some(role) = words.first() else {
        return Err(Failure::usage(format!("{place}: `run` is missing: the role and its arguments")));
    };
    let Some(program) = target.program(role) else {
        return Err(Failure::not_started(format!("target {} has no program {role}", target.name)));
    };
    let lacking = target.lacks(&case.front.needs);
    if !lacking.is_empty() {
        return Err(Failure::not_started(format!("target {} lacks {}", target.name, lacking.join(", "))));
    }
    let limit = Duration::from_secs(arguments.hang_limit);
    let recorder = Recorder { target: &target, program, workshop: &workshop, limit };
    let recording = recorder.record(&case).map_err(|e| Failure::suite(format!("{place}: {e}")))?;
    if arguments.write {
        fs::write(&arguments.file, &recording.text).map_err(|e| Failure::usage(format!("{place}: {e}")))?;
    } else {
        // Byte for byte: a stream for terminals would take escape sequences out.
        std::io::stdout().write_all(recording.text.as_bytes())?;
    }
    for finding in &recording.differences {
        let line = format!(
            "{place}:{}: played again, {}: expected {} | got {}",
            finding.line,
            crate::report::block::aspect(finding.aspect.name()),
            finding.expected,
            finding.got
        );
        anstream::eprintln!("{}", printable(line.as_bytes()));
    }
    Ok(if recording.differences.is_empty() { Status::Expected } else { Status::Unexpected })
}

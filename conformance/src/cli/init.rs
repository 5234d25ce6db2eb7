//! `init`: write a target file to begin with.

use std::{fs, io::Write as _, path::PathBuf};

use super::Failure;
use crate::{exit::Status, target::Target};

/// The arguments of `init`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The file to write; the target is called as it is.
    #[arg(value_name = "FILE.toml")]
    file: PathBuf,
    /// A role and its command, such as `smtp=/usr/sbin/sendmail -bs` or `pop3=tcp:110`; roles are
    /// mailfront, pop3front-auth, pop3front-maildir, imapfront-auth, smtp, qmtp, qmqp and pop3.
    #[arg(long, value_name = "ROLE=COMMAND", required = true, value_parser = program)]
    program: Vec<(String, String)>,
    /// A shell script that starts the server or puts files in place.
    #[arg(long, value_name = "FILE")]
    start: Option<PathBuf>,
    /// User and password of the POP3 server.
    #[arg(long, value_name = "USER PASSWORD", num_args = 2)]
    login: Option<Vec<String>>,
}

fn program(text: &str) -> Result<(String, String), String> {
    let (role, command) = text.split_once('=').ok_or("ROLE=COMMAND")?;
    if command.trim().is_empty() {
        return Err("the command is missing".into());
    }
    Ok((role.into(), command.into()))
}

/// Runs the verb.
///
/// # Errors
/// The file is there already, or cannot be written.
pub fn init(arguments: &Arguments) -> Result<Status, Failure> {
    let place = arguments.file.display();
    let name = arguments.file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let text = target(&name, arguments);
    Target::parse(&text).map_err(|e| Failure::usage(format!("{place}: {e}")))?;
    let file = fs::OpenOptions::new().write(true).create_new(true).open(&arguments.file);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|e| Failure::usage(format!("{place}: {e}")))?;
    writeln!(
        anstream::stdout(),
        "{place} is written. See what the suite can do with it:\n  mailfront-conformance doctor --target {place}"
    )?;
    Ok(Status::Expected)
}

/// The text of the file.
fn target(name: &str, arguments: &Arguments) -> String {
    let text = |value: &str| toml::Value::from(value).to_string();
    let roles: Vec<String> = arguments.program.iter().map(|(role, _)| text(role)).collect();
    let mut out = format!(
        "name = {}\ntitle = \"\"\n# What cases may ask for: modules of a mailfront, pipelining, login …\n\
         features = [{}]\n\
         # Where messages are seen: \"queuedir\", or \"queuedir ${{DIR}}/queue\" of a server that is started.\n\
         # delivery = \"queuedir\"\n# A list of known failures beside this file: run --draft-known FILE writes one.\n\
         # known = {}\n\n[programs]\n",
        text(name),
        roles.join(", "),
        text(&format!("{name}.known.toml"))
    );
    for (role, command) in &arguments.program {
        out += &format!("{role} = {}\n", text(command));
    }
    if let Some(login) = &arguments.login {
        out += &format!("\n[pop3]\nlogin = {}\n", text(&login.join(" ")));
    }
    if let Some(start) = &arguments.start {
        out += &format!("\n[start]\nscript = {}\n", text(&start.to_string_lossy()));
    }
    out
}

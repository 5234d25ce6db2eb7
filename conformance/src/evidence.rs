//! What happened in a play, as a person needs it to understand a failure.

use std::{fmt::Write as _, fs, io::Read as _, os::unix::ffi::OsStrExt as _, path::Path};

use bstr::ByteSlice as _;

use crate::{
    play::{Exchange, Outcome},
    report::event::Evidence,
    sandbox::World,
    target::Program,
    transcript::{
        Case,
        front::Setup,
        text::{escape, escape_short},
    },
};

/// Longest line shown of a conversation or a log, in bytes.
const LINE_MAX: usize = 300;
/// Most lines shown of a conversation or a log.
const LINES_MAX: usize = 200;

/// Collects the evidence of one play.
pub fn collect(case: &Case, program: &Program, world: &World, outcome: &Outcome) -> Evidence {
    let mut conversation = conversation(&outcome.exchange);
    calls(outcome, &mut conversation);
    let log = outcome.log.lines().map(|line| escape_short(line, LINE_MAX)).collect();
    let exit = match (&outcome.hang, outcome.exit) {
        (Some(hang), _) => hang.clone(),
        (None, Some(exit)) => exit.to_string(),
        (None, None) => "none".into(),
    };
    Evidence {
        conversation: shortened(conversation),
        log: shortened(log),
        exit,
        files: files(&world.folder),
        reproduce: reproduce(case, program, world, &outcome.sent, outcome.clear_bytes),
    }
}

/// The exchange line by line, `C: ` and `S: ` before each.
fn conversation(exchange: &[Exchange]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut open: Option<(char, Vec<u8>)> = None;
    for part in exchange {
        let (mark, bytes) = match part {
            Exchange::Sent(bytes) => ('C', &bytes[..]),
            Exchange::Received(bytes) => ('S', &bytes[..]),
            Exchange::HalfClosed => ('-', &b"the client closes its sending side"[..]),
            Exchange::Handshake(said) => ('-', said.as_bytes()),
        };
        // What one side said in several pieces is shown as one.
        match &mut open {
            Some((side, said)) if *side == mark && mark != '-' => said.extend_from_slice(bytes),
            _ => say(open.replace((mark, bytes.to_vec())), &mut lines),
        }
    }
    say(open, &mut lines);
    lines
}

fn say(said: Option<(char, Vec<u8>)>, lines: &mut Vec<String>) {
    match said {
        None => {}
        Some(('-', said)) => lines.push(format!("-- {}", escape_short(&said, LINE_MAX))),
        Some((mark, bytes)) => {
            for line in bytes.split_inclusive(|b| *b == b'\n') {
                lines.push(format!("{mark}: {}", escape_short(line, LINE_MAX)));
            }
        }
    }
}

/// What the services were asked for.
fn calls(outcome: &Outcome, lines: &mut Vec<String>) {
    for (name, calls) in &outcome.calls {
        if calls.is_empty() {
            lines.push(format!("-- service {name}: never called"));
        }
        for (number, call) in calls.iter().enumerate() {
            for (descriptor, got) in &call.got {
                let (number, got) = (number + 1, escape_short(got, LINE_MAX));
                let of = if *descriptor == 0 { String::new() } else { format!(" {descriptor}") };
                lines.push(format!("-- service {name} call {number} got{of}: {got}"));
            }
        }
    }
}

/// Most files shown.
const FILES_MAX: usize = 30;
/// Most bytes shown of a file.
const FILE_MAX: usize = 160;

/// The files below a case's folder, in the order of their paths.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(current) = folders.pop() {
        let Ok(entries) = fs::read_dir(&current) else { continue };
        for entry in entries.flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(kind) if kind.is_file() => found.push(entry.path()),
                _ => {}
            }
        }
    }
    found.sort();
    let shown = found.iter().take(FILES_MAX).map(|path| {
        let name = path.strip_prefix(folder).unwrap_or(path);
        let name = escape(name.as_os_str().as_bytes());
        let mut start = Vec::new();
        let read = fs::File::open(path).and_then(|file| file.take(FILE_MAX as u64).read_to_end(&mut start));
        match (read, fs::metadata(path)) {
            (Ok(_), Ok(meta)) => {
                let more = if meta.len() > FILE_MAX as u64 { "…" } else { "" };
                format!("{name}: {} bytes | {}{more}", meta.len(), escape(&start))
            }
            _ => format!("{name}: not readable"),
        }
    });
    let mut lines: Vec<String> = shown.collect();
    if found.len() > FILES_MAX {
        lines.push(format!("… {} more files", found.len() - FILES_MAX));
    }
    lines
}

fn shortened(mut lines: Vec<String>) -> Vec<String> {
    if lines.len() > LINES_MAX {
        let left_out = lines.len() - LINES_MAX;
        lines.splice(LINES_MAX / 2..LINES_MAX / 2 + left_out, [format!("… {left_out} lines …")]);
    }
    lines
}

/// Most bytes put into the shell line as they are; above, the line says how to get them.
const INLINE_MAX: usize = 20_000;

/// `printf … | env … program …`, to be run in bash in an empty folder. With a handshake behind the
/// first `clear` bytes, `openssl s_client` takes the client's part, or a second pipe the part of a
/// UCSPI server.
pub fn reproduce(case: &Case, program: &Program, world: &World, sent: &[u8], clear: Option<usize>) -> String {
    let certificates = world.variables.get("TLS_CA").map(|path| String::from_utf8_lossy(path).into_owned());
    let certificates = certificates.and_then(|path| Some(path.rsplit_once('/')?.0.to_string()));
    let is_ucspi = world.setups.iter().any(|setup| matches!(setup, Setup::UcspiTls(_)));
    let (clear, inside) = match clear {
        Some(clear) => (&sent[..clear.min(sent.len())], Some(&sent[clear.min(sent.len())..])),
        None => (sent, None),
    };
    let modules = world.variables.get("MODULES").map(|path| String::from_utf8_lossy(path).into_owned());
    let here = |text: &str| {
        let folder = world.folder.to_string_lossy();
        let text = match &modules {
            Some(modules) => text.replace(modules, "$PWD/m"),
            None => text.to_string(),
        };
        let text = match &certificates {
            Some(certificates) => text.replace(certificates, "$PWD/tls"),
            None => text,
        };
        text.replace(&*folder, "$PWD").replace(&*world.temporary.to_string_lossy(), "$PWD")
    };
    let mut line = String::new();
    if world.queue.is_some() {
        line.push_str("mkdir -p q/tmp q/new; ");
    }
    if modules.is_some() {
        // The probe comes with the suite; everything else does without it.
        let own = world.own_modules.as_ref().map(|own| quote(&own.to_string_lossy()));
        let own = own.map(|own| format!("ln -s {own}/* m/; ")).unwrap_or_default();
        let _ = write!(line, "mkdir m; {own}mailfront-conformance explain {} --modules m; ", quote(&case.id));
    }
    if certificates.is_some() {
        let _ = write!(line, "mailfront-conformance explain {} --certificates tls; ", quote(&case.id));
    }
    for (path, content) in &case.front.files {
        if path.ends_with('/') {
            let _ = write!(line, "mkdir -p {}; ", quote(path));
        } else {
            let _ = write!(
                line,
                "printf {} > {}; ",
                printf_text(here(&world.fill(content)).as_bytes()),
                quote(path)
            );
        }
    }
    let is_served = inside.is_some() && !is_ucspi;
    if is_served {
        line.push_str("tcpserver -1RHl0 127.0.0.1 0 ");
    } else if sent.len() <= INLINE_MAX {
        let _ = write!(line, "printf {} | ", printf_text(clear));
    } else {
        let _ = write!(line, "mailfront-conformance explain {} --input | ", quote(&case.id));
    }
    line.push_str("env -i");
    for (name, value) in &world.environment {
        let value = if name == "PATH" { "$PATH".into() } else { here(value) };
        let _ = write!(line, " {name}={}", double_quote(&value));
    }
    let words: Vec<String> = program
        .words
        .iter()
        .cloned()
        .chain(case.front.words().iter().skip(1).map(|word| here(&world.fill(word))))
        .map(|word| double_quote(&word))
        .collect();
    let mut command = format!("{} {}", start(program), words.join(" "));
    for setup in &world.setups {
        match setup {
            Setup::Close(descriptor) => _ = write!(command, " {descriptor}>&-"),
            Setup::LimitFile(bytes) => command = format!("(ulimit -f {}; {command})", bytes / 512),
            Setup::LimitMemory(bytes) => command = format!("(ulimit -v {}; {command})", bytes / 1024),
            Setup::LimitDescriptors(number) => command = format!("(ulimit -n {number}; {command})"),
            _ => {}
        }
    }
    let _ = write!(line, " {command}");
    let text = printf_text(inside.unwrap_or_default());
    if is_served {
        let starttls = if clear.is_empty() { "" } else { " -starttls smtp" };
        let client = format!("openssl s_client -quiet{starttls} -connect 127.0.0.1:$(cat port)");
        let _ = write!(line, " > port & sleep 1; (printf {text}; sleep 1) | {client}; kill $!");
    } else if is_ucspi {
        let _ = write!(line, " 7> control 8< <(printf {text}) 9>&1");
    }
    line
}

/// How the program is started. One that is a link and acts by its name is started under that name.
fn start(program: &Program) -> String {
    let path = program.path.to_string_lossy();
    match (fs::read_link(&program.path), program.path.file_name()) {
        (Ok(real), Some(name)) => {
            let script =
                format!("exec -a {} {} \"$@\"", name.to_string_lossy(), quote(&real.to_string_lossy()));
            format!("bash -c {} -", quote(&script))
        }
        _ => quote(&path),
    }
}

/// Bytes as the argument of the shell's `printf`.
fn printf_text(bytes: &[u8]) -> String {
    let mut text = String::from("'");
    for &byte in bytes {
        match byte {
            b'\r' => text.push_str("\\r"),
            b'\n' => text.push_str("\\n"),
            b'\\' => text.push_str("\\\\"),
            b'%' => text.push_str("%%"),
            b'\'' => text.push_str("\\047"),
            b' '..=b'~' => text.push(char::from(byte)),
            _ => _ = write!(text, "\\{byte:03o}"),
        }
    }
    text.push('\'');
    text
}

fn quote(text: &str) -> String {
    if text.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-+=:,@".contains(&b)) && !text.is_empty() {
        return text.into();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// Quoted so that `$PWD` and `$PATH` still stand for their values.
fn double_quote(text: &str) -> String {
    if text.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-+=:,@$".contains(&b)) && !text.is_empty() {
        return text.into();
    }
    let escaped: String = escape(text.as_bytes())
        .chars()
        .flat_map(|c| if "\"`!".contains(c) { vec!['\\', c] } else { vec![c] })
        .collect();
    format!("\"{escaped}\"")
}

//! The line that plays a case again without the suite.

mod setup;

use std::{collections::BTreeSet, fmt::Write as _, fs, time::Duration};

use crate::{
    sandbox::{World, repeated},
    target::Program,
    transcript::{Case, front::Setup, text::escape},
};

/// Most bytes put into the shell line as they are; above, the line says how to get them.
const INLINE_MAX: usize = 20_000;

/// What the client sends.
pub struct Sent<'a> {
    /// All of it.
    pub bytes: &'a [u8],
    /// How many of the bytes come before a handshake, if there is one.
    pub clear: Option<usize>,
    /// Before which bytes the client waits by the clock, in order, and how long.
    pub waits: &'a [(usize, Duration)],
}

impl Sent<'_> {
    /// What writes the bytes from `start` to `end`, in the client's time.
    fn typed(&self, start: usize, end: usize) -> String {
        let mut commands = Vec::new();
        let mut from = start;
        let is_last = end == self.bytes.len();
        let waits = self.waits.iter().filter(|(at, _)| (start..end).contains(at) || is_last && *at == end);
        for (at, time) in waits {
            if from < *at {
                commands.push(format!("printf {}", printf_text(&self.bytes[from..*at])));
            }
            commands.push(format!("sleep {}", time.as_secs_f32()));
            from = *at;
        }
        if from < end || commands.is_empty() {
            commands.push(format!("printf {}", printf_text(&self.bytes[from..end])));
        }
        commands.join("; ")
    }
}

/// `printf … | env … program …`, to be run in bash in an empty folder. With a handshake,
/// `openssl s_client` takes the client's part, or a second pipe the part of a UCSPI server. What a
/// case's services would answer only the suite can play: the line says so.
pub fn reproduce(case: &Case, program: &Program, world: &World, sent: &Sent<'_>) -> String {
    let is_ucspi = world.setups.iter().any(|setup| matches!(setup, Setup::UcspiTls(_)));
    let all = sent.bytes.len();
    let clear = sent.clear.map_or(all, |clear| clear.min(all));
    let is_served = sent.clear.is_some() && !is_ucspi;
    let places = Places::of(world);
    let mut line = places.preparation(case, world);
    line.push_str(&copying(program, world));
    if is_served {
        line.push_str("tcpserver -1RHl0 127.0.0.1 0 ");
    } else if all <= INLINE_MAX {
        let typed = sent.typed(0, clear);
        let typed = if typed.contains("; ") { format!("({typed})") } else { typed };
        let _ = write!(line, "{typed} | ");
    } else {
        let _ = write!(line, "mailfront-conformance explain {} --input | ", quote(&case.id));
    }
    line.push_str("env -i");
    for (name, value) in &world.environment {
        let value = if name == "PATH" { "$PATH".into() } else { places.here(value) };
        let _ = write!(line, " {name}={}", double_quote(&value));
    }
    let _ = write!(line, " {}", command(case, program, world, &places));
    let typed = sent.typed(clear, all);
    if is_served {
        let starttls = if clear == 0 { "" } else { " -starttls smtp" };
        let client = format!("openssl s_client -quiet{starttls} -connect 127.0.0.1:$(cat port)");
        let _ = write!(line, " > port & sleep 1; ({typed}; sleep 1) | {client}; kill $!");
    } else if is_ucspi {
        let _ = write!(line, " 7> control 8< <({typed}) 9>&1");
    }
    if !case.front.services.is_empty() {
        let id = quote(&case.id);
        let _ = write!(line, " # but its services play only in: mailfront-conformance run --filter {id}");
    }
    line
}

/// Folders of the play, which stand in the line as what they are below the folder it is run in.
struct Places(Vec<(String, String)>);

impl Places {
    fn of(world: &World) -> Self {
        let variable =
            |name| world.variables.get(name).map(|path| String::from_utf8_lossy(path).into_owned());
        let certificates = variable("TLS_CA").and_then(|path| Some(path.rsplit_once('/')?.0.to_string()));
        let modules = variable("MODULES").map(|path| (path, "$PWD/m".into()));
        let certificates = certificates.map(|path| (path, "$PWD/tls".into()));
        let own =
            [&world.folder, &world.temporary].map(|path| (path.to_string_lossy().into(), "$PWD".into()));
        Self(modules.into_iter().chain(certificates).chain(own).collect())
    }

    fn here(&self, text: &str) -> String {
        self.0.iter().fold(text.into(), |text, (path, place)| text.replace(path.as_str(), place))
    }

    fn has(&self, place: &str) -> bool {
        self.0.iter().any(|(_, known)| known == place)
    }

    /// What makes the folder what the case wants it to be.
    fn preparation(&self, case: &Case, world: &World) -> String {
        let mut line = String::new();
        if world.queue.is_some() {
            line.push_str("mkdir -p q/tmp q/new; ");
        }
        let id = quote(&case.id);
        if self.has("$PWD/m") {
            // The probe comes with the suite; everything else does without it.
            let own = world.own_modules.as_ref().map(|own| quote(&own.to_string_lossy()));
            let own = own.map(|own| format!("ln -s {own}/* m/; ")).unwrap_or_default();
            let _ = write!(line, "mkdir m; {own}mailfront-conformance explain {id} --modules m; ");
        }
        if self.has("$PWD/tls") {
            let _ = write!(line, "mailfront-conformance explain {id} --certificates tls; ");
        }
        let folders: BTreeSet<&str> =
            case.front.files.keys().filter_map(|path| Some(path.rsplit_once('/')?.0)).collect();
        for folder in folders {
            let _ = write!(line, "mkdir -p {}; ", quote(folder));
        }
        let files = case.front.files.iter().filter(|(path, _)| !path.ends_with('/'));
        let files = files.map(|(path, content)| (path.clone(), self.here(&world.fill(content))));
        let messages = case.front.maildir.iter().flatten();
        let messages = messages.map(|(path, content)| (format!("Maildir/{path}"), content.clone()));
        if case.front.maildir.is_some() {
            line.push_str("mkdir -p Maildir/new Maildir/cur Maildir/tmp; ");
        }
        for (path, content) in files.chain(messages) {
            let content = repeated(&content);
            if content.len() <= INLINE_MAX {
                let _ = write!(line, "printf {} > {}; ", printf_text(content.as_bytes()), quote(&path));
            } else {
                let (length, path) = (content.len(), quote(&path));
                let _ = write!(line, ": {path} of {length} bytes is made by the suite only; ");
            }
        }
        line + &setup::commands(world, self)
    }
}

/// The program with its arguments, descriptors and limits.
fn command(case: &Case, program: &Program, world: &World, places: &Places) -> String {
    let arguments = case.front.words();
    let words = program.words.iter().chain(arguments.iter().skip(1));
    let words: Vec<String> = words.map(|word| double_quote(&places.here(&world.fill(word)))).collect();
    let start =
        copies(world).last().map_or_else(|| start(program), |(name, ..)| format!("./{}", quote(name)));
    let mut command = format!("{start} {}", words.join(" "));
    for setup in &world.setups {
        match setup {
            Setup::Close(descriptor) => _ = write!(command, " {descriptor}>&-"),
            Setup::LimitFile(bytes) => command = limited("f", bytes / 512, &command),
            Setup::LimitMemory(bytes) => command = limited("v", bytes / 1024, &command),
            Setup::LimitDescriptors(number) => command = limited("n", *number, &command),
            Setup::LimitProcesses(number) => command = limited("u", *number, &command),
            Setup::Umask(mask) => command = in_shell(&format!("umask {mask:03o}"), &command),
            Setup::User(name) => {
                let user = format!("--reuid {name} --regid $(id -g {name}) --clear-groups");
                command = format!("setpriv {user} {command}");
            }
            _ => {}
        }
    }
    command
}

/// A command behind `env`, with a limit of the shell.
fn limited(letter: &str, most: u64, command: &str) -> String {
    in_shell(&format!("ulimit -{letter} {most}"), command)
}

/// A command behind `env`, with something that the shell does to itself before.
fn in_shell(first: &str, command: &str) -> String {
    format!("bash -c '{first}; exec \"$@\"' - {command}")
}

/// The copies that the program is started as: name, owner, mode.
fn copies(world: &World) -> impl Iterator<Item = (&str, &str, u32)> {
    world.setups.iter().filter_map(|setup| match setup {
        Setup::CallByCopy(name, owner, mode) => Some((name.as_str(), owner.as_str(), *mode)),
        _ => None,
    })
}

/// What makes such a copy, as root.
fn copying(program: &Program, world: &World) -> String {
    // A link made for the play is gone with it.
    let path = fs::read_link(&program.path).unwrap_or_else(|_| program.path.clone());
    let path = quote(&path.to_string_lossy());
    let made = copies(world).map(|(name, owner, mode)| {
        let name = quote(name);
        format!("cp {path} {name}; chown {owner}: {name}; chmod {mode:o} {name}; ")
    });
    made.collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_waits_by_the_clock_does_so_in_the_shell() {
        let typed = |waits: &[(usize, u64)], from, to| {
            let waits: Vec<_> = waits.iter().map(|(at, ms)| (*at, Duration::from_millis(*ms))).collect();
            Sent { bytes: b"STAT\r\n", clear: None, waits: &waits }.typed(from, to)
        };
        assert_eq!(typed(&[], 0, 6), r"printf 'STAT\r\n'");
        let twice = [(2, 400), (2, 50), (6, 1000)];
        assert_eq!(typed(&twice, 0, 6), r"printf 'ST'; sleep 0.4; sleep 0.05; printf 'AT\r\n'; sleep 1");
        assert_eq!(typed(&twice, 4, 5), r"printf '\r'");
    }
}

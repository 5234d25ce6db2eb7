//! What a case's `setup` does to its folder, in the words of the shell.

use super::{Places, quote};
use crate::{sandbox::World, transcript::front::Setup};

/// Most entries written out; `repeat` makes thousands.
const MOST: usize = 40;

/// Commands that do to the current folder what the suite does to the case's, each ended by `; `.
pub(super) fn commands(world: &World, places: &Places) -> String {
    let commands: Vec<String> =
        world.setups.iter().filter_map(|setup| command(setup, world, places)).collect();
    let more = commands.len().saturating_sub(MOST);
    let mut line: String = commands.iter().take(MOST).map(|command| format!("{command}; ")).collect();
    if more > 0 {
        line.push_str(&format!(": {more} more entries of setup are done by the suite only; "));
    }
    line
}

/// One entry; nothing if it concerns the program and not the folder.
fn command(setup: &Setup, world: &World, places: &Places) -> Option<String> {
    let at = |path: &str| quote(&places.here(&world.fill(path)));
    let by_suite = |path: &str| format!(": {} is made by the suite only", at(path));
    Some(match setup {
        Setup::Mode(path, mode) => format!("chmod {mode:o} {}", at(path)),
        Setup::Link(path, to) => format!("ln -s {} {}", at(to), at(path)),
        Setup::Fill(path, bytes) => format!("head -c {bytes} /dev/zero | tr '\\0' x > {}", at(path)),
        Setup::Cut(path, bytes) => format!("truncate -s {bytes} {}", at(path)),
        Setup::Mtime(path, seconds) => format!("touch -d @{seconds} {}", at(path)),
        Setup::Fifo(path) => format!("mkfifo {}", at(path)),
        Setup::Copy(from, to) => format!("cp {} {}", at(from), at(to)),
        Setup::Move(from, to) => format!("mv {} {}", at(from), at(to)),
        Setup::Remove(path) => format!("rm {}", at(path)),
        // What has the usual mode is opened to the other user.
        Setup::User(_) => "find . -type d -perm 755 -exec chmod 777 {} +; chmod 777 .".into(),
        Setup::Cdb(path, _) | Setup::Socket(path) => by_suite(path),
        Setup::Close(_)
        | Setup::LimitFile(_)
        | Setup::LimitMemory(_)
        | Setup::LimitDescriptors(_)
        | Setup::LimitProcesses(_)
        | Setup::Umask(_)
        | Setup::CallByLink(_)
        | Setup::CallByCopy(..)
        | Setup::CallByPath
        | Setup::UcspiTls(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::{sandbox::Workshop, target::Target, transcript::Front};

    #[test]
    fn the_shell_makes_the_folder_that_the_suite_makes() {
        let mut front = Front { run: "mailfront smtp".into(), ..Front::default() };
        front.files.insert("a".into(), "text".into());
        let setup = [
            "copy a c",
            "move c d",
            "mode d 0600",
            "mtime d 1000",
            "link e d",
            "fifo f",
            "fill g 5",
            "cut g 3",
            "copy g h",
            "remove h",
        ];
        front.setup = setup.map(String::from).to_vec();
        let workshop = Workshop::new().expect("a workshop");
        let world = World::new(&workshop, &Target::default(), &front).expect("a world");
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("a"), "text").expect("a file");
        let line = commands(&world, &Places::of(&world));
        let seen = |folder: &std::path::Path, before: &str| {
            let list =
                "find . -mindepth 1 ! -name '*mp' -printf '%p %y %m %s %l\\n' | sort; stat -c %Y d; cat g";
            let mut shell = Command::new("bash");
            let output = shell.args(["-ec", &format!("{before}{list}")]).current_dir(folder).output();
            let output = output.expect("a shell");
            assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8_lossy(&output.stdout).into_owned()
        };
        assert_eq!(seen(folder.path(), &line), seen(&world.folder, ""), "{line}");
    }
}

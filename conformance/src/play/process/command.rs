//! The command that starts the program, with what a case does to the process itself.

use std::{
    fs, io,
    os::unix::{
        fs::{PermissionsExt as _, chown, symlink},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    sandbox::{World, user_ids},
    target::Program,
    transcript::front::Setup,
};

/// The command, through a shell where descriptors are closed or limits set.
pub(super) fn command(
    program: &Program,
    arguments: &[String],
    world: &World,
    redirections: &str,
) -> io::Result<Command> {
    let mut script = String::new();
    let mut path = program.path.clone();
    let mut environment = world.environment.clone();
    let mut user = None;
    let mut closes = redirections.to_string();
    for setup in &world.setups {
        match setup {
            Setup::Close(descriptor) => closes.push_str(&format!(" {descriptor}>&-")),
            Setup::LimitFile(bytes) => {
                script.push_str(&format!("trap '' XFSZ; ulimit -f {}; ", bytes / 512));
            }
            Setup::Umask(mask) => script.push_str(&format!("umask {mask:03o}; ")),
            Setup::LimitMemory(bytes) => script.push_str(&format!("ulimit -v {}; ", bytes / 1024)),
            Setup::LimitDescriptors(number) => script.push_str(&format!("ulimit -n {number}; ")),
            // The shell of Debian has a letter of its own for it.
            Setup::LimitProcesses(number) => {
                script.push_str(&format!("ulimit -u {number} 2>/dev/null || ulimit -p {number}; "));
            }
            Setup::User(name) => user = Some(user_ids(name)?),
            Setup::CallByLink(link) => {
                let link = world.folder.join(world.fill(link));
                symlink(&path, &link)?;
                path = link;
            }
            Setup::CallByCopy(copy, owner, mode) => {
                path = copied(&path, world.folder.join(world.fill(copy)), owner, *mode)?;
            }
            Setup::CallByPath => {
                let (folder, name) = (path.parent(), path.file_name());
                let (Some(folder), Some(name)) = (folder, name) else { continue };
                let before = environment.get("PATH").cloned().unwrap_or_default();
                environment.insert("PATH".into(), format!("{}:{before}", folder.display()));
                path = name.into();
            }
            _ => {}
        }
    }
    let mut command;
    if script.is_empty() && closes.is_empty() {
        command = Command::new(&path);
    } else {
        command = Command::new("/bin/sh");
        command.arg("-c").arg(format!("{script}exec \"$0\" \"$@\"{closes}")).arg(&path);
    }
    command.args(program.words.iter().map(|word| world.fill(word))).args(arguments);
    command.env_clear().envs(&environment).current_dir(&world.folder).process_group(0);
    if let Some((uid, gid)) = user {
        command.uid(uid).gid(gid);
    }
    Ok(command)
}

/// A copy of the program that belongs to `owner` and has `mode`.
fn copied(program: &Path, copy: PathBuf, owner: &str, mode: u32) -> io::Result<PathBuf> {
    let (user, group) = user_ids(owner)?;
    // Not by ourselves: a program that some process still holds open for writing, as one that another
    // thread is just starting would, cannot be executed.
    if !Command::new("cp").arg(program).arg(&copy).status()?.success() {
        return Err(io::Error::other(format!("{} cannot be copied", program.display())));
    }
    // A new owner takes the set-uid bit away.
    chown(&copy, Some(user), Some(group))?;
    fs::set_permissions(&copy, fs::Permissions::from_mode(mode))?;
    Ok(copy)
}

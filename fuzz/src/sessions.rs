//! Whole sessions, played inside this process: the driver's own loop over a file in memory.

use std::{
    io::{Read as _, Seek as _, Write as _},
    os::fd::AsFd as _,
    sync::{Mutex, OnceLock, PoisonError},
};

use std::fs::File;

use mailfront::{
    connection::Connection,
    driver::{Service, Words},
    log::Log,
    session::Session,
};
use rustix::fs::{MemfdFlags, memfd_create};

/// What a client sends and what it gets: files in memory, made once and used by one session at a time.
struct Wire {
    input: File,
    output: File,
}

fn wire() -> &'static Wire {
    static WIRE: OnceLock<Wire> = OnceLock::new();
    let memory = || memfd_create("session", MemfdFlags::CLOEXEC).map(File::from);
    WIRE.get_or_init(|| match (memory(), memory()) {
        (Ok(input), Ok(output)) => Wire { input, output },
        _ => panic!("no files in memory"),
    })
}

/// Plays a session of `mailfront WORDS` in which the client sends `input` at once: what it is answered,
/// and the exit status.
pub fn play(words: &[&str], input: &[u8]) -> (Vec<u8>, i32) {
    play_with(input, |connection| serve(words, connection))
}

/// The same for a session that is served by `serve`.
pub fn play_with(input: &[u8], serve: impl FnOnce(Connection) -> i32) -> (Vec<u8>, i32) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let wire = wire();
    let answer = (|| -> std::io::Result<(Vec<u8>, i32)> {
        let (mut to, mut from) = (&wire.input, &wire.output);
        for mut file in [to, from] {
            file.set_len(0)?;
            file.rewind()?;
        }
        to.write_all(input)?;
        to.rewind()?;
        let connection = Connection::over(wire.input.as_fd(), wire.output.as_fd(), Log::silent());
        let status = serve(connection);
        let mut output = Vec::new();
        from.rewind()?;
        from.read_to_end(&mut output)?;
        Ok((output, status))
    })();
    answer.unwrap_or_else(|error| panic!("a file in memory failed: {error}"))
}

fn serve(words: &[&str], connection: Connection) -> i32 {
    let session = Session::new(connection);
    let words: Vec<_> = words.iter().map(|word| (*word).into()).collect();
    let Some(words) = Words::from_arguments(&words) else { panic!("no protocol or backend") };
    let Ok(mut service) = Service::load(&session, &words) else { panic!("a module is missing") };
    assert!(service.chain.init(&session).is_none(), "a module refuses to start");
    let Ok(()) = service.protocol.init(&session) else { panic!("the protocol refuses to start") };
    let status = service.protocol.run(&session, &mut service.chain);
    let _ignored = service.chain.reset(&session);
    status.0
}

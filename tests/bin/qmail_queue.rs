//! A stand-in for qmail-queue: the exact protocol on descriptors 0 and 1, a queue of the same layout below
//! the current directory (`queue/pid`, `mess`, `intd`, `todo`), the same exit codes, and the same promise:
//! a message is in the queue when its name appears in `todo`, whole and on disk.
//!
//! Written from qmail-queue(8) and qmail's INTERNALS; it adds no Received field and has no time limit.

use std::{
    env,
    fs::{self, File, OpenOptions},
    io::{self, BufReader, BufWriter, Read, Write},
    os::{fd::AsFd, unix::fs::MetadataExt},
    path::PathBuf,
    process::ExitCode,
};

/// The longest address, its ending NUL included (qmail-queue(8)).
const ADDRESS_MAX: usize = 1003;

/// Exit codes of qmail-queue(8).
#[derive(Clone, Copy)]
enum Failure {
    AddressTooLong = 11,
    CannotWrite = 53,
    CannotRead = 54,
    NoQueue = 62,
    NoPid = 63,
    NoMess = 64,
    NoIntd = 65,
    NoTodo = 66,
    BadEnvelope = 91,
}

fn main() -> ExitCode {
    match queue() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => ExitCode::from(failure as u8),
    }
}

/// Files that go if the message does not get into the queue.
#[derive(Default)]
struct Unfinished(Vec<PathBuf>);

impl Drop for Unfinished {
    fn drop(&mut self) {
        for path in &self.0 {
            let _ = fs::remove_file(path);
        }
    }
}

fn queue() -> Result<(), Failure> {
    env::set_current_dir("queue").map_err(|_| Failure::NoQueue)?;
    let mut unfinished = Unfinished::default();
    let pid = PathBuf::from(format!("pid/{}", std::process::id()));
    let file = OpenOptions::new().write(true).create_new(true).open(&pid).map_err(|_| Failure::NoPid)?;
    unfinished.0.push(pid.clone());
    // A message is known by the number of its file, which no other file has.
    let number = file.metadata().map_err(|_| Failure::NoPid)?.ino();
    let mess = PathBuf::from(format!("mess/{number}"));
    fs::hard_link(&pid, &mess).map_err(|_| Failure::NoMess)?;
    unfinished.0.push(mess);
    fs::remove_file(&pid).map_err(|_| Failure::NoPid)?;
    copy_message(file)?;
    let intd = PathBuf::from(format!("intd/{number}"));
    let file = OpenOptions::new().write(true).create_new(true).open(&intd).map_err(|_| Failure::NoIntd)?;
    unfinished.0.push(intd.clone());
    copy_envelope(file)?;
    fs::hard_link(&intd, format!("todo/{number}")).map_err(|_| Failure::NoTodo)?;
    // From here on it is in the queue.
    std::mem::take(&mut unfinished.0);
    Ok(())
}

fn copy_message(file: File) -> Result<(), Failure> {
    let mut input = BufReader::new(io::stdin());
    let mut output = BufWriter::new(file);
    let mut block = vec![0; 65_536];
    loop {
        let count = input.read(&mut block).map_err(|_| Failure::CannotRead)?;
        if count == 0 {
            break;
        }
        output.write_all(&block[..count]).map_err(|_| Failure::CannotWrite)?;
    }
    finish(output)
}

fn copy_envelope(file: File) -> Result<(), Failure> {
    let input = io::stdout().as_fd().try_clone_to_owned().map_err(|_| Failure::CannotRead)?;
    let mut input = BufReader::new(File::from(input)).bytes();
    let mut next = || input.next().and_then(Result::ok).ok_or(Failure::CannotRead);
    let mut output = BufWriter::new(file);
    let mut wanted = b'F';
    loop {
        let kind = next()?;
        if kind == 0 && wanted == b'T' {
            return finish(output);
        }
        if kind != wanted {
            return Err(Failure::BadEnvelope);
        }
        wanted = b'T';
        let mut address = vec![kind];
        while address.last() != Some(&0) {
            address.push(next()?);
            if address.len() > ADDRESS_MAX {
                return Err(Failure::AddressTooLong);
            }
        }
        output.write_all(&address).map_err(|_| Failure::CannotWrite)?;
    }
}

fn finish(output: BufWriter<File>) -> Result<(), Failure> {
    let file = output.into_inner().map_err(|_| Failure::CannotWrite)?;
    file.sync_all().map_err(|_| Failure::CannotWrite)
}

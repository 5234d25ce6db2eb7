use std::os::unix::fs::{MetadataExt, PermissionsExt};

use super::*;

/// A queue of its own, gone with its value.
struct Queue {
    top: tempfile::TempDir,
}

impl Queue {
    fn new() -> Self {
        let top = tempfile::tempdir().unwrap();
        fs::create_dir(top.path().join("tmp")).unwrap();
        fs::create_dir(top.path().join("new")).unwrap();
        Self { top }
    }

    fn directories(&self) -> Directories {
        Directories { temporary: self.top.path().join("tmp"), destination: self.top.path().join("new") }
    }

    fn names(&self, directory: &str) -> Vec<String> {
        let entries = fs::read_dir(self.top.path().join(directory)).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

fn file(directories: &Directories) -> QueueFile {
    QueueFile::create(directories).unwrap_or_else(|error| panic!("{error:?}"))
}

#[test]
fn a_name_is_seconds_microseconds_and_process() {
    let name = name_now();
    let parts: Vec<&str> = name.split('.').collect();
    assert_eq!((parts.len(), parts[1].len(), parts[2]), (3, 6, &*std::process::id().to_string()));
    assert!(parts.iter().all(|part| part.bytes().all(|byte| byte.is_ascii_digit())), "{name}");
}

#[test]
fn a_delivered_file_has_the_same_name_one_link_and_no_execute_bit() {
    let queue = Queue::new();
    let file = file(&queue.directories());
    let name = queue.names("tmp");
    file.deliver(true).unwrap();
    assert_eq!(queue.names("new"), name);
    assert!(queue.names("tmp").is_empty());
    let metadata = fs::metadata(queue.top.path().join("new").join(&name[0])).unwrap();
    assert_eq!(metadata.nlink(), 1);
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let umask = status.lines().find_map(|line| line.strip_prefix("Umask:")).unwrap();
    let umask = u32::from_str_radix(umask.trim(), 8).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o7777, 0o666 & !umask);
}

#[test]
fn files_of_one_moment_have_different_names() {
    let queue = Queue::new();
    let files: Vec<QueueFile> = (0..200).map(|_| file(&queue.directories())).collect();
    assert_eq!(queue.names("tmp").len(), 200);
    drop(files);
    assert!(queue.names("tmp").is_empty());
}

#[test]
fn a_file_longer_than_the_buffer_is_whole() {
    let queue = Queue::new();
    let mut file = file(&queue.directories());
    let mut expected = Vec::new();
    for (length, byte) in
        [(1, b'a'), (BUFFER - 1, b'b'), (1, b'c'), (BUFFER, b'd'), (3 * BUFFER, b'e'), (7, b'f')]
    {
        let block = vec![byte; length];
        file.append(&block).unwrap();
        expected.extend(block);
    }
    file.deliver(false).unwrap();
    let path = queue.top.path().join("new").join(&queue.names("new")[0]);
    assert!(fs::read(path).unwrap() == expected);
}

#[test]
fn a_write_error_leaves_nothing_behind() {
    let queue = Queue::new();
    let mut file = file(&queue.directories());
    // A handle for reading takes no bytes, like a full disk.
    file.file = File::open(&file.temporary.0).unwrap();
    assert_eq!(file.append(&[0; BUFFER]), Ok(()));
    assert_eq!(file.append(b"x"), Err(QueueError::Writing));
    assert_eq!(file.deliver(false), Err(QueueError::Writing));
    assert!(queue.names("tmp").is_empty() && queue.names("new").is_empty());
}

#[test]
fn an_address_with_a_nul_cannot_be_written_down() {
    let queue = Queue::new();
    assert_eq!(file(&queue.directories()).append_item(b"a\0b"), Err(QueueError::Address));
}

#[test]
fn an_unreadable_destination_undoes_the_link() {
    let queue = Queue::new();
    let mut file = file(&queue.directories());
    file.destination_directory = queue.top.path().join("missing");
    assert_eq!(file.deliver(true), Err(QueueError::Internal));
    assert!(queue.names("tmp").is_empty() && queue.names("new").is_empty());
}

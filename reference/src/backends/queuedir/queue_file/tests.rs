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

/// The two ways to make a queue file: where files may be without a name, and where not.
type Create = fn(&Directories) -> Result<QueueFile, QueueError>;
const WAYS: [Create; 2] = [QueueFile::create, QueueFile::create_named];

#[test]
fn a_name_is_seconds_microseconds_and_process() {
    let name = name_now();
    let parts: Vec<&str> = name.split('.').collect();
    assert_eq!((parts.len(), parts[1].len(), parts[2]), (3, 6, &*std::process::id().to_string()));
    assert!(parts.iter().all(|part| part.bytes().all(|byte| byte.is_ascii_digit())), "{name}");
}

#[test]
fn a_file_has_no_name_before_its_own_if_it_can_be_so() {
    let queue = Queue::new();
    let file = QueueFile::create(&queue.directories()).unwrap();
    assert!(queue.names("tmp").is_empty());
    let name = file.name.clone();
    file.deliver(true).unwrap();
    assert_eq!((queue.names("new"), queue.names("tmp")), (vec![name], vec![]));
}

#[test]
fn a_file_with_a_name_keeps_it() {
    let queue = Queue::new();
    let file = QueueFile::create_named(&queue.directories()).unwrap();
    let name = queue.names("tmp");
    file.deliver(true).unwrap();
    assert_eq!((queue.names("new"), queue.names("tmp")), (name, vec![]));
}

#[test]
fn a_delivered_file_has_one_link_and_no_execute_bit() {
    for create in WAYS {
        let queue = Queue::new();
        create(&queue.directories()).unwrap().deliver(true).unwrap();
        let metadata = fs::metadata(queue.top.path().join("new").join(&queue.names("new")[0])).unwrap();
        assert_eq!(metadata.nlink(), 1);
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let umask = status.lines().find_map(|line| line.strip_prefix("Umask:")).unwrap();
        let umask = u32::from_str_radix(umask.trim(), 8).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o7777, 0o666 & !umask);
    }
}

#[test]
fn a_name_that_is_taken_by_the_time_of_the_end_is_not_overwritten() {
    let queue = Queue::new();
    let file = QueueFile::create(&queue.directories()).unwrap();
    let taken = queue.top.path().join("new").join(&file.name);
    fs::write(&taken, "another").unwrap();
    file.deliver(true).unwrap();
    assert_eq!(queue.names("new").len(), 2);
    assert_eq!(fs::read(taken).unwrap(), b"another");
}

#[test]
fn files_of_one_moment_have_different_names() {
    for (create, named) in WAYS.into_iter().zip([0, 200]) {
        let queue = Queue::new();
        let files: Vec<QueueFile> = (0..200).map(|_| create(&queue.directories()).unwrap()).collect();
        assert_eq!(queue.names("tmp").len(), named);
        files.into_iter().step_by(2).for_each(|file| file.deliver(false).unwrap());
        assert_eq!((queue.names("tmp").len(), queue.names("new").len()), (0, 100));
    }
}

#[test]
fn a_file_longer_than_the_buffer_is_whole() {
    for create in WAYS {
        let queue = Queue::new();
        let mut file = create(&queue.directories()).unwrap();
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
}

#[test]
fn a_write_error_leaves_nothing_behind() {
    for create in WAYS {
        let queue = Queue::new();
        let mut file = create(&queue.directories()).unwrap();
        // A handle for reading takes no bytes, like a full disk.
        file.file = File::open("/dev/null").unwrap();
        assert_eq!(file.append(&[0; BUFFER]), Ok(()));
        assert_eq!(file.append(b"x"), Err(QueueError::Writing));
        assert_eq!(file.deliver(false), Err(QueueError::Writing));
        assert!(queue.names("tmp").is_empty() && queue.names("new").is_empty());
    }
}

#[test]
fn an_address_with_a_nul_cannot_be_written_down() {
    let queue = Queue::new();
    let mut file = QueueFile::create(&queue.directories()).unwrap();
    assert_eq!(file.append_item(b"a\0b"), Err(QueueError::Address));
}

#[test]
fn unusable_directories_have_the_same_answers_in_both_ways() {
    let queue = Queue::new();
    fs::write(queue.top.path().join("file"), "").unwrap();
    let create = |create: Create, temporary: &str, destination: &str| {
        let path = |name: &str| queue.top.path().join(name);
        let directories = Directories { temporary: path(temporary), destination: path(destination) };
        create(&directories).and_then(|file| file.deliver(true))
    };
    for (temporary, destination, answer) in [
        ("tmp", "new", Ok(())),
        ("missing", "new", Err(QueueError::Creating)),
        ("missing", "missing", Err(QueueError::Creating)),
        ("missing/below", "new", Err(QueueError::Creating)),
        ("file", "new", Err(QueueError::Internal)),
        ("file/below", "new", Err(QueueError::Internal)),
        ("tmp", "file", Err(QueueError::Internal)),
        ("missing", "file", Err(QueueError::Internal)),
        ("tmp", "missing", Err(QueueError::Writing)),
        ("tmp", "tmp", Err(QueueError::Writing)),
        ("tmp", "new/../tmp", Err(QueueError::Writing)),
    ] {
        for way in WAYS {
            assert_eq!(create(way, temporary, destination), answer, "{temporary} {destination}");
            assert!(queue.names("tmp").is_empty());
        }
    }
}

#[test]
fn an_unreadable_destination_undoes_the_link() {
    let queue = Queue::new();
    QueueFile::create(&queue.directories()).unwrap().deliver(false).unwrap();
    let place = queue.top.path().join("new").join(&queue.names("new")[0]);
    assert_eq!(secure(&place, &queue.top.path().join("missing")), Err(QueueError::Internal));
    assert!(queue.names("new").is_empty());
}

//! A real process on a real folder that aborts before, and in the middle of, every operation on the disk.
//!
//! Started without arguments this is the test; it starts itself with `child <folder> <operation>`, reads what
//! the child reports as acknowledged, and checks it.

#![expect(clippy::unwrap_used, reason = "a test may panic")]
#![expect(clippy::print_stdout, reason = "the child reports to its parent")]

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, abort};
use std::rc::Rc;

use spool::disk::{Disk, DiskFile, Folder};
use spool::{Limits, Spool};

const LIMITS: Limits = Limits {
    max_bytes: 1 << 20,
    segment_bytes: 10_000,
};

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["child", folder, operation] => live(Path::new(folder), operation.parse().unwrap()),
        _ => every_abort_keeps_what_was_kept(),
    }
}

fn record(number: usize) -> Vec<u8> {
    format!("{number} ").into_bytes().repeat(500)
}

fn number_of(bytes: &[u8]) -> usize {
    let text = str::from_utf8(bytes).unwrap();
    let number = text.split(' ').next().unwrap().parse().unwrap();
    assert_eq!(bytes, record(number), "invented");
    number
}

/// Says something that is out even when the next line aborts.
fn report(what: &str, number: usize) {
    println!("{what} {number}");
    io::stdout().flush().unwrap();
}

/// The child: appends, takes, starts again, and aborts at the operation of that number.
fn live(folder: &Path, operation: usize) {
    let left = Rc::new(Cell::new(operation));
    let mut next = 0;
    for _ in 0..3 {
        let disk = AbortingDisk {
            folder: Folder::open(folder).unwrap(),
            left: Rc::clone(&left),
        };
        let mut spool = Spool::open_on(disk, LIMITS).unwrap();
        for (appended, taken) in [(3, 1), (1, 0), (7, 5), (2, 7), (1, 0)] {
            let records: Vec<_> = (next..next + appended).map(record).collect();
            spool.append(&records).unwrap();
            next += appended;
            report("kept", next);
            let batch = spool.next_batch(taken, usize::MAX).unwrap();
            if let Some(last) = batch.records.last().filter(|_| taken > 0) {
                let end = number_of(last) + 1;
                report("taken", end);
                spool.acknowledge(batch.end).unwrap();
                report("done", end);
            }
        }
    }
}

/// The parent.
fn every_abort_keeps_what_was_kept() {
    let folder = std::env::temp_dir().join(format!("plumbline-spool-abort-{}", std::process::id()));
    let mut aborts = 0;
    for operation in 0.. {
        std::fs::remove_dir_all(&folder).ok();
        let output = Command::new(std::env::current_exe().unwrap())
            .arg("child")
            .arg(&folder)
            .arg(operation.to_string())
            .output()
            .unwrap();
        let reported = String::from_utf8(output.stdout).unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(complaint.is_empty(), "operation {operation}: {complaint}");
        let last = |what: &str| {
            let numbers = reported
                .lines()
                .filter_map(|line| line.strip_prefix(what)?.trim().parse().ok());
            numbers.max().unwrap_or(0)
        };
        let (kept, taken, done): (usize, usize, usize) = (last("kept"), last("taken"), last("done"));

        let mut spool = Spool::open(&folder, LIMITS).unwrap();
        let stats = spool.stats();
        let batch = spool.next_batch(usize::MAX, usize::MAX).unwrap();
        let given: Vec<_> = batch.records.iter().map(|record| number_of(record)).collect();
        let context =
            format!("operation {operation}: kept {kept}, taken {taken}, done {done}, given {given:?}");
        assert_eq!(stats.damaged_records, 0, "{context}");
        let first = given.first().copied().unwrap_or(kept);
        let behind = first + given.len();
        assert_eq!(given, (first..behind).collect::<Vec<_>>(), "{context}");
        assert!(first == done || first == taken, "{context}");
        assert!(behind >= kept, "{context}");
        spool.append(&[record(behind)]).unwrap();
        if output.status.success() {
            break;
        }
        aborts += 1;
    }
    std::fs::remove_dir_all(&folder).ok();
    assert!(aborts > 60, "{aborts}");
    println!("aborted {aborts} times");
}

/// A folder whose user aborts at an operation.
#[derive(Debug)]
struct AbortingDisk {
    folder: Folder,
    left: Rc<Cell<usize>>,
}

#[derive(Debug)]
struct AbortingFile {
    file: File,
    left: Rc<Cell<usize>>,
}

/// Whether the operation now is the one to abort at.
fn is_last(left: &Cell<usize>) -> bool {
    left.set(left.get().wrapping_sub(1));
    left.get() == usize::MAX
}

fn count(left: &Cell<usize>) {
    if is_last(left) {
        abort();
    }
}

impl AbortingDisk {
    fn file(&self, file: File) -> AbortingFile {
        AbortingFile {
            file,
            left: Rc::clone(&self.left),
        }
    }
}

impl Disk for AbortingDisk {
    type File = AbortingFile;

    fn list(&self) -> io::Result<Vec<String>> {
        self.folder.list()
    }

    fn create(&self, name: &str) -> io::Result<AbortingFile> {
        count(&self.left);
        Ok(self.file(self.folder.create(name)?))
    }

    fn open(&self, name: &str) -> io::Result<AbortingFile> {
        Ok(self.file(self.folder.open(name)?))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        count(&self.left);
        self.folder.remove(name)
    }

    fn sync_folder(&self) -> io::Result<()> {
        count(&self.left);
        self.folder.sync_folder()
    }
}

impl DiskFile for AbortingFile {
    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        DiskFile::read_at(&self.file, offset, buffer)
    }

    fn write_all_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        count(&self.left);
        if is_last(&self.left) {
            DiskFile::write_all_at(&self.file, offset, &bytes[..bytes.len() / 2])?;
            abort();
        }
        DiskFile::write_all_at(&self.file, offset, bytes)
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        count(&self.left);
        self.file.truncate(size)
    }

    fn sync(&self) -> io::Result<()> {
        count(&self.left);
        self.file.sync()
    }
}

//! Any bytes as what a crash or a bad disk left in the spool: it opens, gives what is whole, and takes new records.

#![no_main]

use std::path::PathBuf;
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use spool::{Limits, Spool};

fuzz_target!(|input: (Vec<Vec<u8>>, u16, Vec<u8>)| {
    let (records, cut, damage) = input;
    let folder = folder();
    std::fs::remove_dir_all(folder).ok();
    std::fs::create_dir_all(folder).expect("the folder can be made");
    let mut spool = Spool::open(folder, Limits::default()).expect("an empty folder opens");
    spool.append(&records).expect("the disk has room");
    drop(spool);
    for entry in std::fs::read_dir(folder).expect("it is there").flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|kind| kind == "spool1") {
            let mut bytes = std::fs::read(&path).expect("it can be read");
            bytes.truncate(bytes.len().saturating_sub(usize::from(cut) % 64));
            let at = usize::from(cut).min(bytes.len());
            let end = (at + damage.len()).min(bytes.len());
            bytes[at..end].copy_from_slice(&damage[..end - at]);
            std::fs::write(&path, bytes).expect("it can be written");
        }
    }
    let Ok(mut spool) = Spool::open(folder, Limits::default()) else {
        return;
    };
    let read = spool.next_batch(usize::MAX, usize::MAX).expect("the disk works");
    for record in &read.records {
        assert!(records.contains(record), "what was never appended is never given");
    }
    spool.append(&[b"later"]).expect("it goes on");
    let more = spool.next_batch(usize::MAX, usize::MAX).expect("the disk works");
    assert!(
        more.records
            .iter()
            .chain(&read.records)
            .any(|record| record == b"later")
    );
});

/// In memory: each input is written to files.
fn folder() -> &'static PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| PathBuf::from(format!("/dev/shm/plumbline-fuzz-{}", std::process::id())))
}

//! A real folder.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use spool::{OpenError, Spool};

use crate::{SMALL, append, drain};

struct TempFolder(PathBuf);

impl TempFolder {
    fn new() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("plumbline-spool-{}-{number}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for TempFolder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn records_outlive_the_spool() {
    let folder = TempFolder::new();
    let path = folder.0.join("data").join("spool");
    for number in 0..10 {
        let mut spool = Spool::open(&path, SMALL).unwrap();
        append(&mut spool, [number]);
    }
    let mut spool = Spool::open(&path, SMALL).unwrap();
    assert_eq!(drain(&mut spool), (0..10).collect::<Vec<_>>());
    drop(spool);
    let mut spool = Spool::open(&path, SMALL).unwrap();
    assert_eq!(drain(&mut spool), []);
}

#[test]
fn one_folder_has_one_spool() {
    let folder = TempFolder::new();
    let first = Spool::open(&folder.0, SMALL).unwrap();
    let error = Spool::open(&folder.0, SMALL).unwrap_err();
    assert!(matches!(error, OpenError::InUse { .. }), "{error}");
    assert!(error.to_string().contains(folder.0.to_str().unwrap()));
    drop(first);
    Spool::open(&folder.0, SMALL).unwrap();
}

#[test]
fn only_the_owner_can_read_it() {
    let folder = TempFolder::new();
    std::fs::create_dir(&folder.0).unwrap();
    std::fs::set_permissions(&folder.0, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut spool = Spool::open(&folder.0, SMALL).unwrap();
    append(&mut spool, [0]);
    let batch = spool.next_batch(1, 1).unwrap();
    append(&mut spool, [1]);
    spool.acknowledge(batch.end).unwrap();
    assert_eq!(mode(&folder.0), 0o700);
    let files: Vec<_> = std::fs::read_dir(&folder.0)
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    assert_eq!(files.len(), 3, "{files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[test]
fn a_newer_versions_records_are_not_touched() {
    let folder = TempFolder::new();
    drop(Spool::open(&folder.0, SMALL).unwrap());
    let file = folder.0.join("0000000000000000-0000000000000001.spool2");
    std::fs::write(&file, "whatever").unwrap();
    let error = Spool::open(&folder.0, SMALL).unwrap_err();
    assert!(matches!(error, OpenError::NewerVersion { .. }), "{error}");
    assert_eq!(std::fs::read(&file).unwrap(), b"whatever");
}

#[test]
fn a_file_in_the_folders_place_is_an_error() {
    let folder = TempFolder::new();
    std::fs::write(&folder.0, "a file").unwrap();
    let error = Spool::open(&folder.0, SMALL).unwrap_err();
    std::fs::remove_file(&folder.0).unwrap();
    assert!(matches!(error, OpenError::Disk(_)), "{error}");
}

//! Which installation is chosen, and what is said when there is none.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use private_postgres::find_binaries;

fn install(root: &Path, name: &str, version_line: &str, programs: &[&str]) -> PathBuf {
    let folder = root.join(name);
    std::fs::create_dir_all(&folder).unwrap();
    for program in programs {
        let path = folder.join(program);
        std::fs::write(&path, format!("#!/bin/sh\necho '{version_line}'\n")).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    }
    folder.canonicalize().unwrap()
}

#[test]
fn the_newest_complete_installation_is_chosen() {
    let root = std::env::temp_dir().join(format!("private-postgres-binaries-{}", std::process::id()));
    let all = ["initdb", "postgres", "pg_ctl"];
    let old = install(&root, "old", "postgres (PostgreSQL) 14.9", &all);
    let newer = install(&root, "newer", "postgres (PostgreSQL) 97.1 (Debian 97.1-1)", &all);
    let newest = install(&root, "newest", "postgres (PostgreSQL) 98beta1", &all);
    let twin = install(&root, "twin", "postgres (PostgreSQL) 98.1", &all);
    let partial = install(
        &root,
        "partial",
        "postgres (PostgreSQL) 99.0",
        &["postgres", "pg_ctl"],
    );
    let broken = install(&root, "broken", "Illegal instruction", &all);

    let check = |explicit: Option<&Path>, path: &[&Path], expected: Result<(&Path, u16), &str>| {
        let path_env: OsString = std::env::join_paths(path).unwrap();
        match (find_binaries(explicit, Some(&path_env)), expected) {
            (Ok(found), Ok(expected)) => assert_eq!((found.folder(), found.major()), expected),
            (Err(error), Err(part)) => {
                let text = error.to_string();
                for part in [
                    part,
                    "sudo apt-get install postgresql",
                    "brew install",
                    "DATABASE_URL",
                ] {
                    assert!(text.contains(part), "{text} lacks {part}");
                }
            }
            (found, expected) => panic!("{found:?} instead of {expected:?}"),
        }
    };
    check(None, &[&old, &newer, &newest], Ok((&newest, 98)));
    check(None, &[&partial, &newer, &broken], Ok((&newer, 97)));
    check(None, &[&twin, &newest], Ok((&twin, 98)));
    check(Some(&newer), &[&newest], Ok((&newer, 97)));
    check(Some(&old), &[&newest], Err("version 14 is too old"));
    check(Some(&broken), &[], Err("postgres --version failed"));
    check(Some(&root.join("absent")), &[&newest], Err("absent"));
    std::fs::remove_dir_all(&root).unwrap();
}

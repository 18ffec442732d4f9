//! Finds an installed Postgres: `initdb`, `postgres` and `pg_ctl` of one installation.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Error;

/// The oldest major version the schema runs on.
pub const OLDEST_MAJOR: u16 = 15;

/// Where packages put each major version: the folder, and how the version's folder in it is called.
const PACKAGE_FOLDERS: [(&str, &str); 5] = [
    ("/usr/lib/postgresql", ""),
    ("/opt/homebrew/opt", "postgresql@"),
    ("/usr/local/opt", "postgresql@"),
    ("/usr", "pgsql-"),
    ("/Applications/Postgres.app/Contents/Versions", ""),
];

/// The program's own folder and two above: `target/debug/deps` is that of a test, `target/postgres` what setup makes.
const FOLDERS_ABOVE_PROGRAM: usize = 3;

/// The programs of one installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    folder: PathBuf,
    major: u16,
}

impl Binaries {
    /// The folder that holds the programs.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The major version, e.g. 17.
    #[must_use]
    pub fn major(&self) -> u16 {
        self.major
    }

    pub(crate) fn initdb(&self) -> PathBuf {
        self.folder.join("initdb")
    }

    pub(crate) fn postgres(&self) -> PathBuf {
        self.folder.join("postgres")
    }

    pub(crate) fn pg_ctl(&self) -> PathBuf {
        self.folder.join("pg_ctl")
    }
}

/// The newest installed Postgres, 15 or later: in `explicit` alone when given, else in the folders of
/// `path_env` (the value of PATH) and where packages put it. Where there is none, one that lies beside this program
/// or in a folder above it, as `postgres/18/bin`: nobody needs root to put it there.
///
/// # Errors
/// [`Error::BinariesMissing`], which says where it looked and what to install.
pub fn find_binaries(explicit: Option<&Path>, path_env: Option<&OsStr>) -> Result<Binaries, Error> {
    let search = Search::run(explicit, path_env);
    search.newest().cloned().ok_or(Error::BinariesMissing {
        looked_in: search.looked_in,
    })
}

/// As [`find_binaries`], but of the very major version that made the database in `cluster_dir`.
pub(crate) fn find_binaries_for(
    cluster_dir: &Path,
    database_major: u16,
    explicit: Option<&Path>,
    path_env: Option<&OsStr>,
) -> Result<Binaries, Error> {
    let search = Search::run(explicit, path_env);
    let all = || search.found.iter().chain(&search.beside_program);
    if let Some(matching) = all().find(|binaries| binaries.major == database_major) {
        return Ok(matching.clone());
    }
    match search.newest() {
        Some(newest) => Err(Error::OtherMajor {
            folder: cluster_dir.to_owned(),
            database_major,
            installed_major: newest.major,
        }),
        None => Err(Error::BinariesMissing {
            looked_in: search.looked_in,
        }),
    }
}

#[derive(Default)]
struct Search {
    found: Vec<Binaries>,
    /// Second choice.
    beside_program: Vec<Binaries>,
    looked_in: Vec<String>,
}

impl Search {
    fn run(explicit: Option<&Path>, path_env: Option<&OsStr>) -> Self {
        let mut search = Self::default();
        if let Some(folder) = explicit {
            search.looked_in.push(folder.display().to_string());
            search.look(folder);
            return search;
        }
        for folder in path_env.iter().flat_map(std::env::split_paths) {
            // A relative entry would mean a different program in every working folder.
            if folder.is_absolute() {
                search.looked_in.push(folder.display().to_string());
                search.look(&folder);
            }
        }
        for (parent, prefix) in PACKAGE_FOLDERS {
            search.looked_in.push(format!("{parent}/{prefix}*/bin"));
            for folder in version_folders(Path::new(parent), prefix) {
                search.look(&folder);
            }
        }
        if let Ok(program) = std::env::current_exe() {
            search.look_beside(&program);
        }
        search
    }

    fn look_beside(&mut self, program: &Path) {
        let installed = std::mem::take(&mut self.found);
        for folder in program.ancestors().skip(1).take(FOLDERS_ABOVE_PROGRAM) {
            let parent = folder.join("postgres");
            self.looked_in.push(format!("{}/*/bin", parent.display()));
            for folder in version_folders(&parent, "") {
                self.look(&folder);
            }
        }
        self.beside_program = std::mem::replace(&mut self.found, installed);
    }

    fn look(&mut self, folder: &Path) {
        // PATH often reaches one installation by several names.
        let Ok(folder) = folder.canonicalize() else { return };
        if self.found.iter().any(|binaries| binaries.folder == folder) {
            return;
        }
        if !["initdb", "postgres", "pg_ctl"]
            .iter()
            .all(|program| folder.join(program).is_file())
        {
            return;
        }
        match major_of(&folder.join("postgres")) {
            Some(major) if major >= OLDEST_MAJOR => self.found.push(Binaries { folder, major }),
            Some(major) => self
                .looked_in
                .push(format!("{} (version {major} is too old)", folder.display())),
            None => self
                .looked_in
                .push(format!("{} (postgres --version failed)", folder.display())),
        }
    }

    /// The first found among equals, so that PATH decides.
    fn newest<'a>(&'a self) -> Option<&'a Binaries> {
        let newest_of = |found: &'a [Binaries]| found.iter().rev().max_by_key(|binaries| binaries.major);
        newest_of(&self.found).or_else(|| newest_of(&self.beside_program))
    }
}

fn version_folders(parent: &Path, prefix: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(parent) else {
        return Vec::new();
    };
    let mut folders: Vec<PathBuf> = entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| entry.path().join("bin"))
        .collect();
    folders.sort();
    folders
}

fn major_of(postgres: &Path) -> Option<u16> {
    let output = Command::new(postgres).arg("--version").output().ok()?;
    parse_major(&String::from_utf8_lossy(&output.stdout))
}

fn parse_major(version_line: &str) -> Option<u16> {
    let version = version_line.split_once("(PostgreSQL)")?.1.trim_start();
    let digits = version.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn programs_beside_this_one_are_the_second_choice() {
        let root = std::env::temp_dir().join(format!("private-postgres-beside-{}", std::process::id()));
        let install = |folder: &str, major: u16| {
            let folder = root.join(folder);
            std::fs::create_dir_all(&folder).unwrap();
            for program in ["initdb", "postgres", "pg_ctl"] {
                let path = folder.join(program);
                std::fs::write(
                    &path,
                    format!("#!/bin/sh\necho 'postgres (PostgreSQL) {major}.1'\n"),
                )
                .unwrap();
                std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
            }
            folder.canonicalize().unwrap()
        };
        let beside = install("target/postgres/98/bin", 98);
        let mut search = Search::default();
        search.look_beside(&root.join("target/debug/deps/some_test"));
        assert_eq!(search.newest().map(Binaries::folder), Some(beside.as_path()));
        let installed = install("usr/bin", 97);
        search.look(&installed);
        assert_eq!(search.newest().map(Binaries::folder), Some(installed.as_path()));
        std::fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn major_is_read_from_the_version_line() {
        fn check(line: &str, expected: Option<u16>) {
            assert_eq!(parse_major(line), expected, "{line}");
        }
        check("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)\n", Some(15));
        check("postgres (PostgreSQL) 18beta1", Some(18));
        check("postgres (PostgreSQL) 9.6.24", Some(9));
        check("postgres (PostgreSQL) devel", None);
        check("", None);
    }
}

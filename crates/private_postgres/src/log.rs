//! The log file Postgres writes to, and its last words.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::Error;
use crate::account::Account;

const MAX_LOG_BYTES: u64 = 16 * 1024 * 1024;
const TAIL_LINES: usize = 10;

/// The log for appending, and its length in bytes. A log grown long is put aside first.
pub(crate) fn open(path: &Path, account: &Account) -> Result<(File, u64), Error> {
    if std::fs::metadata(path).is_ok_and(|metadata| metadata.len() > MAX_LOG_BYTES) {
        std::fs::rename(path, path.with_extension("log.old")).map_err(Error::file("rename", path))?;
    }
    let log = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path);
    let log = log.map_err(Error::file("open", path))?;
    account.take_over(path)?;
    let length = log.metadata().map_err(Error::file("look at", path))?.len();
    Ok((log, length))
}

/// The last lines written after `position`, a length in bytes.
pub(crate) fn tail(path: &Path, position: u64) -> String {
    match read_from(path, position) {
        Ok(text) => last_lines(&text, TAIL_LINES),
        Err(error) => format!("(unreadable: {error})"),
    }
}

fn read_from(path: &Path, position: u64) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(position))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_the_log_is_kept() {
        fn check(text: &str, expected: &str) {
            assert_eq!(last_lines(text, 2), expected);
        }
        check("a\nb\nc\n", "b\nc");
        check("a", "a");
        check("", "");
    }
}

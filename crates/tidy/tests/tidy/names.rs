//! How files are called, how long they are, and what does not belong into any.

use crate::repository::{Findings, files, read};

/// A file that is longer needs an idea by which to split it.
const MAX_LINES: usize = 450;
/// Longer, with a reason.
const LONG: &[(&str, &str)] = &[(
    "crates/storage/migrations/20261121090000_create_tables.sql",
    "the whole schema of what is recorded, read from top to bottom",
)];

#[test]
fn files_are_short_enough_to_be_read() {
    let mut findings = Findings::new(
        "split it by idea into `name.rs` and `name/`; where that makes it worse, name it in LONG with the reason",
    );
    for file in files() {
        let counts = ["rs", "ts", "css", "sql"].iter().any(|kind| file.is(kind));
        let lines = file.text.lines().count();
        if counts && lines > MAX_LINES && LONG.iter().all(|(path, _)| *path != file.path) {
            findings.add(&file.path, format!("{lines} lines, at most {MAX_LINES}"));
        }
    }
    for (path, _) in LONG {
        if read(path).lines().count() <= MAX_LINES {
            findings.add(path, "it is short enough: take it out of LONG");
        }
    }
}

#[test]
fn files_are_named_after_what_is_in_them() {
    const EMPTY_WORDS: [&str; 9] = [
        "mod", "util", "utils", "common", "helper", "helpers", "misc", "types", "shared",
    ];
    let mut findings = Findings::new(
        "name it after the one idea in it; what has no idea in common does not belong in one file",
    );
    for file in files() {
        let source = file.is("rs") || file.is("ts");
        let mut parts = file.path.rsplit('/');
        let stem = parts
            .next()
            .unwrap_or_default()
            .split('.')
            .next()
            .unwrap_or_default();
        if source && EMPTY_WORDS.contains(&stem) || parts.any(|folder| EMPTY_WORDS.contains(&folder)) {
            findings.add(&file.path, "the name says nothing");
        }
    }
}

#[test]
fn migrations_are_named_by_time_verb_and_noun() {
    let mut findings =
        Findings::new("name it YYYYMMDDHHMMSS_verb_noun.sql, for instance 20261121090000_add_prices.sql");
    for file in files()
        .iter()
        .filter(|file| file.is_below("crates/storage/migrations") && !file.path.ends_with("/README.md"))
    {
        let name = file.path.rsplit('/').next().unwrap_or_default();
        let (time, words) = name.split_once('_').unwrap_or((name, ""));
        let words = words.strip_suffix(".sql").unwrap_or_default();
        let is_time = time.len() == 14 && time.bytes().all(|byte| byte.is_ascii_digit());
        let are_words = words.split('_').all(|word| {
            !word.is_empty()
                && word
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        });
        let says_what = words.contains('_');
        if !is_time || !are_words || !says_what {
            findings.add(&file.path, "not a migration's name");
        }
    }
}

#[test]
fn what_is_left_to_do_is_an_issue() {
    let mut findings = Findings::new("do it now, or open an issue and write its number: `TODO(#12): …`");
    for file in files().iter().filter(|file| !file.is_below("crates/tidy")) {
        for (line, text) in file.lines() {
            for word in ["TODO", "FIXME"] {
                let Some((_, behind)) = text.split_once(word) else {
                    continue;
                };
                let number = behind.strip_prefix("(#").unwrap_or_default();
                if !number.starts_with(|first: char| first.is_ascii_digit()) {
                    findings.add(format!("{}:{line}", file.path), text.trim());
                }
            }
        }
    }
}

#[test]
fn nothing_points_to_a_developers_machine() {
    const HOMES: [&str; 4] = ["/work/", "/root/", "/home/", "/Users/"];
    let mut findings = Findings::new("write a path from the repository's root, or let the caller say it");
    for file in files().iter().filter(|file| !file.is_below("crates/tidy")) {
        for (line, text) in file.lines() {
            let names_home = HOMES.iter().any(|home| {
                text.match_indices(home).any(|(at, _)| {
                    !text[..at].ends_with(|before: char| before.is_alphanumeric() || "._-}".contains(before))
                })
            });
            if names_home {
                findings.add(format!("{}:{line}", file.path), text.trim());
            }
        }
    }
}

#[test]
fn packages_come_from_where_everybody_gets_them() {
    let mut findings =
        Findings::new("remove the mirror: it belongs into the configuration of the machine that needs it");
    for file in files() {
        let (marker, public) = match file.path.rsplit('/').next().unwrap_or_default() {
            "Cargo.lock" => (
                "source = \"",
                "registry+https://github.com/rust-lang/crates.io-index",
            ),
            "package-lock.json" => ("\"resolved\": \"", "https://registry.npmjs.org/"),
            _ => continue,
        };
        for (line, text) in file.lines() {
            if text
                .split_once(marker)
                .is_some_and(|(_, source)| !source.starts_with(public))
            {
                findings.add(format!("{}:{line}", file.path), text.trim());
            }
        }
    }
    for (path, words) in [
        (".cargo/config.toml", ["[source", "[registr"]),
        ("end2end/.npmrc", ["registry=", "registry ="]),
    ] {
        for word in words {
            if read(path).lines().any(|line| line.trim_start().starts_with(word)) {
                findings.add(path, word);
            }
        }
    }
}

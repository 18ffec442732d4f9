//! The repository's files, and what stands in them.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A text file under version control, or about to be.
pub(crate) struct File {
    /// From the repository's root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl File {
    pub(crate) fn is(&self, extension: &str) -> bool {
        Path::new(&self.path)
            .extension()
            .is_some_and(|found| found == extension)
    }

    pub(crate) fn is_below(&self, folder: &str) -> bool {
        self.path
            .strip_prefix(folder)
            .is_some_and(|rest| rest.starts_with('/'))
    }

    /// Rust that is not a test, a benchmark, an example or a build script.
    pub(crate) fn is_product(&self) -> bool {
        let tests = self.path.contains("/tests/") || self.path.ends_with("/tests.rs");
        let src = self.path.contains("/src/");
        self.is("rs") && src && !tests && !self.is_below("bench")
    }

    /// Its lines with their numbers.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line))
    }

    /// Lines of code: without those that are a comment, and without the tests at the end.
    pub(crate) fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines()
            .take_while(|(_, line)| *line != "#[cfg(test)]")
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
    }
}

/// Collects what is wrong, and fails with all of it and with what to do.
pub(crate) struct Findings {
    advice: &'static str,
    found: Vec<String>,
}

impl Findings {
    pub(crate) fn new(advice: &'static str) -> Self {
        Self {
            advice,
            found: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, place: impl std::fmt::Display, what: impl std::fmt::Display) {
        self.found.push(format!("  {place}: {what}"));
    }
}

impl Drop for Findings {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert!(
                self.found.is_empty(),
                "\n{}\n→ {}\n",
                self.found.join("\n"),
                self.advice
            );
        }
    }
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

pub(crate) fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|cause| panic!("{path}: {cause}"))
}

/// All text files: what git knows and what it would add; without git whatever is in the source folders.
pub(crate) fn files() -> Vec<File> {
    let paths = listed_by_git().unwrap_or_else(|| {
        let mut paths = Vec::new();
        walk(&root(), "", &mut paths);
        paths
    });
    let text = |path: String| {
        // Deleted but still listed, or binary.
        let text = std::fs::read_to_string(root().join(&path)).ok()?;
        Some(File { path, text })
    };
    paths.into_iter().filter_map(text).collect()
}

fn listed_by_git() -> Option<Vec<String>> {
    let output = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
            "--deduplicate",
        ])
        .current_dir(root())
        .output()
        .ok()?;
    let listed = String::from_utf8(output.stdout).ok()?;
    let paths: Vec<_> = listed
        .split('\0')
        .filter(|path| !path.is_empty())
        .map(str::to_owned)
        .collect();
    (output.status.success() && !paths.is_empty()).then_some(paths)
}

fn walk(folder: &Path, prefix: &str, paths: &mut Vec<String>) {
    const MADE: [&str; 6] = [
        "target",
        "node_modules",
        ".git",
        ".plumbline",
        "artifacts",
        "test-results",
    ];
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && !MADE.contains(&name.as_str()) => {
                walk(&entry.path(), &format!("{path}/"), paths);
            }
            Ok(kind) if kind.is_file() => paths.push(path),
            _ => {}
        }
    }
}

//! Why there is no configuration.

use std::path::PathBuf;

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {}: {cause}", path.display())]
    Unreadable {
        path: PathBuf,
        /// The operating system's answer.
        cause: std::io::Error,
    },
    /// The file is not TOML, has an unknown key or a value of the wrong type.
    #[error("{}, line {line}: {message}", path.display())]
    Malformed {
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong; without the line's text, which may hold a password.
        message: String,
    },
    /// A value cannot be used.
    #[error("{key} {problem}")]
    Invalid {
        /// The key as it is called in the file.
        key: &'static str,
        /// What it has to be.
        problem: String,
    },
}

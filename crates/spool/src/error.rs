//! What can go wrong, and what to do.

use std::io;
use std::path::PathBuf;

use crate::limits::MAX_RECORD_BYTES;

/// Why a spool cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another spool is open on the folder.
    #[error(
        "the folder {} is in use by another server: stop it, or give this one a data folder of its own",
        .folder.display()
    )]
    InUse {
        /// The spool's folder.
        folder: PathBuf,
    },
    /// A later version of this program has left records that this one cannot read.
    #[error("{file} was written by a newer version: start that version until everything is stored")]
    NewerVersion {
        /// The file's name in the spool's folder.
        file: String,
    },
    /// The folder cannot be made, read or written.
    #[error("the records that wait on disk cannot be opened: check the data folder and its owner")]
    Disk(#[from] io::Error),
}

/// Why records were not kept. None of the group was.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// [`Limits::max_bytes`](crate::Limits::max_bytes) would be exceeded.
    #[error(
        "{max_bytes} bytes of records wait on disk already: see why they cannot be stored, or raise the limit"
    )]
    Full { max_bytes: u64 },
    /// One record is larger than [`MAX_RECORD_BYTES`]; it will never be kept.
    #[error("a record of {bytes} bytes is larger than {MAX_RECORD_BYTES}")]
    TooLarge {
        /// The record's size.
        bytes: usize,
    },
    /// The disk is full or broken.
    #[error("records cannot be written to disk: check the data folder's free space")]
    Disk(#[source] io::Error),
}

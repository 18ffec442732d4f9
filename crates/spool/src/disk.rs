//! What a spool asks of the file system, and the file system's folder that answers. Tests answer with one
//! that fails and crashes.

mod folder;

use std::io;

pub use folder::Folder;

/// A folder of files with a single writer.
pub trait Disk {
    type File: DiskFile;

    /// The names of all files.
    ///
    /// # Errors
    /// When the folder cannot be read.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Makes an empty file. It survives a power cut after [`sync_folder`](Self::sync_folder).
    ///
    /// # Errors
    /// When it exists, or cannot be made.
    fn create(&self, name: &str) -> io::Result<Self::File>;

    /// Opens a file for reading and writing.
    ///
    /// # Errors
    /// When it does not exist, or cannot be opened.
    fn open(&self, name: &str) -> io::Result<Self::File>;

    /// Deletes a file; after a power cut it may be back. One that does not exist is deleted already.
    ///
    /// # Errors
    /// When it is still there.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Waits until made and deleted names are on disk.
    ///
    /// # Errors
    /// When they may not be.
    fn sync_folder(&self) -> io::Result<()>;
}

pub trait DiskFile {
    /// Its size in bytes.
    ///
    /// # Errors
    /// When it cannot be found out.
    fn size(&self) -> io::Result<u64>;

    /// Reads into `buffer` from `offset` on, and returns how much; 0 is the end of the file.
    ///
    /// # Errors
    /// When it cannot be read.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes all of `bytes` to `offset`.
    ///
    /// # Errors
    /// When not all was written; some of it may have been.
    fn write_all_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Cuts off what is behind `size`.
    ///
    /// # Errors
    /// When it may still be there.
    fn truncate(&self, size: u64) -> io::Result<()>;

    /// Waits until everything written is on disk.
    ///
    /// # Errors
    /// When it may not be.
    fn sync(&self) -> io::Result<()>;
}

//! Up to where records are acknowledged.
//!
//! The file has two places, a page apart, written in turn: whatever happens while one is being written, the
//! other one still says what was true before.

use std::io;

use crate::disk::{Disk, DiskFile};

const NAME: &str = "acknowledged";
const PLACES: [u64; 2] = [0, 4096];
/// The sequence number and its checksum.
const PLACE_BYTES: usize = 12;
/// Summed, too: a number in a file of another kind is none.
const PURPOSE: &[u8] = b"plumbline spool acknowledged 1";

/// The file, open.
#[derive(Debug)]
pub(crate) struct AcknowledgedFile<F> {
    file: F,
    sequence: u64,
    /// Index into [`PLACES`] of what is to be written next.
    next_place: usize,
}

impl<F: DiskFile> AcknowledgedFile<F> {
    /// Opens the file, one of `names`, or makes it. The second value is whether it says anything.
    pub(crate) fn open<D: Disk<File = F>>(disk: &D, names: &[String]) -> io::Result<(Self, bool)> {
        let exists = names.iter().any(|name| name == NAME);
        let file = if exists {
            disk.open(NAME)?
        } else {
            disk.create(NAME)?
        };
        // Also one that was found: its name, and what will be read, may not be on disk yet when the process
        // was killed.
        disk.sync_folder()?;
        file.sync()?;
        let mut newest = None;
        for (index, offset) in PLACES.into_iter().enumerate() {
            newest = newest.max(read(&file, offset)?.map(|sequence| (sequence, index)));
        }
        let (sequence, place) = newest.unwrap_or((0, 1));
        let acknowledged = Self {
            file,
            sequence,
            next_place: 1 - place,
        };
        Ok((acknowledged, newest.is_some()))
    }

    /// The first sequence number that is not acknowledged.
    pub(crate) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Starts at `sequence` where the file said nothing.
    pub(crate) fn assume(&mut self, sequence: u64) {
        self.sequence = sequence;
    }

    /// Writes `sequence` and waits for the disk. Where that fails, the next call writes to the same place:
    /// the other one stays right.
    pub(crate) fn write(&mut self, sequence: u64) -> io::Result<()> {
        let mut place = [0; PLACE_BYTES];
        let (number, sum) = place.split_at_mut(8);
        number.copy_from_slice(&sequence.to_le_bytes());
        sum.copy_from_slice(&checksum(number).to_le_bytes());
        self.file.write_all_at(PLACES[self.next_place], &place)?;
        self.file.sync()?;
        self.sequence = sequence;
        self.next_place = 1 - self.next_place;
        Ok(())
    }
}

fn checksum(number: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(PURPOSE);
    hasher.update(number);
    hasher.finalize()
}

/// `None` where nothing or nothing undamaged stands.
fn read(file: &impl DiskFile, offset: u64) -> io::Result<Option<u64>> {
    let mut place = [0; PLACE_BYTES];
    let mut length = 0;
    while length < PLACE_BYTES {
        match file.read_at(offset + length as u64, &mut place[length..])? {
            0 => return Ok(None),
            more => length += more,
        }
    }
    let (number, sum) = place.split_at(8);
    let is_undamaged = sum == checksum(number).to_le_bytes();
    let sequence = number.try_into().map(u64::from_le_bytes).ok();
    Ok(sequence.filter(|_| is_undamaged))
}

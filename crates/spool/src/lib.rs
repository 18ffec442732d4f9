//! Keeps records on disk, in order and checksummed, until they have been stored elsewhere.
//!
//! A record is opaque bytes. What [`Spool::append`] has said `Ok` to survives a crash and a power cut; it is
//! read with [`Spool::next_batch`] and stays until [`Spool::acknowledge`]. A crash between "stored elsewhere"
//! and "acknowledged" gives the same records again: where storing the same record twice is storing it once
//! (steps are, by project, run and step), every record is stored exactly once.
//!
//! ```text
//! <folder>/lock                                     held while a Spool lives: never two on one folder
//! <folder>/acknowledged                             up to which sequence number records are done with
//! <folder>/<first sequence>-<marker>.spool1         segments of records, the last one is written to
//! ```
//!
//! Records are numbered. So a damaged one is noticed by its missing number, is counted and skipped, and all
//! others are delivered. Each segment has a random marker, which every record in it starts with: what a
//! record says can never be mistaken for a record, however it was made up. `1` is the format's version.
//!
//! Everything blocks on the disk: call it from a thread of its own. Folder and files are closed to other
//! accounts (0700, 0600).

mod error;
mod frame;
mod gaps;
mod limits;
mod position;
mod reader;
mod recovery;
mod segment;

pub mod disk;

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::path::Path;

use crate::disk::{Disk, Folder};
use crate::frame::HEADER_BYTES;
use crate::gaps::Gaps;
use crate::position::AcknowledgedFile;
use crate::reader::FrameReader;
use crate::segment::{Segment, Writer};

pub use crate::error::{AppendError, OpenError};
pub use crate::limits::{Limits, MAX_RECORD_BYTES, Stats};

/// Records to store elsewhere, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The records as they were appended. Empty when nothing waits.
    pub records: Vec<Vec<u8>>,
    /// What to [acknowledge](Spool::acknowledge) once all of `records` are stored.
    pub end: Position,
}

/// The end of a [`Batch`], for the open spool that gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The first record that is not included.
    sequence: u64,
    /// First sequence number of the segment that `offset` is in.
    segment: u64,
    offset: u64,
}

/// An open spool; see the [crate's description](crate).
#[derive(Debug)]
pub struct Spool<D: Disk = Folder> {
    disk: D,
    limits: Limits,
    acknowledged: AcknowledgedFile<D::File>,
    /// Oldest first.
    segments: VecDeque<Segment>,
    /// Writes to the last of `segments`.
    writer: Option<Writer<D::File>>,
    /// Done with, but could not be deleted yet.
    leftovers: Vec<Segment>,
    next_sequence: u64,
    /// Where in the first segment to read on, if not from its start.
    offset: u64,
    gaps: Gaps,
    damaged_records: u64,
    torn_bytes: u64,
}

impl Spool {
    /// Opens the spool in `folder`, which is made when missing and should hold nothing else. Reads everything
    /// that waits there once: an incomplete record at the very end (a crash while it was written) is cut off,
    /// damaged ones are counted.
    ///
    /// # Errors
    /// [`OpenError::InUse`] while another `Spool`, of this process or another, is open on `folder`;
    /// [`OpenError::NewerVersion`] where a later version has left records; [`OpenError::Disk`] otherwise.
    pub fn open(folder: &Path, limits: Limits) -> Result<Self, OpenError> {
        Self::open_on(Folder::open(folder)?, limits)
    }
}

impl<D: Disk> Spool<D> {
    /// Keeps `records` behind those that wait already: all of them or, on an error, none. They are on disk
    /// when this returns; one wait for the disk serves the whole group, so many at once are cheap. (Where a
    /// broken disk does not even let the beginning of a group be cut off, records of it may be given after
    /// the next start.)
    ///
    /// # Errors
    /// [`AppendError::Full`] when the group does not fit below [`Limits::max_bytes`];
    /// [`AppendError::TooLarge`] when one record is larger than [`MAX_RECORD_BYTES`];
    /// [`AppendError::Disk`] when the disk is full or broken. The spool stays usable after each: calling
    /// again with the same records succeeds once there is room.
    pub fn append(&mut self, records: &[impl AsRef<[u8]>]) -> Result<(), AppendError> {
        let mut bytes = 0;
        for record in records.iter().map(AsRef::as_ref) {
            if record.len() > MAX_RECORD_BYTES {
                return Err(AppendError::TooLarge { bytes: record.len() });
            }
            bytes += (HEADER_BYTES + record.len()) as u64;
        }
        if records.is_empty() {
            return Ok(());
        }
        if self.bytes() + bytes > self.limits.max_bytes {
            return Err(AppendError::Full {
                max_bytes: self.limits.max_bytes,
            });
        }
        self.write(records, bytes).map_err(AppendError::Disk)
    }

    /// The oldest records that are not acknowledged, without removing them: at most `max_records` of
    /// together at most `max_bytes`, but always at least one where one waits. Called again before
    /// [`acknowledge`](Self::acknowledge) it gives the same records.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn next_batch(&mut self, max_records: usize, max_bytes: usize) -> io::Result<Batch> {
        let mut records: Vec<Vec<u8>> = Vec::new();
        let mut bytes = 0;
        let done = self.acknowledged.sequence();
        let mut end = Position {
            sequence: done,
            segment: 0,
            offset: self.offset,
        };
        for index in 0..self.segments.len() {
            let (segment, behind) = (self.segments[index], self.end_of(index));
            if end.sequence >= behind {
                continue;
            }
            if !records.is_empty() && records.len() >= max_records {
                break;
            }
            end.offset = if index == 0 { self.offset } else { 0 };
            end.segment = segment.first;
            let file = self.disk.open(&segment.name())?;
            let mut reader = FrameReader::new(&file, segment, end.offset, end.sequence..behind);
            while let Some(header) = reader.find()? {
                let fits = records.len() < max_records && bytes + header.length <= max_bytes;
                if !fits && !records.is_empty() {
                    return Ok(Batch { records, end });
                }
                self.note_missing(end.sequence..header.sequence);
                bytes += header.length;
                records.push(reader.payload(&header).to_vec());
                reader.advance(&header);
                end.sequence = header.sequence + 1;
                end.offset = reader.offset();
            }
            self.note_missing(end.sequence..behind);
            end.sequence = behind;
            end.offset = segment.bytes;
        }
        if records.is_empty() && end.sequence > done {
            // Nothing but damage: it would never be acknowledged.
            self.acknowledge(end)?;
        }
        Ok(Batch { records, end })
    }

    /// Says that everything before `end` is stored elsewhere. That is on disk when this returns: those
    /// records never come back. Segments without waiting records are deleted. An `end` that was acknowledged
    /// before, or lies before one that was, changes nothing.
    ///
    /// # Errors
    /// When the disk cannot be written, or when `end` is of another spool. Then the records are still there:
    /// take the batch again, or acknowledge it again.
    pub fn acknowledge(&mut self, end: Position) -> io::Result<()> {
        if end.sequence > self.next_sequence {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the position is of another spool",
            ));
        }
        if end.sequence > self.acknowledged.sequence() {
            self.acknowledged.write(end.sequence)?;
            self.gaps.forget_before(end.sequence);
            self.discard_until(end);
        }
        Ok(())
    }

    /// What waits, and what was damaged. Costs nothing: for a gauge.
    pub fn stats(&self) -> Stats {
        let numbers = self.next_sequence - self.acknowledged.sequence();
        Stats {
            bytes: self.bytes(),
            max_bytes: self.limits.max_bytes,
            waiting_records: numbers - self.gaps.count(),
            damaged_records: self.damaged_records,
            torn_bytes: self.torn_bytes,
        }
    }

    fn bytes(&self) -> u64 {
        let segments = self.segments.iter().chain(&self.leftovers);
        segments.map(|segment| segment.bytes).sum()
    }

    /// The first sequence number that is not of the segment at `index`.
    fn end_of(&self, index: usize) -> u64 {
        self.segments
            .get(index + 1)
            .map_or(self.next_sequence, |next| next.first)
    }

    fn note_missing(&mut self, sequences: Range<u64>) {
        self.damaged_records += self.gaps.add(sequences);
    }

    /// Appends a group of `bytes` with its headers, or leaves the files as they were.
    fn write(&mut self, records: &[impl AsRef<[u8]>], bytes: u64) -> io::Result<()> {
        if let (Some(writer), Some(segment)) = (&mut self.writer, self.segments.back()) {
            writer.roll_back(segment)?;
        }
        let fits =
            |segment: &Segment| segment.bytes == 0 || segment.bytes + bytes <= self.limits.segment_bytes;
        if self.writer.is_none() || !self.segments.back().is_some_and(fits) {
            self.start_segment()?;
        }
        if let (Some(writer), Some(segment)) = (&mut self.writer, self.segments.back_mut()) {
            writer.append(segment, self.next_sequence, records)?;
            self.next_sequence += records.len() as u64;
        }
        Ok(())
    }

    /// The segment's name is on disk before anything is written to it.
    fn start_segment(&mut self) -> io::Result<()> {
        let segment = Segment::new(self.next_sequence);
        let file = self.disk.create(&segment.name())?;
        if let Err(cause) = self.disk.sync_folder() {
            // Empty: it does no harm where it stays, and the next start deletes it.
            self.disk.remove(&segment.name()).ok();
            return Err(cause);
        }
        self.segments.push_back(segment);
        self.writer = Some(Writer::new(file));
        Ok(())
    }

    /// Deletes the segments that end at or before `end`. One that cannot be deleted is tried again the next
    /// time; its records are acknowledged and so never come back.
    fn discard_until(&mut self, end: Position) {
        while !self.segments.is_empty() && self.end_of(0) <= end.sequence {
            let is_last = self.segments.len() == 1;
            if is_last && self.writer.as_ref().is_some_and(Writer::needs_roll_back) {
                // What failed to be written stands in it; it has to be cut off before numbers are used again.
                break;
            }
            if is_last {
                self.writer = None;
            }
            self.leftovers.extend(self.segments.pop_front());
        }
        let is_same = self
            .segments
            .front()
            .is_some_and(|front| front.first == end.segment);
        self.offset = if is_same { end.offset } else { 0 };
        self.leftovers
            .retain(|segment| self.disk.remove(&segment.name()).is_err());
    }
}

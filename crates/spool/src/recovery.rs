//! Opens what an earlier process has left, however it ended.

use std::collections::VecDeque;
use std::io;

use crate::Spool;
use crate::disk::{Disk, DiskFile};
use crate::error::OpenError;
use crate::gaps::Gaps;
use crate::limits::Limits;
use crate::position::AcknowledgedFile;
use crate::reader::FrameReader;
use crate::segment::{Name, Segment, Writer};

impl<D: Disk> Spool<D> {
    /// Opens the spool on `disk`; what [`Spool::open`] does with a folder.
    ///
    /// # Errors
    /// [`OpenError::NewerVersion`] and [`OpenError::Disk`], as of [`Spool::open`].
    pub fn open_on(disk: D, limits: Limits) -> Result<Self, OpenError> {
        let names = disk.list()?;
        let (segments, empty) = find_segments(&disk, &names)?;
        let (mut acknowledged, is_known) = AcknowledgedFile::open(&disk, &names)?;
        if !is_known {
            // Damaged, or never written: everything is given again rather than nothing.
            acknowledged.assume(segments.front().map_or(0, |oldest| oldest.first));
        }
        let last = segments.iter().chain(&empty).map(|segment| segment.first).max();
        let mut spool = Self {
            next_sequence: acknowledged.sequence().max(last.unwrap_or(0)),
            disk,
            limits,
            acknowledged,
            segments,
            writer: None,
            leftovers: empty,
            offset: 0,
            gaps: Gaps::default(),
            damaged_records: 0,
            torn_bytes: 0,
        };
        spool.recover()?;
        Ok(spool)
    }

    /// Finds out what waits in the segments.
    fn recover(&mut self) -> io::Result<()> {
        let done = self.acknowledged.sequence();
        while self.segments.len() > 1 && self.end_of(0) <= done {
            self.leftovers.extend(self.segments.pop_front());
        }
        let mut expected = done;
        for index in 0..self.segments.len() {
            let is_last = index + 1 == self.segments.len();
            let segment = self.segments[index];
            // The last one's end is what is being looked for.
            let behind = if is_last { u64::MAX } else { self.end_of(index) };
            self.note_missing(expected..segment.first);
            expected = expected.max(segment.first);
            let file = self.disk.open(&segment.name())?;
            let mut reader = FrameReader::new(&file, segment, 0, segment.first..behind);
            let mut valid_bytes = 0;
            while let Some(header) = reader.find()? {
                reader.advance(&header);
                valid_bytes = reader.offset();
                if header.sequence >= done {
                    self.note_missing(expected..header.sequence);
                    expected = header.sequence + 1;
                }
            }
            let end = if is_last { reader.seen_until() } else { behind };
            self.note_missing(expected..end);
            expected = expected.max(end);
            if is_last {
                self.close_tail(file, valid_bytes)?;
            }
        }
        // A file without content still says how many records came before it.
        self.note_missing(expected..self.next_sequence);
        self.next_sequence = self.next_sequence.max(expected);
        if self.acknowledged.sequence() >= self.next_sequence {
            self.leftovers.extend(self.segments.drain(..));
        }
        if self.segments.is_empty() {
            self.writer = None;
        }
        self.leftovers
            .retain(|segment| self.disk.remove(&segment.name()).is_err());
        Ok(())
    }

    /// Cuts off what stands behind the last undamaged record. The rest may be of an append that was never
    /// waited for: it is on disk for certain before it is returned.
    fn close_tail(&mut self, file: D::File, valid_bytes: u64) -> io::Result<()> {
        if let Some(segment) = self.segments.back_mut() {
            if valid_bytes < segment.bytes {
                self.torn_bytes += segment.bytes - valid_bytes;
                segment.bytes = valid_bytes;
                file.truncate(valid_bytes)?;
            }
            file.sync()?;
            self.writer = Some(Writer::new(file));
        }
        Ok(())
    }
}

/// The segments, oldest first, and those without content.
fn find_segments(disk: &impl Disk, names: &[String]) -> Result<(VecDeque<Segment>, Vec<Segment>), OpenError> {
    let mut segments = Vec::new();
    for name in names {
        match Segment::parse(name) {
            Name::Segment(mut segment) => {
                segment.bytes = disk.open(name)?.size()?;
                segments.push(segment);
            }
            Name::Newer => return Err(OpenError::NewerVersion { file: name.clone() }),
            Name::Other => {}
        }
    }
    segments.sort_by_key(|segment| segment.first);
    let (empty, full) = segments.into_iter().partition(|segment| segment.bytes == 0);
    Ok((VecDeque::from(full), empty))
}

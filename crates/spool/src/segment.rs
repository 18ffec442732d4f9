//! A file of records.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;

use crate::disk::DiskFile;
use crate::frame;

/// Its last character is the format's version.
const EXTENSION: &str = ".spool1";
const ANY_EXTENSION: &str = ".spool";

/// A file of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Segment {
    /// The smallest sequence number that may be in it.
    pub(crate) first: u64,
    /// What each of its records starts with: random, so that no record's content can contain it.
    pub(crate) marker: u64,
    /// How much of the file counts.
    pub(crate) bytes: u64,
}

/// What a file's name says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Name {
    Segment(Segment),
    /// A segment of a version that we don't know.
    Newer,
    Other,
}

impl Segment {
    pub(crate) fn new(first: u64) -> Self {
        Self {
            first,
            marker: RandomState::new().build_hasher().finish(),
            bytes: 0,
        }
    }

    pub(crate) fn name(&self) -> String {
        format!("{:016x}-{:016x}{EXTENSION}", self.first, self.marker)
    }

    /// What `name` says; its size is for the caller to find out.
    pub(crate) fn parse(name: &str) -> Name {
        let number = |digits: &str| u64::from_str_radix(digits, 16).ok();
        let numbers = name
            .strip_suffix(EXTENSION)
            .and_then(|stem| stem.split_once('-'))
            .and_then(|(first, marker)| Some((number(first)?, number(marker)?)));
        let segment = numbers.map(|(first, marker)| Self {
            first,
            marker,
            bytes: 0,
        });
        match segment {
            Some(segment) if segment.name() == name => Name::Segment(segment),
            _ if !name.ends_with(EXTENSION) && has_version(name) => Name::Newer,
            _ => Name::Other,
        }
    }
}

fn has_version(name: &str) -> bool {
    let version = name.rsplit_once(ANY_EXTENSION).map(|(_, version)| version);
    version.is_some_and(|version| version.parse::<u32>().is_ok())
}

/// Writes to a segment's end.
#[derive(Debug)]
pub(crate) struct Writer<F> {
    file: F,
    needs_roll_back: bool,
}

impl<F: DiskFile> Writer<F> {
    pub(crate) fn new(file: F) -> Self {
        Self {
            file,
            needs_roll_back: false,
        }
    }

    /// Whether something that failed to be written may stand behind the segment's end.
    pub(crate) fn needs_roll_back(&self) -> bool {
        self.needs_roll_back
    }

    /// Cuts off what failed to be written, if anything did.
    pub(crate) fn roll_back(&mut self, segment: &Segment) -> io::Result<()> {
        if self.needs_roll_back {
            self.file.truncate(segment.bytes)?;
            self.file.sync()?;
            self.needs_roll_back = false;
        }
        Ok(())
    }

    /// Writes a group to the segment's end, numbered from `sequence` on, and waits for the disk.
    pub(crate) fn append(
        &mut self,
        segment: &mut Segment,
        sequence: u64,
        records: &[impl AsRef<[u8]>],
    ) -> io::Result<()> {
        let payload_bytes: usize = records.iter().map(|record| record.as_ref().len()).sum();
        let mut bytes = Vec::with_capacity(payload_bytes + records.len() * frame::HEADER_BYTES);
        for (sequence, record) in (sequence..).zip(records) {
            frame::encode(&mut bytes, segment.marker, sequence, record.as_ref());
        }
        let written = self
            .file
            .write_all_at(segment.bytes, &bytes)
            .and_then(|()| self.file.sync());
        if written.is_ok() {
            segment.bytes += bytes.len() as u64;
        } else {
            self.needs_roll_back = true;
            // Where this fails, too, the next append tries again before it writes.
            self.roll_back(segment).ok();
        }
        written
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_is_in_a_file() {
        let check = |name: &str, expected: Name| assert_eq!(Segment::parse(name), expected, "{name}");
        let segment = Segment {
            first: 0x1f,
            marker: 0xabc0_0000_0000_0001,
            bytes: 0,
        };
        check("000000000000001f-abc0000000000001.spool1", Name::Segment(segment));
        check("000000000000001f-abc0000000000001.spool2", Name::Newer);
        check("whatever.spool10", Name::Newer);
        check("1f-abc0000000000001.spool1", Name::Other);
        check("+00000000000001f-abc0000000000001.spool1", Name::Other);
        check("000000000000001f-abc0000000000001.spool1.bak", Name::Other);
        check("acknowledged", Name::Other);
        check("lock", Name::Other);
    }
}

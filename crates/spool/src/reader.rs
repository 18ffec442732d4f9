//! Finds the undamaged records of a segment.

use std::io;
use std::ops::Range;

use crate::disk::DiskFile;
use crate::frame::{HEADER_BYTES, Header, MARKER_BYTES};
use crate::segment::Segment;

/// How much is read at once, at least.
const CHUNK_BYTES: usize = 256 << 10;

/// Reads a segment from front to back, once. Behind damage it goes on at the next undamaged record.
#[derive(Debug)]
pub(crate) struct FrameReader<'file, F> {
    file: &'file F,
    marker: u64,
    /// How much of the file counts.
    size: u64,
    /// The numbers that records may have from here on.
    sequences: Range<u64>,
    /// What has been read of the file, from `offset - start` on.
    window: Vec<u8>,
    /// Where in `window` to go on.
    start: usize,
    offset: u64,
    /// The number behind the largest one seen, damaged payloads included.
    seen_until: u64,
}

impl<'file, F: DiskFile> FrameReader<'file, F> {
    /// Reads the records of `segment` from `offset` on whose numbers are among `sequences`.
    pub(crate) fn new(file: &'file F, segment: Segment, offset: u64, sequences: Range<u64>) -> Self {
        Self {
            file,
            marker: segment.marker,
            size: segment.bytes,
            seen_until: sequences.start,
            sequences,
            window: Vec::new(),
            start: 0,
            offset,
        }
    }

    /// Goes to the next undamaged record; `None` where there is none.
    pub(crate) fn find(&mut self) -> io::Result<Option<Header>> {
        while self.fill(HEADER_BYTES)? {
            let header = Header::decode(self.ahead(), self.marker)
                .filter(|header| self.sequences.contains(&header.sequence));
            if let Some(header) = header
                && self.fill(HEADER_BYTES + header.length)?
            {
                self.seen_until = self.seen_until.max(header.sequence + 1);
                if header.is_of(self.payload(&header)) {
                    return Ok(Some(header));
                }
            }
            self.skip_to_marker()?;
        }
        Ok(None)
    }

    /// The payload of the record just found.
    pub(crate) fn payload(&self, header: &Header) -> &[u8] {
        &self.ahead()[HEADER_BYTES..HEADER_BYTES + header.length]
    }

    /// Goes behind the record just found.
    pub(crate) fn advance(&mut self, header: &Header) {
        self.sequences.start = header.sequence + 1;
        self.consume(HEADER_BYTES + header.length);
    }

    /// Where in the file it is.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// The number behind the largest one seen, damaged payloads included.
    pub(crate) fn seen_until(&self) -> u64 {
        self.seen_until
    }

    fn ahead(&self) -> &[u8] {
        &self.window[self.start..]
    }

    fn consume(&mut self, bytes: usize) {
        self.start += bytes;
        self.offset += bytes as u64;
    }

    /// Reads until at least `wanted` bytes are ahead; `false`, having allocated nothing, when the file ends
    /// before.
    fn fill(&mut self, wanted: usize) -> io::Result<bool> {
        loop {
            let have = self.ahead().len();
            if have >= wanted {
                return Ok(true);
            }
            let at = self.offset + have as u64;
            let rest = self.size.saturating_sub(at);
            if ((wanted - have) as u64) > rest {
                return Ok(false);
            }
            self.window.drain(..self.start);
            self.start = 0;
            let more = rest.min(CHUNK_BYTES.max(wanted - have) as u64) as usize;
            self.window.resize(have + more, 0);
            let read = self.file.read_at(at, &mut self.window[have..])?;
            self.window.truncate(have + read);
            if read == 0 {
                // The file was truncated.
                self.size = at;
            }
        }
    }

    /// Goes to where the next record may start.
    fn skip_to_marker(&mut self) -> io::Result<()> {
        let marker = self.marker.to_le_bytes();
        self.consume(1);
        while self.fill(MARKER_BYTES)? {
            let mut places = self.ahead().windows(MARKER_BYTES);
            if let Some(distance) = places.position(|place| place == marker) {
                self.consume(distance);
                return Ok(());
            }
            self.consume(self.ahead().len() - (MARKER_BYTES - 1));
        }
        Ok(())
    }
}

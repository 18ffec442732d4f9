//! One record in a segment.
//!
//! ```text
//! marker 8 | sequence 8 | payload length 4 | payload checksum 4 | checksum of these 24 bytes 4 | payload
//! ```
//!
//! Numbers are little-endian, checksums CRC-32. The header has a checksum of its own so that a damaged length
//! is never believed.

use crate::limits::MAX_RECORD_BYTES;

pub(crate) const MARKER_BYTES: usize = 8;
pub(crate) const HEADER_BYTES: usize = 28;
const SUMMED_BYTES: usize = HEADER_BYTES - 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) sequence: u64,
    /// Of the payload.
    pub(crate) length: usize,
    checksum: u32,
}

impl Header {
    /// `None` when `bytes` do not start with the undamaged header of a record.
    pub(crate) fn decode(bytes: &[u8], marker: u64) -> Option<Self> {
        let (header, _) = bytes.split_first_chunk::<HEADER_BYTES>()?;
        let mut parts = header.as_slice();
        if take_u64(&mut parts)? != marker {
            return None;
        }
        let sequence = take_u64(&mut parts)?;
        let length = take_u32(&mut parts)? as usize;
        let checksum = take_u32(&mut parts)?;
        let is_undamaged = take_u32(&mut parts)? == crc32fast::hash(&header[..SUMMED_BYTES]);
        (is_undamaged && length <= MAX_RECORD_BYTES).then_some(Self {
            sequence,
            length,
            checksum,
        })
    }

    pub(crate) fn is_of(&self, payload: &[u8]) -> bool {
        payload.len() == self.length && crc32fast::hash(payload) == self.checksum
    }
}

fn take_u64(bytes: &mut &[u8]) -> Option<u64> {
    let (number, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(u64::from_le_bytes(*number))
}

fn take_u32(bytes: &mut &[u8]) -> Option<u32> {
    let (number, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(u32::from_le_bytes(*number))
}

/// Adds the record to `bytes`. It is at most [`MAX_RECORD_BYTES`] large.
pub(crate) fn encode(bytes: &mut Vec<u8>, marker: u64, sequence: u64, payload: &[u8]) {
    let start = bytes.len();
    bytes.extend(marker.to_le_bytes());
    bytes.extend(sequence.to_le_bytes());
    bytes.extend((payload.len() as u32).to_le_bytes());
    bytes.extend(crc32fast::hash(payload).to_le_bytes());
    let checksum = crc32fast::hash(&bytes[start..]);
    bytes.extend(checksum.to_le_bytes());
    bytes.extend(payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_claims_to_be_too_large_is_damage() {
        let check = |length: usize, expected: bool| {
            let mut bytes = Vec::new();
            encode(&mut bytes, 1, 2, b"payload");
            bytes[16..20].copy_from_slice(&(length as u32).to_le_bytes());
            let checksum = crc32fast::hash(&bytes[..SUMMED_BYTES]);
            bytes[SUMMED_BYTES..HEADER_BYTES].copy_from_slice(&checksum.to_le_bytes());
            assert_eq!(Header::decode(&bytes, 1).is_some(), expected, "{length}");
        };
        check(0, true);
        check(MAX_RECORD_BYTES, true);
        check(MAX_RECORD_BYTES + 1, false);
        check(u32::MAX as usize, false);
    }
}

//! Copies of compressed bodies, unpacked for reading. Never on the way of a call.

use std::io::Read;

use axum::http::HeaderValue;

use super::capture::{MAX_KEPT_BYTES, Reservation};

/// The body without its `Content-Encoding`; `None` when that is unknown, broken from its beginning, or the body is too
/// large unpacked, for itself or for the memory that `held` is a part of. Of a body that was cut, what can be unpacked.
pub fn unpacked(encoding: &HeaderValue, packed: &[u8], held: &mut Reservation) -> Option<Vec<u8>> {
    let mut own = held.another();
    let plain = decoded(encoding, packed, &mut own)?;
    held.set_to(held.bytes() + plain.len());
    Some(plain)
}

fn decoded(encoding: &HeaderValue, packed: &[u8], held: &mut Reservation) -> Option<Vec<u8>> {
    let encoding = encoding.to_str().ok()?.to_ascii_lowercase();
    let mut body = packed.to_vec();
    // The one named last was applied last.
    for coding in encoding.rsplit(',').map(str::trim) {
        body = match coding {
            "" | "identity" => body,
            "gzip" | "x-gzip" => read(flate2::read::MultiGzDecoder::new(&body[..]), held)?,
            "deflate" => read(flate2::read::ZlibDecoder::new(&body[..]), held)
                .filter(|plain| !plain.is_empty() || body.is_empty())
                // Some leave out the frame that the name stands for.
                .or_else(|| read(flate2::read::DeflateDecoder::new(&body[..]), held))?,
            "br" => read(brotli::Decompressor::new(&body[..], 64 * 1024), held)?,
            "zstd" => read(zstd::stream::read::Decoder::new(&body[..]).ok()?, held)?,
            _ => return None,
        };
    }
    Some(body)
}

fn read(mut reader: impl Read, held: &mut Reservation) -> Option<Vec<u8>> {
    let mut plain = Vec::new();
    let mut chunk = [0; 16 * 1024];
    loop {
        match reader.read(&mut chunk) {
            Ok(0) => return Some(plain),
            // A few bytes can unpack to thousands of times as many, so each chunk is reserved first.
            Ok(length) if plain.len() + length > MAX_KEPT_BYTES || !held.grow(length) => return None,
            Ok(length) => plain.extend_from_slice(&chunk[..length]),
            Err(cause) if cause.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_cut) if !plain.is_empty() => return Some(plain),
            Err(_broken) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::proxy::capture::Budget;

    const GZIP: HeaderValue = HeaderValue::from_static("gzip");

    fn packed(plain: &[u8]) -> Vec<u8> {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        gzip.write_all(plain).unwrap();
        gzip.finish().unwrap()
    }

    #[test]
    fn what_is_unpacked_takes_its_part_of_the_memory() {
        let budget = Budget::new(3_000_000);
        let bomb = packed(&vec![b' '; 2_000_000]);
        assert!(bomb.len() < 3_000);
        let (mut first, mut second) = (Reservation::of(&budget), Reservation::of(&budget));
        assert_eq!(
            unpacked(&GZIP, &bomb, &mut first).map(|plain| plain.len()),
            Some(2_000_000)
        );
        assert_eq!(budget.used(), 2_000_000);
        assert_eq!(unpacked(&GZIP, &bomb, &mut second), None);
        assert_eq!(budget.used(), 2_000_000, "what was given up still counts");
        drop(first);
        assert!(unpacked(&GZIP, &bomb, &mut second).is_some());
        drop(second);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn packed_twice() {
        let budget = Budget::new(usize::MAX);
        let mut held = Reservation::of(&budget);
        let twice = packed(&packed(b"hello"));
        let encoding = HeaderValue::from_static("gzip, gzip");
        assert_eq!(unpacked(&encoding, &twice, &mut held), Some(b"hello".to_vec()));
        assert_eq!(budget.used(), 5);
    }
}

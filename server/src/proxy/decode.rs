//! Copies of compressed bodies, unpacked for reading. Never on the way of a call.

use std::io::Read;

use axum::http::HeaderValue;

use super::capture::MAX_KEPT_BYTES;

/// The body without its `Content-Encoding`; `None` when that is unknown, broken from its beginning, or the body is too
/// large unpacked. Of a body that was cut, what can be unpacked.
pub fn unpacked(encoding: &HeaderValue, packed: &[u8]) -> Option<Vec<u8>> {
    let encoding = encoding.to_str().ok()?.to_ascii_lowercase();
    let mut body = packed.to_vec();
    // The one named last was applied last.
    for coding in encoding.rsplit(',').map(str::trim) {
        body = match coding {
            "" | "identity" => body,
            "gzip" | "x-gzip" => read(flate2::read::MultiGzDecoder::new(&body[..]))?,
            "deflate" => read(flate2::read::ZlibDecoder::new(&body[..]))
                .filter(|plain| !plain.is_empty() || body.is_empty())
                // Some leave out the frame that the name stands for.
                .or_else(|| read(flate2::read::DeflateDecoder::new(&body[..])))?,
            "br" => read(brotli::Decompressor::new(&body[..], 64 * 1024))?,
            "zstd" => read(zstd::stream::read::Decoder::new(&body[..]).ok()?)?,
            _ => return None,
        };
    }
    Some(body)
}

fn read(mut reader: impl Read) -> Option<Vec<u8>> {
    let mut plain = Vec::new();
    let mut piece = [0; 16 * 1024];
    loop {
        match reader.read(&mut piece) {
            Ok(0) => return Some(plain),
            Ok(length) if plain.len() + length > MAX_KEPT_BYTES => return None,
            Ok(length) => plain.extend_from_slice(&piece[..length]),
            Err(cause) if cause.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_cut) if !plain.is_empty() => return Some(plain),
            Err(_broken) => return None,
        }
    }
}

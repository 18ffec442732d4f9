//! The frame around the one message of a unary call: a byte that says whether it is compressed, its length in four, and
//! the message. Fuzzed by the target `grpc`.

use bytes::{Buf as _, Bytes};

/// What stands before a message.
pub(crate) const PREFIX_BYTES: usize = 5;

/// The message of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    Plain(Bytes),
    /// As the header `grpc-encoding` says.
    Packed(Bytes),
}

/// Takes the frame away; what is wrong with it in words.
pub(crate) fn message_of(mut framed: Bytes) -> Result<Message, &'static str> {
    if framed.len() < PREFIX_BYTES {
        return Err("The call ended before its message");
    }
    let (flag, length) = (framed.get_u8(), framed.get_u32());
    if usize::try_from(length) != Ok(framed.len()) {
        return Err("Export takes one message, as long as its prefix says");
    }
    match flag {
        0 => Ok(Message::Plain(framed)),
        1 => Ok(Message::Packed(framed)),
        _ => Err("The message's prefix is none of gRPC's"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_all_that_its_prefix_says_or_refused() {
        let of = |framed: &[u8]| message_of(Bytes::copy_from_slice(framed));
        assert_eq!(
            of(b"\0\0\0\0\x02hi"),
            Ok(Message::Plain(Bytes::from_static(b"hi")))
        );
        assert_eq!(
            of(b"\x01\0\0\0\x02hi"),
            Ok(Message::Packed(Bytes::from_static(b"hi")))
        );
        assert_eq!(of(b"\0\0\0\0\0"), Ok(Message::Plain(Bytes::new())));
        for (framed, words) in [
            (&b""[..], "ended"),
            (b"\0\0\0\0", "ended"),
            (b"\0\0\0\0\x03hi", "as long as"),
            (b"\0\0\0\0\x01hi", "as long as"),
            (b"\0\xff\xff\xff\xff", "as long as"),
            (b"\x02\0\0\0\0", "prefix"),
        ] {
            assert!(
                of(framed).unwrap_err().contains(words),
                "{framed:?} is refused for another reason"
            );
        }
    }

    /// Every way of cutting a call, and every first byte.
    #[test]
    fn no_cut_and_no_flag_reads_beyond_the_message() {
        let whole = b"\0\0\0\0\x08abcdefgh";
        for flag in 0..=u8::MAX {
            for end in 0..=whole.len() {
                let mut framed = whole[..end].to_vec();
                if let Some(first) = framed.first_mut() {
                    *first = flag;
                }
                let is_read = message_of(Bytes::from(framed)).is_ok();
                assert_eq!(is_read, end == whole.len() && flag < 2, "{flag} {end}");
            }
        }
    }
}

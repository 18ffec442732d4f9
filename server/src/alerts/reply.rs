//! What a receiver answers, and what that means.

use axum::http::StatusCode;
use domain::Timestamp;

use crate::clock;

/// Characters of an answer that people see.
const MAX_SAID_CHARS: usize = 200;

/// What an answer means for the message, and for those behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The message was taken.
    Taken,
    /// Later perhaps; not before so many seconds, where the receiver said so.
    TryAgain { after_s: Option<i64> },
    /// This message never; others may be.
    Refused,
    /// None, until somebody changes something.
    Stopped,
}

/// The end of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub verdict: Verdict,
    /// The receiver's own words, or why there are none.
    pub answer: String,
    /// For how many seconds the receiver wants nothing more, also where it took this one.
    pub pause_s: Option<i64>,
}

impl Reply {
    /// Without a pause. Control characters of the receiver's words are left out: the database stores no NUL.
    pub fn new(verdict: Verdict, answer: String) -> Self {
        Self {
            verdict,
            answer: answer.chars().filter(|c| !c.is_control()).collect(),
            pause_s: None,
        }
    }
}

/// The seconds that a `Retry-After` asks for: a number, or a date.
pub(super) fn retry_after_s(header: Option<&str>) -> Option<i64> {
    let text = header?.trim();
    if let Ok(seconds) = text.parse::<i64>() {
        return Some(seconds.max(0));
    }
    let at = Timestamp::from_offset_date_time(
        time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc2822).ok()?,
    );
    Some(((at.micros() - clock::now().micros()) / 1_000_000).max(0))
}

/// The status and the beginning of the body, as people read it.
pub(super) fn said(status: StatusCode, body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let words = domain::text::first_line(text.trim(), MAX_SAID_CHARS);
    let words: String = words.chars().filter(|c| !c.is_control()).collect();
    format!("{} {words}", status.as_u16()).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_says_when_to_come_again() {
        assert_eq!(retry_after_s(None), None);
        assert_eq!(retry_after_s(Some("30")), Some(30));
        assert_eq!(retry_after_s(Some("-1")), Some(0));
        assert_eq!(retry_after_s(Some("soon")), None);
        assert_eq!(retry_after_s(Some("Sun, 06 Nov 1994 08:49:37 GMT")), Some(0));
    }

    #[test]
    fn an_answer_is_one_line() {
        assert_eq!(said(StatusCode::OK, b"ok"), "200 ok");
        assert_eq!(
            said(StatusCode::NOT_FOUND, b" no_service\nmore "),
            "404 no_service"
        );
        assert_eq!(said(StatusCode::BAD_GATEWAY, b""), "502");
        assert_eq!(said(StatusCode::OK, b"\xff\x1b[1m"), "200 \u{fffd}[1m");
    }
}

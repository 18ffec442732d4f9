//! Why nothing more may be asked, in words for people.

use axum::http::StatusCode;
use storage::Error;
use storage::bills::{MOST_PICTURES, TOO_MANY_PICTURES};
use storage::inquiries::{
    MOST_AN_HOUR, MOST_CHATS, MOST_WAITING, TOO_MANY_AN_HOUR, TOO_MANY_CHATS, TOO_MANY_WAITING,
};

use crate::error::HttpError;

/// Seconds after which it makes sense to ask again.
const AGAIN_SECONDS: u32 = 60;

/// What the answer is where a question, a chat or an investigation was not begun.
pub(crate) fn refusal(cause: Error) -> HttpError {
    let too_many = |code: &'static str, message: String| HttpError {
        retry_after_seconds: Some(AGAIN_SECONDS),
        ..HttpError::new(StatusCode::TOO_MANY_REQUESTS, code, message)
    };
    match cause {
        Error::Conflict(TOO_MANY_AN_HOUR) => too_many(
            "too_many_questions",
            format!(
                "You have begun {MOST_AN_HOUR} chats, questions, investigations and fixes within an hour, which is the most; \
                 wait a while before you ask again"
            ),
        ),
        Error::Conflict(TOO_MANY_WAITING) => too_many(
            "too_many_waiting",
            format!(
                "{MOST_WAITING} questions and investigations of this project wait for an answer, which is the most; ask again \
                 when some are answered"
            ),
        ),
        Error::Conflict(TOO_MANY_PICTURES) => too_many(
            "too_many_pictures",
            format!(
                "{MOST_PICTURES} pictures of this project wait to be read, which is the most; send yours when some are read"
            ),
        ),
        Error::Conflict(TOO_MANY_CHATS) => HttpError::new(
            StatusCode::CONFLICT,
            "too_many_chats",
            format!("This project has {MOST_CHATS} chats, which is the most; delete some, or go on with one"),
        ),
        other => other.into(),
    }
}

//! Pictures of providers' bills: put into a chat, and compared with the ledger once they were read and corrected.

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, FromRequest as _, Multipart, Path, Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::Redirect;
use domain::Role;
use domain::bill::{
    BillLine, MAX_LINES, MAX_MODELS_CHARS, MAX_PICTURE_BYTES, in_order, parse_amount, parse_day,
};
use storage::bills::{self, Picture};
use uuid::Uuid;

use super::inquiries::{chat_of, lead_to_chat, wait};
use super::{Fields, MAX_FORM_BYTES};
use crate::auth::Visitor;
use crate::clock;
use crate::error::{HttpError, HttpResult};
use crate::inquiries::{bill, refusal};
use crate::request_body;
use crate::state::AppState;

/// The most parts of a form with a picture.
const MAX_PARTS: usize = 16;
/// How much of a file's name is shown.
const MAX_FILE_NAME_CHARS: usize = 80;

/// What such a form sent.
struct Sent {
    fields: Fields,
    picture: Picture,
    /// As the browser says it; empty where it does not.
    file_name: String,
}

/// `POST /p/{slug}/ask/bill` {chat?, page?, beside?, waits, picture}, as `multipart/form-data`: has the model of Ask read a
/// bill.
pub(super) async fn put(
    State(state): State<AppState>,
    visitor: Visitor,
    Path(slug): Path<String>,
    request: Request,
) -> HttpResult<Redirect> {
    let project = visitor.project(&slug, Role::Member)?;
    let actor = visitor.name_in_log();
    let Sent {
        fields,
        picture,
        file_name,
    } = sent(&state, request).await?;
    let (question, title) = match file_name.as_str() {
        "" => ("Compare this bill with the ledger".to_owned(), "Bill".to_owned()),
        name => (
            format!("Compare this bill with the ledger: {name}"),
            format!("Bill {name}"),
        ),
    };
    let chat = chat_of(&state, project.id, &fields, &actor).await?;
    let asked = bills::ask(
        &state.db,
        project.id,
        chat,
        (&question, &title),
        &picture,
        &actor,
        clock::now(),
    );
    let id = match asked.await {
        Ok(id) => id,
        Err(cause) => {
            // The one that was begun for it has nothing in it.
            if fields.text("chat").is_empty() {
                storage::chats::delete(&state.db, project.id, chat, &actor, clock::now()).await?;
            }
            return Err(refusal(cause));
        }
    };
    drop(picture);
    state.inquiries_wake.notify_one();
    if fields.text("waits") == "yes" {
        wait(&state, project.id, id).await?;
    }
    Ok(lead_to_chat(&project.slug, fields.text("beside"), chat))
}

/// Reads a form with a picture, which is the only one that may be as large.
async fn sent(state: &AppState, request: Request) -> HttpResult<Sent> {
    let invalid = || {
        HttpError::new(
            StatusCode::BAD_REQUEST,
            "invalid_form",
            "The form data is invalid",
        )
    };
    let (head, body) = request.into_parts();
    let limit = MAX_PICTURE_BYTES + MAX_FORM_BYTES;
    // Its share of the memory for bodies, held until the picture is taken out.
    let (bytes, _permit) = request_body::read(&head.headers, body, limit, &state.body_budget).await?;
    let mut whole = Request::new(Body::from(bytes));
    if let Some(kind) = head.headers.get(CONTENT_TYPE) {
        whole.headers_mut().insert(CONTENT_TYPE, kind.clone());
    }
    // It is here already, and bounded.
    DefaultBodyLimit::disable().apply(&mut whole);
    let mut form = Multipart::from_request(whole, &())
        .await
        .map_err(|_no_form| invalid())?;
    let (mut fields, mut picture) = (Vec::new(), None);
    while let Some(part) = form.next_field().await.map_err(|_broken| invalid())? {
        if fields.len() >= MAX_PARTS {
            return Err(invalid());
        }
        let name = part.name().unwrap_or_default().to_owned();
        let file_name = part.file_name().map(str::to_owned);
        let bytes = part.bytes().await.map_err(|_broken| invalid())?;
        match file_name {
            Some(file_name) if name == "picture" => picture = Some((file_name, bytes)),
            _ => fields.push((name, String::from_utf8_lossy(&bytes).into_owned())),
        }
    }
    let (file_name, bytes) = picture.unwrap_or_default();
    let media_type = bill::media_type(&bytes).filter(|_| bytes.len() <= MAX_PICTURE_BYTES);
    let Some(media_type) = media_type else {
        let message = format!(
            "picture must be a PNG, JPEG or WebP of at most {} MB",
            MAX_PICTURE_BYTES / (1024 * 1024)
        );
        return Err(HttpError::invalid("picture", message));
    };
    let file_name: String = file_name.chars().filter(|c| !c.is_control()).collect();
    Ok(Sent {
        fields: Fields(fields),
        picture: Picture {
            media_type: media_type.to_owned(),
            bytes: bytes.into(),
        },
        file_name: domain::text::first_line(&file_name, MAX_FILE_NAME_CHARS),
    })
}

/// `POST /p/{slug}/ask/{id}/bill` {chat, beside?, models, day…, amount…}: what people made of what was read, to be put beside
/// the ledger. Days without both are left out.
pub(super) async fn compare(
    State(state): State<AppState>,
    visitor: Visitor,
    Path((slug, id)): Path<(String, String)>,
    fields: Fields,
) -> HttpResult<Redirect> {
    let project = visitor.project(&slug, Role::Member)?;
    let id: Uuid = id.parse().map_err(|_no_uuid| HttpError::not_found("bill"))?;
    let chat = fields.text("chat");
    let chat: Uuid = chat.parse().map_err(|_no_uuid| HttpError::not_found("chat"))?;
    let models = fields.text("models");
    if models.chars().count() > MAX_MODELS_CHARS || models.contains(char::is_control) {
        let message = format!("models must be a text of at most {MAX_MODELS_CHARS} characters");
        return Err(HttpError::invalid("models", message));
    }
    let lines = lines(&fields)?;
    let compared = bill::beside_ledger(&state.db, project.id, &lines, models).await?;
    let actor = visitor.name_in_log();
    bills::compare(
        &state.db,
        project.id,
        id,
        (models, &compared),
        &actor,
        clock::now(),
    )
    .await?;
    storage::live::notify_incidents(&state.db, project.id).await?;
    Ok(lead_to_chat(&project.slug, fields.text("beside"), chat))
}

fn lines(fields: &Fields) -> HttpResult<Vec<BillLine>> {
    let mut lines = Vec::new();
    for (day, amount) in fields.all("day").zip(fields.all("amount")) {
        if day.trim().is_empty() && amount.trim().is_empty() {
            continue;
        }
        let day = parse_day(day)
            .ok_or_else(|| HttpError::invalid("day", "Each day must be a date such as 2026-11-14"))?;
        let amount = parse_amount(amount).ok_or_else(|| {
            HttpError::invalid(
                "amount",
                "Each amount must be in dollars, such as 20.28 or 1,204.50",
            )
        })?;
        lines.push(BillLine { day, amount });
    }
    in_order(lines).ok_or_else(|| {
        let message = format!("A bill must have 1 to {MAX_LINES} days of one year");
        HttpError::invalid("day", message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        let pairs = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Fields(pairs.collect())
    }

    #[test]
    fn rows_of_the_form_are_days() {
        let sent = fields(&[
            ("day", "2026-11-14"),
            ("amount", "22.27"),
            ("day", ""),
            ("amount", " "),
        ]);
        assert_eq!(lines(&sent).unwrap().len(), 1);
        for wrong in [
            fields(&[]),
            fields(&[("day", "14 Nov"), ("amount", "1")]),
            fields(&[("day", "2026-11-14"), ("amount", "20,28")]),
            fields(&[("day", "2026-11-14"), ("amount", "")]),
        ] {
            assert!(lines(&wrong).is_err());
        }
    }
}

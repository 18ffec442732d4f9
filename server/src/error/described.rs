//! What `/api/openapi.json` says of errors.

use std::collections::BTreeMap;

use utoipa::IntoResponses;
use utoipa::openapi::{Content, Ref, RefOr, Response, ResponseBuilder};

/// What every read may answer besides.
pub(crate) enum ReadErrors {}

impl IntoResponses for ReadErrors {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        errors(&[
            ("400", "A parameter or field is wrong; it is named"),
            (
                "401",
                "No key where one is needed, or one that is unknown or revoked",
            ),
            ("403", "The key lacks the scope, or the person the role"),
            ("503", "The database is away; try again after Retry-After"),
            ("504", "The query took longer than 5 seconds and was stopped"),
        ])
    }
}

/// What every route that takes a body may answer besides.
pub(crate) enum BodyErrors {}

impl IntoResponses for BodyErrors {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        errors(&[
            ("400", "A parameter or field is wrong; it is named"),
            (
                "401",
                "No key where one is needed, or one that is unknown or revoked",
            ),
            ("403", "The key lacks the scope, or the person the role"),
            ("408", "The body came too slowly"),
            ("413", "The body is too large"),
            (
                "415",
                "Content-Type is not application/json, or the encoding is unknown",
            ),
            (
                "429",
                "The key has used up what it may use; try again after Retry-After",
            ),
            (
                "503",
                "Overload, or the database is away: nothing was stored, try again after Retry-After",
            ),
        ])
    }
}

/// What a route with an id in its path may answer besides.
pub(crate) enum NotFound {}

impl IntoResponses for NotFound {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        errors(&[("404", "There is nothing with that id in this project")])
    }
}

fn errors(of: &[(&str, &str)]) -> BTreeMap<String, RefOr<Response>> {
    of.iter()
        .map(|(status, description)| {
            let body = Content::new(Some(Ref::from_schema_name("Error")));
            let response = ResponseBuilder::new()
                .description(*description)
                .content("application/json", body)
                .build();
            ((*status).to_owned(), response.into())
        })
        .collect()
}

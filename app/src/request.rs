//! The request that rendered the page.

use domain::Timestamp;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

/// Facts of the request that rendered the page. They do not change while the page lives.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageRequest {
    /// When the request came in: the `now` of everything on the page.
    pub now: Timestamp,
    /// Where the visitor reaches this server: `http://127.0.0.1:3000`.
    pub origin: String,
    /// The reference id shown with errors.
    pub request_id: String,
    /// After which change the server read what the page shows: what a live connection begins with.
    pub live_position: String,
}

pub(crate) fn use_page_request() -> PageRequest {
    use_context().unwrap_or_default()
}

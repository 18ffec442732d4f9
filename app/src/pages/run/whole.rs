//! All steps of a long run: read as columns once the page is there, then only what is new.

use std::sync::Arc;

use domain::skeleton::Skeleton;
use leptos::prelude::*;

use crate::api::runs::RunView;
use crate::error::ApiError;

/// Steps that another process of the server received a little earlier may be stored a little later: as much is asked
/// for again, in microseconds.
#[cfg(target_arch = "wasm32")]
const AGAIN_US: i64 = 30_000_000;

/// Whether all steps of a long run are here. Those of a short run come with the page.
#[derive(Clone)]
pub(super) enum Whole {
    Awaited,
    #[cfg_attr(
        not(target_arch = "wasm32"),
        expect(dead_code, reason = "only the browser reads columns")
    )]
    Here(Arc<Skeleton>),
}

impl Whole {
    pub(super) fn is_here(&self) -> bool {
        matches!(self, Self::Here(_))
    }
}

/// Reads all steps of a long run, once.
pub(super) fn read_whole(
    slug: Memo<String>,
    run_id: String,
    view: RwSignal<RunView>,
    whole: RwSignal<Whole>,
) {
    #[cfg(target_arch = "wasm32")]
    Effect::new(move |_| {
        if view.with_untracked(|view| view.part.is_none()) || whole.with_untracked(Whole::is_here) {
            return;
        }
        let (slug, run_id) = (slug.get_untracked(), run_id.clone());
        leptos::task::spawn_local(async move {
            loop {
                match browser::read(&slug, &run_id, None).await {
                    Ok(skeleton) => {
                        whole.try_set(Whole::Here(Arc::new(skeleton)));
                        break;
                    }
                    // The first screen stays.
                    Err(error) if crate::live::waits_to_read_again(&error).await && !whole.is_disposed() => {}
                    Err(_) => break,
                }
            }
        });
    });
    #[cfg(not(target_arch = "wasm32"))]
    let _only_in_the_browser = (slug, run_id, view, whole);
}

/// The steps with those that came since they were read; `None` where nothing has to be read.
pub(super) async fn newer_steps(
    slug: &str,
    run_id: &str,
    whole: RwSignal<Whole>,
) -> Result<Option<Whole>, ApiError> {
    #[cfg(target_arch = "wasm32")]
    {
        let Some(Whole::Here(here)) = whole.try_get_untracked() else {
            return Ok(None);
        };
        let newer = browser::read(slug, run_id, Some(here.received_us - AGAIN_US)).await?;
        Ok((!here.has_all_of(&newer)).then(|| Whole::Here(Arc::new(here.merged(&newer)))))
    }
    #[cfg(not(target_arch = "wasm32"))]
    {
        let _only_in_the_browser = (slug, run_id, whole);
        Ok(None)
    }
}

#[cfg(target_arch = "wasm32")]
mod browser {
    use domain::filter::{encode_query, percent_encode};
    use domain::skeleton::Skeleton;
    use gloo_net::http::Request;

    use crate::error::ApiError;

    pub(super) async fn read(slug: &str, run_id: &str, since_us: Option<i64>) -> Result<Skeleton, ApiError> {
        let since = since_us.map(|since| since.to_string());
        let mut pairs = vec![("project", slug)];
        pairs.extend(since.as_deref().map(|since| ("received_since", since)));
        let url = format!(
            "/api/runs/{}/skeleton?{}",
            percent_encode(run_id),
            encode_query(pairs)
        );
        let answer = Request::get(&url).send().await;
        let answer = answer.map_err(|_offline| ApiError::Unreachable)?;
        let request_id = answer.headers().get("x-request-id").unwrap_or_default();
        match answer.status() {
            200 => {}
            401 => return Err(ApiError::Unauthorized),
            404 => return Err(ApiError::NotFound),
            429 => return Err(ApiError::Busy),
            503 => return Err(ApiError::Unavailable { request_id }),
            504 => return Err(ApiError::TimedOut { request_id }),
            _ => return Err(ApiError::Internal { request_id }),
        }
        let bytes = answer.binary().await.map_err(|_offline| ApiError::Unreachable)?;
        engine::skeleton_wire::decode(&bytes).ok_or(ApiError::Internal { request_id })
    }
}

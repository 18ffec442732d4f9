//! The only loading UI: a skeleton after 200 ms, then the content or the error. Old content stays while new is read.

use leptos::prelude::*;
use leptos_router::hooks::use_location;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::ApiError;
use crate::ui::icon::Icon;

/// Shows what a resource brings.
///
/// The server waits for it, so that pages work without WASM. In the browser the old content stays while the
/// resource is read again; only the first load shows `skeleton` (the style sheet holds it back for 200 ms).
///
/// The server builds the children more than once, so a resource must never be made inside them: its number would
/// differ from the browser's. Make it in the page's body and pass it down.
#[component]
pub(crate) fn Load<T, F, V>(
    /// Where the value comes from.
    resource: Resource<Result<T, ApiError>>,
    /// What is being read, as the subject of "… could not be read": `The runs`.
    what: &'static str,
    /// A placeholder as tall as the content.
    #[prop(optional, into)]
    skeleton: ViewFnOnce,
    children: F,
) -> impl IntoView
where
    T: Clone + Send + Sync + Serialize + DeserializeOwned + 'static,
    F: Fn(T) -> V + Clone + Send + Sync + 'static,
    V: IntoView + 'static,
{
    view! {
        <Transition fallback=move || {
            view! { <div class="loading" aria-busy="true" aria-label=format!("{what}: loading")>{skeleton.run()}</div> }
        }>
            {move || {
                let children = children.clone();
                Suspend::new(async move {
                    match resource.await {
                        Ok(value) => children(value).into_any(),
                        Err(error) => {
                            view! { <ErrorState what error retry=Callback::new(move |()| resource.refetch())/> }
                                .into_any()
                        }
                    }
                })
            }}
        </Transition>
    }
}

/// What happened, what to do, the reference, and another try. Without WASM trying again reloads the page.
#[component]
pub(crate) fn ErrorState(
    /// What could not be read: `The runs`.
    what: &'static str,
    error: ApiError,
    /// Reads again.
    #[prop(optional, into)]
    retry: Option<Callback<()>>,
) -> impl IntoView {
    let location = use_location();
    let here = move || {
        format!(
            "{}{}",
            location.pathname.get(),
            query_suffix(&location.search.get())
        )
    };
    let reference = error.reference().map(|id| format!("ref {id}"));
    let signed_out = error == ApiError::Unauthorized;
    view! {
        <div class="state" role="alert">
            <Icon name="x" class="st-bad"/>
            <b>{what}" could not be loaded"</b>
            <p>{error.advice()}</p>
            <div class="row">
                {if signed_out {
                    view! { <a class="btn" rel="external" href="/login">"Sign in"</a> }.into_any()
                } else {
                    view! {
                        <a
                            class="btn"
                            rel="external"
                            href=here
                            on:click=move |event| {
                                if let Some(retry) = retry {
                                    event.prevent_default();
                                    retry.run(());
                                }
                            }
                        >
                            <Icon name="retry"/>
                            "Try again"
                        </a>
                    }
                        .into_any()
                }}
                {reference.map(|text| view! { <span class="dim mono">{text}</span> })}
            </div>
        </div>
    }
}

/// `?a=b` for a query, nothing for an empty one.
pub(crate) fn query_suffix(query: &str) -> String {
    let query = query.trim_start_matches('?');
    if query.is_empty() {
        String::new()
    } else {
        format!("?{query}")
    }
}

/// Grey bars in place of text or rows.
#[component]
pub(crate) fn SkeletonRows(rows: usize) -> impl IntoView {
    view! {
        <div class="skeleton-rows" aria-hidden="true">
            {(0..rows).map(|_| view! { <div class="skeleton-row"><div class="skeleton"></div></div> }).collect_view()}
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes() {
        let check = |query: &str, expected: &str| assert_eq!(query_suffix(query), expected);
        check("", "");
        check("?", "");
        check("a=b", "?a=b");
        check("?a=b", "?a=b");
    }
}

//! The panel that waits for the first step, says what has come in so far, and leads to the run when it is there.

use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::{use_location, use_navigate};

use domain::RunFilter;

use super::snippet::RUN_ID;
use crate::api::runs::list_runs;
use crate::context::{use_page_request, use_slug};
use crate::live::{LiveEvent, LiveState};
use crate::pages::ledger_sums::LedgerSums;
use crate::ui::icon::Icon;
use crate::ui::links::run_href;
use crate::ui::time::{use_attached, use_time_text};

/// Waits. `secret` is the key it can send the step with.
#[component]
pub(super) fn Waiting(
    /// The page's connection.
    live: LiveState,
    /// The key, when it can be shown.
    secret: Option<String>,
) -> impl IntoView {
    let slug = use_slug();
    let attached = use_attached();
    let path = use_location().pathname;
    let opened = use_page_request().now;
    let text = use_time_text();
    let sums = RwSignal::new(LedgerSums::default());
    let answer = RwSignal::new(None::<Answer>);
    lead_to_the_run(slug, live.last);
    look_for_the_run_after_a_gap(slug, live.gaps);
    watch_the_ledger(slug, sums);
    let since = move || live.connected_since.get().unwrap_or(opened);
    let state = move || match live.lost_since.get() {
        Some(lost) => format!("not listening since {}, connecting again", text(lost)),
        None => format!("listening since {}, {}", text(since()), sums.read().waiting()),
    };
    let has_key = secret.is_some();
    let navigate = use_navigate();
    let send = move |_| send_step(slug, secret.clone(), answer, navigate.clone());
    let is_sending = move || matches!(*answer.read(), Some(Answer::Sending));
    view! {
        <div class="waiting">
            <span class="pulse" aria-hidden="true"></span>
            <div role="status">
                <b>"Waiting for the first step"</b>
                <p class="dim num">{state}</p>
            </div>
            <button
                class="btn push"
                type="button"
                hidden=move || !attached.get()
                disabled=move || !has_key || is_sending()
                title=(!has_key).then_some("The key can’t be shown again, so this page can’t send with it. Create a key first")
                on:click=send
            >
                "Send it for me"
            </button>
            <a class="btn push" rel="external" href=move || path.get() hidden=move || attached.get()>"Refresh"</a>
        </div>
        {move || {
            answer
                .get()
                .and_then(|answer| answer.refusal())
                .map(|words| {
                    view! {
                        <div class="notice" data-tone="bad" role="alert">
                            <Icon name="x"/>
                            <div>{words}</div>
                        </div>
                    }
                })
        }}
    }
}

/// What became of the step that the page sent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    not(any(target_arch = "wasm32", test)),
    expect(dead_code, reason = "only the browser sends")
)]
enum Answer {
    Sending,
    /// Stored; the page leads to the run.
    Stored,
    /// Answered with this status and this body.
    Refused(u16, String),
    /// No answer at all.
    Unreachable,
}

impl Answer {
    /// What went wrong, if something did.
    fn refusal(&self) -> Option<String> {
        match self {
            Self::Sending | Self::Stored => None,
            Self::Unreachable => {
                Some("The server could not be reached. Check that it runs, then send again.".to_owned())
            }
            Self::Refused(status, body) => Some(format!("Answered {status}: {}", refusal_message(body))),
        }
    }
}

/// The message in an answer of the form `{"error":{"message":…}}`, else its first line.
fn refusal_message(body: &str) -> String {
    let parsed: Option<serde_json::Value> = serde_json::from_str(body).ok();
    let message = parsed
        .as_ref()
        .and_then(|value| value.pointer("/error/message"))
        .and_then(|message| message.as_str());
    domain::text::first_line(message.unwrap_or(body), 200)
}

/// Goes to the run of the first event.
fn lead_to_the_run(slug: Memo<String>, last: Signal<Option<LiveEvent>>) {
    let navigate = use_navigate();
    Effect::new(move |_| {
        if let Some(event) = last.get() {
            navigate(
                &run_href(&slug.get_untracked(), &event.run_id),
                NavigateOptions::default(),
            );
        }
    });
}

/// Goes to the newest run, where its event may have been missed.
fn look_for_the_run_after_a_gap(slug: Memo<String>, gaps: Signal<u64>) {
    let navigate = use_navigate();
    Effect::new(move |before: Option<()>| {
        gaps.track();
        if before.is_none() {
            return;
        }
        let (slug, navigate) = (slug.get_untracked(), navigate.clone());
        leptos::task::spawn_local(async move {
            let newest = list_runs(slug.clone(), RunFilter::default(), None).await;
            if let Some(run) = newest.ok().and_then(|page| page.items.into_iter().next()) {
                navigate(&run_href(&slug, &run.run_id), NavigateOptions::default());
            }
        });
    });
}

/// Reads the last hour's accounts every three seconds, so that refused steps show up here.
fn watch_the_ledger(slug: Memo<String>, sums: RwSignal<LedgerSums>) {
    #[cfg(target_arch = "wasm32")]
    Effect::new(move |_| {
        let slug = slug.get();
        let (watching, abort) = futures::future::abortable(async move {
            loop {
                gloo_timers::future::TimeoutFuture::new(3_000).await;
                if let Ok(minutes) = crate::api::ledger::ledger_minutes(slug.clone(), 60).await {
                    sums.try_set(LedgerSums::of(&minutes));
                }
            }
        });
        leptos::task::spawn_local(async move {
            // Aborted: the page is left.
            watching.await.ok();
        });
        on_cleanup(move || abort.abort());
    });
    #[cfg(not(target_arch = "wasm32"))]
    let _only_in_the_browser = (slug, sums);
}

/// Posts the very step of the command, then goes to its run.
fn send_step(
    slug: Memo<String>,
    secret: Option<String>,
    answer: RwSignal<Option<Answer>>,
    navigate: impl Fn(&str, NavigateOptions) + 'static,
) {
    let Some(secret) = secret else {
        return;
    };
    answer.set(Some(Answer::Sending));
    #[cfg(target_arch = "wasm32")]
    leptos::task::spawn_local(async move {
        let result = post_step(&secret).await;
        if result == Answer::Stored {
            navigate(
                &run_href(&slug.get_untracked(), RUN_ID),
                NavigateOptions::default(),
            );
        }
        answer.try_set(Some(result));
    });
    #[cfg(not(target_arch = "wasm32"))]
    let _only_in_the_browser = (slug, secret, navigate, RUN_ID);
}

#[cfg(target_arch = "wasm32")]
async fn post_step(secret: &str) -> Answer {
    let request = gloo_net::http::Request::post("/ingest")
        .header("authorization", &format!("Bearer {secret}"))
        .header("content-type", "application/json")
        .body(super::snippet::STEP);
    let Ok(request) = request else {
        return Answer::Unreachable;
    };
    match request.send().await {
        Ok(response) if response.ok() => Answer::Stored,
        Ok(response) => Answer::Refused(response.status(), response.text().await.unwrap_or_default()),
        Err(_) => Answer::Unreachable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_why_a_step_was_refused() {
        let check = |body: &str, expected: &str| assert_eq!(refusal_message(body), expected);
        check(
            r#"{"error":{"code":"invalid","message":"run_id is missing"}}"#,
            "run_id is missing",
        );
        check("<html>\nbad gateway", "<html>");
        check("", "");
        assert_eq!(run_href("acme", "a b"), "/p/acme/runs/a%20b");
        assert_eq!(Answer::Stored.refusal(), None);
        assert!(Answer::Unreachable.refusal().is_some());
        assert_eq!(
            Answer::Refused(401, r#"{"error":{"message":"unknown key"}}"#.to_owned()).refusal(),
            Some("Answered 401: unknown key".to_owned())
        );
    }
}

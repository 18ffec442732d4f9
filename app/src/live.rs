//! The live connection: what changed in a project, as it changes, and since when the connection is lost.

use domain::Timestamp;
use leptos::prelude::*;
use serde::Deserialize;

use crate::context::use_page_request;
use crate::error::ApiError;
use crate::ui::icon::Icon;
use crate::ui::time::use_time_text;

/// A run that changed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct LiveEvent {
    pub(crate) run_id: String,
    /// Counts events of this page, so that two of the same run differ.
    #[serde(skip)]
    pub(crate) number: u64,
}

/// The state of a page's connection. All empty on the server and before the first connection.
#[derive(Clone, Copy)]
pub(crate) struct LiveState {
    /// Since when the connection stands.
    pub(crate) connected_since: Signal<Option<Timestamp>>,
    /// Since when it is lost; `None` while it stands.
    pub(crate) lost_since: Signal<Option<Timestamp>>,
    /// The newest event.
    pub(crate) last: Signal<Option<LiveEvent>>,
    /// How often incidents changed, and nobody knows which.
    pub(crate) incidents: Signal<u64>,
    /// How often events were missed, here or on the server: whatever the page shows has to be read again.
    pub(crate) gaps: Signal<u64>,
}

/// How long after a failed reading what was missed is read again.
#[cfg(target_arch = "wasm32")]
const READ_AGAIN_MS: u32 = 2_000;

/// Seconds to wait before the next attempt: 1, 2, 4 … 30.
#[cfg(any(target_arch = "wasm32", test))]
fn backoff_seconds(failures: u32) -> u32 {
    1_u32.checked_shl(failures.min(5)).unwrap_or(30).min(30)
}

/// Listens to the changes of a project, or of one run of it. Connects again when either changes, when the connection
/// is lost, and ends with the page. An empty slug does not connect.
pub(crate) fn use_live(slug: Signal<String>, run: Signal<Option<String>>) -> LiveState {
    let connected_since = RwSignal::new(None);
    let lost_since = RwSignal::new(None);
    let last = RwSignal::new(None);
    let gaps = RwSignal::new(0);
    let incidents = RwSignal::new(0);
    let rendered_after = use_page_request().live_position;
    #[cfg(target_arch = "wasm32")]
    Effect::new(move |_| {
        let (slug, run) = (slug.get(), run.get());
        if slug.is_empty() {
            return;
        }
        let signals = browser::Signals {
            connected_since,
            lost_since,
            last,
            incidents,
            gaps,
        };
        let listening = browser::listen(slug, run, rendered_after.clone(), signals);
        let (listening, abort) = futures::future::abortable(listening);
        leptos::task::spawn_local(async move {
            if listening.await.is_err() {
                connected_since.try_set(None);
            }
        });
        on_cleanup(move || abort.abort());
    });
    #[cfg(not(target_arch = "wasm32"))]
    let _only_in_the_browser = (slug, run, rendered_after);
    LiveState {
        connected_since: connected_since.into(),
        lost_since: lost_since.into(),
        last: last.into(),
        incidents: incidents.into(),
        gaps: gaps.into(),
    }
}

/// Waits before what could not be read is read again; false when that makes no sense.
pub(crate) async fn waits_to_read_again(error: &ApiError) -> bool {
    let may_work_later = matches!(
        error,
        ApiError::Unavailable { .. } | ApiError::Busy | ApiError::Unreachable
    );
    #[cfg(target_arch = "wasm32")]
    if may_work_later {
        gloo_timers::future::TimeoutFuture::new(READ_AGAIN_MS).await;
    }
    may_work_later
}

/// `live` while connected, `not live since 09:11:40` when the connection was lost, nothing without WASM.
#[component]
pub(crate) fn LiveBadge(
    /// The page's connection.
    live: LiveState,
) -> impl IntoView {
    let text = use_time_text();
    move || {
        if let Some(since) = live.lost_since.get() {
            view! {
                <span class="badge" data-tone="warn" role="status">
                    <Icon name="clock"/>
                    {format!("not live since {}", text(since))}
                </span>
            }
            .into_any()
        } else if live.connected_since.get().is_some() {
            view! {
                <span class="live" role="status">
                    <span class="live-dot" aria-hidden="true"></span>
                    "live"
                </span>
            }
            .into_any()
        } else {
            ().into_any()
        }
    }
}

#[cfg(target_arch = "wasm32")]
mod browser {
    use std::cell::RefCell;

    use domain::Timestamp;
    use domain::filter::percent_encode;
    use futures::future::{Either, select};
    use futures::stream::{StreamExt, select as merge};
    use gloo_net::eventsource::State;
    use gloo_net::eventsource::futures::EventSource;
    use gloo_timers::future::TimeoutFuture;
    use leptos::prelude::*;

    use super::{LiveEvent, backoff_seconds};
    use crate::ui::time::clock_now;

    /// How often a silent connection is looked at, in milliseconds: the browser reports a lost one only by its state.
    const WATCH_MS: u32 = 2_000;

    #[derive(Clone, Copy)]
    pub(super) struct Signals {
        pub(super) connected_since: RwSignal<Option<Timestamp>>,
        pub(super) lost_since: RwSignal<Option<Timestamp>>,
        pub(super) last: RwSignal<Option<LiveEvent>>,
        pub(super) incidents: RwSignal<u64>,
        pub(super) gaps: RwSignal<u64>,
    }

    thread_local! {
        /// The id of the last event: whatever is read from then on is not older. Empty before the first event.
        static LAST_EVENT_ID: RefCell<String> = const { RefCell::new(String::new()) };
    }

    /// `rendered_after` is where the server stood when it rendered the document.
    pub(super) async fn listen(slug: String, run: Option<String>, rendered_after: String, signals: Signals) {
        let run = run.map_or_else(String::new, |run| format!("&run={}", percent_encode(&run)));
        let mut failures = 0;
        loop {
            let last = LAST_EVENT_ID.with_borrow(Clone::clone);
            let since = if last.is_empty() { &rendered_after } else { &last };
            let url = format!("/live/{}?since={since}{run}", percent_encode(&slug));
            if one_connection(&url, signals).await {
                failures = 0;
            }
            signals.connected_since.try_set(None);
            signals.lost_since.try_update(|since| {
                since.get_or_insert_with(clock_now);
            });
            TimeoutFuture::new(backoff_seconds(failures) * 1_000).await;
            failures = failures.saturating_add(1);
        }
    }

    /// Listens until the connection is lost. True when it had been made at all.
    async fn one_connection(url: &str, signals: Signals) -> bool {
        let Ok(mut source) = EventSource::new(url) else {
            return false;
        };
        let (Ok(runs), Ok(hellos), Ok(incidents), Ok(gaps)) = (
            source.subscribe("run"),
            source.subscribe("hello"),
            source.subscribe("incidents"),
            source.subscribe("gap"),
        ) else {
            return false;
        };
        let mut events = merge(merge(runs, gaps), merge(hellos, incidents));
        let mut connected = false;
        loop {
            match select(events.next(), TimeoutFuture::new(WATCH_MS)).await {
                Either::Left((Some(Ok((kind, message))), _)) => {
                    if !connected {
                        connected = true;
                        note_connected(signals);
                    }
                    note_id(message.last_event_id());
                    match (kind.as_str(), message.data().as_string()) {
                        ("run", Some(text)) => note_event(&text, signals),
                        ("incidents", _) => note_incidents(signals),
                        ("gap", _) => note_gap(signals),
                        _ => {}
                    }
                }
                Either::Left((Some(Err(_)) | None, _)) => return connected,
                Either::Right(((), _)) => {
                    if !matches!(source.state(), State::Open) {
                        return connected;
                    }
                    if !connected {
                        connected = true;
                        note_connected(signals);
                    }
                }
            }
        }
    }

    /// Whether something was missed the server knows: it is asked with the id of the last event.
    fn note_connected(signals: Signals) {
        signals.connected_since.try_set(Some(clock_now()));
        signals.lost_since.try_set(None);
    }

    fn note_id(id: String) {
        if !id.is_empty() {
            LAST_EVENT_ID.set(id);
        }
    }

    fn note_incidents(signals: Signals) {
        signals.incidents.try_update(|count| *count += 1);
    }

    fn note_gap(signals: Signals) {
        signals.gaps.try_update(|count| *count += 1);
    }

    fn note_event(text: &str, signals: Signals) {
        if let Ok(mut event) = serde_json::from_str::<LiveEvent>(text) {
            signals.last.try_update(|last| {
                event.number = last.as_ref().map_or(1, |previous| previous.number + 1);
                *last = Some(event);
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_longer_up_to_half_a_minute() {
        let check = |failures: u32, expected: u32| assert_eq!(backoff_seconds(failures), expected);
        check(0, 1);
        check(3, 8);
        check(4, 16);
        check(5, 30);
        check(u32::MAX, 30);
    }
}

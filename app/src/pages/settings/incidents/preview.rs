//! What other settings would have opened in the last days, judged in the browser by the engine that judges on the server.

use engine::incidents::attribution::VerdictKind;
use engine::incidents::{Incident, Settings, Weights, Window, judge, words};
use leptos::prelude::*;

use crate::context::use_slug;

/// Days that are looked back on.
pub(super) const DAYS: u32 = 30;
const DAY_MICROS: i64 = 86_400_000_000;
/// Hours of series beyond which a browser would stand still.
#[cfg(target_arch = "wasm32")]
const MAX_ROWS: usize = 60_000;
/// Incidents that are listed.
const LISTED: usize = 8;

/// How far the reading has come.
#[derive(Clone)]
#[cfg_attr(
    not(target_arch = "wasm32"),
    expect(dead_code, reason = "only the browser reads hours")
)]
enum History {
    /// Always so on the server.
    Reading,
    /// Why there is none.
    Missing(&'static str),
    Here(std::sync::Arc<Window>),
}

/// A sentence and a list, changing with what is typed.
#[component]
pub(super) fn Preview(
    /// What the form says; `None` where a value can't be used.
    draft: Memo<Option<Settings>>,
    in_force: Settings,
) -> impl IntoView {
    let slug = use_slug();
    let history = RwSignal::new(History::Reading);
    #[cfg(target_arch = "wasm32")]
    Effect::new(move |_| {
        let slug = slug.get();
        leptos::task::spawn_local(async move {
            history.try_set(browser::read(slug).await);
        });
    });
    #[cfg(not(target_arch = "wasm32"))]
    let _only_in_the_browser = slug;
    let now_opened = Memo::new(move |_| match &*history.read() {
        History::Here(window) => Some(opened(window, &in_force)),
        _ => None,
    });
    let would_open = Memo::new(move |_| match (&*history.read(), &*draft.read()) {
        (History::Here(window), Some(settings)) => Some(opened(window, settings)),
        _ => None,
    });
    view! {
        <div role="status" aria-live="polite">
            {move || match (&*history.read(), &*would_open.read()) {
                (History::Reading, _) => {
                    view! { <p class="form-note">"With scripts, this says what it would have opened."</p> }.into_any()
                }
                (History::Missing(why), _) => view! { <p class="form-note">{*why}</p> }.into_any(),
                (History::Here(_), None) => {
                    view! { <p class="form-note">"A value can’t be used; see the fields."</p> }.into_any()
                }
                (History::Here(_), Some(found)) => {
                    let before = now_opened.read().as_ref().map_or(0, Vec::len);
                    let items = found.iter().take(LISTED).map(|line| view! { <li>{line.clone()}</li> }).collect_view();
                    view! {
                        <p class="form-note">{sentence(found.len(), before)}</p>
                        <ul>{items}</ul>
                    }
                        .into_any()
                }
            }}
        </div>
    }
}

fn sentence(would: usize, before: usize) -> String {
    let incidents = |n: usize| match n {
        0 => "no incident".to_owned(),
        1 => "1 incident".to_owned(),
        n => format!("{n} incidents"),
    };
    if would == before {
        format!(
            "Would have opened {} in the last {DAYS} days, as now.",
            incidents(would)
        )
    } else {
        format!(
            "Would have opened {} in the last {DAYS} days; the settings in force open {}.",
            incidents(would),
            incidents(before)
        )
    }
}

/// What settings open in the last days, the latest first, a line each.
fn opened(window: &Window, settings: &Settings) -> Vec<String> {
    let since = window.now.plus_micros(-i64::from(DAYS) * DAY_MICROS);
    let found = judge(window, settings, &Weights::shipped());
    let recent = found.iter().rev().filter(|incident| incident.opened_at >= since);
    recent.map(line).collect()
}

fn line(incident: &Incident) -> String {
    let day = domain::text::day_range(incident.onset.at, incident.onset.at);
    let why = match incident.verdict.kind {
        VerdictKind::Deploy | VerdictKind::Probably | VerdictKind::NoDeploy => words::headline(incident),
        VerdictKind::Unclear | VerdictKind::Learning => incident.verdict.sentence.clone(),
    };
    format!("{day}: {why}")
}

#[cfg(target_arch = "wasm32")]
mod browser {
    use std::sync::Arc;

    use domain::filter::encode_query;
    use engine::incidents::Window;
    use gloo_net::http::Request;

    use super::{DAYS, History, MAX_ROWS};

    pub(super) async fn read(slug: String) -> History {
        let days = DAYS.to_string();
        let query = encode_query([("project", slug.as_str()), ("days", days.as_str())]);
        let missing = History::Missing(
            "What it would have opened can’t be told: the history did not come. Reload the page.",
        );
        let Ok(answer) = Request::get(&format!("/api/incidents/window?{query}"))
            .send()
            .await
        else {
            return missing;
        };
        if answer.status() != 200 {
            return missing;
        }
        let Some(window) = answer
            .binary()
            .await
            .ok()
            .and_then(|bytes| Window::decode(&bytes))
        else {
            return missing;
        };
        if window.rows.len() > MAX_ROWS {
            return History::Missing(
                "This project has too many series to judge in a browser: save, and see what it opens.",
            );
        }
        History::Here(Arc::new(window))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_how_many_and_against_what() {
        assert_eq!(
            sentence(2, 2),
            "Would have opened 2 incidents in the last 30 days, as now."
        );
        assert_eq!(
            sentence(0, 1),
            "Would have opened no incident in the last 30 days; the settings in force open 1 incident."
        );
    }
}

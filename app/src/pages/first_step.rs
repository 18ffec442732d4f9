//! What a project without runs shows: the exact command that sends the first step, with a real key. The page turns
//! into the run as soon as the step arrives.

pub(crate) mod make_key;
pub(crate) mod snippet;
mod waiting;

use domain::Role;
use domain::filter::percent_encode;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::{use_location, use_query_map};
use serde::{Deserialize, Serialize};

use crate::api::keys::{first_key_waits, reveal_key};
use crate::context::{use_may, use_page_request, use_slug};
use crate::error::ApiError;
use crate::live::LiveState;
use crate::ui::copy::CopyButton;
use crate::ui::form::Submit;
use crate::ui::icon::Icon;
use crate::ui::links::page_href;
use make_key::MakeKey;
use snippet::{KEY_PLACEHOLDER, Way, coloured, command};
use waiting::Waiting;

/// The key that the command shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ShownKey {
    /// It was made a moment ago, and the address names it.
    Known(String),
    /// The one made with the project waits to be shown.
    Waits,
    /// It was shown before, or the viewer may not see it.
    Gone,
}

impl ShownKey {
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Known(text) => Some(text),
            Self::Waits | Self::Gone => None,
        }
    }
}

/// What is known of the key that the command shows.
#[derive(Clone, Copy)]
pub(crate) struct KeyToShow(Resource<Result<ShownKey, ApiError>>);

impl KeyToShow {
    /// An error is a key that can't be shown: what is shown works with any other.
    pub(crate) async fn read(self) -> ShownKey {
        self.0.await.unwrap_or(ShownKey::Gone)
    }
}

/// Asks for the key that a form has made or asked for a moment ago (`?made=`), else whether one waits.
///
/// A page calls this in its own body. What waits for data is built more than once on the server, and a key can be
/// read only once.
pub(crate) fn provide_key_to_show() -> KeyToShow {
    let slug = use_slug();
    let query = use_query_map();
    let made = Memo::new(move |_| query.read().get("made").unwrap_or_default());
    let may = use_may(Role::Admin);
    let key = Resource::new(
        move || (slug.get(), made.get(), may.get()),
        |(slug, made, may)| async move {
            let made = match (may, made.is_empty()) {
                (false, _) => return Ok(ShownKey::Gone),
                (true, true) => None,
                (true, false) => reveal_key(slug.clone(), made).await?,
            };
            match made {
                Some(text) => Ok::<_, ApiError>(ShownKey::Known(text)),
                None if first_key_waits(slug).await? => Ok(ShownKey::Waits),
                None => Ok(ShownKey::Gone),
            }
        },
    );
    let shown = KeyToShow(key);
    provide_context(shown);
    shown
}

/// The empty state of a project that has never received a step. Stands inside a page's `main`, in a page that called
/// [`provide_key_to_show`].
#[component]
pub(crate) fn FirstStep(
    /// The page's connection: the page goes to the first run it announces.
    live: LiveState,
) -> impl IntoView {
    let key = use_context::<KeyToShow>();
    view! {
        <Title text="Send the first step"/>
        <div class="first">
            <section class="first-main" aria-labelledby="first-title">
                <h2 id="first-title">"Send the first step"</h2>
                // A boundary of its own: the one around the list does not wait for what appears inside it.
                <Transition fallback=|| ()>
                    {move || Suspend::new(async move {
                        let key = match key {
                            Some(key) => key.read().await,
                            None => ShownKey::Gone,
                        };
                        view! { <WithKey live key/> }
                    })}
                </Transition>
                <dl class="first-facts">
                    <div><dt>"200"</dt><dd>"means stored: the row is on disk before the answer leaves"</dd></div>
                    <div><dt>"400"</dt><dd>"names the field that is wrong; it also shows up here"</dd></div>
                    <div><dt>"401"</dt><dd>"the key is unknown or revoked"</dd></div>
                </dl>
            </section>
            <aside class="first-side" aria-label="What you get"><WhatYouGet/></aside>
        </div>
    }
}

/// The command, with the key or with a place for one, and the panel that waits.
#[component]
fn WithKey(live: LiveState, key: ShownKey) -> impl IntoView {
    let slug = use_slug();
    let how = match &key {
        ShownKey::Known(_) => view! {
            <p class="dim2">
                "Run this where your program runs. The key is real, already yours, and shown only this once. This page turns into the run as soon as the step arrives."
            </p>
        }
        .into_any(),
        ShownKey::Waits => view! { <KeyWaits/> }.into_any(),
        ShownKey::Gone => view! { <KeyGone/> }.into_any(),
    };
    let secret = key.text().map(str::to_owned);
    view! {
        {how}
        <Command key_text=secret.clone().unwrap_or_else(|| KEY_PLACEHOLDER.to_owned())/>
        <p class="dim2">
            "Your own program needs two lines of it: "
            <a class="link" href=move || page_href(&slug.get(), "connect")>"connect an app"</a>
            ", through the proxy or with an SDK for TypeScript, Python or Rust."
        </p>
        <Waiting live secret/>
    }
}

/// The key that was made with the project can be shown, once. A form does that: opening a page changes nothing, or any
/// web site could have the page opened and the key be gone.
#[component]
fn KeyWaits() -> impl IntoView {
    let slug = use_slug();
    view! {
        <p class="dim2">
            "Run this where your program runs. The project has a key already; it is shown only once. This page turns into the run as soon as the step arrives."
        </p>
        {move || {
            view! {
                <form class="notice" method="post" action=format!("{}/first", page_href(&slug.get(), "settings/keys"))>
                    <Icon name="key"/>
                    <div>{format!("Show the key in place of {KEY_PLACEHOLDER}.")}</div>
                    <input type="hidden" name="next" value=page_href(&slug.get(), "runs")/>
                    <span class="push"><Submit label="Show the key"/></span>
                </form>
            }
        }}
    }
}

/// The key can't be shown: it was before, or the viewer may not see it.
#[component]
fn KeyGone() -> impl IntoView {
    view! {
        <p class="dim2">
            {format!(
                "Run this where your program runs, with your key in place of {KEY_PLACEHOLDER}. This page turns into the run as soon as the step arrives.",
            )}
        </p>
        <MakeKey
            why="The project’s first key was already shown and can’t be shown again."
            label="first-step"
            button="Create a key"
            page="runs"
        />
    }
}

/// The tabs and the command. The tab is part of the URL.
#[component]
fn Command(key_text: String) -> impl IntoView {
    let origin = use_page_request().origin;
    let query = use_query_map();
    let path = use_location().pathname;
    let way = Memo::new(move |_| Way::parse(&query.read().get("way").unwrap_or_default()));
    let text = Memo::new(move |_| command(way.get(), &origin, &key_text));
    let tabs = Way::ALL
        .map(|choice| {
            view! {
                <a
                    role="tab"
                    id=format!("way-{}", choice.as_str())
                    href=move || {
                        // Without the word of the key in the address the key would be gone.
                        let made = query.read().get("made").map(|made| format!("&made={}", percent_encode(&made)));
                        format!("{}?way={}{}", path.get(), choice.as_str(), made.unwrap_or_default())
                    }
                    aria-selected=move || if way.get() == choice { "true" } else { "false" }
                    aria-controls="way-panel"
                >
                    {choice.label()}
                </a>
            }
        })
        .collect_view();
    let segments = move || {
        coloured(&text.read())
            .into_iter()
            .map(|(class, segment)| view! { <span class=class>{segment}</span> })
            .collect_view()
    };
    view! {
        <div class="tabs" role="tablist" aria-label="Way in">{tabs}</div>
        <div class="code copyable" id="way-panel" role="tabpanel" aria-labelledby=move || format!("way-{}", way.get().as_str())>
            <CopyButton text/>
            <pre tabindex="0" aria-label="Command">{segments}</pre>
        </div>
    }
}

#[component]
fn WhatYouGet() -> impl IntoView {
    let ticks = [
        "each step scored; this one answers a yes or no question with prose, so it scores 55",
        "tokens and cost per step; unknown is shown as unknown, never guessed",
        "the run as a timeline, live while it happens",
    ]
    .map(|text| view! { <li><Icon name="check"/>{text}</li> })
    .collect_view();
    view! {
        <div class="ghost-card">
            <div class="head"><h3>"What you get"</h3></div>
            <svg class="plot ghost" height="170" aria-hidden="true">
                <line class="grid-line" x1="0" x2="100%" y1="10" y2="10"></line>
                <line class="grid-line" x1="0" x2="100%" y1="57" y2="57"></line>
                <line class="grid-line" x1="0" x2="100%" y1="104" y2="104"></line>
                <line class="axis-line" x1="0" x2="100%" y1="150" y2="150"></line>
                <svg x="0" y="0" width="100%" height="150" viewBox="0 0 1000 150" preserveAspectRatio="none">
                    <path class="g-line" d=GHOST_COST></path>
                    <path class="g-line" d=GHOST_CALLS></path>
                </svg>
            </svg>
            <ul class="tick-list">{ticks}</ul>
        </div>
    }
}

/// A made-up series with a rise, for the picture only.
const GHOST_COST: &str = "M0 111L34.48 104.61L68.97 120.05L103.45 122.93L137.93 112.97L172.41 121.28L206.9 125.81L241.38 109.71L275.86 108.23L310.34 118.87L344.83 111.03L379.31 108.14L413.79 124.38L448.28 124.09L482.76 112.69L517.24 120.17L551.72 121.78L586.21 105.88L620.69 108.2L655.17 120.28L689.66 112.95L724.14 78.2L758.62 59.32L793.1 42.85L827.59 30.31L862.07 37.84L896.55 38.11L931.03 24.13L965.52 30.7L1000 43.34";
/// A made-up series without one.
const GHOST_CALLS: &str = "M0 134L34.48 130.15L68.97 131.94L103.45 136.75L137.93 137.53L172.41 133.14L206.9 130.01L241.38 132.72L275.86 137.31L310.34 137.05L344.83 132.32L379.31 130.05L413.79 133.57L448.28 137.72L482.76 136.42L517.24 131.58L551.72 130.28L586.21 134.43L620.69 137.95L655.17 135.68L689.66 130.95L724.14 130.69L758.62 135.28L793.1 137.99L827.59 134.86L862.07 130.46L896.55 131.25L931.03 136.07L965.52 137.85L1000 134";

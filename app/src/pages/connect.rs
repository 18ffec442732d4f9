//! Connect an app: the address to give an SDK, and programs to copy that work as they stand.

mod program;

use domain::filter::percent_encode;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

use self::program::{LABEL, PROGRAMS, Program, ProgramKey};
use crate::api::projects::{ServerFacts, read_server_facts};
use crate::context::{use_page_request, use_slug, use_viewer};
use crate::pages::first_step::make_key::MakeKey;
use crate::pages::first_step::provide_key_to_show;
use crate::pages::first_step::snippet::coloured;
use crate::ui::copy::CopyButton;
use crate::ui::frame::TopBar;
use crate::ui::links::page_href;
use crate::ui::load::{Load, SkeletonRows};

#[component]
pub(crate) fn ConnectPage() -> impl IntoView {
    let slug = use_slug();
    let facts = Resource::new(move || slug.get(), read_server_facts);
    let key = provide_key_to_show();
    view! {
        <Title text="Connect an app"/>
        <TopBar>
            <h1>"Connect an app"</h1>
        </TopBar>
        <main id="main" class="page page-connect" tabindex="-1">
            <section class="cell">
                <div class="verdict" data-tone="plain">
                    <h2>"Change the base URL, and every call is recorded"</h2>
                    <p>
                        "Plumbline forwards each call to the provider byte for byte, with your own provider key, and streams the answer as it arrives. The provider key is never stored or logged. If recording fails, the call still goes through."
                    </p>
                    <p>
                        "Where a program can’t change a URL, or you want steps around its own code too, an SDK wraps the provider’s client instead and sends what it did in the background. Use one of the two for a call, or it is recorded twice."
                    </p>
                </div>
            </section>
            <section class="cell" aria-labelledby="connect-program">
                <div class="head"><h2 id="connect-program">"A program to copy"</h2></div>
                // A boundary of its own: a key can be read only once.
                <Transition fallback=|| ()>
                    {move || Suspend::new(async move {
                        let key = key.read().await;
                        view! { <Programs key_text=key.text().map(str::to_owned)/> }
                    })}
                </Transition>
            </section>
            <section class="cell flush">
                <div class="head"><h2 id="connect-addresses">"Base URLs"</h2><span class="sub">"where calls are forwarded to is set on the server, never by a request"</span></div>
                <Load resource=facts what="The addresses" skeleton=|| view! { <SkeletonRows rows=2/> } let:facts>
                    <Addresses facts/>
                </Load>
            </section>
            <section class="cell flush">
                <div class="head"><h2 id="connect-headers">"Headers"</h2><span class="sub">"all but the key are optional; none of them reaches the provider"</span></div>
                <Headers/>
            </section>
        </main>
    }
    .into_any()
}

/// The tabs and the program. The tab is part of the URL.
#[component]
fn Programs(
    /// The key, if it can be shown.
    key_text: Option<String>,
) -> impl IntoView {
    let origin = use_page_request().origin;
    let slug = use_slug();
    let query = use_query_map();
    let chosen = Memo::new(move |_| Program::of_word(&query.read().get("program").unwrap_or_default()));
    let is_known = key_text.is_some();
    let is_open = use_viewer().open;
    let key = match key_text {
        Some(text) => ProgramKey::Known(text),
        None if is_open => ProgramKey::Needless,
        None => ProgramKey::Hidden,
    };
    let text = Memo::new(move |_| chosen.get().text(&origin, &key));
    // The word of a key that was made a moment ago stays in the address: without it the key would be gone.
    let href = move |program: Program| {
        let made = query
            .read()
            .get("made")
            .map(|made| format!("&made={}", percent_encode(&made)));
        format!(
            "{}?program={}{}",
            page_href(&slug.read(), "connect"),
            program.word,
            made.unwrap_or_default()
        )
    };
    let tabs = PROGRAMS
        .map(|program| {
            view! {
                <a
                    role="tab"
                    id=format!("program-{}", program.word)
                    href=move || href(program)
                    aria-selected=move || if chosen.get() == program { "true" } else { "false" }
                    aria-controls="program-panel"
                    data-noscroll
                >
                    {program.label}
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
    let key_note = if is_known {
        view! { <p class="dim2">"The key in it is real and shown only this once."</p> }.into_any()
    } else if is_open {
        view! {
            <p class="dim2">
                <span hidden=move || chosen.get().needs_key()>
                    "It works as it is: without accounts, on this machine, no key is needed."
                </span>
                <span hidden=move || !chosen.get().needs_key()>
                    "This server needs no key from this machine, but the SDK sends nothing without one: create it, in place of YOUR_KEY."
                </span>
                <span hidden=move || !chosen.get().is_proxied>
                    " The label in its place, "<code>{LABEL}</code>", names the series of the calls; choose your own."
                </span>
            </p>
            <MakeKey
                why="A key keeps working once there are accounts, or when programs call from other machines."
                label="app"
                button="Create a key and show it here"
                page="connect"
            />
        }
        .into_any()
    } else {
        view! {
            <p class="dim2">
                "The program needs a key with the scope "<code>{move || chosen.get().scope()}</code>" in place of YOUR_KEY."
            </p>
            <MakeKey
                why="A key for this program, with the scopes of both ways in."
                label="app"
                button="Create a key and show it here"
                page="connect"
            />
        }
        .into_any()
    };
    view! {
        <div class="tabs" role="tablist" aria-label="Program">{tabs}</div>
        {move || chosen.get().install.map(|install| view! {
            <p class="dim2">
                "Install: "<code>{install}</code>
                {chosen.get().key_variable.map(|variable| view! { ". It reads the provider’s key from "<code>{variable}</code>"." })}
            </p>
        })}
        {move || (!chosen.get().is_tested).then(|| view! {
            <p class="dim2">"Written after the framework’s documentation; our own tests do not run this one."</p>
        })}
        <div class="code copyable" id="program-panel" role="tabpanel" aria-labelledby=move || format!("program-{}", chosen.get().word)>
            <CopyButton text/>
            <pre tabindex="0" aria-label="Program">{segments}</pre>
        </div>
        {key_note}
        <p class="dim2">
            "Run it, then look at "
            <a class="link" href=move || format!("{}?live=true", page_href(&slug.read(), "runs"))>"the runs, live"</a>
            ": the call is there with its texts, tokens, cost and score."
        </p>
    }
}

/// What to give an SDK, and where calls go on to.
#[component]
pub(crate) fn Addresses(facts: ServerFacts) -> impl IntoView {
    let origin = use_page_request().origin;
    let rows = [
        (
            "Anthropic",
            origin.clone(),
            "ANTHROPIC_BASE_URL",
            facts.upstream_anthropic,
            "/v1/messages, with streaming and count_tokens",
        ),
        (
            "OpenAI",
            format!("{origin}/v1"),
            "OPENAI_BASE_URL",
            facts.upstream_openai,
            "/v1/chat/completions, /v1/responses, /v1/completions, /v1/embeddings",
        ),
    ]
    .map(|(name, base, variable, upstream, routes)| {
        let upstream = if upstream.is_empty() {
            "not shown".to_owned()
        } else {
            upstream
        };
        view! {
            <tr>
                <td class="main">{name}</td>
                <td class="mono">{base}</td>
                <td class="mono">{variable}</td>
                <td class="mono">{upstream}</td>
                <td>{routes}</td>
            </tr>
        }
    })
    .into_iter()
    .collect_view();
    view! {
        <div class="scroll-x" tabindex="0" role="region" aria-label="Base URLs">
            <table class="table bleed">
                <caption class="vh">"Base URLs by provider"</caption>
                <thead>
                    <tr>
                        <th scope="col">"SDK of"</th>
                        <th scope="col">"Base URL"</th>
                        <th scope="col">"Or set"</th>
                        <th scope="col">"Forwarded to"</th>
                        <th scope="col">"Recorded"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
}

/// Our headers: name, meaning.
const HEADERS: [(&str, &str); 7] = [
    (
        "X-Plumbline-Key",
        "the key of this project, with the scope proxy; its label names the series. Without accounts, on one machine, a label alone",
    ),
    (
        "X-Plumbline-Run",
        "groups calls into a run; without it, the trace of traceparent, else each call is its own run",
    ),
    (
        "X-Plumbline-Step",
        "what the call does, for instance classify-intent: limits and trends go by it",
    ),
    ("X-Plumbline-Session", "the conversation it belongs to"),
    ("X-Plumbline-User", "the end user it is for"),
    ("X-Plumbline-Environment", "production, staging, …"),
    (
        "X-Plumbline-Release",
        "the version that runs, usually a commit: it links calls to deploys",
    ),
];

#[component]
fn Headers() -> impl IntoView {
    let rows = HEADERS
        .map(|(name, meaning)| view! { <tr><td class="main mono">{name}</td><td class="wrap">{meaning}</td></tr> })
        .into_iter()
        .collect_view();
    view! {
        <div class="scroll-x" tabindex="0" role="region" aria-labelledby="connect-headers">
            <table class="table bleed">
                <caption class="vh">"Headers of Plumbline"</caption>
                <thead><tr><th scope="col">"Header"</th><th scope="col">"Says"</th></tr></thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
}

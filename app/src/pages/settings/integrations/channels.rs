//! The channels of alerts: how each is, what can be done at once, and the form to change it.

mod edit;

use domain::Role;
use domain::alert::{AlertLevel, Channel, TraceFormatName};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use serde::{Deserialize, Serialize};

use self::edit::Edit;
use crate::api::alerts::{ChannelCondition, ChannelView, read_channels, reveal_signing_secret};
use crate::context::{use_may, use_slug};
use crate::error::ApiError;
use crate::pages::settings::use_admin_lock;
use crate::ui::copy::CopyButton;
use crate::ui::form::Submit;
use crate::ui::icon::Icon;
use crate::ui::links::page_href;
use crate::ui::load::{Load, SkeletonRows};
use crate::ui::time::Time;

/// All of them, connected or not; for admins.
#[component]
pub(super) fn Channels() -> impl IntoView {
    let slug = use_slug();
    let channels = Resource::new(move || slug.get(), read_channels);
    let may_see = use_may(Role::Admin);
    let section = move || {
        view! {
            <section class="cell flush integs">
                <div class="head">
                    <h2 id="integrations-alerts">"Where alerts go"</h2>
                    <span class="sub">
                        <a class="link" href=move || page_href(&slug.read(), "settings/alerts")>"Alerts"</a>
                        " says what is told; secrets are encrypted, and only the last four characters are shown again"
                    </span>
                </div>
                <Load resource=channels what="The channels" skeleton=|| view! { <SkeletonRows rows=9/> } let:views>
                    {views.into_iter().map(|view| view! { <ChannelRow view/> }).collect_view()}
                </Load>
            </section>
        }
    };
    view! {
        <MadeSecret/>
        {move || may_see.get().then(section)}
    }
}

#[component]
fn ChannelRow(view: ChannelView) -> impl IntoView {
    let kind = view.channel.as_str();
    let (icon, name, kind_words) = match view.channel {
        Channel::Slack => ("chat", "Slack", "incoming webhook"),
        Channel::Sentry => ("bug", "Sentry", "events and traces by DSN"),
        Channel::Email => ("mail", "E-mail", "SMTP, STARTTLS or TLS"),
        Channel::Webhook => ("hook", "Signed webhook", "HMAC-SHA256, versioned schema"),
    };
    let (word, tone, badge, state) = match view.condition {
        ChannelCondition::Off => ("not set up", "line", None, "none"),
        ChannelCondition::Ok => ("ok", "ok", Some("check"), "ok"),
        ChannelCondition::Paused => ("paused", "warn", Some("paused"), "paused"),
        ChannelCondition::Failing => ("failing", "bad", Some("x"), "failing"),
        ChannelCondition::Stopped => ("stopped", "bad", Some("x"), "failing"),
    };
    let is_off = view.condition == ChannelCondition::Off;
    let is_paused = view.condition == ChannelCondition::Paused;
    let body = if is_off {
        view! { <p class="dim">{about(view.channel)}</p> }.into_any()
    } else {
        view! { <Facts view=view.clone()/> }.into_any()
    };
    let actions = (!is_off).then(|| view! { <Actions kind is_paused/> });
    let heading = format!("integ-{kind}");
    let labelled_by = heading.clone();
    view! {
        <article class="integ" data-state=state aria-labelledby=labelled_by>
            <div class="integ-id">
                <Icon name=icon/>
                <div>
                    <h3 id=heading>{name}</h3>
                    <p class="dim">{kind_words}</p>
                    <span class="badge" data-tone=tone>{badge.map(|name| view! { <Icon name/> })}{word}</span>
                </div>
            </div>
            <div class="integ-body">
                {body}
                <details class="integ-edit">
                    <summary class="btn sm">{if is_off { "Set up" } else { "Edit" }}</summary>
                    <Edit view/>
                </details>
            </div>
            <div class="integ-side">{actions}</div>
        </article>
    }
}

fn about(channel: Channel) -> &'static str {
    match channel {
        Channel::Slack => "A message with what broke, how badly, and a link that opens the step.",
        Channel::Sentry => {
            "Each condition of a critical step becomes an event, grouped by step and code; also for servers that take Sentry’s envelopes."
        }
        Channel::Email => {
            "A message with text and HTML to up to 20 people, by a server of yours; encrypted, with a name and password where it asks for them."
        }
        Channel::Webhook => {
            "Posts each alert to a URL of yours, signed with a timestamp. Public https addresses only."
        }
    }
}

#[component]
fn Actions(kind: &'static str, is_paused: bool) -> impl IntoView {
    let slug = use_slug();
    let locked = use_admin_lock();
    let action = move |what: &str| format!("/p/{}/settings/integrations/{kind}/{what}", slug.get());
    let (label, paused) = if is_paused {
        ("Resume", "")
    } else {
        ("Pause", "on")
    };
    view! {
        <div class="row acts">
            <form method="post" action=move || action("test")>
                <Submit label="Send test" locked/>
            </form>
            <form method="post" action=move || action("pause")>
                <input type="hidden" name="paused" value=paused/>
                <Submit label locked/>
            </form>
            <details class="confirm">
                <summary class="btn" data-variant="danger">"Remove…"</summary>
                <form class="confirm-body" method="post" action=move || action("remove")>
                    <p>"Its secrets are deleted, and alerts that wait for it are dropped."</p>
                    <Submit label="Remove the channel" variant="danger" locked/>
                </form>
            </details>
        </div>
    }
}

#[component]
fn Facts(view: ChannelView) -> impl IntoView {
    let target_label = match view.channel {
        Channel::Slack => "Webhook",
        Channel::Sentry => "DSN",
        Channel::Email => "Server",
        Channel::Webhook => "URL",
    };
    let secret = view.secret.clone().map(|shown| format!("••••{shown}"));
    let target = match view.channel {
        Channel::Sentry => format!("https://{}@{}", secret.clone().unwrap_or_default(), view.target),
        Channel::Email => view.target.clone(),
        Channel::Slack | Channel::Webhook => format!("https://{}/…", view.target),
    };
    let secret_row = match view.channel {
        Channel::Slack => Some(("Ends with", secret)),
        Channel::Email => Some(("Password", secret)),
        Channel::Webhook => Some(("Signing secret", secret)),
        Channel::Sentry => None,
    };
    let secret_row = secret_row.and_then(|(label, secret)| Some((label, secret?)));
    let level = (view.channel == Channel::Sentry).then(|| {
        let words = match view.level {
            AlertLevel::Critical => "critical steps, grouped by step and code",
            AlertLevel::Warning => "critical steps and warnings, grouped by step and code",
            AlertLevel::Off => "none",
        };
        let environment = (!view.environment.is_empty())
            .then(|| format!("; {} where a step names no environment", view.environment));
        view! { <dt>"Events"</dt><dd>{words}{environment}</dd> }
    });
    let traces = view.traces.clone().map(|words| {
        let words = match (view.tracing, view.format) {
            (false, _) => "off".to_owned(),
            (true, TraceFormatName::Transaction) => format!("transactions: {words}"),
            (true, TraceFormatName::Spans) => format!("spans: {words}"),
        };
        view! { <dt>"Traces"</dt><dd class="num">{words}</dd> }
    });
    let people = (view.channel == Channel::Email).then(|| {
        let (from, to) = (view.from.clone(), view.to.join(", "));
        view! {
            <dt>"From"</dt>
            <dd>{from}</dd>
            <dt>"To"</dt>
            <dd>{to}</dd>
        }
    });
    let answer = match view.last_answer.clone() {
        None => view! { "none yet" }.into_any(),
        Some(last) => {
            let words = format!(
                "{} in {}",
                last.answer,
                domain::text::duration(f64::from(last.latency_ms))
            );
            view! { <span class="num">{words}", "<Time at=last.at/></span> }.into_any()
        }
    };
    let waiting = (view.waiting > 0).then(|| {
        let words = domain::text::counted(view.waiting, "alert");
        view! { <dt>"Waiting"</dt><dd class="num">{words}</dd> }
    });
    let paused = view.paused_at.map(|at| {
        view! { <dt>"Paused"</dt><dd>"since "<Time at/>"; what waits for longer than a day is dropped"</dd> }
    });
    view! {
        <dl class="kv">
            <dt>{target_label}</dt>
            <dd><span class="mono">{target}</span></dd>
            {secret_row.map(|(label, secret)| view! { <dt>{label}</dt><dd class="mono">{secret}</dd> })}
            {level}
            {traces}
            {people}
            <dt>"Last answer"</dt>
            <dd>{answer}</dd>
            {waiting}
            {paused}
        </dl>
        <Trouble view/>
    }
}

/// What went wrong last, and what that means for what waits.
#[component]
fn Trouble(view: ChannelView) -> impl IntoView {
    let is_stopped = view.condition == ChannelCondition::Stopped;
    let (head, advice) = if is_stopped {
        (
            "Stopped",
            "The answer is permanent, so nothing is sent again by itself. What waits is kept for 7 days. Mend it there or enter another address here, then send a test.",
        )
    } else {
        (
            "The last message was not taken",
            "It is tried again for a day, less and less often. A test that is taken clears this.",
        )
    };
    let at = view.last_attempt_at;
    view.last_error.map(|error| {
        view! {
            <div class="notice" data-tone="bad" role="alert">
                <Icon name="x"/>
                <div>
                    <b>{head}": "{error}{at.map(|at| view! { ", "<Time at/> })}</b>
                    <p>{advice}</p>
                </div>
            </div>
        }
    })
}

/// What is known of the secret that the address speaks of.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Made {
    /// The address speaks of none.
    Nothing,
    /// It was shown before.
    Gone,
    Secret(String),
}

/// The signing secret that was made a moment ago. Read once; the next visit shows nothing.
#[component]
fn MadeSecret() -> impl IntoView {
    let slug = use_slug();
    let query = use_query_map();
    let may = use_may(Role::Admin);
    let made = Memo::new(move |_| query.read().get("signing").unwrap_or_default());
    let secret = Resource::new(
        move || (slug.get(), made.get(), may.get()),
        |(slug, made, may)| async move {
            if made.is_empty() || !may {
                return Ok::<_, ApiError>(Made::Nothing);
            }
            let secret = reveal_signing_secret(slug, made).await?;
            Ok(secret.map_or(Made::Gone, Made::Secret))
        },
    );
    view! { <Load resource=secret what="The new secret" let:made><Secret made/></Load> }
}

#[component]
fn Secret(made: Made) -> impl IntoView {
    match made {
        Made::Nothing => ().into_any(),
        Made::Gone => view! {
            <section class="cell">
                <div class="notice" data-tone="warn" role="status">
                    <Icon name="warning"/>
                    <div>"This signing secret was already shown and can’t be shown again. If you did not copy it, make another one below."</div>
                </div>
            </section>
        }
        .into_any(),
        Made::Secret(secret) => view! {
            <section class="cell" aria-labelledby="made-signing">
                <div class="head">
                    <h2 id="made-signing">"The webhook’s signing secret"</h2>
                    <span class="sub">"shown only this once: copy it to the receiver now"</span>
                </div>
                <div class="code copyable">
                    <CopyButton text=secret.clone()/>
                    <pre tabindex="0" aria-label="The signing secret">{secret.clone()}</pre>
                </div>
            </section>
        }
        .into_any(),
    }
}

//! The forms of channels: what each has to know.

use domain::alert::{AlertLevel, Channel, TraceFormatName};
use leptos::prelude::*;

use crate::api::alerts::{ChannelCondition, ChannelView};
use crate::context::use_slug;
use crate::pages::settings::use_admin_lock;
use crate::ui::form::Submit;

/// The form of a channel.
#[component]
pub(super) fn Edit(view: ChannelView) -> impl IntoView {
    let slug = use_slug();
    let locked = use_admin_lock();
    let kind = view.channel.as_str();
    let is_new = view.condition == ChannelCondition::Off;
    let label = if is_new { "Connect" } else { "Save" };
    let fields = match view.channel {
        Channel::Slack => view! {
            <SecretField name="webhook_url" label="Webhook URL" is_new placeholder="https://hooks.slack.com/services/…"/>
        }
        .into_any(),
        Channel::Sentry => view! {
            <SecretField name="dsn" label="DSN" is_new placeholder="https://key@o1.ingest.sentry.io/1"/>
            <SentryFields view=view.clone()/>
        }
        .into_any(),
        Channel::Email => view! {
            <SecretField name="smtp_url" label="Server" is_new placeholder="smtps://user:password@mail.acme.dev:465"/>
            <EmailFields view=view.clone()/>
        }
        .into_any(),
        Channel::Webhook => {
            let rotate = (!is_new).then(|| {
                view! {
                    <label class="choice">
                        <input class="check" type="checkbox" name="rotate_secret" value="on" disabled=move || !locked.read().is_empty()/>
                        <span>"Make a new signing secret "<span class="dim">"the one before signs too for 24 hours"</span></span>
                    </label>
                }
            });
            view! {
                <SecretField name="url" label="URL" is_new placeholder="https://ops.acme.dev/plumbline"/>
                {rotate}
            }
            .into_any()
        }
    };
    view! {
        <form class="form" method="post" action=move || format!("/p/{}/settings/integrations/{kind}", slug.get())>
            {fields}
            <Submit label variant="primary" locked/>
        </form>
    }
}

/// An address that is a secret: never shown again, and kept where it is left empty.
#[component]
fn SecretField(
    name: &'static str,
    label: &'static str,
    is_new: bool,
    placeholder: &'static str,
) -> impl IntoView {
    let locked = use_admin_lock();
    let id = format!("field-{name}");
    let labelled = id.clone();
    let hint_id = format!("hint-{name}");
    let described_by = hint_id.clone();
    let hint = if is_new {
        "Stored encrypted; shown again in parts only"
    } else {
        "Leave it empty to keep the one that is stored"
    };
    view! {
        <div class="field">
            <label for=labelled>{label}</label>
            <input
                class="input"
                id=id
                name=name
                type="password"
                required=is_new
                autocomplete="off"
                placeholder=placeholder
                aria-describedby=described_by
                disabled=move || !locked.read().is_empty()
            />
            <p class="hint" id=hint_id>{hint}</p>
        </div>
    }
}

#[component]
fn SentryFields(view: ChannelView) -> impl IntoView {
    let locked = use_admin_lock();
    let is_locked = move || !locked.read().is_empty();
    let levels = [
        (AlertLevel::Critical, "critical steps"),
        (AlertLevel::Warning, "warnings too"),
        (AlertLevel::Off, "nothing"),
    ];
    let is_spans = view.format == TraceFormatName::Spans;
    let options = levels
        .into_iter()
        .map(|(level, words)| view! { <option value=level.as_str() selected=view.level == level>{words}</option> })
        .collect_view();
    view! {
        <div class="field">
            <label for="field-alert-level">"Events for"</label>
            <select class="select" id="field-alert-level" name="alert_level" disabled=is_locked>{options}</select>
        </div>
        <div class="field">
            <label for="field-environment">"Environment"</label>
            <input class="input" id="field-environment" name="environment" value=view.environment maxlength="60" autocomplete="off" disabled=is_locked/>
            <p class="hint">"Of steps that name none; may stay empty"</p>
        </div>
        <label class="choice">
            <input class="check" type="checkbox" name="tracing" value="on" checked=view.tracing disabled=is_locked/>
            <span>"Send each finished run as tracing data "<span class="dim">"without prompts and answers"</span></span>
        </label>
        <div class="field">
            <label for="field-format">"As"</label>
            <select class="select" id="field-format" name="format" disabled=is_locked>
                <option value="transaction" selected=!is_spans>"transactions, which every server takes"</option>
                <option value="spans" selected=is_spans>"spans (v2)"</option>
            </select>
        </div>
    }
}

#[component]
fn EmailFields(view: ChannelView) -> impl IntoView {
    let locked = use_admin_lock();
    let is_locked = move || !locked.read().is_empty();
    view! {
        <div class="field">
            <label for="field-from">"From"</label>
            <input class="input" id="field-from" name="from" required=true value=view.from placeholder="Plumbline <alerts@acme.dev>" autocomplete="off" disabled=is_locked/>
        </div>
        <div class="field">
            <label for="field-to">"To"</label>
            <input class="input" id="field-to" name="to" required=true value=view.to.join(", ") placeholder="ops@acme.dev, lead@acme.dev" autocomplete="off" disabled=is_locked/>
            <p class="hint">"With commas between them, 20 at most"</p>
        </div>
    }
}

//! One provider: its key, what the last test was answered, and the forms to change it.

use domain::{NanoUsd, ProviderKind, text};
use leptos::prelude::*;

use crate::api::models::{ProviderView, TestedView};
use crate::context::use_slug;
use crate::pages::settings::use_admin_lock;
use crate::ui::form::Submit;
use crate::ui::icon::Icon;
use crate::ui::time::Time;

/// A provider that is set up.
#[component]
pub(super) fn ProviderRow(
    provider: ProviderView,
    /// Its models that are in use.
    models: Vec<String>,
) -> impl IntoView {
    let (tone, icon, word) = match &provider.tested {
        None => ("line", None, "not tested"),
        Some(tested) if tested.ok => ("ok", Some("check"), "ok"),
        Some(_) => ("bad", Some("x"), "failing"),
    };
    let is_failing = provider.tested.as_ref().is_some_and(|tested| !tested.ok);
    let state = if is_failing { "failing" } else { "ok" };
    let heading = format!("provider-{}", provider.id);
    let labelled_by = heading.clone();
    let address = provider
        .base_url
        .clone()
        .or_else(|| provider.kind.default_url().map(str::to_owned))
        .unwrap_or_default();
    let key = match (&provider.key_shown, provider.has_key) {
        (Some(shown), _) => format!("••••{shown}"),
        (None, true) => "stored".to_owned(),
        (None, false) => "none".to_owned(),
    };
    let added = provider.key_set_at.map(|at| {
        let by = provider.key_set_by.clone().unwrap_or_default();
        view! { ", added "<Time at/>" by "{by} }
    });
    let in_use = if models.is_empty() {
        "none; choose them below".to_owned()
    } else {
        models.join(", ")
    };
    let (tested, tested_at) = (provider.tested.clone(), provider.tested_at);
    let answer =
        tested.map(|tested| test_view(tested, tested_at.map(|at| view! { ", "<Time at/> }.into_any())));
    view! {
        <article class="integ" data-state=state aria-labelledby=labelled_by>
            <div class="integ-id">
                <Icon name="spark"/>
                <div>
                    <h3 id=heading>{provider.id.clone()}</h3>
                    <p class="dim">{provider.kind.label()}</p>
                    <span class="badge" data-tone=tone>{icon.map(|name| view! { <Icon name/> })}{word}</span>
                </div>
            </div>
            <div class="integ-body">
                <dl class="kv">
                    <dt>"Address"</dt>
                    <dd class="mono">{address}</dd>
                    <dt>"Key"</dt>
                    <dd><span class="mono">{key}</span>{added}</dd>
                    <dt>"Models"</dt>
                    <dd>{in_use}</dd>
                </dl>
                {answer}
                <details class="integ-edit">
                    <summary class="btn sm">"Replace key or address"</summary>
                    <ProviderForm kind=provider.kind id=provider.id.clone() base_url=provider.base_url.clone()/>
                </details>
            </div>
            <Actions id=provider.id.clone() model=models.first().cloned()/>
        </article>
    }
}

/// What the last test was answered: the model's own words, or why there are none.
fn test_view(tested: TestedView, at: Option<AnyView>) -> AnyView {
    let latency = text::duration(tested.latency_ms as f64);
    if tested.ok {
        let count =
            |count: Option<i64>| count.map_or_else(|| "?".to_owned(), |n| text::grouped(n.unsigned_abs()));
        let cost = tested
            .cost_nano_usd
            .map_or_else(|| "cost unknown".to_owned(), NanoUsd::to_short);
        let facts = format!(
            " {}, {} tokens in, {} out, {cost}",
            tested.model,
            count(tested.input_tokens),
            count(tested.output_tokens)
        );
        view! {
            <div class="notice" role="status">
                <Icon name="check"/>
                <div><b>{format!("Answered “{}” in {latency}.", tested.answer)}</b><span class="num">{facts}{at}</span></div>
            </div>
        }
        .into_any()
    } else {
        view! {
            <div class="notice" data-tone="bad" role="alert">
                <Icon name="x"/>
                <div><b>{tested.answer}</b><p>{format!("{}, after {latency}", tested.model)}{at}</p></div>
            </div>
        }
        .into_any()
    }
}

#[component]
fn Actions(id: String, model: Option<String>) -> impl IntoView {
    let slug = use_slug();
    let locked = use_admin_lock();
    let is_locked = move || !locked.read().is_empty();
    let field = format!("field-test-{id}");
    let label_for = field.clone();
    let (of_test, of_remove) = (id.clone(), id);
    view! {
        <div class="integ-side">
            <form class="form" method="post" action=move || format!("/p/{}/settings/providers/{of_test}/test", slug.get())>
                <div class="field">
                    <label for=label_for>"Test with model"</label>
                    <input class="input" id=field name="model" autocomplete="off" value=model.unwrap_or_default() disabled=is_locked/>
                </div>
                <Submit label="Test" locked/>
            </form>
            <details class="confirm">
                <summary class="btn" data-variant="danger">"Remove…"</summary>
                <form class="confirm-body" method="post" action=move || format!("/p/{}/settings/providers/{of_remove}/remove", slug.get())>
                    <p>"Its key is deleted. What uses its models has none until you choose another."</p>
                    <Submit label="Remove the provider" variant="danger" locked/>
                </form>
            </details>
        </div>
    }
}

/// A provider that can be set up.
#[component]
pub(super) fn AddProvider(kind: ProviderKind) -> impl IntoView {
    let heading = format!("add-{}", kind.as_str());
    let labelled_by = heading.clone();
    let host = match kind {
        ProviderKind::OpenAiCompatible => "vLLM, Ollama, OpenRouter, DeepSeek, xAI, …",
        _ => kind
            .default_url()
            .and_then(|url| url.strip_prefix("https://")?.split('/').next())
            .unwrap_or_default(),
    };
    view! {
        <article class="integ" data-state="none" aria-labelledby=labelled_by>
            <div class="integ-id">
                <Icon name="spark"/>
                <div>
                    <h3 id=heading>{kind.label()}</h3>
                    <p class="dim">{host}</p>
                    <span class="badge" data-tone="line">"not set up"</span>
                </div>
            </div>
            <div class="integ-body">
                <p class="dim">"Analysis, investigation and chat work with any of the others too."</p>
                <details class="integ-edit">
                    <summary class="btn sm">{format!("Set up {}", kind.label())}</summary>
                    <ProviderForm kind id=String::new() base_url=None/>
                </details>
            </div>
        </article>
    }
}

/// The form of a provider; without an id of a new one.
#[component]
fn ProviderForm(kind: ProviderKind, id: String, base_url: Option<String>) -> impl IntoView {
    let slug = use_slug();
    let locked = use_admin_lock();
    let is_locked = move || !locked.read().is_empty();
    let is_new = id.is_empty();
    let of = |field: &str| format!("field-{}-{id}-{field}", kind.as_str());
    let (id_id, url_id, key_id) = (of("id"), of("url"), of("key"));
    let name = if is_new {
        let label_for = id_id.clone();
        let usual = match kind {
            ProviderKind::OpenAiCompatible => String::new(),
            _ => kind.as_str().to_owned(),
        };
        view! {
            <div class="field">
                <label for=label_for>"Id"</label>
                <input class="input" id=id_id name="id" required=true maxlength="40" pattern="[a-z0-9][a-z0-9\\-]*" autocomplete="off" value=usual disabled=is_locked/>
            </div>
        }
        .into_any()
    } else {
        view! { <input type="hidden" name="id" value=id/> }.into_any()
    };
    let key_hint = if is_new {
        "Stored encrypted; leave it empty where none is needed."
    } else {
        "Leave it empty to keep the stored one; another address needs it again."
    };
    let (url_for, key_for, hint_id) = (url_id.clone(), key_id.clone(), format!("{key_id}-hint"));
    let described_by = hint_id.clone();
    view! {
        <form class="form" method="post" action=move || format!("/p/{}/settings/providers", slug.get())>
            <input type="hidden" name="kind" value=kind.as_str()/>
            {name}
            <div class="field">
                <label for=url_for>"Address"</label>
                <input
                    class="input"
                    id=url_id
                    name="base_url"
                    autocomplete="off"
                    required=kind.default_url().is_none()
                    placeholder=kind.default_url().unwrap_or("https://host/v1")
                    value=base_url.unwrap_or_default()
                    disabled=is_locked
                />
            </div>
            <div class="field">
                <label for=key_for>"Key"</label>
                <input class="input" id=key_id name="api_key" type="password" autocomplete="off" aria-describedby=described_by disabled=is_locked/>
                <p class="hint" id=hint_id>{key_hint}</p>
            </div>
            <Submit label="Save" variant="primary" locked/>
        </form>
    }
}

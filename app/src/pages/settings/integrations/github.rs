//! The connection to GitHub: how it is, and what is set.

use domain::github::{ConnectionState, DEFAULT_API_URL, GithubOptions};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use crate::api::integrations::{GithubView, SecretView};
use crate::context::{use_page_request, use_slug};
use crate::pages::settings::use_admin_lock;
use crate::ui::copy::CopyButton;
use crate::ui::form::Submit;
use crate::ui::icon::Icon;
use crate::ui::links::page_href;
use crate::ui::time::Time;

/// Repository, state and what came last, with what can be done at once.
#[component]
pub(super) fn GithubState(view: GithubView) -> impl IntoView {
    let (word, tone, icon) = match view.state {
        ConnectionState::Off => ("not set up", "line", None),
        ConnectionState::New => ("not asked yet", "line", Some("clock")),
        ConnectionState::Ok => ("ok", "ok", Some("check")),
        ConnectionState::Failing => ("failing", "bad", Some("x")),
        ConnectionState::Paused => ("paused", "warn", Some("paused")),
    };
    let data_state = match view.state {
        ConnectionState::Failing => "failing",
        ConnectionState::Paused => "paused",
        ConnectionState::Off => "none",
        _ => "ok",
    };
    let is_off = view.state == ConnectionState::Off;
    let is_paused = view.state == ConnectionState::Paused;
    let body = if is_off {
        view! {
            <p class="dim">
                "Deployments, runs of workflows and releases of a repository become deploys here: by a signed webhook at once, and by asking GitHub every 5 minutes for what was missed."
            </p>
        }
        .into_any()
    } else {
        view! { <Facts view/> }.into_any()
    };
    view! {
        <article class="integ" data-state=data_state aria-labelledby="integ-github">
            <div class="integ-id">
                <Icon name="branch"/>
                <div>
                    <h3 id="integ-github">"GitHub"</h3>
                    <p class="dim">"deploys"</p>
                    <span class="badge" data-tone=tone>{icon.map(|name| view! { <Icon name/> })}{word}</span>
                </div>
            </div>
            <div class="integ-body">{body}</div>
            <div class="integ-side">
                <div class="row acts">
                    {(!is_off).then(|| view! { <SyncNow is_paused/> })}
                    <a class="btn" href="#github-edit">{if is_off { "Set up" } else { "Edit" }}</a>
                </div>
            </div>
        </article>
    }
}

#[component]
fn SyncNow(is_paused: bool) -> impl IntoView {
    let slug = use_slug();
    let admin = use_admin_lock();
    let locked = Signal::derive(move || {
        let by_role = admin.get();
        if by_role.is_empty() && is_paused {
            "It is paused; resume it first".to_owned()
        } else {
            by_role
        }
    });
    view! {
        <form method="post" action=move || format!("/p/{}/settings/integrations/github/sync", slug.get())>
            <Submit label="Sync now" locked/>
        </form>
    }
}

#[component]
fn Facts(view: GithubView) -> impl IntoView {
    let slug = use_slug();
    let repository = view.options.repository.clone();
    let href = view.options.web_url();
    let counted = counted_words(&view.options);
    let last_sync = match (view.last_ok_at, view.is_syncing) {
        (_, true) => view! { "under way" }.into_any(),
        (Some(at), false) => view! { <Time at/>", asked again every 5 minutes" }.into_any(),
        (None, false) => view! { "none yet" }.into_any(),
    };
    let webhook = match (&view.webhook_secret, view.last_event_at) {
        (None, _) => view! { "no secret, so none is heard" }.into_any(),
        (Some(_), None) => view! { "none received yet" }.into_any(),
        (Some(_), Some(at)) => {
            let event = view.last_event.clone().unwrap_or_default();
            view! { <span class="mono">{event}</span>", "<Time at/> }.into_any()
        }
    };
    let last_deploy = match view.last_deploy.clone() {
        None => view! { "none yet" }.into_any(),
        Some(deploy) => {
            let (at, sha) = (deploy.at(), deploy.short_sha().to_owned());
            let name = deploy.pr_number.map(|number| format!(" PR {number}"));
            let id = domain::filter::percent_encode(&deploy.id);
            let href = move || page_href(&slug.read(), &format!("deploys/{id}"));
            view! { <a class="link" href=href><span class="mono">{sha}</span>{name}</a>", "<Time at/> }
                .into_any()
        }
    };
    // Being told to wait is none of ours to repair.
    let (tone, icon) = match view.state {
        ConnectionState::Failing => ("bad", "x"),
        _ => ("warn", "clock"),
    };
    let paused = view.paused_at.map(|at| {
        view! {
            <dt>"Paused"</dt>
            <dd>"since "<Time at/>"; webhooks are answered and not heard"</dd>
        }
    });
    view! {
        <dl class="kv">
            <dt>"Repository"</dt>
            <dd><a class="link" href=href rel="noreferrer">{repository}</a></dd>
            <dt>"Counts"</dt>
            <dd>{counted}</dd>
            <dt>"Token"</dt>
            <dd>{secret_words(view.token.as_ref(), "none: only public repositories, 60 questions an hour")}</dd>
            <dt>"Last sync"</dt>
            <dd class="num">{last_sync}</dd>
            <dt>"Last webhook"</dt>
            <dd class="num">{webhook}</dd>
            <dt>"Last deploy"</dt>
            <dd class="num">{last_deploy}</dd>
            {paused}
        </dl>
        {view
            .last_error
            .clone()
            .map(|error| {
                let attempt = view.last_attempt_at;
                let next = view.next_at;
                view! {
                    <div class="notice" data-tone=tone role="alert">
                        <Icon name=icon/>
                        <div>
                            <b>{error}"."</b>
                            <p>
                                {attempt.map(|at| view! { "Asked "<Time at/>". " })}
                                {next.map(|at| view! { "The next attempt is at "<Time at/>"." })}
                            </p>
                        </div>
                    </div>
                }
            })}
    }
}

/// What counts as a deploy, in words.
fn counted_words(options: &GithubOptions) -> String {
    let mut parts = Vec::new();
    if options.deployments {
        parts.push(match options.environments.as_slice() {
            [] => "deployments to every environment".to_owned(),
            some => format!("deployments to {}", some.join(", ")),
        });
    }
    if !options.workflows.is_empty() {
        let branch = options.branch.as_deref();
        let on = branch.map_or_else(String::new, |branch| format!(" on {branch}"));
        parts.push(format!("runs of {}{on}", options.workflows.join(", ")));
    }
    if options.releases {
        parts.push("releases".to_owned());
    }
    parts.join("; ")
}

/// `set, ends in 3fKd`.
fn secret_words(secret: Option<&SecretView>, otherwise: &str) -> String {
    match secret {
        None => otherwise.to_owned(),
        Some(SecretView {
            shown: Some(shown), ..
        }) => format!("set, ends in {shown}"),
        Some(_) => "set".to_owned(),
    }
}

/// The form. After an error it holds what was typed, but for secrets.
#[component]
pub(super) fn EditGithub(view: GithubView) -> impl IntoView {
    let slug = use_slug();
    let is_new = view.state == ConnectionState::Off;
    let title = if is_new {
        "Connect GitHub"
    } else {
        "Change the connection"
    };
    let origin = use_page_request().origin;
    let hook = format!("{origin}/hooks/github?project={}", slug.get_untracked());
    let remove = (!is_new).then(|| view! { <Remove/> });
    view! {
        <section class="cell" aria-labelledby="github-edit">
            <div class="head"><h2 id="github-edit">{title}</h2></div>
            <Form view is_new/>
        </section>
        <section class="cell" aria-labelledby="github-hook">
            <div class="head">
                <h2 id="github-hook">"The webhook"</h2>
                <span class="sub">"so that a deploy is known within seconds"</span>
            </div>
            <p class="dim2 form-note">
                "On GitHub under Settings → Webhooks → Add webhook: this payload URL, content type application/json, the secret, and of the events Deployments, Deployment statuses, Workflow runs and Releases those that count. GitHub has to reach this address."
            </p>
            <div class="code copyable">
                <CopyButton text=hook.clone()/>
                <pre tabindex="0" aria-label="The payload URL">{hook.clone()}</pre>
            </div>
        </section>
        {remove}
    }
}

#[component]
fn Form(view: GithubView, is_new: bool) -> impl IntoView {
    let slug = use_slug();
    let locked = use_admin_lock();
    let is_locked = move || !locked.read().is_empty();
    let typed = use_query_map().get_untracked();
    let was_refused = typed.get("error").is_some_and(|code| code.starts_with("github_"));
    let text = |name: &str, set: String| match was_refused {
        true => typed.get(name).unwrap_or_default(),
        false => set,
    };
    let ticked = |name: &str, set: bool| match was_refused {
        true => typed.get(name).is_some(),
        false => set,
    };
    let GithubView {
        options,
        token,
        webhook_secret,
        paused_at,
        ..
    } = view;
    let (deployments, releases) = (
        ticked("deployments", options.deployments),
        ticked("releases", options.releases),
    );
    let paused = ticked("paused", paused_at.is_some());
    let token_hint = match token {
        Some(token) => format!(
            "{}; leave it empty to keep it, unless the API is another one. It needs to read deployments, actions, contents and pull requests.",
            secret_words(Some(&token), "")
        ),
        None => "Fine-grained, for this repository: read deployments, actions, contents and pull requests. Stored encrypted, never shown again."
            .to_owned(),
    };
    let secret_hint = match &webhook_secret {
        Some(secret) => format!("{}; leave it empty to keep it.", secret_words(Some(secret), "")),
        None => "Leave it empty and one is made; it is shown once.".to_owned(),
    };
    let make_another = webhook_secret.is_some().then(|| {
        view! { <Choice name="make_secret" checked=false label="make another one; it is shown once" /> }
    });
    view! {
        <form
            class="form"
            method="post"
            autocomplete="off"
            action=move || format!("/p/{}/settings/integrations/github", slug.get())
        >
            <Text name="repository" label="Repository" value=text("repository", options.repository) hint="owner/name" required=true/>
            <Text
                name="api_url"
                label="API"
                value=text("api_url", options.api_url)
                hint=format!("{DEFAULT_API_URL}; for GitHub Enterprise Server https://HOST/api/v3")
            />
            <Text name="token" label="Token" kind="password" value=String::new() hint=token_hint/>
            <fieldset class="field">
                <legend class="label">"What counts as a deploy"</legend>
                <Choice name="deployments" checked=deployments label="GitHub’s deployments"/>
                <Choice name="releases" checked=releases label="published releases"/>
            </fieldset>
            <Text
                name="environments"
                label="Only these environments"
                value=text("environments", options.environments.join(", "))
                hint="Of deployments, with commas: production. Empty: every environment."
            />
            <Text
                name="workflows"
                label="Runs of these workflows"
                value=text("workflows", options.workflows.join(", "))
                hint="Names of their files, with commas: deploy.yml. For repositories without deployments."
            />
            <Text
                name="branch"
                label="Only on this branch"
                value=text("branch", options.branch.unwrap_or_default())
                hint="Of runs: main. Empty: every branch."
            />
            <Text name="webhook_secret" label="Webhook secret" kind="password" value=String::new() hint=secret_hint/>
            {make_another}
            {(!is_new)
                .then(|| view! { <Choice name="paused" checked=paused label="paused: neither asked nor heard"/> })}
            <Submit label=if is_new { "Connect" } else { "Save" } variant="primary" locked/>
            {move || is_locked().then(|| view! { <p class="hint">{locked.get()}</p> })}
        </form>
    }
}

#[component]
fn Text(
    name: &'static str,
    label: &'static str,
    #[prop(default = "text")] kind: &'static str,
    value: String,
    #[prop(into)] hint: String,
    #[prop(optional)] required: bool,
) -> impl IntoView {
    let locked = use_admin_lock();
    let is_locked = move || !locked.read().is_empty();
    let (id, hint_id) = (format!("field-{name}"), format!("hint-{name}"));
    // What a browser has saved for this site is no token of GitHub's.
    let autocomplete = if kind == "password" { "new-password" } else { "off" };
    view! {
        <div class="field">
            <label for=id.clone()>{label}</label>
            <input
                class="input"
                id=id
                name=name
                type=kind
                value=value
                required=required
                autocomplete=autocomplete
                spellcheck="false"
                aria-describedby=hint_id.clone()
                disabled=is_locked
            />
            <p class="hint" id=hint_id>{hint}</p>
        </div>
    }
}

#[component]
fn Choice(name: &'static str, checked: bool, label: &'static str) -> impl IntoView {
    let locked = use_admin_lock();
    view! {
        <label class="choice">
            <input class="check" type="checkbox" name=name value="on" checked=checked disabled=move || !locked.read().is_empty()/>
            <span>{label}</span>
        </label>
    }
}

#[component]
fn Remove() -> impl IntoView {
    let slug = use_slug();
    let locked = use_admin_lock();
    view! {
        <section class="cell" aria-labelledby="github-remove">
            <div class="head"><h2 id="github-remove">"Remove the connection"</h2></div>
            <p class="dim2 form-note">"Token and secret are deleted, webhooks are refused. Deploys that came by it stay."</p>
            <details class="confirm">
                <summary class="btn" data-variant="danger">"Remove…"</summary>
                <form
                    class="confirm-body"
                    method="post"
                    action=move || format!("/p/{}/settings/integrations/github/remove", slug.get())
                >
                    <p>"GitHub is not asked any more."</p>
                    <Submit label="Remove the connection" variant="danger" locked/>
                </form>
            </details>
        </section>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_counts_is_said() {
        let check = |options: GithubOptions, expected: &str| assert_eq!(counted_words(&options), expected);
        check(GithubOptions::default(), "deployments to every environment");
        check(
            GithubOptions {
                environments: vec!["production".to_owned(), "eu".to_owned()],
                workflows: vec!["deploy.yml".to_owned()],
                branch: Some("main".to_owned()),
                releases: true,
                ..GithubOptions::default()
            },
            "deployments to production, eu; runs of deploy.yml on main; releases",
        );
    }

    #[test]
    fn secrets_say_their_end_at_most() {
        let secret = |shown: Option<&str>| SecretView {
            shown: shown.map(str::to_owned),
            set_at: domain::Timestamp::from_micros(0),
        };
        assert_eq!(secret_words(Some(&secret(Some("3fKd"))), ""), "set, ends in 3fKd");
        assert_eq!(secret_words(Some(&secret(None)), ""), "set");
        assert_eq!(secret_words(None, "none"), "none");
    }
}

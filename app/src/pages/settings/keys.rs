//! Settings: the keys that programs send with.

mod limits;

use domain::{ApiKey, Role, Scope};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use serde::{Deserialize, Serialize};

use self::limits::KeyLimitsSection;
use super::{SettingsPage, use_admin_lock};
use crate::api::keys::{keys, reveal_key};
use crate::context::{use_may, use_slug};
use crate::error::ApiError;
use crate::ui::copy::CopyButton;
use crate::ui::form::{Field, Submit};
use crate::ui::icon::Icon;
use crate::ui::load::{Load, SkeletonRows};
use crate::ui::time::Time;

/// The keys, a form for another one, and a new key's secret, once.
#[component]
pub(crate) fn KeysPage() -> impl IntoView {
    let slug = use_slug();
    let list = Resource::new(move || slug.get(), keys);
    view! {
        <SettingsPage name="Keys">
            <MadeKey/>
            <section class="cell flush">
                <div class="head">
                    <h2 id="keys-list">"Keys"</h2>
                    <span class="sub">"stored as a hash; only the first characters are shown again"</span>
                </div>
                <Load resource=list what="The keys" skeleton=|| view! { <SkeletonRows rows=3/> } let:keys>
                    <KeyTable keys/>
                </Load>
            </section>
            <NewKey/>
            <KeyLimitsSection/>
        </SettingsPage>
    }
    .into_any()
}

/// The secret of the key that was made a moment ago. Read once; the next visit shows nothing.
#[component]
fn MadeKey() -> impl IntoView {
    let slug = use_slug();
    let query = use_query_map();
    let may = use_may(Role::Admin);
    let made = Memo::new(move |_| query.read().get("made").unwrap_or_default());
    let secret = Resource::new(
        move || (slug.get(), made.get(), may.get()),
        |(slug, made, may)| async move {
            if made.is_empty() || !may {
                return Ok::<_, ApiError>(Made::Nothing);
            }
            let secret = reveal_key(slug, made).await?;
            Ok(secret.map_or(Made::Gone, Made::Secret))
        },
    );
    view! { <Load resource=secret what="The new key" let:made><Secret made/></Load> }
}

/// What is known of the key that the address speaks of.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Made {
    /// The address speaks of none.
    Nothing,
    /// It was shown before.
    Gone,
    Secret(String),
}

#[component]
fn Secret(made: Made) -> impl IntoView {
    let secret = match made {
        Made::Nothing => return ().into_any(),
        Made::Secret(secret) => secret,
        Made::Gone => return view! {
            <section class="cell">
                <div class="notice" data-tone="warn" role="status">
                    <Icon name="warning"/>
                    <div>"This key was already shown and can’t be shown again. If you did not copy it, revoke it and create another one."</div>
                </div>
            </section>
        }
        .into_any(),
    };
    view! {
        <section class="cell" aria-labelledby="made-key">
            <div class="head">
                <h2 id="made-key">"Your new key"</h2>
                <span class="sub">"shown only this once: copy it now"</span>
            </div>
            <div class="code copyable">
                <CopyButton text=secret.clone()/>
                <pre tabindex="0" aria-label="The key">{secret.clone()}</pre>
            </div>
        </section>
    }
    .into_any()
}

#[component]
fn KeyTable(keys: Vec<ApiKey>) -> impl IntoView {
    if keys.is_empty() {
        return view! {
            <div class="state">
                <Icon name="key"/>
                <b>"No key yet"</b>
                <p>"Programs authenticate with a key. Create the first one below."</p>
            </div>
        }
        .into_any();
    }
    let rows = keys
        .into_iter()
        .map(|key| view! { <KeyRow key_of_row=key/> })
        .collect_view();
    view! {
        <div class="scroll-x" tabindex="0" role="region" aria-labelledby="keys-list">
            <table class="table bleed">
                <caption class="vh">"Keys of this project"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Label"</th>
                        <th scope="col">"Begins with"</th>
                        <th scope="col">"May"</th>
                        <th scope="col">"Made"</th>
                        <th scope="col">"Last used"</th>
                        <th scope="col"><span class="vh">"Actions"</span></th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}

#[component]
fn KeyRow(key_of_row: ApiKey) -> impl IntoView {
    let key = key_of_row;
    let slug = use_slug();
    let locked = use_admin_lock();
    let action = format!("/p/{}/settings/keys/{}/revoke", slug.get_untracked(), key.id);
    let last_used = match key.last_used_at {
        Some(at) => view! { <Time at/> }.into_any(),
        None => view! { <span class="dim">"never"</span> }.into_any(),
    };
    let end = match key.revoked_at {
        Some(at) => view! { <span class="badge" data-tone="line">"revoked "<Time at/></span> }.into_any(),
        None => view! {
            <details class="confirm">
                <summary class="btn sm" data-variant="danger" aria-label=format!("Revoke {}", key.label)>"Revoke…"</summary>
                <form class="confirm-body" method="post" action=action>
                    <p>"Programs that use it are refused at once. What they sent stays."</p>
                    <Submit label="Revoke the key" variant="danger" locked/>
                </form>
            </details>
        }
        .into_any(),
    };
    view! {
        <tr class:is-revoked=key.revoked_at.is_some()>
            <td class="main">{key.label}</td>
            <td class="mono">{key.prefix}"…"</td>
            <td>{scope_words(&key.scopes)}</td>
            <td class="num"><Time at=key.created_at/></td>
            <td class="num">{last_used}</td>
            <td class="n">{end}</td>
        </tr>
    }
}

#[component]
fn NewKey() -> impl IntoView {
    let slug = use_slug();
    let locked = use_admin_lock();
    let is_locked = move || !locked.read().is_empty();
    let boxes = SCOPES
        .iter()
        .map(|(scope, does)| {
            let (scope, does) = (*scope, *does);
            view! {
                <label class="choice">
                    <input
                        class="check"
                        type="checkbox"
                        name="scope"
                        value=scope.as_str()
                        checked=Scope::DEFAULT.contains(&scope)
                        disabled=is_locked
                    />
                    <span>{scope.as_str()}" "<span class="dim">{does}</span></span>
                </label>
            }
        })
        .collect_view();
    view! {
        <section class="cell" aria-labelledby="keys-new">
            <div class="head"><h2 id="keys-new">"Create a key"</h2></div>
            <form class="form" method="post" action=move || format!("/p/{}/settings/keys", slug.get())>
                <Field
                    name="label"
                    label="Label"
                    hint="The name of the series of its steps, such as prod-frontend"
                    locked
                />
                <fieldset class="field">
                    <legend class="label">"Scopes"</legend>
                    {boxes}
                </fieldset>
                <Submit label="Create the key" variant="primary" locked/>
            </form>
        </section>
    }
}

/// What each scope is for, in the order of the form.
const SCOPES: [(Scope, &str); 5] = [
    (Scope::Ingest, "send steps"),
    (Scope::Proxy, "call models through this server"),
    (Scope::Read, "read runs and settings"),
    (Scope::Deploy, "report deploys"),
    (Scope::Admin, "change settings"),
];

/// `ingest, proxy, read`.
fn scope_words(scopes: &[Scope]) -> String {
    let words: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scope_can_be_chosen() {
        for scope in Scope::DEFAULT.iter().chain(&[Scope::Admin]) {
            assert!(SCOPES.iter().any(|(offered, _)| offered == scope));
        }
        assert_eq!(scope_words(&[Scope::Ingest, Scope::Read]), "ingest, read");
    }
}

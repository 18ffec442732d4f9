//! Settings: what the project is connected to. Channels, to which alerts go, and GitHub, from which deploys come.

mod channels;
mod github;

use domain::Role;
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use serde::{Deserialize, Serialize};

use self::channels::Channels;
use self::github::{EditGithub, GithubState};
use super::{ForAdmins, SettingsPage};
use crate::api::integrations::{read_github, reveal_webhook_secret};
use crate::context::{use_may, use_slug};
use crate::error::ApiError;
use crate::ui::copy::CopyButton;
use crate::ui::icon::Icon;
use crate::ui::load::{Load, SkeletonRows};

/// How each connection is, a webhook's secret that was just made, once, and the form to change it; for admins.
#[component]
pub(crate) fn IntegrationsPage() -> impl IntoView {
    let slug = use_slug();
    let github = Resource::new(move || slug.get(), read_github);
    let may_see = use_may(Role::Admin);
    view! {
        <SettingsPage name="Integrations">
            <Channels/>
            <MadeSecret/>
            {move || {
                if may_see.get() {
                    view! {
                        <section class="cell flush integs">
                            <div class="head">
                                <h2 id="integrations-deploys">"Where deploys come from"</h2>
                                <span class="sub">"secrets are encrypted; only the last four characters are shown again"</span>
                            </div>
                            <Load resource=github what="The connection to GitHub" skeleton=|| view! { <SkeletonRows rows=3/> } let:view>
                                <GithubState view/>
                            </Load>
                        </section>
                        <Load resource=github what="What is set of GitHub" let:view>
                            <EditGithub view/>
                        </Load>
                    }
                        .into_any()
                } else {
                    view! {
                        <ForAdmins
                            title="Integrations are for admins"
                            why="They say what this project is connected to and who is told of it. An admin of the project can change that."
                        />
                    }
                        .into_any()
                }
            }}
        </SettingsPage>
    }
    .into_any()
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

/// The webhook's secret that was made a moment ago. Read once; the next visit shows nothing.
#[component]
fn MadeSecret() -> impl IntoView {
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
            let secret = reveal_webhook_secret(slug, made).await?;
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
                    <div>"This webhook secret was already shown and can’t be shown again. If you did not copy it, make another one below."</div>
                </div>
            </section>
        }
        .into_any(),
        Made::Secret(secret) => view! {
            <section class="cell" aria-labelledby="made-secret">
                <div class="head">
                    <h2 id="made-secret">"The webhook’s secret"</h2>
                    <span class="sub">"shown only this once: paste it into GitHub now"</span>
                </div>
                <div class="code copyable">
                    <CopyButton text=secret.clone()/>
                    <pre tabindex="0" aria-label="The secret">{secret.clone()}</pre>
                </div>
            </section>
        }
        .into_any(),
    }
}

//! Links that show one run to people without an account: how one is made, which there are, how one is taken back.

use domain::share::{DEFAULT_SHARE_DAYS, MAX_SHARE_DAYS};
use domain::{Role, Share, ShareContent, ShareState, Timestamp, text};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::{use_params_map, use_query_map};

use crate::api::shares::{ShareList, list_shares, reveal_share};
use crate::context::{use_may, use_page_request, use_slug};
use crate::ui::copy::CopyButton;
use crate::ui::form::{FormOutcome, Submit};
use crate::ui::frame::TopBar;
use crate::ui::icon::Icon;
use crate::ui::links::{page_href, run_href};
use crate::ui::load::{Load, SkeletonRows};
use crate::ui::time::Time;

/// What a link can show, each with what that means.
const CONTENTS: [(ShareContent, &str, &str); 3] = [
    (
        ShareContent::Masked,
        "Masked",
        "each letter and digit is replaced on the server; brackets, keys of JSON and sizes stay",
    ),
    (
        ShareContent::Removed,
        "Removed",
        "names, times, costs and scores only",
    ),
    (ShareContent::Shown, "Shown", "word for word, whatever is in it"),
];
/// Days that can be chosen beside a number of one's own.
const DAYS: [(u32, &str); 3] = [(1, "1 day"), (7, "7 days"), (30, "30 days")];

/// The page of one run's links.
#[component]
pub(crate) fn SharePage() -> impl IntoView {
    let slug = use_slug();
    let params = use_params_map();
    let run_id = Memo::new(move |_| params.read().get("run").unwrap_or_default());
    let query = use_query_map();
    let made = Memo::new(move |_| query.read().get("made").unwrap_or_default());
    let list = Resource::new(
        move || (slug.get(), run_id.get()),
        |(slug, run_id)| list_shares(slug, run_id),
    );
    let may = use_may(Role::Member);
    let token = Resource::new(
        move || (slug.get(), made.get(), may.get()),
        |(slug, made, may)| async move {
            if made.is_empty() || !may {
                Ok(None)
            } else {
                reveal_share(slug, made).await
            }
        },
    );
    let run = move || run_href(&slug.read(), &run_id.read());
    view! {
        <Title text="Share this run"/>
        <TopBar>
            <div class="crumbs">
                <a href=move || page_href(&slug.read(), "runs")>"Runs"</a>
                <Icon name="right" class="sm"/>
                <a href=run>"Run"</a>
                <Icon name="right" class="sm"/>
                <h1>"Share"</h1>
            </div>
        </TopBar>
        <main id="main" class="page page-share" tabindex="-1">
            <div class="share-form">
                <FormOutcome/>
                <Load resource=token what="The new link" let:token>
                    <MadeLink token is_made={may.get_untracked() && !made.get_untracked().is_empty()}/>
                </Load>
                <div class="split" data-cols="3-2">
                    <NewLink run_id/>
                    <OtherSide/>
                </div>
                <Load resource=list what="The links" skeleton=|| view! { <SkeletonRows rows=3/> } let:list>
                    <Links list/>
                </Load>
                <section class="cell">
                    <p class="dim">"Ordinary links for members are in the address bar. " <a class="link" href=run>"Back to the run"</a></p>
                </section>
            </div>
        </main>
    }
    .into_any()
}

/// The link that was made a moment ago, once.
#[component]
fn MadeLink(token: Option<String>, is_made: bool) -> impl IntoView {
    if !is_made {
        return ().into_any();
    }
    let Some(token) = token else {
        return view! {
            <div class="notice" data-tone="warn" role="status">
                <Icon name="warning"/>
                <div>"This link was already shown and can’t be shown again. If nobody copied it, revoke it and make another one."</div>
            </div>
        }
        .into_any();
    };
    let link = format!("{}/s/{token}", use_page_request().origin);
    view! {
        <section class="share-made" role="status" aria-label="The new link">
            <Icon name="ok" class="st-ok"/>
            <div>
                <b>"Link created. It is shown only now; Plumbline keeps its hash."</b>
                <p class="mono share-link">{link.clone()}</p>
            </div>
            <CopyButton text=link label="Copy link"/>
        </section>
    }
    .into_any()
}

#[component]
fn NewLink(run_id: Memo<String>) -> impl IntoView {
    let slug = use_slug();
    let locked = use_member_lock();
    let is_locked = move || !locked.read().is_empty();
    let contents = CONTENTS
        .into_iter()
        .map(|(content, name, means)| {
            view! {
                <label class="opt">
                    <input
                        class="radio"
                        type="radio"
                        name="content"
                        value=content.as_str()
                        checked=content == ShareContent::Masked
                        disabled=is_locked
                    />
                    <span><b>{name}</b><small>{means}</small></span>
                </label>
            }
        })
        .collect_view();
    let days = DAYS
        .into_iter()
        .map(|(days, words)| {
            view! {
                <label class="choice">
                    <input
                        class="radio"
                        type="radio"
                        name="days"
                        value=days.to_string()
                        checked=days == DEFAULT_SHARE_DAYS
                        disabled=is_locked
                    />
                    <span>{words}</span>
                </label>
            }
        })
        .collect_view();
    let action = move || format!("{}/share", run_href(&slug.read(), &run_id.read()));
    view! {
        <section class="cell" aria-labelledby="share-new">
            <div class="head"><h2 id="share-new">"Create a link"</h2><span class="sub">"one run, read only"</span></div>
            <form class="form" method="post" action=action>
                <fieldset class="field">
                    <legend class="label">"Prompts and outputs"</legend>
                    <div class="opts">{contents}</div>
                </fieldset>
                <fieldset class="field">
                    <legend class="label">"Leave out as well"</legend>
                    <label class="choice">
                        <input class="check" type="checkbox" name="without" value="people" checked=true disabled=is_locked/>
                        <span>"user, session and tags"</span>
                    </label>
                    <label class="choice">
                        <input class="check" type="checkbox" name="without" value="key" checked=true disabled=is_locked/>
                        <span>"key"</span>
                    </label>
                </fieldset>
                <fieldset class="field">
                    <legend class="label">"Expires in"</legend>
                    <div class="row share-days">
                        {days}
                        <label class="choice">
                            <input class="radio" type="radio" name="days" value="other" disabled=is_locked/>
                            <span>"days of my choice"</span>
                        </label>
                        <input
                            class="input share-other"
                            type="number"
                            name="other_days"
                            min="1"
                            max=MAX_SHARE_DAYS.to_string()
                            aria-label="Days of my choice"
                            disabled=is_locked
                        />
                    </div>
                    <p class="hint">"You can revoke it at any time"</p>
                </fieldset>
                <Submit label="Create the link" variant="primary" locked/>
            </form>
        </section>
    }
}

/// Why no link can be made or taken back; empty when one can.
fn use_member_lock() -> Signal<String> {
    let may = use_may(Role::Member);
    Signal::derive(move || {
        if may.get() {
            String::new()
        } else {
            "Only a member of the project can share its runs; your role is viewer".to_owned()
        }
    })
}

#[component]
fn OtherSide() -> impl IntoView {
    view! {
        <section class="cell share-other-side" aria-labelledby="share-sees">
            <div class="head"><h2 id="share-sees">"What the other side sees"</h2></div>
            <table class="table compact">
                <caption class="vh">"What a link shows, by choice"</caption>
                <thead>
                    <tr><td></td><th scope="col">"Shown"</th><th scope="col">"Masked"</th><th scope="col">"Removed"</th></tr>
                </thead>
                <tbody>
                    <tr><th scope="row">"Names, models, times"</th><td>"yes"</td><td>"yes"</td><td>"yes"</td></tr>
                    <tr><th scope="row">"Tokens, costs, scores"</th><td>"yes"</td><td>"yes"</td><td>"yes"</td></tr>
                    <tr><th scope="row">"Prompts, outputs, tools"</th><td>"yes"</td><td>"their shape"</td><td>"no"</td></tr>
                    <tr><th scope="row">"Attributes, events"</th><td>"yes"</td><td>"their names"</td><td>"no"</td></tr>
                    <tr><th scope="row">"Error texts"</th><td>"yes"</td><td>"no"</td><td>"no"</td></tr>
                    <tr><th scope="row">"Other runs, settings"</th><td>"no"</td><td>"no"</td><td>"no"</td></tr>
                </tbody>
            </table>
            <p class="dim">"What is masked or removed never leaves the server. Search engines are told to stay away, and the page sends no referrer. Whoever has the link can pass it on."</p>
        </section>
    }
}

/// The links there are, each with a way to take it back.
#[component]
pub(crate) fn Links(
    list: ShareList,
    /// Names the run of each.
    #[prop(optional)]
    of_all_runs: bool,
) -> impl IntoView {
    let ShareList { now, items, .. } = list;
    let working = items
        .iter()
        .filter(|share| share.state(now) == ShareState::Works)
        .count();
    let working = i64::try_from(working).unwrap_or(i64::MAX);
    let title = if of_all_runs { "Links" } else { "Links to this run" };
    let body = if items.is_empty() {
        view! {
            <div class="state">
                <Icon name="link"/>
                <b>"No link yet"</b>
                <p>"Runs are shared from their own page."</p>
            </div>
        }
        .into_any()
    } else {
        let rows = items
            .into_iter()
            .map(|share| view! { <LinkRow share now of_all_runs/> })
            .collect_view();
        view! {
            <div class="scroll-x" tabindex="0" role="region" aria-labelledby="share-list">
                <table class="table bleed">
                    <caption class="vh">{title}</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Created"</th>
                            <th scope="col">"By"</th>
                            {of_all_runs.then(|| view! { <th scope="col">"Run"</th> })}
                            <th scope="col">"Texts"</th>
                            <th scope="col">"Expires"</th>
                            <th scope="col">"Last opened"</th>
                            <th scope="col" class="n">"Opened"</th>
                            <th scope="col"><span class="vh">"Actions"</span></th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        }
        .into_any()
    };
    view! {
        <section class="cell flush">
            <div class="head">
                <h2 id="share-list">{title}</h2>
                <span class="sub num">{format!("{working} {}", if working == 1 { "works" } else { "work" })}</span>
            </div>
            {body}
        </section>
    }
}

#[component]
fn LinkRow(share: Share, now: Timestamp, of_all_runs: bool) -> impl IntoView {
    let slug = use_slug();
    let locked = use_member_lock();
    let (icon, class) = match share.content {
        ShareContent::Shown => ("eye", "st-warn"),
        ShareContent::Masked | ShareContent::Removed => ("lock", ""),
    };
    let run = of_all_runs.then(|| {
        let id = share.run_id.clone();
        let href = move || run_href(&slug.read(), &id);
        let short = text::short_id(&share.run_id).to_owned();
        view! { <td><a class="link mono" href=href title=share.run_id.clone()>{short}</a></td> }
    });
    let last = match share.last_opened_at {
        Some(at) => view! { <Time at/> }.into_any(),
        None => view! { <span class="dim">"never"</span> }.into_any(),
    };
    let state = share.state(now);
    let action = format!("/p/{}/shares/{}/revoke", slug.get_untracked(), share.id);
    let back = if of_all_runs { "settings" } else { "run" };
    let end = match (state, share.revoked_at) {
        (ShareState::Revoked, Some(at)) => {
            view! { <span class="badge" data-tone="line">"revoked "<Time at/></span> }.into_any()
        }
        (ShareState::Expired | ShareState::Revoked, _) => {
            view! { <span class="badge" data-tone="line">{state.as_str()}</span> }.into_any()
        }
        (ShareState::Works, _) => view! {
            <form method="post" action=action>
                <input type="hidden" name="back" value=back/>
                <button
                    class="btn sm"
                    type="submit"
                    data-variant="danger"
                    disabled=move || !locked.read().is_empty()
                    title=move || (!locked.read().is_empty()).then(|| locked.get())
                >
                    "Revoke"
                </button>
            </form>
        }
        .into_any(),
    };
    view! {
        <tr class:is-revoked=state != ShareState::Works>
            <td class="num"><Time at=share.created_at/></td>
            <td class="main">{share.created_by.clone()}</td>
            {run}
            <td><span class="status"><Icon name=icon class=class/>{share.content.as_str()}</span></td>
            <td class="num"><Time at=share.expires_at/></td>
            <td class="num">{last}</td>
            <td class="n">{text::grouped(share.open_count.unsigned_abs())}</td>
            <td class="n">{end}</td>
        </tr>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_content_can_be_chosen_and_a_default_lifetime_is_offered() {
        for content in ShareContent::ALL {
            assert!(CONTENTS.iter().any(|(offered, ..)| offered == content));
        }
        assert!(DAYS.iter().any(|(days, _)| *days == DEFAULT_SHARE_DAYS));
        assert!(DAYS.iter().all(|(days, _)| *days <= MAX_SHARE_DAYS));
    }
}

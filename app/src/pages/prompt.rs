//! One prompt template: what changed in it, who uses it, with which models.

mod mix;

use domain::prompt::short_fingerprint;
use domain::series::SeriesBy;
use domain::text;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::{use_params_map, use_query_map};

use crate::api::prompts::{PromptView, read_prompt};
use crate::api::scope::ScopeView;
use crate::chart::ChartBox;
use crate::models::prompts::{self as model, StepPrompts};
use crate::pages::cells::name_link;
use crate::pages::diff_lines::diff_line;
use crate::pages::scope::{TemplateHistory, use_scope};
use crate::pages::time_window::{Chips, ENVIRONMENT_MENU, KEY_MENU, Page, Tools, use_page};
use crate::ui::frame::{Crumbs, TopBar};
use crate::ui::icon::Icon;
use crate::ui::links::page_href;
use crate::ui::load::{Load, SkeletonRows};
use crate::ui::time::Time;

/// A template by the first digits of its fingerprint.
#[component]
pub(crate) fn PromptPage() -> impl IntoView {
    let page = use_page();
    let params = use_params_map();
    let fingerprint = Memo::new(move |_| params.read().get("fingerprint").unwrap_or_default());
    let asked = page.asked();
    let params_of_query = use_query_map();
    let full = Memo::new(move |_| params_of_query.read().get("full").as_deref() == Some("1"));
    let resource = Resource::new(
        move || (asked.get(), fingerprint.get(), full.get()),
        |((slug, query), fingerprint, full)| read_prompt(slug, fingerprint, query, full),
    );
    let history = use_scope(page, SeriesBy::Template, fingerprint.into());
    let title = Signal::derive(move || short_fingerprint(&fingerprint.read()).to_owned());
    let above = Signal::derive(move || ("Prompts".to_owned(), page_href(&page.slug.read(), "prompts")));
    view! {
        <Title text=move || format!("Prompt {}", title.get())/>
        <TopBar tools=move || {
            view! {
                <Tools
                    page
                    resource=history
                    facets=|view: ScopeView| view.facets
                    menus=&[KEY_MENU, ENVIRONMENT_MENU]
                />
            }
        }>
            <Crumbs above title/>
        </TopBar>
        <main id="main" class="page page-prompts page-scope" tabindex="-1">
            <Chips page/>
            <Load resource what="The prompt" skeleton=|| view! { <SkeletonRows rows=12/> } let:view>
                <Prompt page view/>
            </Load>
            <Load resource=history what="Its history" skeleton=|| view! { <SkeletonRows rows=12/> } let:view>
                <TemplateHistory page view/>
            </Load>
        </main>
    }
    .into_any()
}

#[component]
fn Prompt(page: Page, view: PromptView) -> impl IntoView {
    let slug = page.slug.get_untracked();
    let query = page.query;
    let (range, when) = {
        let query = query.read_untracked();
        (query.range_href(), query.range.label())
    };
    let as_table = Signal::derive(move || query.read().as_table);
    let steps: Vec<StepPrompts> = model::by_step(&view.window.uses)
        .into_iter()
        .filter(|step| {
            step.versions
                .iter()
                .any(|version| version.fingerprint == view.template.fingerprint)
        })
        .collect();
    let names: Vec<String> = steps.iter().map(|step| step.step_name.clone()).collect();
    let sentence = match names.as_slice() {
        [] => format!("No step used this prompt in these {when}"),
        [one] => format!("{one} uses this prompt"),
        [first, rest @ ..] => {
            let more = i64::try_from(rest.len()).unwrap_or(i64::MAX);
            format!(
                "{first} and {} use this prompt",
                text::counted(more, "other step")
            )
        }
    };
    let since = match &view.before {
        Some(before) => view! {
            "First seen "
            <Time at=view.template.first_seen_at/>
            ", compared with "
            <a class="link mono" href=template_href(&slug, &before.fingerprint, &range)>{short_fingerprint(&before.fingerprint).to_owned()}</a>
            ", first seen "
            <Time at=before.first_seen_at/>
            "."
        }
        .into_any(),
        None => view! { "First seen " <Time at=view.template.first_seen_at/> ". No step used another prompt before it in this window." }.into_any(),
    };
    let usage = steps
        .into_iter()
        .map(|step| versions(step, &view.template.fingerprint, &range, &slug))
        .collect_view();
    let chart = mix::chart(&view.days, view.window.from, view.window.now);
    let is_empty = chart.is_empty();
    view! {
        <section class="cell">
            <div class="verdict" data-tone="plain">
                <h2>{sentence}</h2>
                <p>{since}</p>
            </div>
        </section>
        <section class="cell" aria-labelledby="prompt-text">
            <div class="head">
                <h2 id="prompt-text">{if view.before.is_some() { "What changed" } else { "Text" }}</h2>
                <span class="sub">"⟨…⟩ marks what varies between calls"</span>
            </div>
            <Text view=view.clone() whole=whole_href(&query.get_untracked().to_href())/>
        </section>
        <section class="cell" aria-labelledby="prompt-mix">
            <div class="head">
                <h2 id="prompt-mix">"Calls per day by model"</h2>
            </div>
            {if is_empty {
                view! { <p class="dim">{format!("No calls in these {when}")}</p> }.into_any()
            } else {
                view! { <ChartBox chart label="Calls per day by model" as_table/> {mix::legend(&view.days)} }.into_any()
            }}
        </section>
        <section class="cell flush">
            <div class="head"><h2 id="prompt-steps">"Its steps and their other prompts"</h2></div>
            <div class="scroll-x" tabindex="0" role="region" aria-labelledby="prompt-steps">
                <table class="table bleed prompts">
                    <caption class="vh">"Templates of the steps that use this one, the newest first"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Template"</th>
                            <th scope="col" class="wide">"First seen"</th>
                            <th scope="col" class="n">"Calls"</th>
                            <th scope="col" class="n wide">"Of its step"</th>
                            <th scope="col">"Models"</th>
                            <th scope="col">"Compare"</th>
                        </tr>
                    </thead>
                    {usage}
                </table>
            </div>
        </section>
    }
    .into_any()
}

/// This page with all of the text, by the query that leads to it.
fn whole_href(query: &str) -> String {
    match query {
        "?" => "?full=1".to_owned(),
        query => format!("{query}&full=1"),
    }
}

/// Says that a text is cut, and where all of it is.
#[component]
fn CutText(
    /// How long all of it is, in bytes.
    bytes: usize,
    whole: String,
) -> impl IntoView {
    let size = text::grouped(u64::try_from(bytes.div_ceil(1_024)).unwrap_or(u64::MAX));
    view! {
        <p class="hint form-note">
            "Only the beginning of the text is shown. "
            <a class="link" href=whole>"Show all "{size}" kB"</a>
        </p>
    }
}

/// The comparison, or the text alone.
#[component]
fn Text(
    view: PromptView,
    /// Where all of it is.
    whole: String,
) -> impl IntoView {
    let cut_text = view
        .cut_text_bytes
        .map(|bytes| view! { <CutText bytes whole=whole.clone()/> });
    if view.template.canonical.is_empty() {
        return view! {
            <div class="notice" data-tone="info">
                <Icon name="info"/>
                <div>"Its text is not stored: no call used it within the retention of prompts, and the next one stores it again; or texts of this project are encrypted, and none is kept."</div>
            </div>
        }
        .into_any();
    }
    if view.changes.is_empty() {
        let same = view.before.as_ref().map(|_| {
            let why = if view.is_before_gone {
                "The text of the other template is not stored, so the two can’t be compared."
            } else {
                "Their stored texts are the same; they differ beyond the stored length."
            };
            view! {
                <div class="notice" data-tone="info">
                    <Icon name="info"/>
                    <div>{why}</div>
                </div>
            }
        });
        return view! {
            {same}
            <pre class="code wrap" tabindex="0" aria-label="The template's text">{view.template.canonical}</pre>
            {cut_text}
        }
        .into_any();
    }
    let cut_changes = view.are_changes_cut.then(|| {
        view! {
            <p class="hint form-note">
                "Only the beginning of the comparison is shown. "
                <a class="link" href=whole.clone()>"Show more of it and the whole text"</a>
            </p>
        }
    });
    let lines = view.changes.into_iter().map(diff_line).collect_view();
    view! {
        <div class="diff mono" role="group" aria-label="Lines that changed" tabindex="0">{lines}</div>
        {cut_changes}
        <details class="whole">
            <summary class="fold">"The whole text"</summary>
            <pre class="code wrap" tabindex="0" aria-label="The template's text">{view.template.canonical}</pre>
            {cut_text}
        </details>
    }
    .into_any()
}

/// The address of a template's page, in the window of this one.
fn template_href(slug: &str, fingerprint: &str, range: &str) -> String {
    let prompts = page_href(slug, "prompts");
    format!("{prompts}/{}{range}", short_fingerprint(fingerprint))
}

fn versions(step: StepPrompts, own: &str, range: &str, slug: &str) -> impl IntoView {
    let calls = step.calls;
    let rows = step
        .versions
        .into_iter()
        .map(|version| {
            let is_own = version.fingerprint == own;
            let compare = (!is_own).then(|| {
                let and = if range.is_empty() { "?" } else { "&" };
                let href = format!(
                    "{}{and}before={}",
                    template_href(slug, own, range),
                    short_fingerprint(&version.fingerprint)
                );
                view! { <a class="link" href=href>"With this one"</a> }
            });
            view! {
                <tr aria-current=is_own.then_some("true")>
                    <td class="main">
                        <a class="link mono" href=template_href(slug, &version.fingerprint, range)>
                            {short_fingerprint(&version.fingerprint).to_owned()}
                        </a>
                        {is_own.then(|| view! { " " <span class="badge" data-tone="line">"this one"</span> })}
                    </td>
                    <td class="num wide"><Time at=version.first_seen_at/></td>
                    <td class="n t">{text::grouped(version.calls.unsigned_abs())}</td>
                    <td class="n wide">{model::share(version.calls, calls)}</td>
                    <td class="models">{crate::pages::prompts::models(&version)}</td>
                    <td>{compare}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <tbody>
            <tr class="group"><th scope="rowgroup" colspan="6">{name_link(slug, SeriesBy::Step, &step.step_name, range)}</th></tr>
            {rows}
        </tbody>
    }
}

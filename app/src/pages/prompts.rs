//! Prompts: which template each step uses, since when, and what it costs.

use domain::prompt::short_fingerprint;
use domain::series::SeriesBy;
use domain::{Window, text};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

use crate::api::prompts::{PromptsView, list_prompts};
use crate::context::use_slug;
use crate::models::prompts::{self as model, PromptChange, StepPrompts, Version};
use crate::pages::cells::name_link;
use crate::ui::frame::TopBar;
use crate::ui::icon::Icon;
use crate::ui::links::page_href;
use crate::ui::load::{Load, SkeletonRows};
use crate::ui::menu::Menu;
use crate::ui::time::Time;

/// The window that is shown unless the URL names another, as a word of [`Window::CHOICES`].
const DEFAULT_RANGE: &str = "7d";
/// Models named beside a template; the others are counted.
const MODELS_NAMED: usize = 2;

/// A window as a word, a label, and minutes.
type Range = (&'static str, &'static str, u32);

/// The window in the URL, or the default one.
fn use_range() -> Memo<Range> {
    let query = use_query_map();
    Memo::new(move |_| {
        let word = query.read().get("range").unwrap_or_default();
        let find = |word: &str| Window::CHOICES.iter().find(|choice| choice.0 == word);
        find(&word)
            .or_else(|| find(DEFAULT_RANGE))
            .copied()
            .unwrap_or((DEFAULT_RANGE, "7 days", 10_080))
    })
}

/// The menu that chooses the window; the rest of the URL stays in `path`.
#[component]
fn RangeMenu(
    range: Memo<Range>,
    /// The page's address without its query.
    #[prop(into)]
    path: Signal<String>,
) -> impl IntoView {
    view! {
        <Menu summary=move || view! { {move || range.read().1} <Icon name="down" class="sm"/> }>
            <ul class="menu-list">
                {Window::CHOICES
                    .iter()
                    .map(|(word, label, _)| {
                        let current = move || (range.read().0 == *word).then_some("true");
                        view! { <li><a href=move || format!("{}?range={word}", path.read()) aria-current=current>{*label}</a></li> }
                    })
                    .collect_view()}
            </ul>
        </Menu>
    }
}

/// The address of a template's page.
fn prompt_href(slug: &str, fingerprint: &str, range: Range) -> String {
    format!(
        "{}/{}?range={}",
        page_href(slug, "prompts"),
        short_fingerprint(fingerprint),
        range.0
    )
}

/// The templates of all steps.
#[component]
pub(crate) fn PromptsPage() -> impl IntoView {
    let slug = use_slug();
    let range = use_range();
    let resource = Resource::new(
        move || (slug.get(), range.get().2),
        |(slug, minutes)| list_prompts(slug, minutes),
    );
    let path = Signal::derive(move || page_href(&slug.read(), "prompts"));
    view! {
        <Title text="Prompts"/>
        <TopBar tools=move || view! { <RangeMenu range path/> }>
            <h1>"Prompts"</h1>
        </TopBar>
        <main id="main" class="page page-prompts" tabindex="-1">
            <Load resource what="The prompts" skeleton=|| view! { <SkeletonRows rows=12/> } let:view>
                <Prompts view range=range.get_untracked() slug=slug.get_untracked()/>
            </Load>
        </main>
    }
    .into_any()
}

#[component]
fn Prompts(view: PromptsView, range: Range, slug: String) -> impl IntoView {
    let steps = model::by_step(&view.uses);
    if steps.is_empty() {
        return view! {
            <section class="cell">
                <div class="state">
                    <Icon name="prompts"/>
                    <b>"No prompt was used in the last "{range.1}</b>
                    <p>"Prompts appear here with the first step that has one: a call through the proxy, or a step sent with the field prompt."</p>
                    <div class="row">
                        <a class="btn" href=format!("{}?range=90d", page_href(&slug, "prompts"))>"Show 90 days"</a>
                        <a class="btn" href=page_href(&slug, "connect")>"Connect an app"</a>
                    </div>
                </div>
            </section>
        }
        .into_any();
    }
    let changes = model::changes(&steps, view.from);
    let cost_of_all = steps
        .iter()
        .flat_map(|step| &step.versions)
        .filter_map(|version| version.cost)
        .fold(domain::NanoUsd(0), domain::NanoUsd::saturating_add);
    let sentence = model::sentence(changes.len(), steps.len(), range.1);
    let latest = changes
        .first()
        .map(|change| view! { <LatestChange change=change.clone() range slug=slug.clone()/> });
    let groups = steps
        .into_iter()
        .map(|step| step_rows(step, &changes, cost_of_all, range, &slug))
        .collect_view();
    let is_cut = view.is_cut.then(|| {
        view! {
            <div class="notice" data-tone="info">
                <Icon name="info"/>
                <div>"Only the most used templates are shown and counted. A template per call usually means that varying text is part of the instruction: send prompt_template with the prompt."</div>
            </div>
        }
    });
    view! {
        <section class="cell">
            <div class="verdict" data-tone="plain">
                <h2>{sentence}</h2>
                {latest}
            </div>
            {is_cut}
        </section>
        <section class="cell flush">
            <div class="head">
                <h2 id="prompt-rows">"By step"</h2>
                <span class="sub">"newest template first; user input and other varying parts do not make a new template"</span>
            </div>
            <div class="scroll-x" tabindex="0" role="region" aria-labelledby="prompt-rows">
                <table class="table bleed prompts">
                    <caption class="vh">"Prompt templates by step, the newest first"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Template"</th>
                            <th scope="col" class="wide">"First seen"</th>
                            <th scope="col">"Last seen"</th>
                            <th scope="col" class="n">"Calls"</th>
                            <th scope="col" class="n wide">"Of its step"</th>
                            <th scope="col" class="n wide">"Failed"</th>
                            <th scope="col" class="n wide">"Per call"</th>
                            <th scope="col" class="n">"Cost"</th>
                            <th scope="col" class="n wide">"Of all cost"</th>
                            <th scope="col">"Models"</th>
                        </tr>
                    </thead>
                    {groups}
                </table>
            </div>
        </section>
    }
    .into_any()
}

#[component]
fn LatestChange(change: PromptChange, range: Range, slug: String) -> impl IntoView {
    let more = change
        .cost_percent
        .filter(|percent| percent.abs() > 2)
        .map(|percent| format!(" (by {} %)", percent.abs()));
    view! {
        <p>
            {change.step_name}
            " last, "
            <Time at=change.at/>
            ": "
            <a class="link mono" href=prompt_href(&slug, &change.to, range)>{short_fingerprint(&change.to).to_owned()}</a>
            " in place of "
            <a class="link mono" href=prompt_href(&slug, &change.from, range)>{short_fingerprint(&change.from).to_owned()}</a>
            "; "
            {model::cost_words(change.cost_percent)}
            {more}
            "."
        </p>
    }
}

fn step_rows(
    step: StepPrompts,
    changes: &[PromptChange],
    cost_of_all: domain::NanoUsd,
    range: Range,
    slug: &str,
) -> impl IntoView {
    let calls = step.calls;
    let changed = changes.iter().any(|change| change.step_name == step.step_name);
    let count = i64::try_from(step.versions.len()).unwrap_or(i64::MAX);
    let rows = step
        .versions
        .into_iter()
        .enumerate()
        .map(|(at, version)| {
            let href = prompt_href(slug, &version.fingerprint, range);
            let newest = (changed && at == 0).then(|| view! { " " <span class="badge" data-tone="accent">"new"</span> });
            let cost_share = model::share(version.cost.map_or(0, |cost| cost.0), cost_of_all.0);
            view! {
                <tr>
                    <td class="main"><a class="link mono" href=href>{short_fingerprint(&version.fingerprint).to_owned()}</a>{newest}</td>
                    <td class="num wide"><Time at=version.first_seen_at/></td>
                    <td class="num"><Time at=version.last_hour/></td>
                    <td class="n t">{text::grouped(version.calls.unsigned_abs())}</td>
                    <td class="n wide">{model::share(version.calls, calls)}</td>
                    <td class="n wide">{model::share(version.errors, version.calls)}</td>
                    <td class="n wide">{cost_cell(version.cost_per_call())}</td>
                    <td class="n">{cost_with_unknown(&version)}</td>
                    <td class="n wide">{if version.cost.is_some() { cost_share } else { "–".to_owned() }}</td>
                    <td class="models">{models(&version)}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <tbody>
            <tr class="group">
                <th scope="rowgroup" colspan="10">
                    {name_link(slug, SeriesBy::Step, &step.step_name, &format!("?range={}", range.0))}
                    " "
                    <span class="dim">{text::counted(count, "template")}", "{text::counted(calls, "call")}</span>
                </th>
            </tr>
            {rows}
        </tbody>
    }
}

fn cost_cell(cost: Option<domain::NanoUsd>) -> AnyView {
    match cost {
        Some(cost) => {
            view! { <span title=format!("${}", cost.to_decimal())>{cost.to_short()}</span> }.into_any()
        }
        None => view! { <span class="unknown">"unknown"</span> }.into_any(),
    }
}

fn cost_with_unknown(version: &Version) -> impl IntoView {
    let rest = (version.unpriced > 0 && version.cost.is_some()).then(|| {
        let title = format!("{} without a price", text::counted(version.unpriced, "call"));
        view! { <span class="unknown" title=title>" + unknown"</span> }
    });
    view! { {cost_cell(version.cost)} {rest} }
}

/// The most used models with their share of the calls.
pub(crate) fn models(version: &Version) -> String {
    let named = version.models.iter().take(MODELS_NAMED).map(|(model, calls)| {
        let name = model
            .as_deref()
            .filter(|name| !name.is_empty())
            .unwrap_or("not reported");
        format!("{name} {}", model::share(*calls, version.calls))
    });
    let mut words: Vec<String> = named.collect();
    let others = version.models.len().saturating_sub(MODELS_NAMED);
    if others > 0 {
        words.push(format!("{others} more"));
    }
    words.join(", ")
}

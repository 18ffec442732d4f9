//! One deploy: every measure before and after, and what is behind it.

use domain::Deploy;
use domain::deploy::FirstSeen;
use domain::series::SeriesBy;
use engine::compare::{Effect, Measure};
use engine::rollout::{MixPart, PartEffect};
use engine::series::percent;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;

use crate::api::deploys::{DeployView, ReleaseRow, read_deploy};
use crate::api::incidents::ListedIncident;
use crate::context::use_slug;
use crate::models::rollout_words::{deploy_name, moved, switch_words};
use crate::pages::cells::{cost_view, name_link};
use crate::pages::deploys::{rollout_length, status_word};
use crate::pages::effects::{calls_view, effect_cell, measures_table};
use crate::pages::incidents::{figures, probability_text, status_glyph};
use crate::ui::frame::{Crumbs, TopBar};
use crate::ui::icon::Icon;
use crate::ui::links::{deploy_href, incident_href, page_href, scope_href};
use crate::ui::load::{Load, SkeletonRows};
use crate::ui::time::Time;

/// Rows of a mix that are named.
const NAMED: usize = 5;

/// What one deploy moved.
#[component]
pub(crate) fn DeployPage() -> impl IntoView {
    let slug = use_slug();
    let params = use_params_map();
    let id = Memo::new(move |_| params.read().get("deploy").unwrap_or_default());
    let resource = Resource::new(move || (slug.get(), id.get()), |(slug, id)| read_deploy(slug, id));
    let above = Signal::derive(move || ("Deploys".to_owned(), page_href(&slug.read(), "deploys")));
    view! {
        <TopBar>
            <Transition fallback=|| ()>
                {move || Suspend::new(async move {
                    let name = match resource.await {
                        Ok(view) => view.deploy.name(),
                        Err(_shown_below) => "Deploy".to_owned(),
                    };
                    view! {
                        <Title text=name.clone()/>
                        <Crumbs above title=name/>
                    }
                })}
            </Transition>
        </TopBar>
        <main id="main" class="page page-deploy" tabindex="-1">
            <Load
                resource
                what="The deploy"
                skeleton={|| view! { <SkeletonRows rows=20/> }}
                children={move |view: DeployView| loaded(&slug.read_untracked(), view)}
            />
        </main>
    }
    .into_any()
}

fn loaded(slug: &str, view: DeployView) -> AnyView {
    let DeployView {
        deploy,
        moved,
        releases,
        first_seen,
        neighbours,
        incidents,
    } = view;
    let worst = moved.worst().map(|(key, effect)| (key.to_owned(), *effect));
    let switched = worst.as_ref().and_then(|(key, _)| {
        let part = moved.keys.iter().find(|part| part.key == *key)?;
        let words = switch_words(&part.models).or_else(|| switch_words(&part.templates))?;
        Some(format!(". On {key}, {words}"))
    });
    let windows = moved.windows;
    let length = |micros: i64| domain::text::duration(micros as f64 / 1_000.0);
    let note = format!(
        "{} before, {} after it was live, cut at the neighbours",
        length(windows.before_micros()),
        length(windows.after_micros())
    );
    let steps = moved.steps.iter().map(|part| step_row(slug, part)).collect_view();
    view! {
        <Head slug=slug.to_owned() deploy=deploy.clone() worst neighbours switched/>
        {caused(slug, incidents)}
        <section class="cell flush" aria-labelledby="measures-title">
            <div class="head">
                <h2 id="measures-title">"Before and after"</h2>
                <span class="sub">{note.clone()}</span>
            </div>
            {measures_table(&moved.effects)}
        </section>
        <div class="split" data-cols="2-1">
            <section class="cell" aria-labelledby="steps-title">
                <div class="head">
                    <h2 id="steps-title">"Steps in the same hours"</h2>
                    <span class="sub">{steps_note(&moved.steps)}</span>
                </div>
                <div class="scroll-x" tabindex="0" role="region" aria-label="Steps">
                    <table class="table ds">
                        <thead>
                            <tr>
                                <th scope="col">"Step"</th>
                                <th class="ds-key" scope="col">"Key"</th>
                                <th class="ds-models" scope="col">"Models"</th>
                                <th class="n" scope="col">"Calls"</th>
                                <th class="n dp-fx" scope="col">"Cost per call"</th>
                            </tr>
                        </thead>
                        <tbody>{steps}</tbody>
                    </table>
                </div>
            </section>
            <section class="cell" aria-labelledby="mix-title">
                <div class="head"><h2 id="mix-title">"Model and prompt mix"</h2><span class="sub">"share of calls"</span></div>
                {mix("Models", &moved.models, |value| (value.to_owned(), scope_href(slug, SeriesBy::Model, value)))}
                {mix("Prompts", &moved.templates, |value| {
                    let short = domain::prompt::short_fingerprint(value);
                    (short.to_owned(), Some(page_href(slug, &format!("prompts/{value}"))))
                })}
                {first_times(slug, first_seen)}
            </section>
        </div>
        <Releases releases/>
    }
    .into_any()
}

#[component]
fn Head(
    slug: String,
    deploy: Deploy,
    worst: Option<(String, Effect)>,
    neighbours: (Option<Deploy>, Option<Deploy>),
    switched: Option<String>,
) -> impl IntoView {
    let head = match &worst {
        Some((key, effect)) => format!("After {} {}", deploy.name(), moved(key, effect)),
        None if !deploy.went_live() => format!(
            "{} did not go live: {}",
            deploy.name(),
            status_word(deploy.status)
        ),
        None => format!("Nothing got clearly worse after {}", deploy.name()),
    };
    let neighbour = |word: &'static str, other: Option<Deploy>| {
        other.map(|other| {
            let href = deploy_href(&slug, &other.id);
            view! { <div><dt>{word}</dt><dd><a class="link" href=href>{other.name()}</a></dd></div> }
        })
    };
    let fact = |word: &'static str, value: Option<String>| {
        value.map(|value| view! { <div><dt>{word}</dt><dd>{value}</dd></div> })
    };
    view! {
        <section class="cell" aria-label="In short">
            <div class="verdict" data-tone=worst.is_some().then_some("critical")>
                <h2>{head}</h2>
                <p>
                    {deploy_name(&deploy)}
                    {switched}
                    "."
                </p>
            </div>
            <dl class="facts">
                {fact("Author", deploy.author.clone())}
                <div><dt>"Release"</dt><dd class="mono">{deploy.sha.clone()}</dd></div>
                <div><dt>"Live since"</dt><dd><Time at=deploy.at()/></dd></div>
                {fact("Rollout", rollout_length(&deploy))}
                {fact("Environment", deploy.environment.clone())}
                {fact("Repository", deploy.repo.clone())}
                {fact("Branch", deploy.branch.clone())}
                {neighbour("Deploy before", neighbours.0)}
                {neighbour("Deploy after", neighbours.1)}
                {deploy
                    .url
                    .clone()
                    .map(|url| {
                        view! {
                            <div>
                                <dt>"Link"</dt>
                                <dd><a class="link" href=url rel="external noopener noreferrer nofollow"><Icon name="link" class="sm"/>"Open"</a></dd>
                            </div>
                        }
                    })}
            </dl>
        </section>
    }
}

/// The incidents that it is named for.
fn caused(slug: &str, incidents: Vec<ListedIncident>) -> AnyView {
    if incidents.is_empty() {
        return ().into_any();
    }
    let items = incidents
        .into_iter()
        .map(|incident| {
            let (icon, class, word) = status_glyph(incident.status);
            view! {
                <li>
                    <Icon name=icon class=class/>
                    <span class="vh">{word}</span>
                    <a class="link" href=incident_href(slug, &incident.id)>{incident.name.clone()}</a>
                    <span class="num">{figures(&incident)}</span>
                    <span class="dim">"since "<Time at=incident.onset/>", probability "{probability_text(incident.probability)}</span>
                </li>
            }
        })
        .collect_view();
    view! {
        <section class="cell" aria-labelledby="caused-title">
            <div class="head"><h2 id="caused-title">"Incidents it is named for"</h2></div>
            <ul class="caused">{items}</ul>
        </section>
    }
    .into_any()
}

/// Whether its calls moved to another model or prompt.
fn is_switched(part: &PartEffect) -> bool {
    switch_words(&part.models).is_some() || switch_words(&part.templates).is_some()
}

/// Calls of a part before and after.
fn calls_of(part: &PartEffect) -> (i64, i64) {
    let effect = part
        .effects
        .iter()
        .find(|effect| effect.measure == Measure::CallsPerDay);
    effect.map_or((0, 0), |effect| (effect.n_before, effect.n_after))
}

/// What of it can be compared: a step that ran on one side only neither switched nor is it a control.
fn steps_note(steps: &[PartEffect]) -> String {
    let compared = steps.iter().filter(|step| {
        let (before, after) = calls_of(step);
        before > 0 && after > 0
    });
    let (switched, same): (Vec<_>, Vec<_>) = compared.partition(|step| is_switched(step));
    let one_sided = steps.len() - switched.len() - same.len();
    let mut note = format!(
        "{} switched model or prompt, {} kept both and {} the control",
        switched.len(),
        same.len(),
        if same.len() == 1 { "is" } else { "are" }
    );
    if one_sided > 0 {
        note.push_str(&format!("; {one_sided} ran on one side only"));
    }
    note
}

fn step_row(slug: &str, part: &PartEffect) -> impl IntoView + use<> {
    let of = |measure: Measure| part.effects.iter().find(|effect| effect.measure == measure);
    let calls = calls_of(part);
    let step = name_link(slug, SeriesBy::Step, part.step.as_deref().unwrap_or_default(), "");
    let models = match calls {
        (0, _) => "no calls before".to_owned(),
        (_, 0) => "no calls after".to_owned(),
        _ => switch_words(&part.models).unwrap_or_else(|| "same".to_owned()),
    };
    view! {
        <tr>
            <th class="main" scope="row">
                {step}
                {is_switched(part).then(|| view! { " "<span class="badge" data-tone="accent">"switched"</span> })}
            </th>
            <td class="ds-key">{name_link(slug, SeriesBy::Key, &part.key, "")}</td>
            <td class="wrap ds-models">{models}</td>
            <td class="n">{calls_view(calls.0)}" "<span class="dim">"→"</span>" "{calls_view(calls.1)}</td>
            <td class="n dp-fx">{effect_cell(of(Measure::CostPerCall))}</td>
        </tr>
    }
}

/// The shares of the most used values before and after, as two bars and a table.
fn mix(title: &'static str, parts: &[MixPart], name: impl Fn(&str) -> (String, Option<String>)) -> AnyView {
    let sum = |count: fn(&MixPart) -> i64| parts.iter().map(count).sum::<i64>();
    let (before, after) = (sum(|part| part.before), sum(|part| part.after));
    let share = |n: i64, of: i64| if of > 0 { n as f64 / of as f64 } else { 0.0 };
    let bar = |count: fn(&MixPart) -> i64, of: i64| {
        let mut x = 0.0;
        let mut out = String::new();
        for (index, part) in parts.iter().take(NAMED).enumerate() {
            let width = share(count(part), of) * 100.0;
            if width > 0.0 {
                out.push_str(&format!(
                    r#"<rect class="c{}" x="{x:.2}%" width="{width:.2}%" height="10"/>"#,
                    index + 1
                ));
            }
            x += width;
        }
        out.push_str(&format!(
            r#"<rect class="c8" x="{x:.2}%" width="{:.2}%" height="10"/>"#,
            (100.0 - x).max(0.0)
        ));
        if of == 0 { String::new() } else { out }
    };
    let rows = parts
        .iter()
        .take(NAMED)
        .enumerate()
        .map(|(index, part)| {
            let (text, href) = part.value.as_deref().map_or(("none".to_owned(), None), &name);
            let label = match href {
                Some(href) => view! { <a class="link" href=href>{text}</a> }.into_any(),
                None => text.into_any(),
            };
            view! {
                <tr>
                    <td class="clip"><span class=format!("swatch c{}", index + 1)></span>" "{label}</td>
                    <td class="n">{percent(share(part.before, before))}</td>
                    <td class="n t">{percent(share(part.after, after))}</td>
                </tr>
            }
        })
        .collect_view();
    let more = parts.len().saturating_sub(NAMED);
    view! {
        <svg class="mix-bar" height="10" aria-hidden="true" inner_html=bar(|part| part.before, before)></svg>
        <svg class="mix-bar" height="10" aria-hidden="true" inner_html=bar(|part| part.after, after)></svg>
        <table class="table compact mix-table">
            <thead><tr><th scope="col">{title}</th><th class="n" scope="col">"Before"</th><th class="n" scope="col">"After"</th></tr></thead>
            <tbody>{rows}</tbody>
        </table>
        {(more > 0).then(|| view! { <p class="dim">{format!("and {more} others")}</p> })}
    }
    .into_any()
}

/// What was named for the first time since the rollout began.
fn first_times(slug: &str, first_seen: Vec<FirstSeen>) -> AnyView {
    if first_seen.is_empty() {
        return view! { <p class="dim">"No model, step or prompt was first seen since its rollout began."</p> }.into_any();
    }
    let items = first_seen
        .into_iter()
        .take(NAMED * 2)
        .map(|seen| {
            let label = match seen.dimension.as_str() {
                "template" => {
                    let short = domain::prompt::short_fingerprint(&seen.value).to_owned();
                    let href = page_href(slug, &format!("prompts/{}", seen.value));
                    view! { "prompt "<a class="link mono" href=href>{short}</a> }.into_any()
                }
                dimension => {
                    let by = SeriesBy::parse(dimension).unwrap_or(SeriesBy::Environment);
                    view! { {dimension.to_owned()} " " {name_link(slug, by, &seen.value, "")} }.into_any()
                }
            };
            view! { <li>{label}", "<Time at=seen.at/></li> }
        })
        .collect_view();
    view! {
        <h3>"First seen since its rollout began"</h3>
        <ul class="first-seen">{items}</ul>
    }
    .into_any()
}

/// What calls said they ran, around the rollout: while both run they are compared in the same minutes.
#[component]
fn Releases(releases: Vec<ReleaseRow>) -> impl IntoView {
    if releases.is_empty() {
        return view! {
            <section class="cell" aria-label="Releases">
                <p class="dim">"No call around this deploy says which release it ran, or it is more than two weeks ago. A step with the sha as its release is counted with its deploy."</p>
            </section>
        }
        .into_any();
    }
    let rows = releases
        .into_iter()
        .map(|release| {
            view! {
                <tr>
                    <td class="mono clip">{release.release}</td>
                    <td>{if release.is_this { "this deploy" } else { "another" }}</td>
                    <td class="n">{calls_view(release.calls)}</td>
                    <td class="n">{domain::text::grouped(release.errors.unsigned_abs())}</td>
                    <td class="n t">{cost_view(release.cost_per_call, 0)}</td>
                    <td class="num"><Time at=release.first_hour/></td>
                    <td class="num"><Time at=release.last_hour/></td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <section class="cell flush" aria-labelledby="releases-title">
            <div class="head">
                <h2 id="releases-title">"Releases that ran around it"</h2>
                <span class="sub">"as the steps say, by the hour"</span>
            </div>
            <div class="scroll-x" tabindex="0" role="region" aria-label="Releases">
                <table class="table bleed">
                    <thead>
                        <tr>
                            <th scope="col">"Release"</th>
                            <th scope="col">"Is"</th>
                            <th class="n" scope="col">"Calls"</th>
                            <th class="n" scope="col">"Errors"</th>
                            <th class="n" scope="col">"Cost per call"</th>
                            <th scope="col">"First hour"</th>
                            <th scope="col">"Last hour"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        </section>
    }
    .into_any()
}

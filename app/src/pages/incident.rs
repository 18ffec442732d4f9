//! One incident: the answer first, then the hours around its onset, every cause beside the others, and where the change
//! comes from.

mod actions;
mod causes;
mod fix;
mod investigation;
mod onset;
mod split;

use domain::{CauseAnswer, IncidentEventKind, IncidentStatus, Timestamp};
use engine::incidents::incident::Amount;
use engine::incidents::words;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;

use self::actions::{Actions, Notes};
use self::causes::Causes;
use self::fix::Fix;
use self::investigation::Investigation;
use self::onset::OnsetHours;
use self::split::Split;
use crate::api::incidents::{HistoryItem, IncidentView, read_incident};
use crate::context::use_slug;
use crate::live::use_live;
use crate::pages::ask::beside::{About, AskButton, AskDrawer, use_beside};
use crate::pages::incidents::{figures, probability_text, status_glyph};
use crate::ui::frame::{Crumbs, TopBar};
use crate::ui::icon::Icon;
use crate::ui::links::{incident_href, page_href};
use crate::ui::load::{Load, SkeletonRows};
use crate::ui::time::{DatedTime, Time, use_time_text};

/// What left its baseline, since when, and what caused it.
#[component]
pub(crate) fn IncidentPage() -> impl IntoView {
    let slug = use_slug();
    let params = use_params_map();
    let id = Memo::new(move |_| params.read().get("incident").unwrap_or_default());
    let live = use_live(slug.into(), Signal::stored(None));
    let resource = Resource::new(
        move || (slug.get(), id.get(), live.incidents.get(), live.gaps.get()),
        |(slug, id, ..)| read_incident(slug, id),
    );
    let beside = use_beside(slug, Some(live));
    let about = Signal::derive(move || About::incident(&id.read()));
    let above = Signal::derive(move || ("Incidents".to_owned(), page_href(&slug.read(), "incidents")));
    view! {
        <TopBar tools=move || {
            view! {
                <AskButton/>
                <Transition fallback=|| ()>
                    {move || Suspend::new(async move {
                        resource.await.ok().map(|view| view! { <Actions slug=slug.get_untracked() view/> })
                    })}
                </Transition>
            }
        }>
            <Transition fallback=|| ()>
                {move || Suspend::new(async move {
                    let name = match resource.await {
                        Ok(view) => words::name(&view.incident),
                        Err(_shown_below) => "Incident".to_owned(),
                    };
                    view! {
                        <Title text=name.clone()/>
                        <Crumbs above title=name/>
                    }
                })}
            </Transition>
        </TopBar>
        <main id="main" class="page page-incident" tabindex="-1">
            <Load
                resource
                what="The incident"
                skeleton={|| view! { <SkeletonRows rows=24/> }}
                children={move |view: IncidentView| loaded(slug.get_untracked(), view)}
            />
        </main>
        <AskDrawer beside about/>
    }
    .into_any()
}

fn loaded(slug: String, view: IncidentView) -> AnyView {
    view! {
        <Head view=view.clone()/>
        <Investigation slug=slug.clone() view=view.clone()/>
        <Fix slug=slug.clone() view=view.clone()/>
        <OnsetHours view=view.clone()/>
        <Causes slug=slug.clone() view=view.clone()/>
        <div class="split" data-cols="2-1">
            <Split view=view.clone()/>
            <div class="stack-cells">
                <Moved view=view.clone()/>
                <Controls view=view.clone()/>
            </div>
        </div>
        <div class="split" data-cols="2-1">
            <History view=view.clone()/>
            <div class="stack-cells">
                <Notes slug=slug.clone() id=view.id.clone()/>
                <Similar slug view/>
            </div>
        </div>
    }
    .into_any()
}

/// The answer in a sentence, and the figures of the first day.
#[component]
fn Head(view: IncidentView) -> impl IntoView {
    let incident = &view.incident;
    let (icon, _, word) = status_glyph(view.status);
    let is_open = view.status == IncidentStatus::Open;
    let fact = |word: &'static str, value: String, small: String| {
        view! { <div><dt>{word}</dt><dd>{value}" "<small>{small}</small></dd></div> }
    };
    let value = |amount: Amount| words::value(incident.metric, amount);
    let per = words::per(incident.metric).trim_start().to_owned();
    let day = incident.day().cloned();
    let times = day.as_ref().and_then(|day| {
        let (from, to) = (day.baseline.as_f64(), day.actual.as_f64());
        (from > 0.0).then(|| format!("{:.1}×", to / from))
    });
    let figures = day.map(|day| {
        view! {
            {fact("Baseline", value(day.baseline), per.clone())}
            {fact("First day", value(day.actual), per.clone())}
            {fact(
                "Change",
                words::difference(incident.metric, incident.delta().as_f64()),
                times.unwrap_or_default(),
            )}
            {day.sigma.map(|sigma| fact("Daily rule", format!("{sigma:.1} σ"), "limit 2.5 σ and $1.00".to_owned()))}
            {fact("Calls that day", domain::text::grouped(day.samples.unsigned_abs()), String::new())}
        }
    });
    let above = words::above_baseline(incident).map(|above| {
        let days = domain::text::counted(incident.days.len() as i64, "day");
        fact("Above baseline", above.to_short(), format!("in {days}"))
    });
    let onset = incident.onset.clone();
    let ended = view.ended_at;
    view! {
        <section class="cell" aria-label="In short">
            <div class="verdict" data-tone=is_open.then_some("critical")>
                <h2>{words::headline(incident)}</h2>
                <p>{reason(&view)}</p>
            </div>
            <dl class="facts inc-facts">
                <div>
                    <dt>"State"</dt>
                    <dd>
                        <span class="badge" data-tone=if is_open { "critical" } else { "line" }><Icon name=icon/>{word}</span>
                    </dd>
                </div>
                <div>
                    <dt>"Onset"</dt>
                    <dd><DatedTime at=onset.from/>" – "<DatedTime at=onset.to/></dd>
                </div>
                {ended.map(|at| view! { <div><dt>"Ended"</dt><dd><DatedTime at/></dd></div> })}
                {figures}
                {above}
            </dl>
        </section>
    }
}

/// How sure that is, and what comes next.
fn reason(view: &IncidentView) -> String {
    let verdict = &view.incident.verdict;
    let mut said = format!("Probability {}", probability_text(verdict.probability));
    let named = view.causes.iter().find(|cause| cause.is_named);
    if let Some(confidence) = named.and_then(|cause| cause.confidence) {
        said.push_str(&format!(", rubric {confidence:.2}"));
    }
    let next = view
        .causes
        .iter()
        .find(|cause| !cause.is_named && !named.is_some_and(|named| named == *cause));
    if let Some(next) = next {
        said.push_str(&format!(
            "; next is {} with {}",
            next.name,
            probability_text(next.probability)
        ));
    }
    said.push('.');
    let cleared = view
        .causes
        .iter()
        .filter(|cause| cause.cleared_because.is_some())
        .count();
    if cleared > 0 {
        said.push_str(&format!(
            " {} cleared, with the reason below.",
            domain::text::counted(cleared as i64, "other deploy")
        ));
    }
    let parts = words::parts(&view.incident.decomposition);
    if let Some(part) = parts.iter().find(|part| part.amount > 0.0) {
        said.push_str(&format!(
            " {} of the change: {}.",
            words::difference(view.incident.metric, part.amount),
            part.because()
        ));
    }
    match (view.answer, &view.confirmed) {
        (Some(CauseAnswer::Confirmed), Some(deploy)) => {
            said.push_str(&format!(" People confirmed {deploy}."))
        }
        (Some(CauseAnswer::Refused), _) => said.push_str(" People say it was something else."),
        _ => {}
    }
    said
}

/// What moved with it.
#[component]
fn Moved(view: IncidentView) -> impl IntoView {
    let rows = view
        .incident
        .also_moved
        .iter()
        .map(|moved| {
            let change = match words::unit(moved.metric) {
                domain::series::MetricUnit::Share => format!("{:+.1} pt", moved.change * 100.0),
                _ => crate::models::rollout_words::ratio(moved.change),
            };
            let place = match &moved.step {
                Some(step) => format!("{step} in {}", moved.key),
                None => moved.key.clone(),
            };
            view! {
                <tr>
                    <th class="main" scope="row">{words::metric_words(moved.metric)}<span class="dp-sub">{place}</span></th>
                    <td class="n t">{change}</td>
                    <td class="num"><DatedTime at=moved.onset/></td>
                </tr>
            }
        })
        .collect_view();
    let is_none = view.incident.also_moved.is_empty();
    view! {
        <section class="cell" aria-labelledby="moved-title">
            <div class="head"><h2 id="moved-title">"What else moved"</h2></div>
            {if is_none {
                view! { <p class="dim">"Nothing else on these keys left its baseline at that time."</p> }.into_any()
            } else {
                view! {
                    <table class="table compact moved">
                        <thead>
                            <tr><th scope="col">"Metric"</th><th class="n" scope="col">"Change"</th><th scope="col">"Since"</th></tr>
                        </thead>
                        <tbody>{rows}</tbody>
                    </table>
                }
                    .into_any()
            }}
        </section>
    }
}

/// What other keys did in the same hours.
#[component]
fn Controls(view: IncidentView) -> impl IntoView {
    let text = |value: Option<f64>| {
        value.map_or_else(
            || "–".to_owned(),
            |value| engine::series::text(value, view.controls_unit),
        )
    };
    let rows = view
        .controls
        .iter()
        .map(|control| {
            let change = match (control.before, control.after) {
                (Some(before), Some(after)) if before > 0.0 => {
                    crate::models::rollout_words::ratio(after / before - 1.0)
                }
                _ => "–".to_owned(),
            };
            view! {
                <tr>
                    <th class="main" scope="row">
                        {control.key.clone()}
                        {control.is_own.then(|| view! { <span class="dp-sub">"this one"</span> })}
                    </th>
                    <td class="n">{text(control.before)}</td>
                    <td class="n t">{text(control.after)}</td>
                    <td class="n t">{change}</td>
                    <td class="n">{domain::text::grouped(control.calls.unsigned_abs())}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <section class="cell" aria-labelledby="controls-title">
            <div class="head">
                <h2 id="controls-title">"The keys beside it"</h2>
                <span class="sub">{format!("{}, the same hours of 7 days and the 24 h after", view.controls_of)}</span>
            </div>
            <table class="table compact controls">
                <thead>
                    <tr>
                        <th scope="col">"Key"</th>
                        <th class="n" scope="col">"Before"</th>
                        <th class="n" scope="col">"After"</th>
                        <th class="n" scope="col">"Change"</th>
                        <th class="n" scope="col">"Calls"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </section>
    }
}

/// What happened, the earliest first.
#[component]
fn History(view: IncidentView) -> impl IntoView {
    let incident = &view.incident;
    let mut items: Vec<(Timestamp, String, String)> = vec![(
        incident.opened_at,
        "Opened".to_owned(),
        match incident.opened_at.ms_since(incident.onset.at) {
            ..60_000.0 => format!("by {}, within the likely onset", words::door_words(incident.door)),
            after => format!(
                "by {}, {} after the likely onset",
                words::door_words(incident.door),
                domain::text::duration(after)
            ),
        },
    )];
    if let Some(day) = incident
        .days
        .iter()
        .find(|day| Some(day.date) == incident.flagged_on)
    {
        items.push((
            day.date.plus_micros(86_400_000_000),
            "Flagged".to_owned(),
            format!(
                "by the daily rule: {} against {}, {:.1} σ",
                words::value(incident.metric, day.actual),
                words::value(incident.metric, day.baseline),
                day.sigma.unwrap_or(0.0)
            ),
        ));
    }
    if let Some(at) = incident.ended_at.filter(|_| !view.is_settled) {
        let (word, why) = match incident.status {
            engine::incidents::Status::Accepted => {
                ("Accepted", "seven stable days: it is the baseline from now on")
            }
            _ => ("Closed", "the series returned to its baseline"),
        };
        items.push((at, word.to_owned(), why.to_owned()));
    }
    items.extend(view.history.iter().map(said));
    items.sort_by_key(|(at, ..)| *at);
    let rows = items
        .into_iter()
        .map(|(at, word, text)| view! { <li><Time at/><b>{word}</b><span>{text}</span></li> })
        .collect_view();
    view! {
        <section class="cell" aria-labelledby="history-title">
            <div class="head"><h2 id="history-title">"History"</h2></div>
            <ol class="log">{rows}</ol>
        </section>
    }
}

fn said(item: &HistoryItem) -> (Timestamp, String, String) {
    let deploy = item.deploy.clone().unwrap_or_default();
    let by = format!("by {}", item.actor);
    let note = item.note.clone().unwrap_or_default();
    let (word, text) = match item.kind {
        IncidentEventKind::Verdict => ("Attributed", note),
        IncidentEventKind::Acknowledged => ("Looked after", by),
        IncidentEventKind::Note => ("Note", format!("{}: {note}", item.actor)),
        IncidentEventKind::Closed => ("Closed", by),
        IncidentEventKind::Accepted => ("Accepted", format!("as normal {by}")),
        IncidentEventKind::Reopened => ("Reopened", by),
        IncidentEventKind::Confirmed => ("Confirmed", format!("{deploy} {by}")),
        IncidentEventKind::Refused => ("Refused", format!("the verdict, {by}")),
    };
    (item.at, word.to_owned(), text)
}

/// Earlier incidents that are most like it, with what caused them and how they came out.
#[component]
fn Similar(slug: String, view: IncidentView) -> impl IntoView {
    let time = use_time_text();
    let rows = view
        .similar
        .into_iter()
        .map(|item| {
            let listed = item.incident;
            let at = listed.onset;
            let is_confirmed = listed.answer == Some(CauseAnswer::Confirmed);
            let cause = if is_confirmed {
                format!("{}, confirmed by people", listed.cause)
            } else {
                listed.cause.clone()
            };
            view! {
                <li>
                    <a class="link" href=incident_href(&slug, &listed.id)>{listed.name.clone()}</a>
                    ", "
                    {move || time(at)}
                    <span class="dp-sub">{format!("{cause}; {}", item.outcome)}</span>
                    <span class="dp-sub num">{figures(&listed)}" · "{item.alike_in}</span>
                </li>
            }
        })
        .collect_view();
    let is_none = rows.is_empty();
    view! {
        <section class="cell" aria-labelledby="similar-title">
            <div class="head"><h2 id="similar-title">"Similar before"</h2></div>
            {if is_none {
                view! { <p class="dim">"None of the earlier ones is like it."</p> }.into_any()
            } else {
                view! { <ul class="similar">{rows}</ul> }.into_any()
            }}
        </section>
    }
}

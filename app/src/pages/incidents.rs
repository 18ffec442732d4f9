//! The list of incidents: what is open, and what the others were.

mod lanes;

use domain::{CauseAnswer, IncidentStatus, Timestamp};
use engine::incidents::attribution::VerdictKind;
use engine::incidents::words;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_location;

use self::lanes::lanes;
use crate::api::incidents::{IncidentsView, ListedIncident, list_incidents};
use crate::context::use_slug;
use crate::live::{LiveBadge, use_live};
use crate::query_string;
use crate::ui::frame::TopBar;
use crate::ui::icon::Icon;
use crate::ui::links::{deploy_href, incident_href, page_href};
use crate::ui::load::{Load, SkeletonRows};
use crate::ui::menu::Menu;
use crate::ui::time::Time;

/// Days that can be chosen.
const DAYS: [u32; 3] = [7, 30, 90];
const DEFAULT_DAYS: u32 = 90;

/// Which of them are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Show {
    All,
    Open,
    Deploy,
    NoDeploy,
    Unclear,
}

impl Show {
    const ALL: [Self; 5] = [Self::All, Self::Open, Self::Deploy, Self::NoDeploy, Self::Unclear];

    const fn word(self) -> &'static str {
        match self {
            Self::All => "",
            Self::Open => "open",
            Self::Deploy => "deploy",
            Self::NoDeploy => "no_deploy",
            Self::Unclear => "unclear",
        }
    }

    const fn label(self) -> &'static str {
        match self {
            Self::All => "All",
            Self::Open => "Open",
            Self::Deploy => "Deploy",
            Self::NoDeploy => "No deploy",
            Self::Unclear => "Unclear",
        }
    }

    fn holds(self, item: &ListedIncident) -> bool {
        match self {
            Self::All => true,
            Self::Open => item.status == IncidentStatus::Open,
            Self::Deploy => matches!(item.verdict, VerdictKind::Deploy | VerdictKind::Probably),
            Self::NoDeploy => item.verdict == VerdictKind::NoDeploy,
            Self::Unclear => matches!(item.verdict, VerdictKind::Unclear | VerdictKind::Learning),
        }
    }
}

/// What is in the URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Query {
    days: u32,
    show: Show,
}

impl Query {
    fn from_search(search: &str) -> Self {
        let pairs = query_string::pairs(search);
        let value = |name: &str| {
            pairs
                .iter()
                .find(|(found, _)| found == name)
                .map(|(_, value)| value.as_str())
        };
        Self {
            days: value("days")
                .and_then(|days| days.parse().ok())
                .filter(|days| (1..=400).contains(days))
                .unwrap_or(DEFAULT_DAYS),
            show: Show::ALL
                .into_iter()
                .find(|show| value("show") == Some(show.word()))
                .unwrap_or(Show::All),
        }
    }

    fn href(self) -> String {
        let mut pairs = Vec::new();
        let days = self.days.to_string();
        if self.days != DEFAULT_DAYS {
            pairs.push(("days", days.as_str()));
        }
        if self.show != Show::All {
            pairs.push(("show", self.show.word()));
        }
        format!("?{}", domain::filter::encode_query(pairs))
    }
}

/// What left its baseline.
#[component]
pub(crate) fn IncidentsPage() -> impl IntoView {
    let slug = use_slug();
    let search = use_location().search;
    let query = Memo::new(move |_| Query::from_search(&search.read()));
    let days = Memo::new(move |_| query.read().days);
    let live = use_live(slug.into(), Signal::stored(None));
    let resource = Resource::new(
        move || (slug.get(), days.get(), live.incidents.get(), live.gaps.get()),
        |(slug, days, ..)| list_incidents(slug, days),
    );
    view! {
        <Title text="Incidents"/>
        <TopBar tools=move || view! { <Days query/><LiveBadge live/> }>
            <h1>"Incidents"</h1>
        </TopBar>
        <main id="main" class="page page-incidents" tabindex="-1">
            <Load
                resource
                what="The incidents"
                skeleton={|| view! { <SkeletonRows rows=16/> }}
                children={move |view: IncidentsView| view! { <Loaded slug=slug.get_untracked() query view/> }}
            />
        </main>
    }
    .into_any()
}

#[component]
fn Days(query: Memo<Query>) -> impl IntoView {
    view! {
        <Menu summary=move || {
            view! {
                {move || format!("{} days", query.read().days)}
                <Icon name="down" class="sm"/>
            }
        }>
            <ul class="menu-list">
                {DAYS
                    .into_iter()
                    .map(|days| {
                        let href = move || Query { days, ..query.get() }.href();
                        let is_it = move || (query.read().days == days).then_some("true");
                        view! { <li><a href=href aria-current=is_it data-noscroll>{format!("{days} days")}</a></li> }
                    })
                    .collect_view()}
            </ul>
        </Menu>
    }
}

#[component]
fn Loaded(slug: String, query: Memo<Query>, view: IncidentsView) -> impl IntoView {
    let left_out = view.left_out_before.map(left_out);
    if view.items.is_empty() {
        let nothing = nothing(&slug, query.get_untracked().days, view.any_run);
        return view! { {left_out}{nothing} }.into_any();
    }
    let open = view.items.iter().any(|item| item.status == IncidentStatus::Open);
    let (head, reason) = sentence(&view.items);
    let first_open = view
        .items
        .iter()
        .find(|item| item.status == IncidentStatus::Open)
        .map(|item| incident_href(&slug, &item.id));
    let drawn = lanes(&view, query.get_untracked().days);
    let items = StoredValue::new(view.items);
    let filters = Show::ALL
        .into_iter()
        .map(|show| {
            let count = items.with_value(|items| items.iter().filter(|item| show.holds(item)).count());
            let href = move || Query { show, ..query.get() }.href();
            let is_it = move || (query.read().show == show).then_some("true");
            view! { <a href=href aria-current=is_it data-noscroll>{format!("{} {count}", show.label())}</a> }
        })
        .collect_view();
    let rows = move || {
        let show = query.read().show;
        items.with_value(|items| {
            items
                .iter()
                .filter(|item| show.holds(item))
                .map(|item| row(&slug, item.clone()))
                .collect_view()
        })
    };
    let total = items.with_value(Vec::len);
    view! {
        {left_out}
        <section class="cell" aria-label="In short">
            <div class="verdict" data-tone=open.then_some("critical")>
                <h2>
                    {match first_open {
                        Some(href) => view! { <a href=href>{head}</a> }.into_any(),
                        None => head.into_any(),
                    }}
                </h2>
                <p>{reason}</p>
            </div>
        </section>
        {drawn}
        <section class="cell flush" aria-labelledby="all-title">
            <div class="head">
                <h2 id="all-title">"All incidents"</h2>
                <span class="sub">{move || format!("{total} in {} days", query.read().days)}</span>
                <div class="head-actions">
                    <div class="seg sm" role="group" aria-label="Which">{filters}</div>
                </div>
            </div>
            <div class="scroll-x" tabindex="0" role="region" aria-label="Incidents">
                <table class="table rows bleed incs">
                    <thead>
                        <tr>
                            <th class="ic-s" scope="col"><span class="vh">"State"</span></th>
                            <th class="ic-n" scope="col">"Incident"</th>
                            <th class="ic-w" scope="col" aria-sort="descending">"Onset"</th>
                            <th class="ic-l" scope="col">"Lasted"</th>
                            <th class="ic-c" scope="col">"Cause"</th>
                            <th class="ic-p" scope="col">"Probability"</th>
                            <th class="n ic-r" scope="col" title="The highest confidence of the rubric">"Rubric"</th>
                            <th class="n ic-d" scope="col">"Above base"</th>
                            <th class="ic-v" scope="col">"People say"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        </section>
    }
    .into_any()
}

/// `1 open: …`, and what the others were.
fn sentence(items: &[ListedIncident]) -> (String, String) {
    let open: Vec<_> = items
        .iter()
        .filter(|item| item.status == IncidentStatus::Open)
        .collect();
    let head = match open.as_slice() {
        [] => "Nothing is open".to_owned(),
        [one] => format!("1 open: {}", one.sentence.trim_end_matches('.')),
        [first, ..] => format!(
            "{} open, the latest: {}",
            open.len(),
            first.sentence.trim_end_matches('.')
        ),
    };
    let past: Vec<_> = items
        .iter()
        .filter(|item| item.status != IncidentStatus::Open)
        .collect();
    let of = |show: Show| past.iter().filter(|item| show.holds(item)).count();
    let parts: Vec<String> = [
        (of(Show::Deploy), "caused by a deploy"),
        (of(Show::NoDeploy), "by something else"),
        (of(Show::Unclear), "unclear"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, what)| format!("{count} {what}"))
    .collect();
    let reason = match past.len() {
        0 => "No other incident in these days.".to_owned(),
        count => format!(
            "{}: {}.",
            domain::text::counted(count as i64, "past incident"),
            parts.join(", ")
        ),
    };
    let answers = |answer| items.iter().filter(|item| item.answer == Some(answer)).count();
    let (confirmed, refused) = (answers(CauseAnswer::Confirmed), answers(CauseAnswer::Refused));
    let said = if confirmed + refused > 0 {
        format!(" People confirmed {confirmed} causes and refused {refused}.")
    } else {
        String::new()
    };
    (head, format!("{reason}{said}"))
}

/// How an incident stands: the icon, its tone and the word.
pub(crate) const fn status_glyph(status: IncidentStatus) -> (&'static str, &'static str, &'static str) {
    match status {
        IncidentStatus::Open => ("critical", "st-critical", "open"),
        IncidentStatus::Closed => ("ok", "st-ok", "closed"),
        IncidentStatus::Accepted => ("eye", "st-dim", "accepted as normal"),
    }
}

/// A probability as pages write it: never 0 or 1.
pub(crate) fn probability_text(probability: f64) -> String {
    match probability {
        ..0.005 => "< 0.01".to_owned(),
        0.995.. => "> 0.99".to_owned(),
        _ => format!("{probability:.2}"),
    }
}

/// `$4.26 → $17.40 a day, 4.1×`.
pub(crate) fn figures(item: &ListedIncident) -> String {
    let value = |amount| words::value(item.metric, amount);
    let (from, to) = (item.baseline.as_f64(), item.actual.as_f64());
    let times = if from > 0.0 && to > 0.0 {
        format!(", {:.1}×", to / from)
    } else {
        String::new()
    };
    format!(
        "{} → {}{}{times}",
        value(item.baseline),
        value(item.actual),
        words::per(item.metric)
    )
}

/// The pill of the cause.
pub(crate) fn cause_badge(slug: &str, item: &ListedIncident) -> AnyView {
    let tone = match item.verdict {
        VerdictKind::Deploy => "accent",
        VerdictKind::Probably | VerdictKind::NoDeploy => "line",
        VerdictKind::Unclear | VerdictKind::Learning => "warn",
    };
    let badge = view! { <span class="badge" data-tone=tone>{item.cause.clone()}</span> };
    match &item.deploy_id {
        Some(deploy) => view! { <a href=deploy_href(slug, deploy)>{badge}</a> }.into_any(),
        None => badge.into_any(),
    }
}

fn row(slug: &str, item: ListedIncident) -> impl IntoView + use<> {
    let (icon, class, word) = status_glyph(item.status);
    let lasted = words::lasted(item.until.ms_since(item.onset));
    let width = format!("{:.1}%", item.probability * 100.0);
    let bar_class = if item.verdict == VerdictKind::Deploy {
        "pb-win"
    } else {
        "pb"
    };
    let bar = format!(
        r#"<rect class="track" width="100%" height="6" rx="1"/><rect class="{bar_class}" width="{width}" height="6" rx="1"/>"#
    );
    let people = match item.answer {
        Some(CauseAnswer::Confirmed) => view! { <Icon name="check" class="st-ok"/>" confirmed" }.into_any(),
        Some(CauseAnswer::Refused) => view! { <Icon name="x" class="st-bad"/>" refused" }.into_any(),
        None => view! { <span class="dim">"not said"</span> }.into_any(),
    };
    let sub = figures(&item);
    let badge = cause_badge(slug, &item);
    view! {
        <tr>
            <td class="ic-s"><span title=word><Icon name=icon class=class/><span class="vh">{word}</span></span></td>
            <td class="main ic-n">
                <a href=incident_href(slug, &item.id)>{item.name}</a>
                <span class="dp-sub num">{sub}</span>
            </td>
            <td class="num ic-w" data-l="Onset"><Time at=item.onset/></td>
            <td class="num ic-l" data-l="Lasted">{lasted}</td>
            <td class="ic-c">
                <span class="row">{badge}</span>
                <span class="dp-sub">{item.cause_note}</span>
            </td>
            <td class="ic-p" data-l="Probability">
                <span class="row">
                    <b class="num">{probability_text(item.probability)}</b>
                    <svg class="bar" height="6" aria-hidden="true" inner_html=bar></svg>
                </span>
            </td>
            <td class="n ic-r" data-l="Rubric">
                {item.confidence.map_or_else(|| "–".to_owned(), |confidence| format!("{confidence:.2}"))}
            </td>
            <td class="n ic-d" data-l="Above base">
                {item.above.map_or_else(|| "–".to_owned(), |above| above.to_short())}
            </td>
            <td class="ic-v" data-l="People say"><span class="row">{people}</span></td>
        </tr>
    }
}

/// What a project with too many hours of series is not judged by.
fn left_out(before: Timestamp) -> impl IntoView {
    view! {
        <div class="notice" data-tone="warn">
            <Icon name="warning"/>
            <div>
                "This project has more hours of series than are read at once. Those before " <Time at=before/>
                " are left out: what is usual is known from fewer days, and earlier incidents stay as they were judged."
            </div>
        </div>
    }
}

fn nothing(slug: &str, days: u32, any_run: bool) -> impl IntoView + use<> {
    let (title, reason) = if any_run {
        (
            "Nothing left its baseline",
            format!(
                "No incident in these {days} days. Every hour is judged within a minute: cost, cost per call, latency, errors, output, by key and step. A baseline needs a day, the daily rule seven."
            ),
        )
    } else {
        (
            "Nothing to judge yet",
            "As soon as steps come in, every hour is compared with what is usual at its time.".to_owned(),
        )
    };
    view! {
        <div class="state">
            <Icon name="incidents"/>
            <b>{title}</b>
            <p>{reason}</p>
            <a class="btn" href=page_href(slug, "")>"Overview"</a>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_says_what_is_shown() {
        let check = |search: &str, days: u32, show: Show, href: &str| {
            assert_eq!(Query::from_search(search), Query { days, show }, "{search}");
            assert_eq!(Query { days, show }.href(), href);
        };
        check("", 90, Show::All, "?");
        check("?days=30&show=open", 30, Show::Open, "?days=30&show=open");
        check("?days=0&show=nonsense", 90, Show::All, "?");
    }

    #[test]
    fn a_probability_is_never_certain() {
        let check = |probability: f64, expected: &str| assert_eq!(probability_text(probability), expected);
        check(0.0, "< 0.01");
        check(0.926, "0.93");
        check(0.999, "> 0.99");
    }
}

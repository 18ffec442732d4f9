//! What detectors found, whichever of them: narrowed by detector, mark and time, the latest first.

use domain::detector::{Finding, FindingMark};
use domain::filter::encode_query;
use domain::text::short_id;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_location;

use crate::api::detectors::{FindingsView, FindingsWish, list_findings};
use crate::context::use_slug;
use crate::pages::detectors::parts::{Mark, run_name};
use crate::query_string;
use crate::ui::form::FormOutcome;
use crate::ui::frame::{Crumbs, TopBar};
use crate::ui::icon::Icon;
use crate::ui::links::{detector_href, finding_href, page_href, run_href};
use crate::ui::load::{Load, SkeletonRows};
use crate::ui::time::Time;

/// Part of the page's address after the project.
const SEGMENT: &str = "findings";
/// Days that the list can be narrowed to.
const DAYS: [(u32, &str); 4] = [(1, "24 hours"), (7, "7 days"), (30, "30 days"), (90, "90 days")];
/// Steps of a finding that are named.
const MAX_STEPS: usize = 3;

/// All findings.
#[component]
pub(crate) fn FindingsPage() -> impl IntoView {
    let slug = use_slug();
    let search = use_location().search;
    let wish = Memo::new(move |_| wished(&search.read()));
    let resource = Resource::new(
        move || (slug.get(), wish.get()),
        |(slug, wish)| list_findings(slug, wish),
    );
    let above = Signal::derive(move || ("Detectors".to_owned(), page_href(&slug.read(), "detectors")));
    view! {
        <Title text="Findings"/>
        <TopBar><Crumbs above title="Findings"/></TopBar>
        <main id="main" class="page page-detectors" tabindex="-1">
            <FormOutcome/>
            <Load
                resource
                what="The findings"
                skeleton={|| view! { <SkeletonRows rows=16/> }}
                children={move |view: FindingsView| loaded(&slug.read_untracked(), &wish.get_untracked(), view)}
            />
        </main>
    }
    .into_any()
}

/// What the URL asks for. What can't be read is left out.
fn wished(search: &str) -> FindingsWish {
    let mut wish = FindingsWish::default();
    for (name, value) in query_string::pairs(search) {
        match name.as_str() {
            "detector" => wish.detector = Some(value).filter(|id| is_id(id)),
            "mark" => wish.mark = FindingMark::parse(&value),
            "days" => {
                let days = value.parse::<u32>().ok();
                wish.days = days.filter(|days| DAYS.iter().any(|(known, _)| known == days));
            }
            "cursor" => wish.cursor = Some(value).filter(|id| is_id(id)),
            _ => {}
        }
    }
    wish
}

fn is_id(text: &str) -> bool {
    text.len() == 36 && text.chars().all(|c| c.is_ascii_hexdigit() || c == '-')
}

/// The address below the project that asks for it.
fn address(wish: &FindingsWish) -> String {
    let days = wish.days.map(|days| days.to_string());
    let pairs = [
        ("detector", wish.detector.as_deref()),
        ("mark", wish.mark.map(FindingMark::as_str)),
        ("days", days.as_deref()),
        ("cursor", wish.cursor.as_deref()),
    ];
    let query = encode_query(pairs.into_iter().filter_map(|(name, value)| Some((name, value?))));
    if query.is_empty() {
        SEGMENT.to_owned()
    } else {
        format!("{SEGMENT}?{query}")
    }
}

fn loaded(slug: &str, wish: &FindingsWish, view: FindingsView) -> AnyView {
    let FindingsView {
        findings,
        next_cursor,
        detectors,
    } = view;
    let is_narrowed = *wish != FindingsWish::default();
    let here = address(wish);
    let earlier = next_cursor.map(|cursor| {
        let next = FindingsWish {
            cursor: Some(cursor),
            ..wish.clone()
        };
        view! { <a class="btn" href=page_href(slug, &address(&next))>"Earlier findings"</a> }
    });
    let latest = wish.cursor.is_some().then(|| {
        let first = FindingsWish {
            cursor: None,
            ..wish.clone()
        };
        view! { <a class="btn" href=page_href(slug, &address(&first))>"The latest"</a> }
    });
    let list = if findings.is_empty() {
        nothing(slug, is_narrowed)
    } else {
        table(slug, findings, &here)
    };
    view! {
        <section class="cell" aria-label="Which findings">{filter(slug, wish, &detectors)}</section>
        <section class="cell flush" aria-labelledby="all-title">
            <div class="head">
                <h2 id="all-title">"What detectors found"</h2>
                <span class="sub">"the latest first"</span>
            </div>
            {list}
            <div class="list-foot row">{latest} {earlier}</div>
        </section>
    }
    .into_any()
}

/// A plain form, so that it works without WASM.
fn filter(slug: &str, wish: &FindingsWish, detectors: &[(String, String)]) -> impl IntoView + use<> {
    let names = detectors
        .iter()
        .map(|(id, name)| {
            let is_chosen = wish.detector.as_ref() == Some(id);
            view! { <option value=id.clone() selected=is_chosen>{name.clone()}</option> }
        })
        .collect_view();
    let marks = FindingMark::ALL
        .iter()
        .map(|mark| {
            let is_chosen = wish.mark == Some(*mark);
            let words = match mark {
                FindingMark::Unmarked => "not marked",
                FindingMark::Real => "real",
                FindingMark::Noise => "noise",
            };
            view! { <option value=mark.as_str() selected=is_chosen>{words}</option> }
        })
        .collect_view();
    let days = DAYS
        .map(|(days, words)| {
            let is_chosen = wish.days == Some(days);
            view! { <option value=days.to_string() selected=is_chosen>{words}</option> }
        })
        .collect_view();
    view! {
        <form class="audit-filter" role="search" method="get" action=page_href(slug, SEGMENT)>
            <div class="field">
                <label for="field-detector">"Detector"</label>
                <select class="select" id="field-detector" name="detector"><option value="">"all"</option>{names}</select>
            </div>
            <div class="field">
                <label for="field-mark">"Is it real?"</label>
                <select class="select" id="field-mark" name="mark"><option value="">"whatever"</option>{marks}</select>
            </div>
            <div class="field">
                <label for="field-days">"Found in the last"</label>
                <select class="select" id="field-days" name="days"><option value="">"all time"</option>{days}</select>
            </div>
            <button class="btn" type="submit">"Show"</button>
        </form>
    }
}

fn nothing(slug: &str, is_narrowed: bool) -> AnyView {
    let (reason, label, href) = if is_narrowed {
        (
            "No finding is of that detector, mark and time.",
            "Show all findings",
            page_href(slug, SEGMENT),
        )
    } else {
        (
            "Runs are judged a few seconds after they end.",
            "Detectors",
            page_href(slug, "detectors"),
        )
    };
    view! {
        <div class="state">
            <Icon name="detectors"/>
            <b>"Nothing found"</b>
            <p>{reason}</p>
            <a class="btn" href=href>{label}</a>
        </div>
    }
    .into_any()
}

/// The findings of a page. `here` is its address, to which a mark leads back.
fn table(slug: &str, findings: Vec<Finding>, here: &str) -> AnyView {
    let rows = findings
        .into_iter()
        .map(|finding| row(slug, finding, here))
        .collect_view();
    view! {
        <div class="scroll-x" tabindex="0" role="region" aria-label="Findings">
            <table class="table rows bleed fnd">
                <thead>
                    <tr>
                        <th class="fd-t" scope="col">"When"</th>
                        <th class="fd-r" scope="col">"Run"</th>
                        <th class="fd-d" scope="col">"Detector"</th>
                        <th scope="col">"What it found, and where"</th>
                        <th class="fd-b" scope="col">"Is it real?"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}

fn row(slug: &str, finding: Finding, here: &str) -> impl IntoView + use<> {
    let id = finding.id.to_string();
    let name = run_name(&finding);
    let run = run_href(slug, &finding.run_id);
    let quote = finding
        .evidence
        .iter()
        .find_map(|evidence| evidence.quote.clone())
        .map(|quote| view! { <q>{domain::text::first_line(&quote, 160)}</q> " " });
    let steps = finding
        .evidence
        .iter()
        .take(MAX_STEPS)
        .map(|evidence| {
            let href = format!("{run}?{}", encode_query([("step", evidence.step_id.as_str())]));
            let name = if evidence.step.trim().is_empty() {
                "step without a name".to_owned()
            } else {
                evidence.step.clone()
            };
            view! { <a class="link" href=href>{name}</a> " " }
        })
        .collect_view();
    let more = finding.evidence.len().saturating_sub(MAX_STEPS);
    let more = (more > 0).then(|| format!("and {more} more"));
    view! {
        <tr>
            <td class="num fd-t"><Time at=finding.created_at/></td>
            <td class="main fd-r">
                <a href=run.clone()>{name}</a>
                " "
                <span class="mono dim">{short_id(&finding.run_id).to_owned()}</span>
            </td>
            <td class="fd-d"><a href=detector_href(slug, &finding.detector_id.to_string())>{finding.detector}</a></td>
            <td class="t fd-q">
                <a href=finding_href(slug, &id)>{finding.summary}</a>
                <span class="dp-sub">{quote}{steps}{more}</span>
            </td>
            <td class="fd-b"><Mark slug=slug.to_owned() id verdict=finding.feedback back=here.to_owned()/></td>
        </tr>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_holds_the_filters() {
        let check = |search: &str, expected: &str| {
            assert_eq!(address(&wished(search)), expected, "{search}");
        };
        let id = "01890000-0000-7000-8000-000000000004";
        check("", "findings");
        check("?detector=&mark=&days=", "findings");
        check("?mark=maybe&days=8&detector=x&cursor=../settings", "findings");
        check(
            &format!("?days=7&mark=unmarked&detector={id}&cursor={id}"),
            &format!("findings?detector={id}&mark=unmarked&days=7&cursor={id}"),
        );
    }
}

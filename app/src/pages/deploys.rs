//! The list of deploys: what shipped, and what each of it moved.

use domain::deploy::{Deploy, DeployStatus};
use engine::compare::{Effect, Measure};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_location;

use crate::api::deploys::{DeploysView, ListedDeploy, list_deploys};
use crate::context::use_slug;
use crate::models::overview_query::{OverviewQuery, Range};
use crate::models::rollout_words::moved;
use crate::pages::effects::{calls_view, effect_cell};
use crate::query_string;
use crate::ui::frame::TopBar;
use crate::ui::icon::Icon;
use crate::ui::links::{deploy_href, page_href};
use crate::ui::load::{Load, SkeletonRows};
use crate::ui::menu::Menu;
use crate::ui::time::Time;

/// The measures of the list.
const COLUMNS: [(Measure, &str); 4] = [
    (Measure::CostPerCall, "Cost per call"),
    (Measure::LatencyP95, "Latency p95"),
    (Measure::ErrorRate, "Error rate"),
    (Measure::OutputPerCall, "Output tokens"),
];

/// What shipped in a window.
#[component]
pub(crate) fn DeploysPage() -> impl IntoView {
    let slug = use_slug();
    let search = use_location().search;
    let pairs = Memo::new(move |_| query_string::pairs(&search.read()));
    let range = Memo::new(move |_| {
        let pairs = pairs.read();
        let names = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        // A list reaches further back than a chart where nothing is said.
        let is_said = pairs
            .iter()
            .any(|(name, _)| matches!(name.as_str(), "range" | "from"));
        if is_said {
            OverviewQuery::from_pairs(names).range
        } else {
            Range::Last(129_600)
        }
    });
    let cursor = Memo::new(move |_| {
        let pairs = pairs.read();
        pairs
            .iter()
            .find(|(name, value)| name == "cursor" && !value.is_empty())
            .map(|(_, value)| value.clone())
    });
    let resource = Resource::new(
        move || (slug.get(), range.get(), cursor.get()),
        |(slug, range, cursor)| list_deploys(slug, range, cursor),
    );
    view! {
        <Title text="Deploys"/>
        <TopBar tools=move || view! { <Ranges range/> }>
            <h1>"Deploys"</h1>
        </TopBar>
        <main id="main" class="page page-deploys" tabindex="-1">
            <Load
                resource
                what="The deploys"
                skeleton={|| view! { <SkeletonRows rows=16/> }}
                children={move |view: DeploysView| loaded(&slug.read_untracked(), range.get_untracked(), view)}
            />
        </main>
    }
    .into_any()
}

fn range_href(range: Range) -> String {
    match range {
        Range::Last(129_600) => "?".to_owned(),
        range => {
            let word = OverviewQuery {
                range,
                ..OverviewQuery::default()
            }
            .to_href();
            // Thirty days are what the chart leaves out.
            if word == "?" {
                "?range=30d".to_owned()
            } else {
                word
            }
        }
    }
}

#[component]
fn Ranges(range: Memo<Range>) -> impl IntoView {
    view! {
        <Menu summary=move || {
            view! {
                {move || range.get().label()}
                <Icon name="down" class="sm"/>
            }
        }>
            <ul class="menu-list">
                {Range::CHOICES
                    .iter()
                    .filter(|choice| choice.2 >= 1_440)
                    .map(|(_, label, minutes)| {
                        let choice = Range::Last(*minutes);
                        view! {
                            <li>
                                <a
                                    href=range_href(choice)
                                    aria-current=move || (range.get() == choice).then_some("true")
                                    data-noscroll
                                >
                                    {*label}
                                </a>
                            </li>
                        }
                    })
                    .collect_view()}
            </ul>
        </Menu>
    }
}

fn loaded(slug: &str, range: Range, view: DeploysView) -> AnyView {
    if view.items.is_empty() {
        return nothing(range, view.any).into_any();
    }
    let sentence = sentence(&view.items, view.next_cursor.is_none(), &range.label());
    let worst = view.items.iter().any(|item| item.worst.is_some());
    let rows = view.items.into_iter().map(|item| row(slug, item)).collect_view();
    let heads = COLUMNS
        .map(|(_, label)| view! { <th class="n dp-fx" scope="col">{label}</th> })
        .collect_view();
    let more = view.next_cursor.map(|cursor| {
        let base = range_href(range);
        let and = if base == "?" { "" } else { "&" };
        let href = format!(
            "{base}{and}{}",
            domain::filter::encode_query([("cursor", cursor.as_str())])
        );
        view! { <div class="list-foot"><a class="btn" href=href>"Earlier deploys"</a></div> }
    });
    view! {
        <section class="cell" aria-label="In short">
            <div class="verdict" data-tone=worst.then_some("critical")><h2>{sentence}</h2></div>
        </section>
        <section class="cell flush" aria-labelledby="moved-title">
            <div class="head">
                <h2 id="moved-title">"What each deploy moved"</h2>
                <span class="sub">"48 h before against 48 h after, cut at the neighbours; line: 95 % interval, ÷3 to ×3"</span>
                <ul class="legend head-actions">
                    <li><span class="swatch fx-k up"></span>"worse"</li>
                    <li><span class="swatch fx-k down"></span>"better"</li>
                    <li><span class="swatch fx-k"></span>"could be nothing"</li>
                </ul>
            </div>
            <div class="scroll-x" tabindex="0" role="region" aria-label="Deploys">
                <table class="table rows bleed deps">
                    <thead>
                        <tr>
                            <th class="dp-b" scope="col"><span class="vh">"Mark"</span></th>
                            <th class="dp-t" scope="col">"Deploy"</th>
                            <th class="dp-w" scope="col">"Live since"</th>
                            <th class="n dp-n" scope="col">"Calls before, after"</th>
                            {heads}
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
            {more}
        </section>
    }
    .into_any()
}

fn sentence(items: &[ListedDeploy], is_all: bool, window: &str) -> String {
    let live = items.iter().filter(|item| item.deploy.went_live()).count();
    let worse = items.iter().filter(|item| item.worst.is_some());
    let which = if is_all {
        format!("{} in {window}", domain::text::counted(live as i64, "deploy"))
    } else {
        format!("the {live} latest deploys listed here")
    };
    match worse.clone().count() {
        0 => format!("Nothing got clearly worse after any of {which}"),
        count => {
            let first = worse
                .clone()
                .max_by(|a, b| size(a).total_cmp(&size(b)))
                .and_then(|item| Some((item, item.worst.as_ref()?)));
            let said = first.map_or(String::new(), |(item, (key, effect))| {
                format!("; after {} {}", item.deploy.name(), moved(key, effect))
            });
            format!("Something got clearly worse after {count} of {which}{said}")
        }
    }
}

fn size(item: &ListedDeploy) -> f64 {
    let change = item.worst.as_ref().and_then(|(_, effect)| effect.change);
    change.map_or(0.0, |change| change.standard_errors.abs())
}

fn row(slug: &str, item: ListedDeploy) -> impl IntoView + use<> {
    let ListedDeploy {
        deploy,
        effects,
        worst,
    } = item;
    let of = |measure: Measure| effects.iter().find(|effect| effect.measure == measure);
    let calls = of(Measure::CallsPerDay).map(|effect: &Effect| {
        view! { {calls_view(effect.n_before)}" "<span class="dim">"→"</span>" "{calls_view(effect.n_after)} }
    });
    let cells = COLUMNS
        .map(|(measure, label)| view! { <td class="n dp-fx" data-l=label>{effect_cell(of(measure))}</td> })
        .collect_view();
    let class = if worst.is_some() { "bob cause" } else { "bob" };
    let title = worst.map(|(key, effect)| moved(&key, &effect));
    view! {
        <tr>
            <td class="dp-b" title=title>
                <svg class="bobi" width="12" height="14" viewBox="-6 -5 12 14" aria-hidden="true">
                    <path class=class d="M0 6.9L-4.6 0.69 0 -4.6 4.6 0.69z"></path>
                </svg>
            </td>
            <td class="main dp-t">
                <a href=deploy_href(slug, &deploy.id)>{deploy.title.clone().unwrap_or_else(|| deploy.name())}</a>
                <span class="dp-sub">{facts(&deploy)}</span>
            </td>
            <td class="num dp-w">
                {if deploy.went_live() {
                    view! { <Time at=deploy.at()/> }.into_any()
                } else {
                    view! { <span class="dim">{status_word(deploy.status)}</span> }.into_any()
                }}
                <span class="dp-sub">{rollout_length(&deploy)}</span>
            </td>
            <td class="n dp-n">{calls}</td>
            {cells}
        </tr>
    }
}

/// Number, sha, author and place.
fn facts(deploy: &Deploy) -> AnyView {
    view! {
        {deploy.pr_number.map(|number| view! { <span>{format!("PR {number}")}</span> })}
        <span class="mono">{deploy.short_sha().to_owned()}</span>
        {deploy.author.clone().map(|author| view! { <span>{author}</span> })}
        {deploy.environment.clone().map(|environment| view! { <span>{environment}</span> })}
    }
    .into_any()
}

pub(crate) fn status_word(status: DeployStatus) -> &'static str {
    match status {
        DeployStatus::InProgress => "being rolled out",
        DeployStatus::Success => "live",
        DeployStatus::Failure => "failed",
        DeployStatus::Cancelled => "cancelled",
    }
}

/// How long the rollout took, where both ends are known.
pub(crate) fn rollout_length(deploy: &Deploy) -> Option<String> {
    let (started, completed) = deploy.started_at.zip(deploy.completed_at)?;
    Some(domain::text::duration(completed.ms_since(started)))
}

fn nothing(range: Range, any: bool) -> impl IntoView {
    let slug = use_slug();
    if any {
        return view! {
            <div class="state">
                <Icon name="deploys"/>
                <b>"Nothing shipped"</b>
                <p>{format!("No deploy went live in these {}.", range.label())}</p>
                <a class="btn" data-variant="primary" href="?" data-noscroll>"Show the last 90 days"</a>
            </div>
        }
        .into_any();
    }
    let origin = crate::context::use_page_request().origin;
    let command = format!(
        "curl {origin}/api/deploys -H 'Authorization: Bearer KEY' -H 'Content-Type: application/json' \\\n  -d '{{\"sha\": \"'$(git rev-parse HEAD)'\", \"title\": \"'\"$(git log -1 --format=%s)\"'\"}}'"
    );
    view! {
        <div class="state">
            <Icon name="deploys"/>
            <b>"No deploy is recorded yet"</b>
            <p>"One line at the end of any CI tells what shipped. Cost, latency and errors are then compared before and after each of them."</p>
            <div class="code"><pre tabindex="0" aria-label="Command">{command}</pre></div>
            <p class="dim">
                "The key needs the scope deploy, which keys have unless told otherwise: "
                <a class="link" href=move || page_href(&slug.read(), "settings/keys")>"keys"</a>
                ". A step that says the same sha as its release is counted with its deploy. From GitHub they come without a line in CI: "
                <a class="link" href=move || page_href(&slug.read(), "settings/integrations")>"connect a repository"</a>
                "."
            </p>
        </div>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_have_addresses_that_lead_back() {
        let check = |minutes: u32, expected: &str| {
            assert_eq!(range_href(Range::Last(minutes)), expected, "{minutes}");
        };
        check(129_600, "?");
        check(43_200, "?range=30d");
        check(10_080, "?range=7d");
    }
}

//! What stands in the top bar: key, environment, window, the windows before and after; and the filters that are set.

use domain::Timestamp;
use domain::series::{Bucket, SeriesBy};
use domain::text::day_range;
use leptos::prelude::*;

use super::Page;
use crate::api::overview::OverviewView;
use crate::context::use_page_request;
use crate::error::ApiError;
use crate::keyboard::use_keys;
use crate::live::LiveBadge;
use crate::models::overview_query::{OverviewSpan, Range};
use crate::ui::icon::Icon;
use crate::ui::menu::Menu;

/// Key, environment and window.
#[component]
pub(super) fn Tools(page: Page, resource: Resource<Result<OverviewView, ApiError>>) -> impl IntoView {
    let query = page.query;
    let now = use_page_request().now;
    let moved = move |windows: i64| {
        let query = query.read();
        query.moved(query.span(now), now, windows)
    };
    use_keys(move |key| {
        let windows = match key {
            "[" => -1,
            "]" => 1,
            _ => return false,
        };
        if let Some(query) = moved(windows) {
            page.go.run(query);
        }
        true
    });
    let step = move |windows: i64, icon: &'static str, label: &'static str| {
        move || {
            match moved(windows) {
            Some(query) => view! {
                <a class="btn icon wide" href=query.to_href() title=label aria-label=label data-noscroll><Icon name=icon/></a>
            }
            .into_any(),
            None => {
                let none = "This is the newest window";
                view! {
                    <span class="btn icon wide" aria-disabled="true" role="img" aria-label=none title=none><Icon name=icon/></span>
                }
                .into_any()
            }
        }
        }
    };
    view! {
        <LiveBadge live=page.live/>
        <Transition fallback=|| ()>
            {move || Suspend::new(async move {
                let facets = resource.await.map(|view| view.facets).unwrap_or_default();
                view! {
                    {field_menu(page, SeriesBy::Key, ("All keys", "key"), facets.keys)}
                    {(!facets.environments.is_empty())
                        .then(|| {
                            field_menu(page, SeriesBy::Environment, ("All environments", "branch"), facets.environments)
                        })}
                }
            })}
        </Transition>
        {step(-1, "left", "The window before ([)")}
        <Menu summary=move || {
            view! {
                {move || query.read().range.label()}
                <span class="val num wide">{move || days(query.read().span(now))}</span>
                <Icon name="down" class="sm"/>
            }
        }>
            <ul class="menu-list">
                {Range::CHOICES
                    .map(|(_, label, minutes)| {
                        let range = Range::Last(minutes);
                        view! {
                            <li>
                                <a
                                    href=move || query.read().with(|query| query.range = range).to_href()
                                    aria-current=move || (query.read().range == range).then_some("true")
                                    data-noscroll
                                >
                                    {label}
                                </a>
                            </li>
                        }
                    })
                    .collect_view()}
            </ul>
            <FreeRange page now/>
        </Menu>
        {step(1, "right", "The window after (])")}
    }
}

/// Two days to look between. A plain form, so that it works without WASM; the days are those of UTC.
#[component]
fn FreeRange(page: Page, now: Timestamp) -> impl IntoView {
    let query = page.query;
    let span = move || query.read().span(now);
    let minute = |at: Timestamp| at.to_string().chars().take(16).collect::<String>();
    let hidden = move || {
        let query = query.read();
        let mut pairs: Vec<(&'static str, String)> = vec![
            ("metric", query.metric.as_str().to_owned()),
            ("by", query.by.as_str().to_owned()),
        ];
        pairs.extend(query.chips().into_iter().map(|(by, value)| (by.as_str(), value)));
        pairs
            .into_iter()
            .map(|(name, value)| view! { <input type="hidden" name=name value=value/> })
            .collect_view()
    };
    view! {
        <form class="range-form" method="get">
            {hidden}
            <label>"From, UTC"<input class="input" name="from" required placeholder="2026-11-12T14:00" value=move || minute(span().from)/></label>
            <label>"To, UTC"<input class="input" name="to" required placeholder="2026-11-13T14:00" value=move || minute(span().to)/></label>
            <button class="btn" type="submit">"Show"</button>
        </form>
    }
}

/// A menu of the values that a field may have. A phone's bar has room for its symbol alone; the chip below the bar says
/// what is chosen.
fn field_menu(
    page: Page,
    by: SeriesBy,
    (all, icon): (&'static str, &'static str),
    mut values: Vec<String>,
) -> impl IntoView + use<> {
    let query = page.query;
    if let Some(chosen) = query.read_untracked().get(by)
        && !values.iter().any(|value| value == chosen)
    {
        values.insert(0, chosen.to_owned());
    }
    let link = move |label: String, value: Option<String>| {
        let href = {
            let value = value.clone();
            move || query.read().with_filter(by, value.as_deref()).to_href()
        };
        let current = move || (query.read().get(by) == value.as_deref()).then_some("true");
        view! { <li><a href=href aria-current=current data-noscroll><span class="menu-text">{label}</span></a></li> }
    };
    let links = values
        .into_iter()
        .map(|value| link(value.clone(), Some(value)))
        .collect_view();
    view! {
        <Menu summary_class="btn field-menu" summary=move || {
            view! {
                <Icon name=icon class="narrow"/>
                <span class="menu-text">{move || query.read().get(by).unwrap_or(all).to_owned()}</span>
                <Icon name="down" class="sm wide"/>
            }
        }>
            <ul class="menu-list">{link(all.to_owned(), None)}{links}</ul>
        </Menu>
    }
}

/// The days of the window; of a short one nothing, its length says enough.
fn days(span: OverviewSpan) -> String {
    if matches!(span.bucket, Bucket::Day | Bucket::Hour) {
        day_range(span.from, span.to.plus_micros(-1))
    } else {
        String::new()
    }
}

/// The filters that are set, each with its way out.
#[component]
pub(super) fn Chips(page: Page) -> impl IntoView {
    let query = page.query;
    move || {
        let query = query.get();
        let chips = query.chips();
        (!chips.is_empty()).then(|| {
            let chips = chips
                .into_iter()
                .map(|(by, value)| {
                    let href = query.with_filter(by, None).to_href();
                    view! {
                        <span class="chip">
                            <span class="k">{by.as_str()}</span>
                            <span class="op">"is"</span>
                            <span class="v">{value}</span>
                            <a href=href aria-label=format!("Remove {} filter", by.as_str()) data-noscroll><Icon name="x"/></a>
                        </span>
                    }
                })
                .collect_view();
            view! { <div class="quick quick-row" role="group" aria-label="Filters">{chips}</div> }
        })
    }
}

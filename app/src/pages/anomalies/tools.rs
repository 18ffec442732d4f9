//! What stands in the top bar: key, model, window, the windows before and after; and the filters that are set.

use domain::Timestamp;
use domain::anomaly::BucketSpan;
use domain::series::SeriesBy;
use domain::text::day_range;
use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::use_navigate;

use super::Page;
use crate::api::anomalies::AnomaliesView;
use crate::context::use_page_request;
use crate::error::ApiError;
use crate::keyboard::use_keys;
use crate::models::anomalies_query::{AnomaliesQuery, Field, Period};
use crate::pages::cells::name_link;
use crate::pages::conditions::code_name;
use crate::ui::icon::Icon;
use crate::ui::menu::Menu;

/// Key, model and window.
#[component]
pub(super) fn Tools(page: Page, resource: Resource<Result<AnomaliesView, ApiError>>) -> impl IntoView {
    let query = page.query;
    let now = use_page_request().now;
    let moved = move |windows: i64| {
        let query = query.read();
        query
            .moved(query.span(now), now, windows)
            .map(|query| query.to_href())
    };
    let navigate = use_navigate();
    use_keys(move |key| {
        let windows = match key {
            "[" => -1,
            "]" => 1,
            _ => return false,
        };
        if let Some(href) = moved(windows) {
            let options = NavigateOptions {
                scroll: false,
                ..NavigateOptions::default()
            };
            navigate(&href, options);
        }
        true
    });
    let step = move |windows: i64, icon: &'static str, label: &'static str| {
        view! {
            {move || match moved(windows) {
                Some(href) => {
                    view! {
                        <a class="btn icon" href=href title=label aria-label=label data-noscroll><Icon name=icon/></a>
                    }
                        .into_any()
                }
                None => {
                    let none = "This is the newest window";
                    view! { <span class="btn icon" aria-disabled="true" role="img" aria-label=none title=none><Icon name=icon/></span> }
                        .into_any()
                }
            }}
        }
    };
    view! {
        <Transition fallback=|| ()>
            {move || Suspend::new(async move {
                let facets = resource.await.map(|view| view.facets).unwrap_or_default();
                view! {
                    {field_menu(page, Field::Key, ("All keys", "key"), facets.keys)}
                    {field_menu(page, Field::Model, ("All models", "k-llm"), facets.models)}
                }
            })}
        </Transition>
        {step(-1, "left", "Previous window ([)")}
        <Menu summary=move || {
            view! {
                {move || query.read().period.label()}
                <span class="val num wide">{move || days(query.read().span(now), now)}</span>
                <Icon name="down" class="sm"/>
            }
        }>
            <ul class="menu-list">
                {Period::ALL
                    .map(|(period, _, label)| {
                        view! {
                            <li>
                                <a
                                    href=move || query.read().with(|query| query.period = period).to_href()
                                    aria-current=move || (query.read().period == period).then_some("true")
                                    data-noscroll
                                >
                                    {label}
                                </a>
                            </li>
                        }
                    })
                    .collect_view()}
            </ul>
        </Menu>
        {step(1, "right", "Next window (])")}
    }
}

/// A menu of the values that a field may have. A phone's bar has room for its symbol alone; the chip below the bar says
/// what is chosen.
fn field_menu(
    page: Page,
    field: Field,
    (all, icon): (&'static str, &'static str),
    mut values: Vec<String>,
) -> impl IntoView {
    let query = page.query;
    let chosen = query.read_untracked().get(field);
    if let Some(chosen) = &chosen
        && !values.contains(chosen)
    {
        values.insert(0, chosen.clone());
    }
    let link = move |label: String, value: Option<String>| {
        let href = {
            let value = value.clone();
            move || query.read().with_field(field, value.as_deref()).to_href()
        };
        let current = move || (query.read().get(field) == value).then_some("true");
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
                <span class="menu-text">{move || query.read().get(field).unwrap_or_else(|| all.to_owned())}</span>
                <Icon name="down" class="sm wide"/>
            }
        }>
            <ul class="menu-list">{link(all.to_owned(), None)}{links}</ul>
        </Menu>
    }
}

/// The days of the window.
fn days(span: BucketSpan, now: Timestamp) -> String {
    day_range(span.start_of(span.count() / 2), span.to.min(now).plus_micros(-1))
}

/// The filters that are set, each with its way out.
#[component]
pub(super) fn Chips(page: Page) -> impl IntoView {
    let query = page.query;
    move || {
        let query = query.get();
        let chips = query.chips();
        (!chips.is_empty()).then(|| {
            let many = chips.len() > 1;
            let chips = chips
                .into_iter()
                .map(|(field, name, value)| chip(page, &query, field, name, value))
                .collect_view();
            let clear = many.then(|| {
                view! { <a class="link" href=query.without_filters().to_href() data-noscroll>"Clear all"</a> }
            });
            view! { <div class="quick quick-row" role="group" aria-label="Filters">{chips}{clear}</div> }
        })
    }
}

fn chip(
    page: Page,
    query: &AnomaliesQuery,
    field: Field,
    name: &'static str,
    value: String,
) -> impl IntoView + use<> {
    let shown = match (field, value.parse::<u16>()) {
        (Field::Code, Ok(code)) => format!("{code} {}", code_name(code)).into_any(),
        (Field::Layer, Ok(layer)) => {
            let layer_name = engine::codes::LAYERS.get(usize::from(layer) - 1).copied();
            format!("{layer} {}", layer_name.unwrap_or_default()).into_any()
        }
        (Field::Key, _) => name_link(&page.slug.read(), SeriesBy::Key, &value, ""),
        (Field::Model, _) => name_link(&page.slug.read(), SeriesBy::Model, &value, ""),
        (Field::Step, _) => name_link(&page.slug.read(), SeriesBy::Step, &value, ""),
        _ => value.into_any(),
    };
    let href = query.with_field(field, None).to_href();
    view! {
        <span class="chip">
            <span class="k">{name}</span>
            <span class="op">"is"</span>
            <span class="v">{shown}</span>
            <a href=href aria-label=format!("Remove {name} filter") data-noscroll><Icon name="x"/></a>
        </span>
    }
}

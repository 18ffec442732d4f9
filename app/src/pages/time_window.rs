//! What pages over a window of time share: their state in the URL, and what stands in the top bar to change it: key,
//! environment, window, the windows before and after; and the filters that are set.

use domain::Timestamp;
use domain::run::Facets;
use domain::series::{Bucket, SeriesBy};
use domain::text::day_range;
use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::{use_location, use_navigate};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::context::{use_page_request, use_slug};
use crate::error::ApiError;
use crate::keyboard::use_keys;
use crate::live::{LiveBadge, LiveState, use_live};
use crate::models::overview_query::{OverviewQuery, OverviewSpan, Range};
use crate::pages::cells::name_link;
use crate::query_string;
use crate::ui::icon::Icon;
use crate::ui::menu::Menu;

/// What all parts of such a page share.
#[derive(Clone, Copy)]
pub(crate) struct Page {
    /// The project's word in the URL.
    pub(crate) slug: Memo<String>,
    /// The state in the URL.
    pub(crate) query: Memo<OverviewQuery>,
    /// Goes to another state of the page.
    pub(crate) go: Callback<OverviewQuery>,
    pub(crate) live: LiveState,
}

/// The page that the URL names.
pub(crate) fn use_page() -> Page {
    let slug = use_slug();
    let search = use_location().search;
    let query = Memo::new(move |_| {
        let pairs = query_string::pairs(&search.read());
        OverviewQuery::from_pairs(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    });
    let navigate = use_navigate();
    Page {
        slug,
        query,
        go: Callback::new(move |query: OverviewQuery| {
            let options = NavigateOptions {
                scroll: false,
                ..NavigateOptions::default()
            };
            navigate(&query.to_href(), options);
        }),
        live: use_live(slug.into(), Signal::stored(None)),
    }
}

impl Page {
    /// What has to be read: how it is drawn is in the URL too, but changes nothing about that.
    pub(crate) fn asked(self) -> Memo<(String, OverviewQuery)> {
        let Self { slug, query, .. } = self;
        Memo::new(move |_| {
            let query = query.read().with(|query| {
                query.as_table = false;
                query.is_stacked = false;
                query.ask = None;
            });
            (slug.get(), query)
        })
    }
}

/// Sums change with every step. They are read again some seconds after the first change.
pub(crate) fn read_again_when_runs_come<T>(live: LiveState, resource: Resource<Result<T, ApiError>>)
where
    T: Clone + Send + Sync + Serialize + DeserializeOwned + 'static,
{
    #[cfg(target_arch = "wasm32")]
    {
        const WAIT_MS: u32 = 5_000;
        let is_waiting = StoredValue::new(false);
        Effect::new(move |before: Option<()>| {
            live.last.track();
            live.gaps.track();
            if before.is_none() || is_waiting.get_value() {
                return;
            }
            is_waiting.set_value(true);
            leptos::task::spawn_local(async move {
                // Not under the hand of somebody who reads the chart.
                loop {
                    gloo_timers::future::TimeoutFuture::new(WAIT_MS).await;
                    if !is_chart_in_use() {
                        break;
                    }
                }
                if is_waiting.try_set_value(false).is_none() {
                    resource.refetch();
                }
            });
        });
    }
    #[cfg(not(target_arch = "wasm32"))]
    let _only_in_the_browser = (live, resource);
}

/// Whether the chart has the focus, or a range is being drawn on it.
#[cfg(target_arch = "wasm32")]
fn is_chart_in_use() -> bool {
    let has = |selector: &str| {
        document()
            .query_selector(selector)
            .is_ok_and(|found| found.is_some())
    };
    has(".ch-over :focus") || has(".ch-brush")
}

/// A menu over the values of a field: what the field is, what stands there when nothing is chosen, the symbol on a phone.
pub(crate) type FieldMenu = (SeriesBy, &'static str, &'static str);
/// Which key sent the calls.
pub(crate) const KEY_MENU: FieldMenu = (SeriesBy::Key, "All keys", "key");
/// Where they ran.
pub(crate) const ENVIRONMENT_MENU: FieldMenu = (SeriesBy::Environment, "All environments", "branch");

/// Key, environment and window.
#[component]
pub(crate) fn Tools<T>(
    page: Page,
    /// What brings the values that the menus offer.
    resource: Resource<Result<T, ApiError>>,
    facets: fn(T) -> Facets,
    menus: &'static [FieldMenu],
) -> impl IntoView
where
    T: Clone + Send + Sync + Serialize + DeserializeOwned + 'static,
{
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
                let facets = resource.await.map(facets).unwrap_or_default();
                menus
                    .iter()
                    .filter_map(|(by, all, icon)| {
                        let values = values_of(&facets, *by);
                        let offered = *by == SeriesBy::Key || !values.is_empty();
                        offered.then(|| field_menu(page, *by, (*all, *icon), values))
                    })
                    .collect_view()
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

/// Days or hours, where the window may be cut into either.
#[component]
pub(crate) fn BucketChoice(page: Page, span: OverviewSpan) -> impl IntoView {
    let query = page.query;
    let length = span.to.micros() - span.from.micros();
    let choices = [(Bucket::Day, "Day"), (Bucket::Hour, "Hour")];
    if !choices
        .iter()
        .all(|(bucket, _)| OverviewQuery::may_choose(*bucket, length))
    {
        return ().into_any();
    }
    let links = choices
        .map(|(bucket, label)| {
            let href = move || query.read().with(|query| query.bucket = Some(bucket)).to_href();
            view! { <a href=href aria-current=(span.bucket == bucket).then_some("true") data-noscroll>{label}</a> }
        })
        .collect_view();
    view! { <div class="seg sm" role="group" aria-label="Bucket">{links}</div> }.into_any()
}

fn values_of(facets: &Facets, by: SeriesBy) -> Vec<String> {
    match by {
        SeriesBy::Key => facets.keys.clone(),
        SeriesBy::Model => facets.models.clone(),
        SeriesBy::Step => facets.steps.clone(),
        SeriesBy::Environment => facets.environments.clone(),
        SeriesBy::Template => Vec::new(),
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
        pairs.extend(query.bucket.map(|bucket| ("bucket", bucket.as_str().to_owned())));
        pairs.extend(query.against.clone().map(|deploy| ("against", deploy)));
        pairs.extend(query.ask.clone().map(|chat| ("ask", chat)));
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
pub(crate) fn Chips(page: Page) -> impl IntoView {
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
                            <span class="v">{name_link(&page.slug.read(), by, &value, &query.range_href())}</span>
                            <a href=href aria-label=format!("Remove {} filter", by.as_str()) data-noscroll><Icon name="x"/></a>
                        </span>
                    }
                })
                .collect_view();
            view! { <div class="quick quick-row" role="group" aria-label="Filters">{chips}</div> }
        })
    }
}

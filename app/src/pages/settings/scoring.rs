//! Settings: what makes a step critical, and what other rules would have said about the last days.

mod backtest;
mod backtest_context;
mod changes;
mod chart;
mod codes;
pub(crate) mod draft;
mod fates;
mod limits;
mod query;
mod session;
mod threshold;

use engine::Rules;
use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::{use_location, use_navigate};

use self::backtest::BackTest;
use self::codes::Codes;
use self::draft::{Problems, ScoringDraft};
use self::limits::LimitsTable;
use self::query::ScoringQuery;
use self::threshold::ThresholdChoice;
use super::{SettingsPage, use_admin_lock};
use crate::api::scoring::{ScoringView, read_scoring};
use crate::context::use_slug;
use crate::query_string;
use crate::ui::icon::Icon;
use crate::ui::links::page_href;
use crate::ui::load::{Load, SkeletonRows};
use crate::ui::time::{use_attached, use_time_text};

/// The form's id: the button that sends it stands outside of it.
const FORM: &str = "scoring-form";

/// What all parts of the page share.
#[derive(Clone, Copy)]
pub(crate) struct Page {
    /// The project's word in the URL.
    slug: Memo<String>,
    /// The state in the URL.
    query: Memo<ScoringQuery>,
    /// The form as it is being filled in; `None` as long as it stands as saved.
    draft: RwSignal<Option<ScoringDraft>>,
    /// The threshold that the slider tries.
    tried: RwSignal<Option<i32>>,
    /// Why the form can't be used; empty when it can.
    locked: Signal<String>,
    /// Writes draft and tried threshold into the URL.
    keep: Callback<()>,
}

impl Page {
    /// Changes a field of the form.
    fn edit(self, saved: &Rules, change: impl FnOnce(&mut ScoringDraft)) {
        self.draft.update(|draft| {
            change(draft.get_or_insert_with(|| ScoringDraft::of(saved)));
            if draft.as_ref() == Some(&ScoringDraft::of(saved)) {
                *draft = None;
            }
        });
    }

    /// The form, as typed or as saved.
    fn form(self, saved: &Rules) -> ScoringDraft {
        self.draft.get().unwrap_or_else(|| ScoringDraft::of(saved))
    }

    /// The page with other parameters.
    fn href(self, change: impl FnOnce(&mut ScoringQuery)) -> String {
        let mut query = self.query.get();
        query.draft = self.draft.get();
        query.tried = self.tried.get();
        change(&mut query);
        format!(
            "{}{}",
            page_href(&self.slug.read(), "settings/scoring"),
            query.to_href()
        )
    }
}

/// The rules as the form has them now.
#[derive(Clone, Copy)]
struct Filled {
    /// The rules as far as they can be read.
    rules: Memo<Rules>,
    /// What can't be.
    problems: Memo<Problems>,
}

/// Back-test, limits, codes, threshold.
#[component]
pub(crate) fn ScoringPage() -> impl IntoView {
    let slug = use_slug();
    let search = use_location().search;
    let query = Memo::new(move |_| {
        let pairs = query_string::pairs(&search.read());
        ScoringQuery::from_pairs(&pairs)
    });
    let navigate = use_navigate();
    let draft = RwSignal::new(query.read_untracked().draft.clone());
    let tried = RwSignal::new(query.read_untracked().tried);
    // Another address, by a link or the browser's back button, brings its own state.
    Effect::new(move |before: Option<()>| {
        let (in_query, tried_in_query) = query.with(|query| (query.draft.clone(), query.tried));
        if before.is_some() {
            draft.maybe_update(|draft| replace_if_different(draft, in_query));
            tried.maybe_update(|tried| replace_if_different(tried, tried_in_query));
        }
    });
    let keep = Callback::new(move |()| {
        let mut query = query.get_untracked();
        query.draft = draft.get_untracked();
        query.tried = tried.get_untracked();
        let path = page_href(&slug.read_untracked(), "settings/scoring");
        let options = NavigateOptions {
            replace: true,
            scroll: false,
            ..NavigateOptions::default()
        };
        navigate(&format!("{path}{}", query.to_href()), options);
    });
    let page = Page {
        slug,
        query,
        draft,
        tried,
        locked: use_admin_lock(),
        keep,
    };
    let days = Memo::new(move |_| query.read().days);
    let view = Resource::new(
        move || (slug.get(), days.get()),
        |(slug, days)| read_scoring(slug, days),
    );
    let tools = move || {
        view! {
            <Load resource=view what="The rules" let:view>
                <Tools page view/>
            </Load>
        }
    };
    view! {
        <SettingsPage name="Scoring" tools>
            <Load resource=view what="The rules" skeleton=|| view! { <SkeletonRows rows=20/> } let:view>
                <Sections page view/>
            </Load>
        </SettingsPage>
    }
    .into_any()
}

fn replace_if_different<T: PartialEq>(known: &mut T, new: T) -> bool {
    let is_different = *known != new;
    if is_different {
        *known = new;
    }
    is_different
}

/// When the rules were saved, and the button that saves them.
#[component]
fn Tools(page: Page, view: ScoringView) -> impl IntoView {
    let attached = use_attached();
    let time = use_time_text();
    let saved = view.saved.map(|saved| {
        let text = move || format!("Saved {} by {}", time(saved.at), saved.by);
        view! { <span class="dim wide scoring-saved">{text}</span> }
    });
    // Without script it is unknown whether something was typed.
    let reason = move || {
        if !page.locked.read().is_empty() {
            page.locked.get()
        } else if attached.get() && page.draft.read().is_none() {
            "Nothing changed".to_owned()
        } else {
            String::new()
        }
    };
    view! {
        {saved}
        <button
            class="btn"
            type="submit"
            form=FORM
            data-variant=move || page.draft.read().is_some().then_some("primary")
            disabled=move || !reason().is_empty()
            title=move || Some(reason()).filter(|reason| !reason.is_empty())
        >
            "Save"
        </button>
    }
}

#[component]
fn Sections(page: Page, view: ScoringView) -> impl IntoView {
    let saved = StoredValue::new(view.rules.clone());
    let read = Memo::new(move |_| saved.with_value(|saved| page.form(saved).read(saved)));
    let filled = Filled {
        rules: Memo::new(move |_| read.read().0.clone()),
        problems: Memo::new(move |_| read.read().1.clone()),
    };
    let is_off = !view.rules.enabled;
    let view = StoredValue::new(view);
    view! {
        {is_off.then(|| view! { <ScoringOff/> })}
        <BackTest page view filled/>
        <form
            id=FORM
            class="scoring-form"
            method="post"
            action=move || page_href(&page.slug.read(), "settings/scoring")
            on:change=move |_| page.keep.run(())
        >
            <LimitsTable page view filled/>
            <div class="split" data-cols="2-1">
                <Codes page view filled/>
                <ThresholdChoice page view filled/>
            </div>
        </form>
    }
}

/// Says that arriving steps are not scored, whatever the rules below are.
#[component]
fn ScoringOff() -> impl IntoView {
    view! {
        <section class="cell">
            <div class="notice" data-tone="warn" role="note">
                <Icon name="paused"/>
                <div>
                    "Scoring is switched off for this project: arriving steps are stored without a score. Switch it on again with "
                    <code>"PUT /api/settings/scoring"</code>" and "<code>"\"enabled\": true"</code>"."
                </div>
            </div>
        </section>
    }
}

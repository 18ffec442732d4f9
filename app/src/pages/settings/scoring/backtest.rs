//! The back-test: alerts as they were and as they would have been, for every notch of a slider.

use domain::text::{counted, duration, grouped};
use engine::{RecentSteps, Rules, Threshold};
use leptos::prelude::*;

use super::backtest_context::BacktestContext;
use super::changes::ChangedRuns;
use super::chart::Scatter;
use super::fates::{Exactness, Fates};
use super::query::{DAYS, TRIED};
use super::session::{SessionState, use_backtest_session};
use super::{Filled, Page};
use crate::api::scoring::ScoringView;
use crate::chart::{TableLink, TableToggle};
use crate::ui::icon::Icon;
use crate::ui::load::ErrorState;
use crate::ui::menu::Menu;
use crate::ui::time::use_attached;

/// The whole section.
#[component]
pub(super) fn BackTest(page: Page, view: StoredValue<ScoringView>, filled: Filled) -> impl IntoView {
    let (saved, recent, days) = view.with_value(|view| {
        let mut recent = RecentSteps::default();
        view.recent.iter().for_each(|step| recent.push(*step));
        (view.rules.clone(), StoredValue::new(recent), view.days)
    });
    let session = use_backtest_session(page.slug, days, saved.clone());
    let saved = StoredValue::new(saved);
    let rules = Memo::new(move |_| with_threshold(filled.rules.get(), page.tried.get()));
    let key = Memo::new(move |_| page.query.read().key.clone());
    let tried = Memo::new(move |_| {
        session.state.with(|state| match state {
            SessionState::Ready(session) => Some(session.try_rules(&rules.read(), key.read().as_deref())),
            _ => None,
        })
    });
    let thresholds = Memo::new(move |_| {
        let of = |rules: &Rules| recent.with_value(|recent| engine::limits::threshold(recent, rules));
        (saved.with_value(of), of(&rules.read()))
    });
    let context = BacktestContext {
        page,
        view,
        session,
        tried,
        thresholds,
    };
    let is_changed = Memo::new(move |_| saved.with_value(|saved| *saved != *rules.read()));
    let body = move || match session.state.get() {
        SessionState::Failed(error) => {
            view! { <ErrorState what="The steps" error retry=Callback::new(move |()| session.read_again())/> }
                .into_any()
        }
        _ if view.with_value(|view| view.steps == 0) => view! { <NoSteps page days/> }.into_any(),
        _ => view! {
            <div class="bt-grid">
                <div class="bt-ctl">
                    <Sentence context is_changed/>
                    <Slider context saved filled/>
                    <Fates context/>
                </div>
                <div class="bt-plot">
                    <Scatter context/>
                </div>
            </div>
            <ChangedRuns context/>
            <Exactness context/>
        }
        .into_any(),
    };
    view! {
        <section class="cell bt" aria-labelledby="bt-head">
            <div class="head">
                <h2 id="bt-head">"Back-test"</h2>
                <Progress context/>
                <Actions context saved is_changed/>
            </div>
            {body}
        </section>
    }
}

/// The rules with the slider's threshold in place of their own.
fn with_threshold(rules: Rules, tried: Option<i32>) -> Rules {
    match tried {
        Some(points) => Rules {
            threshold: Threshold::Fixed(points),
            ..rules
        },
        None => rules,
    }
}

/// `30 days, 33,940 steps scored again in this browser in 30 ms`.
#[component]
fn Progress(context: BacktestContext) -> impl IntoView {
    let attached = use_attached();
    let (days, steps) = context.view.with_value(|view| (view.days, view.steps));
    let window = format!("{}, {}", counted(i64::from(days), "day"), counted(steps, "step"));
    let text = move || match context.session.state.get() {
        SessionState::Ready(session) => {
            let n = session.recording.window().count();
            let took = context
                .tried
                .with(|tried| tried.as_ref().map_or(0.0, |tried| tried.took_ms));
            let which = if session.recording.is_sample() {
                format!(
                    "the newest {} of {}",
                    grouped(n as u64),
                    counted(session.recording.steps_in_window as i64, "step")
                )
            } else {
                counted(n as i64, "step")
            };
            let took = took.max(0.1);
            format!(
                "{}, {which} scored again in this browser in {}",
                counted(i64::from(days), "day"),
                duration(took)
            )
        }
        SessionState::Reading if attached.get() && steps > 0 => format!("{window}: loading"),
        SessionState::Stopped => format!("{window}; loading was stopped"),
        SessionState::Reading | SessionState::Failed(_) => window.clone(),
    };
    let reading =
        move || matches!(context.session.state.get(), SessionState::Reading) && attached.get() && steps > 0;
    let stopped = move || matches!(context.session.state.get(), SessionState::Stopped);
    view! {
        <span class="sub num bt-progress">{text}</span>
        {move || {
            reading()
                .then(|| view! { <button class="btn sm" type="button" on:click=move |_| context.session.stop()>"Cancel"</button> })
        }}
        {move || {
            stopped()
                .then(|| {
                    view! { <button class="btn sm" type="button" on:click=move |_| context.session.read_again()>"Load them"</button> }
                })
        }}
    }
}

/// Window, key, table, reset and use.
#[component]
fn Actions(context: BacktestContext, saved: StoredValue<Rules>, is_changed: Memo<bool>) -> impl IntoView {
    let page = context.page;
    let attached = use_attached();
    let days = {
        let mut days = DAYS;
        days.sort_unstable();
        days.into_iter()
            .map(|days| {
                let href = move || page.href(|query| query.days = days);
                let current = move || (page.query.read().days == days).then_some("true");
                view! { <a href=href aria-current=current data-noscroll>{format!("{days} d")}</a> }
            })
            .collect_view()
    };
    let key = move || page.query.read().key.clone().unwrap_or_else(|| "all".to_owned());
    let keys = context.view.with_value(|view| view.keys.clone());
    let one_key = |key: Option<String>| {
        let label = key.clone().unwrap_or_else(|| "All keys".to_owned());
        let wanted = key.clone();
        let href = move || page.href(|query| query.key = key.clone());
        let current = move || (page.query.read().key == wanted).then_some("true");
        view! { <li><a href=href aria-current=current data-noscroll>{label}</a></li> }
    };
    let links = std::iter::once(None)
        .chain(keys.into_iter().map(|key| Some(key.key)))
        .map(one_key)
        .collect_view();
    let toggle = TableToggle {
        shown: Signal::derive(move || page.query.read().as_table),
        href: Signal::derive(move || page.href(|query| query.as_table = !query.as_table)),
    };
    let reset = move |_| {
        page.draft.set(None);
        page.tried.set(None);
        page.keep.run(());
    };
    let points = move || context.thresholds.get().1;
    let use_it = move |_| {
        let points = points();
        saved.with_value(|saved| {
            page.edit(saved, |draft| {
                draft.is_dynamic_threshold = false;
                draft.threshold = points.to_string();
            });
        });
        page.tried.set(None);
        page.keep.run(());
    };
    let cannot_use = move || {
        if !page.locked.read().is_empty() {
            page.locked.get()
        } else if page.tried.read().is_none() {
            "Move the slider first".to_owned()
        } else {
            String::new()
        }
    };
    view! {
        <div class="head-actions">
            <div class="seg" role="group" aria-label="Window">{days}</div>
            <Menu summary=move || view! { <span class="val">"Key"</span>" "{key}<Icon name="down" class="sm"/> }>
                <ul class="nav-list">{links}</ul>
            </Menu>
            <TableLink toggle/>
            <button
                class="btn"
                type="button"
                on:click=reset
                disabled=move || !attached.get() || !is_changed.get()
                title=move || (!is_changed.get()).then_some("Nothing changed")
            >
                "Reset"
            </button>
            <button
                class="btn"
                type="button"
                data-variant="primary"
                on:click=use_it
                disabled=move || !attached.get() || !cannot_use().is_empty()
                title=move || Some(cannot_use()).filter(|reason| !reason.is_empty())
            >
                "Use "
                {points}
            </button>
        </div>
    }
}

/// The answer as a sentence. Without script it says what the rules in force said.
#[component]
fn Sentence(context: BacktestContext, is_changed: Memo<bool>) -> impl IntoView {
    let key = move || context.page.query.read().key.clone();
    let days = context
        .view
        .with_value(|view| counted(i64::from(view.days), "day"));
    let stored = move || {
        context.view.with_value(|view| {
            let of_key = view
                .keys
                .iter()
                .filter(|counts| key().is_none_or(|key| key == counts.key));
            of_key.map(|counts| counts.critical).sum::<i64>()
        })
    };
    let figures = move || {
        context
            .with(|_, tried| (tried.report.before as i64, Some(tried.report.after as i64)))
            .unwrap_or_else(|| (stored(), None))
    };
    let days_after = days.clone();
    let rest = move || match figures() {
        (before, Some(after)) if is_changed.get() && before != after => {
            view! { {say(before, &days)}" would become "<b class="num">{grouped(after.unsigned_abs())}</b> }
                .into_any()
        }
        (before, Some(_)) if is_changed.get() => view! { {say(before, &days)}" would stay" }.into_any(),
        (before, _) => view! { {say(before, &days)} }.into_any(),
    };
    let whole = move || {
        let total = context.with(|_, tried| (tried.report.project_before, tried.report.project_after));
        let arrow = total.map(|(before, after)| {
            if before == after {
                grouped(before as u64)
            } else {
                format!("{} → {}", grouped(before as u64), grouped(after as u64))
            }
        });
        match (key(), arrow) {
            (Some(key), Some(arrow)) => format!("{key}; whole project {arrow}"),
            (Some(key), None) => key,
            (None, _) => "all keys; an alert is a critical step".to_owned(),
        }
    };
    view! {
        <p class="bt-say" aria-live="polite">
            <b class="num">{move || grouped(figures().0.unsigned_abs())}</b>
            " "
            {rest}
        </p>
        <p class="dim bt-all num">{whole}</p>
        <p class="dim needs-script">
            {format!("These are the alerts of the last {days_after} as they were stored. Scoring them again with other rules needs JavaScript; saving other rules below does not.")}
        </p>
    }
}

fn say(alerts: i64, days: &str) -> String {
    let noun = if alerts == 1 { "alert" } else { "alerts" };
    format!("{noun} in {days}")
}

/// `Critical from 100 points`.
#[component]
fn Slider(context: BacktestContext, saved: StoredValue<Rules>, filled: Filled) -> impl IntoView {
    let page = context.page;
    let attached = use_attached();
    let points = move || context.thresholds.get().1;
    let in_force = move || {
        let words = saved.with_value(|saved| match saved.threshold {
            Threshold::Dynamic => "dynamic",
            Threshold::Fixed(_) => "fixed",
        });
        format!("now {}, {words}", context.thresholds.get().0)
    };
    let moved = move |event: leptos::ev::Event| {
        let Ok(points) = event_target_value(&event).parse::<i32>() else {
            return;
        };
        let is_forms_own = filled.rules.read_untracked().threshold == Threshold::Fixed(points);
        page.tried.set((!is_forms_own).then_some(points));
    };
    let marks = [50, 75, 100, 125, 150]
        .map(|mark| {
            let x = 2.6 + f64::from(mark - 50) * 0.948;
            view! { <text x=format!("{x:.1}%") y="11" text-anchor="middle">{mark.to_string()}</text> }
        })
        .collect_view();
    let value = move || points().clamp(*TRIED.start(), *TRIED.end()).to_string();
    view! {
        <div class="field">
            <label for="bt-slider">
                "Critical from "
                <b class="num">{points}</b>
                " points "
                <span class="dim">{in_force}</span>
            </label>
            <input
                class="slider"
                id="bt-slider"
                type="range"
                min=TRIED.start().to_string()
                max=TRIED.end().to_string()
                step="5"
                value=untrack(value)
                prop:value=value
                disabled=move || !attached.get()
                on:input=moved
                on:change=move |_| page.keep.run(())
            />
            <svg class="plot slider-scale" height="14" aria-hidden="true">{marks}</svg>
        </div>
    }
}

/// Nothing to score again.
#[component]
fn NoSteps(page: Page, days: u32) -> impl IntoView {
    view! {
        <div class="state">
            <Icon name="runs"/>
            <b>{format!("No steps in {}", counted(i64::from(days), "day"))}</b>
            <p>"A back-test scores stored steps again. Choose a longer window, or send the first step."</p>
            <a class="btn" href=move || crate::ui::links::page_href(&page.slug.read(), "runs")>"See how to send one"</a>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slider_stands_in_for_the_threshold_alone() {
        let check = |tried: Option<i32>, expected: Threshold| {
            let rules = Rules {
                threshold: Threshold::Dynamic,
                extended: false,
                ..Rules::default()
            };
            let found = with_threshold(rules.clone(), tried);
            assert_eq!(
                found,
                Rules {
                    threshold: expected,
                    ..rules
                }
            );
        };
        check(None, Threshold::Dynamic);
        check(Some(85), Threshold::Fixed(85));
    }

    #[test]
    fn one_alert_is_no_alerts() {
        assert_eq!(say(1, "30 days"), "alert in 30 days");
        assert_eq!(say(0, "30 days"), "alerts in 30 days");
    }
}

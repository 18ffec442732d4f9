//! What a step's name did before: this call against the last good one, and the latest calls with their bands.

use domain::series::SeriesBy;
use domain::{NanoUsd, StepSummary, text};
use engine::usual_range::UsualRange;
use leptos::prelude::*;

use super::query::RunQuery;
use super::{Page, SelectedCalls};
use crate::api::earlier::{ComparedText, ComparedTexts, EarlierCall, EarlierCalls, GoodCall};
use crate::chart::{CallDot, call_dots};
use crate::pages::diff_lines::diff_line;
use crate::ui::links::{run_href, scope_href};
use crate::ui::load::{Load, SkeletonRows};
use crate::ui::time::Time;

/// Both sections. Whoever holds a link sees one run and no other, so they are not offered there.
#[component]
pub(super) fn Earlier(page: Page, step: StepSummary, calls: SelectedCalls) -> impl IntoView {
    view! {
        <Load
            resource=calls
            what="The step's earlier calls"
            skeleton={|| view! { <section class="ps"><SkeletonRows rows=3/></section> }}
            children={move |found: Option<EarlierCalls>| {
                let step = step.clone();
                found.map(|found| {
                    let EarlierCalls { calls, latency_band, output_band, cost_band, good, texts } = found;
                    view! {
                        {against_good(page, good, texts)}
                        {before(page, &step, &calls, [latency_band, output_band, cost_band])}
                    }
                })
            }}
        />
    }
}

fn against_good(page: Page, good: Option<GoodCall>, texts: Option<ComparedTexts>) -> impl IntoView {
    let title = "Changed since the last good call";
    let Some(good) = good else {
        return view! {
            <section class="ps" aria-label=title>
                <div class="head"><h3>{title}</h3></div>
                <p class="dim">"No earlier good call in 30 days, as far as the latest 200 runs with this step go"</p>
            </section>
        }
        .into_any();
    };
    let GoodCall {
        run_id,
        step_id,
        started_at,
    } = good;
    let query = RunQuery {
        step: Some(step_id),
        ..RunQuery::default()
    };
    let href = move || format!("{}{}", run_href(&page.slug.read(), &run_id), query.to_href());
    let which = texts.as_ref().map(|texts| texts.which);
    let values = texts
        .as_ref()
        .and_then(|texts| texts.values)
        .map(|(changed, same)| {
            format!(
                "{} changed, {same} the same",
                text::counted(changed as i64, "value")
            )
        });
    view! {
        <section class="ps" aria-label=title>
            <div class="head">
                <h3>{title}</h3>
                <span class="sub num">{values}</span>
                <div class="head-actions">
                    <div class="seg sm" role="group" aria-label="Compare with the last good call">
                        {choice(page, which, ComparedText::Output, "Output")}
                        {choice(page, which, ComparedText::Input, "Input")}
                    </div>
                </div>
            </div>
            <p class="dim num">"Good: "<a class="link" href=href>"the call of "<Time at=started_at/></a></p>
            {texts.map(lines)}
        </section>
    }
    .into_any()
}

fn choice(
    page: Page,
    current: Option<ComparedText>,
    which: ComparedText,
    word: &'static str,
) -> impl IntoView {
    let href = move || {
        RunQuery {
            compared: Some(which),
            ..page.query.get()
        }
        .to_href()
    };
    view! { <a href=href aria-current=(current == Some(which)).then_some("true") data-noscroll>{word}</a> }
}

fn lines(texts: ComparedTexts) -> impl IntoView {
    let (what, label) = match texts.which {
        ComparedText::Output => ("output", "Output, line by line"),
        ComparedText::Input => ("input", "Input, line by line"),
    };
    let said = match texts.has_texts {
        (false, false) => Some(format!("Neither call has an {what}")),
        (true, false) => Some(format!("This call has no {what}")),
        (false, true) => Some(format!("The good call has no {what}, or it is no longer kept")),
        (true, true) if texts.lines.is_empty() => Some(format!("The {what} is the same")),
        (true, true) => None,
    };
    let is_empty = texts.lines.is_empty();
    let lines = texts.lines.into_iter().map(diff_line).collect_view();
    let diff = (!is_empty).then(|| {
        view! { <div class="diff mono" role="group" aria-label=label tabindex="0">{lines}</div> }
    });
    view! {
        {said.map(|said| view! { <p class="dim">{said}</p> })}
        {diff}
        {texts.is_cut.then(|| view! { <p class="dim cut-note">"Only the beginning: the first 128 KB of each are compared, and 400 lines shown"</p> })}
    }
}

fn before(
    page: Page,
    step: &StepSummary,
    calls: &[EarlierCall],
    [latency_band, output_band, cost_band]: [Option<UsualRange>; 3],
) -> Option<impl IntoView + use<>> {
    if calls.len() < 2 {
        return None;
    }
    let bad = calls.iter().rev().skip(1).filter(|call| call.is_bad).count();
    let said = format!(
        "last {} calls, {bad} of those before failed or critical",
        calls.len()
    );
    let rows = [
        row(
            "Latency",
            calls,
            latency_band,
            |call| call.latency_ms,
            text::duration,
        ),
        row(
            "Output tokens",
            calls,
            output_band,
            |call| call.output_tokens.map(|tokens| tokens as f64),
            |tokens| text::short_count(tokens.round() as i64),
        ),
        row(
            "Cost",
            calls,
            cost_band,
            |call| call.cost.map(|cost| cost.0 as f64),
            |nano| NanoUsd(nano.round() as i64).to_short(),
        ),
    ]
    .into_iter()
    .collect_view();
    let slug = page.slug;
    let name = step.name.clone();
    let all = scope_href("", SeriesBy::Step, &name).map(|_| {
        let href = move || scope_href(&slug.read(), SeriesBy::Step, &name);
        view! { <p class="small"><a class="link" href=href>"This step over time"</a></p> }
    });
    Some(view! {
        <section class="ps" aria-label="This step before">
            <div class="head"><h3>"This step before"</h3><span class="sub num">{said}</span></div>
            {rows}
            {all}
        </section>
    })
}

/// One figure of all calls; `None` where this call and those before do not have it.
fn row(
    label: &'static str,
    calls: &[EarlierCall],
    band: Option<UsualRange>,
    value: fn(&EarlierCall) -> Option<f64>,
    words: fn(f64) -> String,
) -> Option<impl IntoView + use<>> {
    let dots: Vec<CallDot> = calls
        .iter()
        .map(|call| CallDot {
            value: value(call),
            is_bad: call.is_bad,
        })
        .collect();
    if dots.iter().filter(|dot| dot.value.is_some()).count() < 2 {
        return None;
    }
    let own = dots.last().and_then(|dot| dot.value);
    let said = sentence(own, band, words);
    let drawing = call_dots(&dots, band);
    let described = format!("{label}: {said}");
    Some(view! {
        <div class="call-row">
            <p class="dim num">{label}<span class="push">{said}</span></p>
            <svg class="spark" height="32" role="img" aria-label=described inner_html=drawing></svg>
        </div>
    })
}

/// `1.36 s, usually 820 ms to 1.79 s`.
fn sentence(own: Option<f64>, band: Option<UsualRange>, words: impl Fn(f64) -> String) -> String {
    let this = own.map_or_else(|| "unknown".to_owned(), &words);
    match band {
        None => format!("{this}, too few clean calls for a usual range"),
        Some(band) => {
            let place = match own {
                Some(own) if own > band.high => ", above the usual ",
                Some(own) if own < band.low => ", below the usual ",
                _ => ", usually ",
            };
            format!("{this}{place}{} to {}", words(band.low), words(band.high))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_said_with_its_band() {
        let band = Some(UsualRange {
            low: 820.0,
            high: 1_790.0,
        });
        let check = |own: Option<f64>, band: Option<UsualRange>, expected: &str| {
            assert_eq!(sentence(own, band, text::duration), expected);
        };
        check(Some(1_360.0), band, "1.36 s, usually 820 ms to 1.79 s");
        check(Some(6_440.0), band, "6.44 s, above the usual 820 ms to 1.79 s");
        check(Some(12.0), band, "12 ms, below the usual 820 ms to 1.79 s");
        check(None, band, "unknown, usually 820 ms to 1.79 s");
        check(Some(12.0), None, "12 ms, too few clean calls for a usual range");
    }
}

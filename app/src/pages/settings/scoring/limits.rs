//! The limits of layer 4: what they are, where they come from, and what they cut off.

use std::fmt::Write as _;

use domain::NanoUsd;
use domain::text::{duration, grouped};
use engine::limits::{FLOOR_COST, FLOOR_LATENCY_MS, FLOOR_TOKENS, MIN_SAMPLE};
use engine::{LimitMode, LimitSource, Limits, RecentSteps};
use leptos::prelude::*;

use super::draft::ScoringDraft;
use super::{Filled, Page};
use crate::api::scoring::{Changed, ScoringView};
use crate::ui::icon::Icon;
use crate::ui::time::use_time_text;

/// Bars of a sample's histogram.
const BINS: usize = 40;
/// Where its bars stand, and how tall they get, in pixels.
const BASE_PX: f64 = 34.0;
const TALLEST_PX: f64 = 30.0;

struct Metric {
    index: usize,
    name: &'static str,
    code: u16,
    field: &'static str,
    unit: &'static str,
    typed: fn(&ScoringDraft) -> String,
    edit: fn(&mut ScoringDraft, String),
    figures: fn(&Limits) -> Figures,
}

/// A limit with its sample, in the metric's words.
#[derive(Clone, Debug, PartialEq)]
struct Figures {
    limit: String,
    source: LimitSource,
    at_floor: bool,
    floor: String,
    n: u32,
    p50: Option<String>,
    p95: Option<String>,
    /// The limit in the unit of the sample.
    value: f64,
}

const METRICS: [Metric; 3] = [
    Metric {
        index: 0,
        name: "Latency",
        code: 4001,
        field: "latency_ms",
        unit: "ms",
        typed: |draft| draft.latency_ms.clone(),
        edit: |draft, text| draft.latency_ms = text,
        figures: |limits| {
            let limit = &limits.latency_ms;
            Figures {
                limit: duration(limit.limit),
                source: limit.source,
                at_floor: limit.at_floor,
                floor: duration(FLOOR_LATENCY_MS),
                n: limit.n,
                p50: limit.p50.map(duration),
                p95: limit.p95.map(duration),
                value: limit.limit * 1_000.0,
            }
        },
    },
    Metric {
        index: 1,
        name: "Tokens",
        code: 4002,
        field: "tokens",
        unit: "tok",
        typed: |draft| draft.tokens.clone(),
        edit: |draft, text| draft.tokens = text,
        figures: |limits| {
            let limit = &limits.tokens;
            let words = |tokens: f64| grouped(tokens.round().max(0.0) as u64);
            Figures {
                limit: words(limit.limit),
                source: limit.source,
                at_floor: limit.at_floor,
                floor: words(FLOOR_TOKENS),
                n: limit.n,
                p50: limit.p50.map(words),
                p95: limit.p95.map(words),
                value: limit.limit,
            }
        },
    },
    Metric {
        index: 2,
        name: "Cost",
        code: 4003,
        field: "cost_usd",
        unit: "$",
        typed: |draft| draft.cost_usd.clone(),
        edit: |draft, text| draft.cost_usd = text,
        figures: |limits| {
            let limit = &limits.cost_nano_usd;
            Figures {
                limit: limit.limit.to_short(),
                source: limit.source,
                at_floor: limit.at_floor,
                floor: FLOOR_COST.to_short(),
                n: limit.n,
                p50: limit.p50.map(NanoUsd::to_short),
                p95: limit.p95.map(NanoUsd::to_short),
                value: limit.limit.0 as f64,
            }
        },
    },
];

#[component]
pub(super) fn LimitsTable(page: Page, view: StoredValue<ScoringView>, filled: Filled) -> impl IntoView {
    let recent = StoredValue::new(view.with_value(|view| {
        let mut recent = RecentSteps::default();
        view.recent.iter().for_each(|step| recent.push(*step));
        recent
    }));
    let limits = Memo::new(move |_| recent.with_value(|recent| Limits::of(recent, &filled.rules.read())));
    let mode = move |is_static: bool, value: &'static str, label: &'static str| {
        let is_chosen = move || view.with_value(|view| page.form(&view.rules)).is_static == is_static;
        let choose =
            move |_| view.with_value(|view| page.edit(&view.rules, |draft| draft.is_static = is_static));
        view! {
            <label>
                <input
                    class="vh"
                    type="radio"
                    name="mode"
                    value=value
                    checked=untrack(is_chosen)
                    prop:checked=is_chosen
                    disabled=move || !page.locked.read().is_empty()
                    on:change=choose
                />
                {label}
            </label>
        }
    };
    let rows = METRICS
        .into_iter()
        .map(|metric| view! { <MetricRow page view filled limits recent metric/> })
        .collect_view();
    view! {
        <section class="cell">
            <div class="head">
                <h2 id="limits-head">"Limits of layer 4"</h2>
                <span class="sub">"failed and critical steps, and the scored step itself, are not in the sample"</span>
                <div class="head-actions">
                    <div class="seg sm" role="radiogroup" aria-label="Mode of the limits">
                        {mode(false, "dynamic", "Dynamic")}
                        {mode(true, "static", "Static")}
                    </div>
                </div>
            </div>
            <div class="scroll-x" tabindex="0" role="region" aria-labelledby="limits-head">
                <table class="table limits">
                    <thead>
                        <tr>
                            <th scope="col" class="l-m">"Metric"</th>
                            <th scope="col" class="n l-v">"Limit now"</th>
                            <th scope="col" class="l-s">"Source"</th>
                            <th scope="col" class="n l-n">"n"</th>
                            <th scope="col" class="n l-q">"p50"</th>
                            <th scope="col" class="n l-q">"p95"</th>
                            <th scope="col" class="l-h">"Sample and limit"</th>
                            <th scope="col" class="l-o">"Override"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        </section>
    }
}

#[component]
fn MetricRow(
    page: Page,
    view: StoredValue<ScoringView>,
    filled: Filled,
    limits: Memo<Limits>,
    recent: StoredValue<RecentSteps>,
    metric: Metric,
) -> impl IntoView {
    let Metric {
        index,
        name,
        code,
        field,
        unit,
        typed,
        edit,
        figures,
    } = metric;
    let figures = Memo::new(move |_| figures(&limits.read()));
    let time = use_time_text();
    let text = move || view.with_value(|view| typed(&page.form(&view.rules)));
    let source = move || {
        let figures = figures.get();
        let is_dynamic_mode = filled.rules.read().mode == LimitMode::Dynamic;
        let set_by = view.with_value(|view| {
            let is_saved = typed(&ScoringDraft::of(&view.rules)) == text();
            let set = view.limits_set[index].clone().filter(|_| is_saved);
            set.map_or_else(
                || {
                    (if is_saved {
                        "set by hand"
                    } else {
                        "as typed, not saved"
                    })
                    .to_owned()
                },
                |Changed { at, by }| format!("set by {by}, {}", time(at)),
            )
        });
        let (icon, tone, word, reason) = source_words(
            &figures,
            recent.with_value(RecentSteps::len),
            is_dynamic_mode,
            set_by,
        );
        view! {
            <span class="src">
                <span class="badge" data-tone=tone><Icon name=icon/>{word}</span>
                <span class="dim">{reason}</span>
            </span>
        }
    };
    let histogram = move || {
        let sample: Vec<i64> = recent.with_value(|recent| {
            let usable = recent.steps().filter(|step| step.is_usable);
            usable.filter_map(|step| step.metrics[index]).collect()
        });
        drawing(&sample, figures.read().value)
    };
    let label = format!(
        "Distribution of the sample of {} with the limit",
        name.to_lowercase()
    );
    let quantile = |text: Option<String>| match text {
        Some(text) => text.into_any(),
        None => view! { <span class="unknown">"unknown"</span> }.into_any(),
    };
    let problem = move || filled.problems.read().get(field).copied();
    let problem_id = format!("problem-{field}");
    let described = problem_id.clone();
    view! {
        <tr>
            <td><span class="main">{name}</span>" "<span class="code-n">{code.to_string()}</span></td>
            <td class="n limit-v">{move || figures.read().limit.clone()}</td>
            <td>{source}</td>
            <td class="n">{move || figures.read().n.to_string()}</td>
            <td class="n">{move || quantile(figures.read().p50.clone())}</td>
            <td class="n t">{move || quantile(figures.read().p95.clone())}</td>
            <td class="l-h">
                <svg class="plot hist-s" height="36" role="img" aria-label=label>
                    <g inner_html=histogram></g>
                </svg>
            </td>
            <td>
                <span class="row over">
                    <input
                        class="input num"
                        name=field
                        aria-label=format!("{name} override in {}", if unit == "$" { "dollars" } else { unit })
                        value=untrack(text)
                        prop:value=text
                        placeholder="none"
                        inputmode="decimal"
                        autocomplete="off"
                        aria-invalid=move || problem().map(|_| "true")
                        aria-describedby=move || problem().map(|_| described.clone())
                        disabled=move || !page.locked.read().is_empty()
                        title=move || (!page.locked.read().is_empty()).then(|| page.locked.get())
                        on:input=move |event| {
                            let text = event_target_value(&event).trim().to_owned();
                            view.with_value(|view| page.edit(&view.rules, |draft| edit(draft, text)));
                        }
                    />
                    <span class="dim">{unit}</span>
                </span>
                {move || problem().map(|message| view! { <p class="hint st-bad problem" id=problem_id.clone()>{message}</p> })}
            </td>
        </tr>
    }
}

/// Icon, tone, word and reason of a limit's source.
fn source_words(
    figures: &Figures,
    recent: usize,
    is_dynamic_mode: bool,
    set_by: String,
) -> (&'static str, &'static str, &'static str, String) {
    match figures.source {
        LimitSource::Manual => ("users", "", "manual", set_by),
        LimitSource::Dynamic if figures.at_floor => (
            "sigma",
            "accent",
            "dynamic, at the floor",
            format!("p95 is below the floor of {}", figures.floor),
        ),
        LimitSource::Dynamic => (
            "sigma",
            "accent",
            "dynamic",
            format!("p95 of {} usable of the last {recent}", figures.n),
        ),
        LimitSource::Static if is_dynamic_mode => (
            "lock",
            "line",
            "static",
            format!("needs {MIN_SAMPLE} usable steps, has {}", figures.n),
        ),
        LimitSource::Static => ("lock", "line", "static", "the built-in limit".to_owned()),
    }
}

/// The histogram as SVG: bars, those above the limit marked, and the limit as a line.
fn drawing(sample: &[i64], limit: f64) -> String {
    let highest = sample.iter().copied().max().unwrap_or(0) as f64;
    let span = highest.max(limit) * 1.08;
    let mut out = String::new();
    if span > 0.0 && span.is_finite() {
        let mut bins = [0usize; BINS];
        let width = span / BINS as f64;
        for value in sample {
            // A bar that straddles the limit belongs to the side where its value is.
            let bin = ((*value).max(0) as f64 / width) as usize;
            bins[bin.min(BINS - 1)] += 1;
        }
        let tallest = bins.iter().copied().max().unwrap_or(0).max(1) as f64;
        for (bin, count) in bins.into_iter().enumerate().filter(|(_, count)| *count > 0) {
            let class = if (bin as f64 + 0.5) * width > limit {
                "hs-over"
            } else {
                "hs"
            };
            let height = count as f64 / tallest * TALLEST_PX;
            let x = bin as f64 * 100.0 / BINS as f64;
            _ = write!(
                out,
                r#"<rect class="{class}" x="{x:.2}%" width="2%" y="{:.2}" height="{height:.2}"/>"#,
                BASE_PX - height
            );
        }
        let x = limit / span * 100.0;
        _ = write!(
            out,
            r#"<line class="thr" x1="{x:.2}%" x2="{x:.2}%" y1="0" y2="{BASE_PX}"/>"#
        );
    }
    _ = write!(
        out,
        r#"<line class="axis-line" x1="0" x2="100%" y1="{BASE_PX}" y2="{BASE_PX}"/>"#
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_says_why() {
        let figures = |source: LimitSource, at_floor: bool| Figures {
            limit: String::new(),
            source,
            at_floor,
            floor: "3.00 s".to_owned(),
            n: 12,
            p50: None,
            p95: None,
            value: 1.0,
        };
        let check = |source: LimitSource, at_floor: bool, is_dynamic: bool, word: &str, reason: &str| {
            let (_, _, found, why) = source_words(
                &figures(source, at_floor),
                100,
                is_dynamic,
                "set by Mara".to_owned(),
            );
            assert_eq!((found, why.as_str()), (word, reason));
        };
        check(LimitSource::Manual, false, true, "manual", "set by Mara");
        check(
            LimitSource::Dynamic,
            false,
            true,
            "dynamic",
            "p95 of 12 usable of the last 100",
        );
        check(
            LimitSource::Dynamic,
            true,
            true,
            "dynamic, at the floor",
            "p95 is below the floor of 3.00 s",
        );
        check(
            LimitSource::Static,
            false,
            true,
            "static",
            "needs 30 usable steps, has 12",
        );
        check(LimitSource::Static, false, false, "static", "the built-in limit");
    }

    #[test]
    fn bars_above_the_limit_are_marked() {
        let svg = drawing(&[100, 110, 120, 900], 500.0);
        assert_eq!(
            svg.matches("\"hs\"").count() + svg.matches("\"hs-over\"").count(),
            2
        );
        assert_eq!(svg.matches("\"hs-over\"").count(), 1);
        assert!(svg.contains("class=\"thr\""));
        // Nothing is known: only the axis, and the limit.
        assert_eq!(drawing(&[], 10.0).matches("<rect").count(), 0);
        assert!(!drawing(&[i64::MIN, i64::MAX], f64::MAX).contains("NaN"));
    }
}

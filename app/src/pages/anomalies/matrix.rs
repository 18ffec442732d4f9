//! Codes by steps: what happens where, how it changed, and whether people find it real.

use std::fmt::Write as _;

use domain::anomaly::CodePrecision;
use domain::text;
use leptos::prelude::*;

use super::Page;
use super::sums::{CodeSum, Sums};
use crate::api::anomalies::AnomaliesView;
use crate::models::anomalies_query::{Field, Period};
use crate::pages::conditions::{MuteForm, code_name};

/// Height of a sparkline, in pixels.
const SPARK_PX: f64 = 18.0;
/// Under this share of real ones a code is drawn as noise, in per cent.
const LOW_PERCENT: i64 = 50;

#[component]
pub(super) fn Matrix(
    page: Page,
    view: AnomaliesView,
    sums: Sums,
    /// How often each code was right, as people say now.
    precision: RwSignal<Vec<CodePrecision>>,
) -> impl IntoView {
    let query = page.query;
    let period = query.read_untracked().period;
    let window = period.label();
    let both = match period {
        Period::Day => "48 hours",
        Period::Week => "14 days",
        Period::Month => "60 days",
    };
    let columns = sums
        .columns
        .iter()
        .map(|name| {
            let (href, shown) = (column_href(page, name), step_name(name));
            view! {
                <th class="m-step" scope="col" title=shown.clone()>
                    <a href=href data-noscroll>{broken(&text::first_line(&shown, 36))}</a>
                </th>
            }
        })
        .collect_view();
    let other = (sums.other_steps > 0).then(|| {
        let title = format!("{} more", text::counted(sums.other_steps as i64, "step"));
        view! { <th class="m-step" scope="col" title=title>"other"</th> }
    });
    let groups = (1..=9_u16)
        .map(|layer| {
            let of_layer: Vec<&CodeSum> = sums
                .codes
                .iter()
                .filter(|sum| sum.code / 1_000 == layer)
                .collect();
            (!of_layer.is_empty()).then(|| {
                let rows = of_layer
                    .into_iter()
                    .map(|sum| row(page, &view, &sums, sum, precision))
                    .collect_view();
                view! { <tbody>{rows}</tbody> }
            })
        })
        .collect_view();
    let key = (1..=5_u8)
        .map(|q| view! { <li class="sq" data-q=q.to_string()></li> })
        .collect_view();
    view! {
        <section class="cell" aria-labelledby="by-code">
            <div class="head">
                <h2 id="by-code">"By code and step"</h2>
                <span class="sub">{format!("{window}; click a cell for its steps")}</span>
                <div class="head-actions">
                    <ul class="legend seqkey wide" aria-hidden="true"><li>"fewer"</li>{key}<li>"more"</li></ul>
                </div>
            </div>
            <div class="scroll-x" tabindex="0" role="region" aria-label="Conditions by code and step">
                <table class="table compact matrix">
                    <thead>
                        <tr>
                            <th class="m-code" scope="col">"Code"</th>
                            <th class="m-name" scope="col">"Name"</th>
                            <th class="n m-n" scope="col">"Points"</th>
                            <th class="n m-n" scope="col">"Count"</th>
                            <th class="n m-ch" scope="col">"Change"</th>
                            <th class="m-sp" scope="col">{both}</th>
                            {columns}
                            {other}
                            <th class="m-pr" scope="col">"Real or noise"</th>
                            <th class="m-mute" scope="col"><span class="vh">"Mute"</span></th>
                        </tr>
                    </thead>
                    {groups}
                </table>
            </div>
        </section>
    }
}

fn column_href(page: Page, name: &str) -> impl Fn() -> String + Send + Sync + 'static {
    let name = name.to_owned();
    move || page.query.read().with_field(Field::Step, Some(&name)).to_href()
}

fn step_name(name: &str) -> String {
    if name.trim().is_empty() {
        "unnamed step".to_owned()
    } else {
        name.to_owned()
    }
}

/// A name that may break after its separators.
fn broken(name: &str) -> impl IntoView + use<> {
    let parts: Vec<String> = name
        .split_inclusive(['-', '_', '.', '/', ':'])
        .map(str::to_owned)
        .collect();
    parts
        .into_iter()
        .map(|part| view! { {part}<wbr/> })
        .collect_view()
}

fn row(
    page: Page,
    view: &AnomaliesView,
    sums: &Sums,
    sum: &CodeSum,
    precision: RwSignal<Vec<CodePrecision>>,
) -> impl IntoView + use<> {
    let Page { slug, query, .. } = page;
    let code = sum.code;
    let name = code_name(code);
    let known = engine::codes::find(code);
    let layer = (code / 1_000).clamp(1, 5);
    let points = view
        .points
        .get(&code)
        .copied()
        .or(known.map(|known| known.points));
    let layer_name = engine::codes::LAYERS
        .get(usize::from(layer) - 1)
        .copied()
        .unwrap_or_default();
    let is_muted = view.muted.contains(&code);
    let half = view.span.count() / 2;
    let spark = spark(&sum.series, half);
    let change = if sum.all.is_much_more() { "n up" } else { "n" };
    let cells = sums
        .columns
        .iter()
        .zip(&sum.cells)
        .map(|(step, n)| {
            let (step, n) = (step.clone(), *n);
            let label = format!("{n} on {}", step_name(&step));
            let inner = if n > 0 {
                let href = move || query.read().steps_of(code, Some(&step)).to_href();
                view! { <a href=href title=label.clone() aria-label=label>{text::grouped(n.unsigned_abs())}</a> }.into_any()
            } else {
                view! { <span class="vh">"0"</span> }.into_any()
            };
            view! { <td class="heat" data-q=sums.heat(n).to_string()>{inner}</td> }
        })
        .collect_view();
    let other = (sums.other_steps > 0).then(|| {
        let n = sum.other;
        let inner = if n > 0 {
            text::grouped(n.unsigned_abs()).into_any()
        } else {
            view! { <span class="vh">"0"</span> }.into_any()
        };
        view! { <td class="heat" data-q=sums.heat(n).to_string()>{inner}</td> }
    });
    let of_code = move || precision.read().iter().find(|p| p.code == code).copied();
    let muted = is_muted.then(|| view! { " " <span class="badge">"muted"</span> });
    view! {
        <tr class:muted=is_muted>
            <td class=format!("mono m-code layer-{layer}")>
                <span class="lay" title=format!("layer {layer}, {layer_name}")></span>
                {code.to_string()}
            </td>
            <th class="main" scope="row" title=known.map(|known| known.fires)>
                <a href=move || query.read().steps_of(code, None).to_href()>{name}</a>
                {muted}
            </th>
            <td class="n">{points.map(|points| points.to_string())}</td>
            <td class="n t">{text::grouped(sum.all.now.unsigned_abs())}</td>
            <td class=change>{sum.all.change()}</td>
            <td class="m-sp">
                <svg class=format!("plot layer-{layer}") height=SPARK_PX.to_string() role="img" aria-label=spark_label(sum, half) inner_html=spark></svg>
            </td>
            {cells}
            {other}
            <td class="m-pr">{move || precision_bar(of_code())}</td>
            <td class="m-mute"><MuteForm slug code is_muted/></td>
        </tr>
    }
}

fn spark_label(sum: &CodeSum, half: usize) -> String {
    let highest = |values: &[i64]| values.iter().max().copied().unwrap_or(0);
    let (before, now) = sum.series.split_at(half.min(sum.series.len()));
    format!("at most {} before, {} now", highest(before), highest(now))
}

/// Bars over both halves of the span; the first half is pale. Nothing is a line of one pixel.
fn spark(series: &[i64], half: usize) -> String {
    let highest = series.iter().max().copied().unwrap_or(0).max(1) as f64;
    let pitch = 100.0 / series.len().max(1) as f64;
    let mut out = String::new();
    for (index, n) in series.iter().enumerate() {
        let class = if index < half { "col-old" } else { "fill" };
        let height = (*n as f64 / highest * SPARK_PX).max(1.0);
        _ = write!(
            out,
            r#"<rect class="{class}" x="{x:.2}%" width="{width:.2}%" y="{y:.2}" height="{height:.2}"/>"#,
            x = index as f64 * pitch,
            width = pitch * 0.79,
            y = SPARK_PX - height,
        );
    }
    out
}

/// Share of real ones among those that were marked, and how many were.
pub(crate) fn precision_bar(precision: Option<CodePrecision>) -> AnyView {
    let Some((precision, percent)) = precision.and_then(|p| Some((p, p.percent()?))) else {
        return view! { <span class="none">"not marked"</span> }.into_any();
    };
    let class = if percent < LOW_PERCENT { "p-low" } else { "p-ok" };
    let title = format!(
        "{} marked real, {} noise, in 90 days",
        precision.real, precision.noise
    );
    view! {
        <span class="prec" title=title>
            <svg class="bar" height="6" aria-hidden="true">
                <rect class="track" width="100%" height="6"></rect>
                <rect class=class width=format!("{percent}%") height="6"></rect>
            </svg>
            <span class="num">{format!("{percent} %")}</span>
            <span class="dim num">{format!("of {}", precision.n())}</span>
        </span>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sparklines_show_both_halves() {
        let svg = spark(&[0, 2, 4, 8], 2);
        assert_eq!(
            (svg.matches("col-old").count(), svg.matches("\"fill\"").count()),
            (2, 2)
        );
        assert!(
            svg.contains(r#"x="75.00%" width="19.75%" y="0.00" height="18.00""#),
            "{svg}"
        );
        assert!(svg.contains(r#"y="17.00" height="1.00""#), "{svg}");
        assert_eq!(spark(&[], 0), "");
    }
}

//! The same numbers as a table.

use domain::text;
use leptos::prelude::*;

use super::{Bars, Chart, Dots, Lines, Marks};

/// The most rows of a scatter's table; it begins with what was drawn last, which matters most.
const MAX_ROWS: usize = 500;

/// What the chart shows, in figures.
#[component]
pub(super) fn ChartTable(chart: Signal<Chart>, #[prop(into)] label: Signal<String>) -> impl IntoView {
    view! {
        <div class="scroll-x ch-table" tabindex="0" role="region" aria-label=move || label.get()>
            {move || {
                let chart = chart.read();
                match &chart.marks {
                    Marks::Bars(bars) => bars_table(&chart, bars),
                    Marks::Dots(dots) => dots_table(&chart, dots),
                    Marks::Lines(lines) => lines_table(&chart, lines),
                }
            }}
        </div>
    }
}

fn bars_table(chart: &Chart, bars: &Bars) -> AnyView {
    let heads = bars
        .series
        .iter()
        .map(|series| view! { <th class="n" scope="col">{series.name.clone()}</th> })
        .collect_view();
    let rows = bars
        .bars
        .iter()
        .map(|bar| {
            let cells = bar
                .values
                .iter()
                .map(|n| view! { <td class="n">{text::grouped(n.unsigned_abs())}</td> })
                .collect_view();
            let total = text::grouped(bar.total().unsigned_abs());
            let title = match &bar.href {
                Some(href) => view! { <a class="link" href=href.clone()>{bar.title.clone()}</a> }.into_any(),
                None => bar.title.clone().into_any(),
            };
            view! { <tr><th scope="row">{title}</th>{cells}<td class="n t">{total}</td></tr> }
        })
        .collect_view();
    view! {
        <table class="table compact">
            <thead><tr><th scope="col">{chart.across}</th>{heads}<th class="n" scope="col">"All"</th></tr></thead>
            <tbody>{rows}</tbody>
        </table>
    }
    .into_any()
}

fn dots_table(chart: &Chart, dots: &Dots) -> AnyView {
    let more = dots.dots.len().saturating_sub(MAX_ROWS);
    let rows = dots
        .dots
        .iter()
        .rev()
        .take(MAX_ROWS)
        .map(|dot| {
            let title = match &dot.href {
                Some(href) => view! { <a class="link" href=href.clone()>{dot.title.clone()}</a> }.into_any(),
                None => dot.title.clone().into_any(),
            };
            let value = text::grouped(dot.value.max(0.0) as u64);
            view! { <tr><th scope="row">{title}</th><td class="n t">{value}</td><td>{dot.word}</td></tr> }
        })
        .collect_view();
    view! {
        <table class="table compact">
            <thead>
                <tr><th scope="col">{chart.across}</th><th class="n" scope="col">{chart.unit}"s"</th><th scope="col">"Is"</th></tr>
            </thead>
            <tbody>{rows}</tbody>
        </table>
        {(more > 0).then(|| view! { <p class="dim">{format!("and {} more", text::grouped(more as u64))}</p> })}
    }
    .into_any()
}

/// The latest first. What is unknown is a dash.
fn lines_table(chart: &Chart, lines: &Lines) -> AnyView {
    let heads = lines
        .series
        .iter()
        .map(|series| {
            let usual =
                (!series.usual.is_empty()).then(|| view! { <th class="n" scope="col">"Usually"</th> });
            view! { <th class="n" scope="col">{series.name.clone()}</th> {usual} }
        })
        .collect_view();
    let more = lines.moments.len().saturating_sub(MAX_ROWS);
    let rows = lines
        .moments
        .iter()
        .enumerate()
        .rev()
        .take(MAX_ROWS)
        .map(|(index, moment)| {
            let cells = lines
                .series
                .iter()
                .map(|series| {
                    let value = match series.values.get(index).copied().flatten() {
                        Some(value) => {
                            view! { <td class="n t">{engine::series::text(value, lines.unit)}</td> }
                                .into_any()
                        }
                        None => view! { <td class="n none">"–"</td> }.into_any(),
                    };
                    let usual = (!series.usual.is_empty()).then(|| {
                        let words = lines.usual_in_words(series, index);
                        let words = words.map(|words| words.trim_start_matches("usually ").to_owned());
                        view! { <td class="n">{words}</td> }
                    });
                    view! { {value} {usual} }
                })
                .collect_view();
            view! { <tr><th scope="row">{moment.title.clone()}</th>{cells}</tr> }
        })
        .collect_view();
    view! {
        <table class="table compact">
            <thead><tr><th scope="col">{chart.across}</th>{heads}</tr></thead>
            <tbody>{rows}</tbody>
        </table>
        {(more > 0).then(|| view! { <p class="dim">{format!("and {} more", text::grouped(more as u64))}</p> })}
    }
    .into_any()
}

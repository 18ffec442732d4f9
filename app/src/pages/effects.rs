//! A change with its interval, as deploys show it: a dot and a line on an axis around "no change", and a figure.

use engine::compare::{Effect, FEW_CALLS, Measure, Reading};
use leptos::prelude::*;

use crate::models::rollout_words::{basis, change, value};

/// Half of the drawing, in CSS pixels.
const HALF_PX: f64 = 38.0;
/// Ratios from ÷3 to ×3 fit into the drawing.
const REACH_RATIO: f64 = 3.0;
/// Differences of shares up to 20 points fit into it.
const REACH_SHARE: f64 = 0.2;

/// The class that colours it, and whether it is nothing to speak of.
const fn tone(reading: Reading) -> (&'static str, &'static str) {
    match reading {
        Reading::Worse => ("fx fx-up", "fxc is-up"),
        Reading::Better => ("fx fx-down", "fxc"),
        Reading::Other => ("fx fx-other", "fxc"),
        Reading::Unclear => ("fx fx-in", "fxc is-in"),
    }
}

/// Where a change stands, from −1 to 1 around the middle.
fn place(measure: Measure, estimate: f64) -> f64 {
    let share = if measure.is_share() {
        estimate / REACH_SHARE
    } else {
        (1.0 + estimate).max(1e-6).ln() / REACH_RATIO.ln()
    };
    share.clamp(-1.0, 1.0)
}

/// The drawing, of so many CSS pixels.
fn drawing(effect: &Effect, half_px: f64) -> String {
    let mut out = format!(r#"<line class="fx-zero" x1="{half_px}" x2="{half_px}" y1="1" y2="15"/>"#);
    let Some(change) = effect.change else { return out };
    let x = |estimate: f64| half_px + place(effect.measure, estimate) * (half_px - 3.0);
    out.push_str(&format!(
        r#"<line class="fx-line" x1="{:.2}" x2="{:.2}" y1="8" y2="8"/><circle class="fx-dot" cx="{:.2}" cy="8" r="3"/>"#,
        x(change.low),
        x(change.high),
        x(change.estimate)
    ));
    out
}

/// A change in a cell: drawing and figure; a dash where nothing can be said. In words in the title.
pub(crate) fn effect_cell(effect: Option<&Effect>) -> AnyView {
    let Some((effect, text)) = effect.and_then(|effect| Some((effect, change(effect)?))) else {
        return view! { <span class="none">"–"</span> }.into_any();
    };
    let (class, outer) = tone(effect.reading);
    let width = (HALF_PX * 2.0).to_string();
    view! {
        <span class=outer title=basis(effect)>
            <svg
                class=class
                width=width.clone()
                height="16"
                viewBox=format!("0 0 {width} 16")
                aria-hidden="true"
                inner_html=drawing(effect, HALF_PX)
            ></svg>
            <span class="num">{text}</span>
        </span>
    }
    .into_any()
}

/// A number of calls; few of them are said to be few.
pub(crate) fn calls_view(calls: i64) -> AnyView {
    let text = domain::text::grouped(calls.unsigned_abs());
    if calls < FEW_CALLS {
        view! { <span class="few" title="Few calls on this side">{text}</span> }.into_any()
    } else {
        text.into_any()
    }
}

/// Every measure before and after, one a row.
pub(crate) fn measures_table(effects: &[Effect]) -> impl IntoView + use<> {
    let rows = effects.iter().map(measure_row).collect_view();
    view! {
        <div class="scroll-x" tabindex="0" role="region" aria-label="Measures">
            <table class="table bleed bna">
                <thead>
                    <tr>
                        <th class="ba-m" scope="col">"Metric"</th>
                        <th class="n ba-v" scope="col">"Before"</th>
                        <th class="n ba-v" scope="col">"After"</th>
                        <th class="n ba-v" scope="col">"Calls before"</th>
                        <th class="n ba-v" scope="col">"Calls after"</th>
                        <th class="n dp-fx" scope="col">"Change"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
}

fn measure_row(effect: &Effect) -> impl IntoView + use<> {
    let class = change(effect).is_none().then_some("flat");
    view! {
        <tr class=class>
            <th class="main" scope="row">{effect.measure.label()}</th>
            <td class="n">{value(effect, false)}</td>
            <td class="n t">{value(effect, true)}</td>
            <td class="n">{calls_view(effect.n_before)}</td>
            <td class="n">{calls_view(effect.n_after)}</td>
            <td class="n dp-fx">{effect_cell(Some(effect))}</td>
        </tr>
    }
}

#[cfg(test)]
mod tests {
    use engine::compare::Change;

    use super::*;

    #[test]
    fn the_axis_runs_from_a_third_to_three_times() {
        let check = |measure: Measure, estimate: f64, expected: f64| {
            assert!((place(measure, estimate) - expected).abs() < 1e-9, "{estimate}");
        };
        check(Measure::CostPerCall, 0.0, 0.0);
        check(Measure::CostPerCall, 2.0, 1.0);
        check(Measure::CostPerCall, -2.0 / 3.0, -1.0);
        check(Measure::CostPerCall, 50.0, 1.0);
        check(Measure::CostPerCall, -1.0, -1.0);
        check(Measure::ErrorRate, 0.1, 0.5);
        check(Measure::ErrorRate, -0.9, -1.0);
    }

    #[test]
    fn what_is_unknown_has_an_axis_and_no_dot() {
        let effect = Effect {
            measure: Measure::LatencyP95,
            unit: Measure::LatencyP95.unit(),
            before: None,
            after: None,
            n_before: 0,
            n_after: 0,
            change: None,
            reading: Reading::Unclear,
        };
        assert_eq!(drawing(&effect, 38.0).matches('<').count(), 1);
        let known = Effect {
            change: Some(Change {
                estimate: 1.5,
                low: 1.0,
                high: 9.0,
                standard_errors: 6.0,
            }),
            ..effect
        };
        let drawn = drawing(&known, 38.0);
        assert!(
            drawn.contains(r#"x2="73.00""#) && drawn.contains("fx-dot"),
            "{drawn}"
        );
    }
}

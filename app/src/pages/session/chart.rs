//! What a session has cost so far: a line that rises with each run.

use domain::{RunStatus, Severity, text};
use leptos::prelude::*;

use crate::api::groups::Beat;
use crate::pages::cells::severity_glyph;
use crate::ui::time::Time;

/// Where nothing and all of it are, in CSS pixels from the top.
const ZERO_Y: f64 = 94.0;
const WHOLE_Y: f64 = 22.0;
/// The most runs that are marked.
const MAX_MARKS: usize = 60;

/// The chart; a sentence where no cost is known.
pub(super) fn cost_chart(beats: &[Beat]) -> AnyView {
    let (Some(first), Some(last)) = (beats.first(), beats.last()) else {
        return ().into_any();
    };
    let Some(whole) = last.cost_so_far.filter(|cost| cost.0 > 0) else {
        return view! { <p class="dim">"No cost is known."</p> }.into_any();
    };
    let drawing = draw(beats);
    let label = format!(
        "Cost rises to {} in {}",
        whole.to_short(),
        text::counted(i64::try_from(beats.len()).unwrap_or(i64::MAX), "run")
    );
    view! {
        <figure class="chart" role="group" aria-label="Cost so far">
            <svg class="yaxis" height="116" aria-hidden="true">
                <text x="0" y="26">{whole.to_short()}</text>
                <text x="0" y="98">"$0"</text>
            </svg>
            <svg class="plot c2" height="116" role="img" aria-label=label inner_html=drawing></svg>
        </figure>
        <div class="ends dim num"><Time at=first.at/><Time at=last.at/></div>
    }
    .into_any()
}

/// Axis, line, area, and a mark at each run that is not fine.
fn draw(beats: &[Beat]) -> String {
    let at = |beat: &Beat| beat.at.micros();
    let first = beats.iter().map(at).min().unwrap_or(0);
    let span = beats.iter().map(at).max().unwrap_or(0).saturating_sub(first);
    let whole = beats
        .iter()
        .filter_map(|beat| beat.cost_so_far)
        .map(|cost| cost.0)
        .max()
        .unwrap_or(0);
    let x = |beat: &Beat| {
        let share = if span > 0 {
            (at(beat) - first) as f64 / span as f64
        } else {
            0.5
        };
        2.0 + share * 96.0
    };
    let y = |beat: &Beat| {
        let cost = beat.cost_so_far.map_or(0, |cost| cost.0.max(0));
        let share = if whole > 0 {
            cost as f64 / whole as f64
        } else {
            0.0
        };
        ZERO_Y - share * (ZERO_Y - WHOLE_Y)
    };
    let mut line = format!("M0 {ZERO_Y}");
    for beat in beats {
        line.push_str(&format!("H{:.1}V{:.1}", x(beat) * 10.0, y(beat)));
    }
    line.push_str("H1000");
    let marks: String = beats
        .iter()
        .filter(|beat| beat.severity != Severity::Ok || beat.status != RunStatus::Ok)
        .take(MAX_MARKS)
        .map(|beat| {
            let (icon, class, _) = severity_glyph(beat.status, beat.severity);
            format!(
                r##"<svg x="{:.2}%" y="0" overflow="visible"><svg class="i {class}" x="-7" y="{:.1}" width="14" height="14"><use href="#i-{icon}"/></svg></svg>"##,
                x(beat),
                y(beat) - 7.0
            )
        })
        .collect();
    format!(
        r#"<line class="axis-line" x1="0" x2="100%" y1="{ZERO_Y}" y2="{ZERO_Y}"/><svg x="0" y="0" width="100%" height="116" viewBox="0 0 1000 116" preserveAspectRatio="none" overflow="visible"><path class="area" d="{line}V{ZERO_Y}H0Z"/><path class="line" d="{line}"/></svg>{marks}"#
    )
}

#[cfg(test)]
mod tests {
    use domain::{NanoUsd, Timestamp};

    use super::*;

    #[test]
    fn each_run_is_a_rise_and_trouble_a_mark() {
        let beat = |at: i64, cost: i64, severity: Severity| Beat {
            at: Timestamp::from_micros(at),
            cost_so_far: Some(NanoUsd(cost)),
            status: RunStatus::Ok,
            severity,
        };
        let drawn = draw(&[beat(0, 5, Severity::Ok), beat(10, 10, Severity::Critical)]);
        assert!(
            drawn.contains(r#"class="line" d="M0 94H20.0V58.0H980.0V22.0H1000""#),
            "{drawn}"
        );
        assert_eq!(drawn.matches("<use").count(), 1);
        assert!(drawn.contains("#i-critical"));
    }

    #[test]
    fn a_session_of_one_moment_has_a_place() {
        let beat = Beat {
            at: Timestamp::from_micros(5),
            cost_so_far: None,
            status: RunStatus::Running,
            severity: Severity::Ok,
        };
        assert!(draw(&[beat]).contains("M0 94H500.0V94.0H1000"));
    }
}

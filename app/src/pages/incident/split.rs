//! Where the change comes from: parts that lead from the baseline to the day, each a bar on one scale.

use std::fmt::Write as _;

use domain::series::MetricUnit;
use engine::incidents::incident::Amount;
use engine::incidents::words;
use leptos::prelude::*;

use crate::api::incidents::IncidentView;
use crate::ui::time::Time;

const HEIGHT_PX: u32 = 16;

/// The bridge.
#[component]
pub(super) fn Split(view: IncidentView) -> impl IntoView {
    let incident = &view.incident;
    let metric = incident.metric;
    let unit = words::unit(metric);
    let Some(day) = incident.day().cloned() else {
        return ().into_any();
    };
    let found = words::parts(&incident.decomposition);
    if found.is_empty() {
        return view! {
            <section class="cell" aria-labelledby="split-title">
                <div class="head"><h2 id="split-title">"Where the change comes from"</h2></div>
                <p class="dim">"This metric has no parts that add up."</p>
            </section>
        }
        .into_any();
    }
    let parts: Vec<(String, f64, String)> = found
        .iter()
        .map(|part| {
            (
                words::term_words(part.kind).to_owned(),
                part.amount,
                part.because(),
            )
        })
        .collect();
    let (from, to) = (day.baseline.as_f64(), day.actual.as_f64());
    // What the bars reach, from the least to the most on the way.
    let mut at = from;
    let (mut least, mut most) = (0.0_f64.min(to), from.max(to));
    for (_, amount, _) in &parts {
        at += amount;
        (least, most) = (least.min(at), most.max(at));
    }
    let scale = Scale { least, most };
    let mut at = from;
    let rows = parts
        .iter()
        .map(|(name, amount, why)| {
            let begin = at;
            at += amount;
            let drawing = scale.part(begin, at);
            let is_nil = amount.abs() < (to - from).abs() / 200.0;
            view! {
                <tr class=is_nil.then_some("nil")>
                    <th class="main" scope="row">{name.clone()}</th>
                    <td class="n t" title=exact(unit, *amount)>{words::difference(metric, *amount)}</td>
                    <td class="b-cell"><svg class="bridge" height=HEIGHT_PX.to_string() aria-hidden="true" inner_html=drawing></svg></td>
                    <td class="say hide-s">{why.clone()}</td>
                </tr>
            }
        })
        .collect_view();
    let sum = sum_text(&day.baseline, &parts, &day.actual, unit);
    let delta = words::difference(metric, to - from);
    let per = words::per(metric);
    let date = day.date;
    let whole = |name: &'static str, amount: Amount, class: &'static str, why: AnyView| {
        view! {
            <tr class="sum">
                <th class="main" scope="row">{name}</th>
                <td class="n t" title=exact(unit, amount.as_f64())>{words::value(metric, amount)}</td>
                <td class="b-cell">
                    <svg class="bridge" height=HEIGHT_PX.to_string() aria-hidden="true" inner_html=scale.whole(amount.as_f64(), class)></svg>
                </td>
                <td class="say hide-s">{why}</td>
            </tr>
        }
    };
    view! {
        <section class="cell" aria-labelledby="split-title">
            <div class="head">
                <h2 id="split-title">{format!("Where {delta}{per} comes from")}</h2>
                <span class="sub">"nested split of the first day, no residual"</span>
            </div>
            <div class="scroll-x" tabindex="0" role="region" aria-label="Parts of the change">
                <table class="table bridge-t">
                    <thead>
                        <tr>
                            <th scope="col">"Part"</th>
                            <th class="n" scope="col">"Amount"</th>
                            <th scope="col"><span class="vh">"Bar"</span></th>
                            <th class="hide-s" scope="col">"Because"</th>
                        </tr>
                    </thead>
                    <tbody>
                        {whole("Baseline", day.baseline, "r-base", "the days before, the same hours".into_any())}
                        {rows}
                        {whole("That day", day.actual, "r-now", view! { "the day that began "<Time at=date/> }.into_any())}
                    </tbody>
                </table>
            </div>
            <p class="dim num bridge-sum">{sum}</p>
        </section>
    }
    .into_any()
}

/// The whole value, for the title.
fn exact(unit: MetricUnit, amount: f64) -> String {
    match unit {
        MetricUnit::NanoUsd => format!("${}", domain::NanoUsd(amount.round() as i64).to_decimal()),
        _ => format!("{amount}"),
    }
}

/// `$4.26 + $3.34 + … = $17.40`, exact, so that anybody can add it up.
fn sum_text(baseline: &Amount, parts: &[(String, f64, String)], actual: &Amount, unit: MetricUnit) -> String {
    if unit != MetricUnit::NanoUsd {
        return "The parts add up exactly; there is no residual.".to_owned();
    }
    let dollars = |nano: f64| format!("${}", domain::NanoUsd(nano.round() as i64).to_decimal());
    let mut text = dollars(baseline.as_f64());
    for (_, amount, _) in parts {
        let sign = if *amount < 0.0 { "−" } else { "+" };
        _ = write!(text, " {sign} {}", dollars(amount.abs()));
    }
    _ = write!(
        text,
        " = {}. The parts add up exactly; there is no residual.",
        dollars(actual.as_f64())
    );
    text
}

#[derive(Clone, Copy)]
struct Scale {
    least: f64,
    most: f64,
}

impl Scale {
    fn x(self, value: f64) -> f64 {
        let span = self.most - self.least;
        if span > 0.0 {
            (value - self.least) / span * 100.0
        } else {
            0.0
        }
    }

    /// From where the part before ends to where this one does.
    fn part(self, from: f64, to: f64) -> String {
        let (a, b) = (self.x(from), self.x(to));
        let class = if to >= from { "od-up" } else { "od-down" };
        format!(
            r#"<rect class="{class}" x="{:.2}%" y="3" width="{:.2}%" height="10"/><line class="join" x1="{b:.2}%" x2="{b:.2}%" y1="3" y2="29"/>"#,
            a.min(b),
            (a - b).abs().max(0.2)
        )
    }

    fn whole(self, value: f64, class: &str) -> String {
        let (zero, end) = (self.x(0.0), self.x(value));
        let join = if class == "r-base" {
            format!(r#"<line class="join" x1="{end:.2}%" x2="{end:.2}%" y1="3" y2="29"/>"#)
        } else {
            String::new()
        };
        format!(
            r#"<rect class="{class}" x="{:.2}%" y="3" width="{:.2}%" height="10"/>{join}"#,
            zero.min(end),
            (zero - end).abs().max(0.2)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_can_be_checked_by_hand() {
        let parts = vec![
            ("Volume".to_owned(), 3_340_000_000.0, String::new()),
            ("Output length".to_owned(), -40_000_000.0, String::new()),
        ];
        assert_eq!(
            sum_text(
                &Amount::Whole(4_260_000_000),
                &parts,
                &Amount::Whole(7_560_000_000),
                MetricUnit::NanoUsd
            ),
            "$4.26 + $3.34 − $0.04 = $7.56. The parts add up exactly; there is no residual."
        );
    }

    #[test]
    fn bars_lie_on_one_scale() {
        let scale = Scale {
            least: 0.0,
            most: 10.0,
        };
        assert!(
            scale
                .part(4.0, 7.0)
                .contains(r#"x="40.00%" y="3" width="30.00%""#)
        );
        assert!(
            scale
                .part(7.0, 6.0)
                .contains(r#"x="60.00%" y="3" width="10.00%""#)
        );
        assert!(
            scale
                .whole(4.0, "r-base")
                .contains(r#"x="0.00%" y="3" width="40.00%""#)
        );
    }
}

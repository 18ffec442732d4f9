//! Every cause beside the others: on one axis of odds, with a bar for each piece of evidence, and the rubric's confidence
//! next to it. Those that are cleared stay, with the reason: that is half of the answer.

use std::fmt::Write as _;

use leptos::prelude::*;

use crate::api::incidents::{Cause, Factor, IncidentView, RubricLine};
use crate::chart::escaped;
use crate::pages::effects::calls_view;
use crate::pages::incidents::probability_text;
use crate::ui::icon::Icon;
use crate::ui::links::deploy_href;
use crate::ui::time::Time;

/// The axis reaches from one in so many to so many to one, as powers of ten.
const LEAST_POWER: f64 = -2.5;
const MOST_POWER: f64 = 3.0;
const ROW_PX: u32 = 38;
/// About how much of the axis a character of its texts takes.
const CHAR_PERCENT: f64 = 1.5;

/// Where odds stand on the axis, in percent.
fn x(log_odds: f64) -> f64 {
    let power = log_odds / std::f64::consts::LN_10;
    ((power - LEAST_POWER) / (MOST_POWER - LEAST_POWER)).clamp(0.0, 1.0) * 100.0
}

/// `×12`, `÷3`, `×1.5`.
fn factor_text(log_odds: f64) -> String {
    let (sign, times) = if log_odds < 0.0 {
        ('÷', (-log_odds).exp())
    } else {
        ('×', log_odds.exp())
    };
    match times {
        ..3.0 => format!("{sign}{times:.1}"),
        3.0..1_000.0 => format!("{sign}{times:.0}"),
        _ => format!("{sign}{}", domain::text::grouped(times.min(1e9).round() as u64)),
    }
}

/// The section.
#[component]
pub(super) fn Causes(slug: String, view: IncidentView) -> impl IntoView {
    let deploys = view.causes.iter().filter(|cause| cause.is_deploy).count();
    let nulls = view.causes.len() - deploys;
    let note = format!(
        "{} and {nulls} causes without one; from the prior, evidence multiplies; the tick is the product",
        domain::text::counted(deploys as i64, "deploy")
    );
    let rows = view
        .causes
        .into_iter()
        .map(|cause| rows(&slug, cause))
        .collect_view();
    view! {
        <section class="cell flush" aria-labelledby="causes-title">
            <div class="head">
                <h2 id="causes-title">"What could have caused it"</h2>
                <span class="sub">{note}</span>
            </div>
            <table class="table causes">
                <thead>
                    <tr>
                        <th class="cs-m" scope="col"><span class="vh">"Kind"</span></th>
                        <th class="cs-n" scope="col">"Cause"</th>
                        <th class="cs-p" scope="col" aria-sort="descending">"Probability"</th>
                        <th class="cs-s" scope="col">
                            <span class="vh">"Evidence against and for, as factors"</span>
                            <svg class="plot odds-ax" height="14" aria-hidden="true" inner_html=axis()></svg>
                        </th>
                        <th class="cs-r" scope="col">"Rubric confidence"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
            <p class="cell-note dim">
                "The probability is how often a cause with such evidence is the right one. The rubric adds points, 0.05 time, 0.50 model, 0.30 prompt, 0.15 errors, at most 0.95; it is no probability, and neither knows of the other."
            </p>
        </section>
    }
}

fn axis() -> String {
    let mut out = String::new();
    for (power, text) in [(-2, "÷100"), (-1, "÷10"), (0, "×1"), (1, "×10"), (2, "×100")] {
        let at = x(f64::from(power) * std::f64::consts::LN_10);
        _ = write!(
            out,
            r#"<text x="{at:.2}%" y="11" text-anchor="middle">{text}</text>"#
        );
    }
    out
}

/// The prior in grey, then what speaks for it to the right and what speaks against it to the left, and a tick where that
/// ends.
fn drawing(cause: &Cause) -> String {
    let one = x(0.0);
    let mut out = format!(r#"<line class="zero" x1="{one:.2}%" x2="{one:.2}%" y1="0" y2="36"/>"#);
    let bar = |out: &mut String, class: &str, from: f64, to: f64| {
        let (a, b) = (x(from), x(to));
        _ = write!(
            out,
            r#"<rect class="{class}" x="{:.2}%" y="8" width="{:.2}%" height="10"/>"#,
            a.min(b),
            (a - b).abs().max(0.15)
        );
    };
    bar(&mut out, "od-pri", 0.0, cause.prior);
    let (win, against) = if cause.is_named {
        ("od-win", "od-not")
    } else {
        ("od-for", "od-not")
    };
    let mut at = cause.prior;
    let mut written_to = f64::NEG_INFINITY;
    let ordered = |negative: bool| {
        cause
            .factors
            .iter()
            .filter(move |factor| (factor.log_odds < 0.0) == negative)
    };
    for factor in ordered(true).chain(ordered(false)) {
        let from = at;
        at += factor.log_odds;
        bar(
            &mut out,
            if factor.log_odds < 0.0 { against } else { win },
            from,
            at,
        );
        let begin = x(from.min(at));
        let text = factor_text(factor.log_odds);
        if begin > written_to {
            _ = write!(
                out,
                r#"<text class="t2" x="{begin:.2}%" dx="2" y="32">{}<tspan class="odds-n" dx="4">{}</tspan></text>"#,
                text,
                escaped(&factor.label)
            );
            written_to =
                begin + CHAR_PERCENT * (text.chars().count() + factor.label.chars().count() + 2) as f64;
        }
    }
    let net = x(cause.net());
    _ = write!(
        out,
        r#"<line class="od-net" x1="{net:.2}%" x2="{net:.2}%" y1="4" y2="22"/>"#
    );
    out
}

fn bar(share: f64, class: &str) -> String {
    format!(
        r#"<rect class="track" width="100%" height="6" rx="1"/><rect class="{class}" width="{:.1}%" height="6" rx="1"/>"#,
        share.clamp(0.0, 1.0) * 100.0
    )
}

fn rows(slug: &str, cause: Cause) -> impl IntoView + use<> {
    let is_named = cause.is_named;
    let drawing = drawing(&cause);
    let mark = match (cause.is_deploy, is_named) {
        (true, true) => r#"<path class="bob cause" d="M0 6.9L-4.6 0.69 0 -4.6 4.6 0.69z"/>"#,
        (true, false) => r#"<path class="bob" d="M0 6.9L-4.6 0.69 0 -4.6 4.6 0.69z"/>"#,
        (false, true) => r#"<circle class="ring cause" cy="1" r="4"/>"#,
        (false, false) => r#"<circle class="ring" cy="1" r="4"/>"#,
    };
    let name = match &cause.deploy_id {
        Some(deploy) => view! { <a href=deploy_href(slug, deploy)>{cause.name.clone()}</a> }.into_any(),
        None => cause.name.clone().into_any(),
    };
    let badge = match (is_named, &cause.cleared_because, cause.is_deploy) {
        (true, ..) => {
            view! { <span class="badge" data-tone="accent"><Icon name="check"/>"named"</span> }.into_any()
        }
        (false, Some(_), _) => {
            view! { <span class="badge" data-tone="line"><Icon name="check"/>"cleared"</span> }.into_any()
        }
        (false, None, false) => view! { <span class="dim">"no deploy"</span> }.into_any(),
        (false, None, true) => ().into_any(),
    };
    let when = cause.rolled_out.map(|(from, to)| {
        view! { <span class="cs-say dim">"rolled out "<Time at=from/>" → "<Time at=to/></span> }
    });
    let confidence = match cause.confidence {
        Some(confidence) => view! {
            <span class="row">
                <b class="num">{format!("{confidence:.2}")}</b>
                <svg class="confbar" height="6" aria-hidden="true" inner_html=bar(confidence, "e-model")></svg>
            </span>
        }
        .into_any(),
        None => view! { <span class="none">"–"</span> }.into_any(),
    };
    let say = cause
        .factors
        .is_empty()
        .then(|| view! { <span class="vh">"nothing speaks for or against it"</span> });
    let details = (!cause.factors.is_empty() || !cause.rubric.is_empty()).then(|| {
        let items = cause.factors.iter().map(factor_item).collect_view();
        let rubric = (!cause.rubric.is_empty()).then(|| rubric_table(&cause.rubric));
        let summary = format!(
            "Evidence: {}{}",
            domain::text::counted(cause.factors.len() as i64, "factor"),
            if cause.rubric.is_empty() {
                ""
            } else {
                ", and the rubric"
            }
        );
        view! {
            <tr class="ev-row">
                <td></td>
                <td colspan="4">
                    <details open=is_named>
                        <summary>{summary}</summary>
                        <ol class="ev-list">{items}</ol>
                        {rubric}
                    </details>
                </td>
            </tr>
        }
    });
    view! {
        <tr class="cause-row" data-state=is_named.then_some("named")>
            <td class="cs-m"><svg class="bobi" width="12" height="14" viewBox="-6 -5 12 14" aria-hidden="true" inner_html=mark></svg></td>
            <td class="cs-n">
                <span class="main">{name}</span>
                {badge}
                {when}
                {cause.cleared_because.map(|reason| view! { <span class="cs-say">{reason}</span> })}
            </td>
            <td class="cs-p">
                <span class="row">
                    <b class="num">{probability_text(cause.probability)}</b>
                    <svg class="bar" height="6" aria-hidden="true" inner_html=bar(cause.probability, if is_named { "pb-win" } else { "pb" })></svg>
                </span>
            </td>
            <td class="cs-s">
                {say}
                <svg class="plot odds" height=ROW_PX.to_string() aria-hidden="true" inner_html=drawing></svg>
            </td>
            <td class="cs-r">{confidence}</td>
        </tr>
        {details}
    }
}

fn factor_item(factor: &Factor) -> impl IntoView + use<> {
    let calls = factor.samples.map(|(before, after)| {
        view! { {calls_view(before)}" and "{calls_view(after)}" calls" }
    });
    view! {
        <li>
            <b class="num">{factor_text(factor.log_odds)}</b>
            <span><b>{factor.label.clone()}</b>" "{factor.description.clone()}</span>
            <span class="num dim ev-n">{calls}</span>
        </li>
    }
}

fn rubric_table(lines: &[RubricLine]) -> impl IntoView + use<> {
    let calls = lines.first().map_or((0, 0), |line| line.calls);
    let rows = lines
        .iter()
        .map(|line| {
            let (icon, word) = if line.holds {
                ("check", "holds")
            } else {
                ("x", "does not hold")
            };
            let points = if line.holds {
                format!("+{:.2}", line.points)
            } else {
                "0".to_owned()
            };
            view! {
                <tr class=if line.holds { "hit-ev" } else { "no-ev" }>
                    <td><Icon name=icon/><span class="vh">{word}</span></td>
                    <td class="mono">{line.kind.clone()}</td>
                    <td class="n">{points}</td>
                    <td class="t wrap">{line.finding.clone()}</td>
                    <td>{line.before.clone().unwrap_or_else(|| "–".to_owned())}</td>
                    <td>{line.after.clone().unwrap_or_else(|| "–".to_owned())}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <div class="scroll-x cand-rubric" tabindex="0" role="region" aria-label="Rubric">
            <table class="table compact">
                <thead>
                    <tr>
                        <th scope="col"><span class="vh">"Holds"</span></th>
                        <th scope="col">"Rubric"</th>
                        <th class="n" scope="col">"Points"</th>
                        <th scope="col">"Finding"</th>
                        <th scope="col">"Before, "{calls_view(calls.0)}" calls"</th>
                        <th scope="col">"After, "{calls_view(calls.1)}" calls"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_read_as_times_and_divided_by() {
        let check = |times: f64, expected: &str| assert_eq!(factor_text(times.ln()), expected);
        check(12.2, "×12");
        check(1.5, "×1.5");
        check(1.0 / 3.0, "÷3");
        check(2_500.0, "×2,500");
    }

    #[test]
    fn the_tick_stands_where_the_factors_end() {
        let factor = |log_odds: f64| Factor {
            label: "time".to_owned(),
            log_odds,
            description: String::new(),
            samples: None,
        };
        let cause = Cause {
            name: "PR 2".to_owned(),
            deploy_id: None,
            is_deploy: true,
            rolled_out: None,
            probability: 0.9,
            confidence: None,
            is_named: true,
            cleared_because: None,
            prior: -std::f64::consts::LN_10,
            factors: vec![factor(std::f64::consts::LN_10), factor(std::f64::consts::LN_10)],
            rubric: Vec::new(),
        };
        assert!((cause.net() - std::f64::consts::LN_10).abs() < 1e-12);
        let at = x(std::f64::consts::LN_10);
        assert!(drawing(&cause).contains(&format!(r#"class="od-net" x1="{at:.2}%""#)));
    }
}

//! What becomes of the alerts, and what the figures are worth.

use domain::text::{counted, grouped};
use engine::backtest::{Fate, Mark, Report};
use leptos::prelude::*;

use super::backtest_context::BacktestContext;
use super::session::SessionState;
use crate::ui::icon::Icon;

/// How many alerts stay, go quiet or are new.
#[component]
pub(super) fn Fates(context: BacktestContext) -> impl IntoView {
    let figure =
        move |of: fn(&Report) -> usize| move || context.with(|_, tried| grouped(of(&tried.report) as u64));
    move || {
        let is_ready = matches!(context.session.state.get(), SessionState::Ready(_));
        is_ready.then(|| {
            view! {
                <ul class="bt-list">
                    <li>
                        <span class="row"><i class="bt-dot ch-stays"></i>"still alert"</span>
                        <b class="num">{figure(|report| report.still)}</b>
                    </li>
                    <li>
                        <span class="row"><i class="bt-dot ch-quiet"></i>"go quiet"</span>
                        <b class="num">{figure(Report::quiet)}</b>
                    </li>
                    <li class="sub-li">
                        <span>"marked noise"</span>
                        <span class="num">{figure(|report| report.quiet_noise)}</span>
                    </li>
                    <li class="sub-li" class:st-warn=move || context.with(|_, tried| tried.report.quiet_real > 0).unwrap_or(false)>
                        <span class="row"><Icon name="warning" class="sm"/>"marked real"</span>
                        <b class="num">{figure(|report| report.quiet_real)}</b>
                    </li>
                    <li class="sub-li">
                        <span>"not marked"</span>
                        <span class="num">{figure(|report| report.quiet_unmarked)}</span>
                    </li>
                    <li>
                        <span class="row"><i class="bt-dot ch-mark"></i>"newly alert"</span>
                        <b class="num">{figure(|report| report.new)}</b>
                    </li>
                    <li>
                        <span class="row"><i class="bt-dot ch-below"></i>"below both"</span>
                        <span class="num">{figure(|report| report.below)}</span>
                    </li>
                </ul>
            }
        })
    }
}

/// What the figures are worth.
#[component]
pub(super) fn Exactness(context: BacktestContext) -> impl IntoView {
    let lines = move || {
        context.with(|session, tried| {
            let recording = &session.recording;
            let mut lines = Vec::new();
            let stored = recording
                .window()
                .filter(|(_, step)| step.severity == domain::Severity::Critical)
                .count();
            if stored != tried.report.project_before {
                lines.push(format!(
                    "{} of the project were stored as critical, under the rules of their time.",
                    counted(stored as i64, "step")
                ));
            }
            let incomplete = tried.outcome.incomplete;
            if incomplete > 0 {
                lines.push(format!(
                    "{} stopped at layer 1 to 3 when they were scored: later layers were not evaluated, so their totals may be higher.",
                    counted(incomplete as i64, "step")
                ));
            }
            lines.push(format!(
                "Layers 1, 4 and 5 are computed exactly, except for the codes of layer 4 about texts (4006, 4008, 4009, 4011, 4012); those and layers 2 and 3 are as stored. The newest {} with texts are scored again in full. A code that was off when an older step arrived is missing from it.",
                counted(recording.texts.len() as i64, "model call")
            ));
            lines
        })
    };
    move || {
        lines().map(|lines| {
            let lines = lines
                .into_iter()
                .map(|line| view! { <p>{line}</p> })
                .collect_view();
            view! { <div class="dim small bt-notes">{lines}</div> }
        })
    }
}

/// What becomes of a step, in words.
pub(super) fn word(fate: Fate, mark: Option<Mark>) -> &'static str {
    match (fate, mark) {
        (Fate::Still, _) => "still alert",
        (Fate::Quiet, Some(Mark::Real)) => "goes quiet, marked real",
        (Fate::Quiet, Some(Mark::Noise)) => "goes quiet, marked noise",
        (Fate::Quiet, None) => "goes quiet",
        (Fate::New, _) => "newly alert",
        (Fate::Below, _) => "below both",
    }
}

//! The runs that other rules would have judged differently.

use domain::Timestamp;
use domain::text::counted;
use engine::backtest::ChangedRun;
use leptos::prelude::*;

use super::backtest_context::BacktestContext;
use super::fates::word;
use super::session::BacktestSession;
use crate::ui::links::run_href;
use crate::ui::time::Time;

const MAX_ROWS: usize = 20;

/// A run that changes, as its row shows it.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    run: String,
    step_name: String,
    change: ChangedRun,
}

/// The table, newest first; nothing while nothing changes.
#[component]
pub(super) fn ChangedRuns(context: BacktestContext) -> impl IntoView {
    let slug = context.page.slug;
    let rows = Memo::new(move |_| {
        context
            .with(|session, tried| {
                let changed = &tried.report.changed;
                let rows: Vec<Row> = changed
                    .iter()
                    .take(MAX_ROWS)
                    .map(|change| row(session, *change))
                    .collect();
                (rows, changed.len())
            })
            .unwrap_or_default()
    });
    move || {
        let (rows, n) = rows.get();
        if rows.is_empty() {
            return ().into_any();
        }
        let shown = rows.len();
        let rows = rows
            .into_iter()
            .map(
                |Row {
                     run,
                     step_name,
                     change,
                 }| {
                    let href = run_href(&slug.read(), &run);
                    let others = (change.steps > 1)
                        .then(|| format!(" and {}", counted(i64::from(change.steps) - 1, "other step")));
                    let at = Timestamp::from_micros(change.at_ms.saturating_mul(1_000));
                    view! {
                        <tr>
                            <td class="main"><a href=href>{run}</a></td>
                            <td>{step_name}{others}</td>
                            <td class="num"><Time at=at/></td>
                            <td class="n">{change.before.to_string()}</td>
                            <td class="n">{change.after.to_string()}</td>
                            <td>{word(change.fate, change.mark)}</td>
                        </tr>
                    }
                },
            )
            .collect_view();
        let newest = (shown < n)
            .then(|| view! { <p class="dim small">{format!("The newest {shown} of them are listed.")}</p> });
        view! {
            <div class="bt-changed">
                <h3 id="bt-changed">{format!("{} change", counted(n as i64, "run"))}</h3>
                {newest}
                <div class="scroll-x" tabindex="0" role="region" aria-labelledby="bt-changed">
                    <table class="table compact">
                        <caption class="vh">"Runs with an alert that changes, newest first"</caption>
                        <thead>
                            <tr>
                                <th scope="col">"Run"</th>
                                <th scope="col">"Step"</th>
                                <th scope="col">"Time"</th>
                                <th scope="col" class="n">"Now"</th>
                                <th scope="col" class="n">"As tried"</th>
                                <th scope="col">"Becomes"</th>
                            </tr>
                        </thead>
                        <tbody>{rows}</tbody>
                    </table>
                </div>
            </div>
        }
        .into_any()
    }
}

fn row(session: &BacktestSession, change: ChangedRun) -> Row {
    let recording = &session.recording;
    let series = recording
        .steps
        .get(change.step as usize)
        .map(|step| step.series as usize);
    Row {
        run: recording
            .runs
            .get(change.run as usize)
            .cloned()
            .unwrap_or_default(),
        step_name: series
            .and_then(|series| recording.series.get(series))
            .map(|series| series.step_name.clone())
            .unwrap_or_default(),
        change,
    }
}

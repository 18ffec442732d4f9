//! The steps of the last days, loaded into the browser, to be scored again whenever the slider moves.

#[cfg(target_arch = "wasm32")]
use std::sync::Arc;

use engine::Rules;
use engine::backtest::{Backtest, Outcome, Recording, Report};
use leptos::prelude::*;

/// The steps and what the rules in force say about them.
pub(super) struct BacktestSession {
    pub(super) recording: Recording,
    /// The verdicts of the rules in force.
    pub(super) in_force: Outcome,
    backtest: Backtest,
}

/// What other rules would have said.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Trial {
    /// Alerts before and after.
    pub(super) report: Report,
    pub(super) outcome: Outcome,
    /// How long judging took, in milliseconds.
    pub(super) took_ms: f64,
}

impl BacktestSession {
    #[cfg(any(target_arch = "wasm32", test))]
    pub(super) fn new(recording: Recording, rules: &Rules) -> Self {
        let mut backtest = Backtest::new(&recording.rows());
        backtest.remember(rules);
        Self {
            in_force: backtest.run(rules),
            recording,
            backtest,
        }
    }

    /// Judges all steps with these rules; `key` narrows what is reported.
    pub(super) fn try_rules(&self, rules: &Rules, key: Option<&str>) -> Trial {
        let began = now_ms();
        let outcome = self.backtest.run(rules);
        // A key that no step has came with an old address: then nothing is left.
        let key = key.map(|key| {
            let place = self.recording.keys.iter().position(|known| known == key);
            place.map_or(u32::MAX, |place| place as u32)
        });
        let report = Report::of(&self.recording, &self.in_force, &outcome, key);
        Trial {
            report,
            outcome,
            took_ms: now_ms() - began,
        }
    }
}

/// A lab that is there once and looked at by many.
#[derive(Clone)]
pub(super) struct SharedSession(std::sync::Arc<BacktestSession>);

impl std::ops::Deref for SharedSession {
    type Target = BacktestSession;

    fn deref(&self) -> &BacktestSession {
        &self.0
    }
}

/// How far the reading has come.
#[derive(Clone)]
#[cfg_attr(
    not(target_arch = "wasm32"),
    expect(dead_code, reason = "only the browser reads steps")
)]
pub(super) enum SessionState {
    /// The steps are being read; always so on the server.
    Reading,
    /// They could not be read.
    Failed(crate::error::ApiError),
    /// The loading was cancelled.
    Stopped,
    /// They are here.
    Ready(SharedSession),
}

/// The steps of the last `days` days, read once in the browser.
#[derive(Clone, Copy)]
pub(super) struct SessionLoader {
    /// How far it has come.
    pub(super) state: RwSignal<SessionState>,
    /// Counts the readings that were asked for.
    again: RwSignal<u32>,
    /// Whether the reading is to end.
    stopped: RwSignal<bool>,
}

impl SessionLoader {
    /// Reads once more.
    pub(super) fn read_again(self) {
        self.stopped.set(false);
        self.state.set(SessionState::Reading);
        self.again.update(|count| *count += 1);
    }

    /// Ends the reading.
    pub(super) fn stop(self) {
        self.stopped.set(true);
        self.state.set(SessionState::Stopped);
    }
}

/// Begins to read as soon as the browser has attached.
pub(super) fn use_backtest_session(slug: Memo<String>, days: u32, rules: Rules) -> SessionLoader {
    let reader = SessionLoader {
        state: RwSignal::new(SessionState::Reading),
        again: RwSignal::new(0),
        stopped: RwSignal::new(false),
    };
    #[cfg(target_arch = "wasm32")]
    Effect::new(move |_| {
        reader.again.track();
        let (slug, rules) = (slug.get(), rules.clone());
        let (reading, abort) = futures::future::abortable(browser::read(slug, days));
        let stop = abort.clone();
        Effect::new(move |_| {
            if reader.stopped.get() {
                stop.abort();
            }
        });
        leptos::task::spawn_local(async move {
            let Ok(read) = reading.await else { return };
            let state = match read {
                Ok(recording) => {
                    SessionState::Ready(SharedSession(Arc::new(BacktestSession::new(recording, &rules))))
                }
                Err(error) => SessionState::Failed(error),
            };
            reader.state.try_set(state);
        });
        on_cleanup(move || abort.abort());
    });
    #[cfg(not(target_arch = "wasm32"))]
    let _only_in_the_browser = (slug, days, rules);
    reader
}

/// The browser's stop watch, in milliseconds.
fn now_ms() -> f64 {
    #[cfg(target_arch = "wasm32")]
    {
        window()
            .performance()
            .map_or(0.0, |performance| performance.now())
    }
    #[cfg(not(target_arch = "wasm32"))]
    {
        0.0
    }
}

#[cfg(target_arch = "wasm32")]
mod browser {
    use domain::filter::encode_query;
    use engine::backtest::Recording;
    use gloo_net::http::Request;

    use crate::error::ApiError;

    pub(super) async fn read(slug: String, days: u32) -> Result<Recording, ApiError> {
        let days = days.to_string();
        let query = encode_query([("project", slug.as_str()), ("days", days.as_str())]);
        let answer = Request::get(&format!("/api/backtest?{query}")).send().await;
        let answer = answer.map_err(|_offline| ApiError::Unreachable)?;
        let request_id = answer.headers().get("x-request-id").unwrap_or_default();
        match answer.status() {
            200 => {}
            401 => return Err(ApiError::Unauthorized),
            404 => return Err(ApiError::NotFound),
            429 => return Err(ApiError::Busy),
            503 => return Err(ApiError::Unavailable { request_id }),
            504 => return Err(ApiError::TimedOut { request_id }),
            _ => return Err(ApiError::Internal { request_id }),
        }
        let bytes = answer.binary().await.map_err(|_offline| ApiError::Unreachable)?;
        Recording::decode(&bytes).ok_or(ApiError::Internal { request_id })
    }
}

#[cfg(test)]
mod tests {
    use engine::Threshold;
    use engine::backtest::{Series, Step};

    use super::*;

    #[test]
    fn an_unknown_key_has_no_alerts() {
        let step = Step {
            codes: vec![2001, 3014],
            ..Step::default()
        };
        let recording = Recording {
            runs: vec!["r".to_owned()],
            keys: vec!["prod".to_owned()],
            series: vec![Series::default()],
            steps: vec![step],
            ..Recording::default()
        };
        let rules = Rules {
            threshold: Threshold::Fixed(60),
            ..Rules::default()
        };
        let session = BacktestSession::new(recording, &Rules::default());
        let after = |key: Option<&str>| session.try_rules(&rules, key).report.after;
        assert_eq!([after(None), after(Some("prod")), after(Some("gone"))], [1, 1, 0]);
    }
}

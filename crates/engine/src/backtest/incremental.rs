//! What a run learned, kept so that the next one learns again only where it differs.
//!
//! Limits and bands follow from which steps were usable, and a slider that moves by a notch changes that for a few
//! steps. As long as the last steps of a window were judged as they were remembered, what was learned from them is
//! as remembered too; after a difference the window is filled again and followed exactly until it has left it.

use super::{BAND_METRICS, Packed};
use crate::band::{MIN_DISTANCES, departure, has_baseline};
use crate::history::{RECENT_STEPS, RecentStep, RecentSteps, STEP_SAMPLES, StepMetric, StepSamples};
use crate::layer4::cache_collapsed;
use crate::limits::{Limits, threshold};
use crate::rules::{Rules, Threshold};

/// What was known when a row was judged, and how it was judged.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Learned {
    pub(super) bands: Bands,
    pub(super) bar: LearnedBar,
    pub(super) is_usable: bool,
    pub(super) total: i32,
}

/// Layer 5 and code 4014 of one row: which metrics have a band, which values left it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bands(u8);

impl Bands {
    /// Whether latency, tokens or cost has a band.
    pub(super) fn has_band(self, metric: usize) -> bool {
        self.0 >> metric & 1 == 1
    }

    /// Whether latency, tokens, cost or output tokens left its band.
    pub(super) fn is_outside(self, metric: usize) -> bool {
        self.0 >> (3 + metric) & 1 == 1
    }

    /// Whether the cache's share collapsed.
    pub(super) fn cache_collapsed(self) -> bool {
        self.0 >> 7 == 1
    }

    fn of(row: &Packed, samples: &StepSamples) -> Self {
        let mut bits = 0u8;
        for (index, metric) in BAND_METRICS.into_iter().enumerate() {
            let is_outside =
                departure(samples.metric(metric), row.metrics[index], MIN_DISTANCES[index]).is_some();
            bits |= u8::from(is_outside) << (3 + index);
            if index < 3 {
                bits |= u8::from(has_baseline(Some(samples), metric)) << index;
            }
        }
        let [.., cache_permille] = row.metrics;
        let sample = samples.metric(StepMetric::CachePermille);
        let collapsed =
            cache_permille.is_some() && cache_collapsed(sample, row.input_tokens, cache_permille).is_some();
        Self(bits | u8::from(collapsed) << 7)
    }
}

/// Limits (microseconds, tokens, nano-dollars) and threshold as the last steps would set them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LearnedBar {
    pub(super) limits: [f64; 3],
    pub(super) threshold: i32,
}

impl LearnedBar {
    fn of(recent: &RecentSteps) -> Self {
        let rules = Rules {
            threshold: Threshold::Dynamic,
            ..Rules::default()
        };
        let limits = Limits::of(recent, &rules);
        Self {
            // Rows keep microseconds. Nano-dollars are exact in a float up to nine million dollars a step.
            limits: [
                limits.latency_ms.limit * 1_000.0,
                limits.tokens.limit,
                limits.cost_nano_usd.limit.0 as f64,
            ],
            threshold: threshold(recent, &rules),
        }
    }
}

/// A window of the last rows of one kind that is either as remembered or followed exactly.
#[derive(Clone, Debug, Default)]
enum Window<S> {
    #[default]
    AsRemembered,
    Exact {
        state: S,
        /// Rows since the last one that was judged differently.
        alike: usize,
    },
}

/// The samples of every series while rows are judged in order.
pub(super) struct SeriesWindows<'b> {
    rows: &'b [Packed],
    /// The rows of each series.
    members: &'b [Vec<u32>],
    memory: &'b [Learned],
    windows: Vec<Window<StepSamples>>,
}

impl<'b> SeriesWindows<'b> {
    /// Without a memory every window is exact from the beginning.
    pub(super) fn new(rows: &'b [Packed], members: &'b [Vec<u32>], memory: &'b [Learned]) -> Self {
        let first = || {
            if memory.is_empty() {
                Window::Exact {
                    state: StepSamples::default(),
                    alike: 0,
                }
            } else {
                Window::AsRemembered
            }
        };
        Self {
            rows,
            members,
            memory,
            windows: members.iter().map(|_| first()).collect(),
        }
    }

    /// What layer 5 knows of a row.
    pub(super) fn bands(&self, index: usize, row: &Packed) -> Bands {
        match self.windows.get(row.series as usize) {
            Some(Window::Exact { state, .. }) => Bands::of(row, state),
            _ => self
                .memory
                .get(index)
                .map(|learned| learned.bands)
                .unwrap_or_default(),
        }
    }

    /// Adds a row that has been judged.
    pub(super) fn push(&mut self, index: usize, row: &Packed, is_usable: bool) {
        let Some(window) = self.windows.get_mut(row.series as usize) else {
            return;
        };
        let is_alike = self
            .memory
            .get(index)
            .is_some_and(|learned| learned.is_usable == is_usable);
        match window {
            Window::AsRemembered if is_alike => {}
            Window::AsRemembered => {
                let mut state = StepSamples::default();
                let members = self
                    .members
                    .get(row.series as usize)
                    .map_or(&[][..], Vec::as_slice);
                let end = row.place_in_series as usize;
                let start = (end + 1).saturating_sub(STEP_SAMPLES);
                for before in members.get(start..end).unwrap_or(&[]) {
                    let before = *before as usize;
                    if let (Some(row), Some(learned)) = (self.rows.get(before), self.memory.get(before)) {
                        state.push_values(row.metrics, learned.is_usable, false);
                    }
                }
                state.push_values(row.metrics, is_usable, false);
                *window = Window::Exact { state, alike: 0 };
            }
            Window::Exact { state, alike } => {
                state.push_values(row.metrics, is_usable, false);
                *alike = if is_alike { *alike + 1 } else { 0 };
                if *alike >= STEP_SAMPLES {
                    *window = Window::AsRemembered;
                }
            }
        }
    }
}

/// The project's last model calls while rows are judged in order.
pub(super) struct RecentWindow<'b> {
    rows: &'b [Packed],
    /// The rows that call a model.
    members: &'b [u32],
    memory: &'b [Learned],
    /// Whether totals matter: they set a dynamic threshold only.
    by_total: bool,
    window: Window<RecentSteps>,
    exact_bar: LearnedBar,
}

impl<'b> RecentWindow<'b> {
    /// Without a memory the window is exact from the beginning.
    pub(super) fn new(rows: &'b [Packed], members: &'b [u32], memory: &'b [Learned], by_total: bool) -> Self {
        let recent = RecentSteps::default();
        Self {
            exact_bar: LearnedBar::of(&recent),
            window: if memory.is_empty() {
                Window::Exact {
                    state: recent,
                    alike: 0,
                }
            } else {
                Window::AsRemembered
            },
            rows,
            members,
            memory,
            by_total,
        }
    }

    /// What is learned from the steps before a row. One beyond the last row is what its next step would find.
    pub(super) fn bar(&self, index: usize) -> LearnedBar {
        match (&self.window, self.memory.get(index)) {
            (Window::AsRemembered, Some(learned)) => learned.bar,
            _ => self.exact_bar,
        }
    }

    /// Adds a model call that has been judged.
    pub(super) fn push(&mut self, index: usize, row: &Packed, total: i32, is_usable: bool) {
        let is_alike = self.memory.get(index).is_some_and(|learned| {
            learned.is_usable == is_usable && (!self.by_total || learned.total == total)
        });
        match &mut self.window {
            Window::AsRemembered if is_alike => {}
            Window::AsRemembered => {
                let mut state = RecentSteps::default();
                let end = row.place_in_calls as usize;
                let start = (end + 1).saturating_sub(RECENT_STEPS);
                for before in self.members.get(start..end).unwrap_or(&[]) {
                    let before = *before as usize;
                    if let (Some(row), Some(learned)) = (self.rows.get(before), self.memory.get(before)) {
                        state.push(recent_step(row, learned.total, learned.is_usable));
                    }
                }
                state.push(recent_step(row, total, is_usable));
                self.exact_bar = LearnedBar::of(&state);
                self.window = Window::Exact { state, alike: 0 };
            }
            Window::Exact { state, alike } => {
                state.push(recent_step(row, total, is_usable));
                *alike = if is_alike { *alike + 1 } else { 0 };
                if *alike >= RECENT_STEPS {
                    self.window = Window::AsRemembered;
                } else {
                    self.exact_bar = LearnedBar::of(state);
                }
            }
        }
    }
}

fn recent_step(row: &Packed, total: i32, is_usable: bool) -> RecentStep {
    let [latency_us, tokens, cost, ..] = row.metrics;
    RecentStep {
        metrics: [latency_us, tokens, cost],
        total,
        is_usable,
    }
}

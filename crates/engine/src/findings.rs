//! Conditions as they are collected while the layers run.

use domain::{ByteRange, Condition, Place, Sample};

use crate::codes::Code;
use crate::rules::Rules;

/// Why a rule fired.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    pub(crate) message: String,
    pub(crate) observed: String,
    pub(crate) expected: String,
    pub(crate) place: Option<Place>,
    pub(crate) sample: Option<Sample>,
    /// Points on top of the code's own.
    pub(crate) extra_points: i32,
}

impl Evidence {
    pub(crate) fn new(
        message: impl Into<String>,
        observed: impl Into<String>,
        expected: impl Into<String>,
    ) -> Self {
        Self {
            message: message.into(),
            observed: observed.into(),
            expected: expected.into(),
            ..Self::default()
        }
    }

    pub(crate) fn at_bytes(self, start: usize, end: usize) -> Self {
        Self {
            place: Some(Place::at_bytes(start, end)),
            ..self
        }
    }

    /// Single bytes, the first of them first.
    pub(crate) fn at_each_byte(self, places: &[usize]) -> Self {
        let mut places = places.iter().map(|at| ByteRange {
            start: *at,
            end: at + 1,
        });
        let place = places.next().map(|first| Place::Bytes {
            start: first.start,
            end: first.end,
            more: places.collect(),
        });
        Self { place, ..self }
    }

    pub(crate) fn at_pointer(self, pointer: String) -> Self {
        Self {
            place: Some(Place::Pointer(pointer)),
            ..self
        }
    }

    pub(crate) fn with_sample(self, sample: Option<Sample>) -> Self {
        Self { sample, ..self }
    }

    pub(crate) fn with_extra_points(self, extra_points: i32) -> Self {
        Self { extra_points, ..self }
    }
}

/// The conditions so far and their sum.
pub(crate) struct Findings<'r> {
    pub(crate) rules: &'r Rules,
    pub(crate) conditions: Vec<Condition>,
    pub(crate) total: i32,
}

impl<'r> Findings<'r> {
    pub(crate) fn new(rules: &'r Rules) -> Self {
        Self {
            rules,
            conditions: Vec::new(),
            total: 0,
        }
    }

    /// Runs one rule, unless its code is muted or switched off, and notes a hit.
    pub(crate) fn check(&mut self, code: &Code, rule: impl FnOnce() -> Option<Evidence>) {
        if !self.rules.is_on(code) {
            return;
        }
        let Some(evidence) = rule() else { return };
        let points = self.rules.points_of(code).saturating_add(evidence.extra_points);
        self.total = self.total.saturating_add(points);
        self.conditions.push(Condition {
            code: code.code,
            layer: code.layer(),
            name: code.name.to_owned(),
            points,
            message: evidence.message,
            observed: evidence.observed,
            expected: evidence.expected,
            place: evidence.place,
            sample: evidence.sample,
        });
    }
}

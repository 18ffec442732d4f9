//! Where moments lie across the drawing: microseconds since the run's beginning, with idle gaps cut out on wish, and
//! the part of it that is seen.

/// A pause shorter than this is no gap, in microseconds.
const MIN_GAP_US: f64 = 100_000.0;
/// A gap is cut when it takes more of the run than this.
const MIN_GAP_SHARE: f64 = 0.04;
/// At most so many gaps are cut, the longest.
const MAX_CUTS: usize = 20;
/// What is left of all cut gaps together, as a share of the time that stays.
const KEPT_SHARE: f64 = 0.02;

/// A stretch without any work, drawn as a cut.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Cut {
    /// Where it begins and ends, in microseconds since the run's beginning.
    pub(crate) from_us: f64,
    pub(crate) to_us: f64,
    /// Where it begins on the axis, and how wide it is there.
    pub(crate) at: f64,
    pub(crate) width: f64,
}

/// From time to place and back. Both run in microseconds; without cuts they are the same.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Axis {
    length_us: f64,
    cuts: Vec<Cut>,
}

impl Axis {
    /// An axis of the whole run.
    pub(crate) fn whole(length_us: f64) -> Self {
        Self {
            length_us: length_us.max(1.0),
            cuts: Vec::new(),
        }
    }

    /// An axis on which long stretches without any of these spans (beginning, end) are cut.
    pub(crate) fn without_gaps(length_us: f64, spans: impl Iterator<Item = (f64, f64)>) -> Self {
        let mut axis = Self::whole(length_us);
        let mut spans: Vec<(f64, f64)> = spans.collect();
        spans.sort_by(|a, b| a.0.total_cmp(&b.0));
        let least = MIN_GAP_US.max(axis.length_us * MIN_GAP_SHARE);
        let mut gaps: Vec<(f64, f64)> = Vec::new();
        let mut busy_until = 0.0_f64;
        for (from, to) in spans {
            if from - busy_until >= least {
                gaps.push((busy_until, from));
            }
            busy_until = busy_until.max(to);
        }
        if axis.length_us - busy_until >= least {
            gaps.push((busy_until, axis.length_us));
        }
        gaps.sort_by(|a, b| (b.1 - b.0).total_cmp(&(a.1 - a.0)));
        gaps.truncate(MAX_CUTS);
        gaps.sort_by(|a, b| a.0.total_cmp(&b.0));
        let idle: f64 = gaps.iter().map(|(from, to)| to - from).sum();
        let width = (axis.length_us - idle).max(axis.length_us * 0.01) * KEPT_SHARE;
        let mut taken = 0.0;
        for (from_us, to_us) in gaps {
            let width = width.min(to_us - from_us);
            axis.cuts.push(Cut {
                from_us,
                to_us,
                at: from_us - taken,
                width,
            });
            taken += to_us - from_us - width;
        }
        axis
    }

    /// The cuts, in the order of time.
    pub(crate) fn cuts(&self) -> &[Cut] {
        &self.cuts
    }

    /// How long the cut time is, in microseconds.
    pub(crate) fn cut_us(&self) -> f64 {
        self.cuts.iter().map(|cut| cut.to_us - cut.from_us).sum()
    }

    /// The end of the axis.
    pub(crate) fn length(&self) -> f64 {
        self.place_of(self.length_us)
    }

    /// Where a moment lies.
    pub(crate) fn place_of(&self, at_us: f64) -> f64 {
        let mut taken = 0.0;
        for cut in &self.cuts {
            if at_us <= cut.from_us {
                break;
            }
            if at_us < cut.to_us {
                return cut.at + (at_us - cut.from_us) / (cut.to_us - cut.from_us) * cut.width;
            }
            taken += cut.to_us - cut.from_us - cut.width;
        }
        at_us - taken
    }

    /// Which moment lies at a place.
    pub(crate) fn time_at(&self, place: f64) -> f64 {
        let mut taken = 0.0;
        for cut in &self.cuts {
            if place <= cut.at {
                break;
            }
            if place < cut.at + cut.width {
                return cut.from_us + (place - cut.at) / cut.width * (cut.to_us - cut.from_us);
            }
            taken += cut.to_us - cut.from_us - cut.width;
        }
        place + taken
    }
}

/// Share of the width before the first step when all is seen.
const BEFORE: f64 = 0.012;
/// Share of the width that the whole run takes then; the rest is room for labels behind the last bars.
const TIME: f64 = 0.863;
/// The narrowest part, in microseconds.
const MIN_WIDTH_US: f64 = 10.0;

/// The part of an axis that is seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct View {
    pub(crate) from: f64,
    pub(crate) to: f64,
}

impl View {
    /// The whole run, with room for labels.
    pub(crate) fn whole(axis_length: f64) -> Self {
        let width = axis_length.max(1.0) / TIME;
        Self {
            from: -BEFORE * width,
            to: (1.0 - BEFORE) * width,
        }
    }

    pub(crate) fn width(&self) -> f64 {
        self.to - self.from
    }

    /// Held within what [`View::whole`] shows, and not narrower than can be drawn.
    pub(crate) fn clamped(self, axis_length: f64) -> Self {
        let whole = Self::whole(axis_length);
        let width = self.width().clamp(MIN_WIDTH_US.min(whole.width()), whole.width());
        let from = self.from.min(whole.to - width).max(whole.from);
        Self {
            from,
            to: from + width,
        }
    }

    /// Seen from nearer (`factor` below 1) or further, while the place at `share` of the width stays where it is.
    pub(crate) fn zoomed(self, factor: f64, share: f64, axis_length: f64) -> Self {
        let fixed = self.from + share * self.width();
        let whole = Self::whole(axis_length).width();
        let width = (self.width() * factor).clamp(MIN_WIDTH_US.min(whole), whole);
        Self {
            from: fixed - share * width,
            to: fixed + (1.0 - share) * width,
        }
        .clamped(axis_length)
    }

    /// Moved by a share of its width, to later (above 0) or earlier.
    pub(crate) fn moved(self, shares: f64, axis_length: f64) -> Self {
        let by = shares * self.width();
        Self {
            from: self.from + by,
            to: self.to + by,
        }
        .clamped(axis_length)
    }

    /// Where a place lies in a drawing of `width_px`, in pixels.
    pub(crate) fn x_of(&self, place: f64, width_px: f64) -> f64 {
        (place - self.from) / self.width() * width_px
    }

    /// The place at `x` of a drawing of `width_px`.
    #[cfg(any(target_arch = "wasm32", test))]
    pub(crate) fn place_at(&self, x: f64, width_px: f64) -> f64 {
        self.from + x / width_px.max(1.0) * self.width()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn spans() -> impl Strategy<Value = Vec<(f64, f64)>> {
        prop::collection::vec((0u32..9_000_000, 0u32..400_000), 0..30).prop_map(|spans| {
            spans
                .into_iter()
                .map(|(from, length)| (f64::from(from), f64::from(from + length)))
                .collect()
        })
    }

    proptest! {
        #[test]
        fn times_and_places_are_inverse_and_never_swap(spans in spans(), at in 0u32..9_400_000, later in 1u32..100_000) {
            let axis = Axis::without_gaps(9_400_000.0, spans.iter().copied());
            let (at, later) = (f64::from(at), f64::from(at + later));
            let place = axis.place_of(at);
            prop_assert!((axis.time_at(place) - at).abs() < 1.0, "{at} {place} {}", axis.time_at(place));
            prop_assert!(axis.place_of(later) > place);
            prop_assert!(place <= at + 1e-6);
        }

        #[test]
        fn nothing_that_happened_is_cut(spans in spans()) {
            let axis = Axis::without_gaps(9_400_000.0, spans.iter().copied());
            for (from, to) in spans {
                for cut in axis.cuts() {
                    prop_assert!(to <= cut.from_us || from >= cut.to_us);
                }
                prop_assert!((axis.place_of(to) - axis.place_of(from) - (to - from)).abs() < 1e-3);
            }
        }

        #[test]
        fn a_view_stays_within_the_run(
            moves in prop::collection::vec((0.01f64..3.0, 0.0f64..1.0, -3.0f64..3.0), 0..20),
            length in 1.0f64..1e12,
        ) {
            let whole = View::whole(length);
            let mut view = whole;
            for (factor, share, by) in moves {
                view = view.zoomed(factor, share, length).moved(by, length);
                prop_assert!(view.width() > 0.0 && view.width() <= whole.width() * 1.000_001);
                prop_assert!(view.from >= whole.from - length * 1e-6 && view.to <= whole.to + length * 1e-6);
            }
        }
    }

    #[test]
    fn zooming_keeps_what_is_under_the_pointer() {
        let view = View {
            from: 100.0,
            to: 300.0,
        }
        .zoomed(0.5, 0.25, 1_000.0);
        assert_eq!(
            view,
            View {
                from: 125.0,
                to: 225.0
            }
        );
        assert!((view.place_at(view.x_of(140.0, 800.0), 800.0) - 140.0).abs() < 1e-9);
    }

    #[test]
    fn a_wait_of_minutes_is_cut_to_a_sliver() {
        let spans = [(0.0, 1e6), (780e6, 781e6)];
        let axis = Axis::without_gaps(781e6, spans.into_iter());
        assert_eq!(axis.cuts().len(), 1);
        assert!((axis.cut_us() - 779e6).abs() < 1.0);
        assert!(axis.length() < 3e6, "{}", axis.length());
    }
}

//! What a timeline is painted on, and with which inks. The browser's canvas is one, a list in tests another.

use domain::{Severity, StepKind, StepStatus};

use super::draw::kind_place;

/// A colour by its role: a place in `INKS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Ink(pub(crate) u8);

/// What each ink is in the style sheet.
#[cfg(target_arch = "wasm32")]
pub(crate) const INKS: [&str; 36] = [
    "var(--kind-llm)",
    "var(--kind-tool)",
    "var(--kind-agent)",
    "var(--kind-chain)",
    "var(--kind-retrieval)",
    "var(--kind-embedding)",
    "var(--kind-guardrail)",
    "var(--kind-other)",
    "var(--cat-1)",
    "var(--cat-2)",
    "var(--cat-3)",
    "var(--cat-4)",
    "var(--cat-5)",
    "var(--cat-6)",
    "var(--cat-7)",
    "var(--cat-8)",
    "var(--layer-1)",
    "var(--layer-2)",
    "var(--layer-3)",
    "var(--layer-4)",
    "var(--layer-5)",
    "color-mix(in oklch, var(--text-3), var(--panel) 45%)",
    "var(--text)",
    "var(--text-2)",
    "var(--text-3)",
    "var(--grid)",
    "var(--line)",
    "var(--line-strong)",
    "var(--accent-bg)",
    "var(--accent)",
    "var(--mark)",
    "var(--warn-fg)",
    "var(--bad-fg)",
    "var(--critical-fg)",
    "var(--panel)",
    "var(--sunken)",
];

impl Ink {
    const FIRST_CATEGORY: u8 = 8;
    const FIRST_LAYER: u8 = 16;
    /// Nothing was found, or no model answered.
    pub(crate) const NEUTRAL: Self = Self(21);
    pub(crate) const TEXT: Self = Self(22);
    pub(crate) const TEXT_2: Self = Self(23);
    pub(crate) const TEXT_3: Self = Self(24);
    pub(crate) const GRID: Self = Self(25);
    pub(crate) const LINE_STRONG: Self = Self(27);
    pub(crate) const SELECTED: Self = Self(28);
    pub(crate) const ACCENT: Self = Self(29);
    pub(crate) const MARK: Self = Self(30);
    pub(crate) const WARN: Self = Self(31);
    pub(crate) const BAD: Self = Self(32);
    pub(crate) const CRITICAL: Self = Self(33);
    #[cfg(target_arch = "wasm32")]
    pub(crate) const PANEL: Self = Self(34);
    pub(crate) const SUNKEN: Self = Self(35);

    pub(crate) fn kind(kind: StepKind) -> Self {
        Self(kind_place(kind) as u8)
    }

    /// The n-th category; further ones share the last.
    pub(crate) fn category(n: usize) -> Self {
        Self(Self::FIRST_CATEGORY + n.min(7) as u8)
    }

    /// A layer, 1 to 5.
    pub(crate) fn layer(layer: u8) -> Self {
        Self(Self::FIRST_LAYER + layer.clamp(1, 5) - 1)
    }
}

/// What stands at the end of a bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Glyph {
    Critical,
    Failed,
    Warning,
    Running,
}

impl Glyph {
    /// What is wrong with a step; `None` for one that is as it should be.
    pub(crate) fn of(status: StepStatus, severity: Severity) -> Option<(Self, Ink)> {
        match (status, severity) {
            (_, Severity::Critical) => Some((Self::Critical, Ink::CRITICAL)),
            (StepStatus::Error, _) => Some((Self::Failed, Ink::BAD)),
            (_, Severity::Warning) => Some((Self::Warning, Ink::WARN)),
            (StepStatus::Running, _) => Some((Self::Running, Ink::ACCENT)),
            (StepStatus::Aborted, _) => Some((Self::Failed, Ink::TEXT_3)),
            (StepStatus::Ok, Severity::Ok) => None,
        }
    }
}

/// A plane of CSS pixels.
pub(crate) trait Surface {
    /// A filled rectangle; `alpha` from 0 to 1.
    fn rect(&mut self, ink: Ink, alpha: f64, at: Area);
    /// A stroked path; `dashed` in short dashes.
    fn path(&mut self, ink: Ink, width_px: f64, dashed: bool, points: &[(f64, f64)]);
    /// A text whose baseline begins at `x`, `y`; the width it takes.
    fn text(&mut self, ink: Ink, strong: bool, x: f64, y: f64, text: &str) -> f64;
    /// A mark 14 px square, from its top left corner.
    fn glyph(&mut self, glyph: Glyph, ink: Ink, x: f64, y: f64);
}

/// A rectangle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Area {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
}

impl Area {
    pub(crate) const fn new(x: f64, y: f64, width: f64, height: f64) -> Self {
        Self { x, y, width, height }
    }
}

/// What was painted, in words.
#[cfg(test)]
#[derive(Default)]
pub(crate) struct Recorder(pub(crate) Vec<Painted>);

#[cfg(test)]
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Painted {
    Rect(Ink, Area),
    Path(Ink, Vec<(f64, f64)>),
    Text(String),
    Glyph(Glyph, f64, f64),
}

#[cfg(test)]
impl Surface for Recorder {
    fn rect(&mut self, ink: Ink, _: f64, at: Area) {
        self.0.push(Painted::Rect(ink, at));
    }
    fn path(&mut self, ink: Ink, _: f64, _: bool, points: &[(f64, f64)]) {
        self.0.push(Painted::Path(ink, points.to_vec()));
    }
    fn text(&mut self, _: Ink, _: bool, _: f64, _: f64, text: &str) -> f64 {
        self.0.push(Painted::Text(text.to_owned()));
        text.len() as f64 * 6.0
    }
    fn glyph(&mut self, glyph: Glyph, _: Ink, x: f64, y: f64) {
        self.0.push(Painted::Glyph(glyph, x, y));
    }
}

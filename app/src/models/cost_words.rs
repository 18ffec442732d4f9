//! What a window cost, in a sentence.

use domain::series::Metric;

use super::rollout_words::ratio;

/// What a window is compared with, in words.
pub(crate) struct Compared {
    within: String,
    as_before: String,
    against: String,
}

impl Compared {
    /// With the one of the same length before it; `window` is its length.
    pub(crate) fn with_before(window: &str) -> Self {
        Self {
            within: format!("in {window}"),
            as_before: format!("as in the {window} before"),
            against: format!("against the {window} before"),
        }
    }

    /// Around a deploy.
    pub(crate) fn since(deploy: &str) -> Self {
        Self {
            within: format!("since {deploy}"),
            as_before: "as in as long before it".to_owned(),
            against: format!("since {deploy} against as long before it"),
        }
    }
}

/// `Cost rose ×2.5 against the 30 days before: $8.66 → $21.87`. What is `None` is unknown.
pub(crate) fn cost_moved(now: Option<f64>, before: Option<f64>, compared: &Compared) -> String {
    let text = |value: f64| engine::series::text(value, Metric::Cost.unit());
    let Compared {
        within,
        as_before,
        against,
    } = compared;
    match (now, before) {
        (Some(now), Some(before)) if before > 0.0 => {
            let change = now / before - 1.0;
            if change.abs() < 0.05 {
                format!("{} {within}, about {as_before}", text(now))
            } else {
                let verb = if change > 0.0 { "rose" } else { "fell" };
                let by = ratio(change);
                let by = by.trim_start_matches(['+', '−']);
                format!("Cost {verb} {by} {against}: {} → {}", text(before), text(now))
            }
        }
        (Some(now), _) => format!("{} {within}, and nothing to compare it with", text(now)),
        (None, _) => format!("No known cost {within}"),
    }
}

/// Why no deploy is named: how many there are, and how many of them were compared with what was before.
pub(crate) fn nothing_worse(deploys: usize, compared: usize) -> String {
    match (deploys, compared) {
        (0, _) => {
            "No deploy is recorded in this window. POST /api/deploys, one line in any CI, tells what ships."
                .to_owned()
        }
        (_, 0) => "None of the deploys in this window went live.".to_owned(),
        (1, _) => "Nothing got clearly worse after the one deploy in this window.".to_owned(),
        (all, compared) if compared < all => {
            format!("Nothing got clearly worse after the latest {compared} of {all} deploys in this window.")
        }
        (all, _) => format!("Nothing got clearly worse after any of the {all} deploys in this window."),
    }
}

/// Thousandths as a change: `+12.3 %`, `−1.0 %`.
pub(crate) fn signed_percent(permille: i64) -> String {
    let sign = if permille < 0 { "−" } else { "+" };
    let tenths = permille.unsigned_abs();
    format!("{sign}{}.{} %", tenths / 10, tenths % 10)
}

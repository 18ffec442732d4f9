//! The latest calls of one step as dots beside each other, and the band they usually lie in: no axes, no texts.

use std::fmt::Write as _;

use engine::usual_range::UsualRange;

/// Height in CSS pixels.
const HEIGHT: f64 = 32.0;
/// Room above and below, so that dots at the ends are whole.
const EDGE: f64 = 4.0;

/// A call as a dot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct CallDot {
    /// `None`: not known, so nothing is drawn.
    pub(crate) value: Option<f64>,
    /// It failed, or something critical was found.
    pub(crate) is_bad: bool,
}

/// What stands inside an `<svg class="spark">` of 32 pixels: calls from left to right, the last one the call that is
/// looked at. The scale is logarithmic, as the band is; values of nothing lie at the bottom.
pub(crate) fn call_dots(calls: &[CallDot], band: Option<UsualRange>) -> String {
    let known = calls
        .iter()
        .filter_map(|call| call.value)
        .filter(|value| *value > 0.0);
    let ends = band
        .into_iter()
        .flat_map(|band| [band.low, band.high])
        .filter(|end| *end > 0.0);
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for value in known.chain(ends) {
        low = low.min(value.ln());
        high = high.max(value.ln());
    }
    let y = |value: f64| {
        let share = if value <= 0.0 {
            0.0
        } else if high > low {
            (value.ln() - low) / (high - low)
        } else {
            0.5
        };
        HEIGHT - EDGE - share.clamp(0.0, 1.0) * (HEIGHT - 2.0 * EDGE)
    };
    let mut drawn = String::new();
    if let Some(band) = band {
        let (top, bottom) = (y(band.high), y(band.low));
        _ = write!(
            drawn,
            r#"<rect class="band" x="0" y="{top:.1}" width="100%" height="{:.1}"/>"#,
            (bottom - top).max(1.0)
        );
    }
    let last = calls.len().saturating_sub(1);
    for (index, call) in calls.iter().enumerate() {
        let Some(value) = call.value else { continue };
        let x = (index as f64 + 0.5) / calls.len() as f64 * 100.0;
        let (class, radius) = match (index == last, call.is_bad) {
            (true, _) => ("this", 4.0),
            (false, true) => ("pt bad", 2.5),
            (false, false) => ("pt", 1.5),
        };
        _ = write!(
            drawn,
            r#"<circle class="{class}" cx="{x:.2}%" cy="{:.1}" r="{radius}"/>"#,
            y(value)
        );
    }
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dot(value: Option<f64>, is_bad: bool) -> CallDot {
        CallDot { value, is_bad }
    }

    #[test]
    fn calls_lie_side_by_side_and_this_one_is_the_last() {
        let calls = [
            dot(Some(1.0), false),
            dot(None, false),
            dot(Some(10.0), true),
            dot(Some(100.0), true),
        ];
        let drawn = call_dots(&calls, Some(UsualRange { low: 1.0, high: 10.0 }));
        assert!(
            drawn.contains(r#"<rect class="band" x="0" y="16.0" width="100%" height="12.0"/>"#),
            "{drawn}"
        );
        assert!(
            drawn.contains(r#"<circle class="pt" cx="12.50%" cy="28.0" r="1.5"/>"#),
            "{drawn}"
        );
        assert!(
            drawn.contains(r#"<circle class="pt bad" cx="62.50%" cy="16.0" r="2.5"/>"#),
            "{drawn}"
        );
        assert!(
            drawn.contains(r#"<circle class="this" cx="87.50%" cy="4.0" r="4"/>"#),
            "{drawn}"
        );
        assert_eq!(drawn.matches("<circle").count(), 3);
    }

    #[test]
    fn equal_calls_lie_in_the_middle_and_nothing_at_the_bottom() {
        let drawn = call_dots(&[dot(Some(0.0), false), dot(Some(5.0), false)], None);
        assert!(
            drawn.contains(r#"cy="28.0""#) && drawn.contains(r#"cy="16.0""#),
            "{drawn}"
        );
        assert_eq!(call_dots(&[], None), "");
    }
}

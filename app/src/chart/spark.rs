//! A line as small as a word: no axes, no texts. A path, which looks the same on the server and in the browser.

use std::fmt::Write as _;

/// Height in CSS pixels.
const HEIGHT: f64 = 32.0;
/// Width in units of its own, which are stretched.
const WIDTH: f64 = 1_000.0;

/// What stands inside an `<svg class="spark">` of 32 pixels: the values from left to right, from nothing at the bottom to
/// the highest at the top. A gap is left free.
pub(crate) fn spark(values: &[Option<f64>]) -> String {
    let highest = values.iter().flatten().copied().fold(0.0, f64::max);
    let step = WIDTH / values.len().max(1) as f64;
    let y = |value: f64| {
        let share = if highest > 0.0 { value / highest } else { 0.0 };
        HEIGHT - 3.0 - share.clamp(0.0, 1.0) * (HEIGHT - 6.0)
    };
    let mut path = String::new();
    let mut is_down = false;
    let mut last = None;
    for (index, value) in values.iter().enumerate() {
        let x = (index as f64 + 0.5) * step;
        let Some(value) = value else {
            is_down = false;
            continue;
        };
        let letter = if is_down { 'L' } else { 'M' };
        _ = write!(path, "{letter}{x:.1} {:.1}", y(*value));
        if !is_down {
            // A point without a neighbour would have no length.
            _ = write!(path, "h0.1");
        }
        is_down = true;
        last = Some((x / WIDTH * 100.0, y(*value)));
    }
    let dot = last.map_or(String::new(), |(x, y)| {
        format!(r#"<circle class="fill" cx="{x:.2}%" cy="{y:.1}" r="2.5"/>"#)
    });
    format!(
        r#"<svg width="100%" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" overflow="visible"><path class="line thin" d="{path}"/></svg>{dot}"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_lifts_the_pen() {
        let drawn = spark(&[Some(0.0), Some(2.0), None, Some(4.0)]);
        assert!(
            drawn.contains(r#"d="M125.0 29.0h0.1L375.0 16.0M875.0 3.0h0.1""#),
            "{drawn}"
        );
        assert!(drawn.contains(r#"cx="87.50%" cy="3.0""#), "{drawn}");
    }

    #[test]
    fn nothing_is_drawn_of_nothing() {
        for values in [&[][..], &[None, None]] {
            let drawn = spark(values);
            assert!(drawn.contains(r#"d="""#) && !drawn.contains("circle"), "{drawn}");
        }
    }
}

use domain::{StepStatus, StepSummary};
use proptest::prelude::*;

use super::*;
use crate::timeline::layout::Folds;
use crate::timeline::sample::{BEGIN, call, skeleton_of_calls, step};
use crate::timeline::surface::{Painted, Recorder};

const WIDTH: f64 = 800.0;

/// What is painted of these steps, seen from `view` or whole.
fn painted(steps: &[StepSummary], folded: &[&str], view: Option<View>, cut: bool) -> Vec<Painted> {
    let skeleton = skeleton_of_calls(steps);
    let layout = Layout::of(&skeleton);
    let now_us = BEGIN.micros();
    let (start, end) = skeleton.bounds(now_us);
    let whole = Axis::whole((end - start) as f64);
    let spans = Spans::of(&layout, &skeleton, &whole, start, now_us);
    let leaves = (0..layout.rows.len()).filter(|row| !layout.is_parent(*row));
    let axis = if cut {
        Axis::without_gaps((end - start) as f64, leaves.map(|row| spans.get(row)))
    } else {
        whole
    };
    let spans = Spans::of(&layout, &skeleton, &axis, start, now_us);
    let folded: Vec<String> = folded.iter().map(|id| (*id).to_owned()).collect();
    let lines = layout.lines(&Folds::of(&layout, &skeleton, &folded, None, true));
    let inks: Vec<Ink> = layout
        .rows
        .iter()
        .map(|row| Ink::kind(skeleton.steps[row.step].kind))
        .collect();
    let scene = Scene {
        skeleton: &skeleton,
        layout: &layout,
        lines: &lines,
        spans: &spans,
        axis: &axis,
        view: view.unwrap_or_else(|| View::whole(axis.length())),
        inks: &inks,
        on_path: &[],
        hits: &[],
        flow: &[],
        selected: None,
        playhead: None,
        area: None,
        now_us,
        has_labels: true,
    };
    let mut surface = Recorder::default();
    scene.paint(&mut surface, 0..lines.len(), WIDTH);
    scene.paint_ruler(&mut surface, WIDTH);
    surface.0
}

fn texts(painted: &[Painted]) -> Vec<&str> {
    painted
        .iter()
        .filter_map(|what| match what {
            Painted::Text(text) => Some(text.as_str()),
            _ => None,
        })
        .collect()
}

#[test]
fn bars_lie_where_their_times_do() {
    let steps = [step("a", None, 0, 1_000), step("b", Some("a"), 500, 500)];
    let bars: Vec<Area> = painted(&steps, &[], None, false)
        .iter()
        .filter_map(|what| match what {
            Painted::Rect(ink, area) if *ink == Ink::kind(domain::StepKind::Tool) => Some(*area),
            _ => None,
        })
        .collect();
    assert_eq!(bars.len(), 2);
    // 1.2 % are free before the run, 86.3 % are the run.
    assert!(
        (bars[0].x - 9.6).abs() < 0.1 && (bars[0].width - 690.4).abs() < 0.1,
        "{bars:?}"
    );
    assert!(
        (bars[1].x - 354.8).abs() < 0.1 && (bars[1].height - 12.0).abs() < 0.1,
        "{bars:?}"
    );
    assert_eq!(bars[0].height, 6.0);
}

#[test]
fn what_lies_outside_is_said_at_the_edge() {
    let steps = [step("a", None, 0, 1_000), step("b", None, 9_000, 500)];
    let view = |from_ms: f64, to_ms: f64| View {
        from: from_ms * 1e3,
        to: to_ms * 1e3,
    };
    let early = painted(&steps, &[], Some(view(0.0, 2_000.0)), false);
    assert!(texts(&early).contains(&"from 9.00 s ›"), "{early:?}");
    let late = painted(&steps, &[], Some(view(8_500.0, 9_600.0)), false);
    assert!(texts(&late).contains(&"‹ ended 7.50 s earlier"), "{late:?}");
}

#[test]
fn a_loop_is_one_line_that_says_what_it_took() {
    let mut steps = vec![step("root", None, 0, 100)];
    steps.extend((0..17).map(|n| call(&format!("c{n}"), "root", 2 * n)));
    let drawn = painted(&steps, &[], None, false);
    assert!(
        texts(&drawn)
            .iter()
            .any(|text| text.starts_with("×17 identical calls, 17 ms")),
        "{drawn:?}"
    );
}

#[test]
fn a_cut_is_drawn_and_says_how_long_it_is() {
    let steps = [step("a", None, 0, 1_000), step("b", None, 780_000, 500)];
    let drawn = painted(&steps, &[], None, true);
    assert!(texts(&drawn).contains(&"12 m 59 s cut"), "{:?}", texts(&drawn));
    assert!(
        painted(&steps, &[], None, false)
            .iter()
            .all(|what| !matches!(what, Painted::Path(..)))
    );
}

proptest! {
    /// Whatever is folded and however far one zooms out: where a step failed, something says so.
    #[test]
    fn no_fold_hides_a_failure(
        tree in prop::collection::vec((0usize..20, 0i64..5_000, 0i64..300, prop::bool::weighted(0.1)), 2..120),
        folds in prop::collection::vec(0usize..120, 0..6),
    ) {
        let steps: Vec<StepSummary> = tree
            .iter()
            .enumerate()
            .map(|(at, (parent, start, length, fails))| {
                let parent = (*parent < at).then(|| parent.to_string());
                let mut step = step(&at.to_string(), parent.as_deref(), *start, *length);
                if *fails {
                    step.status = StepStatus::Error;
                }
                step
            })
            .collect();
        let folds: Vec<String> = folds.iter().map(usize::to_string).collect();
        let folds: Vec<&str> = folds.iter().map(String::as_str).collect();
        let drawn = painted(&steps, &folds, None, false);
        let start_us = steps.iter().map(|s| s.started_at).min().unwrap();
        let end_us = steps.iter().filter_map(|s| s.ended_at).max().unwrap();
        let view = View::whole(end_us.ms_since(start_us) * 1_000.0);
        for failed in steps.iter().filter(|s| s.status == StepStatus::Error) {
            let x = view.x_of(failed.started_at.ms_since(start_us) * 1_000.0, WIDTH);
            let end = view.x_of(failed.ended_at.unwrap().ms_since(start_us) * 1_000.0, WIDTH);
            let says = drawn.iter().any(|what| match what {
                Painted::Rect(Ink::MARK, area) => area.x - 2.0 <= end && x <= area.x + area.width + 2.0,
                Painted::Glyph(Glyph::Failed, at, _) => *at + 20.0 >= x || *at <= end,
                _ => false,
            });
            prop_assert!(says, "{} at {x}", failed.step_id);
        }
    }

    #[test]
    fn nothing_reaches_far_beyond_the_drawing(
        steps in prop::collection::vec((0i64..500_000, 0i64..500_000), 1..40),
        from in 0.0f64..1e9,
        width in 1.0f64..1e6,
    ) {
        let steps: Vec<StepSummary> = steps
            .iter()
            .enumerate()
            .map(|(at, (start, length))| step(&at.to_string(), None, *start, *length))
            .collect();
        for what in painted(&steps, &[], Some(View { from, to: from + width }), false) {
            if let Painted::Rect(_, area) = what {
                prop_assert!(area.x >= -5.0 && area.x + area.width <= WIDTH + 5.0, "{area:?}");
                prop_assert!(area.width.is_finite() && area.height >= 0.0);
            }
        }
    }
}

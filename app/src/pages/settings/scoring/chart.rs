//! Totals over time with both thresholds.

use domain::Timestamp;
use engine::backtest::{Fate, Mark};
use leptos::prelude::*;

use super::backtest_context::BacktestContext;
use super::fates::word;
use super::session::{BacktestSession, Trial};
use crate::chart::{Chart, ChartBox, Dot, Dots, Line, Marks, Role};
use crate::context::use_page_request;
use crate::ui::links::run_href;
use crate::ui::time::use_time_text;

const HEIGHT_PX: u32 = 288;
/// Dots of one kind; beyond it every second, third, … is drawn.
const MAX_DOTS: usize = 1_200;
/// Dates below the axis.
const TICKS: u32 = 5;

/// The chart, or its table.
#[component]
pub(super) fn Scatter(context: BacktestContext) -> impl IntoView {
    let now = use_page_request().now;
    let time = use_time_text();
    let days = context.view.with_value(|view| view.days);
    let slug = context.page.slug;
    let window = Window::of(now, days);
    let chart = Memo::new(move |_| {
        let (in_force, as_tried) = context.thresholds.get();
        let time = |at| time(at);
        let dots = context.with(|session, tried| dots(session, tried, window, &slug.read(), &time));
        Chart {
            marks: Marks::Dots(Dots {
                dots: dots.unwrap_or_default(),
                lines: lines(in_force, as_tried),
                ticks: ticks(window, &time),
                at_least: 120.0,
            }),
            unit: "point",
            across: "Time",
            height_px: HEIGHT_PX,
        }
    });
    let label = Signal::derive(move || {
        let (in_force, as_tried) = context.thresholds.get();
        let (still, quiet) = context
            .with(|_, tried| (tried.report.still, tried.report.quiet()))
            .unwrap_or_default();
        format!(
            "Score of every anomaly in {days} days; {still} stay alerts, {quiet} go quiet between {in_force} and {as_tried} points"
        )
    });
    let as_table = Signal::derive(move || context.page.query.read().as_table);
    view! { <ChartBox chart label as_table/> }
}

#[derive(Clone, Copy)]
struct Window {
    from: Timestamp,
    to: Timestamp,
}

impl Window {
    /// The last days, with a fiftieth of them free on both sides: a dot at the edge is not cut in half.
    fn of(now: Timestamp, days: u32) -> Self {
        let micros = i64::from(days) * 86_400_000_000;
        let margin = micros / 50;
        Self {
            from: now.plus_micros(-micros - margin),
            to: now.plus_micros(margin),
        }
    }

    /// Place from left (0) to right (1).
    fn share(self, at: Timestamp) -> f64 {
        let width = (self.to.micros() - self.from.micros()).max(1) as f64;
        ((at.micros() - self.from.micros()) as f64 / width).clamp(0.0, 1.0)
    }
}

fn lines(in_force: i32, as_tried: i32) -> Vec<Line> {
    let line = |points: i32, role: Role, word: &str| Line {
        value: f64::from(points),
        role,
        label: format!("{points}, {word}"),
    };
    if in_force == as_tried {
        vec![line(in_force, Role::InForce, "in force")]
    } else {
        vec![
            line(in_force, Role::InForce, "in force"),
            line(as_tried, Role::AsTried, "as tried"),
        ]
    }
}

fn ticks(window: Window, time: &dyn Fn(Timestamp) -> String) -> Vec<(f64, String)> {
    (0..TICKS)
        .map(|n| {
            // Not at the very edges, where a text would be cut.
            let share = (f64::from(n) + 0.5) / f64::from(TICKS);
            let micros = (window.to.micros() - window.from.micros()) as f64 * share;
            let text = time(window.from.plus_micros(micros as i64));
            let day = text
                .rsplit_once(' ')
                .map_or(text.clone(), |(day, _)| day.to_owned());
            (share, day)
        })
        .collect()
}

fn dots(
    session: &BacktestSession,
    tried: &Trial,
    window: Window,
    slug: &str,
    time: &dyn Fn(Timestamp) -> String,
) -> Vec<Dot> {
    let recording = &session.recording;
    let fates = &tried.report.fates;
    let mut out = Vec::new();
    // What has to be seen is drawn last.
    for wanted in [Fate::Below, Fate::Still, Fate::Quiet, Fate::New] {
        let of_kind = fates.iter().filter(|(_, fate)| *fate == wanted);
        let every = of_kind.clone().count().div_ceil(MAX_DOTS).max(1);
        for (index, fate) in of_kind.step_by(every) {
            let index = *index as usize;
            let Some(step) = recording.steps.get(index) else {
                continue;
            };
            let at = Timestamp::from_micros(step.at_ms.saturating_mul(1_000));
            let total = |totals: &[i32]| totals.get(index).copied().unwrap_or(0);
            let (before, after) = (total(&session.in_force.totals), total(&tried.outcome.totals));
            let name = recording
                .series
                .get(step.series as usize)
                .map_or("", |series| series.step_name.as_str());
            let run = recording.runs.get(step.run as usize).map_or("", String::as_str);
            let points = if before == after {
                String::new()
            } else {
                format!(", {before} before")
            };
            out.push(Dot {
                at: window.share(at),
                value: f64::from(after),
                role: role(*fate, step.mark),
                title: format!("{}, {name}{points}", time(at)),
                word: word(*fate, step.mark),
                href: Some(run_href(slug, run)),
            });
        }
    }
    out
}

fn role(fate: Fate, mark: Option<Mark>) -> Role {
    match (fate, mark) {
        (Fate::Still, _) => Role::Stays,
        (Fate::Quiet, Some(Mark::Real)) => Role::QuietReal,
        (Fate::Quiet, _) => Role::Quiet,
        (Fate::New, _) => Role::Mark,
        (Fate::Below, _) => Role::Below,
    }
}

#[cfg(test)]
mod tests {
    use engine::Rules;
    use engine::backtest::{Recording, Series, Step};

    use super::*;

    #[test]
    fn a_crowd_is_thinned_and_alerts_come_last() {
        let steps = (0..5_000i64).map(|n| Step {
            at_ms: n,
            codes: if n % 1_000 == 0 { vec![1001] } else { vec![3010] },
            is_failed: n % 1_000 == 0,
            output_tokens: Some(9),
            ..Step::default()
        });
        let recording = Recording {
            runs: vec!["a/b".to_owned()],
            keys: vec!["prod".to_owned()],
            series: vec![Series::default()],
            steps: steps.collect(),
            ..Recording::default()
        };
        let session = BacktestSession::new(recording, &Rules::default());
        let tried = session.try_rules(&Rules::default(), None);
        let window = Window {
            from: Timestamp::from_micros(0),
            to: Timestamp::from_micros(5_000_000),
        };
        let dots = dots(&session, &tried, window, "default", &|at| at.to_string());
        assert!(dots.len() <= MAX_DOTS + 5, "{}", dots.len());
        let alerts: Vec<_> = dots.iter().rev().take(5).map(|dot| dot.word).collect();
        assert_eq!(alerts, ["still alert"; 5]);
        assert!(dots.iter().all(|dot| (0.0..=1.0).contains(&dot.at)));
        assert_eq!(dots[0].href.as_deref(), Some("/p/default/runs/a%2Fb"));
    }

    #[test]
    fn a_dot_at_either_end_has_room_for_all_of_it() {
        let now = Timestamp::from_micros(1_800_000_000_000_000);
        let window = Window::of(now, 30);
        // On the narrowest phone the chart is some 240 pixels wide, and a dot's radius is 4.
        for at in [now, now.plus_micros(-30 * 86_400_000_000)] {
            let from_left = window.share(at) * 240.0;
            assert!((4.0..=236.0).contains(&from_left), "{from_left}");
        }
    }

    #[test]
    fn one_line_where_nothing_is_tried() {
        assert_eq!(lines(80, 80).len(), 1);
        let two: Vec<_> = lines(80, 100).into_iter().map(|line| line.label).collect();
        assert_eq!(two, ["80, in force", "100, as tried"]);
    }
}

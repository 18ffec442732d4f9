//! Runs over time by severity. Each segment is a link to its window; dragging spans several.

use std::fmt::Write;

use domain::run::ActivityBucket;
use domain::{Timestamp, Window, text};
use leptos::prelude::*;

use super::Page;
use super::query::RunsQuery;
use crate::models::activity::Buckets;
use crate::ui::icon::Icon;
use crate::ui::pointer::share_of;
use crate::ui::time::use_time_text;

/// Height of the tallest bar, in pixels.
const BAR_PX: f64 = 37.0;
/// Where the bars stand, in pixels from the top.
const BASE_PX: f64 = 44.0;
/// Labels under the strip.
const LABELS: u32 = 8;

/// The strip over the table.
#[component]
pub(super) fn Histogram(page: Page, buckets: Buckets, activity: Vec<ActivityBucket>) -> impl IntoView {
    let Page { query, go, .. } = page;
    let bucket_text = bucket_length(buckets.bucket_ms());
    let caption = format!("runs per {bucket_text}, drag to zoom");
    let label = format!("Runs per {bucket_text}: ok, warning, critical");
    let bars = bars(&activity);
    let zones = zones(&activity, buckets, &query.read_untracked());
    let drag = RwSignal::new(None::<(f64, f64)>);
    let zoom = move |from: f64, to: f64| {
        let at = |share: f64| {
            let micros = (buckets.to.micros() - buckets.from.micros()) as f64 * share.clamp(0.0, 1.0);
            let at = buckets.from.plus_micros(micros as i64);
            // Dragging is not exact to the microsecond; whole seconds keep the URL readable.
            at.plus_micros(-at.micros().rem_euclid(1_000_000))
        };
        let window = Window::Fixed {
            from: Some(at(from.min(to))),
            to: Some(at(from.max(to))),
        };
        go.run(query.read_untracked().with_window(window));
    };
    let selection = move || {
        drag.get().map(|(from, to)| {
            let (x, width) = (from.min(to) * 100.0, (to - from).abs() * 100.0);
            view! { <rect class="hist-drag" x=format!("{x:.2}%") width=format!("{width:.2}%") y="0" height=BASE_PX.to_string()></rect> }
        })
    };
    let down = move |event: leptos::ev::PointerEvent| {
        if event.button() == 0 {
            let at = share_of(&event);
            drag.set(Some((at, at)));
        }
    };
    let moved = move |event: leptos::ev::PointerEvent| {
        drag.update(|drag| {
            if let Some((_, to)) = drag {
                *to = share_of(&event);
            }
        });
    };
    let up = move |_event: leptos::ev::PointerEvent| {
        // A click without a drag is the link's.
        if let Some((from, to)) = drag.try_update(|drag| drag.take()).flatten()
            && (to - from).abs() > 0.01
        {
            zoom(from, to);
        }
    };
    view! {
        <section class="cell hist-cell" aria-label="Runs over time">
            <ul class="legend">
                <li><span class="swatch h-ok-s"></span>"ok"</li>
                <li><Icon name="warning" class="st-warn"/>"warning"</li>
                <li><Icon name="critical" class="st-critical"/>"critical"</li>
                <li class="push dim">{caption}</li>
            </ul>
            <svg
                class="plot hist"
                height="62"
                role="group"
                aria-label=label
                on:pointerdown=down
                on:pointermove=moved
                on:pointerup=up
                on:pointerleave=move |_| drag.set(None)
                on:dragstart=|event| event.prevent_default()
            >
                <g inner_html=bars></g>
                {selection}
                <g inner_html=zones></g>
                <Labels buckets/>
            </svg>
        </section>
    }
}

/// Times under the strip, in the visitor's zone once attached.
#[component]
fn Labels(buckets: Buckets) -> impl IntoView {
    let time = use_time_text();
    let spans_days = buckets.to.ms_since(buckets.from) > 2.0 * 86_400_000.0;
    let short = move |at: Timestamp| {
        let text = time(at);
        // `09:12:27` → `09:12`; `12 Nov 15:02` → `12 Nov` where days matter, else `15:02`.
        match (text.rsplit_once(' '), spans_days) {
            (Some((day, _)), true) => day.to_owned(),
            (Some((_, clock)), false) => clock.to_owned(),
            (None, _) => text.chars().take(5).collect(),
        }
    };
    (0..=LABELS)
        .map(|n| {
            let share = f64::from(n) / f64::from(LABELS);
            let micros = (buckets.to.micros() - buckets.from.micros()) as f64 * share;
            let at = buckets.from.plus_micros(micros as i64);
            let anchor = match n {
                0 => "start",
                LABELS => "end",
                _ => "middle",
            };
            let class = if n % 2 == 0 { "" } else { "tick-minor" };
            view! {
                <text class=class x=format!("{}%", share * 100.0) y="58" text-anchor=anchor>{move || short(at)}</text>
            }
        })
        .collect_view()
}

/// Bars from the base line up: ok, warning, critical.
fn bars(activity: &[ActivityBucket]) -> String {
    let mut out = format!(r#"<line class="axis-line" x1="0" x2="100%" y1="{BASE_PX}" y2="{BASE_PX}"/>"#);
    let highest = activity
        .iter()
        .map(|b| b.ok + b.warning + b.critical)
        .max()
        .unwrap_or(0)
        .max(1);
    let pitch = 100.0 / activity.len().max(1) as f64;
    for (index, bucket) in activity.iter().enumerate() {
        let x = index as f64 * pitch + pitch * 0.12;
        let width = pitch * 0.76;
        let mut y = BASE_PX;
        for (class, count, least_px) in [
            ("h-ok", bucket.ok, 1.0),
            ("h-warn", bucket.warning, 2.0),
            ("h-crit", bucket.critical, 4.0),
        ] {
            if count > 0 {
                let height = (count as f64 / highest as f64 * BAR_PX).max(least_px);
                y -= height;
                _ = write!(
                    out,
                    r#"<rect class="{class}" x="{x:.2}%" y="{y:.2}" width="{width:.2}%" height="{height:.2}"/>"#
                );
            }
        }
    }
    out
}

/// A link over each segment, as tall as the strip.
fn zones(activity: &[ActivityBucket], buckets: Buckets, query: &RunsQuery) -> String {
    let pitch = 100.0 / activity.len().max(1) as f64;
    let mut out = String::new();
    for (index, bucket) in activity.iter().enumerate() {
        let runs = bucket.ok + bucket.warning + bucket.critical;
        if runs == 0 {
            continue;
        }
        let to = activity.get(index + 1).map_or(buckets.to, |next| next.at);
        let window = Window::Fixed {
            from: Some(bucket.at),
            to: Some(to),
        };
        let href = query.with_window(window).to_href().replace('&', "&amp;");
        let (x, title) = (index as f64 * pitch, zone_title(bucket, runs));
        _ = write!(
            out,
            r#"<a href="{href}" tabindex="-1" aria-label="{title}"><rect class="hist-zone" x="{x:.2}%" y="0" width="{pitch:.2}%" height="{BASE_PX}"><title>{title}</title></rect></a>"#
        );
    }
    out
}

fn zone_title(bucket: &ActivityBucket, runs: i64) -> String {
    let at = bucket.at.to_string();
    let mut title = format!(
        "{}, {}",
        at.replace('T', " ").trim_end_matches('Z'),
        text::counted(runs, "run")
    );
    for (count, word) in [(bucket.warning, "warning"), (bucket.critical, "critical")] {
        if count > 0 {
            _ = write!(title, ", {count} {word}");
        }
    }
    title
}

/// `20 min`, `2 h`, `1 day`.
fn bucket_length(ms: f64) -> String {
    let (value, unit) = match ms / 1_000.0 {
        s if s < 90.0 => (s, "s"),
        s if s < 5_400.0 => (s / 60.0, "min"),
        s if s < 86_400.0 => (s / 3_600.0, "h"),
        s if (s - 86_400.0).abs() < 1.0 => return "day".to_owned(),
        s => (s / 86_400.0, "days"),
    };
    let text = format!("{value:.1}");
    format!("{} {unit}", text.strip_suffix(".0").unwrap_or(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(minute: i64, ok: i64, warning: i64, critical: i64) -> ActivityBucket {
        ActivityBucket {
            at: Timestamp::from_micros(minute * 60_000_000),
            ok,
            warning,
            critical,
        }
    }

    #[test]
    fn rare_bad_runs_stay_visible() {
        let svg = bars(&[bucket(0, 10_000, 1, 1), bucket(1, 0, 0, 0)]);
        assert_eq!(svg.matches("<rect").count(), 3);
        assert!(
            svg.contains(r#"class="h-crit" x="6.00%" y="1.01" width="38.00%" height="4.00""#),
            "{svg}"
        );
        assert_eq!(bars(&[]).matches("<rect").count(), 0);
    }

    #[test]
    fn segments_link_to_their_window() {
        let activity = [bucket(0, 1, 2, 0), bucket(1, 0, 0, 0)];
        let buckets = Buckets {
            from: Timestamp::from_micros(0),
            to: Timestamp::from_micros(120_000_000),
            count: 2,
        };
        let query = RunsQuery::from_pairs([("key", "a\"b")]);
        let svg = zones(&activity, buckets, &query);
        assert_eq!(svg.matches("<a ").count(), 1);
        assert!(
            svg.contains(
                r#"href="?key=a%22b&amp;from=1970-01-01T00%3A00%3A00Z&amp;to=1970-01-01T00%3A01%3A00Z""#
            ),
            "{svg}"
        );
        assert!(svg.contains("1970-01-01 00:00:00, 3 runs, 2 warning"), "{svg}");
    }

    #[test]
    fn bucket_lengths() {
        let check = |ms: f64, expected: &str| assert_eq!(bucket_length(ms), expected);
        check(60_000.0, "60 s");
        check(1_200_000.0, "20 min");
        check(7_200_000.0, "2 h");
        check(43_200_000.0, "12 h");
        check(86_400_000.0, "day");
        check(216_000_000.0, "2.5 days");
    }
}

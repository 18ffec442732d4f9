//! Where the texts of a time axis stand, on the viewer's clock.

use domain::Timestamp;
use domain::series::Bucket;

const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;
/// The most texts on a wide page.
const MAX_TICKS: i64 = 8;
/// Even steps, in microseconds.
const STEPS: [i64; 17] = [
    60_000_000,
    120_000_000,
    300_000_000,
    600_000_000,
    900_000_000,
    1_800_000_000,
    HOUR,
    2 * HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    2 * DAY,
    7 * DAY,
    14 * DAY,
    28 * DAY,
    84 * DAY,
];

/// Texts for a window with their places from 0 to 1: the time of day where steps are shorter than a day, with the date
/// where a day begins; dates otherwise. `offset_minutes` is the viewer's distance from UTC at an instant. Days are those
/// of UTC where the buckets are days: their texts stand in the middle of the day.
pub(crate) fn time_ticks(
    (from, to): (Timestamp, Timestamp),
    bucket: Bucket,
    offset_minutes: impl Fn(Timestamp) -> i64,
) -> Vec<(f64, String)> {
    let length = (to.micros() - from.micros()).max(1);
    let share = |at: Timestamp| (at.micros() - from.micros()) as f64 / length as f64;
    let step = STEPS
        .into_iter()
        .find(|step| length / step <= MAX_TICKS && *step >= bucket.micros())
        .unwrap_or(84 * DAY);
    if bucket == Bucket::Day {
        // Counted from the newest, so that the last text is near the end.
        let last = to.day().plus_micros(if to.day() == to { -DAY } else { 0 });
        let mut ticks: Vec<(f64, String)> = (0..=MAX_TICKS)
            .map(|n| last.plus_micros(-n * step))
            .take_while(|at| *at >= from)
            .map(|at| (share(at.plus_micros(DAY / 2)).min(1.0), date(at)))
            .collect();
        ticks.reverse();
        return ticks;
    }
    let local = |at: Timestamp| at.plus_micros(offset_minutes(at) * 60_000_000);
    // The first even step on the viewer's clock.
    let first = local(from).micros();
    let mut wanted = first + (step - first.rem_euclid(step)) % step;
    let mut ticks = Vec::new();
    while ticks.len() < 64 {
        // What the clock shows an hour twice, or never, is settled by the offset of the instant itself.
        let guess = Timestamp::from_micros(wanted - offset_minutes(from) * 60_000_000);
        let at = Timestamp::from_micros(wanted - offset_minutes(guess) * 60_000_000);
        if at >= to {
            break;
        }
        if at >= from {
            let shown = local(at);
            let text = if shown.day() == shown {
                date(shown)
            } else {
                clock(shown)
            };
            ticks.push((share(at), text));
        }
        wanted += step;
    }
    ticks
}

/// `Thu 12 Nov`, `12 Nov 14:00`: what a bucket is called that begins then, on the viewer's clock. Days are those of UTC.
pub(crate) fn moment_title(
    at: Timestamp,
    bucket: Bucket,
    offset_minutes: &impl Fn(Timestamp) -> i64,
) -> String {
    if bucket == Bucket::Day {
        let weekday = at.to_offset_date_time().weekday().to_string();
        return format!("{} {}", weekday.get(..3).unwrap_or(&weekday), date(at));
    }
    instant_text(at, offset_minutes)
}

/// `Thu 12 Nov, so far`: the title of a moment, which may still go on.
pub(crate) fn so_far(title: String, goes_on: bool) -> String {
    if goes_on {
        format!("{title}, so far")
    } else {
        title
    }
}

/// `12 Nov 14:07`: an instant on the viewer's clock.
pub(crate) fn instant_text(at: Timestamp, offset_minutes: &impl Fn(Timestamp) -> i64) -> String {
    let local = at.plus_micros(offset_minutes(at) * 60_000_000);
    format!("{} {}", date(local), clock(local))
}

/// `12 Nov`.
fn date(at: Timestamp) -> String {
    let at = at.to_offset_date_time();
    let month = at.month().to_string();
    format!("{} {}", at.day(), month.get(..3).unwrap_or(&month))
}

/// `14:00`.
fn clock(at: Timestamp) -> String {
    let (hour, minute, _) = at.to_offset_date_time().to_hms();
    format!("{hour:02}:{minute:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse_rfc3339(&format!("{text}:00Z")).unwrap()
    }

    #[track_caller]
    fn check(from: &str, to: &str, bucket: Bucket, offset: impl Fn(Timestamp) -> i64, expected: &[&str]) {
        let ticks = time_ticks((at(from), at(to)), bucket, offset);
        assert!(
            ticks.iter().all(|(share, _)| (0.0..=1.0).contains(share)),
            "{ticks:?}"
        );
        assert!(ticks.windows(2).all(|pair| pair[0].0 < pair[1].0), "{ticks:?}");
        let texts: Vec<&str> = ticks.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(texts, expected, "{from} {to}");
    }

    #[test]
    fn days_end_with_the_newest() {
        check(
            "2026-10-22T00:00",
            "2026-11-21T00:00",
            Bucket::Day,
            |_| 0,
            &["23 Oct", "30 Oct", "6 Nov", "13 Nov", "20 Nov"],
        );
        check(
            "2026-11-20T00:00",
            "2026-11-21T00:00",
            Bucket::Day,
            |_| 345,
            &["20 Nov"],
        );
    }

    #[test]
    fn hours_stand_where_the_viewers_clock_says() {
        let hours = |offset: i64, expected: &[&str]| {
            check(
                "2026-11-20T15:00",
                "2026-11-21T15:00",
                Bucket::Hour,
                |_| offset,
                expected,
            );
        };
        hours(
            0,
            &[
                "15:00", "18:00", "21:00", "21 Nov", "03:00", "06:00", "09:00", "12:00",
            ],
        );
        // Kathmandu: 20:45 to 20:45.
        hours(
            345,
            &[
                "21:00", "21 Nov", "03:00", "06:00", "09:00", "12:00", "15:00", "18:00",
            ],
        );
        hours(
            -330,
            &[
                "12:00", "15:00", "18:00", "21:00", "21 Nov", "03:00", "06:00", "09:00",
            ],
        );
    }

    #[test]
    fn moments_are_called_by_the_viewers_clock_and_days_by_utc() {
        let at = at("2026-11-12T20:00");
        let check = |bucket: Bucket, offset: i64, expected: &str| {
            assert_eq!(moment_title(at, bucket, &|_| offset), expected);
        };
        check(Bucket::Hour, 0, "12 Nov 20:00");
        check(Bucket::Hour, 345, "13 Nov 01:45");
        check(Bucket::Day, 345, "Thu 12 Nov");
    }

    #[test]
    fn minutes_of_a_quarter_of_an_hour() {
        check(
            "2026-11-20T09:00",
            "2026-11-20T09:15",
            Bucket::Minute,
            |_| 0,
            &[
                "09:00", "09:02", "09:04", "09:06", "09:08", "09:10", "09:12", "09:14",
            ],
        );
    }

    #[test]
    fn an_hour_that_comes_twice_or_never_moves_no_tick() {
        // Berlin leaves summer time on 25 October 2026 at 01:00 UTC.
        let berlin = |instant: Timestamp| if instant < at("2026-10-25T01:00") { 120 } else { 60 };
        check(
            "2026-10-24T10:00",
            "2026-10-26T10:00",
            Bucket::Hour,
            berlin,
            &[
                "12:00", "18:00", "25 Oct", "06:00", "12:00", "18:00", "26 Oct", "06:00",
            ],
        );
        // And enters it on 29 March at 01:00 UTC.
        let spring = |instant: Timestamp| if instant < at("2026-03-29T01:00") { 60 } else { 120 };
        check(
            "2026-03-28T12:00",
            "2026-03-30T00:00",
            Bucket::Hour,
            spring,
            &["18:00", "29 Mar", "06:00", "12:00", "18:00", "30 Mar"],
        );
    }
}

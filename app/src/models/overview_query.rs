//! The state of the overview, all of it in the URL.

use domain::filter::encode_query;
use domain::series::{Bucket, Metric, SeriesBy, SeriesFilter};
use domain::{Timestamp, text};
use serde::{Deserialize, Serialize};

const MINUTE: i64 = 60_000_000;
/// Longest free range: 400 days.
const MAX_MICROS: i64 = 400 * 86_400_000_000;

/// What is looked at: until now, or between two moments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Range {
    /// The last so many minutes.
    Last(u32),
    /// From the first to the second.
    Between(Timestamp, Timestamp),
}

impl Range {
    /// Those that the menu offers: the word in the URL, the label, the length in minutes.
    pub(crate) const CHOICES: [(&'static str, &'static str, u32); 7] = [
        ("15m", "15 minutes", 15),
        ("1h", "1 hour", 60),
        ("6h", "6 hours", 360),
        ("24h", "24 hours", 1_440),
        ("7d", "7 days", 10_080),
        ("30d", "30 days", 43_200),
        ("90d", "90 days", 129_600),
    ];

    /// Its first instant, and the first after it, at the time `now`.
    pub(crate) fn bounds(self, now: Timestamp) -> (Timestamp, Timestamp) {
        match self {
            Self::Last(minutes) => (now.plus_micros(-i64::from(minutes) * MINUTE), now),
            Self::Between(from, to) => (from, to),
        }
    }

    /// Its length in words: `30 days`, `3 hours`.
    pub(crate) fn label(self) -> String {
        let minutes = match self {
            Self::Last(minutes) => i64::from(minutes),
            Self::Between(from, to) => (to.micros() - from.micros()) / MINUTE,
        };
        match minutes {
            ..60 => text::counted(minutes.max(1), "minute"),
            60..2_880 => text::counted((minutes + 30) / 60, "hour"),
            _ => text::counted((minutes + 720) / 1_440, "day"),
        }
    }
}

impl Default for Range {
    fn default() -> Self {
        Self::Last(43_200)
    }
}

/// What the URL of the overview says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OverviewQuery {
    pub(crate) range: Range,
    /// What the window is cut into, where that is not what fits it.
    pub(crate) bucket: Option<Bucket>,
    pub(crate) metric: Metric,
    pub(crate) by: SeriesBy,
    pub(crate) filter: SeriesFilter,
    /// The deploy with the time before which the time since it is compared, by its id. Without one the window is compared
    /// with the one before it.
    pub(crate) against: Option<String>,
    /// On the page of a template, the one that its text is compared with.
    pub(crate) before: Option<String>,
    /// Areas on top of one another instead of lines.
    pub(crate) is_stacked: bool,
    /// The chart's numbers instead of the chart.
    pub(crate) as_table: bool,
    /// The chat beside the page.
    pub(crate) ask: Option<String>,
}

impl Default for OverviewQuery {
    fn default() -> Self {
        Self {
            range: Range::default(),
            bucket: None,
            metric: Metric::Cost,
            by: SeriesBy::Key,
            filter: SeriesFilter::default(),
            against: None,
            before: None,
            is_stacked: false,
            as_table: false,
            ask: None,
        }
    }
}

/// The window in buckets, and as much time before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OverviewSpan {
    /// Where the window before begins.
    pub(crate) before_from: Timestamp,
    /// Where the window begins.
    pub(crate) from: Timestamp,
    /// Where it ends: at the end of a bucket, of which the last may go on.
    pub(crate) to: Timestamp,
    pub(crate) bucket: Bucket,
}

impl OverviewQuery {
    /// Reads the parameters (already percent-decoded). What can't be read is left out.
    pub(crate) fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut query = Self::default();
        let (mut from, mut to) = (None, None);
        for (name, value) in pairs {
            if value.is_empty() || value.contains('\0') {
                continue;
            }
            let text = || Some(value.chars().take(200).collect::<String>());
            match name {
                "range" => {
                    if let Some(choice) = Range::CHOICES.iter().find(|choice| choice.0 == value) {
                        query.range = Range::Last(choice.2);
                    }
                }
                "from" => from = moment(value),
                "to" => to = moment(value),
                "bucket" => {
                    let choice = Bucket::parse(value);
                    query.bucket = choice.filter(|bucket| matches!(bucket, Bucket::Hour | Bucket::Day));
                }
                "metric" => query.metric = Metric::parse(value).unwrap_or(query.metric),
                "by" => query.by = SeriesBy::parse(value).unwrap_or(query.by),
                "key" => query.filter.key = text(),
                "model" => query.filter.model = text(),
                "step" => query.filter.step = text(),
                "environment" => query.filter.environment = text(),
                "template" => query.filter.template = text(),
                "against" => query.against = text(),
                "before" => query.before = text(),
                "ask" => query.ask = text(),
                "drawn" => query.is_stacked = value == "stacked",
                "view" => query.as_table = value == "table",
                _ => {}
            }
        }
        if let (Some(from), Some(to)) = (from, to)
            && from < to
        {
            query.range = Range::Between(from, to);
        }
        query
    }

    /// A link to this state on the same page: never empty, so that it also leads out of the current state.
    pub(crate) fn to_href(&self) -> String {
        let mut pairs: Vec<(&str, String)> = Vec::new();
        match self.range {
            range if range == Range::default() => {}
            Range::Last(minutes) => {
                let word = Range::CHOICES.iter().find(|choice| choice.2 == minutes);
                pairs.extend(word.map(|choice| ("range", choice.0.to_owned())));
            }
            Range::Between(from, to) => {
                pairs.push(("from", from.to_string()));
                pairs.push(("to", to.to_string()));
            }
        }
        pairs.extend(self.bucket.map(|bucket| ("bucket", bucket.as_str().to_owned())));
        if self.metric != Metric::Cost {
            pairs.push(("metric", self.metric.as_str().to_owned()));
        }
        if self.by != SeriesBy::Key {
            pairs.push(("by", self.by.as_str().to_owned()));
        }
        let filter = &self.filter;
        for (name, value) in [
            ("key", &filter.key),
            ("model", &filter.model),
            ("step", &filter.step),
            ("environment", &filter.environment),
            ("template", &filter.template),
            ("against", &self.against),
            ("before", &self.before),
        ] {
            pairs.extend(value.clone().map(|value| (name, value)));
        }
        if self.is_stacked {
            pairs.push(("drawn", "stacked".to_owned()));
        }
        if self.as_table {
            pairs.push(("view", "table".to_owned()));
        }
        pairs.extend(self.ask.clone().map(|chat| ("ask", chat)));
        let pairs = pairs.iter().map(|(name, value)| (*name, value.as_str()));
        format!("?{}", encode_query(pairs))
    }

    /// The window alone, for a link to another page.
    pub(crate) fn range_href(&self) -> String {
        let range = self.range;
        let href = Self {
            range,
            ..Self::default()
        }
        .to_href();
        // It goes behind another page's path, where a bare question mark says nothing.
        if href == "?" { String::new() } else { href }
    }

    /// This state after a change.
    pub(crate) fn with(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut query = self.clone();
        change(&mut query);
        query
    }

    /// The value of a filter.
    pub(crate) fn get(&self, by: SeriesBy) -> Option<&str> {
        self.filter.get(by)
    }

    /// This state with a filter set or cleared.
    pub(crate) fn with_filter(&self, by: SeriesBy, value: Option<&str>) -> Self {
        self.with(|query| query.filter = query.filter.clone().with(by, value.map(str::to_owned)))
    }

    /// The filters that are set.
    pub(crate) fn chips(&self) -> Vec<(SeriesBy, String)> {
        SeriesBy::ALL
            .iter()
            .filter_map(|by| self.get(*by).map(|value| (*by, value.to_owned())))
            .collect()
    }

    /// What is read at the time `now`.
    pub(crate) fn span(&self, now: Timestamp) -> OverviewSpan {
        let (from, to) = match self.range {
            range @ Range::Last(_) => range.bounds(now),
            Range::Between(from, to) => {
                let to = to.min(now).max(from.plus_micros(MINUTE));
                (
                    from.min(to.plus_micros(-MINUTE)).max(to.plus_micros(-MAX_MICROS)),
                    to,
                )
            }
        };
        let length = to.micros() - from.micros();
        let chosen = self.bucket.filter(|bucket| Self::may_choose(*bucket, length));
        let bucket = chosen.unwrap_or_else(|| Bucket::of_window(length));
        let end = bucket.start_of(to.plus_micros(bucket.micros() - 1));
        let begin = match self.range {
            // As many buckets as fit, of which the one that goes on is the last.
            Range::Last(minutes) => end.plus_micros(-(i64::from(minutes) * MINUTE).max(bucket.micros())),
            Range::Between(..) => bucket.start_of(from),
        };
        OverviewSpan {
            before_from: begin.plus_micros(begin.micros() - end.micros()),
            from: begin,
            to: end,
            bucket,
        }
    }

    /// Whether a window of so many microseconds may be cut into hours or days, which a reader chooses between.
    pub(crate) fn may_choose(bucket: Bucket, length: i64) -> bool {
        matches!(bucket, Bucket::Hour | Bucket::Day)
            && length > 2 * Bucket::Day.micros()
            && length <= bucket.max_window_micros()
    }

    /// The window before (−1) or after (1) the one of this span; `None` when that lies in the future.
    pub(crate) fn moved(&self, span: OverviewSpan, now: Timestamp, windows: i64) -> Option<Self> {
        let length = span.to.micros() - span.from.micros();
        let (from, to) = (
            span.from.plus_micros(windows * length),
            span.to.plus_micros(windows * length),
        );
        if from >= now {
            return None;
        }
        Some(self.with(|query| {
            query.range = match query.range {
                Range::Last(_) if windows > 0 => query.range,
                Range::Between(..)
                    if to >= now && Range::CHOICES.iter().any(|c| i64::from(c.2) * MINUTE == length) =>
                {
                    Range::Last(u32::try_from(length / MINUTE).unwrap_or(43_200))
                }
                _ => Range::Between(from, to),
            };
        }))
        .filter(|moved| moved.range != self.range)
    }

    /// The part of the window between two places from 0 to 1, in whole buckets of the next finer kind.
    pub(crate) fn zoomed(&self, span: OverviewSpan, (from, to): (f64, f64)) -> Self {
        let length = (span.to.micros() - span.from.micros()) as f64;
        let at = |share: f64| {
            span.from
                .plus_micros((share.clamp(0.0, 1.0) * length) as i64)
                .minute()
        };
        let (from, to) = (at(from), at(to));
        self.with(|query| query.range = Range::Between(from, to.max(from.plus_micros(5 * MINUTE))))
    }
}

/// A moment as the API writes it, or as people type it: `2026-11-12`, `2026-11-12T14:00`, in UTC.
fn moment(text: &str) -> Option<Timestamp> {
    let text = text.trim().replace(' ', "T");
    [
        text.clone(),
        format!("{text}Z"),
        format!("{text}:00Z"),
        format!("{text}T00:00:00Z"),
    ]
    .iter()
    .find_map(|text| Timestamp::parse_rfc3339(text))
}

impl OverviewSpan {
    /// Whether a bucket that begins at `at` has not ended at `now`.
    pub(crate) fn goes_on(&self, at: Timestamp, now: Timestamp) -> bool {
        now < at.plus_micros(self.bucket.micros())
    }

    /// The time before a moment and the time since it, equally long: where the first begins, the moment itself to the
    /// nearest hour (where buckets are shorter, to the nearest of them), and where the second ends, which is the end of
    /// the window. `None` when the moment is not within the window.
    pub(crate) fn around(&self, at: Timestamp) -> Option<(Timestamp, Timestamp, Timestamp)> {
        let grain = if self.is_of_hours() {
            Bucket::Hour
        } else {
            self.bucket
        };
        let middle = grain.start_of(at.plus_micros(grain.micros() / 2));
        if middle <= self.from || middle >= self.to {
            return None;
        }
        let before = middle.plus_micros(middle.micros() - self.to.micros());
        Some((before, middle, self.to))
    }

    /// Whether it begins and ends with an hour.
    pub(crate) fn is_of_hours(&self) -> bool {
        matches!(self.bucket, Bucket::Hour | Bucket::Day)
    }

    /// The beginning of the bucket in its middle.
    #[cfg(any(feature = "ssr", test))]
    pub(crate) fn middle(&self) -> Timestamp {
        let count = (self.to.micros() - self.from.micros()) / self.bucket.micros();
        self.from.plus_micros(count / 2 * self.bucket.micros())
    }

    /// The beginnings of its buckets.
    pub(crate) fn buckets(&self) -> Vec<Timestamp> {
        let count = (self.to.micros() - self.from.micros()) / self.bucket.micros();
        (0..count.clamp(0, 3_000))
            .map(|n| self.from.plus_micros(n * self.bucket.micros()))
            .collect()
    }

    /// The place of a moment in the window, 0 to 1 within it.
    pub(crate) fn share(&self, at: Timestamp) -> f64 {
        let length = (self.to.micros() - self.from.micros()).max(1) as f64;
        (at.micros() - self.from.micros()) as f64 / length
    }
}

#[cfg(test)]
mod tests;

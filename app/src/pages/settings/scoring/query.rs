//! The state of the scoring settings, all of it in the URL.

use domain::filter::encode_query;

use super::draft::ScoringDraft;

/// Windows of the back-test in days; the first is the default one.
pub(super) const DAYS: [u32; 3] = [30, 7, 90];
/// What the slider can try.
pub(super) const TRIED: std::ops::RangeInclusive<i32> = 50..=150;

/// What the URL says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct ScoringQuery {
    /// Days that are scored again.
    pub(super) days: u32,
    /// The key that is looked at; `None` for all.
    pub(super) key: Option<String>,
    /// The threshold that is tried; `None` for the form's own.
    pub(super) tried: Option<i32>,
    /// Whether codes that never hit are listed too.
    pub(super) all_codes: bool,
    /// Whether the chart is shown as a table.
    pub(super) as_table: bool,
    /// The form as it was being filled in.
    pub(super) draft: Option<ScoringDraft>,
}

impl ScoringQuery {
    /// Reads the parameters, already decoded. What can't be read is left out.
    pub(super) fn from_pairs(pairs: &[(String, String)]) -> Self {
        let get = |name: &str| {
            let found = pairs.iter().find(|(known, _)| known == name);
            found
                .map(|(_, value)| value.as_str())
                .filter(|value| !value.is_empty())
        };
        let days = get("days").and_then(|days| days.parse().ok());
        let [default_days, ..] = DAYS;
        Self {
            days: days.filter(|days| DAYS.contains(days)).unwrap_or(default_days),
            key: get("key").map(str::to_owned),
            tried: get("try")
                .and_then(|points| points.parse().ok())
                .filter(|points| TRIED.contains(points)),
            all_codes: get("codes") == Some("all"),
            as_table: get("view") == Some("table"),
            draft: ScoringDraft::from_query(
                pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())),
            ),
        }
    }

    /// `?days=7&key=jobs`, or nothing.
    pub(super) fn to_href(&self) -> String {
        let [default_days, ..] = DAYS;
        let days = (self.days != default_days).then(|| self.days.to_string());
        let tried = self.tried.map(|points| points.to_string());
        let pairs = [
            ("days", days.as_deref()),
            ("key", self.key.as_deref()),
            ("try", tried.as_deref()),
            ("codes", self.all_codes.then_some("all")),
            ("view", self.as_table.then_some("table")),
        ];
        let mut query = encode_query(pairs.into_iter().filter_map(|(name, value)| Some((name, value?))));
        if let Some(draft) = &self.draft {
            if !query.is_empty() {
                query.push('&');
            }
            query.push_str(&draft.to_query());
        }
        if query.is_empty() {
            query
        } else {
            format!("?{query}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query_string;

    #[test]
    fn reads_what_it_writes() {
        let check = |query: &str, expected: &str| {
            let read = ScoringQuery::from_pairs(&query_string::pairs(query));
            assert_eq!(read.to_href(), expected, "{query}");
            assert_eq!(ScoringQuery::from_pairs(&query_string::pairs(expected)), read);
        };
        check("", "");
        check("?days=30&key=&try=", "");
        check(
            "?days=7&key=a%26b&try=80&codes=all&view=table",
            "?days=7&key=a%26b&try=80&codes=all&view=table",
        );
        check("?days=12&try=151&codes=some", "");
        check(
            "?draft=1&threshold=80&extended=on",
            "?draft=1&mode=dynamic&threshold_kind=fixed&threshold=80&extended=on",
        );
    }
}

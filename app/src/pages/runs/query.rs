//! The state of the runs list, all of it in the URL.

use domain::filter::{FilterError, encode_query};
use domain::{RunFilter, RunStatus, Severity, Window};

use super::columns::Columns;

/// The window of a list whose URL names none.
const DEFAULT_WINDOW: Window = Window::LastMinutes(1_440);

/// What the URL of the runs list says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RunsQuery {
    pub(crate) filter: RunFilter,
    pub(crate) columns: Columns,
    /// New runs are shown as they come.
    pub(crate) live: bool,
    /// Where the page begins; `None` at the newest.
    pub(crate) cursor: Option<String>,
    /// A parameter that could not be read, for the filter bar to say so.
    pub(crate) error: Option<FilterError>,
}

impl Default for RunsQuery {
    fn default() -> Self {
        Self {
            filter: RunFilter {
                window: DEFAULT_WINDOW,
                ..RunFilter::default()
            },
            columns: Columns::default(),
            live: false,
            cursor: None,
            error: None,
        }
    }
}

/// One of the tabs under the filter bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Show {
    /// Every run.
    All,
    Severity(Severity),
    Status(RunStatus),
}

impl RunsQuery {
    /// Reads the parameters (already percent-decoded). A parameter that can't be read is left out and remembered
    /// as the error. `add` is a term typed into the filter bar of a page without script; it becomes part of the
    /// filter.
    pub(crate) fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut query = Self::default();
        let mut columns: Vec<&str> = Vec::new();
        let mut term = None;
        for (name, value) in pairs {
            let value = value.trim();
            match name {
                _ if value.is_empty() => {}
                "cols" => columns.push(value),
                "live" => query.live = value == "1",
                "cursor" => query.cursor = Some(value.to_owned()),
                "add" => term = Some(value),
                _ => {
                    if let Err(error) = query.filter.set(name, value) {
                        query.error = Some(error);
                    }
                }
            }
        }
        query.columns = Columns::parse(&columns.join(","));
        if let Some(term) = term {
            query.add_term(term);
        }
        query
    }

    /// Adds a typed term and goes back to the newest page; an unreadable term becomes the error.
    pub(crate) fn add_term(&mut self, term: &str) {
        let mut filter = self.filter.clone();
        match filter.add_term(term) {
            Ok(()) => {
                self.filter = filter;
                self.cursor = None;
                self.error = None;
            }
            Err(error) => self.error = Some(error),
        }
    }

    /// The parameters, as (name, value).
    pub(crate) fn to_pairs(&self) -> Vec<(&'static str, String)> {
        let mut pairs = self.filter_pairs();
        pairs.extend(self.columns.to_word().map(|word| ("cols", word)));
        if self.live {
            pairs.push(("live", "1".to_owned()));
        }
        pairs.extend(self.cursor.clone().map(|cursor| ("cursor", cursor)));
        pairs
    }

    /// The filter's parameters alone, the window named whenever it is not the page's default.
    pub(crate) fn filter_pairs(&self) -> Vec<(&'static str, String)> {
        let mut pairs = self.filter.to_pairs();
        match self.filter.window {
            window if window == DEFAULT_WINDOW => pairs.retain(|(name, _)| *name != "range"),
            Window::All => pairs.push(("range", "all".to_owned())),
            _ => {}
        }
        pairs
    }

    /// A link to this state on the same page: never empty, so that it also leads out of the current state.
    pub(crate) fn to_href(&self) -> String {
        let pairs = self.to_pairs();
        format!(
            "?{}",
            encode_query(pairs.iter().map(|(name, value)| (*name, value.as_str())))
        )
    }

    /// This state after a change to its filter, at the newest page.
    pub(crate) fn with_filter(&self, change: impl FnOnce(&mut RunFilter)) -> Self {
        let mut query = Self {
            cursor: None,
            error: None,
            ..self.clone()
        };
        change(&mut query.filter);
        query
    }

    /// This state without one chip.
    pub(crate) fn without(&self, name: &str) -> Self {
        self.with_filter(|filter| filter.clear(name))
    }

    /// This state without any chip; the window stays.
    pub(crate) fn without_chips(&self) -> Self {
        self.with_filter(|filter| {
            *filter = RunFilter {
                window: filter.window,
                ..RunFilter::default()
            };
        })
    }

    /// This state over another window.
    pub(crate) fn with_window(&self, window: Window) -> Self {
        self.with_filter(|filter| filter.window = window)
    }

    /// This state with one of the tabs chosen.
    pub(crate) fn showing(&self, show: Show) -> Self {
        self.with_filter(|filter| {
            (filter.severity, filter.status) = match show {
                Show::All => (None, None),
                Show::Severity(severity) => (Some(severity), None),
                Show::Status(status) => (None, Some(status)),
            };
        })
    }

    /// Which tab is chosen; `None` when the filter is narrower than any.
    pub(crate) fn show(&self) -> Option<Show> {
        match (self.filter.severity, self.filter.status) {
            (None, None) => Some(Show::All),
            (Some(severity), None) => Some(Show::Severity(severity)),
            (None, Some(status)) => Some(Show::Status(status)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(pairs: &[(&str, &str)]) -> RunsQuery {
        RunsQuery::from_pairs(pairs.iter().copied())
    }

    #[test]
    fn url_form() {
        let check = |pairs: &[(&str, &str)], expected: &str| {
            assert_eq!(query(pairs).to_href(), expected, "{pairs:?}");
        };
        check(&[], "?");
        check(&[("range", "24h")], "?");
        check(&[("range", "all")], "?range=all");
        check(&[("range", "7d"), ("live", "1")], "?range=7d&live=1");
        check(
            &[("from", "2026-11-21T09:00:00Z")],
            "?from=2026-11-21T09%3A00%3A00Z",
        );
        check(&[("cols", "cost"), ("cols", "problem")], "?cols=problem%2Ccost");
        check(
            &[("status", "error"), ("cursor", "abc")],
            "?status=error&cursor=abc",
        );
        check(
            &[("add", "cost > 0.05"), ("cursor", "abc"), ("model", "m")],
            "?model=m&cost_min=0.05",
        );
        check(&[("add", " ")], "?");
    }

    #[test]
    fn unreadable_parameters_are_said_and_left_out() {
        let check = |pairs: &[(&str, &str)], field: &str, href: &str| {
            let query = query(pairs);
            assert_eq!(query.error.as_ref().map(|e| e.field.as_str()), Some(field));
            assert_eq!(query.to_href(), href);
        };
        check(&[("status", "broken"), ("key", "k")], "status", "?key=k");
        check(&[("add", "status:broken"), ("key", "k")], "status", "?key=k");
    }

    #[test]
    fn links_lead_back_to_the_newest_page() {
        let here = query(&[("status", "error"), ("key", "k"), ("cursor", "c"), ("live", "1")]);
        let check = |query: RunsQuery, expected: &str| assert_eq!(query.to_href(), expected);
        check(here.without("key"), "?status=error&live=1");
        check(here.without_chips(), "?live=1");
        check(
            here.with_window(Window::All),
            "?status=error&key=k&range=all&live=1",
        );
        check(
            here.showing(Show::Severity(Severity::Critical)),
            "?severity=critical&key=k&live=1",
        );
        check(here.showing(Show::All), "?key=k&live=1");
        assert_eq!(here.show(), Some(Show::Status(RunStatus::Error)));
    }
}

//! The state of a list of sessions or users, all of it in the URL.

use domain::filter::{FilterError, encode_query};
use domain::run::{GroupOrder, RunGrouping};
use domain::{RunFilter, Severity, Window};
use leptos::prelude::*;
use leptos_router::hooks::use_location;

use crate::api::groups::GroupsWish;
use crate::query_string;

/// Which list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ListOf {
    Sessions,
    Users,
}

impl ListOf {
    const fn grouping(self) -> RunGrouping {
        match self {
            Self::Sessions => RunGrouping::Session,
            Self::Users => RunGrouping::User,
        }
    }

    /// The window of a list whose URL names none.
    const fn window(self) -> Window {
        match self {
            Self::Sessions => Window::LastMinutes(1_440),
            Self::Users => Window::LastMinutes(10_080),
        }
    }

    const fn order(self) -> GroupOrder {
        match self {
            Self::Sessions => GroupOrder::Latest,
            Self::Users => GroupOrder::Costliest,
        }
    }
}

/// What the URL of a list says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct GroupsQuery {
    pub(crate) of: ListOf,
    pub(crate) filter: RunFilter,
    pub(crate) order: GroupOrder,
    /// Where the page begins; `None` at the first.
    pub(crate) cursor: Option<String>,
    /// A parameter that could not be read, for the filter bar to say so.
    pub(crate) error: Option<FilterError>,
}

/// The state in the URL.
pub(crate) fn use_groups_query(of: ListOf) -> Memo<GroupsQuery> {
    let search = use_location().search;
    Memo::new(move |_| {
        let pairs = query_string::pairs(&search.read());
        GroupsQuery::from_pairs(
            of,
            pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())),
        )
    })
}

impl GroupsQuery {
    /// Reads the parameters (already percent-decoded). A parameter that can't be read is left out and remembered as the
    /// error. `add` is a term typed into the filter bar.
    pub(crate) fn from_pairs<'a>(of: ListOf, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut query = Self {
            of,
            filter: RunFilter {
                window: of.window(),
                ..RunFilter::default()
            },
            order: of.order(),
            cursor: None,
            error: None,
        };
        let mut term = None;
        for (name, value) in pairs {
            let value = value.trim();
            match name {
                _ if value.is_empty() => {}
                "order" => query.order = GroupOrder::parse(value).unwrap_or(query.order),
                "cursor" => query.cursor = Some(value.to_owned()),
                "add" => term = Some(value),
                _ => {
                    if let Err(error) = query.filter.set(name, value) {
                        query.error = Some(error);
                    }
                }
            }
        }
        if let Some(term) = term {
            let mut filter = query.filter.clone();
            match filter.add_term(term) {
                Ok(()) => {
                    query.filter = filter;
                    query.cursor = None;
                }
                Err(error) => query.error = Some(error),
            }
        }
        if query.filter.attribute.take().is_some() {
            query.error = Some(FilterError {
                field: "attribute".to_owned(),
                message: "narrows the list of runs only".to_owned(),
            });
        }
        query
    }

    /// The parameters, as (name, value).
    pub(crate) fn to_pairs(&self) -> Vec<(&'static str, String)> {
        let mut pairs = self.filter.to_pairs();
        match self.filter.window {
            window if window == self.of.window() => pairs.retain(|(name, _)| *name != "range"),
            Window::All => pairs.push(("range", "all".to_owned())),
            _ => {}
        }
        if self.order != self.of.order() {
            pairs.push(("order", self.order.as_str().to_owned()));
        }
        pairs.extend(self.cursor.clone().map(|cursor| ("cursor", cursor)));
        pairs
    }

    /// A link to this state on the same page: never empty, so that it also leads out of the current state.
    pub(crate) fn to_href(&self) -> String {
        let pairs = self.to_pairs();
        let pairs = pairs.iter().map(|(name, value)| (*name, value.as_str()));
        format!("?{}", encode_query(pairs))
    }

    fn with(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut query = Self {
            cursor: None,
            error: None,
            ..self.clone()
        };
        change(&mut query);
        query
    }

    /// This state without one chip, from the first page.
    pub(crate) fn without(&self, name: &str) -> Self {
        self.with(|query| query.filter.clear(name))
    }

    /// This state without any chip; the window stays.
    pub(crate) fn without_chips(&self) -> Self {
        self.with(|query| {
            query.filter = RunFilter {
                window: query.filter.window,
                ..RunFilter::default()
            };
        })
    }

    /// This state over another window.
    pub(crate) fn with_window(&self, window: Window) -> Self {
        self.with(|query| query.filter.window = window)
    }

    /// This state with a severity chosen, or all.
    pub(crate) fn showing(&self, severity: Option<Severity>) -> Self {
        self.with(|query| query.filter.severity = severity)
    }

    /// This state in another order.
    pub(crate) fn ordered(&self, order: GroupOrder) -> Self {
        self.with(|query| query.order = order)
    }

    /// The page that begins at a cursor.
    pub(crate) fn at_cursor(&self, cursor: String) -> Self {
        Self {
            cursor: Some(cursor),
            ..self.clone()
        }
    }

    /// The first page.
    pub(crate) fn first_page(&self) -> Self {
        self.with(|_| ())
    }

    /// What is read for this state.
    pub(crate) fn wish(&self) -> GroupsWish {
        GroupsWish {
            grouping: self.of.grouping(),
            filter: self.filter.clone(),
            order: self.order,
            cursor: self.cursor.clone(),
        }
    }

    /// Whether anything but the window hides rows.
    pub(crate) fn is_narrowed(&self) -> bool {
        !self.filter.chips().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_form() {
        let check = |of: ListOf, pairs: &[(&str, &str)], expected: &str| {
            let query = GroupsQuery::from_pairs(of, pairs.iter().copied());
            assert_eq!(query.to_href(), expected, "{pairs:?}");
        };
        check(ListOf::Sessions, &[], "?");
        check(ListOf::Sessions, &[("range", "24h")], "?");
        check(ListOf::Users, &[("range", "24h")], "?range=24h");
        check(ListOf::Users, &[("range", "7d"), ("order", "cost")], "?");
        check(
            ListOf::Sessions,
            &[
                ("order", "cost"),
                ("user", "u-1"),
                ("range", "all"),
                ("cursor", "5.a"),
            ],
            "?user=u-1&range=all&order=cost&cursor=5.a",
        );
        check(
            ListOf::Sessions,
            &[("add", "user:u-1"), ("cursor", "5.a")],
            "?user=u-1",
        );
    }

    #[test]
    fn what_can_t_narrow_a_list_is_said() {
        let check = |pairs: &[(&str, &str)], field: &str| {
            let query = GroupsQuery::from_pairs(ListOf::Users, pairs.iter().copied());
            assert_eq!(query.error.map(|error| error.field).as_deref(), Some(field));
            assert_eq!(query.filter.attribute, None);
        };
        check(&[("attribute", "customer=acme")], "attribute");
        check(&[("status", "broken")], "status");
    }

    #[test]
    fn links_lead_back_to_the_first_page() {
        let pairs = [("user", "u"), ("severity", "critical"), ("cursor", "1.a")];
        let here = GroupsQuery::from_pairs(ListOf::Sessions, pairs);
        let check = |query: GroupsQuery, expected: &str| assert_eq!(query.to_href(), expected);
        check(here.without("user"), "?severity=critical");
        check(here.without_chips(), "?");
        check(here.showing(None), "?user=u");
        check(
            here.ordered(GroupOrder::Costliest),
            "?severity=critical&user=u&order=cost",
        );
        check(here.first_page(), "?severity=critical&user=u");
        check(
            here.at_cursor("2.b".to_owned()),
            "?severity=critical&user=u&cursor=2.b",
        );
    }
}

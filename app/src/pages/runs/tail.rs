//! The rows in the browser's hands: older ones are appended, new ones go above a divider. Rows that are there stay.

use domain::RunSummary;
use domain::run::RunPage;
use leptos::prelude::*;

use super::Page;
use crate::api::runs::list_runs;
use crate::live::waits_to_read_again;

/// New rows kept above the divider; beyond it the oldest of them are let go, for the list is not a log.
const MAX_NEWER: usize = 500;

#[derive(Clone, Copy)]
pub(super) struct Rows {
    /// Runs that came since the page was opened, newest first.
    pub(super) newer: RwSignal<Vec<RunSummary>>,
    /// Runs the page was opened with, and older ones loaded since, newest first.
    pub(super) shown: RwSignal<Vec<RunSummary>>,
    /// Where the next older page begins.
    pub(super) next_cursor: RwSignal<Option<String>>,
}

impl Rows {
    /// The rows of a reading.
    pub(super) fn new(items: Vec<RunSummary>, next_cursor: Option<String>) -> Self {
        Self {
            newer: RwSignal::new(Vec::new()),
            shown: RwSignal::new(items),
            next_cursor: RwSignal::new(next_cursor),
        }
    }

    /// Adds an older page below.
    pub(super) fn append(self, page: RunPage) {
        self.shown.try_update(|shown| append_older(shown, page.items));
        self.next_cursor.try_set(page.next_cursor);
    }

    /// How many rows there are.
    pub(super) fn count(self) -> usize {
        self.newer.read().len() + self.shown.read().len()
    }

    /// The ids of all rows, from top to bottom.
    pub(super) fn ids(self) -> Vec<String> {
        let (newer, shown) = (self.newer.read_untracked(), self.shown.read_untracked());
        newer
            .iter()
            .chain(shown.iter())
            .map(|run| run.run_id.clone())
            .collect()
    }
}

/// While the live tail is on, reads the newest page again after every event and merges it in.
pub(super) fn follow_tail(page: Page, rows: Rows) {
    let Page {
        slug, query, live, ..
    } = page;
    let is_live = Memo::new(move |_| query.read().live && query.read().cursor.is_none());
    let reading = StoredValue::new(false);
    let changed_meanwhile = StoredValue::new(false);
    Effect::new(move |before: Option<()>| {
        let is_live = is_live.get();
        live.last.track();
        live.gaps.track();
        // The first run of the effect has just been rendered with fresh rows.
        if before.is_none() || !is_live {
            return;
        }
        if reading.get_value() {
            changed_meanwhile.set_value(true);
            return;
        }
        reading.set_value(true);
        let (slug, filter) = (slug.get_untracked(), query.read_untracked().filter.clone());
        leptos::task::spawn_local(async move {
            loop {
                changed_meanwhile.try_set_value(false);
                match list_runs(slug.clone(), filter.clone(), None).await {
                    Ok(fresh) => {
                        rows.newer.try_update(|newer| {
                            rows.shown.try_update(|shown| merge(newer, shown, fresh.items));
                        });
                    }
                    Err(error) => {
                        if waits_to_read_again(&error).await && !rows.newer.is_disposed() {
                            continue;
                        }
                    }
                }
                if changed_meanwhile.try_get_value() != Some(true) {
                    break;
                }
            }
            reading.try_set_value(false);
        });
    });
}

/// Updates the rows that are there in place and puts unknown ones on top, newest first.
fn merge(newer: &mut Vec<RunSummary>, shown: &mut [RunSummary], fresh: Vec<RunSummary>) {
    let newest_shown = shown.first().map(|run| run.partition_at);
    let mut unknown = Vec::new();
    for run in fresh {
        let known = newer
            .iter_mut()
            .chain(shown.iter_mut())
            .find(|row| is_same(row, &run));
        match known {
            Some(row) => *row = run,
            // A run filed below the divider would move the rows being read.
            None if newest_shown.is_none_or(|newest| run.partition_at >= newest) => unknown.push(run),
            None => {}
        }
    }
    newer.extend(unknown);
    newer.sort_by_key(|run| std::cmp::Reverse(run.partition_at));
    newer.truncate(MAX_NEWER);
}

/// Whether two rows show the same: a run that goes on for days has one for each.
fn is_same(a: &RunSummary, b: &RunSummary) -> bool {
    (&a.run_id, a.partition_at) == (&b.run_id, b.partition_at)
}

/// Adds older rows, leaving out any that are there.
fn append_older(shown: &mut Vec<RunSummary>, older: Vec<RunSummary>) {
    for run in older {
        if !shown.iter().any(|row| is_same(row, &run)) {
            shown.push(run);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::run::sample_run;

    fn runs(text: &str) -> Vec<RunSummary> {
        text.split_whitespace()
            .map(|word| {
                let (id, second) = word.split_once('@').unwrap();
                sample_run(id, second.parse().unwrap())
            })
            .collect()
    }

    fn ids(rows: &[RunSummary]) -> String {
        rows.iter()
            .map(|run| run.run_id.as_str())
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn new_rows_go_on_top_and_others_stay() {
        let check = |newer: &str, shown: &str, fresh: &str, expected: (&str, &str)| {
            let (mut newer, mut shown) = (runs(newer), runs(shown));
            merge(&mut newer, &mut shown, runs(fresh));
            assert_eq!((ids(&newer).as_str(), ids(&shown).as_str()), expected);
        };
        check("", "b@2 a@1", "b@2 a@1", ("", "b a"));
        check("", "b@2 a@1", "d@4 c@3 b@2", ("d c", "b a"));
        check("c@3", "b@2", "d@4 c@3 b@2", ("d c", "b"));
        check("", "b@2 a@1", "b@2 late@1 a@1", ("", "b a"));
        check("", "", "a@1", ("a", ""));
        check("", "b@2", "", ("", "b"));
    }

    #[test]
    fn older_rows_are_not_shown_twice() {
        let mut shown = runs("b@2");
        append_older(&mut shown, runs("b@2 a@1"));
        assert_eq!(ids(&shown), "b a");
    }
}

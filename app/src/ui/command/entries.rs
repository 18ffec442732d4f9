//! What the command menu offers: pure, so that it can be tested without a browser.

use domain::{Project, Role, RunSummary};

use crate::theme::Theme;
use crate::ui::links::{PAGES, page_href, run_href};

/// What choosing an entry does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Go(String),
    Theme(Theme),
    /// Put this page's address on the clipboard.
    CopyLink,
    /// Show all keys.
    Help,
}

/// One line of the menu.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) group: &'static str,
    pub(super) icon: &'static str,
    pub(super) text: String,
    pub(super) hint: String,
    pub(super) keys: Vec<&'static str>,
    pub(super) action: Action,
}

/// A run that the server found for what was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FoundRun {
    pub(super) id: String,
    pub(super) name: String,
}

impl From<RunSummary> for FoundRun {
    fn from(run: RunSummary) -> Self {
        Self {
            name: run.name,
            id: run.run_id,
        }
    }
}

/// The pages of a project's settings, with their part of the URL.
const SETTINGS: &[(&str, &str)] = &[
    ("Keys", "settings/keys"),
    ("Model providers", "settings/providers"),
    ("Prices", "settings/prices"),
    ("Members", "settings/members"),
    ("Ledger", "settings/ledger"),
    ("Audit", "settings/audit"),
];

/// The entries that hold every word of `query`, pages first. Found runs have been filtered by the server.
pub(super) fn matching(
    slug: &str,
    projects: &[(Project, Role)],
    runs: &[FoundRun],
    query: &str,
) -> Vec<Entry> {
    let query = query.to_lowercase();
    let fits = |entry: &Entry| {
        let text = format!("{} {}", entry.text, entry.hint).to_lowercase();
        query.split_whitespace().all(|word| text.contains(word))
    };
    let mut entries: Vec<Entry> = go_to(slug).into_iter().filter(&fits).collect();
    entries.extend(runs.iter().map(|run| found(slug, run)));
    entries.extend(
        projects
            .iter()
            .filter(|(project, _)| project.slug != slug)
            .map(|(project, _)| other_project(project))
            .filter(&fits),
    );
    entries.extend(things_to_do().into_iter().filter(&fits));
    entries
}

/// The row `by` further, around both ends.
pub(super) fn moved(at: usize, by: isize, count: usize) -> usize {
    match (count, by) {
        (0, _) => 0,
        (_, 1..) if at + 1 >= count => 0,
        (_, 1..) => at + 1,
        (_, 0) => at,
        _ if at == 0 => count - 1,
        _ => at - 1,
    }
}

fn go_to(slug: &str) -> Vec<Entry> {
    let entry = |icon, text: &str, segment, keys| Entry {
        group: "Go to",
        icon,
        text: text.to_owned(),
        hint: String::new(),
        keys,
        action: Action::Go(page_href(slug, segment)),
    };
    let mut entries: Vec<Entry> = PAGES
        .iter()
        .map(|page| {
            let keys = match page.letter {
                'r' => vec!["g", "r"],
                's' => vec!["g", "s"],
                'a' => vec!["g", "a"],
                'p' => vec!["g", "p"],
                _ => Vec::new(),
            };
            entry(page.icon, page.label, page.segment, keys)
        })
        .collect();
    entries.extend(
        SETTINGS
            .iter()
            .map(|(text, segment)| entry("settings", text, segment, Vec::new())),
    );
    entries
}

fn found(slug: &str, run: &FoundRun) -> Entry {
    Entry {
        group: "Runs",
        icon: "runs",
        text: run.name.clone(),
        hint: domain::text::short_id(&run.id).to_owned(),
        keys: Vec::new(),
        action: Action::Go(run_href(slug, &run.id)),
    }
}

fn other_project(project: &Project) -> Entry {
    Entry {
        group: "Projects",
        icon: "branch",
        text: project.name.clone(),
        hint: project.slug.clone(),
        keys: Vec::new(),
        action: Action::Go(page_href(&project.slug, "")),
    }
}

fn things_to_do() -> Vec<Entry> {
    let entry = |icon, text: String, keys, action| Entry {
        group: "Do",
        icon,
        text,
        hint: String::new(),
        keys,
        action,
    };
    let mut entries = vec![entry(
        "link",
        "Copy link to this page".to_owned(),
        Vec::new(),
        Action::CopyLink,
    )];
    entries.extend(Theme::ALL.map(|theme| {
        entry(
            "sun",
            format!("Theme: {}", theme.as_str()),
            Vec::new(),
            Action::Theme(theme),
        )
    }));
    entries.push(entry("help", "Keyboard".to_owned(), vec!["?"], Action::Help));
    entries
}

#[cfg(test)]
mod tests {
    use domain::ProjectId;

    use super::*;

    #[test]
    fn finds_by_words() {
        let project = |slug: &str, name: &str| {
            let id = "01890a5d-ac96-774b-bcce-b302099a8057"
                .parse::<ProjectId>()
                .unwrap();
            (
                Project {
                    id,
                    slug: slug.to_owned(),
                    name: name.to_owned(),
                },
                Role::Admin,
            )
        };
        let projects = [project("acme", "Acme support"), project("lab", "Lab")];
        let runs = [FoundRun {
            id: "a b-c1cec6".to_owned(),
            name: "resolve-ticket".to_owned(),
        }];
        let check = |query: &str, expected: &[&str]| {
            let texts: Vec<String> = matching("acme", &projects, &runs, query)
                .into_iter()
                .map(|entry| entry.text)
                .collect();
            assert_eq!(texts, expected, "{query}");
        };
        check("led", &["Ledger", "resolve-ticket"]);
        check("LAB", &["resolve-ticket", "Lab"]);
        check("dark theme", &["resolve-ticket", "Theme: dark"]);
        check("acme", &["resolve-ticket"]);
        let run = found("acme", &runs[0]);
        assert_eq!(run.action, Action::Go("/p/acme/runs/a%20b-c1cec6".to_owned()));
    }

    #[test]
    fn moves_around_the_ends() {
        let check = |at, by, count, expected| assert_eq!(moved(at, by, count), expected);
        check(0, 1, 3, 1);
        check(2, 1, 3, 0);
        check(0, -1, 3, 2);
        check(0, 1, 0, 0);
        check(0, -1, 0, 0);
        check(5, 1, 3, 0);
    }
}

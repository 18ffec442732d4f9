//! The pages of a project and their addresses. A new page in the side bar is one line in [`PAGES`].

use domain::filter::percent_encode;
use domain::series::SeriesBy;

/// A page the side bar leads to.
pub(crate) struct NavPage {
    /// Its part of the URL after the project.
    pub(crate) segment: &'static str,
    pub(crate) label: &'static str,
    pub(crate) icon: &'static str,
    /// The letter that goes there after `g`.
    pub(crate) letter: char,
    /// At the foot rather than at the top.
    pub(crate) foot: bool,
}

/// The pages, in their order.
pub(crate) const PAGES: &[NavPage] = &[
    NavPage {
        segment: "",
        label: "Overview",
        icon: "overview",
        letter: 'o',
        foot: false,
    },
    NavPage {
        segment: "runs",
        label: "Runs",
        icon: "runs",
        letter: 'r',
        foot: false,
    },
    NavPage {
        segment: "anomalies",
        label: "Anomalies",
        icon: "anomalies",
        letter: 'a',
        foot: false,
    },
    NavPage {
        segment: "incidents",
        label: "Incidents",
        icon: "incidents",
        letter: 'i',
        foot: false,
    },
    NavPage {
        segment: "deploys",
        label: "Deploys",
        icon: "deploys",
        letter: 'd',
        foot: false,
    },
    NavPage {
        segment: "prompts",
        label: "Prompts",
        icon: "prompts",
        letter: 'p',
        foot: false,
    },
    NavPage {
        segment: "sessions",
        label: "Sessions",
        icon: "sessions",
        letter: 'n',
        foot: false,
    },
    NavPage {
        segment: "users",
        label: "Users",
        icon: "users",
        letter: 'u',
        foot: false,
    },
    NavPage {
        segment: "detectors",
        label: "Detectors",
        icon: "detectors",
        letter: 't',
        foot: false,
    },
    NavPage {
        segment: "ask",
        label: "Ask",
        icon: "spark",
        letter: 'q',
        foot: false,
    },
    NavPage {
        segment: "settings",
        label: "Settings",
        icon: "settings",
        letter: 's',
        foot: true,
    },
];

/// The address of a page of a project; of its overview without a segment.
pub(crate) fn page_href(slug: &str, segment: &str) -> String {
    if segment.is_empty() {
        format!("/p/{slug}")
    } else {
        format!("/p/{slug}/{segment}")
    }
}

/// The address of a deploy's page.
pub(crate) fn deploy_href(slug: &str, deploy_id: &str) -> String {
    format!("{}/{}", page_href(slug, "deploys"), percent_encode(deploy_id))
}

/// The address of the page of a step, key, model or template; `None` where there is none: of an environment, and of a
/// name that no address can have.
pub(crate) fn scope_href(slug: &str, by: SeriesBy, name: &str) -> Option<String> {
    let segment = match by {
        SeriesBy::Step => "steps",
        SeriesBy::Key => "keys",
        SeriesBy::Model => "models",
        SeriesBy::Template => "prompts",
        SeriesBy::Environment => return None,
    };
    // Browsers take a segment of dots for a way up.
    if name.trim().is_empty() || matches!(name, "." | "..") {
        return None;
    }
    let name = match by {
        SeriesBy::Template => domain::prompt::short_fingerprint(name),
        _ => name,
    };
    Some(format!("{}/{}", page_href(slug, segment), percent_encode(name)))
}

/// Where something is asked about the page at `path`: its part after the project goes along.
pub(crate) fn ask_href(slug: &str, path: &str) -> String {
    let ask = page_href(slug, "ask");
    let below = path
        .strip_prefix(&page_href(slug, ""))
        .map_or("", |rest| rest.trim_matches('/'));
    if below.is_empty() || is_within(path, &ask) {
        ask
    } else {
        format!("{ask}?page={}", percent_encode(below))
    }
}

/// The address of an incident's page.
pub(crate) fn incident_href(slug: &str, incident_id: &str) -> String {
    format!("{}/{}", page_href(slug, "incidents"), percent_encode(incident_id))
}

/// The address of a detector's page.
pub(crate) fn detector_href(slug: &str, detector_id: &str) -> String {
    format!("{}/{}", page_href(slug, "detectors"), percent_encode(detector_id))
}

/// The address of a finding's page.
pub(crate) fn finding_href(slug: &str, finding_id: &str) -> String {
    format!("{}/{}", page_href(slug, "findings"), percent_encode(finding_id))
}

/// An address that a link may lead to: text that came from elsewhere may be `javascript:…`.
pub(crate) fn web_address(text: &str) -> Option<&str> {
    let (scheme, rest) = text.split_once("://")?;
    let is_web = scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http");
    (is_web && !rest.is_empty()).then_some(text)
}

/// The address of a run's page.
pub(crate) fn run_href(slug: &str, run_id: &str) -> String {
    format!("{}/{}", page_href(slug, "runs"), percent_encode(run_id))
}

/// The address of a session's page; `None` where no address can have its id.
pub(crate) fn session_href(slug: &str, session_id: &str) -> Option<String> {
    id_href(slug, "sessions", session_id)
}

/// The address of a user's page, likewise.
pub(crate) fn user_href(slug: &str, user_id: &str) -> Option<String> {
    id_href(slug, "users", user_id)
}

fn id_href(slug: &str, segment: &str, id: &str) -> Option<String> {
    // Browsers take a segment of dots for a way up.
    let is_segment = !id.trim().is_empty() && !matches!(id, "." | "..");
    is_segment.then(|| format!("{}/{}", page_href(slug, segment), percent_encode(id)))
}

/// Whether `path` is the page at `href` or one below it.
pub(crate) fn is_within(path: &str, href: &str) -> bool {
    path == href || is_below(path, href)
}

/// Whether `path` is a page below the one at `href`.
pub(crate) fn is_below(path: &str, href: &str) -> bool {
    path.strip_prefix(href)
        .and_then(|rest| rest.strip_prefix('/'))
        .is_some_and(|rest| !rest.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_about_the_page_that_it_is_asked_on() {
        let check = |path: &str, expected: &str| assert_eq!(ask_href("acme", path), expected, "{path}");
        check("/p/acme", "/p/acme/ask");
        check("/p/acme/runs/r1", "/p/acme/ask?page=runs%2Fr1");
        check("/p/acme/ask", "/p/acme/ask");
        check("/account", "/p/acme/ask");
    }

    #[test]
    fn only_the_web_is_linked_to() {
        let check = |text: &str, expected: bool| assert_eq!(web_address(text).is_some(), expected, "{text}");
        check("https://www.example.com/pricing", true);
        check("HTTP://example.com", true);
        check("javascript:alert(1)//https://x", false);
        check("data:text/html,https://x", false);
        check(" https://example.com", false);
        check("java\nscript://x", false);
        check("entered under Settings", false);
        check("https://", false);
    }

    #[test]
    fn what_has_a_page_is_linked_to() {
        let check = |by: SeriesBy, name: &str, expected: Option<&str>| {
            assert_eq!(scope_href("acme", by, name).as_deref(), expected, "{name}");
        };
        check(
            SeriesBy::Step,
            "parse request/2",
            Some("/p/acme/steps/parse%20request%2F2"),
        );
        check(
            SeriesBy::Model,
            "openai/gpt-4o",
            Some("/p/acme/models/openai%2Fgpt-4o"),
        );
        check(SeriesBy::Key, "prod", Some("/p/acme/keys/prod"));
        check(
            SeriesBy::Template,
            &"0f".repeat(32),
            Some("/p/acme/prompts/0f0f0f0f0f0f"),
        );
        check(SeriesBy::Environment, "production", None);
        check(SeriesBy::Step, " ", None);
        check(SeriesBy::Step, "..", None);
    }

    #[test]
    fn a_page_is_current_on_itself_and_below() {
        let check =
            |path: &str, expected: bool| assert_eq!(is_within(path, "/p/acme/runs"), expected, "{path}");
        check("/p/acme/runs", true);
        check("/p/acme/runs/r1", true);
        check("/p/acme/runsheet", false);
        check("/p/other/runs", false);
    }

    #[test]
    fn only_pages_below_get_the_rail() {
        let check =
            |path: &str, expected: bool| assert_eq!(is_below(path, "/p/acme/runs"), expected, "{path}");
        check("/p/acme/runs/r1", true);
        check("/p/acme/runs", false);
        check("/p/acme/runs/", false);
    }
}

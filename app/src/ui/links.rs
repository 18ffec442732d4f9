//! The pages of a project and their addresses. A new page in the side bar is one line in [`PAGES`].

use domain::filter::percent_encode;

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

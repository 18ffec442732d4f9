//! The connection to a repository on GitHub: which one, and what of it counts as a deploy.

use serde::{Deserialize, Serialize};

/// The API of GitHub itself; one's own GitHub Enterprise Server has another.
pub const DEFAULT_API_URL: &str = "https://api.github.com";
/// The most environments or workflows that may be named.
pub const MAX_NAMED: usize = 20;
/// The longest name of an environment, a workflow's file or a branch, in characters.
pub const MAX_NAME_CHARS: usize = 255;

/// What is set of the connection, but for its secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct GithubOptions {
    /// `owner/name`.
    pub repository: String,
    /// Where its API is, without a slash at the end.
    pub api_url: String,
    /// Whether GitHub's deployments count.
    pub deployments: bool,
    /// Of these environments only; all when empty.
    pub environments: Vec<String>,
    /// Files of the workflows whose runs count, such as `deploy.yml`.
    pub workflows: Vec<String>,
    /// Of runs those on this branch only.
    pub branch: Option<String>,
    /// Whether published releases count.
    pub releases: bool,
}

impl Default for GithubOptions {
    fn default() -> Self {
        Self {
            repository: String::new(),
            api_url: DEFAULT_API_URL.to_owned(),
            deployments: true,
            environments: Vec::new(),
            workflows: Vec::new(),
            branch: None,
            releases: false,
        }
    }
}

impl GithubOptions {
    /// Whether anything at all counts as a deploy.
    pub fn counts_something(&self) -> bool {
        self.deployments || self.releases || !self.workflows.is_empty()
    }

    /// Whether a deployment to this environment counts.
    pub fn counts_environment(&self, environment: Option<&str>) -> bool {
        self.deployments
            && (self.environments.is_empty()
                || environment.is_some_and(|name| {
                    self.environments
                        .iter()
                        .any(|counted| counted.eq_ignore_ascii_case(name))
                }))
    }

    /// Whether a run of the workflow at this path counts; `.github/workflows/deploy.yml`, perhaps with `@branch`.
    pub fn counts_run(&self, path: &str, branch: Option<&str>, event: &str) -> bool {
        let path = path.split('@').next().unwrap_or(path);
        let file = path.rsplit('/').next().unwrap_or(path);
        let is_counted = self.workflows.iter().any(|workflow| workflow == file);
        let is_on_branch = self.branch.as_deref().is_none_or(|wanted| branch == Some(wanted));
        // What runs for a pull request has not been merged.
        is_counted && is_on_branch && !event.starts_with("pull_request")
    }

    /// Where people look at the repository.
    pub fn web_url(&self) -> String {
        let origin = match self.api_url.as_str() {
            DEFAULT_API_URL => "https://github.com",
            own => own.strip_suffix("/api/v3").unwrap_or(own),
        };
        format!("{origin}/{}", self.repository)
    }
}

/// Reads a repository as people write it: `owner/name`, or its address. `None` when it is none.
pub fn parse_repository(text: &str) -> Option<String> {
    let text = text.trim().trim_end_matches('/');
    let path = match text.split_once("://") {
        Some((_, rest)) => rest.split_once('/')?.1,
        None => text,
    };
    let (owner, name) = path.split_once('/')?;
    let name = name.strip_suffix(".git").unwrap_or(name);
    let is_word = |word: &str| {
        let fits = (1..=100).contains(&word.len()) && !word.starts_with('.');
        fits && word
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    (is_word(owner) && is_word(name)).then(|| format!("{owner}/{name}"))
}

/// Reads names that are separated by commas or lines; `None` when there are too many, or one is too long or no name.
pub fn parse_names(text: &str) -> Option<Vec<String>> {
    let mut names: Vec<String> = Vec::new();
    for name in text
        .split([',', '\n'])
        .map(str::trim)
        .filter(|name| !name.is_empty())
    {
        let is_name = name.chars().count() <= MAX_NAME_CHARS && !name.chars().any(char::is_control);
        if !is_name {
            return None;
        }
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    (names.len() <= MAX_NAMED).then_some(names)
}

/// Whether a name is one of a workflow's file, which is part of addresses.
pub fn is_workflow_file(name: &str) -> bool {
    let is_yaml = name.ends_with(".yml") || name.ends_with(".yaml");
    is_yaml
        && !name.starts_with('.')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// The number of the pull request that a commit says it merges: `Switch the model (#7)`, `Merge pull request #7 from …`.
pub fn pr_of_commit(message: &str) -> Option<i64> {
    let line = message.lines().next()?.trim_end();
    let digits = match line.strip_prefix("Merge pull request #") {
        Some(rest) => rest.split(' ').next()?,
        None => line.strip_suffix(')')?.rsplit_once("(#")?.1,
    };
    digits.parse().ok().filter(|number| *number > 0)
}

/// How the connection is, for people and programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ConnectionState {
    /// Not set up.
    Off,
    /// Nobody asked yet how it is.
    New,
    /// The last attempt went well.
    Ok,
    /// The last attempt failed.
    Failing,
    /// Somebody stopped it.
    Paused,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_are_read_as_people_write_them() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(parse_repository(text).as_deref(), expected, "{text}");
        };
        check("acme/support", Some("acme/support"));
        check(" Acme/support.js ", Some("Acme/support.js"));
        check("https://github.com/acme/support", Some("acme/support"));
        check("https://github.com/acme/support.git", Some("acme/support"));
        check("https://github.acme.dev/acme/support/", Some("acme/support"));
        for wrong in [
            "",
            "acme",
            "acme/",
            "/support",
            "acme/a/b",
            "acme/../x",
            "acme/..",
            "acme/a b",
            "acme/a?x=1",
            "https://github.com/",
        ] {
            check(wrong, None);
        }
    }

    #[test]
    fn what_counts_as_a_deploy() {
        let all = GithubOptions::default();
        assert!(all.counts_environment(Some("staging")) && all.counts_environment(None));
        assert!(!all.counts_run(".github/workflows/deploy.yml", Some("main"), "push"));
        let some = GithubOptions {
            environments: vec!["production".to_owned()],
            workflows: vec!["deploy.yml".to_owned()],
            branch: Some("main".to_owned()),
            ..GithubOptions::default()
        };
        assert!(some.counts_environment(Some("Production")));
        assert!(!some.counts_environment(Some("staging")) && !some.counts_environment(None));
        let check = |path: &str, branch: Option<&str>, event: &str, expected: bool| {
            assert_eq!(
                some.counts_run(path, branch, event),
                expected,
                "{path} {branch:?} {event}"
            );
        };
        check(".github/workflows/deploy.yml", Some("main"), "push", true);
        check(
            ".github/workflows/deploy.yml@main",
            Some("main"),
            "workflow_dispatch",
            true,
        );
        check(".github/workflows/deploy.yml", Some("topic"), "push", false);
        check(".github/workflows/deploy.yml", None, "push", false);
        check(
            ".github/workflows/deploy.yml",
            Some("main"),
            "pull_request",
            false,
        );
        check(
            ".github/workflows/deploy.yml",
            Some("main"),
            "pull_request_target",
            false,
        );
        check(".github/workflows/test.yml", Some("main"), "push", false);
        let none = GithubOptions {
            deployments: false,
            ..GithubOptions::default()
        };
        assert!(!none.counts_something() && !none.counts_environment(Some("production")));
    }

    #[test]
    fn names_and_files() {
        assert_eq!(
            parse_names("production, staging\nproduction,,"),
            Some(vec!["production".to_owned(), "staging".to_owned()])
        );
        assert_eq!(parse_names(&"x".repeat(256)), None);
        assert_eq!(
            parse_names(&(0..21).map(|n| format!("{n},")).collect::<String>()),
            None
        );
        for (name, expected) in [
            ("deploy.yml", true),
            ("deploy-eu.yaml", true),
            ("deploy", false),
            ("../deploy.yml", false),
            ("a b.yml", false),
            (".yml", false),
        ] {
            assert_eq!(is_workflow_file(name), expected, "{name}");
        }
    }

    #[test]
    fn a_merge_names_its_pull_request() {
        for (message, expected) in [
            ("Switch the model (#7)", Some(7)),
            ("Switch the model (#7)\n\nCo-authored-by: x (#9)", Some(7)),
            ("Merge pull request #12 from acme/topic", Some(12)),
            ("Switch the model", None),
            ("Fix #7", None),
            ("Fix (#x)", None),
            ("Fix (#0)", None),
            ("", None),
        ] {
            assert_eq!(pr_of_commit(message), expected, "{message}");
        }
    }

    #[test]
    fn where_people_look() {
        let options = GithubOptions {
            repository: "acme/support".to_owned(),
            ..GithubOptions::default()
        };
        assert_eq!(options.web_url(), "https://github.com/acme/support");
        let own = GithubOptions {
            api_url: "https://github.acme.dev/api/v3".to_owned(),
            ..options
        };
        assert_eq!(own.web_url(), "https://github.acme.dev/acme/support");
    }
}

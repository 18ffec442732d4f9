//! What the process's environment says about where and what runs.

/// Where hosters and build systems write the commit that runs. The first that is set wins.
const RELEASE_VARIABLES: [&str; 15] = [
    "PLUMBLINE_RELEASE",
    "VERCEL_GIT_COMMIT_SHA",
    "RENDER_GIT_COMMIT",
    "RAILWAY_GIT_COMMIT_SHA",
    "HEROKU_BUILD_COMMIT",
    "HEROKU_SLUG_COMMIT",
    "CF_PAGES_COMMIT_SHA",
    "COMMIT_REF", // Netlify
    "SOURCE_COMMIT",
    "GITHUB_SHA",
    "CI_COMMIT_SHA",
    "GIT_COMMIT",
    "GIT_SHA",
    "COMMIT_SHA",
    "SENTRY_RELEASE",
];

const ENVIRONMENT_VARIABLES: [&str; 6] = [
    "PLUMBLINE_ENVIRONMENT",
    "VERCEL_ENV",
    "RAILWAY_ENVIRONMENT_NAME",
    "SENTRY_ENVIRONMENT",
    "APP_ENV",
    "ENVIRONMENT",
];

/// A variable of this process that is set, readable and not blank.
pub(crate) fn variable(name: &str) -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the options of a package are read where it is used"
    )]
    let text = std::env::var(name).ok()?;
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// The version that runs, given a way to read variables.
pub(crate) fn release(variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    RELEASE_VARIABLES.into_iter().find_map(variable)
}

/// Where it runs: `production`, `staging`, …
pub(crate) fn environment(variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    ENVIRONMENT_VARIABLES.into_iter().find_map(variable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_variable_that_is_set_wins() {
        let set =
            |names: &'static [&str]| move |name: &str| names.contains(&name).then(|| format!("of {name}"));
        assert_eq!(release(set(&[])), None);
        assert_eq!(
            release(set(&["GIT_SHA", "GITHUB_SHA"])).as_deref(),
            Some("of GITHUB_SHA")
        );
        assert_eq!(
            release(set(&["GITHUB_SHA", "PLUMBLINE_RELEASE"])).as_deref(),
            Some("of PLUMBLINE_RELEASE")
        );
        assert_eq!(
            environment(set(&["APP_ENV", "ENVIRONMENT"])).as_deref(),
            Some("of APP_ENV")
        );
    }
}

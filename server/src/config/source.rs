//! Where commands that read find the data: the local database, or a server elsewhere.

use std::fmt;
use std::str::FromStr;

use axum::http::Uri;

/// Whose data a command reads. `PLUMBLINE_URL` and `PLUMBLINE_KEY` mean nothing to `serve` and to commands
/// that write; those that read the local database alone refuse, see [`LocalFlags`].
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "What is read")]
pub struct SourceFlags {
    /// Slug of the project [default: default; a key knows its own]
    #[arg(long)]
    pub project: Option<String>,
    /// Read from this server instead of the local database
    #[arg(long, env = "PLUMBLINE_URL", hide_env_values = true)]
    pub url: Option<ServerUrl>,
    /// A key of that server's with the scope `read`; in PLUMBLINE_KEY other users of the machine do not see it
    #[arg(long, env = "PLUMBLINE_KEY", hide_env_values = true)]
    pub key: Option<ReadKey>,
}

/// A server that a command which reads the local database alone is told of. It refuses then, rather than answer with
/// another database's figures.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct LocalFlags {
    #[arg(long = "url", env = "PLUMBLINE_URL", hide = true, hide_env_values = true)]
    url: Option<ServerUrl>,
}

impl LocalFlags {
    /// The server that it can't read from; `None` where none was said.
    pub fn elsewhere(&self) -> Option<&str> {
        self.url.as_ref().and_then(ServerUrl::address)
    }
}

/// The address of a server: scheme and host, without a slash at the end. Empty where the variable is set to nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerUrl(String);

impl ServerUrl {
    /// The address; `None` where none was said.
    pub fn address(&self) -> Option<&str> {
        Some(self.0.as_str()).filter(|address| !address.is_empty())
    }

    /// Whether what is sent there can be read on the way.
    pub fn is_in_the_clear(&self) -> bool {
        let host = self.0.strip_prefix("http://");
        host.is_some_and(|host| {
            let is_near = ["127.", "localhost", "[::1]"]
                .iter()
                .any(|near| host.starts_with(near));
            !is_near
        })
    }
}

/// It may have been meant to hold a password.
impl fmt::Debug for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerUrl")
    }
}

impl FromStr for ServerUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let url = text.trim().trim_end_matches('/');
        if url.is_empty() {
            return Ok(Self(String::new()));
        }
        let usable = Uri::from_str(url).is_ok_and(|uri| {
            matches!(uri.scheme_str(), Some("http" | "https"))
                && uri
                    .authority()
                    .is_some_and(|authority| !authority.as_str().contains('@'))
                && uri.path_and_query().is_none_or(|path| path.as_str() == "/")
        });
        usable
            .then(|| Self(url.to_owned()))
            .ok_or_else(|| "must look like https://plumbline.example.com".to_owned())
    }
}

/// A key. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct ReadKey(String);

impl ReadKey {
    /// As it is sent.
    pub fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ReadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReadKey")
    }
}

impl FromStr for ReadKey {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.trim().to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_of_servers() {
        let check = |text: &str, expected: Option<Option<&str>>| {
            let parsed = text.parse::<ServerUrl>().ok();
            assert_eq!(parsed.as_ref().map(ServerUrl::address), expected, "{text}");
        };
        check(
            "https://plumbline.example.com/",
            Some(Some("https://plumbline.example.com")),
        );
        check("http://127.0.0.1:3000", Some(Some("http://127.0.0.1:3000")));
        check("", Some(None));
        check("plumbline.example.com", None);
        check("https://u:p@plumbline.example.com", None);
        check("https://plumbline.example.com/p/default", None);
        check("ftp://x", None);
    }

    #[test]
    fn a_key_in_the_clear_is_noticed() {
        let check = |text: &str, expected: bool| {
            assert_eq!(
                text.parse::<ServerUrl>().unwrap().is_in_the_clear(),
                expected,
                "{text}"
            );
        };
        check("http://plumbline.example.com", true);
        check("https://plumbline.example.com", false);
        check("http://127.0.0.1:3000", false);
        check("http://localhost:3000", false);
    }

    #[test]
    fn a_server_elsewhere_is_noticed() {
        let check = |text: &str, expected: Option<&str>| {
            let flags = LocalFlags {
                url: text.parse().ok(),
            };
            assert_eq!(flags.elsewhere(), expected, "{text}");
        };
        check(
            "https://plumbline.example.com/",
            Some("https://plumbline.example.com"),
        );
        check("", None);
        assert_eq!(LocalFlags::default().elsewhere(), None);
    }

    #[test]
    fn secrets_are_not_printed() {
        let flags = SourceFlags {
            url: "https://plumbline.example.com".parse().ok(),
            key: "pl_live_canary".parse().ok(),
            ..SourceFlags::default()
        };
        assert!(!format!("{flags:?}").contains("canary"));
    }
}

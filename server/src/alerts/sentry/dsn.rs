//! The address that Sentry calls a DSN: `https://key@host/path/project`.

use std::fmt;
use std::str::FromStr;

/// Longest key and longest project, in bytes.
const MAX_PART_BYTES: usize = 100;

/// Where events go, and by which key.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::alerts) struct Dsn {
    scheme: &'static str,
    public_key: String,
    /// With its port.
    host: String,
    /// Before the project, without a slash at its end.
    path: String,
    project: String,
}

impl fmt::Debug for Dsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Dsn({}://…@{}{}/{})",
            self.scheme, self.host, self.path, self.project
        )
    }
}

/// It is no DSN. The text is a secret and not quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("The DSN must look like https://key@host/project, as Sentry shows it under Client Keys")]
pub(in crate::alerts) struct BadDsn;

impl FromStr for Dsn {
    type Err = BadDsn;

    fn from_str(text: &str) -> Result<Self, BadDsn> {
        let text = text.trim();
        if text.contains(['?', '#', '\\']) || !text.chars().all(|c| c.is_ascii_graphic()) {
            return Err(BadDsn);
        }
        let (scheme, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(rest), _) => ("https", rest),
            (_, Some(rest)) => ("http", rest),
            _ => return Err(BadDsn),
        };
        let (authority, path) = rest.split_once('/').ok_or(BadDsn)?;
        let (keys, host) = authority.split_once('@').ok_or(BadDsn)?;
        // The second key is history; nothing needs it any more.
        let (public_key, secret_key) = keys.split_once(':').unwrap_or((keys, "x"));
        let path = path.trim_end_matches('/');
        let (prefix, project) = match path.rsplit_once('/') {
            Some((prefix, project)) => (format!("/{prefix}"), project),
            None => (String::new(), path),
        };
        let is_word = |part: &str| {
            let is_word_byte = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
            !part.is_empty() && part.len() <= MAX_PART_BYTES && part.bytes().all(is_word_byte)
        };
        let is_path = prefix
            .split('/')
            .skip(1)
            .all(|part| is_word(&part.replace('.', "")) && !part.starts_with('.'));
        if is_word(public_key)
            && is_word(secret_key)
            && is_word(project)
            && is_path
            && !host.contains('@')
            && !host.is_empty()
        {
            return Ok(Self {
                scheme,
                public_key: public_key.to_owned(),
                host: host.to_owned(),
                path: prefix,
                project: project.to_owned(),
            });
        }
        Err(BadDsn)
    }
}

impl Dsn {
    pub(in crate::alerts) fn public_key(&self) -> &str {
        &self.public_key
    }

    /// Where envelopes are posted.
    pub(in crate::alerts) fn envelope_url(&self) -> String {
        format!(
            "{}://{}{}/api/{}/envelope/",
            self.scheme, self.host, self.path, self.project
        )
    }

    /// The DSN as it may be shown: without its key.
    pub(in crate::alerts) fn shown(&self) -> String {
        format!("{}{}/{}", self.host, self.path, self.project)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dsn_is_read_strictly() {
        let check = |text: &str, expected: Option<(&str, &str)>| {
            let dsn: Option<Dsn> = text.parse().ok();
            let read = dsn
                .as_ref()
                .map(|dsn| (dsn.public_key().to_owned(), dsn.envelope_url()));
            let expected = expected.map(|(key, url)| (key.to_owned(), url.to_owned()));
            assert_eq!(read, expected, "{text}");
        };
        check(
            " https://9c1a@o4501.ingest.us.sentry.io/4508 ",
            Some(("9c1a", "https://o4501.ingest.us.sentry.io/api/4508/envelope/")),
        );
        check(
            "https://9c1a:5ec4@sentry.acme.dev:8443/errors/v1.2/7/",
            Some(("9c1a", "https://sentry.acme.dev:8443/errors/v1.2/api/7/envelope/")),
        );
        check(
            "http://a@127.0.0.1:8000/1",
            Some(("a", "http://127.0.0.1:8000/api/1/envelope/")),
        );
        for wrong in [
            "",
            "https://o4501.ingest.us.sentry.io/4508",
            "https://@host/1",
            "https://key@/1",
            "https://key@host",
            "https://key@host/",
            "https://key@host/../1",
            "https://key@host//1",
            "https://key@host/1?x=1",
            "https://key@host/1#x",
            "https://key@evil@host/1",
            "https://key:@host/1",
            "https://ke y@host/1",
            "ftp://key@host/1",
            "https://key@host\\1/1",
            "key@host/1",
        ] {
            check(wrong, None);
        }
        assert!(!format!("{:?}", "https://canary@h/1".parse::<Dsn>().unwrap()).contains("canary"));
    }
}

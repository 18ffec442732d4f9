//! Where a server of e-mail is, and whom messages are from and to, as somebody typed it.

use lettre::Address;
use lettre::message::Mailbox;
use percent_encoding::percent_decode_str;

/// Longest address of a server, in bytes.
const MAX_URL_BYTES: usize = 1_024;
/// Most people that one message goes to.
pub(in crate::alerts) const MAX_RECIPIENTS: usize = 20;

/// A server of e-mail, with whom it knows.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::alerts) struct SmtpServer {
    /// Encrypted from the first byte; else by STARTTLS.
    pub(super) is_implicit: bool,
    pub(in crate::alerts) host: String,
    pub(in crate::alerts) port: u16,
    /// Name and password.
    pub(super) login: Option<(String, String)>,
}

/// The text is no address of a server. It may hold a password, so it is not quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("smtp_url must look like smtps://user:password@host:465 or smtp://user:password@host:587")]
pub(in crate::alerts) struct BadSmtpUrl;

impl std::fmt::Debug for SmtpServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SmtpServer")
            .field("host", &self.host)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

impl std::str::FromStr for SmtpServer {
    type Err = BadSmtpUrl;

    fn from_str(text: &str) -> Result<Self, BadSmtpUrl> {
        let text = text.trim();
        if text.len() > MAX_URL_BYTES || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(BadSmtpUrl);
        }
        let (scheme, rest) = text.split_once("://").ok_or(BadSmtpUrl)?;
        let is_implicit = match scheme.to_ascii_lowercase().as_str() {
            "smtps" => true,
            "smtp" => false,
            _ => return Err(BadSmtpUrl),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (login, host) = match rest.rsplit_once('@') {
            Some((login, host)) => (Some(login), host),
            None => (None, rest),
        };
        if host.contains(['/', '?', '#', '\\']) {
            return Err(BadSmtpUrl);
        }
        let (host, port) = match host.rsplit_once(':') {
            Some((name, port)) if !port.contains(']') => (name, port.parse().map_err(|_none| BadSmtpUrl)?),
            _ => (host, if is_implicit { 465 } else { 587 }),
        };
        let is_bracketed = host.starts_with('[') && host.ends_with(']');
        if host.is_empty() || port == 0 || (host.contains(':') && !is_bracketed) {
            return Err(BadSmtpUrl);
        }
        Ok(Self {
            is_implicit,
            host: host.to_owned(),
            port,
            login: login.map(login_of).transpose()?,
        })
    }
}

fn login_of(text: &str) -> Result<(String, String), BadSmtpUrl> {
    let (name, password) = text.split_once(':').ok_or(BadSmtpUrl)?;
    let decoded = |text: &str| {
        let decoded = percent_decode_str(text).decode_utf8();
        decoded.map(|text| text.into_owned()).map_err(|_bytes| BadSmtpUrl)
    };
    let (name, password) = (decoded(name)?, decoded(password)?);
    if name.is_empty() || format!("{name}{password}").chars().any(char::is_control) {
        return Err(BadSmtpUrl);
    }
    Ok((name, password))
}

impl SmtpServer {
    /// By what people know which secret is stored.
    pub(in crate::alerts) fn shown_secret(&self) -> &str {
        self.login.as_ref().map_or("", |(_, password)| password.as_str())
    }

    /// The same place as an address of HTTP, to be checked like one.
    pub(in crate::alerts) fn as_https(&self) -> String {
        format!("https://{}:{}", self.host, self.port)
    }
}

/// An address with a name or without one: `Plumbline <alerts@acme.dev>`.
pub(in crate::alerts) fn mailbox(text: &str) -> Option<Mailbox> {
    let text = text.trim();
    if text.is_empty() || text.chars().any(char::is_control) {
        return None;
    }
    let mailbox: Mailbox = text.parse().ok()?;
    has_domain(&mailbox.email).then_some(mailbox)
}

/// Addresses with commas or line breaks between them, each once.
pub(in crate::alerts) fn mailboxes(texts: &[String]) -> Option<Vec<Mailbox>> {
    let mut found: Vec<Mailbox> = Vec::new();
    for text in texts {
        let mailbox = mailbox(text)?;
        if !found.iter().any(|known| known.email == mailbox.email) {
            found.push(mailbox);
        }
    }
    (1..=MAX_RECIPIENTS).contains(&found.len()).then_some(found)
}

fn has_domain(address: &Address) -> bool {
    !address.user().is_empty() && !address.domain().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_read_as_they_are_typed() {
        let check = |text: &str, expected: (bool, &str, u16, Option<(&str, &str)>)| {
            let server: SmtpServer = text.parse().unwrap();
            let login = server
                .login
                .as_ref()
                .map(|(name, password)| (name.as_str(), password.as_str()));
            assert_eq!(
                (server.is_implicit, server.host.as_str(), server.port, login),
                expected,
                "{text}"
            );
            assert!(!format!("{server:?}").contains("canary"));
        };
        check(
            "smtps://user:canary@mail.acme.dev:465",
            (true, "mail.acme.dev", 465, Some(("user", "canary"))),
        );
        check(" smtp://mail.acme.dev ", (false, "mail.acme.dev", 587, None));
        check("SMTPS://mail.acme.dev/", (true, "mail.acme.dev", 465, None));
        check(
            "smtp://me%40acme.dev:p%40ss%2Fw:rd@mail.acme.dev:25",
            (false, "mail.acme.dev", 25, Some(("me@acme.dev", "p@ss/w:rd"))),
        );
        check("smtp://[::1]:2525", (false, "[::1]", 2_525, None));
        for wrong in [
            "",
            "mail.acme.dev:25",
            "http://mail.acme.dev",
            "smtp://",
            "smtp://user@mail.acme.dev",
            "smtp://:pass@mail.acme.dev",
            "smtp://mail.acme.dev:0",
            "smtp://mail.acme.dev:99999",
            "smtp://mail.acme.dev/path",
            "smtp://mail.acme.dev?x=1",
            "smtp://a:%0d%0aQUIT@mail.acme.dev",
            "smtp://mail.acme.dev:25\r\nX",
            "smtp://::1:25",
        ] {
            assert!(wrong.parse::<SmtpServer>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn people_are_addresses_and_no_headers() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(
                mailbox(text).map(|mailbox| mailbox.email.to_string()).as_deref(),
                expected,
                "{text}"
            );
        };
        check("ops@acme.dev", Some("ops@acme.dev"));
        check("Plumbline <alerts@acme.dev>", Some("alerts@acme.dev"));
        check("", None);
        check("ops", None);
        check("ops@acme.dev\r\nBcc: evil@evil.dev", None);
        check("\"x\r\nBcc: evil@evil.dev\" <ops@acme.dev>", None);
        let many: Vec<String> = (0..21).map(|n| format!("a{n}@acme.dev")).collect();
        assert!(mailboxes(&many).is_none());
        let twice = ["a@acme.dev", "A <a@acme.dev>"].map(str::to_owned);
        assert_eq!(mailboxes(&twice).unwrap().len(), 1);
        assert!(mailboxes(&[]).is_none());
    }
}

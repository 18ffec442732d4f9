//! Projects, keys and who may do what.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::step::words;
use crate::{KeyId, ProjectId, Timestamp, UserId};

/// A tenant as pages show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Project {
    /// UUIDv7; never shown in a URL, which has the slug.
    pub id: ProjectId,
    /// Identifies it in URLs: lower-case letters, digits and hyphens.
    pub slug: String,
    /// Shown to people; may be changed, unlike the slug.
    pub name: String,
}

words!(
    /// What a person may do in a project. Each includes the ones before it.
    Role {
        /// Read.
        Viewer = "viewer",
        /// Read, and judge what the rules found.
        Member = "member",
        /// Everything: keys, settings, members.
        Admin = "admin",
    }
);

words!(
    /// What an API key may do.
    Scope {
        /// Send steps.
        Ingest = "ingest",
        /// Call models through the proxy.
        Proxy = "proxy",
        /// Read runs and settings.
        Read = "read",
        /// Report deploys.
        Deploy = "deploy",
        /// Change settings.
        Admin = "admin",
    }
);

impl Scope {
    /// What a new key may do unless less is asked for.
    pub const DEFAULT: &'static [Self] = &[Self::Ingest, Self::Proxy, Self::Read, Self::Deploy];
}

/// An API key as lists show it. The key itself is shown once, when it is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// UUIDv7; what `keys revoke` takes where a label is not unique.
    pub id: KeyId,
    /// The name of the series its steps belong to.
    pub label: String,
    /// Its first characters, to recognise it by.
    pub prefix: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// A person with access to a project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The account, which may be a member of several projects.
    pub user_id: UserId,
    /// Their address, which is also what they sign in with.
    pub email: String,
    /// Shown to people; need not be unique.
    pub name: String,
    /// What they may do here.
    pub role: Role,
}

/// A link by which a person joins a project. The link itself is shown once, when it is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// Names it where it is taken back.
    pub id: Uuid,
    /// Whom it is for; accounts made by it have this address.
    pub email: String,
    /// What they may do in the project.
    pub role: Role,
    /// Who made it.
    pub invited_by: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends unused.
    pub expires_at: Timestamp,
}

/// A browser in which a person is signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebSession {
    /// Names it where it is ended.
    pub id: Uuid,
    /// When the person signed in.
    pub created_at: Timestamp,
    /// When it was last used, to the hour.
    pub last_seen_at: Timestamp,
    /// When it ends although it is used.
    pub ends_at: Timestamp,
    /// Where they signed in from; `unknown` where the connection did not say.
    pub address: String,
    /// In what, shortened: `Firefox on Linux`.
    pub browser: String,
}

/// The shortest password that is accepted, in characters.
pub const MIN_PASSWORD_CHARS: usize = 10;
/// The longest, so that no one sends a book to be hashed.
pub const MAX_PASSWORD_CHARS: usize = 500;
/// The longest e-mail address, in bytes.
pub const MAX_EMAIL_BYTES: usize = 254;

/// How addresses are compared and stored.
pub fn normalise_email(email: &str) -> String {
    email.trim().to_lowercase()
}

/// An address with something on both sides of one `@`. Whether mail arrives there is not ours to know.
pub fn is_email(text: &str) -> bool {
    let fits = text.len() <= MAX_EMAIL_BYTES && !text.chars().any(|c| c.is_whitespace() || c.is_control());
    let mut parts = text.split('@');
    let has_both_sides = [parts.next(), parts.next()]
        .iter()
        .all(|part| part.is_some_and(|part| !part.is_empty()));
    fits && has_both_sides && parts.next().is_none()
}

/// The longest slug, in characters.
pub const MAX_SLUG_CHARS: usize = 48;

/// A slug made from a project's name: `Acme support` becomes `acme-support`. `None` when nothing usable is left.
pub fn slug_from_name(name: &str) -> Option<String> {
    let mut slug = String::new();
    for c in name.chars().flat_map(char::to_lowercase) {
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
        if slug.len() >= MAX_SLUG_CHARS {
            break;
        }
    }
    let slug = slug.trim_end_matches('-').to_owned();
    (!slug.is_empty()).then_some(slug)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs() {
        let check =
            |name: &str, expected: Option<&str>| assert_eq!(slug_from_name(name).as_deref(), expected);
        check("Acme support", Some("acme-support"));
        check("  --A__b-- ", Some("a-b"));
        check("日本", None);
        check("", None);
    }

    #[test]
    fn addresses() {
        let check = |text: &str, expected: bool| assert_eq!(is_email(text), expected, "{text}");
        check("mara@acme.dev", true);
        check("mara@localhost", true);
        check("mära@acme.dev", true);
        check("mara", false);
        check("@acme.dev", false);
        check("mara@", false);
        check("a@b@c", false);
        check("mara @acme.dev", false);
        check("mara@acme.dev\n", false);
        check("", false);
        check(&format!("{}@acme.dev", "x".repeat(246)), false);
        assert_eq!(normalise_email(" Mara@Acme.DEV"), "mara@acme.dev");
    }

    #[test]
    fn an_admin_may_do_what_a_viewer_may() {
        assert!(Role::Admin > Role::Member && Role::Member > Role::Viewer);
    }
}

//! Projects, keys and who may do what.

use serde::{Deserialize, Serialize};

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

/// The shortest password that is accepted, in characters.
pub const MIN_PASSWORD_CHARS: usize = 10;

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
    fn an_admin_may_do_what_a_viewer_may() {
        assert!(Role::Admin > Role::Member && Role::Member > Role::Viewer);
    }
}

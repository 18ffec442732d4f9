//! Sign-in with an OpenID Connect provider, as the configuration says it.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use axum::http::Uri;
use clap::builder::BoolishValueParser;
use domain::{Project, ProjectId, Role};
use serde::{Deserialize, Deserializer};

use super::file::FileConfig;
use super::{ConfigError, HELP_HEADING, invalid};

/// How long a session lasts where nothing says so: a working day.
const SESSION_HOURS: u32 = 12;
/// Longest session, in hours: that of passwords.
const MAX_SESSION_HOURS: u32 = 90 * 24;
const SCOPES: &str = "openid email profile";
const GROUPS_CLAIM: &str = "groups";

/// A provider that signs people in.
#[derive(Clone, Debug)]
pub struct OpenId {
    /// The provider's address, exactly as its tokens and its discovery say it.
    pub issuer: String,
    /// What this server is called there.
    pub client_id: String,
    /// What it proves that with; without one the proof of each sign-in (PKCE) has to do.
    pub client_secret: Option<ClientSecret>,
    /// What people call the provider: `Sign in with …`.
    pub name: String,
    /// What is asked for, always with `openid`.
    pub scopes: Vec<String>,
    /// The claim that lists a person's groups.
    pub groups_claim: String,
    /// What groups give.
    pub groups: GroupRoles,
    /// The domains that addresses may have, in lower case; any where there is none.
    pub email_domains: Vec<String>,
    /// Whether addresses count as verified of which the provider says nothing.
    pub trust_email: bool,
    /// How long a session lasts; 0 for as long as the provider's token is good.
    pub session_hours: u32,
}

impl OpenId {
    /// Takes the secret that the environment says, else that of `file`, else leaves it as it is.
    pub(super) fn read_secret(
        &mut self,
        said: Option<OsString>,
        file: Option<&Path>,
    ) -> Result<(), ConfigError> {
        let said = said.and_then(|text| ClientSecret::of(&text.to_string_lossy()));
        self.client_secret = match (said, file) {
            (Some(secret), _) => Some(secret),
            (None, Some(path)) => Some(secret_of_file(path)?),
            (None, None) => self.client_secret.take(),
        };
        Ok(())
    }
}

/// A secret. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientSecret(String);

impl ClientSecret {
    /// The text without space around it; `None` where nothing is left.
    pub fn of(text: &str) -> Option<Self> {
        Some(Self(text.trim().to_owned())).filter(|secret| !secret.0.is_empty())
    }

    /// As it is sent.
    pub fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientSecret(…)")
    }
}

/// Which role in which project a group gives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupRoles(Vec<GroupRole>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct GroupRole {
    /// `*` for everybody whom the provider signs in.
    group: String,
    /// The word of a project's addresses, or `*` for all of them.
    project: String,
    role: Role,
}

const ALL: &str = "*";

impl GroupRoles {
    /// What somebody in `groups` gets of `projects`: in each the highest role that one of their groups gives.
    pub fn roles(&self, groups: &[String], projects: &[Project]) -> Vec<(ProjectId, Role)> {
        let mine = |given: &&GroupRole| given.group == ALL || groups.contains(&given.group);
        let in_project = |project: &Project| {
            let fits = |given: &&GroupRole| given.project == ALL || given.project == project.slug;
            let roles = self.0.iter().filter(mine).filter(fits).map(|given| given.role);
            roles.max().map(|role| (project.id, role))
        };
        projects.iter().filter_map(in_project).collect()
    }

    /// Whether no group gives anything.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn of<'a>(items: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let items = items.into_iter().map(str::trim).filter(|item| !item.is_empty());
        items.map(group_role).collect::<Result<_, _>>().map(Self)
    }
}

/// Groups have any characters in their names, so that the last `=` and the last `:` count.
fn group_role(text: &str) -> Result<GroupRole, String> {
    let read = || {
        let (group, given) = text.rsplit_once('=')?;
        let (project, role) = given.rsplit_once(':')?;
        let (group, project) = (group.trim(), project.trim());
        let role = Role::parse(role.trim())?;
        (!group.is_empty() && !project.is_empty()).then(|| GroupRole {
            group: group.to_owned(),
            project: project.to_owned(),
            role,
        })
    };
    read().ok_or_else(|| {
        format!("`{text}` must look like `group = project:role`, with * for all projects and viewer, member or admin")
    })
}

impl FromStr for GroupRoles {
    type Err = String;

    /// Reads a list with commas.
    fn from_str(text: &str) -> Result<Self, String> {
        Self::of(text.split(','))
    }
}

impl fmt::Display for GroupRoles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, given) in self.0.iter().enumerate() {
            let (group, project, role) = (&given.group, &given.project, given.role.as_str());
            write!(f, "{}{group} = {project}:{role}", if i == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for GroupRoles {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let items = Vec::<String>::deserialize(deserializer)?;
        Self::of(items.iter().map(String::as_str)).map_err(serde::de::Error::custom)
    }
}

/// What the command line and the environment say of it. The secret has no flag.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = HELP_HEADING)]
pub struct OpenIdFlags {
    /// OpenID Connect provider that signs people in, for instance https://login.example.com/realms/acme
    #[arg(long, global = true, env = "PLUMBLINE_OPENID_ISSUER", value_name = "URL")]
    pub openid_issuer: Option<String>,
    /// What this server is called at the provider
    #[arg(long, global = true, env = "PLUMBLINE_OPENID_CLIENT_ID", value_name = "ID")]
    pub openid_client_id: Option<String>,
    /// File with the client's secret [default: none; PLUMBLINE_OPENID_CLIENT_SECRET says the secret itself]
    #[arg(
        long,
        global = true,
        env = "PLUMBLINE_OPENID_CLIENT_SECRET_FILE",
        value_name = "FILE"
    )]
    pub openid_client_secret_file: Option<PathBuf>,
    /// What people call the provider [default: its host]
    #[arg(long, global = true, env = "PLUMBLINE_OPENID_NAME", value_name = "NAME")]
    pub openid_name: Option<String>,
    /// Scopes to ask for [default: openid email profile]
    #[arg(long, global = true, env = "PLUMBLINE_OPENID_SCOPES", value_name = "SCOPE …")]
    pub openid_scopes: Option<String>,
    /// Claim that lists a person's groups [default: groups]
    #[arg(
        long,
        global = true,
        env = "PLUMBLINE_OPENID_GROUPS_CLAIM",
        value_name = "CLAIM"
    )]
    pub openid_groups_claim: Option<String>,
    /// What groups give, for instance `ops=*:admin,shop=checkout:member` [default: nothing]
    #[arg(
        long,
        global = true,
        env = "PLUMBLINE_OPENID_GROUPS",
        value_name = "GROUP=PROJECT:ROLE,…"
    )]
    pub openid_groups: Option<GroupRoles>,
    /// Domains that addresses may have, with commas [default: any]
    #[arg(
        long,
        global = true,
        env = "PLUMBLINE_OPENID_EMAIL_DOMAINS",
        value_name = "DOMAIN,…"
    )]
    pub openid_email_domains: Option<String>,
    /// Take addresses as verified of which the provider does not say whether they are
    #[arg(long, global = true, env = "PLUMBLINE_OPENID_TRUST_EMAIL", num_args = 0..=1, require_equals = true,
          default_missing_value = "true", value_parser = BoolishValueParser::new(), value_name = "BOOL")]
    pub openid_trust_email: Option<bool>,
    /// Hours that a session lasts, 0 for as long as the provider's token is good [default: 12]
    #[arg(long, global = true, env = "PLUMBLINE_OPENID_SESSION_HOURS", value_name = "N")]
    pub openid_session_hours: Option<u32>,
    /// Whether passwords sign in beside the provider [default: true]
    #[arg(long, global = true, env = "PLUMBLINE_LOCAL_ACCOUNTS", num_args = 0..=1, require_equals = true,
          default_missing_value = "true", value_parser = BoolishValueParser::new(), value_name = "BOOL")]
    pub local_accounts: Option<bool>,
}

/// What flags, environment and file say together; `None` where no issuer is named.
pub(super) fn merge(
    flags: &OpenIdFlags,
    file: &FileConfig,
    has_public_url: bool,
) -> Result<Option<OpenId>, ConfigError> {
    let said = |flag: &Option<String>, file: &Option<String>| {
        let text = flag.as_ref().or(file.as_ref()).map(|text| text.trim().to_owned());
        text.filter(|text| !text.is_empty())
    };
    let Some(issuer) = said(&flags.openid_issuer, &file.openid_issuer) else {
        return Ok(None);
    };
    let host = issuer_host(&issuer)?;
    if !has_public_url {
        let problem = "needs public_url too: the provider sends people back to it";
        return Err(invalid("openid_issuer", problem));
    }
    let client_id = said(&flags.openid_client_id, &file.openid_client_id)
        .ok_or_else(|| invalid("openid_client_id", "is missing: openid_issuer needs it"))?;
    let scopes = said(&flags.openid_scopes, &file.openid_scopes).unwrap_or_else(|| SCOPES.to_owned());
    let domains: Vec<String> = match (&flags.openid_email_domains, &file.openid_email_domains) {
        (Some(text), _) => text.split(',').map(str::to_owned).collect(),
        (None, Some(list)) => list.clone(),
        (None, None) => Vec::new(),
    };
    let session_hours = flags
        .openid_session_hours
        .or(file.openid_session_hours)
        .unwrap_or(SESSION_HOURS);
    if session_hours > MAX_SESSION_HOURS {
        let problem = format!("must be at most {MAX_SESSION_HOURS}, not {session_hours}");
        return Err(invalid("openid_session_hours", problem));
    }
    Ok(Some(OpenId {
        client_id,
        client_secret: file.openid_client_secret.as_deref().and_then(ClientSecret::of),
        name: said(&flags.openid_name, &file.openid_name).unwrap_or(host),
        // The crate asks for `openid` by itself.
        scopes: scopes
            .split_whitespace()
            .filter(|scope| *scope != "openid")
            .map(str::to_owned)
            .collect(),
        groups_claim: said(&flags.openid_groups_claim, &file.openid_groups_claim)
            .unwrap_or_else(|| GROUPS_CLAIM.to_owned()),
        groups: flags
            .openid_groups
            .clone()
            .or_else(|| file.openid_groups.clone())
            .unwrap_or_default(),
        email_domains: domains
            .iter()
            .map(|domain| domain.trim().trim_start_matches('@').to_lowercase())
            .filter(|domain| !domain.is_empty())
            .collect(),
        trust_email: flags
            .openid_trust_email
            .or(file.openid_trust_email)
            .unwrap_or_default(),
        session_hours,
        issuer,
    }))
}

/// Whether passwords sign in. Without a provider there is no other way.
pub(super) fn local_accounts(
    flags: &OpenIdFlags,
    file: &FileConfig,
    has_provider: bool,
) -> Result<bool, ConfigError> {
    let is_on = flags.local_accounts.or(file.local_accounts).unwrap_or(true);
    if is_on || has_provider {
        return Ok(is_on);
    }
    let problem = "can be switched off only where openid_issuer names a provider that signs people in";
    Err(invalid("local_accounts", problem))
}

/// The file of the client's secret.
pub(super) fn secret_file(flags: &OpenIdFlags, file: &FileConfig) -> Option<PathBuf> {
    let named = flags.openid_client_secret_file.as_ref();
    named.or(file.openid_client_secret_file.as_ref()).cloned()
}

fn secret_of_file(path: &Path) -> Result<ClientSecret, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|cause| ConfigError::Unreadable {
        path: path.to_owned(),
        cause,
    })?;
    ClientSecret::of(&text).ok_or_else(|| invalid("openid_client_secret_file", "names an empty file"))
}

fn issuer_host(issuer: &str) -> Result<String, ConfigError> {
    let uri = issuer.parse::<Uri>().ok().filter(|uri| {
        let is_plain = !issuer.contains(['#', '?', '@']);
        is_plain && matches!(uri.scheme_str(), Some("https" | "http"))
    });
    let host = uri.as_ref().and_then(Uri::host).filter(|host| !host.is_empty());
    host.map(str::to_owned).ok_or_else(|| {
        let problem =
            "must look like https://login.example.com/realms/acme, as the provider's discovery says it";
        invalid("openid_issuer", problem)
    })
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn groups_give_the_highest_role_in_each_project() {
        let project = |id: u128, slug: &str| Project {
            id: ProjectId(Uuid::from_u128(id)),
            slug: slug.to_owned(),
            name: slug.to_owned(),
        };
        let projects = [project(1, "checkout"), project(2, "search")];
        let check = |groups: &str, mine: &[&str], expected: &[(u128, Role)]| {
            let mine: Vec<String> = mine.iter().map(|group| (*group).to_owned()).collect();
            let roles = groups.parse::<GroupRoles>().unwrap().roles(&mine, &projects);
            let expected: Vec<(ProjectId, Role)> = expected
                .iter()
                .map(|(id, role)| (ProjectId(Uuid::from_u128(*id)), *role))
                .collect();
            assert_eq!(roles, expected, "{groups} {mine:?}");
        };
        let both = "all = *:viewer, shop=checkout:member, shop=checkout:viewer";
        check(both, &["all"], &[(1, Role::Viewer), (2, Role::Viewer)]);
        check(both, &["shop"], &[(1, Role::Member)]);
        check(both, &["all", "shop"], &[(1, Role::Member), (2, Role::Viewer)]);
        check(both, &["Shop"], &[]);
        check("* = search:viewer", &[], &[(2, Role::Viewer)]);
    }

    #[test]
    fn groups_are_read_from_the_end() {
        let check = |text: &str, expected: Option<&str>| {
            let read = text.parse::<GroupRoles>().map(|groups| groups.to_string());
            assert_eq!(read.as_deref().ok(), expected, "{text}");
        };
        check("/staff/ops:eu = *:admin", Some("/staff/ops:eu = *:admin"));
        check("cn=ops = a:viewer", Some("cn=ops = a:viewer"));
        check("", Some(""));
        check("ops", None);
        check("ops = *:owner", None);
        check("= *:viewer", None);
        check("ops = :viewer", None);
    }
}

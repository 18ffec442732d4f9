//! Accounts of test people, and their browsers.

use std::collections::BTreeMap;

use domain::audit::{AuditFilter, AuditRow};
use domain::{Project, Role};
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use serde_json::Value;
use storage::users::{NewUser, User};

use crate::app::TestApp;

pub(crate) const PASSWORD: &str = "correct horse battery";

/// What came back, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) location: String,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) async fn of(request: reqwest::RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        let headers = response.headers().clone();
        let location = headers
            .get(LOCATION)
            .map(|value| value.to_str().unwrap().to_owned())
            .unwrap_or_default();
        Self {
            status: response.status().as_u16(),
            location,
            headers,
            text: response.text().await.unwrap(),
        }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    /// `name=value` of the cookie it sets.
    pub(crate) fn cookie(&self) -> Option<String> {
        let cookie = self.headers.get(SET_COOKIE)?.to_str().unwrap();
        Some(cookie.split(';').next().unwrap().to_owned())
    }
}

/// A browser that may be signed in.
#[derive(Clone)]
pub(crate) struct Browser<'a> {
    pub(crate) app: &'a TestApp,
    pub(crate) cookie: String,
}

impl<'a> Browser<'a> {
    pub(crate) fn new(app: &'a TestApp) -> Self {
        Self {
            app,
            cookie: String::new(),
        }
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let request = self
            .app
            .client
            .request(method.parse().unwrap(), self.app.url(path));
        if self.cookie.is_empty() {
            request
        } else {
            request.header(COOKIE, &self.cookie)
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request("GET", path)).await
    }

    pub(crate) fn form(&self, path: &str, fields: &[(&str, &str)]) -> reqwest::RequestBuilder {
        let encode = domain::filter::percent_encode;
        let body: Vec<String> = fields
            .iter()
            .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
            .collect();
        self.request("POST", path)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("accept", "text/html")
            .body(body.join("&"))
    }

    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        Answer::of(self.form(path, fields)).await
    }

    /// Signs in and keeps the cookie.
    pub(crate) async fn sign_in(app: &'a TestApp, email: &str) -> Self {
        let mut browser = Self::new(app);
        let answer = browser
            .post("/login", &[("email", email), ("password", PASSWORD)])
            .await;
        assert_eq!(answer.status, 303, "{answer:?}");
        browser.cookie = answer.cookie().unwrap_or_else(|| panic!("{answer:?}"));
        browser
    }
}

/// An account with the password of all test people.
pub(crate) async fn person(app: &TestApp, email: &str, roles: &[(&Project, Role)]) -> User {
    let db = &app.state.db;
    let now = server::clock::now();
    let password_hash = server::auth::password::hash(PASSWORD).unwrap();
    let new = NewUser {
        email,
        name: email,
        password_hash: &password_hash,
    };
    let user = storage::users::create(db, new, "test", now).await.unwrap();
    for (project, role) in roles {
        storage::members::add(db, project.id, &user, *role, "test", now)
            .await
            .unwrap();
    }
    app.state.auth.invalidate();
    user
}

pub(crate) async fn default_project(app: &TestApp) -> Project {
    storage::projects::by_slug(&app.state.db, "default")
        .await
        .unwrap()
}

/// A second project, of another person.
pub(crate) async fn other_project(app: &TestApp) -> Project {
    storage::projects::create(
        &app.state.db,
        "Other",
        "other",
        None,
        "test",
        server::clock::now(),
    )
    .await
    .unwrap()
}

/// A key with these scopes.
pub(crate) async fn key(app: &TestApp, project: &Project, scopes: &[domain::Scope]) -> storage::keys::NewKey {
    let now = server::clock::now();
    let made = storage::keys::add(&app.state.db, project.id, "prod-frontend", scopes, "test", now)
        .await
        .unwrap();
    app.state.auth.invalidate();
    made
}

/// What was written down, newest first: in a project, or on the whole server.
pub(crate) async fn audit_log(app: &TestApp, project: Option<&Project>) -> Vec<AuditRow> {
    let db = &app.state.db;
    let project = project.map(|project| project.id);
    let mut snapshot = match project {
        Some(project) => db.snapshot(project).await.unwrap(),
        None => db.snapshot_of_everything().await.unwrap(),
    };
    storage::audit::page(&mut snapshot, project, &AuditFilter::default(), None, 500)
        .await
        .unwrap()
        .rows
}

/// Who did what to what, the oldest first.
pub(crate) fn deeds(rows: &[AuditRow]) -> Vec<(&str, &str, &str)> {
    rows.iter()
        .rev()
        .map(|row| (row.actor.as_str(), row.action.as_str(), row.subject.as_str()))
        .collect()
}

/// Invites somebody as an admin does and returns the token of the link.
pub(crate) async fn invite(browser: &Browser<'_>, slug: &str, email: &str, role: &str) -> String {
    let page = format!("/p/{slug}/settings/members");
    let made = browser.post(&page, &[("email", email), ("role", role)]).await;
    assert!(made.location.starts_with(&format!("{page}?invited=")), "{made:?}");
    let shown = browser.get(&made.location).await.text;
    let (_, rest) = shown
        .split_once("/invite?token=")
        .unwrap_or_else(|| panic!("{shown}"));
    rest.chars()
        .take_while(|c| c.is_ascii_alphanumeric() || "-_".contains(*c))
        .collect()
}

/// Accepts an invitation with a new account, and is signed in then.
pub(crate) async fn accept_as_new<'a>(
    app: &'a TestApp,
    token: &str,
    password: &str,
) -> (Answer, Browser<'a>) {
    let mut browser = Browser::new(app);
    let fields = [
        ("token", token),
        ("how", "new"),
        ("name", "Noor"),
        ("password", password),
    ];
    let answer = browser.post("/invite", &fields).await;
    browser.cookie = answer.cookie().unwrap_or_default();
    (answer, browser)
}

/// The members of a project and their roles.
pub(crate) async fn roles(app: &TestApp, project: &Project) -> BTreeMap<String, Role> {
    let members = storage::members::list(&app.state.db, project.id).await.unwrap();
    members
        .into_iter()
        .map(|member| (member.email, member.role))
        .collect()
}

//! What people send: every form.

use std::collections::BTreeSet;

use domain::{Role, Scope};

use super::server_with_two_projects;
use crate::people::{Answer, Browser, default_project, key, roles};

/// Forms that name a project, with what they would need to be done. `{id}` is a key's or a member's.
#[rustfmt::skip]
const FORMS: &[(&str, &[(&str, &str)])] = &[
    ("/p/{project}/conditions/feedback", &[("run", "theirs"), ("step", "s1"), ("code", "2004"), ("verdict", "real")]),
    ("/p/{project}/conditions/mute", &[("code", "2004"), ("muted", "1")]),
    ("/p/{project}/demo", &[]),
    ("/p/{project}/detectors", &[("name", "mine"), ("template", "repeated_tool"), ("every_run", "on")]),
    ("/p/{project}/detectors/{detector}", &[("name", "mine"), ("template", "repeated_tool"), ("every_run", "on")]),
    ("/p/{project}/detectors/{id}/switch", &[("on", "on")]),
    ("/p/{project}/detectors/{id}/delete", &[]),
    ("/p/{project}/findings/{id}/feedback", &[("verdict", "real")]),
    ("/p/{project}/incidents/{id}/state", &[("acknowledge", "1")]),
    ("/p/{project}/incidents/{id}/investigation", &[]),
    ("/p/{project}/incidents/{id}/fix", &[]),
    ("/p/{project}/incidents/{id}/issue", &[]),
    ("/p/{project}/incidents/{id}/pull", &[("fix", "01890000-0000-7000-8000-000000000001")]),
    ("/p/{project}/ask", &[("text", "what is it?")]),
    ("/p/{project}/ask/bill", &[]),
    (
        "/p/{project}/ask/{id}/bill",
        &[
            ("chat", "01890000-0000-7000-8000-000000000001"),
            ("day", "2026-11-14"),
            ("amount", "1"),
        ],
    ),
    ("/p/{project}/ask/{id}/delete", &[]),
    ("/p/{project}/demo/remove", &[]),
    ("/p/{project}/users/{user}/delete", &[("confirm", "theirs")]),
    ("/p/{project}/runs/{run}/share", &[("content", "shown"), ("days", "7")]),
    ("/p/{project}/runs/{run}/analysis", &[]),
    ("/p/{project}/shares/{id}/revoke", &[]),
    ("/p/{project}/settings/budgets", &[("label", "mine"), ("monthly", "5")]),
    ("/p/{project}/settings/budgets/remove", &[("label", "mine")]),
    ("/p/{project}/settings/general", &[("name", "Mine")]),
    ("/p/{project}/settings/spans", &[]),
    ("/p/{project}/settings/delete", &[("confirm", "default")]),
    ("/p/{project}/settings/keys", &[("label", "mine"), ("scope", "read")]),
    ("/p/{project}/settings/keys/first", &[]),
    ("/p/{project}/settings/keys/limits", &[("label", "mine"), ("month_requests", "5")]),
    ("/p/{project}/settings/keys/{id}/revoke", &[]),
    ("/p/{project}/settings/watcher", &[("on", "on"), ("interval_min", "60"), ("critical", "log"), ("high", "log"), ("low", "log")]),
    ("/p/{project}/settings/integrations/github", &[("repository", "acme/support"), ("deployments", "on")]),
    ("/p/{project}/settings/integrations/github/sync", &[]),
    ("/p/{project}/settings/integrations/github/remove", &[]),
    ("/p/{project}/settings/integrations/{kind}", &[("webhook_url", "https://slack.invalid/x")]),
    ("/p/{project}/settings/integrations/{kind}/test", &[]),
    ("/p/{project}/settings/integrations/{kind}/pause", &[("paused", "on")]),
    ("/p/{project}/settings/integrations/{kind}/remove", &[]),
    ("/p/{project}/settings/alerts", &[("severity", "off")]),
    ("/p/{project}/settings/alerts/{id}/resend", &[]),
    ("/p/{project}/settings/prices", &[("model", "own"), ("input", "1")]),
    ("/p/{project}/settings/prices/delete", &[("price_id", "own/1")]),
    ("/p/{project}/settings/prices/reprice", &[]),
    ("/p/{project}/settings/prices/reprice/{id}/cancel", &[]),
    ("/p/{project}/settings/scoring", &[("threshold", "1")]),
    ("/p/{project}/settings/incidents", &[("sensitivity", "1")]),
    ("/p/{project}/settings/providers", &[("kind", "anthropic"), ("api_key", "sk-0123456789ab")]),
    ("/p/{project}/settings/providers/uses", &[("budget", "5")]),
    ("/p/{project}/settings/providers/{id}/test", &[("model", "m")]),
    ("/p/{project}/settings/providers/{id}/remove", &[]),
    ("/p/{project}/settings/encryption", &[("payloads", "on")]),
    ("/p/{project}/settings/redaction", &[("email", "mask")]),
    ("/p/{project}/settings/retention", &[("runs", "1"), ("payloads", "1")]),
    ("/p/{project}/settings/members", &[("email", "eve@acme.dev"), ("role", "admin")]),
    ("/p/{project}/settings/members/invitations/{id}/revoke", &[]),
    ("/p/{project}/settings/members/{id}/role", &[("role", "viewer")]),
    ("/p/{project}/settings/members/{id}/remove", &[]),
];
/// Forms that name none.
const FORMS_OF_ONESELF: [&str; 11] = [
    "/login",
    "/logout",
    "/setup",
    "/theme",
    "/projects",
    "/invite",
    "/reset",
    "/account/password",
    "/account/sessions/end",
    "/account/sessions/{id}/end",
    "/account/remove",
];

#[tokio::test(flavor = "multi_thread")]
async fn forms_change_ones_own_projects_only() {
    let listed: BTreeSet<&str> = server::forms::FORM_PATHS.iter().copied().collect();
    let tried: BTreeSet<&str> = FORMS
        .iter()
        .map(|(path, _)| *path)
        .chain(FORMS_OF_ONESELF)
        .collect();
    assert_eq!(
        tried, listed,
        "the tables of this test and the list of forms differ"
    );

    let (app, eves_key) = server_with_two_projects().await;
    let default = default_project(&app).await;
    let victim = key(&app, &default, Scope::DEFAULT).await;
    let mara = storage::users::by_email(&app.state.db, "mara@acme.dev")
        .await
        .unwrap()
        .unwrap()
        .0;
    let eve = Browser::sign_in(&app, "eve@acme.dev").await;
    for (path, fields) in FORMS {
        let path = path.replace("{detector}", "{id}");
        for slug in ["default", "other"] {
            let id = if path.contains("/keys/{id}") {
                victim.key.id.to_string()
            } else {
                mara.id.to_string()
            };
            // A form of one's own project must not reach another project's key or member either.
            if slug == "other" && !path.contains("{id}") {
                continue;
            }
            let path = path.replace("{kind}", "slack").replace("{run}", "theirs");
            let path = path.replace("{project}", slug).replace("{id}", &id);
            let answer = eve.post(&path, fields).await;
            assert_eq!(answer.status, 404, "{path} {answer:?}");
        }
        let path = path
            .replace("{project}", "default")
            .replace("{kind}", "slack")
            .replace("{run}", "theirs")
            .replace("{id}", &victim.key.id.to_string());
        let anonymous = Browser::new(&app).post(&path, fields).await;
        assert_eq!(
            (anonymous.status, anonymous.location.as_str()),
            (303, "/login"),
            "{path}"
        );
        let with_key = Answer::of(Browser::new(&app).form(&path, fields).bearer_auth(&eves_key)).await;
        assert_eq!(
            (with_key.status, with_key.location.as_str()),
            (303, "/login"),
            "{path}"
        );
    }
    assert_eq!(default_project(&app).await, default);
    let keys = storage::keys::list(&app.state.db, default.id).await.unwrap();
    assert!(keys.len() == 1 && keys[0].revoked_at.is_none(), "{keys:?}");
    assert_eq!(
        roles(&app, &default).await.into_iter().collect::<Vec<_>>(),
        [("mara@acme.dev".to_owned(), Role::Admin)]
    );
}

//! H1: an account made in one project gave its maker every project the person was later let into.

use domain::Role;
use storage::users;

use crate::app::TestApp;
use crate::people::{
    Browser, PASSWORD, accept_as_new, audit_log, deeds, default_project, invite, other_project, person, roles,
};

const MEMBERS: &str = "/p/default/settings/members";

async fn sign_in(app: &TestApp, email: &str, password: &str) -> Option<String> {
    let fields = [("email", email), ("password", password)];
    Browser::new(app).post("/login", &fields).await.cookie()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_admin_sets_or_knows_the_password_of_somebody_else() {
    let app = TestApp::new().await;
    let (default, other) = (default_project(&app).await, other_project(&app).await);
    person(&app, "mara@acme.dev", &[(&default, Role::Admin)]).await;
    person(&app, "eve@acme.dev", &[(&other, Role::Admin)]).await;
    let (mara, eve) = (
        Browser::sign_in(&app, "mara@acme.dev").await,
        Browser::sign_in(&app, "eve@acme.dev").await,
    );
    // The attack as it was made: a password in the form that adds a member.
    let chosen = [
        ("email", "ceo@corp.dev"),
        ("name", "CEO"),
        ("role", "admin"),
        ("password", "chosen by eve 4711"),
    ];
    let added = eve.post("/p/other/settings/members", &chosen).await;
    assert!(added.location.contains("invited="), "{added:?}");
    assert_eq!(sign_in(&app, "ceo@corp.dev", "chosen by eve 4711").await, None);
    assert!(
        users::by_email(&app.state.db, "ceo@corp.dev")
            .await
            .unwrap()
            .is_none()
    );

    // The person joins `default` with a password of their own, by the link made there.
    let link = invite(&mara, "default", "CEO@corp.dev", "admin").await;
    let (joined, ceo) = accept_as_new(&app, &link, "blue kettle sings at noon").await;
    assert_eq!(
        (joined.status, joined.location.as_str()),
        (303, "/p/default"),
        "{joined:?}"
    );
    assert_eq!(ceo.get("/p/default/settings/keys").await.status, 200);
    assert_eq!(
        ceo.get("/p/other/runs").await.status,
        404,
        "nobody added them there"
    );
    assert!(
        sign_in(&app, "ceo@corp.dev", "blue kettle sings at noon")
            .await
            .is_some()
    );
    assert_eq!(sign_in(&app, "ceo@corp.dev", "chosen by eve 4711").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_made_in_another_project_gets_in_nowhere_without_the_link() {
    let app = TestApp::new().await;
    let (default, other) = (default_project(&app).await, other_project(&app).await);
    person(&app, "mara@acme.dev", &[(&default, Role::Admin)]).await;
    person(&app, "eve@acme.dev", &[(&other, Role::Admin)]).await;
    let (mara, eve) = (
        Browser::sign_in(&app, "mara@acme.dev").await,
        Browser::sign_in(&app, "eve@acme.dev").await,
    );
    // Eve opens her own link and takes the address first.
    let link = invite(&eve, "other", "ceo@corp.dev", "viewer").await;
    let (_, impostor) = accept_as_new(&app, &link, "chosen by eve 4711").await;
    let link = invite(&mara, "default", "ceo@corp.dev", "admin").await;
    assert_eq!(impostor.get("/p/default/runs").await.status, 404);
    assert!(!roles(&app, &default).await.contains_key("ceo@corp.dev"));
    // Who has the link and not the password does not get in either, and changes nothing of the account.
    let (refused, _) = accept_as_new(&app, &link, "blue kettle sings at noon").await;
    assert!(refused.location.ends_with("error=has_account"), "{refused:?}");
    let fields = [
        ("token", link.as_str()),
        ("how", "sign_in"),
        ("password", "a wrong one"),
    ];
    let refused = Browser::new(&app).post("/invite", &fields).await;
    assert!(refused.location.ends_with("error=credentials"), "{refused:?}");
    assert!(
        sign_in(&app, "ceo@corp.dev", "chosen by eve 4711")
            .await
            .is_some()
    );
    assert!(!roles(&app, &default).await.contains_key("ceo@corp.dev"));
}

#[tokio::test(flavor = "multi_thread")]
async fn inviting_tells_nothing_of_whether_there_is_an_account() {
    let app = TestApp::new().await;
    let (default, other) = (default_project(&app).await, other_project(&app).await);
    person(&app, "mara@acme.dev", &[(&default, Role::Admin)]).await;
    person(&app, "eve@acme.dev", &[(&other, Role::Admin)]).await;
    let eve = Browser::sign_in(&app, "eve@acme.dev").await;
    let mut seen = Vec::new();
    for email in ["mara@acme.dev", "nora@acme.dev"] {
        let link = invite(&eve, "other", email, "viewer").await;
        let members = eve.get("/p/other/settings/members").await.text;
        let page = Browser::new(&app).get(&format!("/invite?token={link}")).await;
        let as_eve = eve.get(&format!("/invite?token={link}")).await;
        let stripped: Vec<String> = [members, page.text, as_eve.text]
            .iter()
            .map(|text| without_what_differs(text, &[email, &link]))
            .collect();
        assert_eq!((page.status, as_eve.status), (200, 200));
        assert!(!stripped[0].contains("Mara"), "{}", stripped[0]);
        seen.push(stripped);
        let open = storage::invitations::list(&app.state.db, other.id, server::clock::now())
            .await
            .unwrap();
        let revoke = format!("/p/other/settings/members/invitations/{}/revoke", open[0].id);
        assert_eq!(
            eve.post(&revoke, &[]).await.location,
            "/p/other/settings/members?done=uninvited"
        );
        let dead = Browser::new(&app)
            .get(&format!("/invite?token={link}"))
            .await
            .text;
        assert!(dead.contains("not good any more"), "{dead}");
    }
    assert_eq!(seen[0], seen[1]);
}

/// A page without nonces, request ids, times and the words that are meant to differ.
fn without_what_differs(text: &str, words: &[&str]) -> String {
    let mut text = text.to_owned();
    for word in words {
        text = text.replace(word, "…");
    }
    let mut kept = String::new();
    for part in text.split('<') {
        // Scripts hold what the page was made from: nonces, ids of requests and rows, times.
        let is_script = part.starts_with("script") || part.starts_with("link") || part.starts_with("time");
        if !is_script
            && !part.starts_with("form method=\"post\" action=\"/p/other/settings/members/invitations")
        {
            kept.push_str(part);
            kept.push('\n');
        }
    }
    kept
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_good_once_and_only_for_its_address() {
    let app = TestApp::new().await;
    let default = default_project(&app).await;
    person(&app, "mara@acme.dev", &[(&default, Role::Admin)]).await;
    person(&app, "eve@acme.dev", &[]).await;
    let mara = Browser::sign_in(&app, "mara@acme.dev").await;
    let eve = Browser::sign_in(&app, "eve@acme.dev").await;
    let check = async |email: &str, role: &str, code: &str| {
        let answer = mara.post(MEMBERS, &[("email", email), ("role", role)]).await;
        assert_eq!(answer.location, format!("{MEMBERS}?error={code}"), "{email}");
    };
    check("noor", "viewer", "email").await;
    check("noor@acme.dev", "owner", "role").await;
    check("Mara@acme.dev", "viewer", "email_exists").await;

    let link = invite(&mara, "default", "noor@acme.dev", "viewer").await;
    assert_eq!(link.len(), 43, "256 bits");
    // Signed in as somebody else, it does nothing.
    let accept = [("token", link.as_str()), ("how", "accept")];
    let refused = eve.post("/invite", &accept).await;
    assert!(refused.location.ends_with("error=link"), "{refused:?}");
    assert_eq!(Browser::new(&app).post("/invite", &accept).await.status, 401);
    let page = eve.get(&format!("/invite?token={link}")).await.text;
    assert!(page.contains("You are signed in as eve@acme.dev"), "{page}");

    for (password, code) in [
        ("short", "password"),
        ("1234567890", "password_guessable"),
        ("noor@acme.dev", "password_guessable"),
    ] {
        let (refused, _) = accept_as_new(&app, &link, password).await;
        assert!(
            refused.location.ends_with(&format!("error={code}")),
            "{refused:?}"
        );
    }
    let (joined, noor) = accept_as_new(&app, &link, "blue kettle sings at noon").await;
    assert_eq!(joined.location, "/p/default");
    assert_eq!(noor.get("/p/default/runs").await.status, 200);
    assert_eq!(roles(&app, &default).await["noor@acme.dev"], Role::Viewer);
    let (again, _) = accept_as_new(&app, &link, "blue kettle sings at noon").await;
    assert!(again.location.ends_with("error=link"), "{again:?}");
    // What was typed into forms nobody wrote leads nowhere.
    for token in ["", "none", "%00", "é"] {
        let fields = [
            ("token", token),
            ("how", "new"),
            ("name", "x"),
            ("password", PASSWORD),
        ];
        let answer = Browser::new(&app).post("/invite", &fields).await;
        assert!(answer.location.ends_with("error=link"), "{token} {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_exists_joins_by_its_own_doing() {
    let app = TestApp::new().await;
    let (default, other) = (default_project(&app).await, other_project(&app).await);
    person(&app, "mara@acme.dev", &[(&default, Role::Admin)]).await;
    person(&app, "eve@acme.dev", &[(&other, Role::Admin)]).await;
    let eve = Browser::sign_in(&app, "eve@acme.dev").await;
    let link = invite(&eve, "other", "mara@acme.dev", "member").await;
    let mara = Browser::sign_in(&app, "mara@acme.dev").await;
    assert_eq!(
        mara.get("/p/other/runs").await.status,
        404,
        "invited is not added"
    );
    let page = mara.get(&format!("/invite?token={link}")).await.text;
    assert!(
        page.contains("Join Other") && page.contains("Join the project"),
        "{page}"
    );
    let accept = [("token", link.as_str()), ("how", "accept")];
    assert_eq!(mara.post("/invite", &accept).await.location, "/p/other");
    assert_eq!(mara.get("/p/other/runs").await.status, 200);

    // By signing in, in one go.
    let link = invite(&eve, "other", "lin@acme.dev", "member").await;
    person(&app, "lin@acme.dev", &[]).await;
    let fields = [
        ("token", link.as_str()),
        ("how", "sign_in"),
        ("password", PASSWORD),
    ];
    let joined = Browser::new(&app).post("/invite", &fields).await;
    assert_eq!(joined.location, "/p/other", "{joined:?}");
    assert!(joined.cookie().is_some());
    assert_eq!(roles(&app, &other).await["lin@acme.dev"], Role::Member);
}

#[tokio::test(flavor = "multi_thread")]
async fn members_come_and_go_and_one_admin_stays() {
    let app = TestApp::new().await;
    let default = default_project(&app).await;
    let mara = person(&app, "mara@acme.dev", &[(&default, Role::Admin)]).await;
    let browser = Browser::sign_in(&app, "mara@acme.dev").await;
    let link = invite(&browser, "default", "noor@acme.dev", "viewer").await;
    let (_, noors) = accept_as_new(&app, &link, "blue kettle sings at noon").await;
    let noor = users::by_email(&app.state.db, "noor@acme.dev")
        .await
        .unwrap()
        .unwrap()
        .0;
    let role = |user: domain::UserId| format!("{MEMBERS}/{user}/role");
    let remove = |user: domain::UserId| format!("{MEMBERS}/{user}/remove");
    let last_admin = format!("{MEMBERS}?error=last_admin");
    assert_eq!(
        browser.post(&role(mara.id), &[("role", "viewer")]).await.location,
        last_admin
    );
    assert_eq!(browser.post(&remove(mara.id), &[]).await.location, last_admin);
    assert_eq!(
        browser.post(&role(noor.id), &[("role", "admin")]).await.location,
        format!("{MEMBERS}?done=saved")
    );
    // A way back that somebody prepared before they were thrown out is closed with them.
    let back = invite(&browser, "default", "mara2@acme.dev", "admin").await;
    assert_eq!(
        noors.post(&remove(mara.id), &[]).await.location,
        format!("{MEMBERS}?done=removed")
    );
    assert_eq!(
        browser.get("/p/default/runs").await.status,
        404,
        "access has to end at once"
    );
    let (refused, _) = accept_as_new(&app, &back, "blue kettle sings at noon").await;
    assert!(refused.location.ends_with("error=link"), "{refused:?}");
    let log = audit_log(&app, Some(&default)).await;
    assert_eq!(
        deeds(&log),
        [
            ("test", "member.add", "mara@acme.dev"),
            ("mara@acme.dev", "invitation.make", "noor@acme.dev"),
            ("noor@acme.dev", "invitation.accept", "noor@acme.dev"),
            ("mara@acme.dev", "member.role", "noor@acme.dev"),
            ("mara@acme.dev", "invitation.make", "mara2@acme.dev"),
            ("noor@acme.dev", "member.remove", "mara@acme.dev"),
        ]
    );
}

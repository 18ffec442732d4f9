//! Sign-in with an OpenID Connect provider: who gets in, as whom, to what, and who does not.

use std::collections::BTreeMap;

use domain::Role;
use serde_json::{Value, json};
use server::auth::token::{random_token, token_sha256};
use server::config::{ClientSecret, Config, OpenId};

use crate::app::TestApp;
use crate::openid_stand_in::{CLIENT_ID, CLIENT_SECRET, OpenIdStandIn};
use crate::people::{
    Answer, Browser, PASSWORD, audit_log, deeds, default_project, other_project, person, roles,
};

const MARA: &str = "mara@acme.dev";

async fn provider_and_app(change: impl FnOnce(&mut Config)) -> (OpenIdStandIn, TestApp) {
    let provider = OpenIdStandIn::start().await;
    let issuer = provider.origin.clone();
    let app = TestApp::with(|config| {
        config.public_url = Some(format!("http://{}", config.addr));
        config.allow_private_targets = "127.0.0.0/8".parse().unwrap();
        config.openid = Some(OpenId {
            issuer,
            client_id: CLIENT_ID.to_owned(),
            client_secret: ClientSecret::of(CLIENT_SECRET),
            name: "Acme".to_owned(),
            scopes: vec!["email".to_owned(), "profile".to_owned()],
            groups_claim: "groups".to_owned(),
            groups: "shop = default:member, ops = *:admin".parse().unwrap(),
            email_domains: Vec::new(),
            trust_email: false,
            session_hours: 12,
        });
        change(config);
    })
    .await;
    (provider, app)
}

/// Goes to the provider and back, up to the address that the browser is sent to.
async fn way_back(browser: &mut Browser<'_>, next: &str) -> String {
    let begun = browser.get(&format!("/auth/oidc/start?next={next}")).await;
    assert_eq!(begun.status, 303, "{begun:?}");
    browser.cookie = begun.cookie().unwrap();
    let back = Answer::of(browser.app.client.get(&begun.location)).await;
    let path = back.location.strip_prefix(&browser.app.origin);
    path.unwrap_or_else(|| panic!("{back:?}")).to_owned()
}

async fn open(browser: &Browser<'_>, path: &str) -> Answer {
    Answer::of(browser.request("GET", path).header("accept", "text/html")).await
}

/// Signs in as whomever the provider names, and keeps the session's cookie.
async fn signed_in<'a>(app: &'a TestApp) -> Browser<'a> {
    let mut browser = Browser::new(app);
    let path = way_back(&mut browser, "/").await;
    let answer = open(&browser, &path).await;
    assert_eq!(answer.status, 303, "{answer:?}");
    browser.cookie = answer.cookie().unwrap();
    browser
}

async fn refused(browser: &mut Browser<'_>, words: &str) {
    let path = way_back(browser, "/").await;
    let answer = open(browser, &path).await;
    is_refused(&answer, words);
}

fn is_refused(answer: &Answer, words: &str) {
    assert_eq!(answer.status, 403, "{answer:?}");
    assert!(answer.text.contains(words), "{words}: {}", answer.text);
    let cookie = answer.cookie();
    assert_eq!(cookie.as_deref(), Some("plumbline_openid="), "no session begins");
}

#[tokio::test]
async fn a_person_of_the_provider_gets_an_account_and_what_their_groups_give() {
    let (provider, app) = provider_and_app(|_| {}).await;
    let mut browser = Browser::new(&app);
    let path = way_back(&mut browser, "/p/default/runs%3Fstatus=error").await;
    // A session that somebody else put into the browser is not the one that begins.
    browser.cookie = format!("plumbline_session=planted; {}", browser.cookie);
    let answer = open(&browser, &path).await;
    assert_eq!(
        (answer.status, answer.location.as_str()),
        (303, "/p/default/runs?status=error"),
        "{answer:?}"
    );
    browser.cookie = answer.cookie().unwrap();
    assert!(browser.cookie.starts_with("plumbline_session=") && !browser.cookie.contains("planted"));
    assert_eq!(browser.get("/p/default/runs").await.status, 200);
    let project = default_project(&app).await;
    let members = BTreeMap::from([(MARA.to_owned(), Role::Member)]);
    assert_eq!(roles(&app, &project).await, members);
    let log = audit_log(&app, None).await;
    let of_server = deeds(&log);
    for action in ["account.make", "account.link", "sign_in"] {
        assert!(
            of_server.contains(&(MARA, action, MARA)),
            "{action}: {of_server:?}"
        );
    }
    let sign_in = log.iter().find(|row| row.action == "sign_in").unwrap();
    assert_eq!(sign_in.details["provider"], "Acme");
    let of_project = audit_log(&app, Some(&project)).await;
    let added = of_project.iter().find(|row| row.action == "member.add").unwrap();
    assert_eq!(added.details, json!({ "role": "member", "by_groups_of": "Acme" }));
    let written = format!("{log:?}{of_project:?}");
    let token = provider.last_token();
    let claims = token.split('.').nth(1).unwrap();
    assert!(
        !written.contains(claims) && !written.contains("canary"),
        "{written}"
    );
}

#[tokio::test]
async fn what_the_provider_did_not_say_of_this_sign_in_is_not_believed() {
    let (provider, app) = provider_and_app(|config| {
        if let Some(openid) = &mut config.openid {
            openid.email_domains = vec!["acme.dev".to_owned()];
        }
    })
    .await;
    let mut browser = Browser::new(&app);
    let past = server::clock::now().micros() / 1_000_000 - 10;
    let cases = [
        (json!({ "nonce": "another" }), "(nonce)", "nonce"),
        (json!({ "nonce": null }), "(nonce)", "nonce"),
        (json!({ "aud": "another-client" }), "(audience)", "audience"),
        (
            json!({ "aud": [CLIENT_ID, "another-client"] }),
            "(audience)",
            "audience",
        ),
        (json!({ "iss": "https://evil.example" }), "(issuer)", "issuer"),
        (json!({ "exp": past }), "(expired)", "expired"),
        (
            json!({ "email_verified": false }),
            "has not verified",
            "email_unverified",
        ),
        (
            json!({ "email_verified": null }),
            "has not verified",
            "email_unverified",
        ),
        (
            json!({ "email": null }),
            "did not say your e-mail address",
            "no_email",
        ),
        (
            json!({ "email": "mara@evil.example" }),
            "may not sign in",
            "email_domain",
        ),
        (
            json!({ "groups": ["strangers"] }),
            "None of your groups",
            "no_access",
        ),
    ];
    for (claims, words, _) in &cases {
        provider.says(claims.clone());
        refused(&mut browser, words).await;
    }
    provider.says(json!({}));
    provider.signs_nothing(true);
    refused(&mut browser, "(unsigned)").await;
    assert_eq!(storage::users::count(&app.state.db).await.unwrap(), 0);
    let log = audit_log(&app, None).await;
    let reasons: Vec<&str> = log
        .iter()
        .rev()
        .filter(|row| row.action == "sign_in.fail")
        .map(|row| row.details["reason"].as_str().unwrap())
        .collect();
    let expected: Vec<&str> = cases
        .iter()
        .map(|(_, _, reason)| *reason)
        .chain(["unsigned"])
        .collect();
    assert_eq!(reasons, expected);
}

#[tokio::test]
async fn a_sign_in_ends_once_in_the_browser_where_it_began() {
    let (provider, app) = provider_and_app(|_| {}).await;
    provider.takes_codes_again();
    let mut browser = Browser::new(&app);
    let path = way_back(&mut browser, "https://evil.example/").await;
    let mut other = Browser::new(&app);
    is_refused(&open(&other, &path).await, "not begun in this browser");
    way_back(&mut other, "/").await;
    is_refused(&open(&other, &path).await, "not begun in this browser");
    let answer = open(&browser, &path).await;
    assert_eq!(
        (answer.status, answer.location.as_str()),
        (303, "/"),
        "{answer:?}"
    );
    // Neither the cookie nor the code is good again, even where the provider takes it.
    is_refused(&open(&browser, &path).await, "was completed before");
    let path = way_back(&mut browser, "//evil.example").await;
    let (without_code, _) = path.split_once("code=").unwrap();
    let (_, state) = path.split_once("&state=").unwrap();
    let denied = format!("{without_code}error=access_denied&state={state}");
    is_refused(&open(&browser, &denied).await, "Acme did not sign you in");
    let mixed_up = format!("{path}&iss=https://evil.example");
    is_refused(&open(&browser, &mixed_up).await, "Acme did not sign you in");
    let answer = open(&browser, &path).await;
    assert_eq!(
        (answer.status, answer.location.as_str()),
        (303, "/"),
        "{answer:?}"
    );
}

#[tokio::test]
async fn what_groups_gave_goes_with_them_and_nothing_else() {
    let (provider, app) = provider_and_app(|_| {}).await;
    let (project, other) = (default_project(&app).await, other_project(&app).await);
    let role_of = async |project| roles(&app, project).await.get(MARA).copied();
    provider.says(json!({ "groups": ["shop", "ops"] }));
    signed_in(&app).await;
    assert_eq!(
        (role_of(&project).await, role_of(&other).await),
        (Some(Role::Admin), Some(Role::Admin))
    );
    provider.says(json!({ "groups": "shop" }));
    signed_in(&app).await;
    assert_eq!(
        (role_of(&project).await, role_of(&other).await),
        (Some(Role::Member), None)
    );
    // What a person gave stays without any group.
    let (db, now) = (&app.state.db, server::clock::now());
    let (mara, _) = storage::users::by_email(db, MARA).await.unwrap().unwrap();
    storage::members::add(db, other.id, &mara, Role::Viewer, "test", now)
        .await
        .unwrap();
    provider.says(json!({ "groups": [] }));
    let browser = signed_in(&app).await;
    assert_eq!(
        (role_of(&project).await, role_of(&other).await),
        (None, Some(Role::Viewer))
    );
    assert_eq!(browser.get("/p/default/runs").await.status, 404);
    let log = audit_log(&app, Some(&project)).await;
    let actions: Vec<&str> = log.iter().rev().map(|row| row.action.as_str()).collect();
    assert!(
        actions.ends_with(&["member.add", "member.role", "member.remove"]),
        "{actions:?}"
    );
    // Without anything left the person is turned away, and what they had open ends.
    let second = person(&app, "noor@acme.dev", &[(&other, Role::Admin)]).await;
    storage::members::remove(db, other.id, mara.id, &second.email, now)
        .await
        .unwrap();
    refused(&mut Browser::new(&app), "None of your groups").await;
    assert_eq!(browser.get("/account").await.location, "/login?next=/account");
}

#[tokio::test]
async fn an_account_with_a_password_is_linked_by_whoever_runs_the_server() {
    let (_provider, app) = provider_and_app(|_| {}).await;
    let project = default_project(&app).await;
    let mara = person(&app, MARA, &[(&project, Role::Admin)]).await;
    refused(&mut Browser::new(&app), "plumbline accounts link mara@acme.dev").await;
    app.command(&["accounts", "link", MARA]);
    signed_in(&app).await;
    signed_in(&app).await;
    let (found, _) = storage::users::by_email(&app.state.db, MARA)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found.id, mara.id);
    let members = BTreeMap::from([(MARA.to_owned(), Role::Admin)]);
    assert_eq!(roles(&app, &project).await, members, "what an admin gave stays");
}

#[tokio::test]
async fn what_an_invitation_gives_stays_whatever_groups_give() {
    let (provider, app) = provider_and_app(|_| {}).await;
    let (project, other) = (default_project(&app).await, other_project(&app).await);
    let of_both = [(&project, Role::Admin), (&other, Role::Admin)];
    person(&app, "noor@acme.dev", &of_both).await;
    let noor = Browser::sign_in(&app, "noor@acme.dev").await;
    crate::people::invite(&noor, "other", MARA, "viewer").await;
    crate::people::invite(&noor, "default", MARA, "admin").await;
    for groups in [json!(["shop"]), json!(null)] {
        provider.says(json!({ "groups": groups }));
        signed_in(&app).await;
        assert_eq!(roles(&app, &other).await.get(MARA), Some(&Role::Viewer));
        assert_eq!(roles(&app, &project).await.get(MARA), Some(&Role::Admin));
    }
}

#[tokio::test]
async fn passwords_can_be_switched_off() {
    let (_provider, app) = provider_and_app(|config| config.local_accounts = false).await;
    let project = default_project(&app).await;
    let mara = person(&app, MARA, &[(&project, Role::Admin)]).await;
    let mut browser = Browser::new(&app);
    let page = browser.get("/login?next=/p/default/runs").await.text;
    assert!(page.contains("Sign in with Acme"), "{page}");
    assert!(
        page.contains("/auth/oidc/start?next=%2Fp%2Fdefault%2Fruns"),
        "{page}"
    );
    assert!(!page.contains("type=\"password\""), "{page}");
    let fields = [("email", MARA), ("password", PASSWORD)];
    let answer = browser.post("/login", &fields).await;
    assert_eq!((answer.status, answer.cookie()), (403, None), "{answer:?}");
    assert!(
        answer.text.contains("Passwords do not sign in to this server"),
        "{}",
        answer.text
    );
    // While the provider is away, a link that whoever runs the server makes is the way in.
    let (token, now) = (random_token().unwrap(), server::clock::now());
    let until = now.plus_micros(3_600 * 1_000_000);
    storage::password_resets::make(&app.state.db, &mara, &token_sha256(&token), until, "test", now)
        .await
        .unwrap();
    let fields = [("token", token.as_str()), ("password", "several unrelated words")];
    let answer = browser.post("/reset", &fields).await;
    assert_eq!(
        (answer.status, answer.location.as_str()),
        (303, "/"),
        "{answer:?}"
    );
    browser.cookie = answer.cookie().unwrap();
    assert_eq!(browser.get("/p/default/runs").await.status, 200);
}

#[tokio::test]
async fn beside_passwords_the_provider_comes_first() {
    let (_provider, app) = provider_and_app(|_| {}).await;
    // Nobody gets in without it, also before there is an account.
    let browser = Browser::new(&app);
    assert_eq!(
        browser.get("/p/default/runs").await.location,
        "/login?next=/p/default/runs"
    );
    assert_eq!(app.get("/api/runs").await.0, 401);
    let page = browser.get("/login").await.text;
    let at = |words: &str| page.find(words).unwrap_or_else(|| panic!("{words}: {page}"));
    assert!(at("Sign in with Acme") < at("type=\"password\""));
    person(&app, MARA, &[]).await;
    Browser::sign_in(&app, MARA).await;
}

#[tokio::test]
async fn sessions_end_at_the_provider_and_with_it() {
    let (provider, app) = provider_and_app(|_| {}).await;
    let browser = signed_in(&app).await;
    let answer = browser.post("/logout", &[]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let refresh = answer.headers["refresh"].to_str().unwrap();
    let to = format!("0; url={}/logout?", provider.origin);
    assert!(refresh.starts_with(&to), "{refresh}");
    for part in [
        format!("id_token_hint={}", provider.last_token()),
        format!("client_id={CLIENT_ID}"),
        "post_logout_redirect_uri=http".to_owned(),
    ] {
        assert!(refresh.contains(&part), "{part}: {refresh}");
    }
    assert_eq!(browser.get("/account").await.status, 303);

    let browser = signed_in(&app).await;
    let over = async |token: &str| {
        let programs = Browser::new(&app);
        let fields = [("logout_token", token)];
        programs
            .post("/auth/oidc/backchannel-logout", &fields)
            .await
            .status
    };
    assert_eq!(
        over(&provider.last_token()).await,
        400,
        "a token of a sign-in ends nothing"
    );
    assert_eq!(over("a.b.c").await, 400);
    assert_eq!(browser.get("/account").await.status, 200);
    assert_eq!(over(&provider.logout_token()).await, 200);
    assert_eq!(browser.get("/account").await.status, 303);
    let log = audit_log(&app, None).await;
    assert_eq!(log[0].action, "session.end");
    assert_eq!(log[0].details, json!({ "by": "the provider" }));
}

#[tokio::test]
async fn a_session_is_no_longer_than_the_configuration_says() {
    let (_provider, app) = provider_and_app(|config| {
        if let Some(openid) = &mut config.openid {
            openid.session_hours = 0;
        }
    })
    .await;
    let mut browser = Browser::new(&app);
    let path = way_back(&mut browser, "/").await;
    let answer = open(&browser, &path).await;
    let cookie = answer.headers["set-cookie"].to_str().unwrap();
    let (_, rest) = cookie.split_once("Max-Age=").unwrap();
    let seconds: u64 = rest.split(';').next().unwrap().parse().unwrap();
    // As long as the token is good: 300 seconds, of which some are over.
    assert!((200..=300).contains(&seconds), "{cookie}");
}

#[tokio::test]
async fn new_keys_are_read_but_not_for_everybody_who_makes_one_up() {
    let (provider, app) = provider_and_app(|_| {}).await;
    signed_in(&app).await;
    assert_eq!(provider.key_calls(), 1);
    provider.changes_its_key("second", true);
    signed_in(&app).await;
    signed_in(&app).await;
    assert_eq!(provider.key_calls(), 2);
    provider.changes_its_key("made-up", false);
    refused(&mut Browser::new(&app), "(signature)").await;
    assert_eq!(provider.key_calls(), 2);
}

#[tokio::test]
async fn without_a_provider_there_is_no_way_to_one() {
    let app = TestApp::new().await;
    let (status, body) = app.get("/auth/oidc/start").await;
    assert_eq!(
        (status, &body["error"]["code"]),
        (404, &Value::from("not_found")),
        "{body}"
    );
}

//! M1: the limit of sign-ins locked others out, could be evaded, and was costly.

use std::time::{Duration, Instant};

use domain::Role;

use crate::app::TestApp;
use crate::people::{Answer, Browser, PASSWORD, default_project, person};

async fn behind_a_proxy() -> TestApp {
    let app = TestApp::with(|config| config.trusted_proxies = "127.0.0.1".parse().unwrap()).await;
    person(
        &app,
        "mara@acme.dev",
        &[(&default_project(&app).await, Role::Admin)],
    )
    .await;
    app
}

async fn try_from(app: &TestApp, address: &str, email: &str, password: &str) -> Answer {
    let form = Browser::new(app).form("/login", &[("email", email), ("password", password)]);
    Answer::of(form.header("x-forwarded-for", address)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_costs_longer_and_longer_waits() {
    let app = TestApp::new().await;
    person(
        &app,
        "mara@acme.dev",
        &[(&default_project(&app).await, Role::Admin)],
    )
    .await;
    for _ in 0..5 {
        let answer = try_from(&app, "", "mara@acme.dev", "guess").await;
        assert_eq!(answer.status, 303, "{answer:?}");
    }
    let begun = Instant::now();
    let answer = try_from(&app, "", "mara@acme.dev", PASSWORD).await;
    // Unless this machine took the whole second for it.
    if begun.elapsed() < Duration::from_millis(500) {
        assert_eq!(answer.status, 429, "{answer:?}");
        assert_eq!(answer.headers["retry-after"], "1");
        assert!(
            answer.text.contains("<h1>") && answer.text.contains("try again in 1 second"),
            "{answer:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_locked_out_by_others() {
    let app = behind_a_proxy().await;
    for n in 0..10 {
        for _ in 0..3 {
            try_from(&app, &format!("203.0.113.{n}"), "mara@acme.dev", "guess").await;
        }
    }
    for n in 0..8 {
        try_from(&app, "198.51.100.9", "mara@acme.dev", &format!("guess {n}")).await;
    }
    let person = try_from(&app, "192.0.2.1", "mara@acme.dev", PASSWORD).await;
    assert_eq!(
        (person.status, person.location.as_str()),
        (303, "/"),
        "{person:?}"
    );
    assert!(person.cookie().is_some());
    // Neither is who shares the attacker's address and wants to sign in to another account.
    crate::people::person(&app, "noor@acme.dev", &[]).await;
    let neighbour = try_from(&app, "198.51.100.9", "noor@acme.dev", PASSWORD).await;
    assert!(neighbour.cookie().is_some(), "{neighbour:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_made_up_header_evades_nothing() {
    // No proxy is trusted: whatever is sent, it is one address.
    let app = TestApp::new().await;
    person(
        &app,
        "mara@acme.dev",
        &[(&default_project(&app).await, Role::Admin)],
    )
    .await;
    let mut last = 0;
    for n in 0..12 {
        last = try_from(&app, &format!("203.0.113.{n}"), "mara@acme.dev", "guess")
            .await
            .status;
    }
    assert_eq!(last, 429);

    // Behind one, what the client wrote stands left of what the proxy adds.
    let app = behind_a_proxy().await;
    for n in 0..12 {
        let forged = format!("203.0.113.{n}, 198.51.100.9");
        last = try_from(&app, &forged, "mara@acme.dev", "guess").await.status;
    }
    assert_eq!(last, 429);
    // The other header is not a way around either.
    let form = Browser::new(&app)
        .form("/login", &[("email", "mara@acme.dev"), ("password", "guess")])
        .header("forwarded", "for=203.0.113.200")
        .header("x-forwarded-for", "198.51.100.9");
    for _ in 0..8 {
        last = Answer::of(form.try_clone().unwrap()).await.status;
    }
    assert_eq!(last, 429);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_addresses_of_one_subscriber_count_as_one() {
    let app = behind_a_proxy().await;
    let mut last = 0;
    for n in 0..12 {
        let address = format!("2001:db8:1:2::{n:x}");
        last = try_from(&app, &address, "mara@acme.dev", "guess").await.status;
    }
    assert_eq!(last, 429);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_address_costs_nothing() {
    let app = TestApp::new().await;
    person(
        &app,
        "mara@acme.dev",
        &[(&default_project(&app).await, Role::Admin)],
    )
    .await;
    let long = format!("{}@acme.dev", "x".repeat(60_000));
    for email in [long.as_str(), "mara", "a\nb@acme.dev", "a@b@c", ""] {
        let answer = try_from(&app, "", email, PASSWORD).await;
        assert!(answer.location.ends_with("error=credentials"), "{answer:?}");
    }
    let begun = Instant::now();
    for _ in 0..50 {
        try_from(&app, "", &long, PASSWORD).await;
    }
    // Fifty hashes would take seconds.
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_at_the_current_password_is_limited_as_well() {
    let app = TestApp::new().await;
    person(
        &app,
        "mara@acme.dev",
        &[(&default_project(&app).await, Role::Admin)],
    )
    .await;
    let browser = Browser::sign_in(&app, "mara@acme.dev").await;
    let mut last = 0;
    for n in 0..12 {
        let current = format!("guess {n}");
        last = browser
            .post("/account/remove", &[("current", &current)])
            .await
            .status;
    }
    assert_eq!(last, 429);
}

//! E-mail as a channel: connected, tried, and used.

use serde_json::json;

use crate::alerts::{connect, failed, put, telling_app};
use crate::app::TestApp;
use crate::smtp_stand_in::{Behaviour, SmtpStandIn};

#[tokio::test(flavor = "multi_thread")]
async fn a_critical_step_arrives_by_e_mail() {
    let mut server = SmtpStandIn::new(Behaviour {
        login: Some(("me", "canary-password-7fk2")),
        ..Behaviour::default()
    })
    .await;
    let app = telling_app().await;
    let url = format!("smtp://me:canary-password-7fk2@127.0.0.1:{}", server.port);
    let saved = connect(
        &app,
        "email",
        json!({ "smtp_url": url, "from": "Plumbline <alerts@acme.dev>", "to": ["ops@acme.dev", "Lead <lead@acme.dev>"] }),
    )
    .await;
    assert_eq!(
        (&saved["state"], &saved["secret_last4"]),
        (&json!("ok"), &json!("7fk2")),
        "{saved}"
    );
    assert_eq!(
        saved["options"]["to"],
        json!(["ops@acme.dev", "Lead <lead@acme.dev>"]),
        "{saved}"
    );
    let (_, list) = app.get("/api/settings/integrations").await;
    assert!(!list.to_string().contains("canary"), "{list}");
    let page = app
        .client
        .get(app.url("/p/default/settings/integrations"))
        .send()
        .await
        .unwrap();
    let page = page.text().await.unwrap();
    assert!(
        page.contains("lead@acme.dev") && !page.contains("canary"),
        "{page}"
    );

    let (status, tested) = app
        .post("/api/settings/integrations/email/test", &json!({}))
        .await;
    assert_eq!(
        (status, &tested["delivered"], &tested["answer"]),
        (200, &json!(true), &json!("250 2.0.0 queued as 7")),
        "{tested}"
    );
    let mail = server.next().await;
    assert_eq!((mail.from.as_str(), mail.to.len()), ("alerts@acme.dev", 2));
    assert_eq!((mail.login.as_deref(), mail.is_encrypted), (Some("me"), false));
    assert!(mail.data.contains("Plumbline test"), "{}", mail.data);

    app.store(failed("run 1", "parse-request")).await;
    let mail = server.next().await;
    assert!(
        mail.data.contains("Subject: [Default] Critical: parse-request"),
        "{}",
        mail.data
    );
    // Soft line breaks of quoted-printable come off.
    let data = mail.data.replace("=\n", "").replace("=3D", "=");
    assert!(
        data.contains("https://plumbline.acme.dev/p/default/runs/run%201?step=s1"),
        "{data}"
    );

    assert_eq!(server.rest(), 0);

    // Changed in parts.
    let paused = connect(&app, "email", json!({ "to": ["only@acme.dev"], "paused": true })).await;
    assert_eq!(
        (&paused["state"], &paused["options"]["to"]),
        (&json!("paused"), &json!(["only@acme.dev"]))
    );
    assert_eq!(paused["options"]["from"], saved["options"]["from"]);
    let removed = app
        .client
        .delete(app.url("/api/settings/integrations/email"))
        .send()
        .await
        .unwrap();
    assert_eq!(removed.status(), 204);
    let (_, list) = app.get("/api/settings/integrations").await;
    let items = list["items"].as_array().unwrap();
    assert_eq!(
        items.iter().find(|item| item["kind"] == "email").unwrap()["state"],
        "off"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_server_and_no_address_is_refused_by_its_field() {
    let app = TestApp::new().await;
    let whole = |url: &str, from: &str, to: &[&str]| json!({ "smtp_url": url, "from": from, "to": to });
    let from = "alerts@acme.dev";
    for (body, field, code) in [
        (
            whole("http://mail.acme.dev", from, &["a@acme.dev"]),
            "smtp_url",
            "invalid_field",
        ),
        (
            whole("smtp://127.0.0.1:25", from, &["a@acme.dev"]),
            "smtp_url",
            "private_target",
        ),
        (
            whole("smtps://u:p@169.254.169.254", from, &["a@acme.dev"]),
            "smtp_url",
            "private_target",
        ),
        (
            whole("smtps://u:p@localhost", from, &["a@acme.dev"]),
            "smtp_url",
            "private_target",
        ),
        (
            whole("smtps://u:p@mail.acme.dev", "nobody", &["a@acme.dev"]),
            "from",
            "invalid_field",
        ),
        (
            whole(
                "smtps://u:p@mail.acme.dev",
                "a@acme.dev\r\nBcc: b@acme.dev",
                &["a@acme.dev"],
            ),
            "from",
            "invalid_field",
        ),
        (
            whole("smtps://u:p@mail.acme.dev", from, &["a@acme.dev, b@acme.dev\n"]),
            "to",
            "invalid_field",
        ),
        (
            whole("smtps://u:p@mail.acme.dev", from, &[]),
            "to",
            "invalid_field",
        ),
        (
            json!({ "from": from, "to": ["a@acme.dev"] }),
            "smtp_url",
            "invalid_field",
        ),
        (
            json!({ "smtp_url": "smtps://u:p@mail.acme.dev", "to": ["a@acme.dev"] }),
            "from",
            "invalid_field",
        ),
        (json!({ "dsn": "https://k@sentry.io/1" }), "dsn", "invalid_field"),
    ] {
        let (status, refused) = put(&app, "/api/settings/integrations/email", body.clone()).await;
        let error = &refused["error"];
        assert_eq!(
            (status, &error["field"], &error["code"]),
            (400, &json!(field), &json!(code)),
            "{body} {refused}"
        );
    }
}

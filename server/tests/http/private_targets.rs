//! Private addresses are refused in every notation, by each kind of integration.

use serde_json::json;

use crate::alerts::put;
use crate::app::TestApp;

const HOSTS: &str = include_str!("private_hosts.txt");

#[tokio::test(flavor = "multi_thread")]
async fn private_addresses_are_refused_in_every_notation() {
    let app = TestApp::new().await;
    let hosts: Vec<&str> = HOSTS.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(hosts.len() > 40);
    for host in hosts {
        let https = format!("https://{host}/x");
        for (kind, field, body) in [
            ("slack", "webhook_url", json!({ "webhook_url": https })),
            ("webhook", "url", json!({ "url": https })),
            ("sentry", "dsn", json!({ "dsn": format!("https://key@{host}/1") })),
            (
                "email",
                "smtp_url",
                json!({ "smtp_url": format!("smtps://u:p@{host}"), "from": "a@acme.dev", "to": ["b@acme.dev"] }),
            ),
            (
                "github",
                "api_url",
                json!({ "repository": "acme/app", "api_url": format!("https://{host}/api/v3") }),
            ),
        ] {
            let (status, refused) = put(&app, &format!("/api/settings/integrations/{kind}"), body).await;
            assert_eq!(status, 400, "{kind} {host} {refused}");
            assert_eq!(refused["error"]["field"], field, "{kind} {host} {refused}");
            if kind != "github" {
                assert_eq!(
                    refused["error"]["code"], "private_target",
                    "{kind} {host} {refused}"
                );
            }
        }
    }
    // Nothing of it was stored.
    let (_, list) = app.get("/api/settings/integrations").await;
    for kind in list["items"].as_array().unwrap() {
        assert_eq!(kind["state"], "off", "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_address_of_https_is_refused() {
    let app = TestApp::new().await;
    for url in [
        "http://hooks.acme.dev/x",
        "https://user:pass@hooks.acme.dev/x",
        "https://hooks.acme.dev@10.0.0.1/x",
        "ftp://hooks.acme.dev",
        "https://",
        "x",
        "",
    ] {
        let body = json!({ "webhook_url": url });
        let (status, refused) = put(&app, "/api/settings/integrations/slack", body).await;
        assert_eq!(
            (status, &refused["error"]["code"]),
            (400, &json!("invalid_field")),
            "{url} {refused}"
        );
    }
}

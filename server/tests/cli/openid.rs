//! What `doctor` says of the provider that signs people in.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use serde_json::json;

use crate::program::Folder;

/// A provider that answers for its discovery and has no keys; its address.
fn provider() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let issuer = origin.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) > 0 {
                head.push(byte[0]);
            }
            let body = if String::from_utf8_lossy(&head).contains("/.well-known/openid-configuration") {
                json!({
                    "issuer": issuer, "authorization_endpoint": format!("{issuer}/authorize"),
                    "token_endpoint": format!("{issuer}/token"), "jwks_uri": format!("{issuer}/keys"),
                    "response_types_supported": ["code"], "subject_types_supported": ["public"],
                    "id_token_signing_alg_values_supported": ["RS256"],
                })
            } else {
                json!({ "keys": [] })
            };
            let body = body.to_string();
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(answer.as_bytes()).ok();
        }
    });
    origin
}

#[test]
fn doctor_asks_the_provider_and_says_what_it_has_to_know() {
    let (issuer, folder) = (provider(), Folder::new());
    let environment = [
        ("PLUMBLINE_PUBLIC_URL", "https://plumbline.example.com"),
        ("PLUMBLINE_OPENID_ISSUER", issuer.as_str()),
        ("PLUMBLINE_OPENID_CLIENT_ID", "plumbline"),
        ("PLUMBLINE_OPENID_CLIENT_SECRET", "canary"),
        ("PLUMBLINE_OPENID_GROUPS", "ops=*:admin"),
    ];
    let private = folder
        .run_with(&["doctor", "--json"], &environment)
        .check("openid");
    assert_eq!(private["status"], "fail", "{private}");
    let words = ["--allow-private-targets", "127.0.0.1", "doctor", "--json"];
    let report = folder.run_with(&words, &environment);
    let found = report.check("openid");
    assert_eq!(found["status"], "ok", "{found}");
    let message = found["message"].as_str().unwrap();
    assert!(
        message.contains("https://plumbline.example.com/auth/oidc/callback"),
        "{message}"
    );
    assert_eq!(report.json()["config"]["openid_client_secret"], "set");
    assert!(!format!("{report:?}").contains("canary"), "{report:?}");
}

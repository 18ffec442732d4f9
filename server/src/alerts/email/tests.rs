use std::sync::Arc;

use domain::alert::{AlertContent, AlertedCondition, AlertedStep, Trigger};
use domain::{Severity, StepKind, Timestamp};
use rustls::pki_types::PrivateKeyDer;
use serde_json::json;
use tokio_rustls::TlsAcceptor;
use uuid::Uuid;

use self::stand_in::{Behaviour, SmtpStandIn};
use super::*;

#[path = "../../../tests/http/smtp_stand_in.rs"]
mod stand_in;

/// A certificate of `localhost`, whom everybody trusts that trusts it, and a server that shows it.
fn certificate() -> (Vec<u8>, TlsAcceptor) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    (made.cert.der().to_vec(), TlsAcceptor::from(Arc::new(config)))
}

fn outbound(trusted: &[u8]) -> Outbound {
    Outbound::trusting("127.0.0.0/8, ::1/128".parse().unwrap(), trusted).unwrap()
}

fn sending() -> Sending {
    Sending {
        slug: "support".to_owned(),
        project: "Acme <support> & co".to_owned(),
        public_url: "https://plumbline.acme.dev".to_owned(),
        now: Timestamp::from_micros(1_764_500_000_000_000),
    }
}

fn message(name: &str) -> Message {
    let step = AlertedStep {
        run_id: "run/1".to_owned(),
        step_id: "s1".to_owned(),
        name: name.to_owned(),
        kind: StepKind::Llm,
        key: "prod-frontend".to_owned(),
        model: Some("claude-haiku-4-5".to_owned()),
        provider: None,
        environment: None,
        release: None,
        severity: Severity::Critical,
        score: Some(140),
        threshold: Some(70),
        error: Some("<b>boom</b>\n.\nafter a dot".to_owned()),
        latency_ms: None,
        started_at: Timestamp::from_micros(1_764_500_000_000_000),
        conditions: vec![AlertedCondition {
            code: 1001,
            name: "status_failure".to_owned(),
            points: 100,
            message: "It failed".to_owned(),
        }],
        more_conditions: 0,
    };
    Message {
        id: Uuid::from_u128(7),
        trigger: Trigger::Severity,
        created_at: Timestamp::from_micros(1_764_500_000_000_000),
        last_at: Timestamp::from_micros(1_764_500_000_000_000),
        occurrences: 1,
        summary: "Critical step".to_owned(),
        subject: json!({}),
        content: AlertContent::Step(Box::new(step)),
    }
}

fn envelope(to: &[&str]) -> Envelope {
    Envelope::of(&json!({ "from": "Plumbline <alerts@acme.dev>", "to": to })).unwrap()
}

async fn sent(outbound: &Outbound, url: &str, to: &[&str]) -> Result<Reply, CallError> {
    let server = url.parse().unwrap();
    send(outbound, &server, &envelope(to), &sending(), &[message("parse")]).await
}

#[tokio::test]
async fn a_message_arrives_encrypted_and_by_name_and_password() {
    let (trusted, tls) = certificate();
    for is_implicit in [true, false] {
        let mut server = SmtpStandIn::new(Behaviour {
            tls: Some(tls.clone()),
            is_implicit,
            login: Some(("me@acme.dev", "p@ss word")),
            ..Behaviour::default()
        })
        .await;
        let scheme = if is_implicit { "smtps" } else { "smtp" };
        let port = server.port;
        let url = |password: &str| format!("{scheme}://me%40acme.dev:{password}@localhost:{port}");
        let reply = sent(&outbound(&trusted), &url("p%40ss%20word"), &["ops@acme.dev"])
            .await
            .unwrap();
        assert_eq!(
            reply,
            Reply::new(Verdict::Taken, "250 2.0.0 queued as 7".to_owned())
        );
        let refused = sent(&outbound(&trusted), &url("wrong"), &["ops@acme.dev"])
            .await
            .unwrap();
        assert_eq!(refused.verdict, Verdict::Stopped, "{refused:?}");
        assert!(
            refused.answer.contains("535") && refused.answer.contains("wrong name"),
            "{refused:?}"
        );
        let mail = server.next().await;
        assert!(
            mail.is_encrypted && mail.data.contains("Critical: parse"),
            "{mail:?}"
        );
        assert_eq!(
            (mail.from.as_str(), mail.login.as_deref(), mail.to.as_slice()),
            (
                "alerts@acme.dev",
                Some("me@acme.dev"),
                &["ops@acme.dev".to_owned()][..]
            )
        );
        assert_eq!(server.rest(), 0);
        // A certificate that nobody vouches for ends it before the password is said.
        let untrusted = Outbound::new("127.0.0.0/8, ::1/128".parse().unwrap()).unwrap();
        let ended = sent(&untrusted, &url("p%40ss%20word"), &["ops@acme.dev"]).await;
        assert!(matches!(ended, Err(CallError::Unreachable { .. })), "{ended:?}");
    }
}

#[tokio::test]
async fn what_is_said_before_the_encryption_is_no_answer_in_it() {
    let (trusted, tls) = certificate();
    let mut server = SmtpStandIn::new(Behaviour {
        tls: Some(tls),
        injected: "250 injected\r\n",
        ..Behaviour::default()
    })
    .await;
    let url = format!("smtp://localhost:{}", server.port);
    let ended = sent(&outbound(&trusted), &url, &["ops@acme.dev"]).await;
    assert!(ended.is_err(), "{ended:?}");
    assert_eq!(server.rest(), 0);
}

#[tokio::test]
async fn private_servers_are_not_called_and_nothing_public_goes_unencrypted() {
    let mut server = SmtpStandIn::new(Behaviour::default()).await;
    let url = format!("smtp://localhost:{}", server.port);
    let nowhere = Outbound::new("".parse().unwrap()).unwrap();
    let ended = sent(&nowhere, &url, &["ops@acme.dev"]).await;
    assert!(matches!(ended, Err(CallError::Private { .. })), "{ended:?}");
    assert_eq!(server.rest(), 0);
    // Where the address is of the allowance, plain text will do.
    let taken = sent(&outbound(&[]), &url, &["ops@acme.dev"]).await.unwrap();
    assert_eq!(taken.verdict, Verdict::Taken, "{taken:?}");
    assert!(!server.next().await.is_encrypted);
}

#[tokio::test]
async fn refusals_are_permanent_where_the_server_says_so() {
    let check = async |behaviour: Behaviour, to: &[&str], expected: Verdict, said: &str| {
        let mut server = SmtpStandIn::new(behaviour).await;
        let reply = sent(&outbound(&[]), &format!("smtp://127.0.0.1:{}", server.port), to)
            .await
            .unwrap();
        assert_eq!(reply.verdict, expected, "{reply:?}");
        assert!(reply.answer.contains(said), "{reply:?}");
        assert_eq!(server.rest(), usize::from(expected == Verdict::Taken));
    };
    let unknown = |recipient_answer| Behaviour {
        unknown: &["gone@acme.dev"],
        recipient_answer,
        ..Behaviour::default()
    };
    let later = Verdict::TryAgain { after_s: None };
    check(
        unknown("550 5.1.1 no such user"),
        &["gone@acme.dev"],
        Verdict::Stopped,
        "550 5.1.1 no such user",
    )
    .await;
    check(
        unknown("450 4.2.0 greylisted"),
        &["gone@acme.dev"],
        later,
        "greylisted",
    )
    .await;
    // One of two is none of the other's business.
    check(
        unknown("550 5.1.1 no such user"),
        &["ops@acme.dev", "gone@acme.dev"],
        Verdict::Taken,
        "not to gone@acme.dev: 550",
    )
    .await;
    let data = |answer| Behaviour {
        data_answer: Some(answer),
        ..Behaviour::default()
    };
    check(data("554 5.7.1 spam"), &["ops@acme.dev"], Verdict::Refused, "554").await;
    check(data("452 4.3.1 full"), &["ops@acme.dev"], later, "452").await;
    let sender = Behaviour {
        sender_answer: Some("553 5.7.1 not yours"),
        ..Behaviour::default()
    };
    check(sender, &["ops@acme.dev"], Verdict::Stopped, "553").await;
}

#[test]
fn hostile_names_begin_no_header_and_no_element() {
    for name in [
        "x\r\nBcc: evil@evil.dev",
        "x\nBcc: evil@evil.dev\n\nbody",
        "<script>alert(1)</script>",
        "ü😀 = ?",
        &"x".repeat(2_000),
    ] {
        let mut hostile = sending();
        hostile.project = name.to_owned();
        let written = written(&envelope(&["ops@acme.dev"]), &hostile, &[message(name)]).unwrap();
        let text = String::from_utf8(written).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let names: Vec<&str> = head
            .split("\r\n")
            .filter(|line| !line.starts_with([' ', '\t']))
            .map(|line| line.split_once(':').unwrap().0)
            .collect();
        let mut sorted = names.clone();
        sorted.sort_unstable();
        assert_eq!(
            sorted,
            [
                "Auto-Submitted",
                "Content-Type",
                "Date",
                "From",
                "MIME-Version",
                "Message-ID",
                "Subject",
                "To"
            ],
            "{head}"
        );
        assert!(text.lines().all(|line| line.len() <= 998));
        assert!(
            !body.contains("<script>") || name.starts_with('x') || !html_part(body).contains("<script>"),
            "{body}"
        );
    }
}

fn html_part(body: &str) -> &str {
    &body[body.find("text/html").unwrap()..]
}

#[test]
fn a_message_has_both_parts_and_the_same_identity_each_time() {
    let write = || {
        let written = written(
            &envelope(&["ops@acme.dev"]),
            &sending(),
            &[message("parse-request")],
        );
        String::from_utf8(written.unwrap()).unwrap()
    };
    // Soft line breaks of quoted-printable come off.
    let text = write().replace("=\r\n", "");
    for part in [
        "Message-ID: <00000000-0000-0000-0000-000000000007@plumbline.acme.dev>",
        "multipart/alternative",
        "Content-Type: text/plain",
        "Content-Type: text/html",
        "Critical: parse-request",
        "1001 status_failure +100: It failed",
        "&lt;b&gt;boom&lt;/b&gt;",
        "https://plumbline.acme.dev/p/support/runs/run%2F1?step",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

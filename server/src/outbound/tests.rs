use axum::http::header::LOCATION;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

use super::*;

/// A server on this machine that sends every caller the same bytes; its port.
async fn answering(answer: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    TaskTracker::new().spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 4_096];
            let read = stream.read(&mut head).await.unwrap_or(0);
            assert!(read > 0);
            stream.write_all(answer.as_bytes()).await.ok();
        }
    });
    port
}

async fn get(allowed: &str, url: &str) -> Result<Answer, CallError> {
    let outbound = Outbound::new(allowed.parse().unwrap()).unwrap();
    let target = outbound.target(url)?;
    outbound.send(&target, Request::new(Bytes::new()), 1_000).await
}

#[tokio::test]
async fn an_allowed_private_target_is_called_and_its_redirect_is_not_followed() {
    let moved = "HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 2\r\n\r\nhi";
    let port = answering(moved).await;
    for host in ["127.0.0.1", "localhost"] {
        let answer = get("127.0.0.0/8, ::1", &format!("http://{host}:{port}/x"))
            .await
            .unwrap();
        assert_eq!((answer.status.as_u16(), &answer.body[..]), (302, &b"hi"[..]));
        assert!(answer.headers.contains_key(LOCATION));
    }
}

#[tokio::test]
async fn a_name_that_leads_to_a_private_address_is_not_called() {
    // Every machine knows a name of itself that the text of an address does not give away.
    let port = answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let outbound = Outbound::new(Networks::default()).unwrap();
    // As after a name server has changed its mind: the text was in order.
    let target = TargetUrl::parse(
        &format!("https://localhost:{port}/"),
        &"127.0.0.0/8".parse().unwrap(),
    )
    .unwrap();
    let refused = outbound.send(&target, Request::new(Bytes::new()), 1_000).await;
    assert!(matches!(refused, Err(CallError::Private { .. })), "{refused:?}");
    let said = refused.unwrap_err().to_string();
    assert!(
        said.contains("localhost has no public address") && said.contains("PLUMBLINE_ALLOW_PRIVATE_TARGETS"),
        "{said}"
    );
}

#[tokio::test]
async fn answers_are_bounded_and_failures_have_words() {
    let port = answering("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n7d1\r\n").await;
    let cut = get("127.0.0.1", &format!("http://127.0.0.1:{port}/")).await;
    assert!(matches!(cut, Err(CallError::Broken { .. })), "{cut:?}");

    let large = Box::leak(
        format!(
            "HTTP/1.1 200 OK\r\ncontent-length: 2000\r\n\r\n{}",
            "x".repeat(2_000)
        )
        .into(),
    );
    let port = answering(large).await;
    let large = get("127.0.0.1", &format!("http://127.0.0.1:{port}/")).await;
    assert!(matches!(large, Err(CallError::TooLarge { .. })), "{large:?}");

    let nobody = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap().port()
    };
    let refused = get("127.0.0.1", &format!("http://127.0.0.1:{nobody}/"))
        .await
        .unwrap_err()
        .to_string();
    assert!(refused.starts_with("127.0.0.1 can't be reached: "), "{refused}");
    let plain_speaker = answering("HTTP/1.1 200 OK\r\n\r\n").await;
    let no_tls = get("127.0.0.1", &format!("https://127.0.0.1:{plain_speaker}/")).await;
    assert!(matches!(no_tls, Err(CallError::Unreachable { .. })), "{no_tls:?}");
}

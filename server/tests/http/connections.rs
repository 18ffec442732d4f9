//! Connections that send nothing, or too slowly, do not stay.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::app::TestApp;

const TIMEOUT: Duration = Duration::from_secs(30);

async fn connect(app: &TestApp, bytes: &str) -> TcpStream {
    let mut stream = TcpStream::connect(app.origin.trim_start_matches("http://"))
        .await
        .unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    stream
}

/// Waits for the server to end the connection.
async fn ended(mut stream: TcpStream) {
    let mut rest = Vec::new();
    timeout(TIMEOUT, stream.read_to_end(&mut rest))
        .await
        .unwrap_or_else(|_| panic!("the connection stays open"))
        .ok();
    assert!(!rest.starts_with(b"HTTP/1.1 2"), "it is answered");
}

async fn ask(stream: &mut TcpStream) -> String {
    stream
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"}") {
        assert!(stream.read_buf(&mut answer).await.unwrap() > 0, "it was closed");
    }
    String::from_utf8(answer).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_never_comes_is_not_waited_for_and_a_connection_between_two_is_kept() {
    let app = TestApp::new().await;
    let mut kept = connect(&app, "").await;
    assert!(ask(&mut kept).await.starts_with("HTTP/1.1 200"));
    let (silent, slow) = (
        connect(&app, "").await,
        connect(&app, "GET /healthz HTTP/1.1\r\nhost").await,
    );
    tokio::join!(ended(silent), ended(slow));
    // It has been idle for as long as those were open.
    assert!(ask(&mut kept).await.starts_with("HTTP/1.1 200"));
}

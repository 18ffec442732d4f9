//! Connections that are held open keep nobody out.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::app::{TestApp, step};
use crate::people::{Answer, Browser};

const TIMEOUT: Duration = Duration::from_secs(30);

async fn open(app: &TestApp, bytes: &str) -> TcpStream {
    let mut stream = TcpStream::connect(app.origin.trim_start_matches("http://"))
        .await
        .unwrap();
    // The server may have closed it already.
    stream.write_all(bytes.as_bytes()).await.ok();
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn half_open_connections_give_way_to_whoever_asks_for_something() {
    let app = TestApp::with(|config| config.max_connections = Some(20)).await;
    let mut held = Vec::new();
    for _ in 0..130 {
        held.push(open(&app, "GET /healthz HTTP/1.1\r\nhost").await);
        held.push(open(&app, "").await);
    }
    for n in 0..10 {
        let stored = app.store(step("r", &format!("s{n}")));
        timeout(Duration::from_secs(5), stored).await.unwrap();
        assert_eq!(Browser::new(&app).get("/p/default/runs").await.status, 200);
    }
    let metrics = Browser::new(&app).get("/metrics").await.text;
    let figure = |name: &str| -> u64 {
        let line = metrics
            .lines()
            .find(|line| line.starts_with(&format!("{name} ")))
            .unwrap();
        line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    assert!(figure("plumbline_connections") <= 20, "{metrics}");
    assert!(figure("plumbline_connections_refused_total") >= 240, "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_does_not_come_is_not_waited_for() {
    let app = TestApp::new().await;
    let mut slow = open(
        &app,
        "POST /login HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-www-form-urlencoded\r\n\
         content-length: 100\r\n\r\nemail=",
    )
    .await;
    let mut answer = Vec::new();
    timeout(TIMEOUT, slow.read_to_end(&mut answer))
        .await
        .unwrap_or_else(|_| panic!("the connection stays open"))
        .unwrap();
    assert!(
        answer.starts_with(b"HTTP/1.1 408"),
        "{}",
        String::from_utf8_lossy(&answer)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_has_few_streams_and_the_newest_of_them() {
    let app = TestApp::new().await;
    let live = || app.client.get(app.url("/live/default")).send();
    let mut oldest = live().await.unwrap();
    assert!(
        oldest
            .chunk()
            .await
            .unwrap()
            .unwrap()
            .starts_with(b"event: hello")
    );
    let mut others = Vec::new();
    for _ in 0..12 {
        let mut stream = live().await.unwrap();
        assert!(
            stream
                .chunk()
                .await
                .unwrap()
                .unwrap()
                .starts_with(b"event: hello")
        );
        others.push(stream);
    }
    let mut rest = String::new();
    let ended = timeout(TIMEOUT, async {
        while let Some(chunk) = oldest.chunk().await.unwrap() {
            rest.push_str(&String::from_utf8_lossy(&chunk));
        }
    });
    ended.await.unwrap_or_else(|_| panic!("the oldest goes on"));
    assert!(rest.contains("retry: 30000"), "it connects again later: {rest}");
    app.store(step("r", "s")).await;
    let newest = others.last_mut().unwrap();
    let heard = timeout(TIMEOUT, newest.chunk()).await.unwrap().unwrap().unwrap();
    assert!(String::from_utf8_lossy(&heard).contains("event: run"));
    let metrics = Answer::of(app.client.get(app.url("/metrics"))).await.text;
    assert!(metrics.contains("\nplumbline_live_connections 12\n"), "{metrics}");
    assert!(
        metrics.contains("\nplumbline_live_connections_closed_total 1\n"),
        "{metrics}"
    );
}

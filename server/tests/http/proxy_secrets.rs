//! Nothing that a call authenticates itself with is kept: not in the database, not on disk, not in the log.

use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, Once};

use crate::app::TestApp;
use crate::proxy::{proxied, recorded};
use crate::upstream::Upstream;

/// What every secret of these tests begins with.
pub(crate) const MARK: &str = "sk-canary-";
/// Log lines that hold one.
static LOGGED: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Writes nothing, and remembers lines with a secret.
struct Watched;

impl Write for Watched {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let line = String::from_utf8_lossy(bytes);
        if line.contains(MARK) {
            LOGGED.lock().unwrap().push(line.into_owned());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Watches the log of everything in this process.
pub(crate) fn watch_the_log() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing_subscriber::fmt()
            .with_env_filter("info,server=trace,hyper_util=trace")
            .with_ansi(false)
            .with_writer(|| Watched)
            .init();
    });
}

pub(crate) fn logged(secret: &str) -> Vec<String> {
    let lines = LOGGED.lock().unwrap();
    lines
        .iter()
        .filter(|line| line.contains(secret))
        .cloned()
        .collect()
}

/// A call with a secret in every place where one travels, to a provider that says it again in its error and body.
async fn call(app: &TestApp, upstream: &mut Upstream, run: &str, secret: &str) {
    let call = app
        .client
        .post(app.url(&format!("/v1/messages?key={secret}")))
        .header("authorization", format!("Bearer {secret}"))
        .header("x-api-key", secret)
        .header("cookie", format!("plumbline_session={secret}; a={secret}"))
        .header("x-plumbline-run", run)
        .header("x-plumbline-step", format!("with {secret}"))
        .header("x-plumbline-session", secret)
        .body(format!("{{\"model\":\"m\",\"metadata\":\"{secret}\"}}"));
    let (answer, head) = tokio::join!(call.send(), async {
        let arrived = upstream.next().await;
        let head = arrived.head.clone();
        let error = format!(
            r#"{{"type":"error","error":{{"type":"authentication_error","message":"Incorrect API key provided: {secret}."}}}}"#
        );
        arrived.json("401 Unauthorized", &error).await;
        head
    });
    assert!(
        head.contains(secret) && !head.contains("plumbline_session"),
        "{head}"
    );
    // What passes is not touched.
    assert!(answer.unwrap().text().await.unwrap().contains(secret));
}

/// All files below a folder in one.
pub(crate) fn files(folder: &Path) -> Vec<u8> {
    let entries = std::fs::read_dir(folder).unwrap().flatten();
    entries
        .flat_map(|entry| match entry.file_type().unwrap().is_dir() {
            true => files(&entry.path()),
            false => std::fs::read(entry.path()).unwrap(),
        })
        .collect()
}

pub(crate) fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_secret_is_kept() {
    watch_the_log();
    let secret = format!("{MARK}51b2");
    let (app, mut upstream) = proxied().await;
    call(&app, &mut upstream, "r", &secret).await;
    let step = recorded(&app, "r").await;
    assert_eq!(step["error_class"], "authentication_error");
    assert_eq!(step["error"], "Incorrect API key provided: [hidden key].");
    assert_eq!(step["name"], "with [hidden key]");
    let id = step["step_id"].as_str().unwrap();
    let texts = app.get(&format!("/api/runs/r/steps/{id}/payload")).await.1;
    assert_eq!(texts["input"], r#"{"model":"m","metadata":"[hidden key]"}"#);
    let run = app.get("/api/runs/r").await.1;
    let books = app.get("/api/ledger").await.1;
    let said = format!("{step}{texts}{run}{books}");
    assert!(!said.contains(&secret), "{said}");

    let label = app
        .client
        .post(app.url("/v1/messages"))
        .header("x-plumbline-key", &secret)
        .body("{}");
    assert_eq!(label.send().await.unwrap().status(), 401);
    let books = app.get("/api/ledger").await.1;
    assert!(!books.to_string().contains(&secret), "{books}");
    assert_eq!(logged(&secret), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_secret_is_spooled() {
    watch_the_log();
    let secret = format!("{MARK}77e0");
    let (app, mut upstream) = proxied().await;
    call(&app, &mut upstream, "before", "sk-other-77e0").await;
    recorded(&app, "before").await;
    // From here on the database is away.
    app.state.db.close().await;
    call(&app, &mut upstream, "run-of-the-spool", &secret).await;
    app.state.recorder.settled().await;
    let kept = files(&app.data);
    assert!(holds(&kept, "run-of-the-spool"), "nothing is in the spool");
    assert!(!holds(&kept, &secret), "the spool holds a key");
    assert_eq!(logged(&secret), Vec::<String>::new());
    // The watch sees what is logged.
    tracing::warn!("{MARK}is-watched");
    assert_eq!(logged("is-watched").len(), 1);
}

/// What is cut would hide half of a key from those who look for a whole one.
#[tokio::test(flavor = "multi_thread")]
async fn half_a_secret_is_not_kept_either() {
    let secret = format!("{MARK}0123456789abcdef-0123456789abcdef");
    let (app, mut upstream) = proxied().await;
    let filler = |bytes: usize| "x".repeat(bytes);
    // Errors that are no JSON are kept up to byte 16,384, words up to byte 512.
    let halves = (16_384 - 20, 512 - 20);
    let bodies = [
        filler(halves.0) + &secret + &filler(100_000),
        // Each that is hidden in front moves what follows.
        secret.repeat(100) + &filler(16_404 - 100 * secret.len()) + &secret + &filler(100_000),
        filler(halves.0) + &secret,
    ];
    for (nth, body) in bodies.iter().enumerate() {
        let run = format!("r{nth}");
        let call = app
            .client
            .post(app.url("/v1/messages"))
            .header("x-api-key", &secret)
            .header("x-plumbline-run", &run)
            .header("x-plumbline-session", filler(halves.1) + &secret)
            .body("{}");
        let read = async { call.send().await.unwrap().bytes().await.unwrap() };
        let (answer, ()) = tokio::join!(read, async {
            let answer = format!(
                "HTTP/1.1 502 Bad Gateway\r\ncontent-length: {}\r\nrequest-id: {}{secret}\r\n\r\n{body}",
                body.len(),
                filler(halves.1),
            );
            upstream.next().await.send(answer).await;
        });
        assert_eq!(answer.len(), body.len());
        let step = recorded(&app, &run).await;
        let id = step["step_id"].as_str().unwrap();
        let texts = app.get(&format!("/api/runs/{run}/steps/{id}/payload")).await.1;
        let session = app.get(&format!("/api/runs/{run}")).await.1["run"]["session_id"].clone();
        let said = format!("{step}{texts}{session}");
        assert!(said.contains("[hidden key]"), "{nth}: {said}");
        assert!(!said.contains(&MARK[..4]), "{nth}: {said}");
        let error = texts["attributes"]["error"].as_str().unwrap();
        assert!(
            error.len() <= 16_384 && error.len() > 8_000,
            "{nth}: {}",
            error.len()
        );
    }
}

//! A receiver of alerts: keeps what it got, and answers as it is told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Response};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::timeout;

const TIMEOUT: Duration = Duration::from_secs(40);

/// A call that came.
#[derive(Clone, Debug)]
pub(crate) struct Got {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Got {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap().to_str().unwrap()
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
    /// How long it takes.
    pub(crate) after: Duration,
}

pub(crate) fn planned(status: u16, body: &str) -> Planned {
    Planned {
        status,
        headers: Vec::new(),
        body: body.to_owned(),
        after: Duration::ZERO,
    }
}

#[derive(Clone)]
struct Inner {
    answers: Arc<Mutex<VecDeque<Planned>>>,
    got: mpsc::Sender<Got>,
}

pub(crate) struct Receiver {
    pub(crate) origin: String,
    got: mpsc::Receiver<Got>,
}

impl Receiver {
    /// Answers these, one after the other, and `200 ok` after them.
    pub(crate) async fn answering(answers: Vec<Planned>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(listener, answers)
    }

    pub(crate) fn on(listener: tokio::net::TcpListener, answers: Vec<Planned>) -> Self {
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let answers = Arc::new(Mutex::new(VecDeque::from(answers)));
        let (sender, got) = mpsc::channel(1_000);
        let inner = Inner { answers, got: sender };
        let router = Router::new().fallback(take).with_state(inner);
        tokio_util::task::TaskTracker::new().spawn(async move { axum::serve(listener, router).await });
        Self { origin, got }
    }

    /// The next call.
    pub(crate) async fn next(&mut self) -> Got {
        timeout(TIMEOUT, self.got.recv())
            .await
            .unwrap_or_else(|_| panic!("nothing came"))
            .unwrap()
    }

    /// Calls that came and were not looked at.
    pub(crate) fn rest(&mut self) -> Vec<Got> {
        let mut rest = Vec::new();
        while let Ok(got) = self.got.try_recv() {
            rest.push(got);
        }
        rest
    }
}

async fn take(State(inner): State<Inner>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 2_000_000).await.unwrap();
    let got = Got {
        path: parts.uri.path().to_owned(),
        headers: parts.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    };
    inner.got.send(got).await.ok();
    let answer = inner.answers.lock().unwrap().pop_front();
    let answer = answer.unwrap_or_else(|| planned(200, "ok"));
    tokio::time::sleep(answer.after).await;
    let mut response = Response::builder().status(answer.status);
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    response.body(Body::from(answer.body)).unwrap()
}

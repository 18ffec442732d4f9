//! A server elsewhere, read through its API.

use std::time::Duration;

use axum::http::header::{ACCEPT, AUTHORIZATION, LOCATION, USER_AGENT};
use axum::http::{HeaderValue, Request, Response};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::time::timeout;

use super::{OnPart, answered, pour};
use crate::cli::Exit;
use crate::config::ReadKey;
use crate::tls;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A page has 15 seconds; an answer that waits its turn somewhat more.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// The largest answer: 20,000 steps with long errors stay far below it.
const MAX_ANSWER_BYTES: usize = 256 * 1024 * 1024;

/// A server and how to be known there. Cheap to clone.
#[derive(Clone)]
pub(in crate::cli) struct Remote {
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    address: String,
    authorization: Option<HeaderValue>,
    project: Option<String>,
}

impl Remote {
    pub(super) fn new(address: &str, key: Option<&ReadKey>, project: Option<String>) -> Result<Self, Exit> {
        let authorization = key
            .map(|key| {
                let mut value = HeaderValue::from_str(&format!("Bearer {}", key.secret()))
                    .map_err(|_unprintable| Exit::Usage("the key is none: it has other characters".into()))?;
                value.set_sensitive(true);
                Ok::<_, Exit>(value)
            })
            .transpose()?;
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(tls::client_config()?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            address: address.to_owned(),
            authorization,
            project,
        })
    }

    pub(super) async fn get(&self, target: &str) -> Result<Value, Exit> {
        let answer = async {
            let response = self.send(target, "application/json").await?;
            let status = response.status();
            if status.is_redirection() {
                let to = response.headers().get(LOCATION);
                let to = to.and_then(|to| to.to_str().ok()).unwrap_or("elsewhere");
                return Err(Exit::Failed(anyhow::anyhow!(
                    "{} leads to {to}; say where the server is",
                    self.address
                )));
            }
            let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES);
            let body = body.collect().await.map_err(|cause| {
                Exit::Failed(anyhow::anyhow!(
                    "the answer of {} ended early: {cause}",
                    self.address
                ))
            })?;
            answered(status, &body.to_bytes())
        };
        timeout(ANSWER_TIMEOUT, answer).await.map_err(|_elapsed| {
            let seconds = ANSWER_TIMEOUT.as_secs();
            Exit::Failed(anyhow::anyhow!(
                "{} has not answered within {seconds} s",
                self.address
            ))
        })?
    }

    /// The answer at `path`, a part at a time.
    pub(super) async fn pour(&self, path: &str, each: OnPart<'_>) -> Result<(), Exit> {
        let sent = timeout(ANSWER_TIMEOUT, self.send(path, "application/x-ndjson")).await;
        let response = sent.map_err(|_elapsed| {
            let seconds = ANSWER_TIMEOUT.as_secs();
            Exit::Failed(anyhow::anyhow!(
                "{} has not answered within {seconds} s",
                self.address
            ))
        })??;
        let status = response.status();
        if status.is_success() {
            return pour(response.into_body(), each).await;
        }
        let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES);
        let body = body.collect().await.map_err(|cause| {
            Exit::Failed(anyhow::anyhow!(
                "the answer of {} ended early: {cause}",
                self.address
            ))
        })?;
        answered(status, &body.to_bytes()).map(drop)
    }

    /// Sends a request and waits for the head of its answer.
    pub(super) async fn send(&self, target: &str, accept: &'static str) -> Result<Response<Incoming>, Exit> {
        let mut uri = format!("{}{target}", self.address);
        if let Some(project) = &self.project {
            uri.push(if target.contains('?') { '&' } else { '?' });
            uri.push_str(&domain::filter::encode_query([("project", project.as_str())]));
        }
        let mut request = Request::get(uri)
            .header(ACCEPT, accept)
            .header(USER_AGENT, concat!("plumbline/", env!("CARGO_PKG_VERSION")));
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let sent = self.client.request(request.body(Empty::new())?).await;
        sent.map_err(|cause| {
            let address = &self.address;
            Exit::Failed(anyhow::Error::new(cause).context(format!("no answer from {address}")))
        })
    }

    pub(super) fn project(&self) -> &str {
        self.project.as_deref().unwrap_or("default")
    }

    pub(super) fn pages(&self) -> String {
        format!("{}/p/{}", self.address, self.project())
    }
}

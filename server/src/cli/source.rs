//! Where commands read: the local database, or a server elsewhere. Both answer the requests of the API, so that a
//! command is written once and says what the API says.

mod events;
mod local;
mod remote;

use axum::body::HttpBody;
use axum::http::StatusCode;
use bytes::Bytes;
use domain::filter::encode_query;
use http_body_util::BodyExt as _;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Exit, output};
use crate::config::{Config, LocalFlags, SourceFlags};
use events::RemoteChanges;
pub(super) use events::{Change, Changes};
use local::Local;
use remote::Remote;

/// Answers the reads of the API.
pub(super) enum Source {
    /// The database itself, of one project.
    Local(Local),
    /// A server.
    Remote(Remote),
}

/// Parameters of a read. Those without a value are left out.
pub(super) type Pairs<'a> = Vec<(&'a str, String)>;

/// Takes the parts of an answer as they come.
type OnPart<'a> = &'a mut dyn FnMut(&[u8]) -> Result<(), Exit>;

/// Does `work` with what is to be read.
pub(super) async fn with_source<T>(
    config: &Config,
    flags: &SourceFlags,
    work: impl AsyncFnOnce(&Source) -> Result<T, Exit>,
) -> Result<T, Exit> {
    let Some(address) = flags.url.as_ref().and_then(|url| url.address()) else {
        return Box::pin(local::with_local(config, flags.project.as_deref(), work)).await;
    };
    let key = flags.key.as_ref().filter(|key| !key.secret().is_empty());
    if key.is_some() && flags.url.as_ref().is_some_and(|url| url.is_in_the_clear()) {
        output::note("warning: the key is sent over http and can be read on the way; use https");
    }
    let remote = Remote::new(address, key, flags.project.clone())?;
    Box::pin(work(&Source::Remote(remote))).await
}

/// Refuses where a command that reads the local database alone is told of a server elsewhere.
pub(super) fn require_local(flags: &LocalFlags) -> Result<(), Exit> {
    flags.elsewhere().map_or(Ok(()), |address| {
        Err(Exit::Usage(format!(
            "this command reads the local database alone, and PLUMBLINE_URL or --url says {address}; unset it, or run the \
             command there"
        )))
    })
}

impl Source {
    /// What the API answers at `path` with the parameters `pairs`.
    pub(super) async fn value(&self, path: &str, pairs: &Pairs<'_>) -> Result<Value, Exit> {
        let query = encode_query(pairs.iter().map(|(name, value)| (*name, value.as_str())));
        let target = if query.is_empty() {
            path.to_owned()
        } else {
            format!("{path}?{query}")
        };
        match self {
            Self::Local(local) => local.get(&target).await,
            Self::Remote(remote) => remote.get(&target).await,
        }
    }

    /// The same, read as what it is.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str, pairs: &Pairs<'_>) -> Result<T, Exit> {
        read(self.value(path, pairs).await?)
    }

    /// What the API answers at `path`, a part at a time, however long it is.
    pub(super) async fn pour(&self, path: &str, each: OnPart<'_>) -> Result<(), Exit> {
        match self {
            Self::Local(local) => local.pour(path, each).await,
            Self::Remote(remote) => remote.pour(path, each).await,
        }
    }

    /// Hears of the runs that change from now on.
    pub(super) async fn changes(&self) -> Result<Changes, Exit> {
        match self {
            Self::Local(local) => local.changes().await,
            Self::Remote(remote) => Ok(Changes::Remote(RemoteChanges::connect(remote.clone()).await?)),
        }
    }

    /// The slug of the project, as far as it is known: a key knows its own.
    pub(super) fn project(&self) -> &str {
        match self {
            Self::Local(local) => local.project(),
            Self::Remote(remote) => remote.project(),
        }
    }

    /// Where the pages of the project are.
    pub(super) fn pages(&self) -> String {
        match self {
            Self::Local(local) => local.pages(),
            Self::Remote(remote) => remote.pages(),
        }
    }
}

/// An answer as what it is.
pub(super) fn read<T: DeserializeOwned>(answer: Value) -> Result<T, Exit> {
    serde_path_to_error::deserialize(answer).map_err(|cause| {
        Exit::Failed(anyhow::anyhow!(
            "the answer cannot be read; is the server of this version? {cause}"
        ))
    })
}

async fn pour<B>(body: B, each: OnPart<'_>) -> Result<(), Exit>
where
    B: HttpBody<Data = Bytes>,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    let mut body = std::pin::pin!(body);
    while let Some(frame) = body.frame().await {
        let frame = frame
            .map_err(|cause| Exit::Failed(anyhow::Error::new(cause).context("the answer ended early")))?;
        if let Some(part) = frame.data_ref() {
            each(part)?;
        }
    }
    Ok(())
}

/// The body of an answer, or why there is none.
fn answered(status: StatusCode, body: &[u8]) -> Result<Value, Exit> {
    #[derive(Deserialize)]
    struct Refusal {
        error: RefusalDetails,
    }
    #[derive(Deserialize)]
    struct RefusalDetails {
        message: String,
        request_id: Option<String>,
    }
    if status.is_success() {
        return serde_json::from_slice(body).map_err(|_not_json| {
            Exit::Failed(anyhow::anyhow!("the answer is no JSON; is Plumbline there?"))
        });
    }
    let Ok(Refusal { error }) = serde_json::from_slice::<Refusal>(body) else {
        return Err(Exit::Failed(anyhow::anyhow!(
            "the answer is {status}; is Plumbline there?"
        )));
    };
    let message = error.message;
    Err(match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Exit::NotAuthorised(message),
        StatusCode::NOT_FOUND => Exit::NotFound(message),
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => Exit::Usage(message),
        _ => {
            let id = error.request_id.filter(|id| !id.is_empty());
            let id = id.map(|id| format!(" (request {id})")).unwrap_or_default();
            Exit::Failed(anyhow::anyhow!("{message}{id}"))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_end_with_the_code_that_fits() {
        let refusal = br#"{"error":{"code":"x","message":"no such run","request_id":"r1"}}"#;
        let check = |status: u16, body: &[u8], expected: &str| {
            let answer = answered(StatusCode::from_u16(status).unwrap(), body);
            let said = format!("{answer:?}");
            assert!(said.contains(expected), "{status}: {said}");
        };
        check(200, b"{\"a\":1}", "Ok(Object {\"a\": Number(1)})");
        check(200, b"<html>", "Failed(the answer is no JSON");
        check(400, refusal, "Usage(\"no such run\")");
        check(401, refusal, "NotAuthorised(\"no such run\")");
        check(403, refusal, "NotAuthorised(");
        check(404, refusal, "NotFound(\"no such run\")");
        check(503, refusal, "Failed(no such run (request r1)");
        check(404, b"<html>", "Failed(the answer is 404");
    }
}

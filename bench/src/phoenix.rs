//! Arize Phoenix, measured beside us where `scripts/peers` has installed it: as it is installed, on SQLite.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use crate::memory_mb;
use crate::peers::free_address;

/// Where it is, below the folder of peers. An environment of its own: it and LiteLLM want other versions of the same.
const PROGRAM: &str = "phoenix/bin/phoenix";
/// It counts as having written everything when nothing came for so long.
const QUIET: Duration = Duration::from_secs(10);

/// A Phoenix that runs until it is dropped.
#[derive(Debug)]
pub struct Phoenix {
    child: Child,
    folder: PathBuf,
    /// `http://127.0.0.1:41234`.
    pub origin: String,
}

/// How many spans it had written, and when the last of them came.
#[derive(Clone, Copy, Debug)]
pub struct Written {
    pub spans: u64,
    pub last: Instant,
}

impl Drop for Phoenix {
    fn drop(&mut self) {
        if self.child.kill().is_ok() {
            let _status = self.child.wait();
        }
        let _left_behind = std::fs::remove_dir_all(&self.folder);
    }
}

impl Phoenix {
    /// Starts it with a new database below `parent`; `None` where it is not installed in `peers`.
    pub fn start(peers: &Path, parent: &Path) -> anyhow::Result<Option<Self>> {
        let program = std::path::absolute(peers.join(PROGRAM))?;
        if !program.exists() {
            return Ok(None);
        }
        let (http, grpc) = (free_address()?, free_address()?);
        let folder = std::path::absolute(parent.join(format!("phoenix-bench-{}", std::process::id())))?;
        std::fs::create_dir_all(&folder)?;
        let child = Command::new(program)
            .arg("serve")
            .env("PHOENIX_HOST", "127.0.0.1")
            .env("PHOENIX_PORT", http.port().to_string())
            .env("PHOENIX_GRPC_PORT", grpc.port().to_string())
            .env("PHOENIX_WORKING_DIR", &folder)
            .env("PHOENIX_TELEMETRY_ENABLED", "false")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let mut phoenix = Self {
            child,
            folder,
            origin: format!("http://{http}"),
        };
        let client = reqwest::blocking::Client::new();
        let begun = Instant::now();
        loop {
            let answer = client.get(format!("{}/readyz", phoenix.origin)).send();
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(Some(phoenix));
            }
            if let Some(status) = phoenix.child.try_wait()? {
                bail!("Phoenix ended with {status}");
            }
            if begun.elapsed() > Duration::from_secs(180) {
                bail!("Phoenix was not ready within 180 s");
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Resident memory and its peak, in MB.
    pub fn memory_mb(&self) -> (f64, f64) {
        memory_mb(self.child.id())
    }

    /// Waits until all `accepted` spans are in its database, or nothing has come for some seconds: it answers first and
    /// writes afterwards.
    pub async fn written(&self, accepted: u64) -> anyhow::Result<Written> {
        let client = reqwest::Client::new();
        let mut written = Written {
            spans: 0,
            last: Instant::now(),
        };
        while written.spans < accepted && written.last.elapsed() < QUIET {
            let spans = self.count(&client).await?;
            if spans > written.spans {
                written = Written {
                    spans,
                    last: Instant::now(),
                };
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        Ok(written)
    }

    async fn count(&self, client: &reqwest::Client) -> anyhow::Result<u64> {
        let question = json!({ "query": "{ projects { edges { node { recordCount } } } }" });
        let answer = client
            .post(format!("{}/graphql", self.origin))
            .header("content-type", "application/json")
            .body(question.to_string())
            .send()
            .await?;
        let answer: Value = answer.json().await?;
        let projects = answer["data"]["projects"]["edges"]
            .as_array()
            .with_context(|| format!("Phoenix did not count its spans: {answer}"))?;
        Ok(projects
            .iter()
            .filter_map(|project| project["node"]["recordCount"].as_u64())
            .sum())
    }
}

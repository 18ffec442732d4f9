//! Other gateways, measured beside us where `scripts/peers` has installed them.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use crate::load::Target;

/// A gateway that runs until it is dropped.
#[derive(Debug)]
pub struct Peer {
    child: Child,
    /// How to call it.
    pub target: Target,
}

impl Drop for Peer {
    fn drop(&mut self) {
        // What is gone already cannot be stopped, which is just as well.
        if self.child.kill().is_ok() {
            let _status = self.child.wait();
        }
    }
}

/// Starts those of `folder` that are installed, in front of `upstream`; says of the others that they are not.
pub fn start(folder: &Path, upstream: SocketAddr) -> anyhow::Result<(Vec<Peer>, Vec<String>)> {
    let mut running = Vec::new();
    let mut notes = Vec::new();
    for (name, program, begin) in [
        (
            "LiteLLM",
            "bin/litellm",
            litellm as fn(PathBuf, SocketAddr) -> anyhow::Result<Peer>,
        ),
        (
            "Portkey",
            "node_modules/@portkey-ai/gateway/build/start-server.js",
            portkey,
        ),
    ] {
        let program = std::path::absolute(folder.join(program))?;
        if program.exists() {
            running.push(begin(program, upstream).with_context(|| format!("{name} did not start"))?);
        } else {
            notes.push(format!(
                "{name} is not installed in {} and was left out; scripts/peers installs it",
                folder.display()
            ));
        }
    }
    Ok((running, notes))
}

/// One worker, as on a machine that it shares with everything else; logs nothing, stores nothing.
fn litellm(program: PathBuf, upstream: SocketAddr) -> anyhow::Result<Peer> {
    let address = free_address()?;
    let config = program.with_file_name("litellm-bench.yaml");
    let model = "gpt-4o-mini";
    std::fs::write(
        &config,
        format!(
            "model_list:\n  - model_name: {model}\n    litellm_params:\n      model: openai/{model}\n      api_base: http://{upstream}/v1\n      api_key: sk-bench\n"
        ),
    )?;
    let mut command = Command::new(program);
    command
        .args(["--config".as_ref(), config.as_os_str()])
        .args([
            "--host",
            "127.0.0.1",
            "--num_workers",
            "1",
            "--telemetry",
            "False",
        ])
        .args(["--port", &address.port().to_string()])
        // Its list of prices comes with it; nothing is fetched.
        .env("LITELLM_LOCAL_MODEL_COST_MAP", "True")
        // On loopback, for some minutes, with nothing behind it.
        .env("LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY", "true")
        .env("LITELLM_LOG", "ERROR");
    begin("LiteLLM", command, address, "/health/liveliness", String::new())
}

fn portkey(program: PathBuf, upstream: SocketAddr) -> anyhow::Result<Peer> {
    let address = free_address()?;
    let mut command = Command::new("node");
    command
        .arg(program)
        .arg(format!("--port={}", address.port()))
        .arg("--headless")
        .env("NODE_ENV", "production");
    let headers = format!("x-portkey-provider: openai\r\nx-portkey-custom-host: http://{upstream}/v1\r\n");
    begin("Portkey", command, address, "/", headers)
}

fn begin(
    name: &'static str,
    mut command: Command,
    address: SocketAddr,
    ready: &str,
    headers: String,
) -> anyhow::Result<Peer> {
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let mut peer = Peer {
        child,
        target: Target {
            name,
            address,
            headers,
        },
    };
    let client = reqwest::blocking::Client::new();
    let begun = Instant::now();
    loop {
        let answer = client.get(format!("http://{address}{ready}")).send();
        if answer.is_ok_and(|answer| answer.status().is_success()) {
            return Ok(peer);
        }
        if let Some(status) = peer.child.try_wait()? {
            bail!("it ended with {status}");
        }
        if begun.elapsed() > Duration::from_secs(120) {
            bail!("it was not ready within 120 s");
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// An address that is not in use.
pub fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

//! What the benchmark programs share: the real binary on a folder of its own, and what the kernel says of it.

pub mod alert_receiver;
pub mod http1;
pub mod load;
pub mod peers;
pub mod upstream;

pub mod ingest_load;
pub mod otlp_load;
pub mod phoenix;
pub mod stored;
pub mod volume;

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

/// A running `plumbline serve` on a fresh folder, stopped and removed when dropped.
#[derive(Debug)]
pub struct Server {
    binary: PathBuf,
    child: Child,
    folder: PathBuf,
    is_kept: bool,
    /// Where it listens: `http://127.0.0.1:41234`.
    pub origin: String,
    /// Time from start to the first answer of `/readyz`.
    pub started_in: Duration,
}

impl Server {
    /// Starts `binary` on a folder below `parent` and waits until it is ready.
    pub fn start(binary: &Path, parent: &Path) -> anyhow::Result<Self> {
        Self::start_with(binary, parent, &[])
    }

    /// The same with more in its environment.
    pub fn start_with(binary: &Path, parent: &Path, environment: &[(&str, &str)]) -> anyhow::Result<Self> {
        let folder = parent.join(format!("plumbline-bench-{}", std::process::id()));
        Self::start_in(binary, folder, environment, false)
    }

    /// The same on a folder that is there, and stays, when `is_kept`.
    pub fn start_in(
        binary: &Path,
        folder: PathBuf,
        environment: &[(&str, &str)],
        is_kept: bool,
    ) -> anyhow::Result<Self> {
        // The server runs in a folder of its own, from where a relative path would lead elsewhere.
        let binary = std::path::absolute(binary)?;
        let folder = std::path::absolute(folder)?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        std::fs::create_dir_all(&folder)?;
        let log = std::fs::File::create(folder.join("server.log"))?;
        let begun = Instant::now();
        let child = Command::new(&binary)
            .arg("serve")
            .current_dir(&folder)
            .env("PLUMBLINE_ADDR", format!("127.0.0.1:{port}"))
            .env("PLUMBLINE_DATA", folder.join("data"))
            .env("PLUMBLINE_LOG", "warn")
            .env_remove("DATABASE_URL")
            .envs(environment.iter().copied())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .with_context(|| {
                format!(
                    "{} could not be started; `make release` builds it",
                    binary.display()
                )
            })?;
        let mut server = Self {
            binary,
            child,
            folder,
            is_kept,
            origin: format!("http://127.0.0.1:{port}"),
            started_in: Duration::ZERO,
        };
        let client = reqwest::blocking::Client::new();
        loop {
            if client
                .get(format!("{}/readyz", server.origin))
                .send()
                .is_ok_and(|answer| answer.status().is_success())
            {
                server.started_in = begun.elapsed();
                return Ok(server);
            }
            if let Some(status) = server.child.try_wait()? {
                bail!(
                    "the server ended with {status}: {}",
                    std::fs::read_to_string(server.folder.join("server.log"))?
                );
            }
            if begun.elapsed() > Duration::from_secs(60) {
                bail!("the server was not ready within 60 s");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What another command of the binary prints, on the same data.
    pub fn run(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let done = Command::new(&self.binary)
            .args(arguments)
            .current_dir(&self.folder)
            .env("PLUMBLINE_DATA", self.folder.join("data"))
            .env_remove("DATABASE_URL")
            .output()?;
        if !done.status.success() {
            bail!("{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
        }
        Ok(String::from_utf8(done.stdout)?)
    }

    /// Resident memory of the server process and its peak, in MB (10⁶ bytes).
    pub fn memory_mb(&self) -> (f64, f64) {
        memory_mb(self.child.id())
    }
}

/// Resident memory of a process and its peak, in MB (10⁶ bytes).
pub fn memory_mb(process_id: u32) -> (f64, f64) {
    let status = std::fs::read_to_string(format!("/proc/{process_id}/status")).unwrap_or_default();
    let kib = |name: &str| {
        let line = status
            .lines()
            .find(|line| line.starts_with(name))
            .unwrap_or_default();
        line.split_whitespace()
            .nth(1)
            .and_then(|n| n.parse::<f64>().ok())
            .unwrap_or(f64::NAN)
    };
    (kib("VmRSS:") * 1_024.0 / 1e6, kib("VmHWM:") * 1_024.0 / 1e6)
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGTERM, so that the database stops with it.
        let asked = Command::new("kill").arg(self.child.id().to_string()).status();
        if asked.is_err() || self.child.wait().is_err() {
            return;
        }
        if self.is_kept {
            return;
        }
        let _left_behind = std::fs::remove_dir_all(&self.folder);
    }
}

/// The machine, in one line for below a table.
pub fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .unwrap_or(": unknown");
    let cores = cpu.matches("processor\t").count();
    let memory = read("/proc/meminfo");
    let kib: f64 = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|n| n.parse().ok())
        .unwrap_or(f64::NAN);
    let model = model.trim_start_matches([':', '\t', ' ']);
    format!(
        "{cores} cores ({model}), {:.0} GiB memory, client, server and Postgres on the same machine, fsync on",
        kib / 1_048_576.0
    )
}

/// Whether the kernel shares the processor between sessions before it does between their threads, as it does for what a
/// shell starts and not for services and containers. Each connection's process of Postgres is a session, and so gets as
/// much as everything else of a benchmark together.
pub fn sessions_share_the_processor() -> bool {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let groups = read("/proc/self/cgroup");
    let of_processor = |line: &&str| {
        line.split(':')
            .nth(1)
            .is_some_and(|names| names.split(',').any(|name| name == "cpu"))
    };
    // With version 2 of control groups there is one line, for everything.
    let own = groups
        .lines()
        .find(of_processor)
        .or_else(|| groups.lines().find(|line| line.starts_with("0::")));
    read("/proc/sys/kernel/sched_autogroup_enabled").trim() == "1"
        && own.is_none_or(|line| line.ends_with(":/"))
}

/// The value below which `share` of the sorted values lie.
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = ((sorted.len() as f64 - 1.0) * share).round() as usize;
    sorted.get(place).copied().unwrap_or(f64::NAN)
}

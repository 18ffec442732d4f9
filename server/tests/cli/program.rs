//! A folder to run `plumbline` in, and what came of it.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

const TIMEOUT: Duration = Duration::from_secs(60);
/// Commands that may read from a server elsewhere, and those that refuse to where they are told of one.
const READING: &str = "stats runs tail deploys report export forecast incidents anomalies correlate explain watch analyze \
                       sync-deploys jobs audit mcp";
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// What a command said and ended with.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Output {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|cause| panic!("{cause}: {self:?}"))
    }

    /// A line of `doctor --json`.
    pub(crate) fn check(&self, name: &str) -> serde_json::Value {
        let report = self.json();
        let found = report["checks"]
            .as_array()
            .unwrap()
            .iter()
            .find(|check| check["name"] == name);
        found
            .unwrap_or_else(|| panic!("no check {name}: {report:#}"))
            .clone()
    }
}

/// A working folder with the data folder `data` in it. No Postgres outlives it.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("plumbline-cli-{}-{number}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.run_with(arguments, &[])
    }

    pub(crate) fn run_with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
        let mut command = self.command(arguments);
        command.envs(environment.iter().copied());
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        finish(command.spawn().unwrap())
    }

    /// Starts a command that goes on; its output is read as it comes.
    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        let mut command = self.command(arguments);
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Running::of(child)
    }

    /// Runs a command whose output nobody reads after its first bytes; returns its exit code and what it says beside.
    pub(crate) fn head(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let mut command = self.command(arguments);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = child.stdout.take().unwrap();
        stdout.read_exact(&mut [0; 16]).unwrap();
        drop(stdout);
        let output = child.wait_with_output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    }

    /// Runs a command with `input` on its stdin.
    pub(crate) fn run_reading(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = self.command(arguments);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        finish(child)
    }

    /// Starts a server on a port of its own, unless the arguments name one, and waits until it answers.
    pub(crate) fn serve(&self, arguments: &[&str]) -> Server {
        let own_port = ["--addr", "127.0.0.1:0"];
        let arguments = if arguments.contains(&"--addr") {
            arguments
        } else {
            &own_port
        };
        let mut server = self.start_serving(arguments, &[]);
        server.wait_until_ready();
        server
    }

    /// Starts a server and doesn't wait.
    pub(crate) fn start_serving(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Server {
        let mut command = self.command(arguments);
        command.arg("serve").envs(environment.iter().copied());
        self.start_server(command)
    }

    /// Starts this command, which is to be a server.
    pub(crate) fn start_server(&self, mut command: Command) -> Server {
        let log_path = self.0.join("server.log");
        let log = File::create(&log_path).unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        Server {
            child,
            log_path,
            addr: None,
        }
    }

    /// Fails when a Postgres still runs on the data folder, or did not end properly.
    pub(crate) fn assert_no_postgres(&self) {
        let pid_file = self.0.join("data/postgres/postmaster.pid");
        assert!(!pid_file.exists(), "Postgres runs on, or was killed");
    }

    /// A command that is not started yet.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_plumbline"));
        // Nothing of the developer's own configuration reaches the tests.
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            if name.starts_with("PLUMBLINE_") || name == "DATABASE_URL" {
                command.env_remove(name);
            }
        }
        command
            .args(arguments)
            .current_dir(&self.0)
            .env("PLUMBLINE_DATA", self.0.join("data"));
        // These two belong to commands that read, and must not disturb others.
        let reads = |word: &&str| READING.split_whitespace().any(|verb| verb == *word);
        if !arguments.iter().any(reads) {
            command
                .env("PLUMBLINE_URL", "https://elsewhere.example.com")
                .env("PLUMBLINE_KEY", "pl_live_0");
        }
        command.env_remove("COLUMNS").env_remove("NO_COLOR");
        command
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let pid_file = self.0.join("data/postgres/postmaster.pid");
        if let Some(pid) = std::fs::read_to_string(pid_file)
            .ok()
            .and_then(|text| Some(text.lines().next()?.to_owned()))
        {
            send("-QUIT", &pid);
        }
        std::fs::remove_dir_all(&self.0).ok();
    }
}

/// A command that goes on.
pub(crate) struct Running {
    child: Child,
    lines: std::sync::mpsc::Receiver<String>,
}

impl Running {
    fn of(mut child: Child) -> Self {
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    /// The next line of its output that has `part` in it.
    pub(crate) fn line_with(&self, part: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(TIMEOUT);
            let line = line.unwrap_or_else(|cause| panic!("no line with {part}: {cause}"));
            if line.contains(part) {
                return line;
            }
        }
    }

    /// A line of its output, if one came within a moment.
    pub(crate) fn try_line(&self) -> Option<String> {
        self.lines.recv_timeout(POLL_INTERVAL).ok()
    }

    /// As Ctrl-C; returns the exit code.
    pub(crate) fn interrupt(mut self) -> Option<i32> {
        send("-INT", &self.child.id().to_string());
        self.wait()
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

pub(crate) fn finish(child: Child) -> Output {
    let output = child.wait_with_output().unwrap();
    Output {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn send(signal: &str, pid: &str) {
    Command::new("kill").args([signal, pid]).output().unwrap();
}

/// A running `plumbline serve`.
pub(crate) struct Server {
    child: Child,
    log_path: PathBuf,
    addr: Option<SocketAddr>,
}

impl Server {
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log_path).unwrap()
    }

    /// Whether it still answers.
    pub(crate) fn answers(&self) -> bool {
        self.addr
            .is_some_and(|addr| get(addr, "/healthz").is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")))
    }

    /// What it answers to a program.
    pub(crate) fn json(&self, path: &str) -> serde_json::Value {
        let answer = get(self.addr.unwrap(), path).unwrap();
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        serde_json::from_str(body).unwrap_or_else(|cause| panic!("{path}: {cause}: {answer}"))
    }

    /// Where it is: `http://127.0.0.1:40123`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr.unwrap())
    }

    /// Sends a step.
    pub(crate) fn ingest(&self, path: &str, body: &serde_json::Value, key: Option<&str>) -> String {
        let addr = self.addr.unwrap();
        let mut stream = TcpStream::connect_timeout(&addr, Duration::from_secs(5)).unwrap();
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
        let body = body.to_string();
        let key = key.map(|key| format!("authorization: Bearer {key}\r\n"));
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\ncontent-type: application/json\r\n\
             {}content-length: {}\r\n\r\n{body}",
            key.unwrap_or_default(),
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        answer
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Posts a form as a proxy does for somebody at `address`; returns the answer.
    pub(crate) fn post_from(&self, address: &str, path: &str, form: &str) -> String {
        let addr = self.addr.unwrap();
        let mut stream = TcpStream::connect_timeout(&addr, Duration::from_secs(5)).unwrap();
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nhost: {addr}\r\nx-forwarded-for: {address}\r\nconnection: close\r\n\
             content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{form}",
            form.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Opens an event stream, which goes on until the result is dropped, and waits for its first event.
    pub(crate) fn open_stream(&self, path: &str) -> TcpStream {
        let addr = self.addr.unwrap();
        let mut stream = TcpStream::connect_timeout(&addr, Duration::from_secs(5)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: {addr}\r\n\r\n").unwrap();
        let (mut read, mut bytes) = (String::new(), [0; 1_024]);
        while !read.contains("event: ") {
            let n = stream.read(&mut bytes).unwrap();
            assert!(n > 0, "no events on {path}: {read}");
            read.push_str(&String::from_utf8_lossy(&bytes[..n]));
        }
        stream
    }

    /// As a supervisor does it; returns the exit code.
    pub(crate) fn stop(&mut self) -> Option<i32> {
        send("-TERM", &self.child.id().to_string());
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(begun.elapsed() < TIMEOUT, "it does not stop: {}", self.log());
            std::thread::sleep(POLL_INTERVAL);
        }
    }

    /// As the kernel does it when memory is short.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until it has logged `text`.
    pub(crate) fn wait_for(&self, text: &str) {
        let begun = Instant::now();
        while !self.log().contains(text) {
            assert!(
                begun.elapsed() < TIMEOUT,
                "it never says `{text}`: {}",
                self.log()
            );
            std::thread::sleep(POLL_INTERVAL);
        }
    }

    /// Waits until `is_so`.
    pub(crate) fn wait_until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !is_so(self) {
            assert!(begun.elapsed() < TIMEOUT, "never that {what}: {}", self.log());
            std::thread::sleep(POLL_INTERVAL);
        }
    }

    pub(crate) fn wait_until_ready(&mut self) {
        let begun = Instant::now();
        loop {
            assert!(begun.elapsed() < TIMEOUT, "it does not start: {}", self.log());
            assert_eq!(self.child.try_wait().unwrap(), None, "it ended: {}", self.log());
            self.addr = self.announced();
            if self.answers() {
                return;
            }
            std::thread::sleep(POLL_INTERVAL);
        }
    }

    /// The address in the banner, which is printed only when the server answers.
    fn announced(&self) -> Option<SocketAddr> {
        let log = self.log();
        let (_, rest) = log.split_once("dashboard  http://")?;
        let mut addr: SocketAddr = rest.split_whitespace().next()?.parse().ok()?;
        if addr.ip().is_unspecified() {
            addr.set_ip([127, 0, 0, 1].into());
        }
        Some(addr)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn get(addr: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&addr, Duration::from_secs(5))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

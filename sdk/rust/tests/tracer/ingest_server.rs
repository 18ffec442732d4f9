//! A made-up Plumbline: keeps what it is sent, and answers as it is told.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

/// Status, further headers and body; `None`: no answer at all.
pub(crate) type Told = Option<(u16, String, Value)>;

pub(crate) struct Request {
    pub(crate) path: String,
    pub(crate) authorization: Option<String>,
    pub(crate) steps: Vec<Value>,
    is_taken: bool,
}

pub(crate) struct IngestServer {
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

/// Everything is stored.
pub(crate) fn stored(steps: &[Value]) -> Told {
    let body = json!({ "stored": steps.len(), "duplicate": 0, "rejected": [] });
    Some((200, String::new(), body))
}

pub(crate) fn refused(status: u16, message: &str) -> Told {
    Some((status, String::new(), json!({ "error": { "message": message } })))
}

impl IngestServer {
    pub(crate) fn start() -> Self {
        Self::answering(|steps, _| stored(steps))
    }

    /// `answer` is given the steps of a request and its number, from 1.
    pub(crate) fn answering(answer: impl Fn(&[Value], usize) -> Told + Send + Sync + 'static) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap(), answer)
    }

    pub(crate) fn on(
        listener: TcpListener,
        answer: impl Fn(&[Value], usize) -> Told + Send + Sync + 'static,
    ) -> Self {
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, answer) = (Arc::clone(&requests), Arc::new(answer));
        // It ends with the test program.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                thread::spawn(move || serve(&stream, &seen, answer.as_ref()));
            }
        });
        Self { url, requests }
    }

    pub(crate) fn read<R>(&self, read: impl FnOnce(&[Request]) -> R) -> R {
        read(&self.requests.lock().unwrap())
    }

    /// The steps of the requests that were answered with 200.
    pub(crate) fn taken(&self) -> Vec<Value> {
        self.read(|requests| {
            let taken = requests.iter().filter(|request| request.is_taken);
            taken.flat_map(|request| request.steps.clone()).collect()
        })
    }

    /// The same by their names.
    pub(crate) fn by_name(&self) -> BTreeMap<String, Value> {
        let named = |step: Value| (step["step_name"].as_str().unwrap().to_owned(), step);
        self.taken().into_iter().map(named).collect()
    }
}

fn serve(stream: &TcpStream, seen: &Mutex<Vec<Request>>, answer: &dyn Fn(&[Value], usize) -> Told) {
    let mut reader = BufReader::new(stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        if line.trim().is_empty() {
            break;
        }
        head.push(line.trim().to_owned());
    }
    let header = |name: &str| {
        let named = |line: &String| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then(|| value.to_owned())
        };
        head.iter().find_map(named)
    };
    let length = header("content-length").unwrap().parse().unwrap();
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    let steps = body["steps"].as_array().unwrap().clone();

    let number = {
        let mut seen = seen.lock().unwrap();
        seen.push(Request {
            path: head[0].split(' ').nth(1).unwrap().to_owned(),
            authorization: header("authorization"),
            steps: steps.clone(),
            is_taken: false,
        });
        seen.len()
    };
    let Some((status, headers, body)) = answer(&steps, number) else {
        // Until the other side hangs up.
        std::io::copy(&mut reader, &mut std::io::sink()).ok();
        return;
    };
    if status == 200 {
        seen.lock().unwrap()[number - 1].is_taken = true;
    }
    let body = body.to_string();
    let answer = format!(
        "HTTP/1.1 {status} Told\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n{body}",
        body.len()
    );
    (&mut &*stream).write_all(answer.as_bytes()).ok();
}

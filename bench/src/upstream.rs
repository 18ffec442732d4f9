//! A provider that costs next to nothing: one small answer, or a stream of so many chunks, after a constant time.

use std::io;
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use crate::http1::Connection;

/// How it answers.
#[derive(Clone, Copy, Debug)]
pub struct Service {
    /// From the end of a request to the first byte of its answer.
    pub time: Duration,
    /// Chunks of a stream.
    pub chunks: u32,
    /// Between two of them.
    pub gap: Duration,
}

const ANSWER: &str = concat!(
    r#"{"id":"chatcmpl-1","object":"chat.completion","created":1764000000,"model":"gpt-4o-mini-2024-07-18","#,
    r#""choices":[{"index":0,"message":{"role":"assistant","content":"A weight on a string: it hangs straight down.","refusal":null},"#,
    r#""logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":42,"completion_tokens":11,"total_tokens":53},"service_tier":"default"}"#
);
const CHUNK: &str = concat!(
    r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1764000000,"model":"gpt-4o-mini-2024-07-18","#,
    r#""choices":[{"index":0,"delta":{"role":"assistant","content":"straight "},"logprobs":null,"finish_reason":null}]}"#,
    "\n\n"
);
const LAST_CHUNK: &str = concat!(
    r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1764000000,"model":"gpt-4o-mini-2024-07-18","#,
    r#""choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}]}"#,
    "\n\n"
);
const USAGE_CHUNK: &str = concat!(
    r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1764000000,"model":"gpt-4o-mini-2024-07-18","#,
    r#""choices":[],"usage":{"prompt_tokens":42,"completion_tokens":11,"total_tokens":53}}"#,
    "\n\n"
);
const DONE: &str = "data: [DONE]\n\n";

/// Answers every connection in a thread of its own, whose sleeps are exact to a twentieth of a millisecond: the timers
/// of asynchronous runtimes are twenty times as coarse. Returns when the listener fails.
pub fn serve(listener: &TcpListener, service: Service) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept()?;
        thread::Builder::new()
            .stack_size(128 * 1024)
            // A caller that goes away ends its thread and nothing else.
            .spawn(move || Connection::over(stream).and_then(|connection| answer_all(connection, service)))?;
    }
}

fn answer_all(mut connection: Connection, service: Service) -> io::Result<()> {
    let whole = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: req_1\r\ncontent-length: {}\r\n\r\n{ANSWER}",
        ANSWER.len()
    );
    let mut body = Vec::new();
    while let Some(head) = connection.head()? {
        body.clear();
        connection.body(&head, |chunk| body.extend_from_slice(chunk))?;
        thread::sleep(service.time);
        let asks = |words: [&[u8]; 2]| {
            words
                .iter()
                .any(|word| body.windows(word.len()).any(|window| window == *word))
        };
        if asks([b"\"stream\":true", b"\"stream\": true"]) {
            let wants_usage = asks([b"\"include_usage\":true", b"\"include_usage\": true"]);
            stream(&mut connection, service, wants_usage)?;
        } else {
            connection.send(whole.as_bytes())?;
        }
    }
    Ok(())
}

fn stream(connection: &mut Connection, service: Service, wants_usage: bool) -> io::Result<()> {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    connection.send(format!("{head}{}", framed(CHUNK)).as_bytes())?;
    let begun = Instant::now();
    for n in 1..service.chunks {
        thread::sleep((begun + service.gap * n).saturating_duration_since(Instant::now()));
        connection.send(framed(CHUNK).as_bytes())?;
    }
    let usage = if wants_usage { USAGE_CHUNK } else { "" };
    let end = format!("{LAST_CHUNK}{usage}{DONE}");
    connection.send(format!("{}0\r\n\r\n", framed(&end)).as_bytes())
}

fn framed(data: &str) -> String {
    format!("{:x}\r\n{data}\r\n", data.len())
}

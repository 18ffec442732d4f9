//! What becomes of steps while the server is well, away, full, or wrong.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use plumbline_sdk::{Stats, Tracer, span};
use serde_json::Value;

use crate::ingest_server::{IngestServer, refused, stored};
use crate::program::{PATIENCE, options, said, traced};

fn record(tracer: &Tracer, steps: usize) {
    traced(tracer, || {
        for number in 0..steps {
            drop(span!("step", number));
        }
    });
}

fn ids(steps: &[Value]) -> BTreeSet<String> {
    steps
        .iter()
        .map(|step| step["step_id"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn steps_come_in_batches_with_the_key() {
    let server = IngestServer::start();
    let (builder, warnings) = options(&server);
    let tracer = builder.build();
    record(&tracer, 1_200);
    assert!(tracer.flush(PATIENCE));
    assert_eq!(
        tracer.stats(),
        Stats {
            sent: 1_200,
            ..Stats::default()
        }
    );
    assert_eq!(ids(&server.taken()).len(), 1_200);
    server.read(|requests| {
        assert!(requests.len() <= 10, "{} requests", requests.len());
        for request in requests {
            assert!(request.steps.len() <= 500);
            assert_eq!(request.path, "/ingest/batch");
            assert_eq!(request.authorization.as_deref(), Some("Bearer pl_live_test"));
        }
    });
    assert_eq!(said(&warnings), Vec::<String>::new());
}

#[test]
fn a_step_waits_no_longer_than_it_may() {
    let (arrived, arrives) = std::sync::mpsc::channel();
    let arrived = Mutex::new(arrived);
    let server = IngestServer::answering(move |steps, _| {
        arrived.lock().unwrap().send(steps.len()).unwrap();
        stored(steps)
    });
    let tracer = options(&server)
        .0
        .flush_interval(Duration::from_millis(20))
        .build();
    record(&tracer, 1);
    // Nobody asks for it.
    assert_eq!(arrives.recv_timeout(PATIENCE), Ok(1));
    drop(tracer);
}

#[test]
fn a_server_that_is_away_loses_nothing() {
    // Nobody listens there yet.
    let reserved = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = reserved.local_addr().unwrap();
    drop(reserved);
    let elsewhere = IngestServer::start();
    let (builder, warnings) = options(&elsewhere);
    let tracer = builder.api_url(format!("http://{address}")).build();
    record(&tracer, 700);
    assert!(!tracer.flush(Duration::from_millis(400)), "there is nobody");
    assert_eq!(tracer.stats().queued, 700);

    let server = IngestServer::on(
        TcpListener::bind(address).unwrap(),
        |steps, number| match number {
            1 => refused(503, "the database is away"),
            2 => Some((429, "retry-after: 0\r\n".to_owned(), Value::Null)),
            _ => stored(steps),
        },
    );
    assert!(tracer.flush(PATIENCE));
    assert_eq!(
        tracer.stats(),
        Stats {
            sent: 700,
            ..Stats::default()
        }
    );
    assert_eq!(ids(&server.taken()).len(), 700);
    server.read(|requests| {
        assert_eq!(
            ids(&requests[0].steps),
            ids(&requests[1].steps),
            "the same ids again"
        );
        assert_eq!(
            ids(&requests[1].steps),
            ids(&requests[2].steps),
            "the same ids again"
        );
    });
    let said = said(&warnings);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].contains("was not reached") && said[0].contains("sent again"),
        "{said:?}"
    );
}

#[test]
fn what_comes_while_the_queue_is_full_is_counted_and_said_once() {
    let opens = Arc::new(AtomicBool::new(false));
    let is_open = Arc::clone(&opens);
    let server = IngestServer::answering(move |steps, _| {
        if is_open.load(Ordering::SeqCst) {
            stored(steps)
        } else {
            refused(503, "not yet")
        }
    });
    let (builder, warnings) = options(&server);
    let tracer = builder.max_queue_steps(10).build();
    record(&tracer, 25);
    assert_eq!(tracer.stats().dropped, 15);
    assert_eq!(tracer.stats().queued, 10);
    opens.store(true, Ordering::SeqCst);
    assert!(tracer.flush(PATIENCE));
    assert_eq!(server.taken().len(), 10);
    let full = said(&warnings)
        .into_iter()
        .filter(|message| message.contains("the queue is full"));
    assert_eq!(full.count(), 1);

    let small = options(&server).0.max_queue_bytes(100).build();
    record(&small, 1);
    assert_eq!(small.stats().dropped, 1, "a step is larger than that");
}

#[test]
fn one_bad_step_does_not_take_others_with_it() {
    let is_bad = |step: &Value| step["attributes"]["number"] == 1;
    // Where the server itself fails, each part is tried three times, with pauses.
    for (status, steps) in [(400, 100), (413, 100), (500, 3)] {
        let server = IngestServer::answering(move |steps, _| {
            if steps.iter().any(is_bad) {
                refused(status, "one is bad")
            } else {
                stored(steps)
            }
        });
        let (builder, warnings) = options(&server);
        let tracer = builder.build();
        record(&tracer, steps);
        assert!(tracer.flush(PATIENCE), "{status}");
        let Stats { sent, rejected, .. } = tracer.stats();
        assert_eq!((sent, rejected), (steps as u64 - 1, 1), "{status}");
        assert!(!server.taken().iter().any(is_bad));
        let said = said(&warnings);
        assert!(
            said.iter().any(|message| message.contains("one is bad")),
            "{said:?}"
        );
    }
}

#[test]
fn what_the_server_refuses_is_not_sent_again() {
    let server = IngestServer::answering(|_, _| refused(401, "the key is unknown"));
    let (builder, warnings) = options(&server);
    let tracer = builder.build();
    record(&tracer, 3);
    assert!(tracer.flush(PATIENCE));
    assert_eq!(tracer.stats().rejected, 3);
    assert_eq!(server.read(<[_]>::len), 1);
    let said = said(&warnings);
    assert!(said[0].contains("401: the key is unknown"), "{said:?}");

    let server = IngestServer::answering(|steps, _| {
        let rejected =
            serde_json::json!([{ "index": 0, "field": "cost", "message": "cost must be a number" }]);
        let body = serde_json::json!({ "stored": steps.len() - 1, "duplicate": 0, "rejected": rejected });
        Some((200, String::new(), body))
    });
    let (builder, warnings) = options(&server);
    let tracer = builder.build();
    record(&tracer, 3);
    assert!(tracer.flush(PATIENCE));
    let Stats { sent, rejected, .. } = tracer.stats();
    assert_eq!((sent, rejected), (2, 1));
    assert_eq!(
        crate::program::said(&warnings),
        ["the server refused a step: cost must be a number"]
    );
}

#[test]
fn the_end_of_a_program_sends_what_is_left() {
    let server = IngestServer::start();
    let tracer = options(&server)
        .0
        .flush_interval(Duration::from_secs(600))
        .build();
    record(&tracer, 5);
    drop(tracer);
    assert_eq!(server.taken().len(), 5);
}

#[test]
fn the_end_of_a_program_has_two_seconds_of_patience() {
    let server = IngestServer::answering(|_, _| None);
    let (builder, warnings) = options(&server);
    let tracer = builder.build();
    record(&tracer, 5);
    let began = Instant::now();
    drop(tracer);
    let took = began.elapsed();
    assert!(
        (Duration::from_secs(2)..Duration::from_secs(5)).contains(&took),
        "{took:?}"
    );
    let said = said(&warnings);
    assert!(
        said.iter()
            .any(|message| message.contains("5 steps were dropped: not sent within 2.0 s")),
        "{said:?}"
    );
}

#[test]
fn after_the_end_nothing_is_taken() {
    let server = IngestServer::start();
    let (builder, warnings) = options(&server);
    let tracer = builder.build();
    tracer.shutdown(PATIENCE);
    record(&tracer, 2);
    assert_eq!(tracer.stats().dropped, 2);
    let said = said(&warnings);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("after the tracer was shut down"), "{said:?}");
}

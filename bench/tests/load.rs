//! The load generator against the made-up provider: figures that a table is printed from have to be true first.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use bench::load::{Load, Measured, Target, run};
use bench::upstream::{Service, serve};

const AT_ONCE: Service = Service {
    time: Duration::ZERO,
    chunks: 5,
    gap: Duration::from_millis(10),
};

/// Measures a provider of its own, which ends with the test.
fn measure(service: Service, load: Load) -> Measured {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || serve(&listener, service));
    let target = Target {
        name: "provider",
        address,
        headers: String::new(),
    };
    run(&target, load).unwrap()
}

fn load(rate: Option<f64>, connections: usize) -> Load {
    Load {
        rate,
        connections,
        time: Duration::from_millis(400),
        is_stream: false,
    }
}

#[test]
fn calls_are_as_many_as_the_rate_says() {
    let found = measure(AT_ONCE, load(Some(500.0), 4));
    assert_eq!((found.succeeded(), found.failed, found.unsent), (200, 0, 0));
}

#[test]
fn calls_behind_a_slow_one_count_from_when_they_were_due() {
    let slow = Service {
        time: Duration::from_millis(50),
        ..AT_ONCE
    };
    // One connection answers 20 a second; 100 are due. The last of forty waits for more than a second.
    let found = measure(slow, load(Some(100.0), 1));
    assert_eq!(found.succeeded(), 40);
    assert!(found.latency_ms(1.0) > 1_000.0, "{}", found.latency_ms(1.0));
    assert!(found.latency_ms(0.5) > 500.0, "{}", found.latency_ms(0.5));
}

#[test]
fn who_falls_too_far_behind_is_not_sent_more() {
    let hopeless = Service {
        time: Duration::from_millis(500),
        ..AT_ONCE
    };
    let found = measure(hopeless, load(Some(100.0), 1));
    assert_eq!(found.succeeded() + found.unsent, 40);
    assert!(found.unsent > 30, "{}", found.unsent);
}

#[test]
fn a_stream_begins_before_it_ends() {
    let found = measure(
        AT_ONCE,
        Load {
            is_stream: true,
            ..load(Some(20.0), 4)
        },
    );
    assert_eq!((found.succeeded(), found.failed), (8, 0));
    // Four gaps of ten milliseconds lie between the first chunk and the last.
    let between = found.latency_ms(0.0) - found.first_byte_ms(0.0);
    assert!(between > 35.0, "{between}");
}

#[test]
fn without_a_rate_each_answer_is_followed_by_a_call() {
    let found = measure(
        Service {
            time: Duration::from_millis(20),
            ..AT_ONCE
        },
        load(None, 2),
    );
    // Two connections, 400 ms, 20 ms and more a call.
    assert!((2..=40).contains(&found.succeeded()), "{}", found.succeeded());
}

use std::io::Write as _;

use axum::http::HeaderValue;
use domain::{ProjectId, Timestamp};

use super::*;
use crate::auth::Caller;
use crate::auth::credentials::Credentials;
use crate::proxy::api::Api;
use crate::proxy::capture::{Budget, Reservation};
use crate::proxy::exchange::Ended;
use crate::proxy::request_context::RequestContext;
use crate::proxy::unfinished::Unfinished;

const PLAIN_BYTES: usize = 1_000_000;

/// Calls whose requests are a thousand times as large as what was sent.
fn bombs(calls: usize, budget: &Arc<Budget>) -> VecDeque<Box<Exchange>> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(&vec![b' '; PLAIN_BYTES]).unwrap();
    let packed = bytes::Bytes::from(gzip.finish().unwrap());
    assert!(packed.len() < PLAIN_BYTES / 500);
    let unfinished = Unfinished::default();
    let call = |call: usize| {
        Box::new(Exchange {
            api: Api::Messages,
            caller: Caller {
                project_id: ProjectId(uuid::Uuid::nil()),
                key_label: "default".to_owned(),
                key_id: None,
            },
            context: RequestContext::default(),
            credentials: Credentials::default(),
            step_id: call.to_string(),
            provider: "anthropic".to_owned(),
            started_at: Timestamp::from_micros(0),
            request: Some(packed.clone()),
            request_encoding: Some(HeaderValue::from_static("gzip")),
            answer: None,
            ended: Ended::Unreachable,
            latency: Duration::ZERO,
            held: Reservation::of(budget),
            pending: unfinished.one_more(),
        })
    };
    (0..calls).map(call).collect()
}

#[test]
fn a_batch_ends_with_its_bytes() {
    let budget = Budget::new(usize::MAX);
    let (records, unread) = read_batch(bombs(5, &budget), 3 * PLAIN_BYTES / 2);
    assert_eq!((records.len(), unread.len()), (2, 3));
    let texts = records.iter().map(Record::bytes).sum::<usize>();
    assert!(texts >= 2 * PLAIN_BYTES);
    assert_eq!(budget.used(), texts, "what was unpacked is not on the budget");
    let (rest, unread) = read_batch(unread, usize::MAX);
    assert_eq!((rest.len(), unread.len()), (3, 0));
    drop((records, rest));
    assert_eq!(budget.used(), 0);
}

#[test]
fn texts_for_which_there_is_no_memory_are_dropped_and_said_to_be() {
    let budget = Budget::new(3 * PLAIN_BYTES / 2);
    let (records, _) = read_batch(bombs(3, &budget), usize::MAX);
    let kept: Vec<bool> = records.iter().map(|record| record.step.input.is_some()).collect();
    assert_eq!(kept, [true, false, false]);
    assert_eq!(records[1].step.attributes["input_not_kept"], true);
    assert!(budget.used() < 3 * PLAIN_BYTES / 2);
}

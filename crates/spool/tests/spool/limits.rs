//! How much fits, and how much is taken at once.

use spool::{AppendError, Limits, MAX_RECORD_BYTES, Spool};

use crate::memory_disk::MemoryDisk;
use crate::{SMALL, append, drain, number_of, record};

#[test]
fn a_full_spool_refuses_a_group_and_takes_it_when_there_is_room() {
    let limits = Limits {
        max_bytes: 220,
        ..SMALL
    };
    let disk = MemoryDisk::default();
    let mut spool = Spool::open_on(disk.clone(), limits).unwrap();
    append(&mut spool, 0..3);
    append(&mut spool, 3..5);
    let stats = spool.stats();
    let error = spool.append(&[record(5), record(6)]).unwrap_err();
    assert!(matches!(error, AppendError::Full { max_bytes: 220 }), "{error}");
    assert_eq!(spool.stats(), stats, "nothing was written");
    append(&mut spool, 5..6);

    let batch = spool.next_batch(3, usize::MAX).unwrap();
    spool.acknowledge(batch.end).unwrap();
    append(&mut spool, 6..8);
    assert_eq!(drain(&mut spool), [3, 4, 5, 6, 7]);

    // The limit counts after a start, too.
    append(&mut spool, 8..14);
    drop(spool);
    let mut spool = Spool::open_on(disk, limits).unwrap();
    assert!(matches!(
        spool.append(&[record(14)]),
        Err(AppendError::Full { .. })
    ));
    assert_eq!(spool.stats().waiting_records, 6);
}

#[test]
fn a_record_has_a_largest_size() {
    let mut spool = Spool::open_on(MemoryDisk::default(), Limits::default()).unwrap();
    let record = vec![0; MAX_RECORD_BYTES + 1];
    let error = spool.append(&[record]).unwrap_err();
    assert!(matches!(error, AppendError::TooLarge { .. }), "{error}");
    spool.append(&[b""; 0]).unwrap();
    assert_eq!(spool.stats().bytes, 0);
}

#[test]
fn a_record_may_be_empty() {
    let mut spool = Spool::open_on(MemoryDisk::default(), SMALL).unwrap();
    spool.append(&[b"".as_slice(), b"x", b""]).unwrap();
    let batch = spool.next_batch(10, 10).unwrap();
    assert_eq!(batch.records, [b"".as_slice(), b"x", b""]);
}

#[test]
fn a_batch_is_as_large_as_asked_for_and_never_empty_while_something_waits() {
    let disk = MemoryDisk::default();
    let mut spool = Spool::open_on(disk, SMALL).unwrap();
    for number in 0..10 {
        append(&mut spool, [number]);
    }
    let mut check = |max_records: usize, max_bytes: usize, expected: &[usize]| {
        let batch = spool.next_batch(max_records, max_bytes).unwrap();
        let numbers: Vec<_> = batch.records.iter().map(|record| number_of(record)).collect();
        assert_eq!(numbers, expected, "{max_records} records, {max_bytes} bytes");
    };
    check(4, 1000, &[0, 1, 2, 3]);
    check(1, 1000, &[0]);
    check(0, 0, &[0]);
    check(100, 1, &[0]);
    // 5, 6, 7, 8 and 9 bytes
    check(100, 18, &[0, 1, 2]);
    check(100, 25, &[0, 1, 2]);
    check(100, 26, &[0, 1, 2, 3]);
    check(100, 1000, &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
}

#[test]
fn segments_are_deleted_as_they_are_done_with() {
    let disk = MemoryDisk::default();
    let mut spool = Spool::open_on(disk.clone(), SMALL).unwrap();
    for number in 0..9 {
        append(&mut spool, [number]);
    }
    let mut check = |records: usize, expected_segments: usize| {
        let batch = spool.next_batch(records, usize::MAX).unwrap();
        spool.acknowledge(batch.end).unwrap();
        assert_eq!(disk.segments().len(), expected_segments);
    };
    check(2, 3);
    check(1, 2);
    check(5, 1);
    check(1, 0);
    check(1, 0);
}

#[test]
fn acknowledging_twice_or_backwards_changes_nothing() {
    let mut spool = Spool::open_on(MemoryDisk::default(), SMALL).unwrap();
    append(&mut spool, 0..6);
    let first = spool.next_batch(2, usize::MAX).unwrap();
    let both = spool.next_batch(4, usize::MAX).unwrap();
    spool.acknowledge(both.end).unwrap();
    spool.acknowledge(both.end).unwrap();
    spool.acknowledge(first.end).unwrap();
    assert_eq!(spool.stats().waiting_records, 2);
    let mut empty = Spool::open_on(MemoryDisk::default(), SMALL).unwrap();
    empty.acknowledge(both.end).unwrap_err();
    assert_eq!(drain(&mut spool), [4, 5]);
}

//! What a user of the spool is promised, on a disk that fails and crashes on command.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod crashes;
mod damage;
mod folder;
mod limits;
mod memory_disk;
mod model;

use spool::{Limits, Spool, disk::Disk};

/// Three of the records below fill a segment.
const SMALL: Limits = Limits {
    max_bytes: 100_000,
    segment_bytes: 110,
};

/// The record of that number, and of no other: 5 to 9 bytes.
fn record(number: usize) -> Vec<u8> {
    let mut bytes = (number as u32).to_be_bytes().to_vec();
    bytes.resize(5 + number % 5, 0xff);
    bytes
}

fn number_of(bytes: &[u8]) -> usize {
    let number = u32::from_be_bytes(*bytes.first_chunk().unwrap()) as usize;
    assert_eq!(bytes, record(number), "invented");
    number
}

fn append<D: Disk>(spool: &mut Spool<D>, numbers: impl IntoIterator<Item = usize>) {
    let records: Vec<_> = numbers.into_iter().map(record).collect();
    spool.append(&records).unwrap();
}

/// The numbers of all records that wait, which are acknowledged one at a time.
fn drain<D: Disk>(spool: &mut Spool<D>) -> Vec<usize> {
    let mut numbers = Vec::new();
    loop {
        let batch = spool.next_batch(1, usize::MAX).unwrap();
        let Some(record) = batch.records.first() else {
            assert_eq!(spool.stats().waiting_records, 0);
            assert_eq!(spool.stats().bytes, 0, "what is stored elsewhere is deleted here");
            return numbers;
        };
        numbers.push(number_of(record));
        spool.acknowledge(batch.end).unwrap();
    }
}

/// The numbers of all records that wait, which go on waiting.
fn waiting<D: Disk>(spool: &mut Spool<D>) -> Vec<usize> {
    let batch = spool.next_batch(usize::MAX, usize::MAX).unwrap();
    batch.records.iter().map(|record| number_of(record)).collect()
}

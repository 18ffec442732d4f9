//! Every operation on the disk, failing and crashing.

use spool::Spool;

use crate::memory_disk::MemoryDisk;
use crate::{SMALL, drain, number_of, record};

/// What was acknowledged to the caller.
#[derive(Debug, Default, Clone)]
struct Acknowledged {
    /// How many records were tried; their numbers are `0..tried`.
    tried: usize,
    kept: Vec<usize>,
    /// Records below were acknowledged.
    done: usize,
    /// Records below were to be acknowledged; whether they are was not said.
    maybe_done: usize,
}

impl Acknowledged {
    fn append(&mut self, spool: &mut Spool<MemoryDisk>, count: usize) -> Option<()> {
        let numbers = self.tried..self.tried + count;
        self.tried += count;
        let records: Vec<_> = numbers.clone().map(record).collect();
        spool.append(&records).ok()?;
        self.kept.extend(numbers);
        Some(())
    }

    fn take(&mut self, spool: &mut Spool<MemoryDisk>, count: usize) -> Option<()> {
        let batch = spool.next_batch(count, usize::MAX).ok()?;
        let Some(last) = batch.records.last() else {
            return Some(());
        };
        self.maybe_done = number_of(last) + 1;
        spool.acknowledge(batch.end).ok()?;
        self.done = self.maybe_done;
        Some(())
    }
}

/// A life with everything in it: segments begun, filled and deleted, an empty spool, a second start.
/// Ends at the first failure when `stops`, otherwise goes on as if nothing had been.
fn live(disk: &MemoryDisk, stops: bool) -> Acknowledged {
    const STEPS: [(char, usize); 20] = [
        ('a', 2),
        ('a', 1),
        ('t', 2),
        ('a', 1),
        ('a', 5),
        ('t', 3),
        ('a', 1),
        ('t', 9),
        ('a', 1),
        ('a', 2),
        ('r', 0),
        ('a', 2),
        ('t', 2),
        ('a', 4),
        ('t', 4),
        ('a', 2),
        ('r', 0),
        ('t', 9),
        ('a', 1),
        ('r', 0),
    ];
    let mut acknowledged = Acknowledged::default();
    let mut open = Spool::open_on(disk.clone(), SMALL).ok();
    for (step, count) in STEPS {
        let result = match (&mut open, step) {
            (Some(spool), 'a') => acknowledged.append(spool, count),
            (Some(spool), 't') => acknowledged.take(spool, count),
            _ => {
                open = Spool::open_on(disk.clone(), SMALL).ok();
                open.is_some().then_some(())
            }
        };
        if result.is_none() && stops {
            break;
        }
    }
    acknowledged
}

fn operations() -> usize {
    let mut operations = 0;
    loop {
        let disk = MemoryDisk::default();
        disk.fail(operations..usize::MAX);
        live(&disk, true);
        if !disk.has_failed() {
            return operations;
        }
        operations += 1;
    }
}

#[test]
fn a_power_cut_loses_nothing_that_was_kept_and_brings_back_nothing_that_was_acknowledged() {
    let operations = operations();
    assert!(operations > 100, "the life is too short: {operations}");
    let mut cuts = 0;
    for operation in 0..operations {
        let disk = MemoryDisk::default();
        disk.fail(operation..usize::MAX);
        let acknowledged = live(&disk, true);
        disk.works();
        for survival in disk.survivals() {
            cuts += 1;
            let context = format!("operation {operation}, {survival:?}, {acknowledged:?}");
            let disk = disk.after_power_cut(survival);
            let mut spool = Spool::open_on(disk.clone(), SMALL).unwrap();
            if !survival.with_zeros {
                assert_eq!(spool.stats().damaged_records, 0, "{context}");
            }
            // The next start may crash again before anything is done.
            drop(spool);
            spool = Spool::open_on(disk, SMALL).unwrap();
            spool.append(&[record(acknowledged.tried)]).unwrap();
            let waiting = spool.stats().waiting_records;
            let given = drain(&mut spool);
            assert_eq!(given.len() as u64, waiting, "{context}");
            assert!(given.is_sorted_by(|a, b| a < b), "{context}: {given:?}");
            assert!(
                given.iter().all(|number| *number >= acknowledged.done),
                "{context}: {given:?}"
            );
            let is_sure = |number: &&usize| **number >= acknowledged.maybe_done;
            for number in acknowledged
                .kept
                .iter()
                .chain([&acknowledged.tried])
                .filter(is_sure)
            {
                assert!(given.contains(number), "{context}: {number} of {given:?}");
            }
            // The batch whose acknowledgement was under way comes back whole or not at all.
            let between = acknowledged
                .kept
                .iter()
                .filter(|number| (acknowledged.done..acknowledged.maybe_done).contains(number));
            let back = between.clone().filter(|number| given.contains(number)).count();
            assert!(back == 0 || back == between.count(), "{context}: {given:?}");
        }
    }
    assert!(cuts > 10_000, "{cuts}");
}

#[test]
fn what_was_seen_after_a_killed_process_survives_a_power_cut() {
    for operation in 0..operations() {
        let disk = MemoryDisk::default();
        disk.fail(operation..usize::MAX);
        let acknowledged = live(&disk, true);
        disk.works();
        let mut spool = Spool::open_on(disk.clone(), SMALL).unwrap();
        let mut seen = crate::waiting(&mut spool);
        crate::append(&mut spool, [acknowledged.tried]);
        seen.push(acknowledged.tried);
        for survival in disk.survivals() {
            let mut spool = Spool::open_on(disk.after_power_cut(survival), SMALL).unwrap();
            assert_eq!(drain(&mut spool), seen, "operation {operation}, {survival:?}");
            assert_eq!(
                spool.stats().damaged_records,
                0,
                "operation {operation}, {survival:?}"
            );
        }
    }
}

#[test]
fn a_failing_disk_loses_nothing_and_a_working_one_goes_on() {
    for first in 0..operations() {
        for count in 1..5 {
            let disk = MemoryDisk::default();
            disk.fail(first..first + count);
            let acknowledged = live(&disk, false);
            disk.works();
            let context = format!("operations {first}+{count}, {acknowledged:?}");
            let mut spool = Spool::open_on(disk.clone(), SMALL).unwrap();
            let given = drain(&mut spool);
            let must = acknowledged
                .kept
                .iter()
                .filter(|number| **number >= acknowledged.maybe_done);
            assert!(
                must.clone().all(|number| given.contains(number)),
                "{context}: {given:?}"
            );
            assert!(
                given.iter().all(|number| *number >= acknowledged.done),
                "{context}: {given:?}"
            );
            assert!(given.is_sorted_by(|a, b| a < b), "{context}: {given:?}");
            assert_eq!(spool.stats().damaged_records, 0, "{context}");
        }
    }
}

#[test]
fn a_full_disk_keeps_the_file_valid_and_the_next_append_works() {
    // From the operation on, how many fail: the write, the wait for the disk, and cutting off in between.
    for first in 0..4 {
        for count in 1..6 {
            let disk = MemoryDisk::default();
            let mut spool = Spool::open_on(disk.clone(), SMALL).unwrap();
            crate::append(&mut spool, 0..2);
            disk.fail(first..first + count);
            let mut tries = 0;
            while spool.append(&[record(2), record(3)]).is_err() {
                tries += 1;
                assert_eq!(crate::SMALL.max_bytes, spool.stats().max_bytes);
                assert!(tries < 10, "{first}+{count}");
            }
            disk.works();
            crate::append(&mut spool, 4..5);
            assert_eq!(crate::waiting(&mut spool), [0, 1, 2, 3, 4], "{first}+{count}");
            drop(spool);
            let mut spool = Spool::open_on(disk, SMALL).unwrap();
            assert_eq!(spool.stats().torn_bytes, 0, "{first}+{count}");
            assert_eq!(drain(&mut spool), [0, 1, 2, 3, 4], "{first}+{count}");
        }
    }
}

#[test]
fn what_was_refused_does_not_come_back() {
    // The write fails, or waiting for the disk.
    for operation in 0..2 {
        let disk = MemoryDisk::default();
        let mut spool = Spool::open_on(disk.clone(), SMALL).unwrap();
        crate::append(&mut spool, 0..1);
        disk.fail(operation..operation + 1);
        spool.append(&[record(1)]).unwrap_err();
        for survival in disk.survivals() {
            let mut spool = Spool::open_on(disk.after_power_cut(survival), SMALL).unwrap();
            assert_eq!(drain(&mut spool), [0], "operation {operation}, {survival:?}");
        }
    }
}

#[test]
fn a_file_that_can_be_neither_cut_nor_deleted_does_no_harm() {
    // Which file is found first is a matter of their random names.
    for _ in 0..20 {
        let disk = MemoryDisk::default();
        let mut spool = Spool::open_on(disk.clone(), SMALL).unwrap();
        crate::append(&mut spool, 0..3);
        // The new segment is made and written; waiting for the disk fails and so does cutting it.
        disk.fail(3..5);
        spool.append(&[record(3)]).unwrap_err();
        let batch = spool.next_batch(9, usize::MAX).unwrap();
        // Writing the position works, and so does deleting the first segment.
        disk.fail(3..4);
        spool.acknowledge(batch.end).unwrap();
        disk.works();
        crate::append(&mut spool, 4..5);
        drop(spool);
        let mut spool = Spool::open_on(disk, SMALL).unwrap();
        assert_eq!(drain(&mut spool), [4]);
    }
}

//! Any sequence of operations, against a queue.

use std::collections::VecDeque;

use proptest::prelude::*;
use spool::{AppendError, Limits, Spool};

use crate::memory_disk::MemoryDisk;

#[derive(Debug, Clone)]
enum Step {
    Append {
        sizes: Vec<usize>,
    },
    Take {
        records: usize,
        bytes: usize,
        acknowledges: bool,
    },
    Reopen,
    CutPower {
        survival: usize,
    },
    Fail {
        first: usize,
        count: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => proptest::collection::vec(0_usize..200, 0..6).prop_map(|sizes| Step::Append { sizes }),
        3 => (0_usize..8, 0_usize..600, any::<bool>()).prop_map(|(records, bytes, acknowledges)| {
            Step::Take { records, bytes, acknowledges }
        }),
        1 => Just(Step::Reopen),
        1 => any::<usize>().prop_map(|survival| Step::CutPower { survival }),
        1 => (0_usize..8, 1_usize..5).prop_map(|(first, count)| Step::Fail { first, count }),
    ]
}

const LIMITS: Limits = Limits {
    max_bytes: 2_000,
    segment_bytes: 500,
};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn a_spool_is_a_queue(steps in proptest::collection::vec(step(), 0..60)) {
        let mut disk = MemoryDisk::default();
        let mut spool = Spool::open_on(disk.clone(), LIMITS).unwrap();
        let mut queue: VecDeque<Vec<u8>> = VecDeque::new();
        let mut byte = 0_u8;
        // Whether what failed may still be on disk: then a new start may give it.
        let mut is_unsure = false;
        for step in steps {
            match step {
                Step::Append { sizes } => {
                    byte = byte.wrapping_add(1);
                    let records: Vec<_> = sizes.into_iter().map(|size| vec![byte; size]).collect();
                    let before = spool.stats();
                    match spool.append(&records) {
                        Ok(()) => {
                            is_unsure &= records.is_empty();
                            queue.extend(records);
                        }
                        Err(AppendError::Disk(_)) => {
                            prop_assert!(disk.has_failed());
                            is_unsure = true;
                        }
                        Err(AppendError::Full { .. }) => {
                            let bytes: u64 = records.iter().map(|record| 28 + record.len() as u64).sum();
                            prop_assert!(before.bytes + bytes > LIMITS.max_bytes);
                        }
                        Err(error) => prop_assert!(false, "{error}"),
                    }
                }
                Step::Take { records, bytes, acknowledges } => {
                    let Ok(batch) = spool.next_batch(records, bytes) else {
                        prop_assert!(disk.has_failed());
                        continue;
                    };
                    let mut used = 0;
                    let mut expected = Vec::new();
                    for record in &queue {
                        let fits = expected.len() < records && used + record.len() <= bytes;
                        if !fits && !expected.is_empty() {
                            break;
                        }
                        used += record.len();
                        expected.push(record.clone());
                    }
                    prop_assert_eq!(&batch.records, &expected);
                    if acknowledges {
                        match spool.acknowledge(batch.end) {
                            Ok(()) => drop(queue.drain(..expected.len())),
                            // It may count after a new start.
                            Err(_) => {
                                prop_assert!(disk.has_failed());
                                disk.works();
                                spool.acknowledge(batch.end).unwrap();
                                queue.drain(..expected.len());
                            }
                        }
                    }
                }
                Step::Reopen | Step::CutPower { .. } if is_unsure => {}
                Step::Reopen => {
                    disk.works();
                    spool = Spool::open_on(disk.clone(), LIMITS).unwrap();
                }
                Step::CutPower { survival } => {
                    let survivals = disk.survivals();
                    disk = disk.after_power_cut(survivals[survival % survivals.len()]);
                    spool = Spool::open_on(disk.clone(), LIMITS).unwrap();
                }
                Step::Fail { first, count } => disk.fail(first..first + count),
            }
            prop_assert_eq!(spool.stats().waiting_records, queue.len() as u64);
            prop_assert!(spool.stats().bytes <= LIMITS.max_bytes);
            prop_assert_eq!(spool.stats().damaged_records, 0);
        }
        disk.works();
        let batch = spool.next_batch(usize::MAX, usize::MAX).unwrap();
        prop_assert_eq!(batch.records, Vec::from(queue));
    }
}

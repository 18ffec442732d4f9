//! Files that were changed behind the spool's back.

use proptest::prelude::*;
use spool::Spool;

use crate::memory_disk::MemoryDisk;
use crate::{SMALL, append, drain, record};

const HEADER_BYTES: usize = 28;

/// Two segments of three records.
fn two_segments() -> MemoryDisk {
    let disk = MemoryDisk::default();
    let mut spool = Spool::open_on(disk.clone(), SMALL).unwrap();
    for number in 0..6 {
        append(&mut spool, [number]);
    }
    assert_eq!(disk.segments().len(), 2);
    disk
}

/// Where each record of a segment that starts with `first` ends.
fn ends(first: usize) -> impl Iterator<Item = (usize, usize)> {
    (first..first + 3).scan(0, |end, number| {
        *end += HEADER_BYTES + record(number).len();
        Some((number, *end))
    })
}

#[test]
fn a_torn_tail_is_cut_off_at_every_length() {
    let disk = two_segments();
    let (name, whole) = disk.segments().pop().unwrap();
    for length in 0..=whole.len() {
        let disk = disk.copy();
        disk.overwrite(&name, &whole[..length]);
        let mut spool = Spool::open_on(disk.clone(), SMALL).unwrap();
        let mut expected: Vec<_> = (0..3).collect();
        expected.extend(
            ends(3)
                .filter(|(_, end)| *end <= length)
                .map(|(number, _)| number),
        );
        let valid = ends(3).map(|(_, end)| end).filter(|end| *end <= length).max();
        let stats = spool.stats();
        assert_eq!(stats.torn_bytes, (length - valid.unwrap_or(0)) as u64, "{length}");
        assert_eq!(
            (stats.damaged_records, stats.waiting_records),
            (0, expected.len() as u64)
        );
        let left = disk.segments().get(1).map(|(_, bytes)| bytes.len());
        assert_eq!(left, (length > 0).then_some(valid.unwrap_or(0)), "{length}");
        append(&mut spool, [9]);
        expected.push(9);
        drop(spool);
        let mut spool = Spool::open_on(disk, SMALL).unwrap();
        assert_eq!(spool.stats().torn_bytes, 0, "{length}");
        assert_eq!(drain(&mut spool), expected, "{length}");
    }
}

#[test]
fn a_flipped_bit_costs_the_one_record_it_is_in() {
    let disk = two_segments();
    for (segment, (name, whole)) in disk.segments().into_iter().enumerate() {
        for at in 0..whole.len() * 8 {
            let (hit, end) = ends(segment * 3).find(|(_, end)| at / 8 < *end).unwrap();
            let mut bytes = whole.clone();
            bytes[at / 8] ^= 1 << (at % 8);
            let mut expected: Vec<_> = (0..6).filter(|number| *number != hit).collect();

            // Before the start, and while it runs.
            let damaged = disk.copy();
            damaged.overwrite(&name, &bytes);
            let mut spool = Spool::open_on(damaged, SMALL).unwrap();
            let running = disk.copy();
            let mut running_spool = Spool::open_on(running.clone(), SMALL).unwrap();
            running.overwrite(&name, &bytes);

            let in_header = at / 8 < end - record(hit).len();
            let is_torn = hit == 5 && in_header;
            assert_eq!(
                spool.stats().damaged_records,
                u64::from(!is_torn),
                "bit {at} of {name}"
            );
            assert_eq!(spool.stats().torn_bytes > 0, hit == 5, "bit {at} of {name}");
            assert_eq!(spool.stats().waiting_records, 5, "bit {at} of {name}");
            expected.push(7);
            for spool in [&mut spool, &mut running_spool] {
                append(spool, [7]);
                assert_eq!(crate::waiting(spool), expected, "bit {at} of {name}");
                assert_eq!(spool.stats().waiting_records, 6, "bit {at} of {name}");
                assert_eq!(drain(spool), expected, "bit {at} of {name}");
            }
            assert_eq!(running_spool.stats().damaged_records, 1, "bit {at} of {name}");
        }
    }
}

#[test]
fn nothing_but_damage_is_deleted() {
    let disk = two_segments();
    for (name, bytes) in disk.segments() {
        disk.overwrite(&name, &vec![0x55; bytes.len()]);
    }
    let mut spool = Spool::open_on(disk.clone(), SMALL).unwrap();
    assert_eq!(
        spool.stats().damaged_records,
        3,
        "those of the second segment left no trace"
    );
    assert_eq!(spool.stats().waiting_records, 0);
    assert_eq!(drain(&mut spool), []);
    assert!(disk.segments().is_empty());
    append(&mut spool, [6]);
    assert_eq!(drain(&mut spool), [6]);
}

#[test]
fn a_lost_file_is_counted() {
    let disk = two_segments();
    let mut spool = Spool::open_on(disk.clone(), SMALL).unwrap();
    let batch = spool.next_batch(1, usize::MAX).unwrap();
    spool.acknowledge(batch.end).unwrap();
    drop(spool);
    let (name, _) = disk.segments().remove(0);
    spool::disk::Disk::remove(&disk, &name).unwrap();
    let mut spool = Spool::open_on(disk, SMALL).unwrap();
    assert_eq!(spool.stats().damaged_records, 2);
    assert_eq!(drain(&mut spool), [3, 4, 5]);
}

#[test]
fn a_record_that_stands_twice_is_given_once() {
    let disk = two_segments();
    for (name, bytes) in disk.segments() {
        disk.overwrite(&name, &bytes.repeat(2));
    }
    let mut spool = Spool::open_on(disk, SMALL).unwrap();
    assert_eq!(spool.stats().waiting_records, 6);
    assert_eq!(drain(&mut spool), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn a_position_that_was_deleted_is_begun_again() {
    let disk = two_segments();
    spool::disk::Disk::remove(&disk, "acknowledged").unwrap();
    let mut spool = Spool::open_on(disk.clone(), SMALL).unwrap();
    let batch = spool.next_batch(1, usize::MAX).unwrap();
    spool.acknowledge(batch.end).unwrap();
    for survival in disk.survivals() {
        let mut spool = Spool::open_on(disk.after_power_cut(survival), SMALL).unwrap();
        assert_eq!(drain(&mut spool), [1, 2, 3, 4, 5]);
    }
}

#[test]
fn an_empty_file_says_what_is_missing_before_it() {
    let disk = two_segments();
    spool::disk::Disk::create(&disk, "0000000000000009-0000000000000001.spool1").unwrap();
    let mut spool = Spool::open_on(disk, SMALL).unwrap();
    let stats = spool.stats();
    assert_eq!((stats.waiting_records, stats.damaged_records), (6, 3));
    append(&mut spool, [9]);
    assert_eq!(drain(&mut spool), [0, 1, 2, 3, 4, 5, 9]);
    assert_eq!(spool.stats().damaged_records, 3);
}

#[test]
fn a_damaged_position_gives_records_again_and_loses_none() {
    let disk = two_segments();
    let mut spool = Spool::open_on(disk.clone(), SMALL).unwrap();
    for _ in 0..2 {
        let batch = spool.next_batch(1, usize::MAX).unwrap();
        spool.acknowledge(batch.end).unwrap();
    }
    drop(spool);
    let whole = disk.content("acknowledged");
    for at in 0..whole.len() {
        let disk = disk.copy();
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        disk.overwrite("acknowledged", &bytes);
        let mut spool = Spool::open_on(disk, SMALL).unwrap();
        // The batch before, at worst.
        let expected = if at >= 4096 { 1..6 } else { 2..6 };
        assert_eq!(drain(&mut spool), expected.collect::<Vec<_>>(), "byte {at}");
    }
    disk.overwrite("acknowledged", b"");
    let mut spool = Spool::open_on(disk, SMALL).unwrap();
    assert_eq!(drain(&mut spool), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn a_record_in_a_record_is_not_given() {
    let elsewhere = two_segments();
    let disk = MemoryDisk::default();
    let mut spool = Spool::open_on(disk.clone(), SMALL).unwrap();
    // A whole segment of another spool, checksums and all.
    spool.append(&[elsewhere.segments().pop().unwrap().1]).unwrap();
    append(&mut spool, [1]);
    let (name, mut bytes) = disk.segments().remove(0);
    bytes[0] ^= 1;
    disk.overwrite(&name, &bytes);
    assert_eq!(drain(&mut spool), [1]);
    assert_eq!(spool.stats().damaged_records, 1);
}

proptest! {
    #[test]
    fn whatever_is_overwritten_the_rest_is_given_in_order(
        cuts in proptest::collection::vec((0_usize..8, 0_usize..120, 0_usize..60, 0_usize..60, any::<u8>()), 1..4),
    ) {
        let disk = two_segments();
        let mut untouched: Vec<usize> = (0..6).collect();
        let mut touched = [false; 2];
        for (segment, start, length, new_length, byte) in cuts {
            let segment = segment % 2;
            if std::mem::replace(&mut touched[segment], true) {
                continue;
            }
            let (name, mut bytes) = disk.segments().swap_remove(segment);
            let start = start.min(bytes.len());
            let end = (start + length).min(bytes.len());
            bytes.splice(start..end, (0..new_length).map(|index| byte.wrapping_mul(index as u8)));
            disk.overwrite(&name, &bytes);
            let hit = |number: usize| {
                let (_, record_end) = ends(segment * 3).find(|(found, _)| *found == number).unwrap();
                record_end > start && record_end - HEADER_BYTES - record(number).len() < end
            };
            untouched.retain(|number| number / 3 != segment || !hit(*number));
        }
        let mut spool = Spool::open_on(disk, SMALL).unwrap();
        let given = drain(&mut spool);
        prop_assert!(given.is_sorted_by(|a, b| a < b), "{given:?}");
        prop_assert!(untouched.iter().all(|number| given.contains(number)), "{untouched:?} {given:?}");
    }
}

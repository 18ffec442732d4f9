//! The skeleton of a run as bytes: bitcode, column by column, as [`crate::backtest`] sends its recordings.

use domain::skeleton::Skeleton;

/// Changes with every change of [`Skeleton`] or of bitcode's major version: a page that is older than its server reads
/// nothing rather than something else.
const FORMAT: &[u8] = b"PLSK1";

/// The bytes of a skeleton.
pub fn encode(skeleton: &Skeleton) -> Vec<u8> {
    let mut sent = skeleton.clone();
    // Steps begin one after the other: the time between two takes fewer bits than the time since 1970.
    let mut last_us = 0;
    for step in &mut sent.steps {
        (step.started_us, last_us) = (step.started_us.wrapping_sub(last_us), step.started_us);
    }
    let mut bytes = FORMAT.to_vec();
    // Only a type that refuses to be written could fail.
    bytes.extend(bitcode::serialize(&sent).unwrap_or_default());
    bytes
}

/// The skeleton of these bytes; `None` when they are none, or one whose places lie outside of its lists.
pub fn decode(bytes: &[u8]) -> Option<Skeleton> {
    let mut skeleton: Skeleton = bitcode::deserialize(bytes.strip_prefix(FORMAT)?).ok()?;
    let mut at_us = 0_i64;
    for step in &mut skeleton.steps {
        at_us = at_us.wrapping_add(step.started_us);
        step.started_us = at_us;
    }
    skeleton.is_sound().then_some(skeleton)
}

#[cfg(test)]
mod tests {
    use domain::skeleton::{Parent, SkeletonStep};
    use domain::{Severity, StepKind, StepStatus};
    use proptest::prelude::*;

    use super::*;

    fn skeleton(count: usize, seed: u64) -> Skeleton {
        let mut noise = seed | 1;
        let mut next = move || {
            noise ^= noise << 13;
            noise ^= noise >> 7;
            noise ^= noise << 17;
            noise
        };
        let mut skeleton = Skeleton {
            names: ["plan", "größer", ""].map(str::to_owned).to_vec(),
            models: vec!["m".to_owned()],
            errors: vec!["429".to_owned()],
            foreign: vec!["gone".to_owned()],
            received_us: 7,
            ..Skeleton::default()
        };
        let mut at_us = 1_795_252_312_000_000;
        for n in 0..count {
            at_us += (next() % 3_000_000) as i64;
            skeleton.ids.push(format!("{:016x}", next()));
            let parent = match next() % 4 {
                0 => Parent::None,
                1 => Parent::Foreign(0),
                _ => Parent::Step(next() as u32 % count as u32),
            };
            skeleton.steps.push(SkeletonStep {
                parent,
                name: next() as u32 % 3,
                model: (next() % 2 == 0).then_some(0),
                error: (n % 90 == 3).then_some(0),
                same_call: (n % 50 == 3).then_some(n as u32 / 500),
                kind: StepKind::ALL[next() as usize % StepKind::ALL.len()],
                status: StepStatus::ALL[next() as usize % 2],
                severity: if n % 70 == 0 {
                    Severity::Warning
                } else {
                    Severity::Ok
                },
                started_us: at_us,
                length_us: (n % 1_000 != 1).then_some((next() % 9_000_000) as i64),
                reported_us: None,
                score: Some(if n % 70 == 0 { 35 } else { 0 }),
                layer: (n % 70 == 0).then_some(3),
                cost_nano_usd: (n % 3 == 0).then_some((next() % 9_000_000) as i64),
                tokens: (n % 3 == 0).then_some((next() % 4_000) as i64),
            });
        }
        skeleton
    }

    proptest! {
        #[test]
        fn goes_there_and_back(count in 0usize..60, seed in any::<u64>()) {
            let skeleton = skeleton(count, seed);
            prop_assert_eq!(decode(&encode(&skeleton)), Some(skeleton));
        }

        #[test]
        fn no_bytes_panic(
            count in 0usize..6,
            cut in any::<prop::sample::Index>(),
            byte in any::<u8>(),
            noise in prop::collection::vec(any::<u8>(), 0..80),
        ) {
            let mut bytes = encode(&skeleton(count, 5));
            let at = cut.index(bytes.len());
            decode(&bytes[..at]);
            bytes[at] = byte;
            if let Some(damaged) = decode(&bytes) {
                prop_assert!(damaged.is_sound());
            }
            decode(&[FORMAT, &noise].concat());
        }
    }

    #[test]
    fn a_hundred_thousand_steps_fit_before_any_compression() {
        let bytes = encode(&skeleton(100_000, 9)).len();
        assert!(bytes < 4_000_000, "{bytes} bytes");
    }
}

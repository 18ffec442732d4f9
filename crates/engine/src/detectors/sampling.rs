//! Which of the matching runs are judged: decided by a hash, so that a run is always in or always out, and one that is in
//! at some rate is in at any higher one.

use domain::detector::SampleRate;
use sha2::{Digest as _, Sha256};

/// Whether the first eight bytes of `sha256("run:detector")`, big-endian, over 2^64 lie below the rate.
pub fn is_sampled(run_id: &str, detector: &str, rate: SampleRate) -> bool {
    let hash = hash(run_id, detector);
    // hash / 2^64 < rate / 10^6, without a fraction.
    u128::from(hash) * 1_000_000 < (u128::from(rate.millionths()) << 64)
}

fn hash(run_id: &str, detector: &str) -> u64 {
    let digest = Sha256::digest(format!("{run_id}:{detector}").as_bytes());
    digest
        .iter()
        .take(8)
        .fold(0, |hash, byte| (hash << 8) | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Worked out with Python: `int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")`.
    #[test]
    fn hashes_are_those_of_others() {
        let check =
            |run: &str, detector: &str, expected: u64| assert_eq!(hash(run, detector), expected, "{run}");
        check(
            "run-1",
            "00000000-0000-0000-0000-000000000007",
            6_285_484_403_299_737_599,
        );
        check(
            "run-2",
            "00000000-0000-0000-0000-000000000007",
            7_399_434_656_321_715_219,
        );
        check("", "d", 15_307_935_586_048_705_392);
        check(
            "ticket 4711 – ä",
            "0193a4f0-0000-7000-8000-000000000001",
            16_183_672_651_797_316_679,
        );
    }

    #[test]
    fn rates_cut_where_the_hash_lies() {
        let detector = "00000000-0000-0000-0000-000000000007";
        let share = |percent: f64| {
            let rate = SampleRate::from_percent(percent).unwrap();
            (0..1_000)
                .filter(|n| is_sampled(&format!("run-{n}"), detector, rate))
                .count()
        };
        assert_eq!(share(0.0), 0);
        assert_eq!(share(2.0), 30);
        assert_eq!(share(25.0), 261);
        assert_eq!(share(50.0), 504);
        assert_eq!(share(99.5), 997);
        assert_eq!(share(100.0), 1000);
    }

    proptest! {
        #[test]
        fn a_higher_rate_holds_what_a_lower_one_holds(run in ".{0,40}", detector in ".{0,40}", low in 0u32..=1_000_000, more in 0u32..=1_000_000) {
            let rate = |millionths: u32| SampleRate::from_millionths(millionths.min(1_000_000)).unwrap();
            if is_sampled(&run, &detector, rate(low)) {
                prop_assert!(is_sampled(&run, &detector, rate(low.saturating_add(more))));
            }
        }
    }
}

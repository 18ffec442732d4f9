//! Requests of exporters with bytes changed, cut, repeated and moved: always the same few thousand, so that what the fuzz
//! target `otlp` looks for without end is looked for a little in every run of the tests.

#[path = "mutated/properties.rs"]
mod properties;

use otlp::wire;
use properties::assert_properties;
use prost::Message as _;

const SEED: &str = include_str!("mutated/seed.json");
const ROUNDS: u64 = 2_000;

/// Numbers that look random and are always the same (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.number() % bound.max(1) as u64) as usize
    }
}

/// One to four changes.
fn mutated(seed: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=numbers.below(4) {
        let at = numbers.below(bytes.len());
        let end = (at + 1 + numbers.below(64)).min(bytes.len());
        match numbers.below(6) {
            0 => bytes[at] ^= 1 << numbers.below(8),
            1 => bytes[at] = numbers.number() as u8,
            2 => bytes.truncate(at + 1),
            3 => drop(bytes.drain(at..end)),
            4 => {
                let part = bytes[at..end].repeat(1 + numbers.below(8));
                let to = numbers.below(bytes.len());
                bytes.splice(to..to, part);
            }
            _ => {
                let part = bytes[at..end].to_vec();
                let to = numbers.below(bytes.len());
                let until = (to + part.len()).min(bytes.len());
                bytes.splice(to..until, part);
            }
        }
        if bytes.is_empty() {
            bytes.push(b'{');
        }
    }
    bytes
}

#[test]
fn changed_requests_are_read_or_refused() {
    let data = wire::of_json(SEED.as_bytes()).unwrap();
    let seeds = [SEED.as_bytes().to_vec(), data.encode_to_vec()];
    let mut numbers = Numbers(16);
    for seed in &seeds {
        assert_eq!(assert_properties(seed), 1, "as it is, it is a span");
        let mut read = 0;
        for _ in 0..ROUNDS {
            read += usize::from(assert_properties(&mutated(seed, &mut numbers)) > 0);
        }
        // Otherwise nothing but the refusals was tried.
        assert!(read > ROUNDS as usize / 50, "{read} of {ROUNDS} were still read");
    }
}

//! Any bytes as a compressed body, in each coding and in two of them: unpacked within what may be kept.

#![no_main]

#[allow(dead_code, reason = "a part of the proxy is fuzzed here")]
#[path = "../../server/src/proxy"]
mod proxy {
    pub(crate) mod capture;
    pub(crate) mod decode;
}

use axum::http::HeaderValue;
use libfuzzer_sys::fuzz_target;
use proxy::capture::{Budget, Reservation};
use proxy::decode::unpacked;

/// What all copies may take here.
const BUDGET_BYTES: usize = 1 << 20;

fuzz_target!(|packed: &[u8]| {
    let budget = Budget::new(BUDGET_BYTES);
    for coding in [
        "gzip",
        "deflate",
        "br",
        "zstd",
        "identity",
        "gzip, br",
        "zstd, deflate",
    ] {
        let mut held = Reservation::of(&budget);
        if let Some(plain) = unpacked(&HeaderValue::from_static(coding), packed, &mut held) {
            assert!(
                plain.len() <= BUDGET_BYTES.max(packed.len()),
                "{coding}: {}",
                plain.len()
            );
        }
        drop(held);
        assert_eq!(budget.used(), 0, "what was reserved is given back");
    }
});

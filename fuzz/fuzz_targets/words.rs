//! Any text as what stands in addresses and forms: filters, times, amounts of money, where a form
//! leads, where a page of the audit log and a page's events begin.

#![no_main]

#[allow(dead_code, reason = "a part of the server is fuzzed here")]
#[path = "../../server/src/local_path.rs"]
mod local_path;

#[allow(dead_code, reason = "a part of the server is fuzzed here")]
#[path = "../../server/src/live"]
mod live {
    pub(crate) mod position;
}

use domain::audit::AuditCursor;
use domain::{NanoUsd, RunFilter, Timestamp};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let pairs: Vec<(&str, &str)> = text
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .collect();
    if let Ok(filter) = RunFilter::from_query(pairs) {
        let written = filter.to_pairs();
        let read = RunFilter::from_query(written.iter().map(|(name, value)| (*name, value.as_str())));
        assert_eq!(read.as_ref(), Ok(&filter), "what is written is read as the same");
        assert!(filter.to_query().is_ascii(), "it stands in an address");
    }
    if let Some(at) = Timestamp::parse_rfc3339(text) {
        assert_eq!(Timestamp::parse_rfc3339(&at.to_string()), Some(at));
    }
    if let Some(money) = NanoUsd::parse_decimal(text) {
        assert_eq!(NanoUsd::parse_decimal(&money.to_decimal()), Some(money));
    }
    if let Ok(cursor) = text.parse::<AuditCursor>() {
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
    }
    if let Ok(position) = text.parse::<live::position::LivePosition>() {
        assert_eq!(position.to_string().parse(), Ok(position));
    }
    let path = local_path::local_path(text);
    assert!(path.starts_with('/') && !path.starts_with("//"), "{path}");
    assert!(
        path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\'),
        "{path}"
    );
});

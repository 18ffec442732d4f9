//! How much of other signals was sent, to say how much was not kept.

use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::size;

/// Log records in a body; 0 for one that can't be read.
pub fn log_records(bytes: &[u8], is_json: bool) -> usize {
    if !is_json {
        return count(bytes, &[&[1], &[2], &[2]]).unwrap_or(0);
    }
    if size::of_json(bytes).is_err() {
        return 0;
    }
    let data: Logs = serde_json::from_slice(bytes).unwrap_or_default();
    let scopes = data.resource_logs.iter().flat_map(|of| &of.scope_logs);
    scopes.map(|of| of.log_records.len()).sum()
}

/// Data points in a body; 0 for one that can't be read.
pub fn data_points(bytes: &[u8], is_json: bool) -> usize {
    if !is_json {
        // Gauges, sums, and the three with distributions.
        return count(bytes, &[&[1], &[2], &[2], &[5, 7, 9, 10, 11], &[1]]).unwrap_or(0);
    }
    if size::of_json(bytes).is_err() {
        return 0;
    }
    let data: Metrics = serde_json::from_slice(bytes).unwrap_or_default();
    let scopes = data.resource_metrics.iter().flat_map(|of| &of.scope_metrics);
    let metrics = scopes.flat_map(|of| &of.metrics);
    let kinds = metrics.flat_map(|of| {
        [
            &of.gauge,
            &of.sum,
            &of.histogram,
            &of.exponential_histogram,
            &of.summary,
        ]
    });
    kinds.flatten().map(|of| of.data_points.len()).sum()
}

/// How many messages lie at the end of a way of fields.
fn count(mut bytes: &[u8], way: &[&[u32]]) -> Option<usize> {
    let Some((here, rest_of_way)) = way.split_first() else {
        return Some(1);
    };
    let mut found = 0;
    while !bytes.is_empty() {
        let (tag, wire_type) = decode_key(&mut bytes).ok()?;
        if here.contains(&tag) && wire_type == WireType::LengthDelimited {
            let length = usize::try_from(decode_varint(&mut bytes).ok()?).ok()?;
            let (own, rest) = bytes.split_at_checked(length)?;
            found += count(own, rest_of_way)?;
            bytes = rest;
        } else {
            skip_field(wire_type, tag, &mut bytes, DecodeContext::default()).ok()?;
        }
    }
    Some(found)
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Logs {
    resource_logs: Vec<OfResourceLogs>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct OfResourceLogs {
    scope_logs: Vec<OfScopeLogs>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct OfScopeLogs {
    log_records: Vec<IgnoredAny>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Metrics {
    resource_metrics: Vec<OfResourceMetrics>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct OfResourceMetrics {
    scope_metrics: Vec<OfScopeMetrics>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct OfScopeMetrics {
    metrics: Vec<Metric>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Metric {
    gauge: Option<Points>,
    sum: Option<Points>,
    histogram: Option<Points>,
    exponential_histogram: Option<Points>,
    summary: Option<Points>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Points {
    data_points: Vec<IgnoredAny>,
}

//! Webhooks of a project's own: a versioned JSON, signed with a timestamp. `docs/alerts.md` shows how to verify it.

use axum::http::StatusCode;
use domain::alert::AlertContent;
use domain::key_limit::Measure;
use domain::{NanoUsd, Timestamp};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use super::message::{Message, Sending};
use super::reply::{Reply, Verdict, retry_after_s, said};

/// The header of the signature.
pub(super) const SIGNATURE: &str = "x-plumbline-signature";
/// How long both secrets sign after a new one was made.
const BOTH_SIGN_MICROS: i64 = 24 * 3_600 * 1_000_000;

/// What is posted. `id` is the same on every attempt.
pub(super) fn body(sending: &Sending, message: &Message) -> Value {
    let mut body = json!({
        "schema_version": 1,
        "id": message.id,
        "trigger": message.trigger.as_str(),
        "project": sending.slug,
        "created_at": message.created_at,
        "occurrences": message.occurrences,
        "subject": message.subject,
        "summary": message.summary,
        "url": sending.url(&message.content),
    });
    if let Some(details) = details(sending, &message.content) {
        body["details"] = details;
    }
    body
}

/// What an incident's cause is, what a detector found, and how a budget or a limit stands.
fn details(sending: &Sending, content: &AlertContent) -> Option<Value> {
    match content {
        AlertContent::Incident(incident) => Some(json!({
            "moment": incident.moment,
            "verdict": incident.sentence,
            "probability": incident.probability,
            "deploy": incident.deploy.as_ref().map(|deploy| json!({
                "id": deploy.deploy_id,
                "name": deploy.name,
                "title": deploy.title,
                "url": deploy.deploy_id.as_deref().map(|id| sending.deploy_url(id)),
            })),
            "evidence": incident.evidence,
            "usd_a_day": incident.nano_usd_a_day.map(NanoUsd::to_decimal),
            "onset_at": incident.onset_at,
            "ended_at": incident.ended_at,
        })),
        AlertContent::Finding(finding) => Some(json!({
            "detector": finding.detector,
            "template": finding.template,
            "finding": finding.summary,
            "step": finding.quote.as_ref().map(|(step, _)| step),
            "quote": finding.quote.as_ref().map(|(_, quote)| quote),
        })),
        AlertContent::Budget(budget) => Some(json!({
            "monthly_usd": budget.monthly.to_decimal(),
            "spent_usd": budget.spent.to_decimal(),
            "expected_usd": budget.expected.map(NanoUsd::to_decimal),
            "used_up_on": budget.used_up_on,
            "is_used_up": budget.is_used_up,
        })),
        AlertContent::KeyLimit(limit) => Some(json!({
            "key": limit.key,
            "measure": limit.measure,
            "limit": of_measure(limit.measure, limit.limit),
            "used": of_measure(limit.measure, limit.used),
            "percent": limit.percent,
            "month_to": limit.month_to,
        })),
        AlertContent::Step(_)
        | AlertContent::ErrorRate { .. }
        | AlertContent::IntegrationBroken { .. }
        | AlertContent::Test { .. } => None,
    }
}

/// Dollars as a decimal text, as everywhere; what is counted as a number.
fn of_measure(measure: Measure, amount: i64) -> Value {
    match measure {
        Measure::Dollars => NanoUsd(amount).to_decimal().into(),
        Measure::Requests | Measure::Tokens => amount.into(),
    }
}

/// `t=<seconds>,v1=<hex>`: HMAC-SHA256 of `<seconds>.<body>` with the text of the secret. Another `v1` for the secret
/// before, as long as it signs too.
pub(super) fn signature(now: Timestamp, body: &[u8], secrets: &[&str]) -> String {
    let seconds = now.micros().div_euclid(1_000_000);
    let mut text = format!("t={seconds}");
    for secret in secrets {
        // Keys of any length will do.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
            continue;
        };
        mac.update(format!("{seconds}.").as_bytes());
        mac.update(body);
        text.push_str(",v1=");
        text.push_str(&hex::encode(mac.finalize().into_bytes()));
    }
    text
}

/// Whether the secret before the present one still signs.
pub(super) fn previous_signs(options: &Value, now: Timestamp) -> bool {
    let rotated_at = options.get("rotated_at_micros").and_then(Value::as_i64);
    rotated_at.is_some_and(|at| now.micros() - at < BOTH_SIGN_MICROS)
}

/// What the receiver's answer means.
pub(super) fn verdict(status: StatusCode, retry_after: Option<&str>, body: &[u8]) -> Reply {
    let verdict = match status.as_u16() {
        200..=299 => Verdict::Taken,
        404 | 410 => Verdict::Stopped,
        408 | 425 | 429 | 500..=599 => Verdict::TryAgain {
            after_s: retry_after_s(retry_after),
        },
        _ => Verdict::Refused,
    };
    Reply::new(verdict, said(status, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_the_documented_text() {
        let now = Timestamp::from_micros(1_764_500_000_999_999);
        // printf '1764500000.{"a":1}' | openssl dgst -sha256 -hmac whsec_test
        let first = signature(now, br#"{"a":1}"#, &["whsec_test"]);
        let mut mac = Hmac::<Sha256>::new_from_slice(b"whsec_test").unwrap();
        mac.update(br#"1764500000.{"a":1}"#);
        let expected = hex::encode(mac.finalize().into_bytes());
        assert_eq!(first, format!("t=1764500000,v1={expected}"));
        let both = signature(now, br#"{"a":1}"#, &["whsec_test", "whsec_old"]);
        assert!(
            both.starts_with(&first) && both.matches(",v1=").count() == 2,
            "{both}"
        );
    }

    #[test]
    fn the_secret_before_signs_for_a_day() {
        let at = 1_764_500_000_000_000;
        let options = json!({ "rotated_at_micros": at });
        assert!(previous_signs(
            &options,
            Timestamp::from_micros(at + BOTH_SIGN_MICROS - 1)
        ));
        assert!(!previous_signs(
            &options,
            Timestamp::from_micros(at + BOTH_SIGN_MICROS)
        ));
        assert!(!previous_signs(&json!({}), Timestamp::from_micros(at)));
    }
}

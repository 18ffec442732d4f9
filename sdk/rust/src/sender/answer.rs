//! One request to the server, and what its answer means.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use serde_json::Value;
use ureq::Agent;
use ureq::http::{StatusCode, Uri};

use super::SenderOptions;
use crate::clock;

const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// A server that asks for more patience is asked again after this.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60);
const MAX_ANSWER_BYTES: u64 = 1024 * 1024;

/// What became of one request.
pub(super) enum Answer {
    /// With what is wrong with each step that was not.
    Taken { rejected: Vec<String> },
    Refused {
        reason: String,
        /// Perhaps because of one step in it.
        is_of_one: bool,
    },
    Again {
        reason: String,
        after: Duration,
        is_failure_of_server: bool,
    },
}

impl Answer {
    /// Whether the other steps of the batch may be taken without one of them.
    pub(super) fn may_be_of_one(&self) -> bool {
        match self {
            Self::Taken { .. } => false,
            Self::Refused { is_of_one, .. } => *is_of_one,
            Self::Again {
                is_failure_of_server, ..
            } => *is_failure_of_server,
        }
    }
}

pub(super) struct Client {
    agent: Agent,
    api_url: String,
    url: String,
    authorization: Option<String>,
}

impl Client {
    pub(super) fn new(options: &SenderOptions) -> Self {
        let mut config = Agent::config_builder()
            .timeout_global(Some(REQUEST_TIMEOUT))
            .http_status_as_error(false)
            // A redirected POST would become a GET without its body.
            .max_redirects(0);
        // Nobody reaches their own machine through a proxy.
        if is_this_machine(&options.api_url) {
            config = config.proxy(None);
        }
        #[cfg(feature = "tls")]
        {
            config = config.tls_config(tls());
        }
        Self {
            agent: config.build().new_agent(),
            api_url: options.api_url.clone(),
            url: format!("{}/ingest/batch", options.api_url),
            authorization: options.api_key.as_ref().map(|key| format!("Bearer {key}")),
        }
    }

    pub(super) fn post(&self, batch: &[Vec<u8>]) -> Answer {
        let mut body = b"{\"steps\":[".to_vec();
        body.extend(batch.join(&b','));
        body.extend(b"]}");
        let mut request = self
            .agent
            .post(&self.url)
            .header("content-type", "application/json");
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        let answered = request.send(&body[..]).and_then(|response| {
            let (head, mut body) = response.into_parts();
            let text = body.with_config().limit(MAX_ANSWER_BYTES).read_to_string()?;
            Ok((head, text))
        });
        match answered {
            Err(cause) => Answer::Again {
                reason: format!("{} was not reached ({cause})", self.api_url),
                after: Duration::ZERO,
                is_failure_of_server: false,
            },
            Ok((head, text)) => {
                let retry_after = head
                    .headers
                    .get("retry-after")
                    .and_then(|header| header.to_str().ok());
                self.read(head.status, retry_after, &text)
            }
        }
    }

    fn read(&self, status: StatusCode, retry_after: Option<&str>, text: &str) -> Answer {
        let body: Value = serde_json::from_str(text).unwrap_or_default();
        if status.is_success() {
            let rejected = body["rejected"].as_array().map(Vec::as_slice).unwrap_or_default();
            let message = |each: &Value| each["message"].as_str().unwrap_or("no reason given").to_owned();
            return Answer::Taken {
                rejected: rejected.iter().map(message).collect(),
            };
        }
        let said = body["error"]["message"].as_str().map(|said| format!(": {said}"));
        let reason = format!(
            "{} answered {}{}",
            self.api_url,
            status.as_u16(),
            said.unwrap_or_default()
        );
        if status.is_server_error() || [408, 429].contains(&status.as_u16()) {
            let after = retry_after
                .and_then(|header| patience(header, clock::now()))
                .unwrap_or_default();
            return Answer::Again {
                reason,
                // Up to a tenth more, so that clients do not come together.
                after: after.mul_f64(1.0 + random() / 10.0),
                is_failure_of_server: status == StatusCode::INTERNAL_SERVER_ERROR,
            };
        }
        Answer::Refused {
            reason,
            is_of_one: [400, 413].contains(&status.as_u16()),
        }
    }
}

/// With the certificates that this machine trusts, and where it has none with those that browsers trust.
#[cfg(feature = "tls")]
fn tls() -> ureq::tls::TlsConfig {
    use ureq::tls::{Certificate, RootCerts, TlsConfig};

    let found = rustls_native_certs::load_native_certs().certs;
    let certificates: Vec<Certificate<'static>> = found
        .iter()
        .map(|certificate| Certificate::from_der(certificate).to_owned())
        .collect();
    let roots = if certificates.is_empty() {
        RootCerts::WebPki
    } else {
        RootCerts::from(certificates)
    };
    TlsConfig::builder().root_certs(roots).build()
}

fn is_this_machine(url: &str) -> bool {
    let Some(host) = url
        .parse::<Uri>()
        .ok()
        .and_then(|uri| uri.host().map(str::to_owned))
    else {
        return false;
    };
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// `Retry-After` in seconds or as a date.
fn patience(header: &str, now: SystemTime) -> Option<Duration> {
    let header = header.trim();
    let asked = match header.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => http_date(header)?.duration_since(now).unwrap_or_default(),
    };
    Some(asked.min(MAX_RETRY_AFTER))
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`, the one form of date that servers still send.
fn http_date(text: &str) -> Option<SystemTime> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let [_, day, month, year, time, "GMT"] = words[..] else {
        return None;
    };
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    humantime::parse_rfc3339(&format!("{year}-{month:02}-{day:0>2}T{time}Z")).ok()
}

/// Between 0 and 1.
pub(super) fn random() -> f64 {
    let bits = u32::try_from(RandomState::new().hash_one(0_u8) >> 32).unwrap_or_default();
    f64::from(bits) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_is_asked_for_in_seconds_or_by_a_date() {
        let now = http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        for (header, expected) in [
            ("3", Some(3)),
            ("0", Some(0)),
            ("86400", Some(60)),
            ("Sun, 06 Nov 1994 08:49:47 GMT", Some(10)),
            ("Sat, 05 Nov 1994 08:49:47 GMT", Some(0)),
            ("soon", None),
            ("", None),
            ("-1", None),
        ] {
            assert_eq!(
                patience(header, now),
                expected.map(Duration::from_secs),
                "{header}"
            );
        }
    }

    #[test]
    fn this_machine_is_known_by_its_names() {
        for (url, expected) in [
            ("http://127.0.0.1:3000", true),
            ("http://localhost:3000", true),
            ("http://[::1]:3000", true),
            ("https://plumbline.example.com", false),
            ("http://10.0.0.7", false),
            ("no address", false),
        ] {
            assert_eq!(is_this_machine(url), expected, "{url}");
        }
    }
}

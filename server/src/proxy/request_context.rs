//! What a call's headers say about the step it becomes: its run, parent, name, session and so on.

use axum::http::HeaderMap;

use crate::step_builder::is_id;

/// Where a step belongs and what it is called, as far as its headers say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestContext {
    pub run_id: Option<String>,
    /// The step that contains it.
    pub parent_step_id: Option<String>,
    pub name: Option<String>,
    pub session_id: Option<String>,
    pub user_id: Option<String>,
    pub environment: Option<String>,
    pub release: Option<String>,
}

impl RequestContext {
    /// Reads our headers, their aliases and `traceparent`. What is blank says nothing; what is too long is cut once no
    /// credential is left in it. A run's id is not cut: cut ones would be mixed up, so the call becomes a run of its own.
    pub fn read(headers: &HeaderMap) -> Self {
        let word = |name: &str| text(headers, name);
        let run_id = text(headers, "x-plumbline-run").filter(|id| is_id(id));
        let trace = text(headers, "traceparent");
        let trace = trace.as_deref().and_then(trace_and_span);
        // A span of a trace is a step of the run that the trace is.
        let parent = match (&run_id, trace) {
            (Some(run), Some((trace, span))) if run == trace => Some(span),
            (None, Some((_, span))) => Some(span),
            _ => None,
        };
        Self {
            parent_step_id: parent.map(str::to_owned),
            run_id: run_id.or_else(|| trace.map(|(trace, _)| trace.to_owned())),
            name: word("x-plumbline-step"),
            session_id: word("x-plumbline-session").or_else(|| word("x-llmtrace-session")),
            user_id: word("x-plumbline-user"),
            environment: word("x-plumbline-environment"),
            release: word("x-plumbline-release"),
        }
    }
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    let text = String::from_utf8_lossy(headers.get(name)?.as_bytes());
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// Trace and parent of a W3C `traceparent`: `00-<32 hex>-<16 hex>-<2 hex>`, of later versions the beginning. All zeros
/// are no id.
fn trace_and_span(value: &str) -> Option<(&str, &str)> {
    let mut parts = value.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_hex = |text: &str, length: usize| {
        text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_id = |text: &str, length| is_hex(text, length) && text.bytes().any(|byte| byte != b'0');
    let is_known = is_hex(version, 2) && version != "ff" && is_hex(flags, 2);
    let is_whole = version != "00" || parts.next().is_none();
    (is_known && is_whole && is_id(trace, 32) && is_id(span, 16)).then_some((trace, span))
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    fn context(lines: &[(&str, &str)]) -> RequestContext {
        let headers = lines.iter().map(|(name, value)| {
            (
                name.parse::<HeaderName>().unwrap(),
                HeaderValue::from_bytes(value.as_bytes()).unwrap(),
            )
        });
        RequestContext::read(&headers.collect())
    }

    #[test]
    fn runs_and_parents() {
        let parent = format!("00-{TRACE}-{SPAN}-01");
        let check = |lines: &[(&str, &str)], run: Option<&str>, step: Option<&str>| {
            let context = context(lines);
            assert_eq!(
                (context.run_id.as_deref(), context.parent_step_id.as_deref()),
                (run, step),
                "{lines:?}"
            );
        };
        check(&[], None, None);
        check(&[("traceparent", &parent)], Some(TRACE), Some(SPAN));
        check(
            &[("traceparent", &parent), ("x-plumbline-run", "r1")],
            Some("r1"),
            None,
        );
        check(
            &[("traceparent", &parent), ("x-plumbline-run", TRACE)],
            Some(TRACE),
            Some(SPAN),
        );
        check(&[("x-plumbline-run", " r1 ")], Some("r1"), None);
        check(&[("x-plumbline-run", " ")], None, None);
        check(&[("x-plumbline-run", &"r".repeat(257))], None, None);
        check(&[("traceparent", &format!("{parent}-more"))], None, None);
        check(
            &[("traceparent", &format!("cc-{TRACE}-{SPAN}-01-more"))],
            Some(TRACE),
            Some(SPAN),
        );
        check(&[("traceparent", &format!("ff-{TRACE}-{SPAN}-01"))], None, None);
        check(
            &[("traceparent", &format!("00-{}-{SPAN}-01", "0".repeat(32)))],
            None,
            None,
        );
        check(&[("traceparent", &parent.to_uppercase())], None, None);
        check(&[("traceparent", "rubbish")], None, None);
    }

    #[test]
    fn words() {
        let context = context(&[
            ("x-plumbline-step", "classify-intent"),
            ("x-llmtrace-session", "s1"),
            ("x-plumbline-user", "größe"),
        ]);
        assert_eq!(context.name.as_deref(), Some("classify-intent"));
        assert_eq!(context.session_id.as_deref(), Some("s1"));
        assert_eq!(context.user_id.as_deref(), Some("größe"));
        assert_eq!(context.release, None);
    }
}

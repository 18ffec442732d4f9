//! What people type into the filter bar: `status:error`, `cost > 0.05`, or any text.

use super::{FilterError, RANGE_FIELDS, RunFilter, TEXT_FIELDS};

/// Other words for a parameter that people type.
const ALIASES: [(&str, &str); 6] = [
    ("env", "environment"),
    ("name", "q"),
    ("duration", "latency"),
    ("time", "latency"),
    ("label", "key"),
    ("text", "q"),
];

impl RunFilter {
    /// Adds one typed term. `field:value`, `field=value`, `field is value`, `cost > 0.05`, `latency <= 3000`;
    /// whatever is none of these searches as text.
    pub fn add_term(&mut self, term: &str) -> Result<(), FilterError> {
        let term = term.trim();
        for (operator, suffix) in [(">=", "_min"), ("<=", "_max"), (">", "_min"), ("<", "_max")] {
            if let Some((field, value)) = term.split_once(operator) {
                let name = format!("{}{suffix}", canonical(field));
                if RANGE_FIELDS.contains(&name.as_str()) {
                    let value = value.trim().trim_start_matches('$').replace(',', "");
                    return self.set(&name, milliseconds(&name, &value).as_deref().unwrap_or(&value));
                }
            }
        }
        for operator in [":", "=", " is "] {
            if let Some((field, value)) = term.split_once(operator) {
                let name = canonical(field);
                if matches!(name.as_str(), "status" | "severity")
                    || name.starts_with("attributes.")
                    || TEXT_FIELDS.contains(&name.as_str())
                {
                    let value = value.trim().trim_matches('"');
                    let value = if name == "status" && value == "failed" {
                        "error"
                    } else {
                        value
                    };
                    return self.set(&name, value);
                }
            }
        }
        match term {
            "" => Ok(()),
            "failed" | "error" => self.set("status", "error"),
            "running" => self.set("status", "running"),
            "critical" | "warning" => self.set("severity", term),
            text => self.set("q", text),
        }
    }
}

fn canonical(field: &str) -> String {
    let field = field.trim().to_ascii_lowercase();
    ALIASES
        .iter()
        .find(|(alias, _)| *alias == field)
        .map_or(field, |(_, name)| (*name).to_owned())
}

/// `3s`, `2.5 s`, `800ms` in whole milliseconds; `None` when the text has no unit.
fn milliseconds(name: &str, value: &str) -> Option<String> {
    if !name.starts_with("latency") {
        return None;
    }
    let (number, factor) = match value.strip_suffix("ms") {
        Some(number) => (number, 1.0),
        None => (value.strip_suffix('s')?, 1_000.0),
    };
    let ms = number.trim().parse::<f64>().ok().filter(|n| n.is_finite())? * factor;
    Some(format!("{ms:.0}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typed_terms() {
        let check = |term: &str, expected: &str| {
            let mut filter = RunFilter::default();
            let said = filter
                .add_term(term)
                .map_or_else(|e| e.to_string(), |()| filter.to_query());
            assert_eq!(said, expected, "{term}");
        };
        check("status:error", "status=error");
        check("status is failed", "status=error");
        check("critical", "severity=critical");
        check("env = production", "environment=production");
        check("cost > 0.05", "cost_min=0.05");
        check("cost<=$1,000", "cost_max=1000");
        check("latency > 2.5s", "latency_min=2500");
        check("duration < 800 ms", "latency_max=800");
        check("tokens >= 5000", "tokens_min=5000");
        check("model:claude-haiku-4-5", "model=claude-haiku-4-5");
        check("status:broken", "status: is ok, error or running");
        check("a < b", "q=a%20%3C%20b");
        check("refund request", "q=refund%20request");
        check("   ", "");
    }
}

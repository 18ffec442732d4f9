//! What stands in the form of Settings → Redaction, as it was typed.

use domain::filter::encode_query;
use engine::redaction::{Kind, OwnPattern, Settings, Treatment};

/// The form of Settings → Redaction.
#[derive(Clone, Copy, Debug)]
pub struct RedactionDraft;

impl RedactionDraft {
    /// What the form's fields set. What can't be used is among it, and [`Settings::check`] says what that is.
    pub fn settings<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Settings {
        let mut settings = Settings::default();
        for (name, value) in pairs {
            if name == "own" {
                settings.own = own(value);
            } else if let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.as_str() == name)
                && let Some(treatment) = Treatment::parse(value)
                && treatment != Treatment::Off
            {
                settings.kinds.insert(kind, treatment);
            }
        }
        settings
    }

    /// The address of the page on which such settings are typed in.
    pub fn query(settings: &Settings) -> String {
        let own = own_lines(settings);
        let kinds = Kind::ALL.map(|kind| (kind.as_str(), settings.of(kind).as_str()));
        let rest = [("own", own.as_str()), ("preview", "1")];
        encode_query(kinds.into_iter().chain(rest))
    }
}

/// A line each: name, treatment and pattern, as in `ticket mask ACME-\d+`.
fn own(text: &str) -> Vec<OwnPattern> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let mut words = line.splitn(3, char::is_whitespace).map(str::trim);
            let name = words.next().unwrap_or_default();
            let treatment = words.next().and_then(Treatment::parse);
            match (treatment, words.next()) {
                (Some(treatment), pattern) => OwnPattern {
                    name: name.to_owned(),
                    pattern: pattern.unwrap_or_default().to_owned(),
                    treatment,
                },
                // No name of a pattern has a blank.
                (None, _) => OwnPattern {
                    name: line.to_owned(),
                    pattern: String::new(),
                    treatment: Treatment::Off,
                },
            }
        })
        .collect()
}

/// The lines of own patterns, as the form reads them.
pub(super) fn own_lines(settings: &Settings) -> String {
    let line = |own: &OwnPattern| {
        if own.pattern.is_empty() {
            return own.name.clone();
        }
        format!("{} {} {}", own.name, own.treatment.as_str(), own.pattern)
    };
    settings.own.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_comes_back() {
        let typed = [
            ("key", "mask"),
            ("email", "hash"),
            ("card", "off"),
            ("phone", "nonesuch"),
            ("own", "ticket mask ACME-\\d+ x\n\n order hash o[0-9]{4}\n"),
        ];
        let settings = RedactionDraft::settings(typed.into_iter());
        assert_eq!(settings.check(), Ok(()));
        assert_eq!(settings.of(Kind::Key), Treatment::Mask);
        assert_eq!(settings.of(Kind::Email), Treatment::Hash);
        assert_eq!(settings.kinds.len(), 2);
        assert_eq!(
            own_lines(&settings),
            "ticket mask ACME-\\d+ x\norder hash o[0-9]{4}"
        );
        let query = RedactionDraft::query(&settings);
        let pairs = crate::query_string::pairs(&query);
        let again = RedactionDraft::settings(pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())));
        assert_eq!(again, settings);
    }

    #[test]
    fn what_cant_be_used_is_kept_and_refused() {
        for typed in ["ticket", "ticket ACME-\\d+", "ticket mask", "ticket mask ("] {
            let settings = RedactionDraft::settings([("own", typed)].into_iter());
            assert!(settings.check().is_err(), "{typed}");
            assert!(own_lines(&settings).starts_with("ticket"), "{typed}");
        }
    }
}

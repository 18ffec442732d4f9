use domain::StepStatus;
use serde_json::json;

use super::*;
use crate::timeline::sample::{BEGIN, condition as found, step as sample_step};

const SECRET: &str = "canary-7f3a";

fn share(content: ShareContent) -> Share {
    Share {
        id: Default::default(),
        run_id: "r".to_owned(),
        content,
        leaves_out_people: true,
        leaves_out_key: true,
        created_by: "mara@acme.dev".to_owned(),
        created_at: BEGIN,
        expires_at: BEGIN,
        revoked_at: None,
        last_opened_at: None,
        open_count: 0,
    }
}

#[test]
fn nothing_that_was_said_is_left_of_a_step() {
    let secret = || Some(SECRET.to_owned());
    let mut said = sample_step("s", None, 0, 5);
    said.status = StepStatus::Error;
    (said.error, said.error_class, said.stop_reason, said.service_tier) =
        (secret(), secret(), secret(), secret());
    (said.template_fingerprint, said.price_version) = (secret(), secret());
    said.key_label = SECRET.to_owned();
    said.conditions = engine::codes::ALL
        .iter()
        .filter(|code| !FIGURES_ONLY.contains(&code.code))
        .map(|code| Condition {
            observed: SECRET.to_owned(),
            expected: SECRET.to_owned(),
            place: Some(Place::Pointer(format!("/{SECRET}"))),
            ..found(code.code, SECRET)
        })
        .collect();
    for content in [ShareContent::Masked, ShareContent::Removed] {
        let shown = step(said.clone(), &share(content));
        let json = serde_json::to_string(&shown).unwrap();
        assert!(!json.contains(SECRET), "{json}");
        assert_eq!(shown.conditions.len(), said.conditions.len());
        assert!(shown.conditions.iter().all(|found| found.message.ends_with('.')));
    }
    let shown = step(said, &share(ShareContent::Shown));
    assert_eq!((shown.error, shown.key_label.as_str()), (secret(), ""));
}

#[test]
fn the_end_of_a_long_text_is_masked_too() {
    let text = format!("{}{SECRET}", "a ".repeat(1024 * 1024));
    let sent = SentText::of(text, false);
    assert!(sent.tail.ends_with(SECRET));
    let hidden = masked(sent.clone());
    assert!(!serde_json::to_string(&hidden).unwrap().contains(SECRET));
    assert_eq!(hidden.total_bytes, sent.total_bytes);
}

#[test]
fn masked_texts_keep_sizes_and_keys() {
    let text = |text: &str| Some(SentText::of(text.to_owned(), false));
    let fields = |value: Value| value.as_object().cloned().unwrap_or_default();
    let said = StepTexts {
        input: text(r#"{"messages":[{"role":"user","content":"canary-7f3a"}]}"#),
        output: text(SECRET),
        prompt_template: text(SECRET),
        attributes: fields(json!({ "http.method": SECRET, SECRET: 7, "nested": { "k": [SECRET, true] } })),
        attribute_count: 3,
        events: vec![StepEvent {
            at: BEGIN,
            name: SECRET.to_owned(),
            attributes: fields(json!({ "k": SECRET })),
        }],
        event_count: 1,
        price: None,
    };
    let masked = of_texts(said.clone(), ShareContent::Masked);
    let json = serde_json::to_string(&masked).unwrap();
    assert!(!json.contains(SECRET) && !json.contains('7'), "{json}");
    assert_eq!(
        masked.input.as_ref().map(|input| input.text.as_str()),
        Some(r#"{"messages":[{"role":"user","content":"xxxxxx-0x0x"}]}"#)
    );
    assert_eq!(masked.attributes["nested"], json!({ "k": ["xxxxxx-0x0x", null] }));
    assert_eq!((masked.attribute_count, masked.event_count), (3, 1));
    let removed = serde_json::to_value(of_texts(said, ShareContent::Removed)).unwrap();
    assert_eq!(
        removed,
        json!({ "input": null, "output": null, "prompt_template": null, "attributes": {}, "attribute_count": 0,
            "events": [], "event_count": 0, "price": null })
    );
}

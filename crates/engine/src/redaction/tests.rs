use domain::NewStep;
use serde_json::json;

use super::*;

const KEY: [u8; 32] = [7; 32];

fn all(treatment: Treatment) -> Redactor {
    let settings = Settings {
        kinds: Kind::ALL.map(|kind| (kind, treatment)).into(),
        own: Vec::new(),
    };
    Redactor::new(&settings, &KEY).unwrap()
}

fn own(name: &str, pattern: &str) -> Result<Redactor, SettingsError> {
    let own = OwnPattern {
        name: name.to_owned(),
        pattern: pattern.to_owned(),
        treatment: Treatment::Mask,
    };
    let settings = Settings {
        own: vec![own],
        ..Settings::default()
    };
    Redactor::new(&settings, &KEY)
}

fn masked(text: &str) -> String {
    let mut hidden = Hidden::default();
    let left = all(Treatment::Mask).text(text, &mut hidden);
    assert_eq!(left.is_none(), hidden.is_empty(), "{text}");
    left.unwrap_or_else(|| text.to_owned())
}

#[test]
fn what_is_hidden() {
    let check = |text: &str, expected: &str| assert_eq!(masked(text), expected, "{text}");
    check("Write to mara.k@acme.dev.", "Write to [hidden email].");
    check("<jürgen@bücher.example>", "<[hidden email]>");
    check("a+b@x.co,c@y.org", "[hidden email],[hidden email]");
    check("pay 4111 1111 1111 1111 12/29", "pay [hidden card] 12/29");
    check("5555-5555-5555-4444", "[hidden card]");
    check("378282246310005;", "[hidden card];");
    check("IBAN DE89 3704 0044 0532 0130 00.", "IBAN [hidden iban].");
    check("gb82west12345698765432", "[hidden iban]");
    check("AT611904300234573201", "[hidden iban]");
    check("Call +43 660 1234567 now", "Call [hidden phone] now");
    check(
        "(555) 234-5678 or 555-234-5678",
        "[hidden phone] or [hidden phone]",
    );
    check("key: sk-proj-0123456789abcdefgh", "key: [hidden key]");
    check("sk-ant-api03-AbCdEfGhIjKlMnOp_q", "[hidden key]");
    check("AKIAIOSFODNN7EXAMPLE0", "[hidden key]");
    check("ghp_0123456789abcdefABCDEF0123456789abcd", "[hidden key]");
    check(
        "Authorization: Bearer 0123456789abcdef.0123/+=",
        "Authorization: Bearer [hidden key]",
    );
    check(
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
        "[hidden key]",
    );
    check(
        "a -----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY----- b",
        "a [hidden key] b",
    );
    check("-----BEGIN PRIVATE KEY-----\nMIIE", "[hidden key]");
}

#[test]
fn what_is_left_as_it_is() {
    for text in [
        "",
        "no values here, 12.5 % of 4 at @mara",
        "user@localhost, 3@4.5, a @ b.dev",
        // A wrong check digit, a beginning of no issuer, a time in milliseconds, decimals.
        "4111 1111 1111 1112",
        "1234567890123452",
        "1732999999999 and 1764547200000000",
        "0.4111111111111111",
        "4111111111111111a",
        "DE88 3704 0044 0532 0130 00",
        "ZZ89 3704 0044 0532 0130 00",
        "+1 and +12 3 of 550e8400-e29b-41d4-a716-446655440000",
        "2026-11-30 10.20.30 555-1234",
        "sk-team-of-five-people-and-more",
        "Bearer of-good-news-for-all-of-us",
        "claude-3-5-sonnet-20241022",
    ] {
        assert_eq!(masked(text), text);
    }
}

#[test]
fn north_american_numbers_are_known_by_their_form_or_by_the_words_before_them() {
    for number in [
        "(555) 234-5678",
        "(555)234-5678",
        "(555) 234 5678",
        "(555) 234.5678",
        "555-234-5678",
        "555.234.5678",
        "1-555-234-5678",
        "1.555.234.5678",
        "1 (555) 234-5678",
    ] {
        assert_eq!(masked(number), "[hidden phone]");
        assert_eq!(masked(&format!("At {number}, ask.")), "At [hidden phone], ask.");
    }
    for (words, number) in [
        ("phone: ", "5552345678"),
        ("Phone number is ", "555 234 5678"),
        ("Tel. ", "555 2345678"),
        ("TEL:", "15552345678"),
        ("my mobile is ", "1 555 234 5678"),
        ("fax=", "555/234/5678"),
        ("sms ", "555 234-5678"),
        ("Call me at ", "555 234 5678"),
        ("reach us on our direct no. ", "555 234 5678"),
        ("text her at ", "1 555 234 5678"),
    ] {
        let text = format!("{words}{number} please");
        assert_eq!(masked(&text), format!("{words}[hidden phone] please"), "{text}");
    }
}

#[test]
fn orders_times_and_amounts_are_no_phone_numbers() {
    for text in [
        "order 5552345678",
        "Order no. 5552345678 of 2345678901",
        "order number 555 234 5678",
        "invoice # 555 234 5678, total 200 300 4000",
        "tool call 5552345678 failed",
        "cell 2345678901 of the sheet",
        "text 2345678901 bytes",
        // Seconds and milliseconds since 1970, an area or exchange that is none, too many or too few digits.
        "phone: 1764504000",
        "phone: 1764504000000",
        "phone 055 234 5678",
        "phone 555 134 5678",
        "phone 55523456789",
        "phone 555234567",
        "phone order 5552345678",
        "smartphone5552345678",
        "phone 5552345678x",
        "2026-11-30T10:20:30.5552345678Z",
        "version 1.555.234.567",
        "10.200.300.4000",
        "1 555 234 5678",
    ] {
        assert_eq!(masked(text), text);
    }
}

#[test]
fn json_stays_json_and_keeps_every_other_byte() {
    let check = |text: &str, expected: &str| assert_eq!(masked(text), expected, "{text}");
    check(
        r#"{"to": "mara@acme.dev",  "n": 1.50}"#,
        r#"{"to": "[hidden email]",  "n": 1.50}"#,
    );
    // An escape in front of a value is no part of it.
    check(r#"["a\nmara@acme.dev"]"#, r#"["a\n[hidden email]"]"#);
    check(r#"["mara\u0040acme.dev"]"#, r#"["[hidden email]"]"#);
    check(r#"{"card":4111111111111111}"#, r#"{"card":"[hidden card]"}"#);
    check(r#"{"mara@acme.dev":1}"#, r#"{"[hidden email]":1}"#);
    check(
        r#"{"arguments":"{\"to\":\"mara\\u0040acme.dev\"}"}"#,
        r#"{"arguments":"{\"to\":\"[hidden email]\"}"}"#,
    );
    check(r#"{"a":"mara@acme.dev"#, r#"{"a":"[hidden email]"#);
    check("[INST] mara@acme.dev", "[INST] [hidden email]");
    check(r#"{"a":"\"#, r#"{"a":"\"#);
}

#[test]
fn a_string_that_somebody_cut_is_read_as_the_others_are() {
    let check = |text: &str, expected: &str| assert_eq!(masked(text), expected, "{text}");
    check(
        r#"{"a":"key:\nsk-proj-0123456789abcdefgh and"#,
        r#"{"a":"key:\n[hidden key] and"#,
    );
    check(
        r#"["\ud83d\nsk-proj-0123456789abcdefgh"]"#,
        "[\"\u{fffd}\\n[hidden key]\"]",
    );
    check(
        r#"["mara\u0040acme.dev \ud83d\ude00\u00"#,
        "[\"[hidden email] \u{1f600}\\\\u00",
    );
    check(r#"["\x mara\u0040acme.dev"]"#, r#"["\\x [hidden email]"]"#);
    check(r#"["mara\u0040acme.dev\""#, r#"["[hidden email]\""#);
}

#[test]
fn an_escape_before_a_value_is_no_part_of_it() {
    let check = |text: &str, expected: &str| assert_eq!(masked(text), expected, "{text}");
    check(
        r#"Result: {"a":"x\n+4366412345678"}"#,
        r#"Result: {"a":"x\n[hidden phone]"}"#,
    );
    check(r"line\nsk-ant-api03-AbCdEfGhIjKlMnOp_q", r"line\n[hidden key]");
    check(
        r"a\r\nBearer 0123456789abcdef.0123/+=",
        r"a\r\nBearer [hidden key]",
    );
    check(r"a\t4111 1111 1111 1111", r"a\t[hidden card]");
    check(r"a\\\fDE89 3704 0044 0532 0130 00.", r"a\\\f[hidden iban].");
    check(r"a\\bgb82west12345698765432", r"a\\b[hidden iban]");
    check(r"a\u000a4111111111111111", r"a\u000a[hidden card]");
    check(r"a\x0ask-proj-0123456789abcdefgh", r"a\x0a[hidden key]");
    check(
        "\x1b[31msk-proj-0123456789abcdefgh\x1b[0m",
        "\x1b[31m[hidden key]\x1b[0m",
    );
    check(
        r"\u001b[1;31m555-234-5678\u001b[0m",
        r"\u001b[1;31m[hidden phone]\u001b[0m",
    );
    check(r"\\x1b[m+43 660 1234567\n", r"\\x1b[m[hidden phone]\n");
    for text in [
        r"a\d4111111111111111",
        r"a\u00z04111111111111111",
        r"a\x0z4111111111111111",
        "[31m4111111111111111",
        "n4111111111111111",
    ] {
        assert_eq!(masked(text), text);
    }
}

#[test]
fn equal_values_have_equal_hashes_in_one_project_alone() {
    let hashed = |redactor: &Redactor, text: &str| redactor.text(text, &mut Hidden::default()).unwrap();
    let ours = all(Treatment::Hash);
    let one = hashed(&ours, "mara@acme.dev");
    assert!(one.starts_with("[hidden email ") && one.len() == 27, "{one}");
    assert_eq!(hashed(&ours, "to mara@acme.dev"), format!("to {one}"));
    assert_ne!(hashed(&ours, "tom@acme.dev"), one);
    let settings = Settings {
        kinds: [(Kind::Email, Treatment::Hash)].into(),
        ..Settings::default()
    };
    let theirs = Redactor::new(&settings, &[8; 32]).unwrap();
    assert_ne!(hashed(&theirs, "mara@acme.dev"), one);
}

#[test]
fn own_patterns_are_bounded() {
    let tickets = own("ticket", r"ACME-\d+").unwrap();
    let mut hidden = Hidden::default();
    assert_eq!(
        tickets.text("see ACME-1042, mara@acme.dev", &mut hidden).unwrap(),
        "see [hidden ticket], mara@acme.dev"
    );
    assert_eq!(hidden.0, BTreeMap::from([("ticket".to_owned(), 1)]));
    for pattern in [
        "",
        "(",
        "a*",
        r"(a)\1",
        "(?=a)b",
        r"(\w{90}){90}",
        "a\nb",
        &"a".repeat(201),
    ] {
        assert_eq!(
            own("ticket", pattern).unwrap_err(),
            SettingsError::Pattern(pattern.to_owned())
        );
    }
    for name in ["", "Ticket", "a b", "email", "text", &"a".repeat(25)] {
        assert_eq!(
            own(name, "abcd").unwrap_err(),
            SettingsError::Name(name.to_owned())
        );
    }
    let many = OwnPattern {
        name: "a".to_owned(),
        pattern: "abcd".to_owned(),
        treatment: Treatment::Off,
    };
    let settings = Settings {
        own: vec![many; MAX_OWN + 1],
        ..Settings::default()
    };
    assert_eq!(settings.check(), Err(SettingsError::TooMany));
}

#[test]
fn where_kinds_overlap_all_of_it_is_hidden_once() {
    let settings = Settings {
        kinds: [(Kind::Email, Treatment::Mask)].into(),
        own: vec![OwnPattern {
            name: "order".to_owned(),
            pattern: "order-[a-z]+".to_owned(),
            treatment: Treatment::Mask,
        }],
    };
    let redactor = Redactor::new(&settings, &KEY).unwrap();
    let mut hidden = Hidden::default();
    assert_eq!(
        redactor.text("order-mara@acme.dev!", &mut hidden).unwrap(),
        "[hidden email]!"
    );
    assert_eq!(hidden.total(), 1);
}

#[test]
fn a_text_of_values_does_not_grow_without_end() {
    let text = "a@b.cc ".repeat(MAX_VALUES + 1);
    assert_eq!(masked(&text), "[hidden text]");
    let json = format!("[{}]", vec![r#""a@b.cc""#; MAX_VALUES + 1].join(","));
    assert_eq!(masked(&json), "[hidden text]");
}

#[test]
fn a_text_with_too_many_matches_of_a_pattern_is_hidden_as_a_whole() {
    // Also where they are too short to be hidden one by one: each of them took a search.
    let redactor = own("short", "[A-Z]").unwrap();
    let of = |times: usize| redactor.text(&"A ".repeat(times), &mut Hidden::default());
    assert_eq!(of(MAX_VALUES - 1), None);
    assert_eq!(of(MAX_VALUES + 1).as_deref(), Some("[hidden short]"));
}

#[test]
fn own_values_are_found_wherever_they_stand_in_a_long_text() {
    let redactor = own("ticket", "ACME-[0-9]+").unwrap();
    let mut hidden = Hidden::default();
    let text = "é".repeat(8_187) + "ACME-" + &"7".repeat(100_000) + " " + &"é".repeat(40_000) + "ACME-1234";
    let left = redactor.text(&text, &mut hidden).unwrap();
    assert!(!left.contains('7') && !left.contains("ACME"), "{}", left.len());
    assert_eq!(hidden.total(), 2);
    // A blank match is none, and does not hold the search up.
    let blank = own("blank", r"\b").unwrap();
    assert_eq!(blank.text("é a b", &mut Hidden::default()), None);
}

#[test]
fn every_text_of_a_step_and_ids_stay_apart() {
    let canary = "canary@acme.dev";
    let step = |user: &str| -> NewStep {
        serde_json::from_value(json!({
            "run_id": format!("run of {user}"), "step_id": "s", "parent_step_id": canary, "kind": "llm", "name": canary,
            "step_index": null, "provider": canary, "request_model": canary, "model": canary,
            "started_at": "2026-11-30T10:00:00Z", "ended_at": null, "latency_ms": 1.0, "ttft_ms": null,
            "status": "error", "error": canary, "error_class": canary, "stop_reason": canary, "service_tier": canary,
            "max_gap_ms": null, "stream_incomplete": false, "tokens": {}, "web_searches": null,
            "reported_cost": null, "environment": canary, "release": canary, "session_id": canary, "user_id": user,
            "tags": [canary], "tool_name": canary,
            "attributes": { "a": { canary: [canary, 4_111_111_111_111_111_u64] } },
            "usage_details": { "tools": { canary: 1 }, "geography": canary, "unknown_shape": canary, "unpriced": [canary] },
            "prompt_template": canary, "input": format!("[{{\"content\":\"{canary}\"}}]"), "output": canary,
            "events": [{ "at": "2026-11-30T10:00:00Z", "name": canary, "attributes": { "b": canary } }]
        }))
        .unwrap()
    };
    let redactor = all(Treatment::Mask);
    let (mut mine, mut theirs) = (step(canary), step("other@acme.dev"));
    let hidden = redactor.step(&mut mine);
    redactor.step(&mut theirs);
    let said = serde_json::to_string(&mine).unwrap();
    assert!(!said.contains("canary@") && !said.contains("41111"), "{said}");
    assert_eq!(hidden.0.get("card"), Some(&1));
    assert!(
        mine.run_id.starts_with("run of [hidden email "),
        "{}",
        mine.run_id
    );
    assert_ne!(mine.run_id, theirs.run_id);
    assert_ne!(mine.user_id, theirs.user_id);
    assert_eq!(mine.session_id, theirs.session_id);
    let again = redactor.step(&mut mine);
    assert!(again.is_empty(), "{again:?}");
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_second_time_changes_nothing(text in "[a-z0-9@.+{}\":,\\\\\\[\\] -]{0,80}") {
            for treatment in [Treatment::Mask, Treatment::Hash] {
                let redactor = all(treatment);
                if let Some(once) = redactor.text(&text, &mut Hidden::default()) {
                    prop_assert_eq!(redactor.text(&once, &mut Hidden::default()), None, "{}", once);
                }
            }
        }

        #[test]
        fn values_are_found_wherever_they_stand(before in "\\PC{0,20}", after in "\\PC{0,20}") {
            let text = format!("{before} canary@acme.dev {after}");
            prop_assert!(!masked(&text).contains("canary@"), "{}", text);
            let json = json!({ "a": [text, { "b": text }] }).to_string();
            let left = masked(&json);
            prop_assert!(!left.contains("canary@"), "{}", json);
            prop_assert!(serde_json::from_str::<serde_json::Value>(&left).is_ok(), "{}", left);
        }
    }
}

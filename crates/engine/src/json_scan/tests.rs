use proptest::prelude::*;

use super::*;

#[test]
fn names_the_first_bad_byte() {
    let check = |text: &str, expected: Result<JsonKind, (usize, Inside)>| {
        assert_eq!(
            super::check(text).map_err(|e| (e.at, e.inside)),
            expected,
            "{text:?}"
        );
    };
    check("{}", Ok(JsonKind::Object { empty: true }));
    check(
        " {\"a\" : [1, 2.5e-3, {}]} \n",
        Ok(JsonKind::Object { empty: false }),
    );
    check("[]", Ok(JsonKind::Array));
    check("[[[]], \"\\u00e9\\n\"]", Ok(JsonKind::Array));
    check("-0.5", Ok(JsonKind::Scalar));
    check("null", Ok(JsonKind::Scalar));
    check("\"a long string without anything special\"", Ok(JsonKind::Scalar));
    check("", Err((0, Inside::Top)));
    check("{\"a\":1,}", Err((7, Inside::Object)));
    check("{\"a\":[1,2", Err((9, Inside::Array)));
    check("{\"a\":\"abc", Err((9, Inside::Text)));
    check("{\"a\" 1}", Err((5, Inside::Object)));
    check("{'a':1}", Err((1, Inside::Object)));
    check("[1] x", Err((4, Inside::Top)));
    check("[01]", Err((2, Inside::Array)));
    check("[1.]", Err((3, Inside::Array)));
    check("nul", Err((3, Inside::Top)));
    check("\"tab\there\"", Err((4, Inside::Text)));
    check("\"\\x\"", Err((2, Inside::Text)));
}

#[test]
fn depth_is_not_limited() {
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    assert_eq!(check(&deep), Ok(JsonKind::Array));
    let mixed = "{\"a\":[".repeat(50_000) + &"]}".repeat(50_000);
    assert_eq!(check(&mixed), Ok(JsonKind::Object { empty: false }));
    let crossed = "{\"a\":[".repeat(2_000) + "}";
    assert_eq!(check(&crossed).map_err(|e| e.at), Err(12_000));
}

#[test]
fn shows_keys_of_every_depth() {
    let mut keys = Vec::new();
    check_with_keys("{\"a\":[{\"b\":1}],\"c\":{}}", |key| keys.push(key)).unwrap();
    assert_eq!(keys, ["a", "b", "c"]);
}

proptest! {
    #[test]
    fn agrees_with_serde_json(text in "[\\[\\]{}\",:0-9a\\\\ntruefals. \\-]{0,24}") {
        prop_assert_eq!(check(&text).is_ok(), serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok());
    }

    #[test]
    fn errors_point_into_the_text(text in any::<String>()) {
        if let Err(error) = check(&text) {
            prop_assert!(error.at <= text.len());
        }
    }
}

#[test]
fn members_stand_where_they_say() {
    let text = r#"x {"a" : [1, {"b": "}"}] ,"a\"":true } rest"#;
    let (found, end) = members(text, 2).unwrap();
    let found: Vec<_> = found
        .iter()
        .map(|member| (member.key, &text[member.value.clone()]))
        .collect();
    assert_eq!(found, [("a", r#"[1, {"b": "}"}]"#), (r#"a\""#, "true")]);
    assert_eq!(&text[end..], " rest");
    assert_eq!(members("{ }", 0), Ok((Vec::new(), 3)));
    assert!(members(r#"{"a":1"#, 0).is_err());
    assert!(members("[1]", 0).is_err());
}

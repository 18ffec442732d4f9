use super::*;

fn at(start: usize, end: usize) -> Condition {
    Condition {
        code: 3011,
        layer: 3,
        name: "bracket_imbalance".to_owned(),
        points: 25,
        message: "never closed".to_owned(),
        observed: String::new(),
        expected: String::new(),
        place: Some(Place::at_bytes(start, end)),
        sample: None,
    }
}

/// Lines joined by `/`, marks in `<>`.
fn drawn(lines: &[TextLine]) -> String {
    let segment = |p: &Segment| match p.mark {
        Some(_) => format!("<{}>", p.text),
        None => p.text.clone(),
    };
    let lines: Vec<String> = lines
        .iter()
        .map(|line| line.iter().map(segment).collect())
        .collect();
    lines.join("/")
}

#[test]
fn marks_in_raw_text() {
    let check = |text: &str, places: &[(usize, usize)], expected: &str| {
        let conditions: Vec<_> = places.iter().map(|(start, end)| at(*start, *end)).collect();
        let marks = of_conditions(text, &conditions);
        assert_eq!(drawn(&raw_lines(text, &marks)), expected, "{text} {places:?}");
        let stretch = drawn(&[plain_segments(text, &marks)]);
        assert_eq!(stretch.replace('\n', "/"), expected, "{text} {places:?}");
    };
    check("abc", &[], "abc");
    check("", &[], "");
    check("abcdef", &[(1, 3)], "a<bc>def");
    check("abc", &[(3, 3)], "abc/<>");
    check("abc\n", &[(4, 4)], "abc/<>");
    check("abc", &[(0, 0)], "<>abc");
    check("abc", &[(1, 1)], "a<>bc");
    check("", &[(0, 0)], "<>");
    check("abc", &[(2, 99)], "ab<c>");
    check("abc", &[(50, 99)], "abc/<>");
    check("abc", &[(2, 1)], "ab<>c");
    check("aüb", &[(2, 3)], "a<ü>b");
    check("aüb", &[(1, 2)], "a<ü>b");
    check("abcdef", &[(0, 3), (2, 5)], "<abc><de>f");
    check("abcdef", &[(0, 6), (2, 3)], "ab<c>def");
    check("abc", &[(1, 2), (1, 2)], "a<b>c");
    check("{\n\"a\":[", &[(0, 1), (6, 7), (7, 7)], "<{>/\"a\":<[>/<>");
}

#[test]
fn every_place_of_a_condition_is_marked_and_noted_once() {
    let text = "{\"a\": [";
    let mut brackets = at(0, 1);
    brackets.message = "Two brackets are never closed.".to_owned();
    brackets.place = Some(Place::Bytes {
        start: 0,
        end: 1,
        more: vec![domain::ByteRange { start: 6, end: 7 }],
    });
    let mut end = at(text.len(), text.len());
    end.message = "It does not parse.".to_owned();
    let marks = of_conditions(text, &[end, brackets]);
    let lines = raw_lines(text, &marks);
    assert_eq!(drawn(&lines), "<{>\"a\": <[>/<>");
    assert!(lines.last().is_some_and(is_end_mark) && !is_end_mark(&lines[0]));
    assert_eq!(
        notes(&marks),
        [
            "bytes 0 and 6: Two brackets are never closed.",
            "output ends here, byte 7: It does not parse."
        ]
    );
}

#[test]
fn a_mark_over_everything_gives_way_to_a_narrower_one() {
    let text = "{ \"a\": [ ";
    let all = at(0, text.len());
    let titles = |conditions: &[Condition]| of_conditions(text, conditions).len();
    assert_eq!(titles(&[all.clone(), at(0, 1), at(7, 8)]), 2);
    assert_eq!(titles(&[all]), 1);
}

#[test]
fn a_mark_over_several_lines_or_tokens_is_cut() {
    let marks = of_conditions("ab\ncd", &[at(1, 4)]);
    assert_eq!(drawn(&raw_lines("ab\ncd", &marks)), "a<b>/<c>d");
    let text = r#"[1,2]"#;
    let marks = of_conditions(text, &[at(0, 4)]);
    assert_eq!(drawn(&json_lines(text, &marks).unwrap()), "<[>/  <1><,>/  <2>/]");
}

#[test]
fn indented_json() {
    let check = |text: &str, expected: Option<&str>| {
        assert_eq!(
            json_lines(text, &[]).as_deref().map(drawn).as_deref(),
            expected,
            "{text}"
        );
    };
    check(r#"{"b":1.0,"a":[]}"#, Some(r#"{/  "b": 1.0,/  "a": []/}"#));
    check("{}", Some("{}"));
    check("[[1]]", Some("[/  [/    1/  ]/]"));
    check("12", Some("12"));
    check(r#"{"a":"#, None);
    check("words", None);
    check("", None);
}

#[test]
fn pointers_are_marked_too() {
    let mut condition = at(0, 0);
    condition.place = Some(Place::Pointer("/a/0".to_owned()));
    let text = r#"{"a":["x"]}"#;
    let marks = of_conditions(text, &[condition.clone()]);
    assert_eq!(drawn(&raw_lines(text, &marks)), r#"{"a":[<"x">]}"#);
    assert_eq!(of_conditions("words", &[condition]), []);
}

/// Small numbers without a crate: the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

/// JSON of some depth, mostly narrow or mostly wide.
fn some_json(numbers: &mut Numbers, depth: u64, text: &mut String) {
    if depth == 0 || numbers.below(6) == 0 {
        let leaves = [
            "1",
            "-2.5e3",
            "null",
            "\"a\"",
            "\"\\u0301\u{301}\u{301}\"",
            "{}",
            "[]",
        ];
        text.push_str(leaves[numbers.below(leaves.len() as u64) as usize]);
        return;
    }
    let is_list = numbers.below(2) == 0;
    text.push(if is_list { '[' } else { '{' });
    for n in 0..=numbers.below(4) {
        if n > 0 {
            text.push(',');
        }
        if !is_list {
            text.push_str("\"k\":");
        }
        let below = if n == 0 {
            depth - 1
        } else {
            numbers.below(3).min(depth - 1)
        };
        some_json(numbers, below, text);
    }
    text.push(if is_list { ']' } else { '}' });
}

/// About what the lines become as HTML: a number for each line, an element for each segment.
fn markup_bytes(lines: &[TextLine]) -> usize {
    let segment = |segment: &Segment| 60 + segment.text.len() + segment.mark.as_ref().map_or(0, String::len);
    lines
        .iter()
        .map(|line| 60 + line.iter().map(segment).sum::<usize>())
        .sum()
}

#[test]
fn what_is_produced_grows_with_what_is_shown() {
    let check = |text: &str, marks: &[Mark]| {
        let most = 400 * text.len() + 20_000;
        let raw = markup_bytes(&raw_lines(text, marks));
        assert!(raw <= most, "{} bytes became {raw}", text.len());
        if let Some(lines) = json_lines(text, marks) {
            let indented = markup_bytes(&lines);
            assert!(indented <= most, "{} bytes became {indented}", text.len());
        }
    };
    let mut numbers = Numbers(7);
    for depth in [3, 40, 400, 2_000] {
        for _ in 0..20 {
            let mut text = String::new();
            some_json(&mut numbers, depth, &mut text);
            check(&text, &[]);
        }
    }
    let nested = |n: usize| "[".repeat(n) + &"]".repeat(n);
    let keys: Vec<String> = (0..20_000).map(|n| format!("\"{n}\":0")).collect();
    let long = "x".repeat(200_000);
    let texts = [
        nested(12_000),
        format!("{{{}}}", keys.join(",")),
        format!("\"{long}\""),
        long,
        "\n".repeat(20_000),
        "\u{301}".repeat(20_000),
        "[1,".repeat(12_000),
    ];
    for text in &texts {
        check(text, &[]);
        // One mark over everything, one on each of many bytes, all of them with a long title.
        let mut over_all = at(0, text.len());
        over_all.message = "m".repeat(500);
        check(text, &of_conditions(text, &[over_all]));
        let mut each = at(0, 1);
        each.message = "m".repeat(500);
        each.place = Some(Place::Bytes {
            start: 0,
            end: 1,
            more: (1..10_000)
                .map(|n| domain::ByteRange {
                    start: n * 2,
                    end: n * 2 + 1,
                })
                .collect(),
        });
        check(text, &of_conditions(text, &[each]));
    }
}

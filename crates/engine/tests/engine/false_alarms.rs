//! Each rule stays silent on ordinary answers in any script.

#[path = "../corpus/ordinary.rs"]
mod ordinary;

/// Rules that are above the bar as they are defined, and on what.
const OPEN: &[(u16, &str)] = &[(
    3014,
    "the word `list` asks for one: \"How do I fill the list?\" is a question about one",
)];

#[test]
fn no_rule_cries_wolf_on_ordinary_answers() {
    let above: Vec<_> = ordinary::false_alarms()
        .into_iter()
        .filter(|(_, times)| times * 1_000 >= ordinary::ANSWERS * 5)
        .filter(|(code, _)| OPEN.iter().all(|(open, _)| open != code))
        .collect();
    assert!(
        above.is_empty(),
        "rules and how often they fired on {} ordinary answers, 0.5 % being the bar: {above:?}",
        ordinary::ANSWERS
    );
}

//! What changed between two states of an agent, key by key.

use domain::StepEvent;
use serde_json::{Map, Value};

/// Changes that are listed; the others are counted.
pub(crate) const MAX_CHANGES: usize = 200;
/// What is kept of a place's path.
const MAX_PATH_BYTES: usize = 200;

/// A place of the state whose value came, went or became another.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Change {
    /// Keys and places from the outside in, joined by dots.
    pub(crate) path: String,
    /// `None`: it was not there.
    pub(crate) before: Option<Value>,
    /// `None`: it is gone.
    pub(crate) after: Option<Value>,
}

/// What changed, in the order of the keys, and how many values stayed the same.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct StateDiff {
    pub(crate) changes: Vec<Change>,
    pub(crate) unchanged: usize,
}

/// A step's state before and after: from its attributes `state.before` and `state.after`, or else from the first and
/// the last of its events whose name ends with `state_updated`.
pub(crate) fn states(attributes: &Map<String, Value>, events: &[StepEvent]) -> Option<(Value, Value)> {
    if let (Some(before), Some(after)) = (attributes.get("state.before"), attributes.get("state.after")) {
        return Some((unpacked(before), unpacked(after)));
    }
    let mut updates = events
        .iter()
        .filter(|event| event.name.ends_with("state_updated"));
    let first = updates.next()?;
    let before = first
        .attributes
        .get("state.before")
        .or_else(|| first.attributes.get("before"));
    let last = updates.next_back();
    match (before, last) {
        (Some(before), last) => Some((unpacked(before), state_of(last.unwrap_or(first)))),
        (None, Some(last)) => Some((state_of(first), state_of(last))),
        (None, None) => None,
    }
}

/// The state that an event tells of: what it names so, else all of its attributes.
fn state_of(event: &StepEvent) -> Value {
    let named = ["state.after", "after", "state"]
        .iter()
        .find_map(|name| event.attributes.get(*name));
    named.map_or_else(|| Value::Object(event.attributes.clone()), unpacked)
}

/// Attributes of traces are flat: a state comes as JSON text.
fn unpacked(value: &Value) -> Value {
    match value {
        Value::String(text) => serde_json::from_str(text).unwrap_or_else(|_| value.clone()),
        other => other.clone(),
    }
}

/// Compares two states. Objects are compared by key, lists by place.
pub(crate) fn diff(before: &Value, after: &Value) -> StateDiff {
    let mut found = StateDiff::default();
    walk(String::new(), joined, (before, after), |path, was, is| {
        if was == is {
            found.unchanged += 1;
        } else {
            found.changes.push(Change {
                path,
                before: was.cloned(),
                after: is.cloned(),
            });
        }
    });
    found
}

/// How many values changed, and how many stayed the same: as [`diff`], without what it takes to say which.
#[cfg(feature = "ssr")]
pub(crate) fn count(before: &Value, after: &Value) -> (usize, usize) {
    let (mut changed, mut unchanged) = (0, 0);
    walk(
        (),
        |(), _key| {},
        (before, after),
        |(), was, is| {
            if was == is {
                unchanged += 1;
            } else {
                changed += 1;
            }
        },
    );
    (changed, unchanged)
}

fn joined(path: &String, key: &str) -> String {
    let mut inner = if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    };
    // Each value below a long key would have a copy of it.
    inner.truncate(inner.floor_char_boundary(MAX_PATH_BYTES));
    inner
}

/// Goes through both, and tells of each value that is not an object or a list on both sides where it is.
fn walk<'a, P>(
    root: P,
    inner: impl Fn(&P, &str) -> P,
    (before, after): (&'a Value, &'a Value),
    mut heard: impl FnMut(P, Option<&'a Value>, Option<&'a Value>),
) {
    // A stack instead of recursion, because the depth is the client's choice.
    let mut open = vec![(root, Some(before), Some(after))];
    while let Some((path, before, after)) = open.pop() {
        match (before, after) {
            (Some(Value::Object(was)), Some(Value::Object(is))) => {
                let mut keys: Vec<&String> = was
                    .keys()
                    .chain(is.keys().filter(|key| !was.contains_key(*key)))
                    .collect();
                keys.sort();
                open.extend(
                    keys.into_iter()
                        .rev()
                        .map(|key| (inner(&path, key), was.get(key), is.get(key))),
                );
            }
            (Some(Value::Array(was)), Some(Value::Array(is))) => {
                let places = (0..was.len().max(is.len())).rev();
                open.extend(places.map(|at| (inner(&path, &at.to_string()), was.get(at), is.get(at))));
            }
            (was, is) => heard(path, was, is),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn changes() {
        let before = json!({ "round": 0, "intent": null, "order": { "id": "A-1042" }, "last_error": "503", "list": [1, 2] });
        let after = json!({ "round": 18, "intent": null, "order": { "id": "A-1042", "refundable": true }, "list": [1, 3, 4] });
        let found = diff(&before, &after);
        let said: Vec<String> = found
            .changes
            .iter()
            .map(|change| {
                let text =
                    |value: &Option<Value>| value.as_ref().map_or_else(|| "–".to_owned(), Value::to_string);
                format!("{} {} {}", change.path, text(&change.before), text(&change.after))
            })
            .collect();
        assert_eq!(
            said,
            [
                "last_error \"503\" –",
                "list.1 2 3",
                "list.2 – 4",
                "order.refundable – true",
                "round 0 18"
            ]
        );
        assert_eq!(found.unchanged, 3);
    }

    #[test]
    fn states_come_from_attributes_or_events() {
        let map = |value: Value| value.as_object().cloned().unwrap_or_default();
        let event = |name: &str, attributes: Value| StepEvent {
            at: domain::Timestamp::from_micros(0),
            name: name.to_owned(),
            attributes: map(attributes),
        };
        let check = |attributes: Value, events: &[StepEvent], expected: Option<(Value, Value)>| {
            assert_eq!(states(&map(attributes), events), expected);
        };
        check(
            json!({ "state.before": "{\"n\":1}", "state.after": { "n": 2 } }),
            &[],
            Some((json!({ "n": 1 }), json!({ "n": 2 }))),
        );
        check(json!({ "state.before": "{" }), &[], None);
        let updates = [
            event("agent_state_updated", json!({ "state": "{\"n\":1}" })),
            event("other", json!({ "n": 9 })),
            event("agent_state_updated", json!({ "n": 3 })),
        ];
        check(json!({}), &updates, Some((json!({ "n": 1 }), json!({ "n": 3 }))));
        check(json!({}), &updates[..1], None);
        let one = [event(
            "agent_state_updated",
            json!({ "before": { "n": 1 }, "after": { "n": 2 } }),
        )];
        check(json!({}), &one, Some((json!({ "n": 1 }), json!({ "n": 2 }))));
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (0i64..4).prop_map(Value::from)
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-c]", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn equal_states_have_no_changes_and_others_have(before in value(), after in value()) {
            prop_assert!(diff(&before, &before).changes.is_empty());
            prop_assert_eq!(diff(&before, &after).changes.is_empty(), before == after);
            // Seen from the other side what came has gone.
            let turned: Vec<_> = diff(&after, &before).changes.into_iter().map(|c| (c.path, c.after, c.before)).collect();
            let there: Vec<_> = diff(&before, &after).changes.into_iter().map(|c| (c.path, c.before, c.after)).collect();
            prop_assert_eq!(there, turned);
        }
    }
}

//! A JSON schema check for the keywords that model providers accept. Unknown keywords pass: a rule must not
//! invent a violation.

use serde_json::{Map, Value};

/// Where and how a value breaks its schema.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    /// RFC 6901 pointer into the value; blank for the whole.
    pub(crate) pointer: String,
    pub(crate) observed: String,
    pub(crate) expected: String,
}

impl Violation {
    pub(crate) fn place_words(&self) -> &str {
        if self.pointer.is_empty() {
            "the top"
        } else {
            &self.pointer
        }
    }
}

/// Schemas are client input: nested alternatives could multiply, and so could thousands of calls of a tool with a
/// large schema. So the work on one step is bounded, and what lies beyond the bound passes.
pub(crate) struct Budget {
    /// Values held against a schema.
    visits: u32,
    /// Options, types, required keys and bytes of references looked at for that.
    looks: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            visits: 20_000,
            looks: 1_000_000,
        }
    }
}

/// The first violation, in the order of the schema's keywords.
pub(crate) fn violation(schema: &Value, value: &Value, budget: &mut Budget) -> Option<Violation> {
    let mut check = Check {
        root: schema,
        budget,
        path: Vec::new(),
    };
    check.value(schema, value, 0)
}

struct Check<'a> {
    root: &'a Value,
    budget: &'a mut Budget,
    path: Vec<String>,
}

const MAX_DEPTH: u32 = 48;

impl<'a> Check<'a> {
    fn value(&mut self, schema: &Value, value: &Value, depth: u32) -> Option<Violation> {
        if self.is_spent() || depth > MAX_DEPTH {
            return None;
        }
        self.budget.visits -= 1;
        let schema = match schema {
            Value::Bool(false) => return Some(self.broken(kind(value), "nothing here")),
            Value::Object(schema) => schema,
            _ => return None,
        };
        if let Some(Value::String(reference)) = schema.get("$ref") {
            let root: &'a Value = self.root;
            self.budget.looks = self.budget.looks.saturating_sub(reference.len());
            let target = reference
                .strip_prefix('#')
                .and_then(|pointer| root.pointer(pointer))?;
            return self.value(target, value, depth + 1);
        }
        let listed = ["type", "enum", "required"].map(|key| schema.get(key).and_then(Value::as_array));
        let looks: usize = listed.into_iter().flatten().map(Vec::len).sum();
        self.budget.looks = self.budget.looks.saturating_sub(looks);
        self.kind_and_choice(schema, value)
            .or_else(|| self.bounds(schema, value))
            .or_else(|| self.properties(schema, value, depth))
            .or_else(|| self.items(schema, value, depth))
            .or_else(|| self.alternatives(schema, value, depth))
    }

    fn is_spent(&self) -> bool {
        self.budget.visits == 0 || self.budget.looks == 0
    }

    fn broken(&self, observed: impl Into<String>, expected: impl Into<String>) -> Violation {
        Violation {
            pointer: self.path.concat(),
            observed: observed.into(),
            expected: expected.into(),
        }
    }

    fn kind_and_choice(&self, schema: &Map<String, Value>, value: &Value) -> Option<Violation> {
        let allowed: Vec<&str> = match schema.get("type") {
            Some(Value::String(name)) => vec![name],
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let nullable = value.is_null() && schema.get("nullable") == Some(&Value::Bool(true));
        if !allowed.is_empty() && !nullable && !allowed.iter().any(|name| is_kind(value, name)) {
            return Some(self.broken(kind(value), allowed.join(" or ")));
        }
        if let Some(Value::Array(options)) = schema.get("enum")
            && !options.contains(value)
        {
            let shown: Vec<String> = options.iter().take(8).map(short).collect();
            return Some(self.broken(short(value), format!("one of {}", shown.join(", "))));
        }
        match schema.get("const") {
            Some(constant) if constant != value => Some(self.broken(short(value), short(constant))),
            _ => None,
        }
    }

    fn bounds(&self, schema: &Map<String, Value>, value: &Value) -> Option<Violation> {
        let (size, unit, least, most) = match value {
            Value::Number(number) => (number.as_f64()?, "", "minimum", "maximum"),
            Value::String(text) => (
                text.chars().count() as f64,
                " characters",
                "minLength",
                "maxLength",
            ),
            Value::Array(items) => (items.len() as f64, " items", "minItems", "maxItems"),
            _ => return None,
        };
        let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
        if let Some(least) = bound(least).filter(|least| size < *least) {
            return Some(self.broken(format!("{size}{unit}"), format!("at least {least}{unit}")));
        }
        if let Some(most) = bound(most).filter(|most| size > *most) {
            return Some(self.broken(format!("{size}{unit}"), format!("at most {most}{unit}")));
        }
        None
    }

    fn properties(&mut self, schema: &Map<String, Value>, value: &Value, depth: u32) -> Option<Violation> {
        let object = value.as_object()?;
        let required = schema.get("required").and_then(Value::as_array);
        let missing = required
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .find(|key| !object.contains_key(*key));
        if let Some(key) = missing {
            return Some(self.broken(format!("no key “{key}”"), format!("the key “{key}”")));
        }
        let known = schema.get("properties").and_then(Value::as_object);
        for (key, entry) in object {
            let declared = known.and_then(|known| known.get(key));
            let has_patterns = schema.contains_key("patternProperties");
            let rule = match declared {
                Some(rule) => rule,
                None if has_patterns => continue,
                None => match schema.get("additionalProperties") {
                    Some(Value::Bool(false)) => {
                        return Some(self.broken(format!("the key “{key}”"), "no other keys"));
                    }
                    Some(rule) => rule,
                    None => continue,
                },
            };
            let found = self.below(key, |check| check.value(rule, entry, depth + 1));
            if found.is_some() {
                return found;
            }
        }
        None
    }

    fn items(&mut self, schema: &Map<String, Value>, value: &Value, depth: u32) -> Option<Violation> {
        let rule = schema.get("items")?;
        for (index, item) in value.as_array()?.iter().enumerate() {
            let found = self.below(&index.to_string(), |check| check.value(rule, item, depth + 1));
            if found.is_some() || self.is_spent() {
                return found;
            }
        }
        None
    }

    fn alternatives(&mut self, schema: &Map<String, Value>, value: &Value, depth: u32) -> Option<Violation> {
        for rule in schema
            .get("allOf")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            let found = self.value(rule, value, depth + 1);
            if found.is_some() {
                return found;
            }
        }
        for name in ["anyOf", "oneOf"] {
            let Some(rules) = schema
                .get(name)
                .and_then(Value::as_array)
                .filter(|rules| !rules.is_empty())
            else {
                continue;
            };
            if !rules
                .iter()
                .any(|rule| self.value(rule, value, depth + 1).is_none())
            {
                return Some(self.broken(kind(value), format!("one of {} alternatives", rules.len())));
            }
        }
        None
    }

    fn below<T>(&mut self, segment: &str, inner: impl FnOnce(&mut Self) -> T) -> T {
        self.path
            .push(format!("/{}", segment.replace('~', "~0").replace('/', "~1")));
        let result = inner(self);
        self.path.pop();
        result
    }
}

fn is_kind(value: &Value, name: &str) -> bool {
    match name {
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "number" => value.is_number(),
        "object" | "array" | "string" | "boolean" | "null" => kind(value) == name,
        _ => true,
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn short(value: &Value) -> String {
    match value {
        Value::Array(_) | Value::Object(_) => kind(value).to_owned(),
        other => domain::text::first_line(&other.to_string(), 40),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn finds_the_first_violation() {
        let schema = json!({
            "type": "object",
            "required": ["intent", "items"],
            "additionalProperties": false,
            "properties": {
                "intent": {"enum": ["refund", "other"]},
                "items": {"type": "array", "maxItems": 2, "items": {"$ref": "#/$defs/item"}},
                "note": {"type": ["string", "null"], "minLength": 2},
                "either": {"anyOf": [{"type": "integer"}, {"type": "boolean"}]},
            },
            "$defs": {"item": {"type": "object", "properties": {"qty": {"type": "integer", "minimum": 1}}}},
        });
        let check = |value: Value, expected: Option<&str>| {
            assert_eq!(
                violation(&schema, &value, &mut Budget::default())
                    .map(|v| v.pointer)
                    .as_deref(),
                expected,
                "{value}"
            );
        };
        check(
            json!({"intent": "refund", "items": [{"qty": 2}], "note": null, "either": true}),
            None,
        );
        check(json!([]), Some(""));
        check(json!({"intent": "refund"}), Some(""));
        check(json!({"intent": "buy", "items": []}), Some("/intent"));
        check(
            json!({"intent": "other", "items": [{"qty": 1}, {"qty": 0}]}),
            Some("/items/1/qty"),
        );
        check(
            json!({"intent": "other", "items": [{"qty": 1.5}]}),
            Some("/items/0/qty"),
        );
        check(json!({"intent": "other", "items": [1, 2, 3]}), Some("/items"));
        check(json!({"intent": "other", "items": [], "a/b": 1}), Some(""));
        check(
            json!({"intent": "other", "items": [], "note": "x"}),
            Some("/note"),
        );
        check(
            json!({"intent": "other", "items": [], "either": "x"}),
            Some("/either"),
        );
    }

    #[test]
    fn endless_schemas_end() {
        let schema = json!({"anyOf": [{"$ref": "#"}, {"$ref": "#"}]});
        for schema in [schema, json!({"$ref": "#/nowhere"}), json!(true)] {
            assert_eq!(violation(&schema, &json!(1), &mut Budget::default()), None);
        }
    }
}

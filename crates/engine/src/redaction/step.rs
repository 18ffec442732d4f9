//! A step without what is to be hidden, in every field that holds a sender's text.

use domain::id::MAX_CLIENT_ID_BYTES;
use domain::{NewStep, UsageDetails};
use serde_json::{Map, Value};

use super::{As, Hidden, OPEN, Redactor};

impl Redactor {
    /// Hides in every text of a step, and says how much. In ids a value always becomes a hash, whatever its kind is set
    /// to: two runs, sessions or users must not become one.
    pub fn step(&self, step: &mut NewStep) -> Hidden {
        let mut hidden = Hidden::default();
        if self.is_off() {
            return hidden;
        }
        for id in [&mut step.run_id, &mut step.step_id] {
            self.id(id, &mut hidden);
        }
        for id in [&mut step.parent_step_id, &mut step.session_id, &mut step.user_id]
            .into_iter()
            .flatten()
        {
            self.id(id, &mut hidden);
        }
        self.replace(&mut step.name, &mut hidden);
        let texts = [
            &mut step.provider,
            &mut step.request_model,
            &mut step.model,
            &mut step.error,
            &mut step.error_class,
            &mut step.stop_reason,
            &mut step.service_tier,
            &mut step.environment,
            &mut step.release,
            &mut step.tool_name,
            &mut step.prompt_template,
            &mut step.input,
            &mut step.output,
        ];
        for text in texts.into_iter().flatten().chain(&mut step.tags) {
            self.replace(text, &mut hidden);
        }
        self.usage(&mut step.usage_details, &mut hidden);
        self.map(&mut step.attributes, &mut hidden);
        for event in &mut step.events {
            self.replace(&mut event.name, &mut hidden);
            self.map(&mut event.attributes, &mut hidden);
        }
        hidden
    }

    fn replace(&self, text: &mut String, hidden: &mut Hidden) {
        if let Some(left) = self.text(text, hidden) {
            *text = left;
        }
    }

    /// Words of a provider, unless the sender made them up.
    fn usage(&self, usage: &mut UsageDetails, hidden: &mut Hidden) {
        let texts = [
            &mut usage.search_context,
            &mut usage.geography,
            &mut usage.unknown_shape,
        ];
        for text in texts.into_iter().flatten() {
            self.replace(text, hidden);
        }
        let mut left = |name: String| self.text(&name, hidden).unwrap_or(name);
        usage.tools = std::mem::take(&mut usage.tools)
            .into_iter()
            .map(|(name, times)| (left(name), times))
            .collect();
        usage.unpriced = std::mem::take(&mut usage.unpriced)
            .into_iter()
            .map(left)
            .collect();
    }

    fn id(&self, id: &mut String, hidden: &mut Hidden) {
        let Some(left) = self.hide(id, As::Hash, hidden) else {
            return;
        };
        // One that grew too long is none; all of it is its hash then.
        *id = if left.len() <= MAX_CLIENT_ID_BYTES {
            left
        } else {
            format!("{OPEN}id {}]", self.hash_of(id))
        };
    }

    fn map(&self, map: &mut Map<String, Value>, hidden: &mut Hidden) {
        for value in map.values_mut() {
            self.value(value, hidden);
        }
        let renamed: Vec<(String, String)> = map
            .keys()
            .filter_map(|name| Some((name.clone(), self.text(name, hidden)?)))
            .collect();
        for (name, left) in renamed {
            if let Some(value) = map.remove(&name) {
                map.insert(left, value);
            }
        }
    }

    fn value(&self, value: &mut Value, hidden: &mut Hidden) {
        match value {
            Value::String(text) => self.replace(text, hidden),
            Value::Array(items) => items.iter_mut().for_each(|item| self.value(item, hidden)),
            Value::Object(map) => self.map(map, hidden),
            Value::Number(number) => {
                if let Some(left) = self.plain(&number.to_string(), As::Said, hidden) {
                    *value = left.into();
                }
            }
            Value::Null | Value::Bool(_) => {}
        }
    }
}

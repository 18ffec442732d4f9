//! A detector as somebody wants it, checked before it is stored.

use serde_json::Value;

use super::{Definition, DetectorCondition, SampleRate, Template};
use crate::models::is_provider_id;
use crate::{ModelChoice, NanoUsd};

/// Most conditions of one detector.
pub const MAX_CONDITIONS: usize = 20;
/// Longest prompt, in bytes.
pub const MAX_PROMPT_BYTES: usize = 20_000;
/// Longest schema, in bytes of JSON.
const MAX_SCHEMA_BYTES: usize = 64 * 1024;
/// Longest name of a detector, a step or a model, in characters.
const MAX_NAME_CHARS: usize = 200;
/// The highest cap of a day: a hundred thousand dollars.
const MAX_CAP: NanoUsd = NanoUsd(100_000_000_000_000);

/// A detector that is not stored yet.
#[derive(Clone, Debug, PartialEq)]
pub struct DetectorDraft {
    /// What people call it.
    pub name: String,
    /// Whether it judges.
    pub enabled: bool,
    /// What it judges by.
    pub definition: Definition,
    /// Said aloud that it judges every run, where there are no conditions.
    pub every_run: bool,
    /// How many of the matching runs it judges.
    pub sample: SampleRate,
    /// What a day of it may cost; `None` for no cap.
    pub daily_cap: Option<NanoUsd>,
}

/// A value that a detector can't have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DraftError {
    /// Which.
    pub field: &'static str,
    /// A whole sentence on what it has to be.
    pub must: String,
}

impl DetectorDraft {
    /// A detector as a template begins: on, every run, and a cap where it costs.
    pub fn of(template: Template) -> Self {
        Self {
            name: String::new(),
            enabled: true,
            definition: Definition {
                template,
                prompt: template.prompt().to_owned(),
                schema: None,
                required_step: None,
                conditions: Vec::new(),
                model: None,
            },
            every_run: false,
            sample: SampleRate::ALL,
            daily_cap: (!template.is_rule()).then_some(NanoUsd(500_000_000)),
        }
    }

    /// The same without what its template has no use for, so that it makes no version.
    #[must_use]
    pub fn tidied(mut self) -> Self {
        self.name = self.name.trim().to_owned();
        let definition = &mut self.definition;
        let template = definition.template;
        let conditions = std::mem::take(&mut definition.conditions).into_iter();
        definition.conditions = conditions.map(DetectorCondition::tidied).collect();
        let not_blank = |text: Option<String>| {
            text.map(|text| text.trim().to_owned())
                .filter(|text| !text.is_empty())
        };
        definition.required_step =
            not_blank(definition.required_step.take()).filter(|_| template == Template::RequiredStep);
        definition.model = definition.model.take().filter(|_| !template.is_rule());
        definition.schema = definition
            .schema
            .take()
            .filter(|schema| !schema.is_null())
            .filter(|_| template == Template::Schema || !template.is_rule());
        definition.prompt = definition.prompt.trim().to_owned();
        if template.is_rule() {
            definition.prompt.clear();
            self.daily_cap = None;
        } else if definition.prompt.is_empty() {
            template.prompt().clone_into(&mut definition.prompt);
        }
        self
    }

    /// What of it can't be.
    pub fn check(&self) -> Result<(), DraftError> {
        let wrong = |field, must: &str| {
            Err(DraftError {
                field,
                must: must.to_owned(),
            })
        };
        let is_name = |name: &str| {
            !name.trim().is_empty()
                && name.chars().count() <= MAX_NAME_CHARS
                && !name.chars().any(char::is_control)
        };
        let definition = &self.definition;
        let template = definition.template;
        if !is_name(&self.name) {
            return wrong("name", "name must be a text of at most 200 characters");
        }
        if !template.is_rule() && definition.prompt.trim().is_empty() {
            return wrong("prompt", "prompt must say what the model is to look for");
        }
        if definition.prompt.len() > MAX_PROMPT_BYTES || definition.prompt.contains('\0') {
            return wrong("prompt", "prompt must be a text of at most 20,000 bytes");
        }
        match (template, &definition.schema) {
            (Template::Schema, None) => {
                return wrong(
                    "schema",
                    "schema must be the JSON schema of the run’s last output",
                );
            }
            (_, Some(schema)) if !matches!(schema, Value::Object(_) | Value::Bool(_)) => {
                return wrong("schema", "schema must be a JSON schema: an object");
            }
            (_, Some(schema)) if schema.to_string().len() > MAX_SCHEMA_BYTES => {
                return wrong("schema", "schema must be at most 64 KiB");
            }
            _ => {}
        }
        if template == Template::RequiredStep && !definition.required_step.as_deref().is_some_and(is_name) {
            return wrong(
                "required_step",
                "required_step must be the name of the step that must not be missing",
            );
        }
        let is_model = |choice: &ModelChoice| is_name(&choice.model) && is_provider_id(&choice.provider);
        if definition.model.as_ref().is_some_and(|choice| !is_model(choice)) {
            return wrong("model", "model must be {\"provider\": …, \"model\": …}");
        }
        if definition.conditions.len() > MAX_CONDITIONS {
            return wrong("conditions", "conditions must be at most 20");
        }
        if let Some(problem) = definition.conditions.iter().find_map(DetectorCondition::problem) {
            return wrong("conditions", &problem);
        }
        if definition.conditions.is_empty() && !self.every_run {
            return wrong(
                "every_run",
                "Without conditions it judges every run; say so with every_run: true",
            );
        }
        if self.daily_cap.is_some_and(|cap| cap.0 < 0 || cap > MAX_CAP) {
            return wrong("daily_cap_usd", "daily_cap_usd must be from 0 to 100,000 dollars");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn draft(template: Template) -> DetectorDraft {
        DetectorDraft {
            name: "x".to_owned(),
            every_run: true,
            ..DetectorDraft::of(template)
        }
    }

    #[test]
    fn what_cannot_be_is_named() {
        let check = |field: &str, template: Template, change: fn(&mut DetectorDraft)| {
            let mut draft = draft(template);
            change(&mut draft);
            assert_eq!(draft.tidied().check().map_err(|error| error.field), Err(field));
        };
        check("name", Template::Logic, |d| d.name = " ".to_owned());
        check("every_run", Template::Logic, |d| d.every_run = false);
        check("prompt", Template::Blank, |_| {});
        check("schema", Template::Schema, |_| {});
        check("schema", Template::Logic, |d| {
            d.definition.schema = Some(json!("no"));
        });
        check("required_step", Template::RequiredStep, |_| {});
        check("daily_cap_usd", Template::Logic, |d| {
            d.daily_cap = Some(NanoUsd(-1));
        });
    }

    #[test]
    fn every_template_but_three_is_good_as_it_begins() {
        for template in Template::ALL.iter().copied() {
            let needs_more = matches!(
                template,
                Template::Blank | Template::Schema | Template::RequiredStep
            );
            assert_eq!(draft(template).check().is_err(), needs_more, "{template:?}");
        }
    }

    #[test]
    fn what_a_template_has_no_use_for_makes_no_version() {
        let mut rule = draft(Template::RepeatedTool);
        rule.definition.prompt = "x".to_owned();
        rule.definition.model = Some(ModelChoice {
            provider: "p".to_owned(),
            model: "m".to_owned(),
        });
        rule.daily_cap = Some(NanoUsd(1));
        assert_eq!(rule.tidied(), draft(Template::RepeatedTool));
    }
}

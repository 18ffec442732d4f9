//! A detector as the page's form says it.

use serde_json::Value;

use super::{
    ConditionField, ConditionOp, Definition, DetectorCondition, DetectorDraft, SampleRate, Template,
};
use crate::{ModelChoice, NanoUsd};

impl DetectorDraft {
    /// Reads a form, field by field in its order: conditions are as many of `condition_field`, `condition_op`,
    /// `condition_value`, of which those with a blank field are none. `Err` names the field that can't be read.
    pub fn from_form<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, &'static str> {
        let fields: Vec<(&str, &str)> = fields.into_iter().collect();
        let all = |name: &str| -> Vec<&str> {
            fields
                .iter()
                .filter(|(found, _)| *found == name)
                .map(|(_, value)| value.trim())
                .collect()
        };
        let text = |name: &str| all(name).first().copied().unwrap_or_default();
        let template = Template::parse(text("template")).ok_or("template")?;
        let schema = match text("schema") {
            "" => None,
            schema => Some(serde_json::from_str(schema).map_err(|_no_json| "schema")?),
        };
        let sample = match text("sample_percent") {
            "" => SampleRate::ALL,
            percent => percent
                .trim_end_matches(['%', ' '])
                .parse()
                .ok()
                .and_then(SampleRate::from_percent)
                .ok_or("sample_percent")?,
        };
        let daily_cap = match text("daily_cap_usd").trim_start_matches('$') {
            "" => None,
            cap => Some(NanoUsd::parse_decimal(cap).ok_or("daily_cap_usd")?),
        };
        let model = match (text("provider"), text("model")) {
            ("", "") => None,
            (provider, model) => Some(ModelChoice {
                provider: provider.to_owned(),
                model: model.to_owned(),
            }),
        };
        let wanted = all("condition_field")
            .into_iter()
            .zip(all("condition_op"))
            .zip(all("condition_value"));
        let conditions: Option<Vec<DetectorCondition>> = wanted
            .filter(|((field, _), _)| !field.is_empty())
            .map(|((field, op), value)| {
                Some(DetectorCondition {
                    field: ConditionField::parse(field)?,
                    op: ConditionOp::parse(op)?,
                    value: one_or_many(value),
                })
            })
            .collect();
        Ok(Self {
            name: text("name").to_owned(),
            enabled: !text("enabled").is_empty(),
            definition: Definition {
                template,
                prompt: text("prompt").replace("\r\n", "\n"),
                schema,
                required_step: Some(text("required_step").to_owned()),
                conditions: conditions.ok_or("conditions")?,
                model,
            },
            every_run: !text("every_run").is_empty(),
            sample,
            daily_cap,
        }
        .tidied())
    }
}

/// What stands between commas, where there are some.
fn one_or_many(text: &str) -> Value {
    let parts: Vec<&str> = text
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect();
    if parts.len() > 1 {
        Value::from(parts)
    } else {
        Value::from(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_says_all_of_it() {
        let fields = [
            ("name", " Promise against policy "),
            ("template", "logic"),
            ("enabled", "on"),
            ("prompt", "Compare.\r\nQuote both."),
            ("sample_percent", "25 %"),
            ("daily_cap_usd", "$0.50"),
            ("condition_field", "model"),
            ("condition_op", "contains"),
            ("condition_value", "haiku, sonnet"),
            ("condition_field", ""),
            ("condition_op", "="),
            ("condition_value", ""),
        ];
        let draft = DetectorDraft::from_form(fields).unwrap();
        assert_eq!(draft.check(), Ok(()));
        assert_eq!(draft.name, "Promise against policy");
        assert_eq!(draft.definition.prompt, "Compare.\nQuote both.");
        let conditions: Vec<String> = draft
            .definition
            .conditions
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(conditions, ["model contains haiku or sonnet"]);
        assert_eq!(draft.sample.percent(), 25.0);
        assert_eq!(draft.daily_cap, Some(NanoUsd(500_000_000)));
        let with = |name: &'static str, value: &'static str| {
            let mut fields = fields.to_vec();
            fields.insert(0, (name, value));
            DetectorDraft::from_form(fields)
        };
        for (field, value) in [
            ("template", "x"),
            ("schema", "{"),
            ("sample_percent", "101"),
            ("daily_cap_usd", "much"),
        ] {
            assert_eq!(with(field, value).map(|_| ()), Err(field));
        }
        assert_eq!(with("condition_field", "colour").map(|_| ()), Err("conditions"));
    }
}

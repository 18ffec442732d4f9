//! The rules of a step that every way in keeps: how long a name may be, what an id is, what Postgres cannot hold, how
//! much of an error stands on the row.
//!
//! A way in fills a [`NewStep`] with what it read and hands it to [`StepBuilder`]. A program that sends steps is told
//! what is wrong ([`StepBuilder::or_reject`]); what was watched or imported is never lost over a long text
//! ([`StepBuilder::or_cut`]). Fields are called in errors as the native body calls them.

use domain::id::MAX_CLIENT_ID_BYTES;
use domain::{NewStep, UsageDetails};
use engine::usage::{MAX_NANO_USD, MAX_TOKENS};
use serde_json::{Map, Value};

/// Longest name, model, session, user, …: they are shown in lists and stand in rollups.
pub(crate) const MAX_WORD_BYTES: usize = 512;
pub(crate) const MAX_TAGS: usize = 50;
pub(crate) const MAX_EVENTS: usize = 1_000;
/// Attributes are parsed and kept with the row's figures: they are for details, texts belong into prompt and output.
/// Who parses a body keeps these two limits there, before parsed JSON takes memory.
pub(crate) const MAX_ATTRIBUTES_BYTES: usize = 256 * 1024;
pub(crate) const MAX_EVENT_ATTRIBUTES_BYTES: usize = 16 * 1024;
/// What of an error text stands on the step's row and so in every list of steps; all of it is in `attributes.error`.
const ERROR_ROW_BYTES: usize = 4 * 1024;

/// A field that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Invalid {
    /// The field as the native body calls it.
    pub(crate) field: &'static str,
    /// What it must be, without its name.
    pub(crate) problem: String,
}

/// A step as a way in read it: nothing is checked yet.
#[derive(Debug)]
pub(crate) struct StepBuilder(NewStep);

impl StepBuilder {
    pub(crate) fn new(step: NewStep) -> Self {
        Self(step)
    }

    /// The step, unless something in it breaks a rule.
    pub(crate) fn or_reject(mut self) -> Result<NewStep, Invalid> {
        match self.first_broken_rule() {
            Some(invalid) => Err(invalid),
            None => Ok(self.normalised()),
        }
    }

    /// The step with what is too long cut, and numbers left out that no sum could hold. Ids are never cut, because two
    /// of them could become one: a step with an impossible run is a run of its own, one with an impossible parent has
    /// none. Its own id has to be possible.
    pub(crate) fn or_cut(mut self) -> NewStep {
        let step = &mut self.0;
        if !is_id(&step.run_id) {
            step.run_id.clone_from(&step.step_id);
        }
        step.parent_step_id = step.parent_step_id.take().filter(|id| is_id(id));
        for (_, count) in counts(step) {
            *count = count.filter(|count| count.unsigned_abs() <= MAX_TOKENS);
        }
        step.reported_cost = step
            .reported_cost
            .filter(|cost| cost.0.unsigned_abs() <= MAX_NANO_USD);
        for (_, word) in words(step) {
            cut_word(word);
        }
        step.events.truncate(MAX_EVENTS);
        let mut step = self.normalised();
        step.tags.truncate(MAX_TAGS);
        step
    }

    fn first_broken_rule(&mut self) -> Option<Invalid> {
        let step = &mut self.0;
        let invalid = |field, problem: String| Some(Invalid { field, problem });
        let ids = [
            ("run_id", Some(&step.run_id)),
            ("step_id", Some(&step.step_id)),
            ("parent_step_id", step.parent_step_id.as_ref()),
        ];
        for (field, id) in ids {
            match id {
                Some(id) if id.trim().is_empty() => return invalid(field, "must not be blank".to_owned()),
                Some(id) if !is_id(id) => {
                    return invalid(field, format!("must be at most {MAX_CLIENT_ID_BYTES} bytes long"));
                }
                _ => {}
            }
        }
        for (field, count) in counts(step) {
            if count.is_some_and(|count| count.unsigned_abs() > MAX_TOKENS) {
                return invalid(field, "must be an integer within ±10¹²".to_owned());
            }
        }
        if step
            .reported_cost
            .is_some_and(|cost| cost.0.unsigned_abs() > MAX_NANO_USD)
        {
            return invalid("cost", "must be a number of dollars within ±100,000".to_owned());
        }
        if step.tags.len() > MAX_TAGS {
            return invalid("tags", format!("must have at most {MAX_TAGS} items"));
        }
        if step.events.len() > MAX_EVENTS {
            return invalid("events", format!("must have at most {MAX_EVENTS} items"));
        }
        let (field, _) = words(step).find(|(_, word)| word.len() > MAX_WORD_BYTES)?;
        invalid(field, format!("must be at most {MAX_WORD_BYTES} bytes long"))
    }

    /// What is the same for both: no NUL, no blank words, sorted tags, a short error.
    fn normalised(self) -> NewStep {
        let mut step = self.0;
        for id in [&mut step.run_id, &mut step.step_id]
            .into_iter()
            .chain(&mut step.parent_step_id)
        {
            clean(id);
        }
        for (_, word) in words(&mut step) {
            clean(word);
        }
        for word in optional_words(&mut step) {
            if word.as_ref().is_some_and(|word| word.trim().is_empty()) {
                *word = None;
            }
        }
        step.tags.retain(|tag| !tag.trim().is_empty());
        step.tags.sort_unstable();
        step.tags.dedup();
        for text in [
            &mut step.error,
            &mut step.prompt_template,
            &mut step.input,
            &mut step.output,
        ] {
            text.iter_mut().for_each(clean);
        }
        if step.tokens.has_negative() {
            step.usage_details
                .unpriced
                .insert("a count below zero".to_owned());
        }
        clean_details(&mut step.usage_details);
        clean_map(&mut step.attributes);
        for event in &mut step.events {
            clean_map(&mut event.attributes);
        }
        if let Some(error) = step.error.take() {
            step.error = Some(shortened(error, &mut step.attributes));
        }
        step
    }
}

/// Whether a text can be the id of a run or step. Ids are index keys, so they have to stay far below a page.
pub(crate) fn is_id(text: &str) -> bool {
    !text.trim().is_empty() && text.len() <= MAX_CLIENT_ID_BYTES
}

/// Cuts every word of a step whose texts were changed after they were checked.
pub(crate) fn cut_words(step: &mut NewStep) {
    for (_, word) in words(step) {
        cut_word(word);
    }
}

/// Cuts what is longer than a word, between two characters.
pub(crate) fn cut_word(word: &mut String) {
    word.truncate(word.floor_char_boundary(MAX_WORD_BYTES));
}

/// Everything that stands in lists and rollups.
fn words(step: &mut NewStep) -> impl Iterator<Item = (&'static str, &mut String)> {
    let optional = [
        ("model", &mut step.model),
        ("request_model", &mut step.request_model),
        ("provider", &mut step.provider),
        ("error_class", &mut step.error_class),
        ("stop_reason", &mut step.stop_reason),
        ("service_tier", &mut step.service_tier),
        ("environment", &mut step.environment),
        ("release", &mut step.release),
        ("session_id", &mut step.session_id),
        ("user_id", &mut step.user_id),
        ("tool_name", &mut step.tool_name),
    ];
    let optional = optional
        .into_iter()
        .filter_map(|(field, word)| Some((field, word.as_mut()?)));
    let tags = step.tags.iter_mut().map(|tag| ("tags", tag));
    let events = step
        .events
        .iter_mut()
        .map(|event| ("events.name", &mut event.name));
    [("step_name", &mut step.name)]
        .into_iter()
        .chain(optional)
        .chain(tags)
        .chain(events)
}

/// The words that are absent when they are blank. Name and model are not among them: a condition says so.
fn optional_words(step: &mut NewStep) -> [&mut Option<String>; 10] {
    [
        &mut step.request_model,
        &mut step.provider,
        &mut step.error_class,
        &mut step.stop_reason,
        &mut step.service_tier,
        &mut step.environment,
        &mut step.release,
        &mut step.session_id,
        &mut step.user_id,
        &mut step.tool_name,
    ]
}

fn counts(step: &mut NewStep) -> [(&'static str, &mut Option<i64>); 8] {
    let tokens = &mut step.tokens;
    [
        ("input_tokens", &mut tokens.input),
        ("output_tokens", &mut tokens.output),
        ("reasoning_tokens", &mut tokens.reasoning),
        ("total_tokens", &mut tokens.total),
        ("cache_read_tokens", &mut tokens.cache_read),
        ("cache_write_tokens", &mut tokens.cache_write),
        ("cache_write_1h_tokens", &mut tokens.cache_write_1h),
        ("web_searches", &mut step.web_searches),
    ]
}

/// The beginning of a long error text; the whole of it takes the place of the attribute `error`.
fn shortened(error: String, attributes: &mut Map<String, Value>) -> String {
    if error.len() <= ERROR_ROW_BYTES {
        return error;
    }
    let short = format!("{}…", &error[..error.floor_char_boundary(ERROR_ROW_BYTES)]);
    attributes.insert("error".to_owned(), error.into());
    short
}

/// Turns every NUL, which Postgres cannot hold, into U+FFFD: never a reason to lose a step.
fn clean(text: &mut String) {
    if text.contains('\0') {
        *text = text.replace('\0', "\u{fffd}");
    }
}

/// The same for what was used; names are as long as words, and as many as tags.
fn clean_details(details: &mut UsageDetails) {
    let optional = [
        &mut details.search_context,
        &mut details.geography,
        &mut details.unknown_shape,
    ];
    for word in optional.into_iter().flatten() {
        clean(word);
        cut_word(word);
    }
    let cleaned = |mut word: String| {
        clean(&mut word);
        cut_word(&mut word);
        word
    };
    let unpriced = std::mem::take(&mut details.unpriced);
    details.unpriced = unpriced.into_iter().take(MAX_TAGS).map(cleaned).collect();
    let tools = std::mem::take(&mut details.tools);
    let named = tools
        .into_iter()
        .take(MAX_TAGS)
        .map(|(tool, uses)| (cleaned(tool), uses));
    details.tools = named.collect();
}

fn clean_map(map: &mut Map<String, Value>) {
    if map.keys().any(|key| key.contains('\0')) {
        *map = std::mem::take(map)
            .into_iter()
            .map(|(mut key, value)| {
                clean(&mut key);
                (key, value)
            })
            .collect();
    }
    map.values_mut().for_each(clean_value);
}

fn clean_value(value: &mut Value) {
    match value {
        Value::String(text) => clean(text),
        Value::Array(items) => items.iter_mut().for_each(clean_value),
        Value::Object(map) => clean_map(map),
        _ => {}
    }
}

#[cfg(test)]
#[path = "step_builder/tests.rs"]
mod tests;

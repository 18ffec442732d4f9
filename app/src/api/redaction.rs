//! Reading what a project hides before it is stored, how much that was, and what other settings would have hidden.

use domain::Timestamp;
use engine::redaction::Settings;
use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use serde::{Deserialize, Serialize};

use crate::error::ApiError;

/// Days that the counts go back.
pub(crate) const DAYS: i64 = 30;
/// The latest steps that a preview looks at, and the most bytes of their prompts and answers.
#[cfg(feature = "ssr")]
const PREVIEW_STEPS: u32 = 1_000;
#[cfg(feature = "ssr")]
const PREVIEW_BYTES: i64 = 16 * 1024 * 1024;

/// What was hidden of one kind in one day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HiddenView {
    pub(crate) day: Timestamp,
    pub(crate) kind: String,
    pub(crate) values: i64,
    pub(crate) steps: i64,
}

/// What settings would have hidden. It says how much of what, and never a value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RedactionPreview {
    /// Steps that were looked at.
    pub(crate) steps: u32,
    /// Those that have a value.
    pub(crate) steps_with_values: u32,
    /// Values by kind.
    pub(crate) kinds: Vec<(String, u64)>,
}

/// Everything that the page shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RedactionView {
    /// What is saved, or what was typed to be previewed.
    pub(crate) settings: Settings,
    /// Why what was typed can't be used.
    pub(crate) problem: Option<String>,
    pub(crate) preview: Option<RedactionPreview>,
    /// Of the last [`DAYS`], the newest first.
    pub(crate) days: Vec<HiddenView>,
}

/// The settings and the counts; `draft` is the JSON of settings that are to be previewed, or empty.
#[server(prefix = "/ui", endpoint = "redaction/view", input = GetUrl)]
pub(crate) async fn read_redaction(slug: String, draft: String) -> Result<RedactionView, ApiError> {
    use domain::Role;

    use crate::context::{authorise, database, use_page_request};

    const DAY_MICROS: i64 = 86_400_000_000;
    let project = authorise(&slug, Role::Admin)?.id;
    let from = use_page_request().now.plus_micros(-DAYS * DAY_MICROS).day();
    let mut snapshot = database()?.snapshot(project).await?;
    let stored = storage::redaction::settings(&mut snapshot, project).await?;
    let days = storage::redaction::days(&mut snapshot, project, from).await?;
    let days = days
        .into_iter()
        .map(|day| HiddenView {
            day: day.day,
            kind: day.kind,
            values: day.hidden,
            steps: day.steps,
        })
        .collect();
    let Ok(drafted) = serde_json::from_str::<Settings>(&draft) else {
        return Ok(RedactionView {
            settings: Settings::stored(stored).unwrap_or_default(),
            problem: None,
            preview: None,
            days,
        });
    };
    let (problem, preview) = match drafted.check() {
        Err(problem) => (Some(problem.to_string()), None),
        Ok(()) => {
            let texts =
                storage::redaction::latest_texts(&mut snapshot, project, PREVIEW_STEPS, PREVIEW_BYTES)
                    .await?;
            (None, Some(preview(&drafted, &texts)))
        }
    };
    Ok(RedactionView {
        settings: drafted,
        problem,
        preview,
        days,
    })
}

#[cfg(feature = "ssr")]
fn preview(settings: &Settings, steps: &[Vec<String>]) -> RedactionPreview {
    use engine::redaction::{Hidden, Redactor};

    // Only counted, so the key of the hashes does not matter.
    let Ok(redactor) = Redactor::new(settings, &[0; 32]) else {
        return RedactionPreview::default();
    };
    let mut all = Hidden::default();
    let mut steps_with_values = 0;
    for texts in steps {
        let mut hidden = Hidden::default();
        for text in texts {
            redactor.text(text, &mut hidden);
        }
        steps_with_values += u32::from(!hidden.is_empty());
        all.add(&hidden);
    }
    RedactionPreview {
        steps: u32::try_from(steps.len()).unwrap_or(u32::MAX),
        steps_with_values,
        kinds: all.0.into_iter().collect(),
    }
}

//! Searching within a step's texts, which may be longer than what a page is sent of them.

use leptos::prelude::*;
use leptos::server_fn::codec::Json;
use serde::{Deserialize, Serialize};

use crate::error::ApiError;

/// Places that are shown; the others are counted.
#[cfg(any(feature = "ssr", test))]
const SHOWN_PLACES: usize = 20;
/// What is shown on either side of a place, in bytes.
#[cfg(any(feature = "ssr", test))]
const AROUND_BYTES: usize = 80;
/// The longest text that is looked for, in bytes.
#[cfg(feature = "ssr")]
const MAX_SOUGHT_BYTES: usize = 600;

/// Where a text was found in those of a step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FoundPlaces {
    /// How often, in all texts.
    pub(crate) count: usize,
    /// The first of them: those of the output, then those of the input.
    pub(crate) places: Vec<FoundPlace>,
}

/// A place in a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FoundPlace {
    pub(crate) is_in_input: bool,
    /// Where it begins, in bytes.
    pub(crate) at: u64,
    /// What stands before it, what was found, and what stands after it.
    pub(crate) before: String,
    pub(crate) found: String,
    pub(crate) after: String,
}

/// Where `sought` stands in a step's output and input, whatever the case of its Latin letters.
#[server(prefix = "/ui", endpoint = "steps/search", input = Json)]
pub(crate) async fn search_step_texts(
    slug: String,
    run_id: String,
    step_id: String,
    sought: String,
) -> Result<FoundPlaces, ApiError> {
    let project = crate::context::authorise(&slug, domain::Role::Viewer)?.id;
    if sought.is_empty() || sought.len() > MAX_SOUGHT_BYTES {
        return Err(ApiError::Invalid {
            field: "sought".to_owned(),
            message: "What is looked for has 1 to 600 bytes".to_owned(),
        });
    }
    let mut snapshot = crate::context::database()?.snapshot(project).await?;
    let payload = storage::steps::payload(&mut snapshot, project, &run_id, &step_id).await?;
    drop(snapshot);
    let mut found = FoundPlaces::default();
    for (is_in_input, text) in [(false, payload.output), (true, payload.input)] {
        if let Some(text) = text {
            found.add(is_in_input, &text, &sought);
        }
    }
    Ok(found)
}

#[cfg(any(feature = "ssr", test))]
impl FoundPlaces {
    fn add(&mut self, is_in_input: bool, text: &str, sought: &str) {
        // Byte for byte as long as the text itself.
        let folded = text.to_ascii_lowercase();
        for (at, found) in folded.match_indices(&sought.to_ascii_lowercase()) {
            self.count += 1;
            if self.places.len() >= SHOWN_PLACES {
                continue;
            }
            let end = at + found.len();
            let from = text.floor_char_boundary(at.saturating_sub(AROUND_BYTES));
            let to = text.ceil_char_boundary(end.saturating_add(AROUND_BYTES).min(text.len()));
            let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default().to_owned();
            self.places.push(FoundPlace {
                is_in_input,
                at: at as u64,
                before: part(from, at),
                found: part(at, end),
                after: part(end, to),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_found_in_any_case_and_counted() {
        let mut found = FoundPlaces::default();
        found.add(
            false,
            &format!("{}Größe NEEDLE{}", "é".repeat(100), "é".repeat(100)),
            "needle",
        );
        let place = &found.places[0];
        assert_eq!((place.at, place.found.as_str()), (208, "NEEDLE"));
        assert!(place.before.ends_with("éGröße ") && place.before.len() <= AROUND_BYTES + 2);
        assert!(place.after.starts_with('é') && place.after.len() <= AROUND_BYTES + 2);
        found.add(true, &"a".repeat(50), "A");
        assert_eq!((found.count, found.places.len()), (51, SHOWN_PLACES));
        assert!(found.places[1].is_in_input);
    }
}

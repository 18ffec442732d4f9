//! Documents that were found and texts that were embedded, as texts of a step.

use serde_json::{Map, Value};

use crate::nested::{below, items};

/// Documents as JSON: of a retrieval, or of a ranking.
pub(crate) fn found(attributes: &Map<String, Value>) -> Option<String> {
    let prefixes = ["retrieval.documents.", "reranker.output_documents."];
    let nested = prefixes.iter().find_map(|prefix| below(attributes, prefix))?;
    let documents: Vec<&Value> = items(&nested)
        .into_iter()
        .map(|item| item.get("document").unwrap_or(item))
        .collect();
    (!documents.is_empty()).then(|| serde_json::json!(documents).to_string())
}

/// Texts that were embedded: one as it is, several as a JSON array.
pub(crate) fn embedded(attributes: &Map<String, Value>) -> Option<String> {
    let nested = below(attributes, "embedding.embeddings.")?;
    let texts: Vec<&str> = items(&nested)
        .into_iter()
        .filter_map(|item| item.pointer("/embedding/text")?.as_str())
        .collect();
    match texts.as_slice() {
        [] => None,
        [one] => Some((*one).to_owned()),
        many => Some(serde_json::json!(many).to_string()),
    }
}

//! OpenAI's Embeddings. The vectors are not kept: they are large and not useful to read.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::Reading;
use super::usage::take_usage;

/// Bytes of one number of a vector in base64's binary form.
const NUMBER_BYTES: usize = 4;

#[derive(Deserialize)]
struct Answer<'a> {
    model: Option<String>,
    #[serde(borrow)]
    data: Option<Vec<Item<'a>>>,
    usage: Option<Value>,
}

#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow)]
    embedding: Option<&'a RawValue>,
}

pub(super) fn whole(body: &[u8]) -> Reading {
    let Ok(answer) = serde_json::from_slice::<Answer<'_>>(body) else {
        return Reading::default();
    };
    let mut reading = Reading {
        model: answer.model,
        is_complete: true,
        ..Reading::default()
    };
    take_usage(&mut reading, &answer.usage.unwrap_or_default());
    let items = answer.data.unwrap_or_default();
    let attributes = &mut reading.attributes;
    attributes.insert("embeddings".to_owned(), items.len().into());
    let vector = items.first().and_then(|item| item.embedding);
    if let Some(dimensions) = vector.and_then(|vector| dimensions(vector.get())) {
        attributes.insert("gen_ai.embeddings.dimension.count".to_owned(), dimensions.into());
    }
    reading
}

/// How many numbers a vector has: a list of them, or base64 of 32-bit floats.
fn dimensions(json: &str) -> Option<usize> {
    if let Some(base64) = json.strip_prefix('"') {
        let digits = base64
            .bytes()
            .take_while(|byte| !matches!(byte, b'"' | b'='))
            .count();
        return Some(digits * 3 / 4 / NUMBER_BYTES);
    }
    let inner = json.strip_prefix('[')?.strip_suffix(']')?;
    if inner.trim().is_empty() {
        return Some(0);
    }
    Some(inner.bytes().filter(|byte| *byte == b',').count() + 1)
}

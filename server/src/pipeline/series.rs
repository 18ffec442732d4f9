//! The identity of a series.

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// A hash of a series' five dimensions. Absent and empty differ.
pub fn series_id(
    key_label: &str,
    environment: Option<&str>,
    step_name: &str,
    model: Option<&str>,
    template_fingerprint: Option<&[u8]>,
) -> Uuid {
    let mut hash = Sha256::new();
    let texts = [Some(key_label), environment, Some(step_name), model];
    let texts = texts.iter().map(|text| text.map(str::as_bytes));
    for dimension in texts.chain([template_fingerprint]) {
        match dimension {
            None => hash.update([0]),
            Some(bytes) => {
                hash.update([1]);
                hash.update((bytes.len() as u64).to_be_bytes());
                hash.update(bytes);
            }
        }
    }
    let digest = hash.finalize();
    let mut id = [0; 16];
    id.copy_from_slice(&digest[..16]);
    Uuid::from_bytes(id)
}

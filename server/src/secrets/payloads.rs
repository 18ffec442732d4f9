//! The keys of projects' texts, and sealing with them: see ADR 11.
//!
//! **Invariants:** each step has a key of its own, derived from its project's, so a text opens in its step and field only,
//! and random nonces do not run out however many steps a project has. Keys are in the database sealed alone.

use std::fmt::{self, Write as _};
use std::str::FromStr as _;

use aes_gcm::aead::{Aead as _, Payload};
use aes_gcm::{Aes256Gcm, KeyInit as _};
use domain::{NewStep, ProjectId};
use hkdf::Hkdf;
use rand::TryRng as _;
use rand::rngs::SysRng;
use sha2::Sha256;
use storage::payloads::{Field, OpenPayloads, PayloadKey, SealedTexts, TextPlace, Unopened};

use super::{NONCE_BYTES, NoRandomness, OpenError, Secrets};
use crate::config::SecretKey;

/// What the sealed key of a project is bound to, beside the project.
pub const KEY_FIELD: &str = "payloads.key";
/// The format of a sealed text: this byte, twelve of the nonce, the text with its tag.
const VERSION: u8 = 1;
const STEP_KEY: &[u8] = b"plumbline 1 texts of a step";

/// The key of one project's texts.
pub struct TextKey {
    project: ProjectId,
    derive: Hkdf<Sha256>,
}

impl fmt::Debug for TextKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TextKey").finish_non_exhaustive()
    }
}

impl Secrets {
    /// A new key for a project's texts, sealed.
    pub fn new_text_key(&self, project: ProjectId) -> Result<Vec<u8>, NoRandomness> {
        let mut key = [0_u8; 32];
        SysRng.try_fill_bytes(&mut key).map_err(|_none| NoRandomness)?;
        let text = key.iter().fold(String::new(), |mut text, byte| {
            // Writing to a string does not fail.
            _ = write!(text, "{byte:02x}");
            text
        });
        self.seal(project, KEY_FIELD, &text)
    }

    /// The key of a project's texts, out of what [`Self::new_text_key`] made.
    pub fn text_key(&self, project: ProjectId, sealed: &[u8]) -> Result<TextKey, Unopened> {
        let text = self
            .open(project, KEY_FIELD, sealed)
            .map_err(|cause| match cause {
                OpenError::OtherKey => Unopened::OtherKey,
                OpenError::Damaged => Unopened::Damaged,
            })?;
        let key = SecretKey::from_str(&text).map_err(|_no_key| Unopened::Damaged)?;
        Ok(TextKey {
            project,
            derive: Hkdf::new(None, key.bytes()),
        })
    }
}

impl OpenPayloads for Secrets {
    fn key(&self, project: ProjectId, sealed_key: &[u8]) -> Result<Box<dyn PayloadKey>, Unopened> {
        Ok(Box::new(self.text_key(project, sealed_key)?))
    }
}

impl TextKey {
    /// The texts of a step, sealed for it: its prompt, its answer, its template, and what its events carry.
    pub fn seal_step(&self, step: &NewStep) -> Result<SealedTexts, NoRandomness> {
        let cipher = self.cipher(&step.run_id, &step.step_id);
        let seal = |text: Option<&str>, field: Field| -> Result<Option<Vec<u8>>, NoRandomness> {
            text.map(|text| sealed(&cipher, field, text)).transpose()
        };
        let mut event_attributes = Vec::with_capacity(step.events.len());
        for (ordinal, event) in step.events.iter().enumerate() {
            let ordinal = i32::try_from(ordinal).unwrap_or(i32::MAX);
            let text = (!event.attributes.is_empty())
                .then(|| serde_json::to_string(&event.attributes).ok())
                .flatten();
            event_attributes.push(seal(text.as_deref(), Field::EventAttributes(ordinal))?);
        }
        Ok(SealedTexts {
            input: seal(step.input.as_deref(), Field::Input)?,
            output: seal(step.output.as_deref(), Field::Output)?,
            prompt_template: seal(step.prompt_template.as_deref(), Field::PromptTemplate)?,
            event_attributes,
        })
    }

    /// The key of one step: no other's text opens with it.
    fn cipher(&self, run_id: &str, step_id: &str) -> Aes256Gcm {
        let run_bytes = u64::try_from(run_id.len()).unwrap_or(u64::MAX).to_be_bytes();
        let info: [&[u8]; 5] = [
            STEP_KEY,
            self.project.0.as_bytes(),
            &run_bytes,
            run_id.as_bytes(),
            step_id.as_bytes(),
        ];
        let mut key = [0; 32];
        // A length that HKDF can always fill.
        _ = self.derive.expand_multi_info(&info, &mut key);
        Aes256Gcm::new(&key.into())
    }
}

impl PayloadKey for TextKey {
    fn open(&self, place: TextPlace<'_>, sealed: &[u8]) -> Result<String, Unopened> {
        let (version, rest) = sealed.split_at_checked(1).ok_or(Unopened::Damaged)?;
        let (nonce, text) = rest.split_at_checked(NONCE_BYTES).ok_or(Unopened::Damaged)?;
        if version != [VERSION] {
            return Err(Unopened::Damaged);
        }
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_length| Unopened::Damaged)?;
        let payload = Payload {
            msg: text,
            aad: &bound_to(place.field),
        };
        let opened = self
            .cipher(place.run_id, place.step_id)
            .decrypt(&nonce.into(), payload)
            .map_err(|_other| Unopened::Damaged)?;
        String::from_utf8(opened).map_err(|_no_text| Unopened::Damaged)
    }
}

fn sealed(cipher: &Aes256Gcm, field: Field, text: &str) -> Result<Vec<u8>, NoRandomness> {
    let mut nonce = [0; NONCE_BYTES];
    SysRng.try_fill_bytes(&mut nonce).map_err(|_none| NoRandomness)?;
    let payload = Payload {
        msg: text.as_bytes(),
        aad: &bound_to(field),
    };
    // It fails for texts of more than 64 GiB alone.
    let sealed = cipher
        .encrypt(&nonce.into(), payload)
        .map_err(|_too_long| NoRandomness)?;
    Ok([&[VERSION][..], &nonce[..], &sealed[..]].concat())
}

/// A text's field in its step.
fn bound_to(field: Field) -> Vec<u8> {
    match field {
        Field::Input => b"input".to_vec(),
        Field::Output => b"output".to_vec(),
        Field::PromptTemplate => b"prompt_template".to_vec(),
        Field::EventAttributes(ordinal) => [&b"event"[..], &ordinal.to_be_bytes()].concat(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const PROJECT: ProjectId = ProjectId(uuid::Uuid::from_u128(1));
    const OTHER: ProjectId = ProjectId(uuid::Uuid::from_u128(2));

    fn secrets(byte: u8) -> Secrets {
        Secrets::with_key(&SecretKey::new([byte; 32]))
    }

    fn step() -> NewStep {
        serde_json::from_value(json!({
            "run_id": "r", "step_id": "s", "parent_step_id": null, "kind": "llm", "name": "n",
            "step_index": null, "provider": null, "request_model": null, "model": null,
            "started_at": "2026-11-30T10:00:00Z", "ended_at": null, "latency_ms": 1.0, "ttft_ms": null,
            "status": "ok", "error": null, "error_class": null, "stop_reason": null, "service_tier": null,
            "max_gap_ms": null, "stream_incomplete": false, "tokens": {}, "web_searches": null,
            "reported_cost": null, "environment": null, "release": null, "session_id": null,
            "user_id": null, "tags": [], "tool_name": null, "attributes": {},
            "prompt_template": null, "input": "the canary asks", "output": "",
            "events": [{ "at": "2026-11-30T10:00:00Z", "name": "e", "attributes": { "said": "canary" } }]
        }))
        .unwrap()
    }

    fn at<'a>(run_id: &'a str, step_id: &'a str, field: Field) -> TextPlace<'a> {
        TextPlace {
            run_id,
            step_id,
            field,
        }
    }

    #[test]
    fn a_text_opens_in_its_project_step_and_field_only() {
        let own = secrets(7);
        let stored = own.new_text_key(PROJECT).unwrap();
        let key = own.text_key(PROJECT, &stored).unwrap();
        let sealed = key.seal_step(&step()).unwrap();
        let input = sealed.input.unwrap();
        assert!(!input.windows(6).any(|part| part == b"canary"));
        let opened = |place| key.open(place, &input);
        assert_eq!(
            opened(at("r", "s", Field::Input)).as_deref(),
            Ok("the canary asks")
        );
        for place in [
            at("r", "s", Field::Output),
            at("r", "t", Field::Input),
            at("rs", "", Field::Input),
            at("", "rs", Field::Input),
            at("r", "s", Field::EventAttributes(0)),
        ] {
            assert_eq!(opened(place), Err(Unopened::Damaged), "{place:?}");
        }
        // An empty text is one, and no text is none.
        let output = sealed.output.unwrap();
        assert_eq!(key.open(at("r", "s", Field::Output), &output).as_deref(), Ok(""));
        assert_eq!(sealed.prompt_template, None);
        let event = sealed.event_attributes[0].as_deref().unwrap();
        assert_eq!(
            key.open(at("r", "s", Field::EventAttributes(0)), event)
                .as_deref(),
            Ok("{\"said\":\"canary\"}")
        );

        let others = own.text_key(OTHER, &own.new_text_key(OTHER).unwrap()).unwrap();
        let there = others.open(at("r", "s", Field::Input), &input);
        assert_eq!(there, Err(Unopened::Damaged));
        assert_eq!(own.text_key(OTHER, &stored).err(), Some(Unopened::Damaged));
        assert_eq!(
            secrets(8).text_key(PROJECT, &stored).err(),
            Some(Unopened::OtherKey)
        );
    }

    #[test]
    fn what_was_changed_or_cut_is_refused() {
        let own = secrets(7);
        let key = own
            .text_key(PROJECT, &own.new_text_key(PROJECT).unwrap())
            .unwrap();
        let input = key.seal_step(&step()).unwrap().input.unwrap();
        for place in 0..input.len() {
            let mut changed = input.clone();
            changed[place] ^= 1;
            for wrong in [&changed[..], &input[..place]] {
                let opened = key.open(at("r", "s", Field::Input), wrong);
                assert_eq!(opened, Err(Unopened::Damaged), "{place}");
            }
        }
    }

    #[test]
    fn the_same_text_is_never_sealed_the_same_way() {
        let own = secrets(7);
        let key = own
            .text_key(PROJECT, &own.new_text_key(PROJECT).unwrap())
            .unwrap();
        assert_ne!(key.seal_step(&step()).unwrap(), key.seal_step(&step()).unwrap());
    }
}

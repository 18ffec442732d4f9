//! The identity of a prompt and of the template behind it.
//!
//! Two calls of one template have one template fingerprint, whatever a user said; an edited word of the instruction
//! makes it another. Where an instruction ends and a user's text begins is not marked, so these rules decide:
//!
//! - **A request with a system text, with tools or with a declared answer** is known by these. What the user says in
//!   it does not count at all: the first turn of a chat is a question in the user's own words, its skeleton would make
//!   a template of each, and the same template for other words matters more. The price is that an instruction which
//!   stands in the user's turn beside a system text is not seen, unless the client sends the template.
//! - **A request without them, and plain text**, is known by its [leading instruction](self#the-leading-instruction).
//! - **With the template that the client filled in**, that text is what counts in place of both, literally but for
//!   its `{…}` and `{{…}}`; tools and a declared answer come from the request.
//! - **Roles** count up to the first user turn, and whether the answer was begun for the model. What follows is
//!   conversation: a longer one is the same template (each answer would make the next call another), and examples
//!   that are given as earlier turns are not seen.
//! - **Other JSON** is known by its keys.
//! - The model and the sampling settings are no part of it.
//!
//! In all but a template that the client sent, what varies between calls is masked: numbers, dates, times, ids and hex
//! (a word with a digit in it is one of them), URLs, e-mail addresses, and quoted text. A single quoted word counts in
//! a system text, where it names an option or a key. Runs of space are one space. So an instruction in which only a
//! number changes has the same fingerprint.
//!
//! # The leading instruction
//!
//! A text ends being instruction at the first label of data (`Ticket:`, `Question:`, `Text:` and the like), or where a
//! line ends in a colon and no list follows. Text between triple quotes, in fences and in tags (`<document>…`) is data
//! in its place, and the text around it is instruction. Where nothing of that stands, the first paragraph is
//! instruction, and of a single line the part up to a colon. A prompt that is nothing but a user's question is its own
//! template.

mod canonical;
mod mask;
mod skeleton;
mod template;

pub use canonical::{fingerprints, prompt_fingerprint};

/// Two identities of a prompt and the text behind the second.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprints {
    /// SHA-256 of the whole prompt as sent: equal for the very same call.
    pub prompt: [u8; 32],
    /// SHA-256 of the canonical form: equal for calls of one template, whatever users say.
    pub template: [u8; 32],
    /// The canonical form that `template` is the hash of, cut at [`MAX_CANONICAL_BYTES`].
    pub canonical: String,
}

/// The canonical form is kept and shown up to here; the hash is over all of it.
pub const MAX_CANONICAL_BYTES: usize = 64 * 1024;

/// What stands for a user's words.
const USER_TEXT: &str = "⟨user text⟩";

/// A fingerprint in hexadecimal, as it is shown and compared.
pub fn hex(fingerprint: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    fingerprint
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}

#[cfg(test)]
mod tests;

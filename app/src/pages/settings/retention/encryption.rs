//! Whether the texts of new steps are stored encrypted, since when, and what that does not cover.

use domain::text;
use leptos::prelude::*;

use super::super::use_admin_lock;
use crate::api::retention::EncryptionView;
use crate::context::use_slug;
use crate::ui::form::Submit;
use crate::ui::time::Time;

/// The switch, and what it means.
#[component]
pub(super) fn Encryption(view: EncryptionView) -> impl IntoView {
    let slug = use_slug();
    let locked = use_admin_lock();
    let is_locked = move || !locked.read().is_empty();
    let is_on = view.is_on;
    let since = view.changed.map(|(at, by)| {
        view! {
            <p class="form-note">
                {if is_on { "On since " } else { "Off since " }}
                <Time at/>
                {format!(", by {by}. ")}
                {view.sealed.map(sealed_words)}
            </p>
        }
    });
    view! {
        <section class="cell" aria-labelledby="retention-encryption">
            <div class="head">
                <h2 id="retention-encryption">"Encryption of texts"</h2>
                <span class="sub">"with a key that is not in the database"</span>
            </div>
            {since}
            <p class="form-note">
                "Prompts, answers, prompt templates and what events carry are stored encrypted, of steps from now on; what is stored already stays as it is, and is read as it is. Names, ids, attributes, errors, conditions with their evidence, and what detectors, models and people wrote are not encrypted."
            </p>
            <p class="form-note">
                "No search over runs looks into encrypted texts: runs are found by ids, names, attributes and errors. The prompts page keeps no texts of templates that come in from now on. Without the server’s key the texts are lost: back it up apart from the database."
            </p>
            <form class="form" method="post" action=move || format!("/p/{}/settings/encryption", slug.get())>
                <label class="choice">
                    <input
                        class="check"
                        type="checkbox"
                        name="payloads"
                        value="on"
                        checked=is_on
                        disabled=is_locked
                    />
                    <span>
                        "Encrypt the texts of new steps "
                        <span class="dim">"AES-256-GCM, a key for each step"</span>
                    </span>
                </label>
                <Submit label="Save encryption" variant="primary" locked/>
            </form>
        </section>
    }
}

/// How many of the latest texts are encrypted.
fn sealed_words((sealed, all): (i64, i64)) -> String {
    if all == 0 {
        return "None of the last steps has texts.".to_owned();
    }
    format!(
        "Encrypted in {} of the last {} with texts.",
        text::grouped(sealed.unsigned_abs()),
        text::counted(all, "step")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_how_many_are_encrypted() {
        assert_eq!(sealed_words((0, 0)), "None of the last steps has texts.");
        assert_eq!(
            sealed_words((12, 1_000)),
            "Encrypted in 12 of the last 1,000 steps with texts."
        );
    }
}

//! Parts of plain HTML forms. They post to the server and come back with `?error=` or `?done=`, so that they work
//! without WASM.

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use crate::ui::icon::Icon;

/// A labelled text field.
#[component]
pub(crate) fn Field(
    name: &'static str,
    label: &'static str,
    /// Its id, where the page has several forms with a field of that name.
    #[prop(default = name)]
    id: &'static str,
    /// `text`, `email`, `password`.
    #[prop(default = "text")]
    kind: &'static str,
    /// What it holds at first.
    #[prop(optional, into)]
    value: String,
    /// The browser's word for what belongs here.
    #[prop(default = "off")]
    autocomplete: &'static str,
    /// A sentence below it.
    #[prop(optional, into)]
    hint: String,
    /// The pattern it has to match, and what that means.
    #[prop(optional, into)]
    pattern: Option<String>,
    /// The fewest characters.
    #[prop(optional)]
    min_chars: Option<u32>,
    /// Why it can't be changed; empty when it can.
    #[prop(optional, into)]
    locked: Signal<String>,
) -> impl IntoView {
    let hint_id = format!("hint-{id}");
    let id = format!("field-{id}");
    let described = (!hint.is_empty()).then(|| hint_id.clone());
    let is_locked = move || !locked.read().is_empty();
    view! {
        <div class="field">
            <label for=id.clone()>{label}</label>
            <input
                class="input"
                id=id
                name=name
                type=kind
                value=value
                required=true
                autocomplete=autocomplete
                pattern=pattern
                minlength=min_chars.map(|n| n.to_string())
                aria-describedby=described
                disabled=is_locked
                title=move || is_locked().then(|| locked.get())
            />
            {(!hint.is_empty()).then(|| view! { <p class="hint" id=hint_id>{hint}</p> })}
        </div>
    }
}

/// The button that sends a form.
#[component]
pub(crate) fn Submit(
    label: &'static str,
    /// `primary`, `danger` or nothing.
    #[prop(optional)]
    variant: &'static str,
    /// Why it can't be pressed; empty when it can.
    #[prop(optional, into)]
    locked: Signal<String>,
) -> impl IntoView {
    let is_locked = move || !locked.read().is_empty();
    view! {
        <button
            class="btn"
            type="submit"
            data-variant=(!variant.is_empty()).then_some(variant)
            disabled=is_locked
            title=move || is_locked().then(|| locked.get())
        >
            {label}
        </button>
    }
}

/// What became of the form that was sent last, from `?error=` and `?done=`.
#[component]
pub(crate) fn FormOutcome() -> impl IntoView {
    let query = use_query_map();
    let error = Memo::new(move |_| query.read().get("error").filter(|code| !code.is_empty()));
    let done = Memo::new(move |_| query.read().get("done").filter(|code| !code.is_empty()));
    move || {
        if let Some(code) = error.get() {
            view! {
                <div class="notice" data-tone="bad" role="alert">
                    <Icon name="x"/>
                    <div>{error_words(&code)}</div>
                </div>
            }
            .into_any()
        } else if let Some(code) = done.get() {
            view! {
                <div class="notice" data-tone="info" role="status">
                    <Icon name="check"/>
                    <div>{done_words(&code)}</div>
                </div>
            }
            .into_any()
        } else {
            ().into_any()
        }
    }
}

/// What a form's error code means and what to do.
fn error_words(code: &str) -> String {
    match code {
        "credentials" => "The e-mail address or the password is wrong. Check both and try again.",
        "rate_limited" => "Too many attempts. Wait a minute, then try again.",
        "csrf" => {
            "The form came from another site or an outdated page. Reload the page and try again."
        }
        "exists" => "That name is already taken. Choose another one.",
        "email_exists" => "A member with that address already has access.",
        "email" => "That is not an e-mail address, such as mara@acme.dev.",
        "password" => "The password is too short. It needs 10 characters or more.",
        "password_long" => "The password is too long. It may have 500 characters.",
        "password_guessable" => {
            "That password is among the first that are guessed: common passwords, names, sequences and repetition are. Several unrelated words are not."
        }
        "current_password" => "The current password is wrong. Nothing was changed.",
        "link" => {
            "The link is not good any more: it was used, replaced or taken back, or its time is over. Ask for a new one."
        }
        "has_account" => "The address has an account already. Sign in with its password below.",
        "last_instance_admin" => {
            "You are the only admin of this server. Make another one first: plumbline accounts admin EMAIL."
        }
        "last_admin_somewhere" => {
            "You are the only admin of a project. Make another member admin there first, or delete the project."
        }
        "name" => "The name must contain a letter or a digit.",
        "label" => "The label is empty, too long or already in use. Choose another one.",
        "scope" => "Choose at least one scope.",
        "rate" => {
            "A rate must be a number of dollars per million tokens, from 0 to 100,000, such as 0.15. The input rate is required."
        }
        "model" => "The model's name is empty or too long.",
        "budget" => "A budget is a number of dollars above 0, such as 250 or 99.50.",
        "key_limit" => "A limit is a number above 0, or empty for none. Nothing was saved.",
        "day" => "The date must look like 2026-11-21.",
        "context_window" => "The context window must be a whole number of tokens, or empty.",
        "regex" => "The regular expression is invalid or too large. Check its brackets and repetitions.",
        "regex_rows" => "A project has at most 20 prices with a regular expression. Delete one, or use a beginning of names.",
        "job_runs" => "History is already being re-priced. Wait for it to finish, or cancel it.",
        "share_content" => "Choose what the link shows: masked, removed or shown.",
        "share_days" => "A link is good for 1 to 365 days. Nothing was created.",
        "share_many" => "This run has 100 links that work. Revoke some first.",
        "role" => "That role does not exist.",
        "confirm" => "What you typed does not match the project's slug. Nothing was deleted.",
        "confirm_user" => "What you typed does not match the user’s id. Nothing was deleted.",
        "last_admin" => "A project needs at least one admin. Make another member admin first.",
        "incident_settings" => {
            "A value is out of its range, or a line of the quiet series names no metric. Nothing was saved."
        }
        "detector_name" => "The detector needs a name of at most 200 characters. Nothing was saved.",
        "detector_prompt" => "The prompt must say what to look for, in at most 20,000 bytes. Nothing was saved.",
        "detector_schema" => "The schema must be a JSON schema: an object. Nothing was saved.",
        "detector_step" => "Say the name of the step that must not be missing. Nothing was saved.",
        "detector_every_run" => {
            "Without conditions it judges every run. Add one, or confirm that. Nothing was saved."
        }
        "detector_sample" => "The sample is a number from 0 to 100, such as 25. Nothing was saved.",
        "detector_cap" => "The cap is a number of dollars a day, such as 0.50, or empty. Nothing was saved.",
        "detector_model" => "A model of its own needs the provider’s id and the model’s name. Nothing was saved.",
        "detector_conditions" => {
            "A condition can’t be read: choose what it looks at, how, and with which value. Nothing was saved."
        }
        "detectors_many" => "A project has at most 100 detectors. Delete one first.",
        "scoring" => "Some values are invalid; see the fields below. Nothing was saved.",
        "github_repository" => "The repository must look like owner/name. Nothing was saved.",
        "github_api_url" => {
            "The API’s address must begin with https:// and have a public address; the operator of this server can allow private ones (allow_private_targets). Nothing was saved."
        }
        "github_environments" => "Environments: at most 20 names, with commas between them. Nothing was saved.",
        "github_workflows" => {
            "Workflows: at most 20 names of files such as deploy.yml, with commas between them. Nothing was saved."
        }
        "github_branch" => "One branch, or none for all of them. Nothing was saved.",
        "github_deployments" => {
            "Something has to count as a deploy: deployments, a workflow or releases. Nothing was saved."
        }
        "github_token" => "The token has characters that no token has, or is too long. Nothing was saved.",
        "github_webhook_secret" => {
            "The webhook secret must have 16 to 500 characters, none of them a space. Nothing was saved."
        }
        "channel_url" => {
            "The address must begin with https:// and hold neither a user nor a password. Nothing was saved."
        }
        "smtp_url" => {
            "The server must look like smtps://user:password@host:465 or smtp://user:password@host:587; other characters than letters and digits in name and password as %40. Nothing was saved."
        }
        "email_from" => "From must be an address such as Plumbline <alerts@acme.dev>. Nothing was saved.",
        "email_to" => "To must be 1 to 20 addresses such as ops@acme.dev, with commas between them. Nothing was saved.",
        "private_target" => {
            "That is no public address, so it is not called; the operator of this server can allow private ones (allow_private_targets). Nothing was saved."
        }
        "dsn" => "The DSN must look like https://key@host/project, as Sentry shows it under Client Keys. Nothing was saved.",
        "test_refused" => "The receiver did not take the test. What it answered stands below.",
        "alert_settings" => {
            "Some values are out of range: percent 1 to 100, steps 1 to 500 with no more to start from, cooldowns of at most a day, at most 50 names. Nothing was saved."
        }
        "model_provider" => {
            "The provider’s id is a word of a-z, 0-9 and -, at most 40 characters, and no other provider’s. Nothing was saved."
        }
        "model_address" => {
            "The address must begin with https:// and hold neither a user nor a password, such as https://host/v1. Nothing was saved."
        }
        "model_key" => "The key has characters that no key has, or is too long. Nothing was saved.",
        "model_to_test" => "Name a model to test the provider with: none of it is in use yet.",
        "model_refused" => "The model gave no answer. Why stands below.",
        "encryption_key" => "This server can’t use the key that this project’s texts are encrypted with. Nothing was changed; the server’s log says why.",
        "redaction" => "That can’t be used; what is wrong stands in the form. Nothing was saved.",
        "watcher_interval" => "Minutes between two looks are a whole number from 5 to 1,440. Nothing was saved.",
        "legal_hold" => "The project is on legal hold, so nothing of it is deleted. Lift the hold under Retention first.",
        "retention" => "Days are whole numbers from 1 to 3,650; prompts are kept no longer than their runs, and sums no shorter. Nothing was saved.",
        "already_set_up" => "Accounts are set up already. Sign in.",
        "forbidden" => "Your role in this project does not allow that. Ask an admin of the project.",
        "not_found" => "It no longer exists. Reload the page.",
        "unavailable" => "The database did not answer. Nothing was changed; try again in a moment.",
        "internal" => "An internal error occurred; the cause is in the server’s log. Nothing was changed.",
        other => return format!("That did not work ({}).", domain::text::first_line(other, 40)),
    }
    .to_owned()
}

/// What a form did.
fn done_words(code: &str) -> String {
    match code {
        "saved" => "Saved.",
        "incident_settings" => "Saved. The last ten days are judged by it within a minute.",
        "encrypted" => "Saved. The texts of steps are encrypted from now on.",
        "not_encrypted" => "Saved. The texts of new steps are stored in clear; encrypted ones stay so.",
        "redaction" => "Saved. It holds for what comes in from now on.",
        "revoked" => "The key is revoked. Requests with it are refused from now on.",
        "share_revoked" => "The link is revoked. Whoever opens it sees that it opens nothing.",
        "uninvited" => "The invitation is taken back. Its link is of no use any more.",
        "password" => "The password is changed. Your other sessions have ended.",
        "password_reset" => "The new password is set and every session has ended. Sign in with it.",
        "session_ended" => "That browser is signed out.",
        "signed_out_everywhere" => "You are signed out everywhere.",
        "account_removed" => "Your account is removed.",
        "removed" => "Removed. Their access has ended.",
        "deleted" => "The project and its data are deleted.",
        "github_saved" => "Saved. GitHub is asked within seconds.",
        "github_sync" => "GitHub is asked within seconds. Reload the page to see what came of it.",
        "github_removed" => "The connection and its secrets are removed. Deploys that came by it stay.",
        "price_saved" => {
            "The price is saved and applies to new calls. Re-price history to apply it to past calls."
        }
        "price_deleted" => {
            "The price is deleted. Costs that were computed with it stay until history is re-priced."
        }
        "budget_removed" => "The budget is removed.",
        "demo_removed" => "The demo data is being taken away. It takes some seconds.",
        "user_deletion" => "The user’s data is being deleted. The receipt below says when all is gone.",
        "reprice" => "Started. See its progress below.",
        "cancelled" => "Cancelled. Steps already re-priced keep their new cost.",
        "channel_saved" => "Saved. Send a test to see whether it arrives.",
        "channel_paused" => "Paused. What is worth telling waits for a day.",
        "channel_resumed" => "Resumed. What waited is sent now.",
        "channel_removed" => "The channel and its secrets are removed. What waited for it is dropped.",
        "test_taken" => "The receiver took the test.",
        "model_provider_saved" => {
            "Saved. Send a test to see whether it answers, then choose what its models are for."
        }
        "model_provider_removed" => "The provider and its key are removed.",
        "model_answered" => "The model answered. What it said stands below.",
        "resent" => "It waits to be sent again. Reload the page to see the answer.",
        "detector_made" => "Made. It judges runs that end from now on.",
        "detector_on" => "It is on.",
        "detector_off" => "It is off. What it found stays.",
        "detector_deleted" => "The detector and its findings are deleted.",
        "signed_out" => "You are signed out.",
        _ => "Done.",
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_code_is_shown_shortened_and_as_it_is() {
        assert_eq!(error_words("<b>"), "That did not work (<b>).");
        assert!(error_words(&"x".repeat(1_000)).len() < 80);
        assert!(error_words("credentials").starts_with("The e-mail address"));
        assert_eq!(done_words("??"), "Done.");
    }
}

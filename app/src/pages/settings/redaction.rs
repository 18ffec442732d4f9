//! Settings: what is hidden before anything is stored, what that would have been lately, and how much it was.

pub(crate) mod draft;

use domain::Role;
use engine::redaction::{Kind, MAX_OWN, MAX_PATTERN_BYTES, Treatment};
use leptos::prelude::*;
use leptos_router::hooks::use_location;

use self::draft::{RedactionDraft, own_lines};
use super::{ForAdmins, SettingsPage, use_admin_lock};
use crate::api::redaction::{DAYS, HiddenView, RedactionPreview, RedactionView, read_redaction};
use crate::context::{use_may, use_slug};
use crate::pages::ledger_sums::figure;
use crate::query_string;
use crate::ui::form::Submit;
use crate::ui::icon::Icon;
use crate::ui::load::Load;
use crate::ui::time::Time;

/// The form, its preview, and the counts; for admins.
#[component]
pub(crate) fn RedactionPage() -> impl IntoView {
    let slug = use_slug();
    let search = use_location().search;
    let may_see = use_may(Role::Admin);
    let draft = Memo::new(move |_| draft_of(&search.read()));
    let view = Resource::new(
        move || (slug.get(), draft.get()),
        |(slug, draft)| read_redaction(slug, draft),
    );
    view! {
        <SettingsPage name="Redaction">
            {move || {
                if may_see.get() {
                    view! {
                        <Load resource=view what="The redaction" let:view>
                            <Rules view=view.clone()/>
                            <Counts days=view.days/>
                        </Load>
                    }
                        .into_any()
                } else {
                    view! {
                        <ForAdmins
                            title="Redaction is for admins"
                            why="It says what is hidden before it is stored. An admin of the project can change that."
                        />
                    }
                        .into_any()
                }
            }}
        </SettingsPage>
    }
    .into_any()
}

/// The settings that an address asks to preview, as JSON; empty where it asks for none.
fn draft_of(search: &str) -> String {
    let pairs = query_string::pairs(search);
    if !pairs.iter().any(|(name, _)| name == "preview") {
        return String::new();
    }
    let typed = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    serde_json::to_string(&RedactionDraft::settings(typed)).unwrap_or_default()
}

/// What a kind is, in words.
fn described(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::Key => (
            "Keys and tokens",
            "Known forms of providers and clouds, JWTs, private keys",
        ),
        Kind::Email => ("E-mail addresses", "mara@acme.dev"),
        Kind::Card => ("Card numbers", "Known issuers, with a right check digit"),
        Kind::Iban => ("Bank accounts", "IBANs with right check digits"),
        Kind::Phone => ("Phone numbers", "With + and country, or as (555) 234-5678"),
    }
}

#[component]
fn Rules(view: RedactionView) -> impl IntoView {
    let slug = use_slug();
    let locked = use_admin_lock();
    let is_locked = move || !locked.read().is_empty();
    let rows = Kind::ALL
        .into_iter()
        .map(|kind| view! { <KindRow kind treatment=view.settings.of(kind)/> })
        .collect_view();
    let own = own_lines(&view.settings);
    let page = move || format!("/p/{}/settings/redaction", slug.get());
    view! {
        <section class="cell" aria-labelledby="redaction-rules">
            <div class="head">
                <h2 id="redaction-rules">"Hidden before it is stored"</h2>
                <span class="sub">"on every way in, from now on"</span>
            </div>
            <p class="form-note">
                "mask leaves [hidden email]; hash leaves [hidden email 3fa94c01b2d7], the same for the same value of this project. What is stored already stays as it is."
            </p>
            <form class="form" method="post" action=page>
                <input type="hidden" name="preview" value="1"/>
                {rows}
                <div class="field">
                    <label for="field-own">"Patterns of your own"</label>
                    <textarea
                        class="input"
                        id="field-own"
                        name="own"
                        rows="4"
                        spellcheck="false"
                        aria-describedby="hint-own"
                        disabled=is_locked
                    >
                        {own}
                    </textarea>
                    <p class="hint" id="hint-own">
                        {format!(
                            r"One a line, at most {MAX_OWN}: a name, mask or hash, and a regular expression of at most {MAX_PATTERN_BYTES} bytes, such as: ticket mask ACME-\d+",
                        )}
                    </p>
                </div>
                {view
                    .problem
                    .map(|problem| {
                        view! {
                            <div class="notice" data-tone="bad" role="alert">
                                <Icon name="x"/>
                                <div>{problem}</div>
                            </div>
                        }
                    })}
                {view.preview.map(|preview| view! { <Preview preview/> })}
                <button class="btn" type="submit" formmethod="get" disabled=is_locked>
                    "Preview"
                </button>
                <Submit label="Save" variant="primary" locked/>
            </form>
        </section>
    }
}

#[component]
fn KindRow(kind: Kind, treatment: Treatment) -> impl IntoView {
    let locked = use_admin_lock();
    let is_locked = move || !locked.read().is_empty();
    let (label, hint) = described(kind);
    let name = kind.as_str();
    let options = Treatment::ALL
        .into_iter()
        .map(|option| view! { <option value=option.as_str() selected=option == treatment>{option.as_str()}</option> })
        .collect_view();
    view! {
        <div class="field">
            <label for=format!("field-{name}")>{label}</label>
            <select
                class="select"
                id=format!("field-{name}")
                name=name
                aria-describedby=format!("hint-{name}")
                disabled=is_locked
            >
                {options}
            </select>
            <p class="hint" id=format!("hint-{name}")>{hint}</p>
        </div>
    }
}

/// What the settings above would have hidden.
#[component]
fn Preview(preview: RedactionPreview) -> impl IntoView {
    view! {
        <div class="notice" data-tone="info" role="status">
            <Icon name="info"/>
            <div>{preview_words(&preview)}</div>
        </div>
    }
}

fn preview_words(preview: &RedactionPreview) -> String {
    let values: u64 = preview.kinds.iter().map(|(_, values)| values).sum();
    let counted =
        |values: u64, word: &str| domain::text::counted(i64::try_from(values).unwrap_or(i64::MAX), word);
    let looked_at = format!("the last {}", counted(u64::from(preview.steps), "step"));
    if values == 0 {
        return format!("This would have hidden nothing in {looked_at}.");
    }
    let kinds: Vec<String> = preview
        .kinds
        .iter()
        .map(|(kind, values)| format!("{kind} {values}"))
        .collect();
    format!(
        "This would have hidden {} in {} of {looked_at}: {}.",
        counted(values, "value"),
        counted(u64::from(preview.steps_with_values), "step"),
        kinds.join(", ")
    )
}

#[component]
fn Counts(days: Vec<HiddenView>) -> impl IntoView {
    if days.is_empty() {
        return view! {
            <section class="cell">
                <p class="form-note">{format!("Nothing was hidden in the last {DAYS} days.")}</p>
            </section>
        }
        .into_any();
    }
    let rows = days
        .into_iter()
        .map(|day| {
            view! {
                <tr>
                    <td class="num"><Time at=day.day/></td>
                    <td class="main">{day.kind}</td>
                    <td class="n">{figure(day.values)}</td>
                    <td class="n">{figure(day.steps)}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <section class="cell flush">
            <div class="head">
                <h2 id="redaction-days">"What was hidden"</h2>
                <span class="sub">{format!("{DAYS} days, UTC")}</span>
            </div>
            <div class="scroll-x" tabindex="0" role="region" aria-labelledby="redaction-days">
                <table class="table bleed">
                    <caption class="vh">"Hidden values by day and kind, the newest first"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Day"</th>
                            <th scope="col">"Kind"</th>
                            <th scope="col" class="n">"Values"</th>
                            <th scope="col" class="n">"Steps"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        </section>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preview_says_how_much_of_what() {
        let check = |kinds: &[(&str, u64)], expected: &str| {
            let preview = RedactionPreview {
                steps: 1_000,
                steps_with_values: 9,
                kinds: kinds.iter().map(|(kind, n)| ((*kind).to_owned(), *n)).collect(),
            };
            assert_eq!(preview_words(&preview), expected);
        };
        check(&[], "This would have hidden nothing in the last 1,000 steps.");
        check(
            &[("card", 2), ("email", 12)],
            "This would have hidden 14 values in 9 steps of the last 1,000 steps: card 2, email 12.",
        );
    }

    #[test]
    fn only_an_address_that_asks_is_previewed() {
        assert_eq!(draft_of("?done=saved"), "");
        assert!(draft_of("?email=mask&preview=1").contains("\"email\":\"mask\""));
    }
}

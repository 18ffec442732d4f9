//! Settings: how long what is kept, and whether nothing may be deleted.

mod encryption;

use domain::text;
use leptos::prelude::*;

use self::encryption::Encryption;
use super::{SettingsPage, use_admin_lock};
use crate::api::retention::{RetentionView, UserDeletionView, read_retention};
use crate::context::use_slug;
use crate::ui::form::{Field, Submit};
use crate::ui::icon::Icon;
use crate::ui::load::Load;
use crate::ui::time::Time;

/// Days by kind, and the hold.
#[component]
pub(crate) fn RetentionPage() -> impl IntoView {
    let slug = use_slug();
    let view = Resource::new(move || slug.get(), read_retention);
    view! {
        <SettingsPage name="Retention">
            <Load resource=view what="The retention" let:view>
                {
                    let receipts = view.user_deletions.clone();
                    let encryption = view.encryption.clone();
                    view! {
                        <Kept view/>
                        <Encryption view=encryption/>
                        <UserDeletions receipts/>
                    }
                }
            </Load>
        </SettingsPage>
    }
    .into_any()
}

#[component]
fn Kept(view: RetentionView) -> impl IntoView {
    let slug = use_slug();
    let locked = use_admin_lock();
    let is_locked = move || !locked.read().is_empty();
    view! {
        <section class="cell" aria-labelledby="retention-days">
            <div class="head">
                <h2 id="retention-days">"How long what is kept"</h2>
                <span class="sub">"whole days, UTC; what is older is deleted within the hour"</span>
            </div>
            {view
                .held_at
                .map(|at| {
                    view! {
                        <div class="notice" data-tone="warn" role="note">
                            <Icon name="lock"/>
                            <div>"On legal hold since "<Time at/>": nothing of this project is deleted by age, and neither it nor the data of one of its users can be."</div>
                        </div>
                    }
                })}
            <form class="form" method="post" action=move || format!("/p/{}/settings/retention", slug.get())>
                <Field
                    name="payloads"
                    label="Prompts and outputs, days"
                    value=view.payloads_days.to_string()
                    hint="1 to 3,650, and no longer than their runs"
                    locked
                />
                <Field
                    name="runs"
                    label="Runs and steps, days"
                    value=view.runs_days.to_string()
                    hint="1 to 3,650"
                    locked
                />
                <Field
                    name="sums"
                    label="Sums of hours and days, days"
                    value=view.sums_days.to_string()
                    hint="what charts and costs are made of, without texts; to 3,650, and no shorter than runs"
                    locked
                />
                <label class="choice">
                    <input
                        class="check"
                        type="checkbox"
                        name="held"
                        value="on"
                        checked=view.held_at.is_some()
                        disabled=is_locked
                    />
                    <span>
                        "Legal hold "
                        <span class="dim">"nothing is deleted by age, and the project can’t be deleted, until it is lifted"</span>
                    </span>
                </label>
                <Submit label="Save" variant="primary" locked/>
            </form>
        </section>
    }
}

/// Receipts of what was deleted of single users; nothing where nothing was.
#[component]
fn UserDeletions(receipts: Vec<UserDeletionView>) -> impl IntoView {
    (!receipts.is_empty()).then(|| {
        let rows = receipts
            .into_iter()
            .map(|receipt| {
                let went: Vec<String> = receipt
                    .rows
                    .iter()
                    .map(|(table, rows)| format!("{table} {}", text::grouped(rows.unsigned_abs())))
                    .collect();
                view! {
                    <tr>
                        <td><Time at=receipt.requested_at/></td>
                        <td>{receipt.requested_by}</td>
                        <td class="mono" title=receipt.user_sha256.clone()>
                            {text::first_line(&receipt.user_sha256, 12)}
                        </td>
                        <td>{went.join(", ")}</td>
                        <td>
                            {match receipt.finished_at {
                                Some(at) => view! { <Time at/> }.into_any(),
                                None => view! { <span class="dim">"not done"</span> }.into_any(),
                            }}
                        </td>
                    </tr>
                }
            })
            .collect_view();
        view! {
            <section class="cell flush" aria-labelledby="retention-users">
                <div class="head">
                    <h2 id="retention-users">"Deleted users’ data"</h2>
                    <span class="sub">"receipts; a user’s page has the way to delete what there is of them"</span>
                </div>
                <div class="scroll-x" tabindex="0" role="region" aria-label="Receipts of deletions">
                    <table class="table bleed">
                        <thead>
                            <tr>
                                <th scope="col">"Asked for"</th>
                                <th scope="col">"By"</th>
                                <th scope="col">"SHA-256 of the id"</th>
                                <th scope="col">"Rows"</th>
                                <th scope="col">"Done"</th>
                            </tr>
                        </thead>
                        <tbody>{rows}</tbody>
                    </table>
                </div>
            </section>
        }
    })
}

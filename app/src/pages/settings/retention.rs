//! Settings: how long what is kept, and whether nothing may be deleted.

use leptos::prelude::*;

use super::{SettingsPage, use_admin_lock};
use crate::api::retention::{RetentionView, read_retention};
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
                <Kept view/>
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
                            <div>"On legal hold since "<Time at/>": nothing of this project is deleted by age, and it can’t be deleted."</div>
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
                    label="Runs, steps and their sums, days"
                    value=view.runs_days.to_string()
                    hint="1 to 3,650"
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

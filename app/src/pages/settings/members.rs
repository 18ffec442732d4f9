//! Settings: who has access.

use domain::Role;
use domain::account::Member;
use leptos::prelude::*;

use super::{SettingsPage, use_admin_lock};
use crate::api::members::members;
use crate::context::{use_slug, use_viewer};
use crate::ui::form::{Field, Submit};
use crate::ui::icon::Icon;
use crate::ui::load::{Load, SkeletonRows};

/// The members and a form for another one; on an open server, what accounts would change.
#[component]
pub(crate) fn MembersPage() -> impl IntoView {
    let open = use_viewer().open;
    view! {
        <SettingsPage name="Members">
            {if open { view! { <NoAccounts/> }.into_any() } else { view! { <Members/> }.into_any() }}
        </SettingsPage>
    }
    .into_any()
}

#[component]
fn NoAccounts() -> impl IntoView {
    view! {
        <section class="cell">
            <div class="state">
                <Icon name="users"/>
                <b>"This server has no accounts"</b>
                <p>
                    "It listens on this machine only, and anyone who reaches it has full access. Set up the first account to add others and to listen on other addresses."
                </p>
                <a class="btn" data-variant="primary" href="/setup">"Set up accounts"</a>
            </div>
        </section>
    }
}

#[component]
fn Members() -> impl IntoView {
    let slug = use_slug();
    let list = Resource::new(move || slug.get(), members);
    view! {
        <section class="cell flush">
            <div class="head"><h2 id="members-list">"Members"</h2></div>
            <Load resource=list what="The members" skeleton=|| view! { <SkeletonRows rows=3/> } let:members>
                <MemberTable members/>
            </Load>
        </section>
        <NewMember/>
    }
}

#[component]
fn MemberTable(members: Vec<Member>) -> impl IntoView {
    let rows = members
        .into_iter()
        .map(|member| view! { <MemberRow member/> })
        .collect_view();
    view! {
        <div class="scroll-x" tabindex="0" role="region" aria-labelledby="members-list">
            <table class="table bleed">
                <caption class="vh">"Members of this project"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Name"</th>
                        <th scope="col">"E-mail"</th>
                        <th scope="col">"Role"</th>
                        <th scope="col"><span class="vh">"Actions"</span></th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
}

/// One member, with another role and the way out.
#[component]
fn MemberRow(member: Member) -> impl IntoView {
    let slug = use_slug();
    let locked = use_admin_lock();
    let is_locked = move || !locked.read().is_empty();
    let is_me = use_viewer().user.is_some_and(|user| user.id == member.user_id);
    let base = format!("/p/{}/settings/members/{}", slug.get_untracked(), member.user_id);
    let roles = Role::ALL
        .iter()
        .map(|role| view! { <option value=role.as_str() selected=*role == member.role>{role.as_str()}</option> })
        .collect_view();
    view! {
        <tr>
            <td class="main">{member.name.clone()}{is_me.then(|| view! { <span class="dim">" you"</span> })}</td>
            <td>{member.email}</td>
            <td>
                <form class="row" method="post" action=format!("{base}/role")>
                    <select class="select" name="role" aria-label=format!("Role of {}", member.name) disabled=is_locked>
                        {roles}
                    </select>
                    <Submit label="Save" locked/>
                </form>
            </td>
            <td class="n">
                <details class="confirm">
                    <summary class="btn sm" data-variant="danger" aria-label=format!("Remove {}", member.name)>"Remove…"</summary>
                    <form class="confirm-body" method="post" action=format!("{base}/remove")>
                        <p>"Their access to this project ends at once. Conditions they marked stay marked."</p>
                        <Submit label="Remove the member" variant="danger" locked/>
                    </form>
                </details>
            </td>
        </tr>
    }
}

#[component]
fn NewMember() -> impl IntoView {
    let slug = use_slug();
    let locked = use_admin_lock();
    let is_locked = move || !locked.read().is_empty();
    view! {
        <section class="cell" aria-labelledby="members-new">
            <div class="head">
                <h2 id="members-new">"Add a member"</h2>
                <span class="sub">"no e-mail is sent: give them the address and the password yourself"</span>
            </div>
            <form class="form" method="post" action=move || format!("/p/{}/settings/members", slug.get())>
                <Field name="name" label="Name" locked/>
                <Field name="email" label="E-mail" kind="email" locked/>
                <Field
                    name="password"
                    label="First password"
                    kind="password"
                    autocomplete="new-password"
                    min_chars=domain::account::MIN_PASSWORD_CHARS as u32
                    hint="10 characters or more; ignored when the address already has an account"
                    locked
                />
                <div class="field">
                    <label for="field-role">"Role"</label>
                    <select class="select" id="field-role" name="role" disabled=is_locked>
                        <option value="viewer">"viewer: read"</option>
                        <option value="member" selected=true>"member: read and mark conditions"</option>
                        <option value="admin">"admin: everything"</option>
                    </select>
                </div>
                <Submit label="Add the member" variant="primary" locked/>
            </form>
        </section>
    }
}

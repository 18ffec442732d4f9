//! Settings: who has access.

use domain::Role;
use domain::account::{Invitation, Member};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use super::{SettingsPage, use_admin_lock};
use crate::api::invitations::{invitations, reveal_invitation};
use crate::api::members::members;
use crate::context::{use_may, use_slug, use_viewer};
use crate::error::ApiError;
use crate::ui::copy::CopyButton;
use crate::ui::form::{Field, Submit};
use crate::ui::icon::Icon;
use crate::ui::load::{Load, SkeletonRows};
use crate::ui::time::Time;

/// The members, who is invited, and a form to invite another one; on an open server, what accounts would change.
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
        <MadeLink/>
        <section class="cell flush">
            <div class="head"><h2 id="members-list">"Members"</h2></div>
            <Load resource=list what="The members" skeleton=|| view! { <SkeletonRows rows=3/> } let:members>
                <MemberTable members/>
            </Load>
        </section>
        <Invitations/>
        <Invite/>
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
                        <p>"Their access to this project ends at once, and the invitations they made. Conditions they marked stay marked; their account stays."</p>
                        <Submit label="Remove the member" variant="danger" locked/>
                    </form>
                </details>
            </td>
        </tr>
    }
}

/// The link of the invitation that was made a moment ago. Read once; the next visit shows nothing.
#[component]
fn MadeLink() -> impl IntoView {
    let slug = use_slug();
    let query = use_query_map();
    let may = use_may(Role::Admin);
    let invited = Memo::new(move |_| query.read().get("invited").unwrap_or_default());
    let link = Resource::new(
        move || (slug.get(), invited.get(), may.get()),
        |(slug, invited, may)| async move {
            if invited.is_empty() || !may {
                return Ok::<_, ApiError>(None);
            }
            Ok(Some(reveal_invitation(slug, invited).await?))
        },
    );
    view! {
        <Load resource=link what="The link" let:link>
            {match link {
                None => ().into_any(),
                Some(Some(url)) => view! { <Link url/> }.into_any(),
                Some(None) => {
                    view! {
                        <section class="cell">
                            <div class="notice" data-tone="warn" role="status">
                                <Icon name="warning"/>
                                <div>"This link was already shown and can’t be shown again. If it did not reach anybody, invite the person again: that replaces it."</div>
                            </div>
                        </section>
                    }
                        .into_any()
                }
            }}
        </Load>
    }
}

#[component]
fn Link(url: String) -> impl IntoView {
    view! {
        <section class="cell" aria-labelledby="made-link">
            <div class="head">
                <h2 id="made-link">"The invitation’s link"</h2>
                <span class="sub">"shown only this once: copy it now and give it to the person it is for"</span>
            </div>
            <div class="code copyable">
                <CopyButton text=url.clone()/>
                <pre tabindex="0" aria-label="The link">{url.clone()}</pre>
            </div>
            <p class="hint form-note">
                "No e-mail is sent. Whoever opens the link first joins, so give it to nobody else. It is good once and for a week."
            </p>
        </section>
    }
}

/// The open invitations, for those who may take them back.
#[component]
fn Invitations() -> impl IntoView {
    let slug = use_slug();
    let may_see = use_may(Role::Admin);
    let list = Resource::new(
        move || (slug.get(), may_see.get()),
        |(slug, may_see)| async move {
            if may_see {
                invitations(slug).await
            } else {
                Ok(Vec::new())
            }
        },
    );
    view! {
        <Load resource=list what="The invitations" let:invitations>
            {(!invitations.is_empty()).then(|| view! { <InvitationTable invitations/> })}
        </Load>
    }
}

#[component]
fn InvitationTable(invitations: Vec<Invitation>) -> impl IntoView {
    let slug = use_slug();
    let base = format!("/p/{}/settings/members/invitations", slug.get_untracked());
    let rows = invitations
        .into_iter()
        .map(|invitation| {
            view! {
                <tr>
                    <td class="main">{invitation.email.clone()}</td>
                    <td>{invitation.role.as_str()}</td>
                    <td>{invitation.invited_by}</td>
                    <td class="num"><Time at=invitation.created_at/></td>
                    <td class="num"><Time at=invitation.expires_at/></td>
                    <td class="n">
                        <form method="post" action=format!("{base}/{}/revoke", invitation.id)>
                            <button
                                class="btn sm"
                                data-variant="danger"
                                aria-label=format!("Take back the invitation of {}", invitation.email)
                            >
                                "Take back"
                            </button>
                        </form>
                    </td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <section class="cell flush">
            <div class="head">
                <h2 id="members-invited">"Invited"</h2>
                <span class="sub">"who did not accept yet"</span>
            </div>
            <div class="scroll-x" tabindex="0" role="region" aria-labelledby="members-invited">
                <table class="table bleed">
                    <caption class="vh">"Open invitations to this project"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"E-mail"</th>
                            <th scope="col">"Role"</th>
                            <th scope="col">"Invited by"</th>
                            <th scope="col">"Made"</th>
                            <th scope="col">"Ends"</th>
                            <th scope="col"><span class="vh">"Actions"</span></th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        </section>
    }
}

#[component]
fn Invite() -> impl IntoView {
    let slug = use_slug();
    let locked = use_admin_lock();
    let is_locked = move || !locked.read().is_empty();
    view! {
        <section class="cell" aria-labelledby="members-new">
            <div class="head">
                <h2 id="members-new">"Invite a member"</h2>
                <span class="sub">"makes a link by which they choose their own password, or sign in if they have one"</span>
            </div>
            <form class="form" method="post" action=move || format!("/p/{}/settings/members", slug.get())>
                <Field
                    name="email"
                    label="E-mail"
                    kind="email"
                    hint="Their account has or gets this address. An earlier link for it ends"
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
                <Submit label="Make the link" variant="primary" locked/>
            </form>
        </section>
    }
}

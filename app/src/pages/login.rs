//! Sign-in.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::Redirect;
use leptos_router::hooks::use_query_map;

use crate::context::use_viewer;
use crate::ui::form::{Field, FormOutcome, Submit};
use crate::ui::not_found::OuterPage;

/// A plain form: the server sets the cookie and leads to `next`.
#[component]
pub(crate) fn LoginPage() -> impl IntoView {
    let viewer = use_viewer();
    if viewer.open {
        return view! { <Redirect path="/"/> }.into_any();
    }
    let query = use_query_map();
    let next = local_path(&query.read_untracked().get("next").unwrap_or_default());
    let ways = viewer.ways_in;
    let Some(provider) = ways.provider else {
        let heading = view! {
            <h1>"Sign in"</h1>
            <FormOutcome/>
        }
        .into_any();
        return view! {
            <Title text="Sign in"/>
            <OuterPage>
                <PasswordForm next heading/>
            </OuterPage>
        }
        .into_any();
    };
    let passwords = (!ways.passwords_off).then(|| {
        let heading = view! { <h2>"Sign in with a password"</h2> }.into_any();
        view! { <PasswordForm next=next.clone() heading/> }
    });
    view! {
        <Title text="Sign in"/>
        <OuterPage>
            <div class="account">
                <section class="panel-form">
                    <h1>"Sign in"</h1>
                    <FormOutcome/>
                    <ProviderLink provider next=next.clone()/>
                </section>
                {passwords}
            </div>
        </OuterPage>
    }
    .into_any()
}

/// The way to the provider that signs people in: a plain link, which the server answers and no page here.
#[component]
pub(crate) fn ProviderLink(
    /// What people call it.
    provider: String,
    /// Where to go afterwards.
    next: String,
) -> impl IntoView {
    let href = format!("/auth/oidc/start?next={}", domain::filter::percent_encode(&next));
    view! {
        <a class="btn" data-variant="primary" rel="external" href=href>{format!("Sign in with {provider}")}</a>
    }
}

#[component]
fn PasswordForm(
    /// Where to go afterwards.
    next: String,
    heading: AnyView,
) -> impl IntoView {
    view! {
        <form class="panel-form" method="post" action="/login">
            {heading}
            <input type="hidden" name="next" value=next/>
            <Field name="email" label="E-mail" kind="email" autocomplete="username"/>
            <Field name="password" label="Password" kind="password" autocomplete="current-password"/>
            <Submit label="Sign in" variant="primary"/>
            <p class="hint">"No account? An admin of your project can invite you under Settings, Members. Forgotten the password? Whoever runs this server can make a link to set a new one."</p>
        </form>
    }
}

/// `next` if it leads to a page of this server, else the start.
fn local_path(next: &str) -> String {
    let leaves = next.starts_with("//") || next.contains('\\') || next.chars().any(char::is_control);
    if next.starts_with('/') && !leaves {
        next.to_owned()
    } else {
        "/".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leads_nowhere_else() {
        let check = |next: &str, expected: &str| assert_eq!(local_path(next), expected, "{next}");
        check("/p/acme/runs?status=error", "/p/acme/runs?status=error");
        check("", "/");
        check("https://evil.example", "/");
        check("//evil.example", "/");
        check("/\\evil.example", "/");
        check("/a\nb", "/");
    }
}

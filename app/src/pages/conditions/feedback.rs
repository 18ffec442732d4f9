//! Real or noise: what people say about a condition.

use domain::{Role, Verdict};
use leptos::prelude::*;

use super::mute::use_here;
use crate::context::use_may;
use crate::ui::icon::Icon;

/// Two buttons that say whether a condition is real. The pressed one takes it back. Without WASM they are a plain
/// form that comes back to the page; with it the page stays as it is.
#[component]
pub(crate) fn FeedbackButtons(
    /// The project's word in the URL.
    slug: Memo<String>,
    run_id: String,
    step_id: String,
    /// The condition's code.
    code: u16,
    /// What was said before.
    verdict: Option<Verdict>,
    /// Symbols without words.
    #[prop(optional)]
    small: bool,
    /// Runs when the server has written down what was said.
    #[prop(optional_no_strip)]
    on_said: Option<Callback<()>>,
) -> impl IntoView {
    let may = use_may(Role::Member);
    let here = use_here();
    let said = RwSignal::new(verdict);
    let failed = RwSignal::new(false);
    let (run, step) = (StoredValue::new(run_id), StoredValue::new(step_id));
    let action = move || format!("/p/{}/conditions/feedback", slug.get());
    let send = move |event: leptos::ev::MouseEvent, word: &'static str| {
        event.prevent_default();
        let before = said.get_untracked();
        let after = Verdict::parse(word);
        said.set(after);
        let code = code.to_string();
        let body = domain::filter::encode_query([
            ("run", run.get_value().as_str()),
            ("step", step.get_value().as_str()),
            ("code", code.as_str()),
            ("verdict", word),
        ]);
        post(action(), body, move |done| {
            failed.try_set(!done);
            match on_said {
                _ if !done => {
                    said.try_set(before);
                }
                Some(on_said) => on_said.run(()),
                None => {}
            }
        });
    };
    let button = move |choice: Verdict, icon: &'static str, label: &'static str, title: &'static str| {
        let pressed = move || said.get() == Some(choice);
        let word = move || if pressed() { "none" } else { choice.as_str() };
        let name = move || {
            if may.get() {
                title
            } else {
                "Only members of the project can mark it real or noise"
            }
        };
        view! {
            <button
                class=if small { "btn icon" } else { "btn sm" }
                data-variant=small.then_some("quiet")
                type="submit"
                name="verdict"
                value=word
                aria-pressed=move || if pressed() { "true" } else { "false" }
                aria-label=small.then_some(title)
                title=name
                disabled=move || !may.get()
                on:click=move |event| send(event, if said.get_untracked() == Some(choice) { "none" } else { choice.as_str() })
            >
                <Icon name=icon/>
                {(!small).then_some(label)}
            </button>
        }
    };
    view! {
        <form class=if small { "cond-fb" } else { "row fb" } method="post" action=action>
            <input type="hidden" name="run" value=run.get_value()/>
            <input type="hidden" name="step" value=step.get_value()/>
            <input type="hidden" name="code" value=code.to_string()/>
            <input type="hidden" name="next" value=move || here.get()/>
            {button(Verdict::Real, "check", "Real", "Real: a true problem")}
            {button(Verdict::Noise, "x", "Noise", "Noise: not a problem here")}
            <span class="st-bad" role="alert">{move || failed.get().then_some("not saved")}</span>
        </form>
    }
}

/// Sends a form in the background. The server answers a form that is done with a redirect.
fn post(action: String, body: String, done: impl Fn(bool) + 'static) {
    #[cfg(target_arch = "wasm32")]
    leptos::task::spawn_local(async move {
        let request = gloo_net::http::Request::post(&action)
            .header("content-type", "application/x-www-form-urlencoded")
            .redirect(web_sys::RequestRedirect::Manual)
            .body(body);
        let answer = match request {
            Ok(request) => request.send().await.ok(),
            Err(_) => None,
        };
        // A redirect that is not followed has the status 0.
        done(answer.is_some_and(|answer| answer.status() == 0 || answer.ok()));
    });
    #[cfg(not(target_arch = "wasm32"))]
    let _only_in_the_browser = (action, body, done);
}

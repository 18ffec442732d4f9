//! The command menu and the list of keys: what floats above every page.

mod entries;

use leptos::ev;
use leptos::html;
use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::{use_location, use_navigate};

use crate::context::{use_page_request, use_slug, use_viewer};
use crate::keyboard::{ALL_KEYS, places};
use crate::theme::{choose_theme, use_theme};
use crate::ui::copy::copy_text;
use crate::ui::icon::Icon;
use crate::ui::load::query_suffix;
use entries::{Action, Entry, FoundRun, matching, moved};

/// Which of the floating parts are open.
#[derive(Clone, Copy)]
pub(crate) struct Overlays {
    pub(crate) commands: RwSignal<bool>,
    /// The list of keys.
    pub(crate) help: RwSignal<bool>,
}

impl Overlays {
    /// Makes them known below, closed.
    pub(crate) fn provide() -> Self {
        let overlays = Self {
            commands: RwSignal::new(false),
            help: RwSignal::new(false),
        };
        provide_context(overlays);
        overlays
    }

    /// Those of the page.
    pub(crate) fn get() -> Self {
        use_context().unwrap_or_else(|| Self {
            commands: RwSignal::new(false),
            help: RwSignal::new(false),
        })
    }
}

/// A modal dialog that follows a signal; Escape and a click beside it close it.
#[component]
pub(crate) fn Dialog(
    open: RwSignal<bool>,
    label: &'static str,
    class: &'static str,
    children: Children,
) -> impl IntoView {
    let dialog = NodeRef::<html::Dialog>::new();
    Effect::new(move |_| {
        let (wanted, Some(element)) = (open.get(), dialog.get()) else {
            return;
        };
        if wanted && !element.open() {
            // Fails only when the element has left the page, and then there is nothing to show.
            element.show_modal().ok();
        } else if !wanted && element.open() {
            element.close();
        }
    });
    let beside = move |event: ev::MouseEvent| {
        let on_itself = event.target() == event.current_target();
        if on_itself {
            open.set(false);
        }
    };
    view! {
        <dialog node_ref=dialog class=class aria-label=label on:close=move |_| open.set(false) on:click=beside>
            {children()}
        </dialog>
    }
}

/// Go to a page, a project or a run; change the theme; copy the address.
#[component]
pub(crate) fn CommandMenu() -> impl IntoView {
    let open = Overlays::get().commands;
    let query = RwSignal::new(String::new());
    let at = RwSignal::new(0_usize);
    let runs = RwSignal::new(Vec::new());
    let slug = use_slug();
    let viewer = use_viewer();
    find_runs_while_typing(slug, open, query, runs);
    let shown = Memo::new(move |_| matching(&slug.read(), &viewer.projects, &runs.read(), &query.read()));
    let act = use_action(open);
    let input = NodeRef::<html::Input>::new();
    Effect::new(move |_| {
        if open.get() {
            query.set(String::new());
            at.set(0);
            if let Some(element) = input.get_untracked() {
                element.focus().ok();
            }
        }
    });
    let on_key = move |event: ev::KeyboardEvent| {
        let count = shown.with_untracked(Vec::len);
        match event.key().as_str() {
            "ArrowDown" => at.update(|at| *at = moved(*at, 1, count)),
            "ArrowUp" => at.update(|at| *at = moved(*at, -1, count)),
            "Enter" => {
                if let Some(entry) = shown.with_untracked(|shown| shown.get(at.get_untracked()).cloned()) {
                    act.run(entry.action);
                }
            }
            _ => return,
        }
        event.prevent_default();
    };
    view! {
        <Dialog open label="Commands" class="pop cmd">
            <div class="cmd-in">
                <Icon name="search" class="dim"/>
                <input
                    node_ref=input
                    type="text"
                    role="combobox"
                    aria-label="Command, project or run"
                    aria-controls="cmd-list"
                    aria-expanded="true"
                    aria-autocomplete="list"
                    aria-activedescendant=move || format!("cmd-{}", at.get())
                    autocomplete="off"
                    placeholder="Command, project or run"
                    prop:value=move || query.get()
                    on:input=move |event| {
                        query.set(event_target_value(&event));
                        at.set(0);
                    }
                    on:keydown=on_key
                />
                <span class="push"><kbd>"Esc"</kbd></span>
            </div>
            <ul id="cmd-list" role="listbox" aria-label="Commands">
                {move || rows(&shown.read(), at, act)}
            </ul>
        </Dialog>
    }
}

/// The entries with a heading over each group.
fn rows(shown: &[Entry], at: RwSignal<usize>, act: Callback<Action>) -> Vec<AnyView> {
    if shown.is_empty() {
        return vec![view! { <li role="presentation" class="cmd-h">"No match"</li> }.into_any()];
    }
    let mut rows = Vec::new();
    let mut group = "";
    for (index, entry) in shown.iter().cloned().enumerate() {
        if entry.group != group {
            group = entry.group;
            rows.push(view! { <li role="presentation" class="cmd-h">{group}</li> }.into_any());
        }
        rows.push(view! { <CommandRow index entry at act/> }.into_any());
    }
    rows
}

#[component]
fn CommandRow(index: usize, entry: Entry, at: RwSignal<usize>, act: Callback<Action>) -> impl IntoView {
    let selected = move || at.get() == index;
    let row = NodeRef::<html::Li>::new();
    Effect::new(move |_| {
        if selected()
            && let Some(element) = row.get()
        {
            scroll_into_view(&element);
        }
    });
    let action = entry.action;
    view! {
        <li
            node_ref=row
            role="option"
            id=format!("cmd-{index}")
            aria-selected=move || if selected() { "true" } else { "false" }
            on:mousemove=move |_| {
                if at.get_untracked() != index {
                    at.set(index);
                }
            }
            on:click=move |_| act.run(action.clone())
        >
            <Icon name=entry.icon/>
            <span>{entry.text}</span>
            <span class="dim">{entry.hint}</span>
            <span class="push">{entry.keys.iter().map(|key| view! { <kbd>{*key}</kbd> }).collect_view()}</span>
        </li>
    }
}

/// Scrolls a list just far enough that the element shows.
fn scroll_into_view(element: &leptos::web_sys::Element) {
    #[cfg(target_arch = "wasm32")]
    {
        let nearest = web_sys::ScrollIntoViewOptions::new();
        nearest.set_block(web_sys::ScrollLogicalPosition::Nearest);
        element.scroll_into_view_with_scroll_into_view_options(&nearest);
    }
    #[cfg(not(target_arch = "wasm32"))]
    let _only_in_the_browser = element;
}

/// Does what an entry says and closes the menu.
fn use_action(open: RwSignal<bool>) -> Callback<Action> {
    let overlays = Overlays::get();
    let theme = use_theme();
    let navigate = use_navigate();
    let location = use_location();
    let copied = RwSignal::new(false);
    let origin = use_page_request().origin;
    Callback::new(move |action| {
        open.set(false);
        match action {
            Action::Go(href) => navigate(&href, NavigateOptions::default()),
            Action::Theme(choice) => choose_theme(theme, choice),
            Action::Help => overlays.help.set(true),
            Action::CopyLink => {
                let path = location.pathname.get_untracked();
                let query = query_suffix(&location.search.get_untracked());
                copy_text(format!("{origin}{path}{query}"), copied);
            }
        }
    })
}

/// Asks for runs by name or id a moment after the last letter.
fn find_runs_while_typing(
    slug: Memo<String>,
    open: RwSignal<bool>,
    query: RwSignal<String>,
    found: RwSignal<Vec<FoundRun>>,
) {
    #[cfg(target_arch = "wasm32")]
    Effect::new(move |_| {
        let (slug, text) = (slug.get(), query.get());
        if !open.get() {
            return;
        }
        let (asking, abort) = futures::future::abortable(async move {
            gloo_timers::future::TimeoutFuture::new(150).await;
            if let Ok(runs) = crate::api::commands::find_runs(slug, text).await {
                found.try_set(runs.into_iter().map(FoundRun::from).collect());
            }
        });
        leptos::task::spawn_local(async move {
            // Aborted: a newer letter asks instead.
            asking.await.ok();
        });
        on_cleanup(move || abort.abort());
    });
    #[cfg(not(target_arch = "wasm32"))]
    let _only_in_the_browser = (slug, open, query, found);
}

/// All keys, by place.
#[component]
pub(crate) fn HelpOverlay() -> impl IntoView {
    let open = Overlays::get().help;
    let sections = places()
        .into_iter()
        .map(|place| {
            let rows = ALL_KEYS
                .iter()
                .filter(|help| help.place == place)
                .map(|help| {
                    view! {
                        <div>
                            <dt>{help.keys.iter().map(|key| view! { <kbd>{*key}</kbd> }).collect_view()}</dt>
                            <dd>{help.does}</dd>
                        </div>
                    }
                })
                .collect_view();
            view! { <section><h3>{place}</h3><dl class="keys-list">{rows}</dl></section> }
        })
        .collect_view();
    view! {
        <Dialog open label="Keyboard" class="pop help">
            <div class="help-in">
                <div class="head">
                    <h2>"Keyboard"</h2>
                    <span class="sub">"⌘ works like Ctrl; nothing here works while you type"</span>
                    <form method="dialog" class="head-actions"><button class="btn" type="submit">"Close"</button></form>
                </div>
                {sections}
            </div>
        </Dialog>
    }
}

//! Colour, critical path, folding, search, and the switch between drawing and table.

use domain::text;
use leptos::prelude::*;

use super::super::Page;
use super::super::keys::next_level;
use super::super::query::{Colour, Path, RunQuery};
use super::stage::{Stage, hit_count};
use crate::ui::frame::FILTER_ID;
use crate::ui::icon::Icon;
use crate::ui::time::use_attached;

/// The row of tools over the drawing.
#[component]
pub(super) fn Tools(stage: Stage) -> impl IntoView {
    let Page { run, query, .. } = stage.page;
    let attached = use_attached();
    // A link to this state with one thing changed.
    let to = move |change: fn(&mut RunQuery)| {
        move || {
            let mut query = query.get();
            change(&mut query);
            query.to_href()
        }
    };
    let colours = Colour::ALL.map(|(colour, _, label)| {
        let href = move || {
            RunQuery {
                colour,
                ..query.get()
            }
            .to_href()
        };
        let current = move || (query.read().colour == colour).then_some("true");
        view! { <a href=href aria-current=current data-noscroll>{label}</a> }
    });
    let paths = Path::ALL.map(|(path, _, label)| {
        let href = move || RunQuery { path, ..query.get() }.to_href();
        let current = move || (query.read().path == path).then_some("true");
        view! { <a href=href aria-current=current data-noscroll>{label}</a> }
    });
    let level = move |deeper: bool| {
        move || {
            let level = next_level(&run.read(), query.read().level, deeper);
            RunQuery {
                level,
                folded: Vec::new(),
                ..query.get()
            }
            .to_href()
        }
    };
    let cut_words = move || {
        let cut_ms = stage.axis.read().cut_us() / 1_000.0;
        if cut_ms > 0.0 {
            format!("Cut idle gaps, {}", text::duration(cut_ms))
        } else {
            "Cut idle gaps".to_owned()
        }
    };
    let other_label = move || {
        if query.read().as_table {
            "Show as timeline (t)"
        } else {
            "Show as table (t)"
        }
    };
    let is_zoomed = Memo::new(move |_| stage.view.read().is_some());
    let width = move || {
        let view = stage.view.get()?;
        let axis = stage.axis.read();
        let seen = axis.time_at(view.to) - axis.time_at(view.from);
        Some(format!(
            "{} of {}",
            text::duration(seen / 1_000.0),
            text::duration(run.read().scale.length_ms())
        ))
    };
    view! {
        <div class="wf-tools">
            <div class="seg sm" role="group" aria-label="Colour by">
                <span class="seg-label">"Colour"</span>
                {colours.collect_view()}
            </div>
            <div class="seg sm" role="group" aria-label="Critical path by">
                <span class="seg-label"><i class="cp-key"></i>"Critical path"</span>
                {paths.collect_view()}
            </div>
            <a class="tog" href=to(|query| query.calls_apart = !query.calls_apart) title="Fold repeated calls (r)" data-noscroll>
                {move || if query.read().calls_apart { "Fold repeated calls" } else { "Unfold repeated calls" }}
            </a>
            <a class="tog" href=to(|query| query.cut = !query.cut) title="Cut idle gaps (c)" aria-current=move || query.read().cut.then_some("true") data-noscroll>
                {cut_words}
            </a>
            <span class="row">
                <a class="btn icon sm" data-variant="quiet" href=level(false) title="Fold a level ([)" aria-label="Fold a level" data-noscroll><Icon name="left"/></a>
                <a class="btn icon sm" data-variant="quiet" href=level(true) title="Unfold a level (])" aria-label="Unfold a level" data-noscroll><Icon name="right"/></a>
            </span>
            <span class="push row">
                <Search stage/>
                <span class="dim2 num wf-width">{width}</span>
                <button
                    class="btn icon sm"
                    data-variant="quiet"
                    type="button"
                    title="Show all of it (f)"
                    aria-label="Show all of it"
                    hidden=move || !attached.get()
                    disabled=move || !is_zoomed.get()
                    on:click=move |_| stage.view.set(None)
                >
                    <Icon name="fit"/>
                </button>
                <a
                    class="btn icon sm"
                    data-variant="quiet"
                    href=to(|query| query.as_table = !query.as_table)
                    title=other_label
                    aria-label=other_label
                    aria-current=move || query.read().as_table.then_some("true")
                    data-noscroll
                >
                    <Icon name="table"/>
                </a>
            </span>
        </div>
    }
}

/// A search through the steps: Enter goes from hit to hit.
#[component]
fn Search(stage: Stage) -> impl IntoView {
    let Page { query, go, .. } = stage.page;
    let attached = use_attached();
    let search = move |event| {
        let search = event_target_value(&event);
        go.run((
            RunQuery {
                search,
                ..query.get_untracked()
            },
            true,
        ));
    };
    let keys = move |event: leptos::ev::KeyboardEvent| match event.key().as_str() {
        "Enter" => {
            event.prevent_default();
            stage.next_hit(!event.shift_key());
        }
        "Escape" => {
            event.prevent_default();
            event.stop_propagation();
            go.run((
                RunQuery {
                    search: String::new(),
                    ..query.get_untracked()
                },
                true,
            ));
            leave(&event);
        }
        _ => {}
    };
    let count = move || {
        if query.read().search.trim().is_empty() {
            return None;
        }
        let (count, nth) = hit_count(stage);
        let all = text::grouped(count as u64);
        Some(match nth {
            Some(nth) => format!("{} of {all}", text::grouped(nth as u64)),
            None => format!("{all} found"),
        })
    };
    view! {
        <span class="wf-search row" hidden=move || !attached.get()>
            <Icon name="search"/>
            <input
                class="input sm"
                id=FILTER_ID
                type="search"
                placeholder="Search steps"
                aria-label="Search steps by name, id, model, state or error"
                autocomplete="off"
                prop:value=move || query.read().search.clone()
                on:input=search
                on:keydown=keys
            />
            <span class="dim num" role="status">{count}</span>
        </span>
    }
}

/// Takes the focus out of the field.
fn leave(event: &leptos::ev::KeyboardEvent) {
    #[cfg(target_arch = "wasm32")]
    {
        use wasm_bindgen::JsCast;
        let field = event
            .target()
            .and_then(|target| target.dyn_into::<web_sys::HtmlElement>().ok());
        if let Some(field) = field {
            _ = field.blur();
        }
    }
    #[cfg(not(target_arch = "wasm32"))]
    let _only_in_the_browser = event;
}

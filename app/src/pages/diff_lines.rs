//! Lines of two texts, as every comparison shows them.

use leptos::prelude::*;

use crate::api::prompts::{Change, DiffLine};

/// One line with its sign, its changed words marked.
pub(crate) fn diff_line(line: DiffLine) -> AnyView {
    let (name, sign, said) = match line.change {
        Change::Same => ("same", " ", ""),
        Change::Added => ("added", "+", "Added: "),
        Change::Removed => ("removed", "−", "Removed: "),
        Change::Cut => ("cut", "⋯", ""),
    };
    let segments = line
        .segments
        .into_iter()
        .map(|(marked, text)| {
            if marked {
                view! { <mark>{text}</mark> }.into_any()
            } else {
                view! { <span>{text}</span> }.into_any()
            }
        })
        .collect_view();
    view! {
        <div class="diff-line" data-change=name>
            <span class="sign" aria-hidden="true">{sign}</span>
            <span class="diff-text"><span class="vh">{said}</span>{segments}</span>
        </div>
    }
    .into_any()
}

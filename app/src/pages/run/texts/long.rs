//! Texts that are too long to be shown whole: their end, and a search that the server does in all of them.

use domain::text;
use leptos::ev;
use leptos::html;
use leptos::prelude::*;

use super::super::query::RunQuery;
use super::super::{Page, SelectedPlaces};
use super::bytes;
use crate::api::steps::{SHOWN_BYTES, SentText, StepTexts, TAIL_BYTES};
use crate::api::text_search::{FoundPlace, FoundPlaces};
use crate::query_string;
use crate::ui::load::{Load, SkeletonRows};

/// The end of a text whose first `shown_bytes` are shown; `None` where those are all of it.
fn tail(sent: &SentText, shown_bytes: usize) -> Option<&str> {
    if sent.total_bytes <= shown_bytes as u64 {
        return None;
    }
    if !sent.tail.is_empty() {
        return Some(&sent.tail);
    }
    let from = sent
        .text
        .ceil_char_boundary(sent.text.len().saturating_sub(TAIL_BYTES))
        .max(shown_bytes);
    sent.text.get(from..).filter(|tail| !tail.is_empty())
}

/// What stands at the end of a text that is shown only from its beginning, and how much is between.
pub(super) fn tail_view(
    sent: &SentText,
    shown_bytes: usize,
    label: &'static str,
) -> Option<impl IntoView + use<>> {
    let tail = tail(sent, shown_bytes)?;
    let between = sent.total_bytes.saturating_sub((shown_bytes + tail.len()) as u64);
    let said = if between == 0 {
        "and its end:".to_owned()
    } else {
        format!("{} not shown, then its end:", bytes(between))
    };
    let tail = tail.to_owned();
    Some(view! {
        <p class="dim num cut-note">{said}</p>
        // Not directly in it: a newline there is dropped.
        <pre class="code wrap" tabindex="0" role="group" aria-label=label>
            <span>{tail}</span>
        </pre>
    })
}

/// Whether a step has a text that is worth searching in by the server: the browser finds what is on the page.
pub(super) fn is_long(texts: &StepTexts) -> bool {
    [&texts.output, &texts.input]
        .into_iter()
        .flatten()
        .any(|text| text.total_bytes > SHOWN_BYTES as u64)
}

/// A field, and where the server found what was put in.
#[component]
pub(super) fn FindInTexts(page: Page, places: SelectedPlaces) -> impl IntoView {
    let Page { query, go, .. } = page;
    let field = NodeRef::<html::Input>::new();
    let submit = move |event: ev::SubmitEvent| {
        event.prevent_default();
        if let Some(field) = field.get_untracked() {
            let next = RunQuery {
                find: field.value(),
                ..query.get_untracked()
            };
            go.run((next, false));
        }
    };
    let hidden = move || {
        query_string::pairs(&query.read().to_query())
            .into_iter()
            .filter(|(name, _)| name != "find")
            .map(|(name, value)| view! { <input type="hidden" name=name value=value/> })
            .collect_view()
    };
    view! {
        <section class="ps" aria-label="Find in the texts">
            <div class="head"><h3>"Find in the texts"</h3><span class="sub">"in all of them, on the server"</span></div>
            <form class="row" role="search" aria-label="Texts of the step" method="get" on:submit=submit>
                {hidden}
                <input
                    class="input"
                    type="search"
                    name="find"
                    node_ref=field
                    maxlength="200"
                    aria-label="Find in output and input"
                    prop:value=move || query.read().find.clone()
                    value=query.get_untracked().find
                />
                <button class="btn" type="submit">"Find"</button>
            </form>
            <Load
                resource=places
                what="The search"
                skeleton={|| view! { <SkeletonRows rows=2/> }}
                children={move |found: Option<FoundPlaces>| found.map(found_places)}
            />
        </section>
    }
}

fn found_places(found: FoundPlaces) -> impl IntoView {
    let FoundPlaces { count, places } = found;
    let said = match count {
        0 => "Nothing found".to_owned(),
        _ if count > places.len() => format!("{count} found, the first {}:", places.len()),
        _ => format!("{count} found:"),
    };
    let rows = places.into_iter().map(place).collect_view();
    view! {
        <p class="dim num" role="status">{said}</p>
        <ol class="problems">{rows}</ol>
    }
}

fn place(place: FoundPlace) -> impl IntoView {
    let FoundPlace {
        is_in_input,
        at,
        before,
        found,
        after,
    } = place;
    let which = if is_in_input { "input" } else { "output" };
    view! {
        <li>
            <span>
                <span class="dim num">{format!("{which}, byte {}", text::grouped(at))}</span>
                <br/>
                <span class="mono dim2">{before}<mark>{found}</mark>{after}</span>
            </span>
        </li>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_what_was_sent_of_it_or_the_last_of_what_was() {
        let whole = SentText::of("a".repeat(100), false);
        assert_eq!(tail(&whole, 100), None);
        // Sent whole, but only its beginning is shown.
        let sent = SentText::of(format!("{}end", "a".repeat(SHOWN_BYTES + 5)), false);
        assert_eq!(tail(&sent, SHOWN_BYTES), Some("aaaaaend"));
        let long = SentText::of(format!("{}end", "é".repeat(1024 * 1024)), false);
        let end = tail(&long, SHOWN_BYTES).unwrap();
        assert!(end.ends_with("éend") && end.len() <= TAIL_BYTES, "{}", end.len());
    }
}

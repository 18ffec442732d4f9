//! The filter bar: chips, and a field for the next term. A plain form, so it works without script.

use domain::filter::FilterError;
use leptos::ev;
use leptos::html;
use leptos::prelude::*;

use super::Page;
use super::query::RunsQuery;
use crate::ui::frame::FILTER_ID;
use crate::ui::icon::Icon;

/// The id of the list with the suggestions.
pub(super) const SUGGESTIONS_ID: &str = "filter-suggestions";

/// Chips and field.
#[component]
pub(super) fn FilterBar(page: Page) -> impl IntoView {
    let Page { query, go, .. } = page;
    let field = NodeRef::<html::Input>::new();
    let said = RwSignal::new(None::<String>);
    let submit = move |event: ev::SubmitEvent| {
        event.prevent_default();
        let Some(field) = field.get_untracked() else {
            return;
        };
        let mut next = query.get_untracked();
        next.add_term(&field.value());
        match next.error {
            // The address can't carry an unreadable term, so it is said here and stays in the field.
            Some(error) => said.set(Some(sentence(&error))),
            None => {
                said.set(None);
                field.set_value("");
                go.run(next);
            }
        }
    };
    let error = move || {
        let in_url = query.read().error.as_ref().map(sentence);
        said.get().or(in_url)
    };
    view! {
        <section class="filterbar" aria-label="Filter">
            <form class="filter" role="search" method="get" on:submit=submit>
                <Icon name="filter" class="dim"/>
                {move || chips(&query.read())}
                {move || hidden_fields(&query.read())}
                <input
                    id=FILTER_ID
                    class="filter-in"
                    type="search"
                    name="add"
                    node_ref=field
                    list=SUGGESTIONS_ID
                    autocomplete="off"
                    maxlength="200"
                    aria-label="Add a filter"
                    aria-invalid=move || error().map(|_| "true")
                    aria-describedby=move || error().map(|_| "filter-error")
                    placeholder="Add a filter: status, severity, model, key, step, cost > 0.05, any text"
                />
                <button class="vh" type="submit">"Add the filter"</button>
                <span class="keys" aria-hidden="true"><kbd>"/"</kbd></span>
            </form>
            {move || error().map(|error| view! {
                <p class="field-err" id="filter-error" role="alert"><Icon name="x" class="sm"/>{error}</p>
            })}
        </section>
    }
}

fn chips(query: &RunsQuery) -> impl IntoView + use<> {
    query
        .filter
        .chips()
        .into_iter()
        .map(|(name, value)| {
            let (label, operator) = name_and_operator(name);
            let value = shown_value(name, value);
            let without = query.without(name).to_href();
            view! {
                <span class="chip">
                    <span class="k">{label}</span>
                    <span class="op">{operator}</span>
                    <span class="v">{value}</span>
                    <a href=without aria-label=format!("Remove {label} filter") data-noscroll><Icon name="x"/></a>
                </span>
            }
        })
        .collect_view()
}

/// What is wrong with a parameter: `cost is an amount in dollars such as 0.05`.
pub(crate) fn sentence(error: &FilterError) -> String {
    format!("{} {}", name_and_operator(&error.field).0, error.message)
}

/// What a parameter is called in a chip, and how it compares.
pub(crate) fn name_and_operator(name: &str) -> (&str, &'static str) {
    match name {
        "q" => ("text", "contains"),
        "cost_min" => ("cost", "≥"),
        "cost_max" => ("cost", "≤"),
        "latency_min" => ("duration", "≥"),
        "latency_max" => ("duration", "≤"),
        "tokens_min" => ("tokens", "≥"),
        "tokens_max" => ("tokens", "≤"),
        name => (name, "is"),
    }
}

pub(crate) fn shown_value(name: &str, value: String) -> String {
    match name {
        "cost_min" | "cost_max" => format!("${value}"),
        "latency_min" | "latency_max" => value.parse().map_or(value, domain::text::duration),
        "status" if value == "error" => "failed".to_owned(),
        _ => value,
    }
}

/// The state of the page besides the term, for the form.
fn hidden_fields(query: &RunsQuery) -> impl IntoView + use<> {
    let mut pairs = query.to_pairs();
    pairs.retain(|(name, _)| *name != "cursor");
    pairs
        .into_iter()
        .map(|(name, value)| view! { <input type="hidden" name=name value=value/> })
        .collect_view()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chips_read_as_sentences() {
        let check = |name: &'static str, value: &str, expected: &str| {
            let (label, operator) = name_and_operator(name);
            assert_eq!(
                format!("{label} {operator} {}", shown_value(name, value.to_owned())),
                expected
            );
        };
        check("environment", "production", "environment is production");
        check("status", "error", "status is failed");
        check("q", "refund", "text contains refund");
        check("cost_min", "0.05", "cost ≥ $0.05");
        check("latency_max", "2500", "duration ≤ 2.50 s");
        check("tokens_min", "5000", "tokens ≥ 5000");
    }
}

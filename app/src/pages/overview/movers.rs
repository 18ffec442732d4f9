//! What moved most against the window before, without being anybody's fault yet.

use domain::NanoUsd;
use leptos::prelude::*;

use super::Page;
use crate::api::overview::{Mover, OverviewView};
use crate::pages::cells::cost_view;
use crate::ui::links::scope_href;

/// Keys, models and steps by how much their cost changed.
#[component]
pub(super) fn Movers(page: Page, view: OverviewView) -> impl IntoView {
    let Page { slug, query, .. } = page;
    let window = query.read_untracked().range.label();
    let largest = view
        .movers
        .iter()
        .map(|mover| change(mover).unsigned_abs())
        .max()
        .unwrap_or(0);
    let compared = match (&view.since, view.movers_of_halves) {
        (Some((deploy, _)), _) => format!("cost since {}, against as long before it", deploy.name()),
        (None, true) => "cost, the second half of the window against the first".to_owned(),
        (None, false) => format!("cost, {window} against the {window} before"),
    };
    let nothing = match (largest, view.span.is_of_hours()) {
        (0, true) => Some("Nothing cost more or less than before."),
        (0, false) => Some("Whole hours are compared: choose 24 hours or more."),
        _ => None,
    };
    if let Some(nothing) = nothing {
        return view! {
            <section class="cell" aria-labelledby="movers-title">
                <div class="head"><h2 id="movers-title">"Top movers"</h2></div>
                <p class="dim">{nothing}</p>
            </section>
        }
        .into_any();
    }
    let rows = view
        .movers
        .into_iter()
        .filter(|mover| change(mover) != 0)
        .map(|mover| {
            // Its page, or where no address has its name, this page of it alone.
            let href = {
                let (by, name) = (mover.by, mover.name.clone());
                move || {
                    let query = query.read();
                    match scope_href(&slug.read(), by, &name) {
                        Some(page) => format!("{page}{}", query.range_href()),
                        None => query.with_filter(by, Some(&name)).to_href(),
                    }
                }
            };
            let by = change(&mover);
            view! {
                <tr>
                    <td>{mover.by.as_str()}</td>
                    <td class="main clip"><a href=href>{name_of(&mover)}</a></td>
                    <td class="n hide-s">{cost_view(mover.before, 0)}</td>
                    <td class="n t">{cost_view(mover.now, 0)}</td>
                    <td class="n t">{signed(by)}</td>
                    <td class="w-bar hide-s">{bar(by, largest)}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <section class="cell" aria-labelledby="movers-title">
            <div class="head">
                <h2 id="movers-title">"Top movers"</h2>
                <span class="sub">{compared}</span>
            </div>
            <div class="scroll-x" tabindex="0" role="region" aria-label="Movers as a table">
                <table class="table movers">
                    <thead>
                        <tr>
                            <th class="w-dim" scope="col">"By"</th>
                            <th scope="col">"Name"</th>
                            <th class="n hide-s" scope="col">"Before"</th>
                            <th class="n" scope="col">"Now"</th>
                            <th class="n" scope="col" aria-sort="descending">"Change"</th>
                            <th class="w-bar hide-s" scope="col"><span class="vh">"Change as a bar"</span></th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        </section>
    }
    .into_any()
}

fn name_of(mover: &Mover) -> String {
    if mover.name.trim().is_empty() {
        "unnamed".to_owned()
    } else {
        mover.name.clone()
    }
}

fn change(mover: &Mover) -> i64 {
    let nano = |cost: Option<NanoUsd>| cost.map_or(0, |cost| cost.0);
    nano(mover.now).saturating_sub(nano(mover.before))
}

fn signed(nano: i64) -> String {
    let sign = if nano > 0 { "+" } else { "" };
    format!("{sign}{}", NanoUsd(nano).to_short())
}

/// From the middle to the right for more, to the left for less.
fn bar(nano: i64, largest: u64) -> impl IntoView {
    let width = nano.unsigned_abs() as f64 / largest.max(1) as f64 * 50.0;
    let (class, x) = if nano > 0 {
        ("r-up", 50.0)
    } else {
        ("r-down", 50.0 - width)
    };
    view! {
        <svg class="bar" height="6" aria-hidden="true">
            <line class="axis-line" x1="50%" x2="50%" y1="-4" y2="10"></line>
            <rect class=class x=format!("{x:.2}%") width=format!("{width:.2}%") height="6"></rect>
        </svg>
    }
}

#[cfg(test)]
mod tests {
    use domain::series::SeriesBy;

    use super::*;

    #[test]
    fn changes_have_a_sign() {
        let mover = |before: Option<i64>, now: Option<i64>| Mover {
            by: SeriesBy::Key,
            name: String::new(),
            before: before.map(NanoUsd),
            now: now.map(NanoUsd),
        };
        assert_eq!(
            signed(change(&mover(Some(5_350_000_000), Some(21_310_000_000)))),
            "+$15.96"
        );
        assert_eq!(
            signed(change(&mover(Some(3_310_000_000), Some(570_000_000)))),
            "−$2.74"
        );
        assert_eq!(signed(change(&mover(None, Some(10_000_000)))), "+$0.0100");
        assert_eq!(name_of(&mover(None, None)), "unnamed");
    }
}

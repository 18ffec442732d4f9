//! What happens in the area that a frame was drawn around.

use domain::text;
use leptos::prelude::*;

use super::super::groups::group_table;
use super::stage::Stage;
use crate::timeline::groups::{Group, of_rows};
use crate::timeline::layout::Line;
use crate::ui::icon::Icon;

/// Groups that are shown.
const SHOWN: usize = 20;

/// The table of an area; nothing without one.
#[component]
pub(super) fn AreaTable(stage: Stage) -> impl IntoView {
    move || {
        let area = stage.area.get()?;
        let run = stage.page.run.read();
        let lines = stage.lines.read();
        let axis = stage.axis.read();
        let start = run.bounds.0;
        let moment = |place: f64| start + axis.time_at(place).round() as i64;
        let between = (moment(area.from), moment(area.to));
        let rows = lines
            .get(area.lines.clone())
            .unwrap_or_default()
            .iter()
            .enumerate()
            .flat_map(|(at, line)| {
                let next = lines
                    .get(area.lines.start + at + 1)
                    .and_then(|line| line.first_row());
                match line {
                    Line::Orphans(_) => 0..0,
                    Line::Group(first, end) => *first..*end,
                    // Of a step that is folded, all that it contains.
                    Line::Row(row) if next != Some(row + 1) => *row..run.layout.rows[*row].subtree_end,
                    Line::Row(row) => *row..row + 1,
                }
            });
        let groups = of_rows(&run.layout, &run.skeleton, rows, between, run.now_us());
        let total = sum(&groups);
        let more = groups.len().saturating_sub(SHOWN);
        let table = group_table(
            &groups[..groups.len().min(SHOWN)],
            "By name and model in the area",
        );
        let span = format!(
            "{} to {}, {}, {}",
            text::duration((between.0 - start) as f64 / 1_000.0),
            text::duration((between.1 - start) as f64 / 1_000.0),
            text::counted(area.lines.len() as i64, "row"),
            text::counted(total.count, "step"),
        );
        let zoom = move |_| {
            if let Some(area) = stage.area.get_untracked() {
                stage.look(crate::timeline::axis::View {
                    from: area.from,
                    to: area.to,
                });
                stage.area.set(None);
            }
        };
        Some(view! {
            <section class="cell wf-area" aria-label="Area">
                <div class="head">
                    <h2>"Area"</h2>
                    <span class="sub num">{span}</span>
                    <div class="head-actions">
                        <button class="btn sm" type="button" on:click=zoom>"Zoom here"</button>
                        <button class="btn icon sm" data-variant="quiet" type="button" aria-label="Close the area (Esc)" on:click=move |_| stage.area.set(None)>
                            <Icon name="x"/>
                        </button>
                    </div>
                </div>
                {table}
                {(more > 0).then(|| view! { <p class="dim">{format!("and {more} more")}</p> })}
                <p class="num">
                    <b>"All "</b>
                    {format!(
                        "{}, {}, {}, {}",
                        text::counted(total.count, "step"),
                        text::duration(total.time_ms),
                        total.tokens.map_or_else(|| "no tokens".to_owned(), |n| format!("{} tokens", text::short_count(n))),
                        total.cost_nano_usd.map_or_else(|| "no known cost".to_owned(), |cost| cost.to_short()),
                    )}
                </p>
            </section>
        })
    }
}

/// All groups as one.
fn sum(groups: &[Group]) -> Group {
    let mut total = Group {
        kind: domain::StepKind::Other,
        name: String::new(),
        model: None,
        count: 0,
        failed: 0,
        time_ms: 0.0,
        tokens: None,
        cost_nano_usd: None,
        unpriced: 0,
        cost_percent: None,
    };
    for group in groups {
        total.count += group.count;
        total.failed += group.failed;
        total.time_ms += group.time_ms;
        total.unpriced += group.unpriced;
        if let Some(tokens) = group.tokens {
            total.tokens = Some(total.tokens.unwrap_or(0).saturating_add(tokens));
        }
        if let Some(cost) = group.cost_nano_usd {
            total.cost_nano_usd = Some(total.cost_nano_usd.unwrap_or_default().saturating_add(cost));
        }
    }
    total
}

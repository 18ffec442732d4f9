//! The days at a glance: a lane for each key, what shipped below. Pure SVG, so that it is there without WASM.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use domain::{IncidentStatus, Timestamp};
use engine::incidents::attribution::VerdictKind;
use leptos::prelude::*;

use crate::api::incidents::{IncidentsView, ListedIncident};
use crate::chart::escaped;

const DAY_MICROS: i64 = 86_400_000_000;
const LANE_PX: usize = 32;
/// Lanes that are drawn; the others are in the table.
const MAX_LANES: usize = 8;
/// Texts of the axis.
const TICKS: i64 = 6;

/// The section, or nothing without a key to draw.
pub(super) fn lanes(view: &IncidentsView, days: u32) -> impl IntoView + use<> {
    let name = |item: &ListedIncident| item.key.clone().unwrap_or_else(|| "all keys".to_owned());
    let names: BTreeSet<String> = view.items.iter().map(name).collect();
    let names: Vec<String> = names.into_iter().take(MAX_LANES).collect();
    let from = view.now.plus_micros(-DAY_MICROS * i64::from(days));
    let x = |at: Timestamp| {
        let share = (at.micros() - from.micros()) as f64 / (view.now.micros() - from.micros()).max(1) as f64;
        share.clamp(0.0, 1.0) * 100.0
    };
    let axis = names.len() * LANE_PX;
    let mut out = String::new();
    let mut texts = String::new();
    for (lane, key) in names.iter().enumerate() {
        let y = lane * LANE_PX;
        _ = write!(
            out,
            r#"<rect class="cal-lane" width="100%" y="{y}" height="{}"/>"#,
            LANE_PX - 6
        );
        _ = write!(texts, r#"<text x="0" y="{}">{}</text>"#, y + 17, escaped(key));
    }
    for deploy in &view.deploys {
        let at = x(deploy.at());
        _ = write!(
            out,
            r#"<line class="grid-line dash" x1="{at:.2}%" x2="{at:.2}%" y1="0" y2="{axis}"/>"#
        );
    }
    for item in &view.items {
        let Some(lane) = names.iter().position(|known| *known == name(item)) else {
            continue;
        };
        let (begin, end) = (x(item.onset), x(item.until));
        let class = match (item.status, item.verdict) {
            (IncidentStatus::Open, _) => "cal-open",
            (_, VerdictKind::Deploy) => "cal-dep",
            (_, VerdictKind::Probably) => "cal-may",
            (_, VerdictKind::NoDeploy) => "cal-no",
            (_, VerdictKind::Unclear | VerdictKind::Learning) => "cal-un",
        };
        let title = escaped(&item.sentence);
        _ = write!(
            out,
            r#"<rect class="{class}" x="{begin:.2}%" y="{}" width="{:.2}%" height="{}" rx="1"><title>{title}</title></rect>"#,
            lane * LANE_PX + 3,
            (end - begin).max(0.5),
            LANE_PX - 12
        );
    }
    let named: BTreeSet<&str> = view
        .items
        .iter()
        .filter_map(|item| item.deploy_id.as_deref())
        .collect();
    for deploy in &view.deploys {
        let class = if named.contains(deploy.id.as_str()) {
            "bob cause"
        } else {
            "bob"
        };
        _ = write!(
            out,
            r#"<svg x="{:.2}%" y="{}" overflow="visible"><path class="{class}" d="M0 6.9L-4.6 0.69 0 -4.6 4.6 0.69z"><title>{}</title></path></svg>"#,
            x(deploy.at()),
            axis + 30,
            escaped(&format!(
                "{} {}",
                deploy.name(),
                deploy.title.as_deref().unwrap_or_default()
            ))
        );
    }
    _ = write!(
        out,
        r#"<line class="axis-line" x1="0" x2="100%" y1="{axis}" y2="{axis}"/>"#
    );
    for tick in 0..=TICKS {
        let at = from.plus_micros((view.now.micros() - from.micros()) / TICKS * tick);
        let (anchor, minor) = match tick {
            0 => ("start", ""),
            TICKS => ("end", ""),
            odd if odd % 2 == 1 => ("middle", " class=\"wide-c\""),
            _ => ("middle", ""),
        };
        _ = write!(
            out,
            r#"<text{minor} x="{:.2}%" y="{}" text-anchor="{anchor}">{}</text>"#,
            x(at),
            axis + 16,
            date(at)
        );
    }
    _ = write!(texts, r#"<text x="0" y="{}">deploys</text>"#, axis + 34);
    let height = (axis + 42).to_string();
    let label = format!(
        "{} in {days} days, by key",
        domain::text::counted(view.items.len() as i64, "incident")
    );
    view! {
        <section class="cell" aria-labelledby="lanes-title">
            <div class="head">
                <h2 id="lanes-title">{format!("{days} days")}</h2>
                <span class="sub">"a lane for each key, deploys below"</span>
                <ul class="legend head-actions wide">
                    <li><span class="swatch cal-k open"></span>"open"</li>
                    <li><span class="swatch cal-k dep"></span>"a deploy"</li>
                    <li><span class="swatch cal-k may"></span>"probably"</li>
                    <li><span class="swatch cal-k no"></span>"no deploy"</li>
                    <li><span class="swatch cal-k un"></span>"unclear"</li>
                </ul>
            </div>
            <div class="cal">
                <svg class="plot cal-y" height=height.clone() aria-hidden="true" inner_html=texts></svg>
                <svg class="plot" height=height role="img" aria-label=label inner_html=out></svg>
            </div>
        </section>
    }
}

fn date(at: Timestamp) -> String {
    let at = at.to_offset_date_time();
    let month = at.month().to_string();
    format!("{} {}", at.day(), month.get(..3).unwrap_or(&month))
}

//! The overview strip with its window, and the run at a moment.

use domain::text;
use leptos::prelude::*;

use super::Kinds;
use super::pointer::{PointerPart, use_pointer};
use super::stage::{SPEEDS, Stage};
use crate::timeline::overview::{STRIP_PX, strip_hits};
use crate::ui::icon::Icon;
use crate::ui::time::use_attached;

/// The whole run: what is seen of it, and its course.
#[component]
pub(super) fn Strip(stage: Stage) -> impl IntoView {
    let run = stage.page.run;
    let overview = move || run.read().strip.clone();
    let hits = move || {
        let (run, hits) = (run.read(), stage.hits.read());
        if hits.is_empty() {
            return String::new();
        }
        strip_hits(&run.layout, &run.skeleton, &hits, run.now_us())
    };
    let label = move || {
        let run = run.read();
        let steps = text::counted(run.run().step_count, "step");
        format!(
            "Whole run: {steps} over {}, conditions and cumulative cost",
            text::duration(run.scale.length_ms())
        )
    };
    let attached = use_attached();
    // Shares of the run's time, in percent.
    let seen = Memo::new(move |_| {
        let view = stage.view.get()?;
        let axis = stage.axis.read();
        let (start, end) = run.read().bounds;
        let percent =
            |place: f64| (axis.time_at(place) / ((end - start) as f64).max(1.0) * 100.0).clamp(0.0, 100.0);
        Some((percent(view.from), percent(view.to)))
    });
    let window = move || {
        let (from, to) = seen.get().unwrap_or((0.0, 100.0));
        let (before, width, after) = (
            format!("{from:.3}%"),
            format!("{:.3}%", to - from),
            format!("{to:.3}%"),
        );
        let rest = format!("{:.3}%", 100.0 - to);
        view! {
            <rect class="strip-fade" x="0" y="0" width=before.clone() height="56"/>
            <rect class="strip-fade" x=after.clone() y="0" width=rest height="56"/>
            <rect class="win" x=before.clone() y="0.5" width=width height="55"/>
            <svg x=before overflow="visible"><rect class="grip" x="-3" y="18" width="6" height="20" rx="2"/></svg>
            <svg x=after overflow="visible"><rect class="grip" x="-3" y="18" width="6" height="20" rx="2"/></svg>
        }
    };
    let head = move || {
        let at = stage.at_us.get()?;
        let (start, end) = run.read().bounds;
        let percent = (at / ((end - start) as f64).max(1.0) * 100.0).clamp(0.0, 100.0);
        let x = format!("{percent:.3}%");
        Some(view! { <line class="head-line" x1=x.clone() x2=x y1="0" y2="56"/> })
    };
    let pointer = use_pointer(stage, PointerPart::Strip);
    view! {
        <div class="strip-wrap">
            <div
                class="strip-place"
                on:pointerdown=move |event| pointer.down(&event)
                on:pointermove=move |event| pointer.moved(&event)
                on:pointerup=move |event| pointer.up(&event)
                on:pointercancel=move |event| pointer.up(&event)
                on:wheel=move |event| pointer.wheel(&event)
                on:dblclick=move |event| pointer.double(&event)
            >
                <svg class="plot strip" height=STRIP_PX.to_string() role="img" aria-label=label inner_html=overview></svg>
                <svg class="plot strip-over" height=STRIP_PX.to_string() aria-hidden="true" inner_html=hits></svg>
                <svg class="plot strip-over" height=STRIP_PX.to_string() aria-hidden="true">
                    {move || attached.get().then(window)}
                    {head}
                </svg>
            </div>
            <Play stage/>
        </div>
    }
}

/// The run at a moment, and its course as a film.
#[component]
fn Play(stage: Stage) -> impl IntoView {
    let page = stage.page;
    let run = page.run;
    let attached = use_attached();
    let length = move || {
        let (start, end) = run.read().bounds;
        (end - start) as f64
    };
    let moment = move || {
        let at = stage.at_us.get()?;
        let run = run.read();
        let words = run.playback.at(run.bounds.0 + at.round() as i64).words();
        Some((text::duration(at / 1_000.0), words))
    };
    let has_moment = Memo::new(move |_| stage.at_us.read().is_some());
    let scrub = move |event| {
        stage.playing.set(None);
        if let Ok(share) = event_target_value(&event).parse::<f64>() {
            stage.at_us.set(Some(share / 1_000.0 * untrack(length)));
        }
    };
    let share = move || {
        let at = stage.at_us.get().unwrap_or(0.0);
        (at / length().max(1.0) * 1_000.0).round().to_string()
    };
    let speeds = SPEEDS.map(|speed| {
        view! {
            <button
                type="button"
                aria-pressed=move || if stage.playing.get() == Some(speed) { "true" } else { "false" }
                on:click=move |_| {
                    if stage.at_us.get_untracked().is_none_or(|at| at >= untrack(length)) {
                        stage.at_us.set(Some(0.0));
                    }
                    stage.playing.set(Some(speed));
                }
            >
                {format!("×{speed}")}
            </button>
        }
    });
    let word = move || {
        if stage.playing.get().is_some() {
            "Pause (Space)"
        } else {
            "Play (Space)"
        }
    };
    view! {
        <div class="play">
            <span class="row play-run" hidden=move || !attached.get()>
                <button class="btn icon sm" data-variant="quiet" type="button" aria-label=word title=word on:click=move |_| stage.toggle_playing()>
                    <Icon name=Signal::derive(move || if stage.playing.get().is_some() { "paused" } else { "play" })/>
                </button>
                <input
                    class="play-at"
                    type="range"
                    min="0"
                    max="1000"
                    aria-label="Moment of the run"
                    prop:value=share
                    on:input=scrub
                />
                <span class="seg sm" role="group" aria-label="Speed" hidden=move || stage.playing.get().is_none()>{speeds}</span>
                <span class="play-words">
                    {move || moment().map(|(at, words)| view! { <b class="num">{at}</b>" " <span class="dim2 num">{words}</span> })}
                </span>
                <button
                    class="btn icon sm"
                    data-variant="quiet"
                    type="button"
                    aria-label="Leave this moment"
                    hidden=move || !has_moment.get()
                    on:click=move |_| {
                        stage.playing.set(None);
                        stage.at_us.set(None);
                    }
                >
                    <Icon name="x"/>
                </button>
            </span>
            <Kinds page/>
        </div>
    }
}

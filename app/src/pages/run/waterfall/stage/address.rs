//! The part that is seen and the moment that is looked at, in the address.

use leptos::prelude::*;

use super::Stage;
use crate::timeline::axis::View;

/// How long after the last movement the address is written, in milliseconds.
const WRITTEN_AFTER_MS: u64 = 350;

/// Where the part that is seen begins and ends, in microseconds since the run's beginning.
fn zoom_of(stage: Stage) -> Option<(i64, i64)> {
    let view = stage.view.get_untracked()?;
    let axis = stage.axis.read_untracked();
    Some((
        axis.time_at(view.from).round() as i64,
        axis.time_at(view.to).round() as i64,
    ))
}

/// Reads zoom and moment from the address when it changes by other ways than this, and writes them there a while after
/// the last movement.
pub(super) fn keep_address(stage: Stage) {
    let written = StoredValue::new((None::<(i64, i64)>, None::<i64>));
    let query = stage.page.query;
    let in_address = Memo::new(move |_| (query.read().zoom, query.read().at));
    Effect::new(move |_| {
        let (zoom, at) = in_address.get();
        // Another axis shows the same time.
        let axis = stage.axis.read();
        if Some((zoom, at)) == written.try_get_value() && (zoom, at) != (None, None) && zoom_of(stage) == zoom
        {
            return;
        }
        let place = |us: i64| axis.place_of(us as f64);
        let view = zoom.map(|(from, to)| View {
            from: place(from),
            to: place(to),
        });
        let length = axis.length();
        stage.view.set(view.map(|view| view.clamped(length)));
        if let Some(at) = at {
            stage.at_us.set(Some(at as f64));
        }
        written.set_value((zoom, at));
    });
    let pending = StoredValue::new(0_u32);
    Effect::new(move |before: Option<()>| {
        stage.view.track();
        stage.at_us.track();
        if before.is_none() {
            return;
        }
        pending.update_value(|n| *n = n.wrapping_add(1));
        let mine = pending.get_value();
        let write = move || {
            if pending.try_get_value() != Some(mine) || stage.playing.try_get_untracked().flatten().is_some()
            {
                return;
            }
            let at = stage.at_us.get_untracked().map(|at| at.round() as i64);
            let state = (zoom_of(stage), at);
            if state == in_address.get_untracked() {
                return;
            }
            written.set_value(state);
            stage.change(|query| (query.zoom, query.at) = state);
        };
        set_timeout(write, std::time::Duration::from_millis(WRITTEN_AFTER_MS));
    });
}

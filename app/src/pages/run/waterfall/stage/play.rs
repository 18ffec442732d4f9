//! A run played as a film.

#[cfg(target_arch = "wasm32")]
use leptos::prelude::*;

use super::Stage;

/// Moves the moment on while the run is played.
pub(super) fn keep_playing(stage: Stage) {
    #[cfg(target_arch = "wasm32")]
    {
        let last = StoredValue::new(None::<f64>);
        Effect::new(move |_| {
            if stage.playing.get().is_some() {
                last.set_value(None);
                play_on(stage, last);
            }
        });
    }
    #[cfg(not(target_arch = "wasm32"))]
    let _only_in_the_browser = stage;
}

/// One frame of a run that is played; `last` is when the one before was.
#[cfg(target_arch = "wasm32")]
fn play_on(stage: Stage, last: StoredValue<Option<f64>>) {
    request_animation_frame(move || {
        let Some(Some(speed)) = stage.playing.try_get_untracked() else {
            return;
        };
        let now = window()
            .performance()
            .map_or(0.0, |performance| performance.now());
        let passed_ms = last.get_value().map_or(0.0, |last| now - last);
        last.set_value(Some(now));
        let (start, end) = stage.page.run.read_untracked().bounds;
        let length = (end - start) as f64;
        let at = stage.at_us.get_untracked().unwrap_or(0.0) + passed_ms * 1_000.0 * f64::from(speed);
        stage.at_us.set(Some(at.min(length)));
        if at >= length {
            stage.playing.set(None);
            return;
        }
        play_on(stage, last);
    });
}

//! Points in time. The server writes UTC; once attached, the browser shows its own zone. The title keeps all of it.

use domain::Timestamp;
use leptos::prelude::*;

use crate::context::use_page_request;

/// Whether times are shown in the visitor's own zone. False on the server and for the browser's first render, which
/// has to be the same.
#[derive(Clone, Copy)]
struct OwnZone(RwSignal<bool>);

/// Makes the zone known to every [`Time`] below; switches to the visitor's own once the page is attached.
pub(crate) fn provide_zone() {
    let own = RwSignal::new(false);
    provide_context(OwnZone(own));
    Effect::new(move |_| own.set(true));
}

/// True once the browser has attached to the page: what needs WASM can be shown.
pub(crate) fn use_attached() -> Signal<bool> {
    use_context::<OwnZone>().map_or_else(|| Signal::stored(false), |own| own.0.into())
}

/// The viewer's distance from UTC at an instant, in minutes, east positive: 0 until the page is attached. Follows the
/// zone.
pub(crate) fn use_zone() -> impl Fn(Timestamp) -> i64 + Copy + Send + Sync + 'static {
    let own = use_attached();
    move |at| if own.get() { offset_minutes(at) } else { 0 }
}

/// How a time reads: `09:12:27` today, else `12 Nov 15:02`, with the year where it is not this one. Follows the zone.
pub(crate) fn use_time_text() -> impl Fn(Timestamp) -> String + Copy + Send + Sync + 'static {
    let now = use_page_request().now;
    let own = use_attached();
    move |at| {
        let minutes = |t| if own.get() { offset_minutes(t) } else { 0 };
        time_text(at, minutes(at), now, minutes(now))
    }
}

/// A point in time, short, with the exact value in the title.
#[component]
pub(crate) fn Time(#[prop(into)] at: Signal<Timestamp>) -> impl IntoView {
    let text = use_time_text();
    view! {
        <time datetime=move || at.get().to_string() title=move || at.get().to_string()>
            {move || text(at.get())}
        </time>
    }
}

/// A point in time with its day, also where that is today: `1 Dec 00:00`. For hours and days that something lies on, whose
/// clock alone says nothing.
#[component]
pub(crate) fn DatedTime(at: Timestamp) -> impl IntoView {
    let now = use_page_request().now;
    let zone = use_zone();
    view! {
        <time datetime=at.to_string() title=at.to_string()>
            {move || dated_text(at, zone(at), now, zone(now))}
        </time>
    }
}

/// `at` in words, seen at `now`; each with its zone's distance from UTC in minutes, east positive.
fn time_text(at: Timestamp, at_offset: i64, now: Timestamp, now_offset: i64) -> String {
    let local = at.plus_micros(at_offset * 60_000_000).to_offset_date_time();
    let today = now.plus_micros(now_offset * 60_000_000).to_offset_date_time();
    if local.date() == today.date() {
        let (hour, minute, second) = local.to_hms();
        return format!("{hour:02}:{minute:02}:{second:02}");
    }
    dated_text(at, at_offset, now, now_offset)
}

/// The same with its day, also where that is today.
fn dated_text(at: Timestamp, at_offset: i64, now: Timestamp, now_offset: i64) -> String {
    let local = at.plus_micros(at_offset * 60_000_000).to_offset_date_time();
    let today = now.plus_micros(now_offset * 60_000_000).to_offset_date_time();
    let month = local.month().to_string();
    let month = month.get(..3).unwrap_or(&month);
    if local.year() == today.year() {
        format!(
            "{} {month} {:02}:{:02}",
            local.day(),
            local.hour(),
            local.minute()
        )
    } else {
        format!("{} {month} {}", local.day(), local.year())
    }
}

/// The visitor's distance from UTC at that instant, in minutes, east positive.
fn offset_minutes(at: Timestamp) -> i64 {
    #[cfg(target_arch = "wasm32")]
    {
        let date = js_sys::Date::new(&wasm_bindgen::JsValue::from_f64(at.epoch_ms()));
        -(date.get_timezone_offset() as i64)
    }
    #[cfg(not(target_arch = "wasm32"))]
    {
        let _utc = at;
        0
    }
}

/// The time on the visitor's clock. Only for what happens after the page was rendered; pages use
/// [`crate::PageRequest::now`].
#[cfg(target_arch = "wasm32")]
pub(crate) fn clock_now() -> Timestamp {
    Timestamp::from_micros((js_sys::Date::now() * 1_000.0) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_times() {
        let at = |text: &str| Timestamp::parse_rfc3339(text).unwrap();
        let now = at("2026-11-21T23:30:00Z");
        let check = |text: &str, offset: i64, expected: &str| {
            assert_eq!(time_text(at(text), offset, now, offset), expected, "{text}");
        };
        check("2026-11-21T09:12:27.9Z", 0, "09:12:27");
        check("2026-11-12T15:02:59Z", 0, "12 Nov 15:02");
        check("2025-11-21T09:12:27Z", 0, "21 Nov 2025");
        check("2026-11-21T09:12:27Z", 60, "21 Nov 10:12");
        check("2026-11-21T23:12:27Z", 60, "00:12:27");
        check("2026-11-21T09:12:27Z", -330, "03:42:27");
    }

    #[test]
    fn a_dated_time_has_its_day_today_too() {
        let at = |text: &str| Timestamp::parse_rfc3339(text).unwrap();
        let now = at("2026-11-21T23:30:00Z");
        let check = |text: &str, offset: i64, expected: &str| {
            assert_eq!(dated_text(at(text), offset, now, offset), expected, "{text}");
        };
        check("2026-11-21T00:00:00Z", 0, "21 Nov 00:00");
        check("2026-11-21T23:00:00Z", 60, "22 Nov 00:00");
        check("2026-11-12T15:02:59Z", 0, "12 Nov 15:02");
        check("2025-11-21T00:00:00Z", 0, "21 Nov 2025");
    }
}

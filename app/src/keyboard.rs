//! Keys. One table names them all, for the help and for what they do; none works while something is being typed.

use leptos::ev;
use leptos::prelude::*;

/// A key or a sequence, what it does, and where.
pub(crate) struct KeyHelp {
    /// The keys, pressed one after the other.
    pub(crate) keys: &'static [&'static str],
    /// What they do.
    pub(crate) does: &'static str,
    /// The page they work on.
    pub(crate) place: &'static str,
}

const fn key(keys: &'static [&'static str], does: &'static str, place: &'static str) -> KeyHelp {
    KeyHelp { keys, does, place }
}

/// Every key of every page, in the order of the help.
pub(crate) const ALL_KEYS: &[KeyHelp] = &[
    key(&["Ctrl", "K"], "commands, projects, runs by name", "Everywhere"),
    key(&["g", "o"], "go to the overview", "Everywhere"),
    key(&["g", "r"], "go to runs", "Everywhere"),
    key(&["g", "a"], "go to anomalies", "Everywhere"),
    key(&["g", "d"], "go to deploys", "Everywhere"),
    key(&["g", "s"], "go to settings", "Everywhere"),
    key(&["?"], "this help", "Everywhere"),
    key(&["Esc"], "close what is open", "Everywhere"),
    key(&["["], "window before", "Overview"),
    key(&["]"], "window after", "Overview"),
    key(&["t"], "chart or its numbers", "Overview"),
    key(&["←", "→"], "moment by moment, on the chart", "Overview"),
    key(&["Shift", "→"], "draw a range, Enter goes to it", "Overview"),
    key(&["/"], "type a filter", "Runs"),
    key(&["j"], "next row", "Runs"),
    key(&["k"], "previous row", "Runs"),
    key(&["↵"], "open the row", "Runs"),
    key(&["l"], "live tail on or off", "Runs"),
    key(&["j"], "next step", "Run"),
    key(&["k"], "previous step", "Run"),
    key(
        &["↑", "↓"],
        "step by step, in the tree; ← and → fold and climb",
        "Run",
    ),
    key(&["n", "N"], "next, previous problem", "Run"),
    key(&["["], "fold a level", "Run"),
    key(&["]"], "unfold a level", "Run"),
    key(&["w", "s"], "zoom in, out (also + and −)", "Run"),
    key(&["a", "d"], "earlier, later (also ← and →)", "Run"),
    key(&["f"], "show all of it", "Run"),
    key(&["z"], "zoom to the step or the area", "Run"),
    key(&["/"], "search steps, Enter goes on", "Run"),
    key(&["c"], "cut idle gaps", "Run"),
    key(&["p"], "critical path by time, by cost, off", "Run"),
    key(&["r"], "fold repeated calls", "Run"),
    key(&["Space"], "play, pause", "Run"),
    key(&["t"], "timeline or table", "Run"),
    key(&["{"], "newer run", "Run"),
    key(&["}"], "older run", "Run"),
    key(&["["], "previous window", "Anomalies"),
    key(&["]"], "next window", "Anomalies"),
    key(&["t"], "chart or its numbers", "Anomalies"),
];

/// The places of [`ALL_KEYS`], each once, in order.
pub(crate) fn places() -> Vec<&'static str> {
    let mut places: Vec<&'static str> = ALL_KEYS.iter().map(|help| help.place).collect();
    places.dedup();
    places
}

/// What keys pressed anywhere ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyCommand {
    /// Open the command menu.
    Commands,
    /// Go to the page whose letter follows `g`.
    GoTo(char),
    /// Put the cursor into the filter.
    Filter,
    /// Show all keys.
    Help,
}

/// One key press, as far as it matters here.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Press<'a> {
    pub(crate) key: &'a str,
    /// Ctrl or ⌘ is held.
    pub(crate) command: bool,
    pub(crate) alt: bool,
    /// The cursor is in a field.
    pub(crate) typing: bool,
}

/// What a press means after `g` (or not), and whether the next press follows a `g`.
pub(crate) fn interpret(press: Press<'_>, after_g: bool) -> (Option<KeyCommand>, bool) {
    if press.command && press.key.eq_ignore_ascii_case("k") {
        return (Some(KeyCommand::Commands), false);
    }
    if press.typing || press.command || press.alt {
        return (None, false);
    }
    match (after_g, press.key) {
        (true, key) => {
            let mut letters = key.chars();
            match (letters.next(), letters.next()) {
                (Some(letter), None) => (Some(KeyCommand::GoTo(letter)), false),
                _ => (None, false),
            }
        }
        (false, "g") => (None, true),
        (false, "/") => (Some(KeyCommand::Filter), false),
        (false, "?") => (Some(KeyCommand::Help), false),
        _ => (None, false),
    }
}

/// Calls `run` for every command typed on the page. The browser's own meaning of those keys is prevented when `run`
/// returns true.
pub(crate) fn use_commands(run: impl Fn(KeyCommand) -> bool + 'static) {
    let after_g = StoredValue::new(false);
    let handle = window_event_listener(ev::keydown, move |event| {
        let key = event.key();
        let press = Press {
            key: &key,
            command: event.ctrl_key() || event.meta_key(),
            alt: event.alt_key(),
            typing: is_typing(&event),
        };
        let (command, g) = interpret(press, after_g.get_value());
        after_g.set_value(g);
        if command.is_some_and(&run) {
            event.prevent_default();
        }
    });
    on_cleanup(move || handle.remove());
}

/// Calls `run` with the key of every press that is not typed into a field, has no modifier and did not mean anything
/// to another element. The browser's own meaning is prevented when `run` returns true.
pub(crate) fn use_keys(run: impl Fn(&str) -> bool + 'static) {
    let handle = window_event_listener(ev::keydown, move |event| {
        let modified = event.ctrl_key() || event.meta_key() || event.alt_key();
        if !modified && !event.default_prevented() && !is_typing(&event) && run(&event.key()) {
            event.prevent_default();
        }
    });
    on_cleanup(move || handle.remove());
}

#[cfg(target_arch = "wasm32")]
fn is_typing(event: &ev::KeyboardEvent) -> bool {
    use wasm_bindgen::JsCast;
    event
        .target()
        .and_then(|target| target.dyn_into::<web_sys::Element>().ok())
        .is_some_and(|element| {
            element
                .closest("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable], dialog[open]")
                .is_ok_and(|found| found.is_some())
        })
}

#[cfg(not(target_arch = "wasm32"))]
fn is_typing(_event: &ev::KeyboardEvent) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_mean_what_the_help_says() {
        let check = |key: &str, after_g: bool, expected: (Option<KeyCommand>, bool)| {
            let press = Press {
                key,
                ..Press::default()
            };
            assert_eq!(interpret(press, after_g), expected, "{key}");
        };
        check("g", false, (None, true));
        check("r", true, (Some(KeyCommand::GoTo('r')), false));
        check("r", false, (None, false));
        check("Shift", true, (None, false));
        check("/", false, (Some(KeyCommand::Filter), false));
        check("?", false, (Some(KeyCommand::Help), false));
        check("k", false, (None, false));
    }

    #[test]
    fn nothing_but_the_command_menu_works_while_typing() {
        let check = |key: &str, command: bool, expected: Option<KeyCommand>| {
            let press = Press {
                key,
                command,
                typing: true,
                alt: false,
            };
            assert_eq!(interpret(press, false).0, expected, "{key}");
        };
        check("/", false, None);
        check("?", false, None);
        check("g", false, None);
        check("k", true, Some(KeyCommand::Commands));
        check("K", true, Some(KeyCommand::Commands));
    }

    #[test]
    fn each_place_is_listed_once() {
        assert_eq!(places(), ["Everywhere", "Overview", "Runs", "Run", "Anomalies"]);
    }
}

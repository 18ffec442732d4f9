//! The theme: chosen once, kept in a cookie, so that the first paint is right.

use leptos::prelude::*;
use serde::{Deserialize, Serialize};

/// Which colours the pages use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Theme {
    /// What the visitor's system says.
    #[default]
    System,
    Light,
    Dark,
}

impl Theme {
    /// All of them, in the order of the switch.
    pub const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    /// The word in the cookie and in the form.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// The word on the switch.
    pub const fn label(self) -> &'static str {
        match self {
            Self::System => "System",
            Self::Light => "Light",
            Self::Dark => "Dark",
        }
    }

    /// Reads the cookie's word; anything unknown is the system's theme.
    pub fn parse(word: &str) -> Self {
        match word {
            "light" => Self::Light,
            "dark" => Self::Dark,
            _ => Self::System,
        }
    }

    /// The value of `data-theme` on the document; the system's theme has none.
    pub const fn attribute(self) -> Option<&'static str> {
        match self {
            Self::System => None,
            other => Some(other.as_str()),
        }
    }
}

/// The theme of the page, which a switch may change.
pub(crate) fn use_theme() -> RwSignal<Theme> {
    use_context().unwrap_or_default()
}

/// Changes the theme at once and keeps it for the next page.
pub(crate) fn choose_theme(current: RwSignal<Theme>, theme: Theme) {
    current.set(theme);
    #[cfg(target_arch = "wasm32")]
    browser::apply(theme);
}

#[cfg(target_arch = "wasm32")]
mod browser {
    use leptos::prelude::*;
    use leptos::task::spawn_local;

    use super::Theme;

    pub(super) fn apply(theme: Theme) {
        if let Some(root) = document().document_element() {
            let applied = match theme.attribute() {
                Some(word) => root.set_attribute("data-theme", word),
                None => root.remove_attribute("data-theme"),
            };
            if applied.is_err() {
                leptos::logging::warn!("the document refused its theme attribute");
            }
        }
        spawn_local(async move {
            let body = format!("theme={}&next=%2F", theme.as_str());
            let request = gloo_net::http::Request::post("/theme")
                .header("content-type", "application/x-www-form-urlencoded")
                .redirect(web_sys::RequestRedirect::Manual)
                .body(body);
            if let Ok(request) = request
                && request.send().await.is_err()
            {
                leptos::logging::warn!("the theme could not be kept for the next page");
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_round_trip() {
        for theme in Theme::ALL {
            assert_eq!(Theme::parse(theme.as_str()), theme);
        }
        assert_eq!(Theme::parse("<script>"), Theme::System);
    }
}

//! The fields of tracing as JSON, taken at once and bounded.

use std::fmt::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};

/// What `Debug` and errors say is cut here; texts that are given as such are not.
const MAX_DESCRIPTION: usize = 64 * 1024;
/// What a value is that panics while it is described.
const UNREADABLE: &str = "[unreadable]";

/// Collects fields, by name.
pub(crate) struct Fields<'a>(pub(crate) &'a mut Map<String, Value>);

impl Fields<'_> {
    fn insert(&mut self, field: &Field, value: impl Into<Value>) {
        // `r#type` is the field `type`.
        let name = field.name().trim_start_matches("r#");
        self.0.insert(name.to_owned(), value.into());
    }
}

impl Visit for Fields<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has no infinity.
        if value.is_finite() {
            self.insert(field, value);
        } else {
            self.insert(field, value.to_string());
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.insert(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.insert(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.insert(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.insert(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.insert(field, described(format_args!("{value}")));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.insert(field, described(format_args!("{value:?}")));
    }
}

/// What a value says of itself. It is somebody else's code: it may write without end, fail, or panic.
pub(crate) fn described(value: fmt::Arguments<'_>) -> String {
    let described = catch_unwind(AssertUnwindSafe(|| {
        let mut text = Bounded(String::new());
        // An error is the end of what there is room for, or of what can be said.
        text.write_fmt(value).ok();
        text.0
    }));
    described.unwrap_or_else(|_| UNREADABLE.to_owned())
}

struct Bounded(String);

impl Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = MAX_DESCRIPTION.saturating_sub(self.0.len());
        let fits = cut(text, room);
        self.0.push_str(fits);
        if fits.len() < text.len() {
            self.0.push('…');
            return Err(fmt::Error);
        }
        Ok(())
    }
}

/// The beginning of a text, of at most so many bytes and of whole characters.
pub(crate) fn cut(text: &str, bytes: usize) -> &str {
    let mut end = text.len().min(bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Endless;

    impl fmt::Debug for Endless {
        fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
            loop {
                out.write_str("and so on ")?;
            }
        }
    }

    struct Panics;

    impl fmt::Debug for Panics {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("a Debug that panics")
        }
    }

    #[test]
    fn what_a_value_says_is_bounded_and_does_not_get_out() {
        let endless = described(format_args!("{:?}", Endless));
        assert!(
            endless.len() <= MAX_DESCRIPTION + '…'.len_utf8(),
            "{}",
            endless.len()
        );
        assert!(endless.ends_with('…'));
        assert_eq!(described(format_args!("{:?}", Panics)), UNREADABLE);
    }

    #[test]
    fn texts_are_cut_between_characters() {
        for (text, bytes, expected) in [
            ("plumb", 9, "plumb"),
            ("plumb", 2, "pl"),
            ("éé", 3, "é"),
            ("é", 1, ""),
            ("", 0, ""),
        ] {
            assert_eq!(cut(text, bytes), expected, "{text} to {bytes}");
        }
    }
}

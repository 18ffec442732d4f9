//! Lists as files for spreadsheets.

use std::borrow::Cow;

use serde::Deserialize;
use utoipa::ToSchema;

/// In which form a list is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Format {
    #[default]
    Json,
    Csv,
}

pub(super) const CONTENT_TYPE: &str = "text/csv; charset=utf-8";

/// A field in quotes.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", no_formula(text).replace('"', "\"\""))
}

/// A field in quotes where it needs them.
pub(crate) fn field(text: &str) -> String {
    if text.contains(['"', ',', '\n', '\r']) {
        quoted(text)
    } else {
        no_formula(text).into_owned()
    }
}

/// Spreadsheets run what begins like a formula, and names and addresses come from anybody: an apostrophe makes it a text.
fn no_formula(text: &str) -> Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{text}").into()
    } else {
        text.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_no_formulas_and_no_columns() {
        let check = |text: &str, expected: &str| assert_eq!(field(text), expected);
        check("prod-frontend", "prod-frontend");
        check("a,b", "\"a,b\"");
        check("say \"hi\"", "\"say \"\"hi\"\"\"");
        check("=1+1", "'=1+1");
        check("@cmd,x", "\"'@cmd,x\"");
        check("", "");
    }

    #[test]
    fn quoted_fields_are_no_formulas_either() {
        let check = |text: &str, expected: &str| assert_eq!(quoted(text), expected);
        check("a,b", "\"a,b\"");
        check("say \"x\"\r\n", "\"say \"\"x\"\"\r\n\"");
        check("=HYPERLINK(1)", "\"'=HYPERLINK(1)\"");
        check("@x", "\"'@x\"");
    }
}

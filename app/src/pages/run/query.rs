//! The state of the run page, all of it in the URL.

use domain::filter::encode_query;

use crate::api::earlier::ComparedText;

/// What the bars' colour means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Colour {
    /// What the step does.
    #[default]
    Kind,
    /// The model that answered.
    Model,
    /// The hardest layer that hit.
    Score,
}

impl Colour {
    /// Every value with its word in the URL and its label.
    pub(crate) const ALL: [(Self, &'static str, &'static str); 3] = [
        (Self::Kind, "kind", "Kind"),
        (Self::Model, "model", "Model"),
        (Self::Score, "score", "Score"),
    ];
}

/// Which critical path is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Path {
    /// What decided how long the run took.
    #[default]
    Time,
    /// What decided what it cost.
    Cost,
    Off,
}

impl Path {
    /// Every value with its word in the URL and its label.
    pub(crate) const ALL: [(Self, &'static str, &'static str); 3] = [
        (Self::Time, "time", "Time"),
        (Self::Cost, "cost", "Cost"),
        (Self::Off, "off", "Off"),
    ];
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TextView {
    Raw,
    Json,
    /// JSON whose branches fold.
    Tree,
    Chat,
    Markdown,
}

impl TextView {
    const WORDS: [(Self, &'static str); 5] = [
        (Self::Raw, "raw"),
        (Self::Json, "json"),
        (Self::Tree, "tree"),
        (Self::Chat, "chat"),
        (Self::Markdown, "md"),
    ];

    /// The word in the URL.
    pub(crate) fn as_str(self) -> &'static str {
        Self::WORDS
            .iter()
            .find(|(view, _)| *view == self)
            .map_or("raw", |(_, word)| word)
    }

    fn parse(word: &str) -> Option<Self> {
        Self::WORDS
            .iter()
            .find(|(_, w)| *w == word)
            .map(|(view, _)| *view)
    }
}

/// What the URL of a run page says. Unknown names and values are ignored: an old link still opens the run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RunQuery {
    pub(crate) step: Option<String>,
    pub(crate) colour: Colour,
    /// Steps as a table instead of the drawing.
    pub(crate) as_table: bool,
    /// How the output is shown; `None`: as it stands.
    pub(crate) output: Option<TextView>,
    /// How the input is shown; `None`: the best that its text allows.
    pub(crate) input: Option<TextView>,
    /// Which text is compared with that of the last good call; `None`: the output of a call that is not good.
    pub(crate) compared: Option<ComparedText>,
    /// What is looked for in the selected step's texts.
    pub(crate) find: String,
    /// Long texts and the list of problems are shown whole.
    pub(crate) full: bool,
    /// First row shown while there is no script to scroll with.
    pub(crate) first_row: usize,
    /// Ids of the steps that are folded, or unfolded where their level or their group is.
    pub(crate) folded: Vec<String>,
    /// Everything deeper than so many levels is folded.
    pub(crate) level: Option<usize>,
    /// Repeated calls each have a line.
    pub(crate) calls_apart: bool,
    pub(crate) path: Path,
    /// Idle gaps are cut out of the drawing.
    pub(crate) cut: bool,
    /// What is searched for in the steps.
    pub(crate) search: String,
    /// The part of the run that is seen, in microseconds since its beginning; `None`: all of it.
    pub(crate) zoom: Option<(i64, i64)>,
    /// The moment that is looked at, in microseconds since the beginning.
    pub(crate) at: Option<i64>,
    /// The chat beside the page.
    pub(crate) ask: Option<String>,
}

impl RunQuery {
    /// Reads the parameters (already percent-decoded); `fold` may come several times.
    pub(crate) fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut query = Self::default();
        for (name, value) in pairs {
            match name {
                "step" if !value.is_empty() => query.step = Some(value.to_owned()),
                "colour" => {
                    if let Some((colour, ..)) = Colour::ALL.iter().find(|c| c.1 == value) {
                        query.colour = *colour;
                    }
                }
                "view" => query.as_table = value == "table",
                "out" => query.output = TextView::parse(value),
                "in" => query.input = TextView::parse(value),
                "diff" => {
                    query.compared = match value {
                        "out" => Some(ComparedText::Output),
                        "in" => Some(ComparedText::Input),
                        _ => None,
                    };
                }
                "find" => query.find = value.to_owned(),
                "full" => query.full = value == "1",
                "rows" => query.first_row = value.parse().unwrap_or(0),
                "level" => query.level = value.parse().ok().filter(|level| (1..100).contains(level)),
                "calls" => query.calls_apart = value == "apart",
                "path" => {
                    if let Some((path, ..)) = Path::ALL.iter().find(|p| p.1 == value) {
                        query.path = *path;
                    }
                }
                "cut" => query.cut = value == "1",
                "q" => query.search = value.to_owned(),
                "zoom" => {
                    query.zoom = value
                        .split_once("to")
                        .and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)))
                        .filter(|(from, to)| from < to);
                }
                "at" => query.at = value.parse().ok(),
                "ask" if !value.is_empty() => query.ask = Some(value.to_owned()),
                "fold" if !value.is_empty() && !query.folded.iter().any(|id| id == value) => {
                    query.folded.push(value.to_owned());
                }
                _ => {}
            }
        }
        query
    }

    /// The URL's query without `?`; empty for the default.
    pub(crate) fn to_query(&self) -> String {
        let colour = Colour::ALL
            .iter()
            .find(|c| c.0 == self.colour)
            .map_or("kind", |c| c.1);
        let path = Path::ALL
            .iter()
            .find(|p| p.0 == self.path)
            .map_or("time", |p| p.1);
        let rows = self.first_row.to_string();
        let level = self.level.map(|level| level.to_string());
        let zoom = self.zoom.map(|(from, to)| format!("{from}to{to}"));
        let at = self.at.map(|at| at.to_string());
        let mut pairs: Vec<(&str, &str)> = Vec::new();
        pairs.extend(self.step.as_deref().map(|id| ("step", id)));
        if self.colour != Colour::Kind {
            pairs.push(("colour", colour));
        }
        if self.as_table {
            pairs.push(("view", "table"));
        }
        pairs.extend(self.output.map(|view| ("out", view.as_str())));
        pairs.extend(self.input.map(|view| ("in", view.as_str())));
        pairs.extend(self.compared.map(|compared| match compared {
            ComparedText::Output => ("diff", "out"),
            ComparedText::Input => ("diff", "in"),
        }));
        if !self.find.is_empty() {
            pairs.push(("find", &self.find));
        }
        if self.full {
            pairs.push(("full", "1"));
        }
        if self.first_row > 0 {
            pairs.push(("rows", &rows));
        }
        pairs.extend(level.as_deref().map(|level| ("level", level)));
        if self.calls_apart {
            pairs.push(("calls", "apart"));
        }
        if self.path != Path::Time {
            pairs.push(("path", path));
        }
        if self.cut {
            pairs.push(("cut", "1"));
        }
        if !self.search.is_empty() {
            pairs.push(("q", &self.search));
        }
        pairs.extend(zoom.as_deref().map(|zoom| ("zoom", zoom)));
        pairs.extend(at.as_deref().map(|at| ("at", at)));
        pairs.extend(self.folded.iter().map(|id| ("fold", id.as_str())));
        pairs.extend(self.ask.as_deref().map(|chat| ("ask", chat)));
        encode_query(pairs)
    }

    /// A link to this state on the same page: never empty, so that it also leads out of the current state.
    pub(crate) fn to_href(&self) -> String {
        format!("?{}", self.to_query())
    }

    /// This state with another step selected. Long texts of the new step are cut again, and nothing is looked for in them.
    pub(crate) fn with_step(&self, step_id: Option<&str>) -> Self {
        Self {
            step: step_id.map(str::to_owned),
            full: false,
            find: String::new(),
            ..self.clone()
        }
    }

    /// This state with a step folded, or unfolded if it is.
    pub(crate) fn with_fold_toggled(&self, step_id: &str) -> Self {
        let mut query = self.clone();
        match query.folded.iter().position(|id| id == step_id) {
            Some(at) => {
                query.folded.remove(at);
            }
            None => query.folded.push(step_id.to_owned()),
        }
        query
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_form_round_trips() {
        let check = |pairs: &[(&str, &str)], expected: &str| {
            let query = RunQuery::from_pairs(pairs.iter().copied());
            assert_eq!(query.to_query(), expected);
        };
        check(&[], "");
        check(&[("step", "a&b"), ("colour", "score")], "step=a%26b&colour=score");
        check(
            &[
                ("colour", "kind"),
                ("view", "tree"),
                ("out", "odd"),
                ("rows", "-1"),
            ],
            "",
        );
        check(
            &[("view", "table"), ("out", "json"), ("in", "raw"), ("full", "1")],
            "view=table&out=json&in=raw&full=1",
        );
        check(
            &[("fold", "x"), ("fold", "y"), ("fold", "x"), ("fold", "")],
            "fold=x&fold=y",
        );
        check(&[("rows", "1000"), ("cursor", "z")], "rows=1000");
        check(
            &[
                ("level", "2"),
                ("calls", "apart"),
                ("path", "cost"),
                ("cut", "1"),
                ("q", "a b"),
            ],
            "level=2&calls=apart&path=cost&cut=1&q=a%20b",
        );
        check(&[("zoom", "-5to900"), ("at", "77")], "zoom=-5to900&at=77");
        check(&[("diff", "in"), ("step", "a")], "step=a&diff=in");
        check(&[("diff", "words")], "");
        check(&[("out", "md"), ("in", "tree")], "out=md&in=tree");
        check(&[("ask", "1"), ("step", "s")], "step=s&ask=1");
        check(
            &[
                ("level", "0"),
                ("path", "x"),
                ("q", ""),
                ("zoom", "9to3"),
                ("at", "z"),
                ("calls", "1"),
            ],
            "",
        );
    }

    #[test]
    fn folds_toggle_and_selection_cuts_texts_again() {
        let query = RunQuery::from_pairs([("fold", "a"), ("full", "1")]);
        let found = RunQuery::from_pairs([("find", "a b")]);
        assert_eq!(
            (found.to_query(), found.with_step(None).to_query()),
            ("find=a%20b".to_owned(), String::new())
        );
        assert_eq!(
            query.with_fold_toggled("b").with_fold_toggled("a").to_query(),
            "full=1&fold=b"
        );
        assert_eq!(query.with_step(Some("s")).to_query(), "step=s&fold=a");
        assert_eq!(query.with_step(None).to_href(), "?fold=a");
        assert_eq!(RunQuery::default().to_href(), "?");
    }
}

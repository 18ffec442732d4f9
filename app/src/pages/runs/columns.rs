//! The columns of the runs list and which of them are shown.

/// A column of the runs list. Time, run and severity are always shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Column {
    /// What went wrong.
    Problem,
    /// The highest score.
    Score,
    /// The key's label.
    Key,
    Steps,
    /// Duration with its bar.
    Duration,
    Tokens,
    Cost,
    Models,
    Environment,
    Release,
    Session,
    /// End user.
    User,
    Tags,
    /// Failed steps.
    Errors,
}

impl Column {
    /// Every column in the order of the table: the word in the URL, the heading, the cell's class.
    pub(crate) const ALL: [(Self, &'static str, &'static str, &'static str); 14] = [
        (Self::Problem, "problem", "What went wrong", "c-why"),
        (Self::Score, "score", "Score", "c-score"),
        (Self::Key, "key", "Key", "c-key"),
        (Self::Environment, "environment", "Environment", "c-word"),
        (Self::Release, "release", "Release", "c-word"),
        (Self::Session, "session", "Session", "c-word"),
        (Self::User, "user", "User", "c-word"),
        (Self::Tags, "tags", "Tags", "c-word"),
        (Self::Steps, "steps", "Steps", "n c-n"),
        (Self::Errors, "errors", "Failed", "n c-n"),
        (Self::Duration, "duration", "Duration", "c-dur"),
        (Self::Tokens, "tokens", "Tokens", "n c-n"),
        (Self::Cost, "cost", "Cost", "n c-cost"),
        (Self::Models, "models", "Models", "c-model"),
    ];

    pub(crate) const DEFAULT: [Self; 8] = [
        Self::Problem,
        Self::Score,
        Self::Key,
        Self::Steps,
        Self::Duration,
        Self::Tokens,
        Self::Cost,
        Self::Models,
    ];

    /// Columns that are always there.
    pub(crate) const FIXED: usize = 3;
}

/// Which columns are shown, in the order of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Columns(Vec<Column>);

impl Default for Columns {
    fn default() -> Self {
        Self(Column::DEFAULT.to_vec())
    }
}

impl Columns {
    /// Reads `problem,score,cost` or the same names over several parameters; unknown names are ignored. Text
    /// without any known name is the default, `none` hides all that can be hidden.
    pub(crate) fn parse(text: &str) -> Self {
        let names: Vec<&str> = text.split(',').map(str::trim).collect();
        if names == ["none"] {
            return Self(Vec::new());
        }
        let shown: Vec<Column> = Column::ALL
            .iter()
            .filter(|c| names.contains(&c.1))
            .map(|c| c.0)
            .collect();
        if shown.is_empty() {
            Self::default()
        } else {
            Self(shown)
        }
    }

    /// The value in the URL; `None` for the default.
    pub(crate) fn to_word(&self) -> Option<String> {
        if *self == Self::default() {
            return None;
        }
        let names: Vec<&str> = Column::ALL
            .iter()
            .filter(|c| self.shows(c.0))
            .map(|c| c.1)
            .collect();
        Some(if names.is_empty() {
            "none".to_owned()
        } else {
            names.join(",")
        })
    }

    /// Whether a column is shown.
    pub(crate) fn shows(&self, column: Column) -> bool {
        self.0.contains(&column)
    }

    /// The shown columns with heading and class, in the order of the table.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Column, &'static str, &'static str)> + '_ {
        Column::ALL
            .iter()
            .filter(|c| self.shows(c.0))
            .map(|(column, _, heading, class)| (*column, *heading, *class))
    }

    /// How many columns the table has, the fixed ones included.
    pub(crate) fn count(&self) -> usize {
        self.0.len() + Column::FIXED
    }

    /// With one column shown that was hidden, or the other way round.
    pub(crate) fn toggled(&self, column: Column) -> Self {
        let shown = Column::ALL
            .iter()
            .map(|c| c.0)
            .filter(|c| self.shows(*c) != (*c == column));
        Self(shown.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_form() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(Columns::parse(text).to_word().as_deref(), expected, "{text}");
        };
        check("", None);
        check("odd", None);
        check("problem,score,key,steps,duration,tokens,cost,models", None);
        check("cost,problem,odd", Some("problem,cost"));
        check("none", Some("none"));
        check("cost", Some("cost"));
    }

    #[test]
    fn toggling_keeps_the_order_of_the_table() {
        let word = |columns: Columns| columns.to_word();
        assert_eq!(
            word(Columns::parse("cost").toggled(Column::Problem)).as_deref(),
            Some("problem,cost")
        );
        assert_eq!(
            word(Columns::parse("cost").toggled(Column::Cost)).as_deref(),
            Some("none")
        );
        assert_eq!(
            word(Columns::parse("cost").toggled(Column::Cost).toggled(Column::Cost)).as_deref(),
            Some("cost")
        );
        assert_eq!(Columns::default().count(), 11);
    }
}

//! How much of a step's texts one page shows, whatever the texts are made of.
//!
//! **Invariant:** what a page produces is at most a constant times what it shows plus a constant, and what it shows is
//! bounded. Each part, token and line is an element with its own markup, so those are counted, too.

/// Texts longer than this are shown without colours and line numbers, in bytes: each token is an element.
pub(crate) const COLOURED_BYTES: usize = 24 * 1024;
/// The longest role, name or kind that is shown, in bytes.
const WORD_BYTES: usize = 256;
const ELLIPSIS: char = '…';

/// What is left to be shown of one text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Budget {
    /// One part shows at most so many bytes.
    part_bytes: usize,
    bytes: usize,
    coloured_bytes: usize,
    parts: usize,
    is_cut: bool,
}

impl Budget {
    /// Of a conversation as the page opens.
    pub(crate) const fn opened() -> Self {
        Self {
            part_bytes: 64 * 1024,
            bytes: 256 * 1024,
            coloured_bytes: COLOURED_BYTES,
            parts: 500,
            is_cut: false,
        }
    }

    /// Of a conversation that was asked for in full.
    pub(crate) const fn full() -> Self {
        Self {
            part_bytes: usize::MAX,
            bytes: 1024 * 1024,
            parts: 5_000,
            ..Self::opened()
        }
    }

    /// Of what was said in the runs of a session.
    #[cfg(any(feature = "ssr", test))]
    pub(crate) const fn conversation() -> Self {
        Self {
            part_bytes: 4 * 1024,
            bytes: 128 * 1024,
            ..Self::opened()
        }
    }

    /// Nothing more is shown.
    pub(crate) const fn is_spent(&self) -> bool {
        self.parts == 0 || self.bytes == 0
    }

    /// A message or a part of one begins.
    pub(crate) const fn take_part(&mut self) {
        self.parts = self.parts.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(1);
    }

    /// Whether a text of so many bytes may be shown as coloured tokens.
    pub(crate) const fn take_coloured(&mut self, bytes: usize) -> bool {
        if bytes > self.coloured_bytes || bytes > self.bytes || bytes > self.part_bytes {
            return false;
        }
        self.coloured_bytes -= bytes;
        self.bytes -= bytes;
        true
    }

    /// Whether something was not shown whole.
    pub(crate) const fn has_cut(&self) -> bool {
        self.is_cut
    }

    /// Something is left out.
    pub(crate) const fn leave_out(&mut self) {
        self.is_cut = true;
    }

    /// As much of a text as may be shown.
    pub(crate) fn take_text(&mut self, text: String) -> String {
        let may = self.bytes.min(self.part_bytes);
        self.bytes = self.bytes.saturating_sub(text.len());
        self.cut(text, may)
    }

    /// A word that stands beside a text.
    pub(crate) fn take_word(&mut self, word: String) -> String {
        self.bytes = self.bytes.saturating_sub(word.len().min(WORD_BYTES));
        self.cut(word, WORD_BYTES)
    }

    fn cut(&mut self, text: String, bytes: usize) -> String {
        // HTML can't have it: a text of nothing else would be no text on the page, and its script would look for it.
        let mut text = if text.contains('\0') {
            text.replace('\0', "\u{fffd}")
        } else {
            text
        };
        if text.len() > bytes {
            self.is_cut = true;
            text.truncate(text.floor_char_boundary(bytes));
            text.push(ELLIPSIS);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_parts_share_one_budget() {
        let mut budget = Budget::opened();
        let text = "x".repeat(100 * 1024);
        let shown: Vec<usize> = (0..6).map(|_| budget.take_text(text.clone()).len()).collect();
        let cut = 64 * 1024 + ELLIPSIS.len_utf8();
        assert_eq!(shown[..2], [cut, cut]);
        assert!(shown.iter().sum::<usize>() < 300 * 1024, "{shown:?}");
        assert!(budget.is_spent());
        assert!(!Budget::opened().take_coloured(COLOURED_BYTES + 1));
        let mut budget = Budget::full();
        assert!(budget.take_coloured(COLOURED_BYTES) && !budget.take_coloured(1));
        assert_eq!(budget.take_text("é".repeat(600 * 1024)).len(), 1000 * 1024 + 3);
    }

    #[test]
    fn parts_without_text_are_counted() {
        let mut budget = Budget::opened();
        let mut parts = 0;
        while !budget.is_spent() {
            budget.take_part();
            parts += 1;
        }
        assert_eq!(parts, 500);
    }
}

//! How many things were asked for: "list exactly 3 colours", "give me five reasons", "the top 10 cities".

use super::term::Term;
use super::{Bound, Gap, ListLength, RequestedFormat, Trail};

/// How many words may stand between a verb and its number.
const MAX_BETWEEN: usize = 4;

/// What the words so far ask for.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// Words since a verb that asks, all in one phrase with it.
    since_verb: Option<usize>,
    /// A number, and how many words have come since. The noun behind it decides whether it is a length.
    pending: Option<(ListLength, usize)>,
}

impl Listing {
    /// Takes the newest word.
    pub(super) fn take(&mut self, trail: &Trail, requested: &mut RequestedFormat) {
        let (term, gap) = trail.0[3];
        let is_connected = gap == Gap::Phrase;
        if let Some((mut length, words)) = self.pending.take() {
            if words == 0 && is_connected {
                length.bound = trail.bound();
            }
            let is_none = matches!(term, Term::Measure | Term::Word | Term::Words | Term::Quantity(_));
            // A noun of its own, or an adjective and the noun.
            match (is_connected, words) {
                (false, 0) => {}
                (false, _) => commit(length, requested),
                (true, _) if is_none => {}
                (true, 0) => self.pending = Some((length, 1)),
                (true, _) => commit(length, requested),
            }
        }
        self.since_verb = match (term, self.since_verb) {
            (Term::Ask | Term::List | Term::Choose | Term::Pick, _) => Some(0),
            (_, Some(words)) if is_connected && words < MAX_BETWEEN => Some(words + 1),
            _ => None,
        };
        if let Term::Quantity(items) = term
            && items > 1
            && is_connected
            && (self.since_verb.is_some() && is_led_up_to(trail) || trail.back(1) == Term::Top)
        {
            let bound = Bound::Exactly;
            self.pending = Some((ListLength { items, bound }, 0));
            self.since_verb = None;
        }
    }

    /// The instruction has ended.
    pub(super) fn end(self, requested: &mut RequestedFormat) {
        if let Some((length, 1..)) = self.pending {
            commit(length, requested);
        }
    }
}

fn commit(length: ListLength, requested: &mut RequestedFormat) {
    requested.list_length.get_or_insert(length);
}

/// Whether the word before the number leads up to it.
fn is_led_up_to(trail: &Trail) -> bool {
    matches!(
        trail.back(1),
        Term::Ask
            | Term::List
            | Term::Choose
            | Term::Pick
            | Term::Filler
            | Term::Top
            | Term::Only
            | Term::Least
            | Term::Most
            | Term::Minimum
            | Term::Maximum
            | Term::Over
            | Term::Than
            | Term::To
    )
}

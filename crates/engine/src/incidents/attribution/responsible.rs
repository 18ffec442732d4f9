//! Which rollout each switch belongs to, when several went on at the same time.

use super::rollout::Candidate;
use super::switches::Switch;

/// By switch, then by candidate: how likely the switch is its doing.
#[derive(Clone, Debug, Default)]
pub(super) struct Responsible {
    /// Of the switches on the incident's key.
    pub(super) own: Vec<Vec<f64>>,
    /// Of those on others.
    pub(super) elsewhere: Vec<Vec<f64>>,
}

/// A switch that no candidate did comes at any minute of a day.
const NOBODY: f64 = 1.0 / 1_440.0;
/// Who surely did one thing is so much less likely to have done another: 0.3 to 1.3.
const ALSO: f64 = 0.3;
const ROUNDS: usize = 5;
/// Into how many pieces the time of a switch is cut: an hour into five minutes.
const PIECES: i64 = 12;

impl Responsible {
    /// Shares switches among candidates: by how well their times fit, and so that whoever did one thing need not have
    /// done another that somebody else can have done.
    pub(super) fn of(candidates: &[Candidate<'_>], own: &[Switch], elsewhere: &[Switch]) -> Self {
        let all: Vec<&Switch> = own.iter().chain(elsewhere).collect();
        // Anywhere in the time in which it was switched.
        let fits = |switch: &Switch| -> Vec<f64> {
            let (from, long) = (switch.from.micros(), switch.to.micros() - switch.from.micros());
            let mean = |candidate: &Candidate<'_>| {
                let at = |piece: i64| candidate.begins_at(from + long * piece / PIECES);
                (0..=PIECES).map(at).sum::<f64>() / (PIECES + 1) as f64
            };
            candidates.iter().map(mean).collect()
        };
        let fits: Vec<Vec<f64>> = all.iter().map(|switch| fits(switch)).collect();
        // A template and a model that are switched on one step are one thing that somebody did.
        let mut places: Vec<(&str, &str)> = Vec::new();
        let mut place_of = Vec::new();
        for switch in &all {
            let name = (switch.key.as_str(), switch.step.as_str());
            let known = places.iter().position(|place| *place == name);
            place_of.push(known.unwrap_or(places.len()));
            if known.is_none() {
                places.push(name);
            }
        }
        let mut parts: Vec<Vec<f64>> = fits.iter().map(|fits| shared(fits.iter().copied())).collect();
        for _ in 0..ROUNDS {
            // By place and candidate: the most that it has of it.
            let mut done = vec![vec![0.0f64; candidates.len()]; places.len()];
            for (parts, place) in parts.iter().zip(&place_of) {
                for (most, part) in done[*place].iter_mut().zip(parts) {
                    *most = most.max(*part);
                }
            }
            let whole = |index: usize| done.iter().map(|parts| parts[index]).sum::<f64>();
            let whole: Vec<f64> = (0..candidates.len()).map(whole).collect();
            for ((parts, fits), place) in parts.iter_mut().zip(&fits).zip(&place_of) {
                let drawn = fits.iter().zip(&whole).zip(&done[*place]);
                *parts = shared(drawn.map(|((fit, whole), here)| fit / (ALSO + whole - here)));
            }
        }
        let elsewhere = parts.split_off(own.len().min(parts.len()));
        Self {
            own: parts,
            elsewhere,
        }
    }
}

fn shared(fits: impl Iterator<Item = f64>) -> Vec<f64> {
    let fits: Vec<f64> = fits.collect();
    let sum = fits.iter().sum::<f64>() + NOBODY;
    fits.into_iter().map(|fit| fit / sum).collect()
}

#[cfg(test)]
mod tests {
    use domain::Timestamp;

    use super::super::super::window::Novelty;
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_micros(minute * 60_000_000)
    }

    fn switch(step: &str, minute: i64) -> Switch {
        Switch {
            key: "shop".to_owned(),
            step: step.to_owned(),
            what: Novelty::Template,
            value: String::new(),
            from: at(minute),
            to: at(minute),
            shares: (0.0, 1.0),
            is_new: true,
        }
    }

    fn rollout(from: i64, to: i64) -> Candidate<'static> {
        Candidate {
            index: None,
            deploy: None,
            release: None,
            from: at(from),
            to: at(to),
            is_observed: false,
        }
    }

    #[test]
    fn a_switch_is_the_doing_of_the_rollout_it_came_with() {
        let candidates = [rollout(1_000, 1_005), rollout(1_060, 1_065)];
        let found = Responsible::of(&candidates, &[switch("answer", 1_062)], &[switch("plan", 1_002)]);
        assert!(found.own[0][1] > 0.9 && found.own[0][0] < 0.1, "{found:?}");
        assert!(
            found.elsewhere[0][0] > 0.9 && found.elsewhere[0][1] < 0.1,
            "{found:?}"
        );
    }

    #[test]
    fn who_did_one_thing_is_less_likely_to_have_done_the_other() {
        // Both may have done both, but for the edges.
        let candidates = [rollout(1_000, 1_006), rollout(1_003, 1_009)];
        let alone = Responsible::of(&candidates, &[switch("answer", 1_008)], &[]);
        let beside = Responsible::of(&candidates, &[switch("answer", 1_008)], &[switch("plan", 1_001)]);
        assert!(beside.own[0][1] > alone.own[0][1], "{alone:?} {beside:?}");
    }

    #[test]
    fn what_nothing_fits_is_nobodys_doing() {
        let found = Responsible::of(&[rollout(1_000, 1_005)], &[switch("answer", 400)], &[]);
        assert!(found.own[0][0] < 0.05, "{found:?}");
        assert!(Responsible::of(&[], &[switch("answer", 400)], &[]).own[0].is_empty());
    }
}

//! Where hourly sums are too coarse: hours whose minutes say which of two deploys came first.

use domain::Timestamp;

use super::incident::Incident;
use super::window::Window;

const HOUR: i64 = 3_600_000_000;
/// An onset is looked at for at most this many hours.
const MOST_HOURS: i64 = 6;

/// Hours of which a judgement wants minutes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WantedMinutes {
    /// The key's label; `None` for all keys.
    pub key: Option<String>,
    /// The beginning of the first hour.
    pub from: Timestamp,
    /// The end of the last.
    pub to: Timestamp,
}

/// The hours in which incidents may have begun, six at most, and those in which their candidates were complete: a
/// judgement of the same window with their minutes in [`super::Window::minutes`] is sharper. One reading of single
/// calls for each, which an incident's job may afford and a page may not.
pub fn wanted_minutes(window: &Window, incidents: &[Incident]) -> Vec<WantedMinutes> {
    let mut wanted = Vec::new();
    for incident in incidents {
        let first = incident.onset.from.hour();
        let last = incident.onset.to.plus_micros(HOUR - 1).hour();
        let (from, to) = if last.micros() - first.micros() > MOST_HOURS * HOUR {
            // Around its middle, which is where most of it is.
            let from = incident.onset.at.hour().plus_micros(-(MOST_HOURS / 2) * HOUR);
            (from, from.plus_micros(MOST_HOURS * HOUR))
        } else {
            (first, last.max(first.plus_micros(HOUR)))
        };
        wanted.push(WantedMinutes {
            key: incident.key.clone(),
            from,
            to,
        });
        let is_candidate = |id: &String| {
            let mut candidates = incident.attributions.iter();
            candidates.any(|candidate| candidate.deploy_id.as_ref() == Some(id))
        };
        for deploy in window.deploys.iter().filter(|deploy| is_candidate(&deploy.id)) {
            let hour = deploy.done_at().hour();
            if hour < from || hour >= to {
                wanted.push(WantedMinutes {
                    key: incident.key.clone(),
                    from: hour,
                    to: hour.plus_micros(HOUR),
                });
            }
        }
    }
    wanted.sort();
    wanted.dedup();
    wanted
}

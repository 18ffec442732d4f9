//! Whether too many of a project's last steps failed.

use std::collections::VecDeque;

use super::ErrorRateRule;

/// As many as a rule may look back on.
const MAX_STEPS: usize = 500;

/// Whether the last steps failed, oldest first.
#[derive(Clone, Debug, Default)]
pub struct LastSteps(VecDeque<bool>);

/// So many of the steps that a rule looks at failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorRate {
    /// So many of them failed.
    pub failed: u32,
    /// So many were looked at.
    pub of: u32,
}

impl LastSteps {
    /// One more step.
    pub fn push(&mut self, has_failed: bool) {
        if self.0.len() == MAX_STEPS {
            self.0.pop_front();
        }
        self.0.push_back(has_failed);
    }

    /// The rate, where it reaches what the rule says.
    pub fn reaches(&self, rule: &ErrorRateRule) -> Option<ErrorRate> {
        let window = usize::try_from(rule.window).unwrap_or(MAX_STEPS);
        let looked_at = self.0.iter().rev().take(window);
        let (mut failed, mut of) = (0_u32, 0_u32);
        for has_failed in looked_at {
            of += 1;
            failed += u32::from(*has_failed);
        }
        let is_reached =
            of >= rule.min_steps && u64::from(failed) * 100 >= u64::from(rule.percent) * u64::from(of);
        (rule.on && is_reached && failed > 0).then_some(ErrorRate { failed, of })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_that_of_the_window_once_there_are_enough() {
        let rule = ErrorRateRule::default();
        let check = |steps: &[bool], expected: Option<(u32, u32)>| {
            let mut last = LastSteps::default();
            steps.iter().for_each(|has_failed| last.push(*has_failed));
            let rate = last.reaches(&rule).map(|rate| (rate.failed, rate.of));
            assert_eq!(rate, expected, "{steps:?}");
        };
        check(&[], None);
        check(&[true, true, true, true], None);
        check(&[false, false, false, false, true], None);
        check(&[false, false, false, true, true], Some((2, 5)));
        // Twenty count: the failures before them do not.
        check(&[[true; 10], [false; 10], [false; 10]].concat(), None);
        check(&[[false; 15].as_slice(), &[true; 5]].concat(), Some((5, 20)));
        let off = ErrorRateRule { on: false, ..rule };
        let mut last = LastSteps::default();
        (0..600).for_each(|_| last.push(true));
        assert_eq!(last.reaches(&off), None);
        assert_eq!(last.0.len(), MAX_STEPS);
    }
}

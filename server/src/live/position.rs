//! What a page knows of when it was rendered.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

/// After which change something was read: `<epoch>-<number>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LivePosition {
    /// Of one start of one process: others number otherwise.
    pub(super) epoch: Uuid,
    pub(super) number: u64,
}

impl fmt::Display for LivePosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch.simple(), self.number)
    }
}

impl FromStr for LivePosition {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (epoch, number) = text.split_once('-').ok_or(())?;
        Ok(Self {
            epoch: epoch.parse().map_err(drop)?,
            number: number.parse().map_err(drop)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_as_it_is_written() {
        let position = LivePosition {
            epoch: Uuid::from_u128(7),
            number: u64::MAX,
        };
        assert_eq!(position.to_string().parse(), Ok(position));
        for odd in ["", "-", "1", "x-1", "00000000000000000000000000000000-"] {
            assert_eq!(odd.parse::<LivePosition>(), Err(()), "{odd}");
        }
    }
}

//! A window as bytes, for a browser that judges it by other settings. Each column in as few bits as its values need.

use super::window::Window;

/// Changes with every change of [`Window`]: a page that is older than its server reads nothing rather than nonsense.
const VERSION: u8 = 1;

impl Window {
    /// The window as bytes that [`Window::decode`] reads.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        bytes.extend(bitcode::serialize(self).unwrap_or_default());
        bytes
    }

    /// `None` for anything that this version's [`Window::encode`] did not write.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (version, body) = bytes.split_first()?;
        (*version == VERSION).then(|| bitcode::deserialize(body).ok())?
    }
}

#[cfg(test)]
mod tests {
    use super::super::window::{Row, SeriesName, Sums};
    use super::*;

    #[test]
    fn a_window_is_read_back_and_nothing_else_is() {
        let mut sums = Sums {
            calls: 3,
            cost_squares: i128::MAX,
            ..Sums::default()
        };
        sums.latency_us.add(1_234);
        let window = Window {
            series: vec![SeriesName {
                key: "shop".to_owned(),
                ..SeriesName::default()
            }],
            rows: vec![Row {
                sums,
                ..Row::default()
            }],
            ..Window::default()
        };
        let bytes = window.encode();
        assert_eq!(Window::decode(&bytes), Some(window));
        for cut in [0, 1, bytes.len() / 2] {
            assert_eq!(Window::decode(&bytes[..cut]), None);
        }
        assert_eq!(Window::decode(&[VERSION + 1]), None);
    }
}

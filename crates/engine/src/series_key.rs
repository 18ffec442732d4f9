//! Which steps are measured against each other.

/// Which steps a step is measured against: those of its name, model and template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SeriesKey(u64);

impl SeriesKey {
    /// FNV-1a over the three parts: every scored step asks for its series, and must not allocate for that.
    pub fn of(step_name: &str, model: &str, template: &str) -> Self {
        let parts = [step_name, model, template];
        let bytes = parts.iter().flat_map(|part| part.bytes().chain([0xFF]));
        Self(bytes.fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
        }))
    }
}

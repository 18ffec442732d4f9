//! A recording as bytes. `bitcode` writes one field of all steps after the other, each in as few bits as its values
//! need, so that neighbours look alike to a compressor. From bytes of any origin it makes an error or a recording that
//! is not much larger than they are: the shortest column has a bit for each value.

use super::recording::{Recording, Step};

/// Changes with every change of [`Recording`] or of bitcode's major version: a page that is older than its server
/// reads nothing rather than something else.
const FORMAT: &[u8] = b"PLBT2";

impl Recording {
    /// The bytes of a recording.
    pub fn encode(&self) -> Vec<u8> {
        let mut sent = self.clone();
        let first_ms = sent.steps.first().map_or(0, |step| step.at_ms);
        // Steps arrive one after the other: the time between two takes fewer bits than the time since 1970.
        let mut last_ms = first_ms;
        for step in &mut sent.steps {
            (step.at_ms, last_ms) = (step.at_ms.wrapping_sub(last_ms), step.at_ms);
        }
        let mut bytes = FORMAT.to_vec();
        // Only a type that refuses to be written could fail.
        bytes.extend(bitcode::serialize(&(first_ms, sent)).unwrap_or_default());
        bytes
    }

    /// The recording of these bytes; `None` when they are none.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let body = bytes.strip_prefix(FORMAT)?;
        let (mut at_ms, mut recording): (i64, Self) = bitcode::deserialize(body).ok()?;
        for step in &mut recording.steps {
            at_ms = at_ms.wrapping_add(step.at_ms);
            step.at_ms = at_ms;
        }
        let is_known = |step: &Step| {
            (step.run as usize) < recording.runs.len()
                && (step.key as usize) < recording.keys.len()
                && (step.series as usize) < recording.series.len()
        };
        recording.steps.iter().all(is_known).then_some(recording)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use domain::{Severity, StepKind};

    use super::super::{Mark, Series, StepText};
    use super::*;

    fn step() -> impl Strategy<Value = Step> {
        let figure = || prop::option::of(prop_oneof![(0i64..9_000).prop_map(|ms| ms * 1_000), any::<i64>(),]);
        (
            (any::<i64>(), 0u32..3, 0u32..2, 0u32..2),
            prop::sample::select(StepKind::ALL.to_vec()),
            (any::<bool>(), any::<bool>()),
            prop::sample::select(vec![Severity::Ok, Severity::Warning, Severity::Critical]),
            prop::sample::select(vec![None, Some(Mark::Real), Some(Mark::Noise)]),
            [
                figure(),
                figure(),
                figure(),
                figure(),
                figure(),
                figure(),
                figure(),
                figure(),
            ],
            prop::option::of(1u8..6),
            any::<i32>(),
            prop::collection::vec(any::<u16>(), 0..4),
        )
            .prop_map(
                |(
                    (at_ms, run, key, series),
                    kind,
                    (is_failed, has_output),
                    severity,
                    mark,
                    figures,
                    stopped_at_layer,
                    extra_points,
                    codes,
                )| {
                    let [
                        latency_us,
                        ttft_us,
                        max_gap_us,
                        input_tokens,
                        cache_read_tokens,
                        output_tokens,
                        reasoning_tokens,
                        cost_nano_usd,
                    ] = figures;
                    Step {
                        at_ms,
                        run,
                        key,
                        series,
                        kind,
                        is_failed,
                        has_output,
                        severity,
                        mark,
                        latency_us,
                        ttft_us,
                        max_gap_us,
                        input_tokens,
                        cache_read_tokens,
                        output_tokens,
                        reasoning_tokens,
                        cost_nano_usd,
                        stopped_at_layer,
                        extra_points,
                        codes,
                    }
                },
            )
    }

    fn recording(steps: Vec<Step>) -> Recording {
        Recording {
            lead_in: 1,
            steps_in_window: 70_000,
            runs: ["run-a", "größer", ""].map(str::to_owned).to_vec(),
            keys: ["prod", "jobs"].map(str::to_owned).to_vec(),
            series: ["answer", "plan"]
                .map(|name| Series {
                    step_name: name.to_owned(),
                    model: "m".to_owned(),
                })
                .to_vec(),
            steps,
            texts: vec![StepText {
                step: 1,
                status: "ok".to_owned(),
                prompt: Some("\u{0}größer".to_owned()),
                ..StepText::default()
            }],
        }
    }

    proptest! {
        #[test]
        fn goes_there_and_back(steps in prop::collection::vec(step(), 0..20)) {
            let recording = recording(steps);
            prop_assert_eq!(Recording::decode(&recording.encode()), Some(recording));
        }

        #[test]
        fn no_bytes_panic(
            steps in prop::collection::vec(step(), 0..4),
            cut in any::<prop::sample::Index>(),
            byte in any::<u8>(),
            noise in prop::collection::vec(any::<u8>(), 0..80),
        ) {
            let mut bytes = recording(steps).encode();
            let at = cut.index(bytes.len());
            Recording::decode(&bytes[..at]);
            bytes[at] = byte;
            if let Some(damaged) = Recording::decode(&bytes) {
                prop_assert!(damaged.steps.len() <= bytes.len());
                damaged.rows();
            }
            Recording::decode(&[FORMAT, &noise].concat());
        }
    }

    #[test]
    fn many_steps_cannot_come_in_few_bytes() {
        let steps = 100_000;
        let bytes = recording(vec![Step::default(); steps]).encode();
        assert!(steps <= bytes.len(), "{} bytes", bytes.len());
    }

    #[test]
    fn a_step_of_nothing_that_was_sent_is_refused() {
        let check = |change: fn(&mut Step), expected: bool| {
            let mut step = Step::default();
            change(&mut step);
            let bytes = recording(vec![step]).encode();
            assert_eq!(Recording::decode(&bytes).is_some(), expected);
        };
        check(|_| (), true);
        check(|step| step.run = 3, false);
        check(|step| step.key = 2, false);
        check(|step| step.series = u32::MAX, false);
    }

    #[test]
    fn an_ordinary_step_takes_few_bytes() {
        let steps: Vec<Step> = (0..10_000i64)
            .map(|n| Step {
                at_ms: 1_700_000_000_000 + n * 52_000,
                run: n as u32 % 3,
                latency_us: Some((500 + n * 7_919 % 9_000) * 1_000),
                input_tokens: Some(200 + n * 31 % 3_000),
                output_tokens: Some(20 + n * 17 % 400),
                cost_nano_usd: Some((1_000 + n * 977 % 90_000) * 1_000),
                ..Step::default()
            })
            .collect();
        let bytes = recording(steps).encode().len();
        assert!(bytes / 10_000 <= 28, "{} bytes a step", bytes / 10_000);
    }
}

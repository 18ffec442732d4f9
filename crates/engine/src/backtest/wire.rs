//! A recording as bytes: column by column, each figure as few bytes as it needs, so that neighbours look alike to
//! a compressor. All integers are LEB128; signed ones are zig-zagged; unknown is 0 and known values begin at 1.

use domain::{Severity, StepKind};

use super::recording::{Mark, Recording, Series, Step};

const MAGIC: &[u8] = b"PLBT1";

impl Recording {
    /// The bytes of a recording.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer(MAGIC.to_vec());
        out.number(u128::from(self.lead_in));
        out.number(u128::from(self.steps_in_window));
        out.texts(self.runs.iter().map(String::as_str));
        out.texts(self.keys.iter().map(String::as_str));
        out.texts(self.series.iter().map(|series| series.step_name.as_str()));
        out.texts(self.series.iter().map(|series| series.model.as_str()));
        out.number(self.steps.len() as u128);
        let mut last_ms = 0;
        for step in &self.steps {
            out.signed(i128::from(step.at_ms) - last_ms);
            last_ms = i128::from(step.at_ms);
        }
        // Steps of a run mostly follow each other, and new runs come in the order of their first step.
        let mut last_run = 0;
        for step in &self.steps {
            out.signed(i128::from(step.run) - last_run);
            last_run = i128::from(step.run);
        }
        for step in &self.steps {
            out.number(u128::from(step.key));
        }
        for step in &self.steps {
            out.number(u128::from(step.series));
        }
        out.0.extend(self.steps.iter().map(flags));
        out.0.extend(self.steps.iter().map(|step| kind_number(step.kind)));
        for step in &self.steps {
            out.number(step.stopped_at_layer.map_or(0, |layer| u128::from(layer) + 1));
        }
        for figure in FIGURES {
            out.figures(self.steps.iter().map(figure));
        }
        for step in &self.steps {
            out.signed(i128::from(step.extra_points));
        }
        for step in &self.steps {
            out.number(step.codes.len() as u128);
            step.codes.iter().for_each(|code| out.number(u128::from(*code)));
        }
        // Texts are texts; a compressor does with them what can be done.
        let texts = serde_json::to_vec(&self.texts).unwrap_or_default();
        out.number(texts.len() as u128);
        out.0.extend(texts);
        out.0
    }

    /// The recording of these bytes; `None` when they are none.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut from = Reader(bytes.strip_prefix(MAGIC)?);
        let lead_in = from.number()?;
        let steps_in_window = from.number()?;
        let runs = from.texts()?;
        let keys = from.texts()?;
        let step_names = from.texts()?;
        let models = from.texts()?;
        if step_names.len() != models.len() {
            return None;
        }
        let n = from.count()?;
        let mut steps = vec![Step::default(); n];
        let mut last_ms = 0i128;
        for step in &mut steps {
            last_ms = last_ms.checked_add(from.signed()?)?;
            step.at_ms = i64::try_from(last_ms).ok()?;
        }
        let mut last_run = 0i128;
        for step in &mut steps {
            last_run = last_run.checked_add(from.signed()?)?;
            step.run = position(last_run, runs.len())?;
        }
        for step in &mut steps {
            step.key = position(from.number::<i64>()?.into(), keys.len())?;
        }
        for step in &mut steps {
            step.series = position(from.number::<i64>()?.into(), models.len())?;
        }
        for step in &mut steps {
            set_flags(step, from.byte()?)?;
        }
        for step in &mut steps {
            step.kind = *StepKind::ALL.get(usize::from(from.byte()?))?;
        }
        for step in &mut steps {
            step.stopped_at_layer = from.number::<u8>()?.checked_sub(1);
        }
        for set in SET_FIGURES {
            from.figures(&mut steps, set)?;
        }
        for step in &mut steps {
            step.extra_points = i32::try_from(from.signed()?).ok()?;
        }
        for step in &mut steps {
            let n = from.count()?;
            step.codes = (0..n).map(|_| from.number()).collect::<Option<_>>()?;
        }
        let n = from.count()?;
        let texts = serde_json::from_slice(from.0.get(..n)?).ok()?;
        Some(Self {
            lead_in,
            steps_in_window,
            runs,
            keys,
            series: step_names
                .into_iter()
                .zip(models)
                .map(|(step_name, model)| Series { step_name, model })
                .collect(),
            steps,
            texts,
        })
    }
}

type Figure = fn(&Step) -> Option<i64>;
type SetFigure = fn(&mut Step, Option<i64>);

const FIGURES: [Figure; 8] = [
    |step| step.latency_us,
    |step| step.ttft_us,
    |step| step.max_gap_us,
    |step| step.input_tokens,
    |step| step.cache_read_tokens,
    |step| step.output_tokens,
    |step| step.reasoning_tokens,
    |step| step.cost_nano_usd,
];
/// In the order of `FIGURES`; the test of both goes there and back.
const SET_FIGURES: [SetFigure; 8] = [
    |step, value| step.latency_us = value,
    |step, value| step.ttft_us = value,
    |step, value| step.max_gap_us = value,
    |step, value| step.input_tokens = value,
    |step, value| step.cache_read_tokens = value,
    |step, value| step.output_tokens = value,
    |step, value| step.reasoning_tokens = value,
    |step, value| step.cost_nano_usd = value,
];

/// Severity in bits 0 and 1, mark in 2 and 3, then failed, then has an output.
fn flags(step: &Step) -> u8 {
    let mark = match step.mark {
        None => 0,
        Some(Mark::Real) => 1,
        Some(Mark::Noise) => 2,
    };
    step.severity as u8 | mark << 2 | u8::from(step.is_failed) << 4 | u8::from(step.has_output) << 5
}

fn set_flags(step: &mut Step, flags: u8) -> Option<()> {
    step.severity = match flags & 3 {
        0 => Severity::Ok,
        1 => Severity::Warning,
        2 => Severity::Critical,
        _ => return None,
    };
    step.mark = match flags >> 2 & 3 {
        0 => None,
        1 => Some(Mark::Real),
        2 => Some(Mark::Noise),
        _ => return None,
    };
    step.is_failed = flags & 16 != 0;
    step.has_output = flags & 32 != 0;
    Some(())
}

fn kind_number(kind: StepKind) -> u8 {
    StepKind::ALL
        .iter()
        .position(|known| *known == kind)
        .map_or(0, |index| index as u8)
}

fn position(index: i128, len: usize) -> Option<u32> {
    let index = u32::try_from(index).ok()?;
    ((index as usize) < len).then_some(index)
}

struct Writer(Vec<u8>);

impl Writer {
    fn number(&mut self, mut value: u128) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn signed(&mut self, value: i128) {
        self.number(((value << 1) ^ (value >> 127)) as u128);
    }

    fn texts<'t>(&mut self, texts: impl ExactSizeIterator<Item = &'t str>) {
        self.number(texts.len() as u128);
        for text in texts {
            self.number(text.len() as u128);
            self.0.extend(text.as_bytes());
        }
    }

    /// A column of figures in the largest power of ten that all of them are multiples of: whole milliseconds need
    /// not be written in microseconds.
    fn figures(&mut self, values: impl Iterator<Item = Option<i64>> + Clone) {
        let divides = |unit: i64| values.clone().flatten().all(|value| value % unit == 0);
        let exponent = (1..=9u32)
            .take_while(|exponent| divides(10i64.pow(*exponent)))
            .last()
            .unwrap_or(0);
        self.number(u128::from(exponent));
        let unit = 10i128.pow(exponent);
        for value in values {
            match value {
                None => self.number(0),
                Some(value) => {
                    let value = i128::from(value) / unit;
                    self.number(((value << 1) ^ (value >> 127)) as u128 + 1);
                }
            }
        }
    }
}

struct Reader<'b>(&'b [u8]);

impl Reader<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn number<T: TryFrom<u128>>(&mut self) -> Option<T> {
        let mut value = 0u128;
        for shift in (0..70).step_by(7) {
            let byte = self.byte()?;
            value |= u128::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return T::try_from(value).ok();
            }
        }
        None
    }

    fn signed(&mut self) -> Option<i128> {
        let value: u128 = self.number()?;
        Some(unzigzag(value))
    }

    /// A number of things of which each takes a byte or more: never more than there are bytes.
    fn count(&mut self) -> Option<usize> {
        let n: usize = self.number()?;
        (n <= self.0.len()).then_some(n)
    }

    fn texts(&mut self) -> Option<Vec<String>> {
        let n = self.count()?;
        let mut texts = Vec::with_capacity(n);
        for _ in 0..n {
            let len = self.count()?;
            let (text, rest) = self.0.split_at_checked(len)?;
            texts.push(std::str::from_utf8(text).ok()?.to_owned());
            self.0 = rest;
        }
        Some(texts)
    }

    fn figures(&mut self, steps: &mut [Step], set: SetFigure) -> Option<()> {
        let exponent: u32 = self.number()?;
        let unit = 10i128.checked_pow(exponent)?;
        for step in steps {
            let value: u128 = self.number()?;
            let value = match value.checked_sub(1) {
                None => None,
                Some(value) => Some(i64::try_from(unzigzag(value).checked_mul(unit)?).ok()?),
            };
            set(step, value);
        }
        Some(())
    }
}

fn unzigzag(value: u128) -> i128 {
    (value >> 1) as i128 ^ -((value & 1) as i128)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::StepText;
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
                    let mut step = Step {
                        at_ms,
                        run,
                        key,
                        series,
                        kind,
                        is_failed,
                        has_output,
                        severity,
                        mark,
                        stopped_at_layer,
                        extra_points,
                        codes,
                        ..Step::default()
                    };
                    for (set, figure) in SET_FIGURES.into_iter().zip(figures) {
                        set(&mut step, figure);
                    }
                    step
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
                damaged.rows();
            }
            Recording::decode(&[MAGIC, &noise].concat());
        }
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

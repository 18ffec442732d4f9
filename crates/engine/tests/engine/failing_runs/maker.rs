//! Puts the steps of a made-up run one after the other, with their conditions and texts.

use std::collections::BTreeMap;

use domain::{
    Condition, NanoUsd, RunStatus, RunSummary, Severity, StepKind, StepStatus, StepSummary, Timestamp,
    TokenUsage, UsageDetails,
};
use engine::analysis::StepTexts;

use super::FailingRun;

const BEGIN: Timestamp = Timestamp::from_micros(1_795_252_312_000_000);

/// Numbers that are always the same for the same seed.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1234_5678_9abc_def1)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit.max(1)
    }

    pub(crate) fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[usize::try_from(self.below(words.len() as u64)).unwrap()]
    }
}

pub(crate) struct Maker {
    pub(crate) dice: Dice,
    steps: Vec<StepSummary>,
    texts: BTreeMap<String, StepTexts>,
    at_ms: i64,
}

impl Maker {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            dice: Dice::new(seed),
            steps: Vec::new(),
            texts: BTreeMap::new(),
            at_ms: 0,
        }
    }

    /// A step that goes well, after all before it.
    pub(crate) fn step(
        &mut self,
        name: &str,
        kind: StepKind,
        parent: Option<&str>,
        input: &str,
        output: &str,
    ) -> String {
        let id = format!("s{:03}-{name}", self.steps.len());
        let length_ms = 80 + i64::try_from(self.dice.below(3_000)).unwrap();
        let started_at = BEGIN.plus_micros(self.at_ms * 1_000);
        self.at_ms += length_ms + 15;
        let is_llm = kind == StepKind::Llm;
        self.steps.push(StepSummary {
            step_id: id.clone(),
            parent_step_id: parent.map(str::to_owned),
            name: name.to_owned(),
            kind,
            step_index: None,
            provider: None,
            model: is_llm.then(|| "claude-haiku-4-5".to_owned()),
            request_model: None,
            started_at,
            ended_at: Some(started_at.plus_micros(length_ms * 1_000)),
            latency_ms: Some(length_ms as f64),
            ttft_ms: None,
            status: StepStatus::Ok,
            error: None,
            error_class: None,
            stop_reason: None,
            service_tier: None,
            max_gap_ms: None,
            stream_incomplete: false,
            tokens: TokenUsage {
                input_fresh: is_llm.then_some(900),
                output: is_llm.then_some(120),
                ..TokenUsage::default()
            },
            usage_semantics: None,
            usage_details: UsageDetails::default(),
            web_searches: None,
            price_version: None,
            template_fingerprint: None,
            cost_nano_usd: is_llm.then_some(NanoUsd(1_700_000 + length_ms * 100)),
            cost_source: None,
            reported_cost_nano_usd: None,
            key_label: "support-agent".to_owned(),
            environment: Some("production".to_owned()),
            release: None,
            tool_name: None,
            score: Some(0),
            threshold: Some(50),
            severity: Severity::Ok,
            stopped_at_layer: None,
            conditions: Vec::new(),
        });
        self.texts.insert(
            id.clone(),
            StepTexts {
                input: Some(input.to_owned()),
                output: Some(output.to_owned()),
            },
        );
        id
    }

    pub(crate) fn at(&mut self, id: &str) -> &mut StepSummary {
        self.steps.iter_mut().find(|step| step.step_id == id).unwrap()
    }

    pub(crate) fn fails(&mut self, id: &str, class: &str, error: &str) {
        let step = self.at(id);
        step.status = StepStatus::Error;
        step.error = Some(error.to_owned());
        step.error_class = Some(class.to_owned());
        self.found(id, 1001, 100, "The step failed.", class, "success");
        if let Some(texts) = self.texts.get_mut(id) {
            texts.output = None;
        }
    }

    pub(crate) fn found(
        &mut self,
        id: &str,
        code: u16,
        points: i32,
        message: &str,
        observed: &str,
        expected: &str,
    ) {
        let step = self.at(id);
        step.conditions.push(Condition {
            code,
            layer: (code / 1_000) as u8,
            name: String::new(),
            points,
            message: message.to_owned(),
            observed: observed.to_owned(),
            expected: expected.to_owned(),
            place: None,
            sample: None,
        });
        let score = step.score.unwrap_or(0) + points;
        step.score = Some(score);
        step.severity = if score >= 50 {
            Severity::Critical
        } else {
            Severity::Warning
        };
    }

    /// What goes on in any run: slow steps, a retry that helps, an agent that repeats itself, an answer that is odd and
    /// that nobody uses.
    pub(crate) fn noise(&mut self, parent: &str, topic: &str) {
        if self.dice.percent(60) {
            let id = self.step("embed-question", StepKind::Embedding, Some(parent), topic, "");
            if self.dice.percent(50) {
                self.found(&id, 4001, 15, "The latency is above its limit.", "2 s", "1 s");
            }
        }
        if self.dice.percent(50) {
            let asked = r#"{"order":"A-1042"}"#;
            let first = self.step("orders.fetch", StepKind::Tool, Some(parent), asked, "");
            self.fails(&first, "upstream_unavailable", "503 from orders-api");
            self.step(
                "orders.fetch",
                StepKind::Tool,
                Some(parent),
                asked,
                r#"{"order":"A-1042","lines":[1,2]}"#,
            );
        }
        if self.dice.percent(40) {
            for _ in 0..4 {
                let id = self.step(
                    "decide-next",
                    StepKind::Llm,
                    Some(parent),
                    "What now?",
                    "Ask the store once more.",
                );
                self.found(
                    &id,
                    4012,
                    20,
                    "The same call came again.",
                    "4 identical calls",
                    "other calls",
                );
            }
        }
        if self.dice.percent(35) {
            let id = self.step(
                "suggest-title",
                StepKind::Llm,
                Some(parent),
                "Give a title of at most three words.",
                "A title that is far longer than anybody asked for",
            );
            self.found(
                &id,
                3010,
                20,
                "More words than were asked for.",
                "10 words",
                "3 words",
            );
        }
        if self.dice.percent(30) {
            let id = self.step(
                "rank-passages",
                StepKind::Llm,
                Some(parent),
                topic,
                "Passages 4, 1 and 7, in this order.",
            );
            self.found(&id, 5001, 30, "Slower than usual.", "2.9 s", "0.8 s to 1.4 s");
        }
    }

    pub(crate) fn done(mut self, origin: String, mechanism: &'static str) -> FailingRun {
        let root = self.steps[0].step_id.clone();
        let ended_at = BEGIN.plus_micros(self.at_ms * 1_000);
        // Everything that contains something ends after it, and fails with its last child.
        let containers: Vec<String> = self
            .steps
            .iter()
            .filter(|step| {
                self.steps
                    .iter()
                    .any(|child| child.parent_step_id.as_ref() == Some(&step.step_id))
            })
            .map(|step| step.step_id.clone())
            .collect();
        for id in containers.iter().rev() {
            let children: Vec<&StepSummary> = self
                .steps
                .iter()
                .filter(|step| step.parent_step_id.as_ref() == Some(id))
                .collect();
            let end = children.iter().filter_map(|step| step.ended_at).max().unwrap();
            let last = children.iter().max_by_key(|step| step.started_at).unwrap();
            let failed = (last.status == StepStatus::Error).then(|| format!("{} failed", last.name));
            let step = self.at(id);
            step.ended_at = Some(end);
            step.latency_ms = Some(end.ms_since(step.started_at));
            if let Some(error) = failed {
                step.status = StepStatus::Error;
                step.error = Some(error);
            }
        }
        let cost = self
            .steps
            .iter()
            .filter_map(|step| step.cost_nano_usd)
            .map(|cost| cost.0)
            .sum();
        let failed = self
            .steps
            .iter()
            .filter(|step| step.status == StepStatus::Error)
            .count();
        let name = self.at(&root).name.clone();
        let run = RunSummary {
            run_id: "made-up".to_owned(),
            name,
            partition_at: BEGIN,
            started_at: BEGIN,
            ended_at,
            latency_ms: ended_at.ms_since(BEGIN),
            status: RunStatus::Error,
            key_label: "support-agent".to_owned(),
            environment: Some("production".to_owned()),
            release: None,
            session_id: None,
            user_id: None,
            tags: Vec::new(),
            models: vec!["claude-haiku-4-5".to_owned()],
            step_count: i64::try_from(self.steps.len()).unwrap(),
            error_count: i64::try_from(failed).unwrap(),
            tokens: TokenUsage::default(),
            cost_nano_usd: Some(NanoUsd(cost)),
            unpriced_steps: 0,
            score_max: self.steps.iter().filter_map(|step| step.score).max(),
            severity: Severity::Critical,
            problem: None,
        };
        FailingRun {
            run,
            steps: self.steps,
            texts: self.texts,
            origin,
            mechanism,
        }
    }
}

//! Every code the engine can report, in one table. Scoring, settings and documentation read it; nothing repeats it.

/// Which switch a code belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Always on, unless muted.
    Core,
    /// On by default; one switch per project turns the whole group off.
    Extended,
}

impl Group {
    /// The word in the API and the documentation.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::Extended => "extended",
        }
    }
}

/// One rule: its number, its name and what a hit costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// The number; its thousands are the layer.
    pub code: u16,
    /// The name, for instance `json_contract_violation`.
    pub name: &'static str,
    /// Points of a hit, unless the project overrides them.
    pub points: i32,
    /// The group.
    pub group: Group,
    /// One line: when it fires.
    pub fires: &'static str,
}

impl Code {
    /// The layer, 1 to 5.
    pub const fn layer(&self) -> u8 {
        (self.code / 1_000) as u8
    }
}

macro_rules! codes {
    ($($ident:ident = $code:literal, $name:literal, $points:literal, $group:ident, $fires:literal;)+) => {
        $(
            #[doc = concat!("`", $name, "`")]
            pub const $ident: Code =
                Code { code: $code, name: $name, points: $points, group: Group::$group, fires: $fires };
        )+

        /// Every code, in ascending order.
        pub const ALL: &[Code] = &[$($ident),+];
    };
}

#[rustfmt::skip]
mod table {
    use super::{Code, Group};

    codes! {
        STATUS_FAILURE = 1001, "status_failure", 100, Core, "The step's status is failure.";
        ERROR_PRESENT = 1002, "error_present", 100, Core, "The step carries an error text.";
        EMPTY_OUTPUT_ON_SUCCESS = 1003, "empty_output_on_success", 100, Core, "The step succeeded and its output is blank or missing, with no tool call, picture or sound in it. What is still queued has not been answered.";
        NEGATIVE_TOKENS = 1004, "negative_tokens", 100, Core, "A reported token count is below zero.";
        NEGATIVE_LATENCY = 1005, "negative_latency", 100, Core, "The latency is below zero.";
        NEGATIVE_COST = 1006, "negative_cost", 100, Core, "The cost is below zero.";
        TOKEN_ACCOUNTING_MISMATCH = 1007, "token_accounting_mismatch", 100, Core, "The reported total matches no way of adding input, output, reasoning and cache tokens.";
        MISSING_REQUIRED_FIELD = 1008, "missing_required_field", 100, Core, "Step name, model, prompt or run id is blank.";
        OUTPUT_TRUNCATED = 1009, "output_truncated", 100, Extended, "The token limit cut off an answer that has to be JSON or a tool call.";
        CONTENT_FILTERED = 1010, "content_filtered", 100, Extended, "The provider's content filter ended the answer.";
        STREAM_INCOMPLETE = 1014, "stream_incomplete", 100, Extended, "The stream ended before its final event.";

        JSON_CONTRACT_VIOLATION = 2001, "json_contract_violation", 50, Core, "JSON was asked for and the trimmed output is not one JSON object or array.";
        JSON_STRICT_VIOLATION = 2002, "json_strict_violation", 60, Core, "Nothing but JSON was asked for; the output parses but does not begin with { or [.";
        ENUM_CONTRACT_VIOLATION = 2003, "enum_contract_violation", 35, Core, "The instruction lists two or more options and the answer is none of them.";
        YES_NO_CONTRACT_VIOLATION = 2004, "yes_no_contract_violation", 25, Core, "Yes or no was asked for and the answer is neither.";
        NUMBER_CONTRACT_VIOLATION = 2005, "number_contract_violation", 25, Extended, "The instruction asks how many or how much and the answer has no number in it.";
        LIST_LENGTH_CONTRACT_VIOLATION = 2006, "list_length_contract_violation", 20, Extended, "A list of N things was asked for, whatever they are called, and the list has another length.";
        SCHEMA_VIOLATION = 2007, "schema_violation", 50, Extended, "The output or a tool call does not match its declared JSON schema.";

        WORD_COUNT_EXCEEDED = 3010, "word_count_exceeded", 20, Core, "One word or N words were asked for and the output has more.";
        BRACKET_IMBALANCE = 3011, "bracket_imbalance", 25, Core, "The counts of { and }, or of [ and ], differ.";
        JSON_KEY_MISSING = 3012, "json_key_missing", 30, Core, "A quoted key named in the instruction is missing from the JSON object.";
        OUTPUT_BLOAT_RATIO = 3013, "output_bloat_ratio", 20, Core, "A classify, intent or enum step answers with more than 20 times the instruction's characters.";
        PROMPT_OUTPUT_SHAPE_MISMATCH = 3014, "prompt_output_shape_mismatch", 30, Core, "The instruction asks for one shape and the output has another.";
        TRUNCATED_TEXT = 3015, "truncated_text", 25, Extended, "The token limit cut off the text, or a code fence is never closed.";
        REPETITION_LOOP = 3016, "repetition_loop", 25, Extended, "The output repeats the same passage over and over. Rows of a table and lines of code in a fence may be equal.";
        PLACEHOLDER_LEAK = 3017, "placeholder_leak", 20, Extended, "The output contains an unfilled placeholder, \"undefined\" or lorem ipsum.";
        REFUSAL = 3018, "refusal", 25, Extended, "The model declines on a step that normally answers: in whole words of its own, outside quotations, code and letters.";
        PROMPT_ECHO = 3019, "prompt_echo", 20, Extended, "The output repeats the beginning of the instruction word for word.";

        LATENCY_THRESHOLD = 4001, "latency_threshold", 15, Core, "The latency is above its limit.";
        TOKENS_THRESHOLD = 4002, "tokens_threshold", 15, Core, "The token count is above its limit.";
        COST_THRESHOLD = 4003, "cost_threshold", 15, Core, "The cost is above its limit.";
        TOKEN_RATIO_ANOMALY = 4004, "token_ratio_anomaly", 10, Core, "There are more than 50 output tokens per input token.";
        CLASSIFY_STEP_TOKEN_BLOAT = 4005, "classify_step_token_bloat", 25, Core, "A classify or intent step answers with more than 50 tokens.";
        SHORT_STEP_OUTPUT_BLOAT = 4006, "short_step_output_bloat", 20, Core, "A short choice is expected and the answer has more than 30 tokens.";
        HIGH_LATENCY_LOW_OUTPUT = 4007, "high_latency_low_output", 20, Core, "More than 3 seconds for fewer than 10 output tokens.";
        JSON_STEP_TOKEN_BLOAT = 4008, "json_step_token_bloat", 20, Core, "JSON is expected and the answer has more than 500 tokens.";
        CHARS_PER_TOKEN_SUSPICIOUS = 4009, "chars_per_token_suspicious", 15, Core, "With 10 tokens of text or more, the characters per token are outside 2.0 to 8.0; digits, signs and other scripts than Latin may have fewer, and a run of equal characters counts once. Reasoning tokens do not count as text.";
        ZERO_OUTPUT_TOKENS_WITH_BODY = 4010, "zero_output_tokens_with_body", 25, Core, "The output is not blank but its token count is zero or missing.";
        CONTEXT_NEAR_FULL = 4011, "context_near_full", 15, Extended, "The context window is more than 80 % full; above 95 % the hit costs 10 points more.";
        DUPLICATE_CALL_LOOP = 4012, "duplicate_call_loop", 20, Extended, "The same call of the same step came three times or more in one run.";
        SLOW_GENERATION = 4013, "slow_generation", 15, Extended, "Fewer than 5 tokens a second over 50 tokens or more.";
        CACHE_COLLAPSE = 4014, "cache_collapse", 10, Extended, "Cache hits fell below a quarter of what this step usually has.";
        RUN_COST_CUMULATIVE = 4016, "run_cost_cumulative", 15, Extended, "With this step the run's cost passes its limit.";
        SLOW_FIRST_TOKEN = 4017, "slow_first_token", 15, Extended, "The first token took more than 5 seconds on an answer without reasoning.";
        STALL = 4018, "stall", 15, Extended, "The stream paused for more than 10 seconds.";

        LATENCY_OUTLIER = 5001, "latency_outlier", 30, Extended, "The latency is outside the usual band of this step, model and template.";
        TOKENS_OUTLIER = 5002, "tokens_outlier", 25, Extended, "The token count is outside the usual band of this step, model and template.";
        COST_OUTLIER = 5003, "cost_outlier", 20, Extended, "The cost is outside the usual band of this step, model and template.";
        OUTPUT_TOKENS_OUTLIER = 5004, "output_tokens_outlier", 20, Extended, "The output token count is outside the usual band of this step, model and template.";
    }
}

pub use table::*;

/// The names of the layers, 1 to 5.
pub const LAYERS: [&str; 5] = ["Hard failure", "Contract", "Shape", "Performance", "Statistics"];

/// The code with this number.
pub fn find(code: u16) -> Option<&'static Code> {
    index(code).and_then(|i| ALL.get(i))
}

/// The position of a code in [`ALL`].
pub(crate) fn index(code: u16) -> Option<usize> {
    ALL.binary_search_by_key(&code, |entry| entry.code).ok()
}

/// The table as Markdown, for the documentation.
pub fn markdown_table() -> String {
    let mut out =
        String::from("| code | name | layer | points | group | fires when |\n|---|---|---|---|---|---|\n");
    for code in ALL {
        let row = [
            code.code.to_string(),
            code.name.to_owned(),
            code.layer().to_string(),
            code.points.to_string(),
            code.group.as_str().to_owned(),
            code.fires.replace('|', "\\|"),
        ];
        out.push_str("| ");
        out.push_str(&row.join(" | "));
        out.push_str(" |\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_is_sorted_and_consistent() {
        assert!(ALL.windows(2).all(|pair| pair[0].code < pair[1].code));
        for code in ALL {
            assert!((1..=5).contains(&code.layer()), "{}", code.code);
            assert_eq!(find(code.code), Some(code));
            assert!(code.points > 0 && code.fires.ends_with('.'));
            assert!(code.layer() != 1 || code.points == 100);
        }
        assert_eq!(find(4015), None);
        assert_eq!(markdown_table().lines().count(), ALL.len() + 2);
        assert_eq!(ALL.iter().filter(|c| c.group == Group::Core).count(), 27);
    }
}

//! Every tool there is.

use super::arguments::{Kind, Parameter};
use super::{Tool, calls, deploys, github, incidents, runs};

const KEY: Parameter = Parameter::optional("key", Kind::Text, "Label of the API key; without it all keys");
const STEP: Parameter = Parameter::optional("step", Kind::Text, "Name of a step; without it all model calls");
const MODEL: Parameter = Parameter::optional("model", Kind::Text, "The model that answered");
const METRICS: &[&str] = &[
    "cost",
    "calls",
    "cost_per_call",
    "latency_p50",
    "latency_p95",
    "ttft_p95",
    "error_rate",
    "anomaly_rate",
    "tokens",
    "input_tokens",
    "output_tokens",
];
const DEPLOY: Parameter = Parameter::required(
    "deploy",
    Kind::Text,
    "A deploy: its id, its pull request such as PR-2, or its sha",
);
const INCIDENT: Parameter =
    Parameter::required("incident", Kind::Text, "An incident's id, from list_incidents");
const RUN: Parameter = Parameter::required("run_id", Kind::Text, "A run's id, from list_runs");

/// All tools, those of an investigation first.
#[rustfmt::skip]
pub static TOOLS: &[Tool] = &[
    Tool {
        name: "query_daily_cost",
        description: "A metric for each day: cost unless another one is asked for. Use it first, to see when something \
                      changed and by how much.",
        parameters: &[
            KEY, STEP, MODEL,
            Parameter::optional("metric", Kind::Choice(METRICS), "What is shown; cost without it"),
            Parameter::optional("by", Kind::Choice(&["all", "key", "model", "step"]), "A series for each; one of all calls without it"),
            Parameter::optional("days", Kind::Integer { min: 1, max: 90, default: 14 }, "How many days"),
            Parameter::optional("to", Kind::Time, "The last day; today without it"),
        ],
        run: |call| Box::pin(calls::daily(call)),
    },
    Tool {
        name: "query_model_distribution",
        description: "Which models answered what share of calls before and after a moment, with the number of calls on \
                      each side. Use it around an onset or a deploy.",
        parameters: &[
            KEY, STEP,
            Parameter::optional("around", Kind::Time, "The moment; without it the middle of the last 48 hours"),
            Parameter::optional("hours", Kind::Integer { min: 1, max: 336, default: 24 }, "How long before and after it"),
        ],
        run: |call| Box::pin(calls::models(call)),
    },
    Tool {
        name: "compare_keys",
        description: "What each key cost a day before and after a moment, the largest change first: whether one key moved, \
                      or all of them.",
        parameters: &[
            Parameter::optional("around", Kind::Time, "The moment; seven days ago without it"),
            Parameter::optional("days", Kind::Integer { min: 1, max: 30, default: 7 }, "How long before and after it"),
        ],
        run: |call| Box::pin(calls::keys(call)),
    },
    Tool {
        name: "get_deploys_in_window",
        description: "What shipped between two moments, the latest first: pull request, title, author, when its rollout \
                      began and was complete.",
        parameters: &[
            Parameter::optional("from", Kind::Time, "Live then or later; 14 days ago without it"),
            Parameter::optional("to", Kind::Time, "Live before; now without it"),
        ],
        run: |call| Box::pin(deploys::in_window(call)),
    },
    Tool {
        name: "diff_prompt_model_mix",
        description: "Which models and prompt templates served each step before and after a deploy, and what a call cost: \
                      whether the deploy switched anything.",
        parameters: &[DEPLOY, KEY],
        run: |call| Box::pin(deploys::mix(call)),
    },
    Tool {
        name: "get_fingerprint_diff",
        description: "Prompt templates that a deploy brought or replaced, with their texts before and after.",
        parameters: &[DEPLOY],
        run: |call| Box::pin(deploys::fingerprints(call)),
    },
    Tool {
        name: "fetch_pr_diff",
        description: "What a pull request on GitHub changes: its files, with their diffs.",
        parameters: &[Parameter::required("pr", Kind::Integer { min: 1, max: 1_000_000_000, default: 1 }, "Its number")],
        run: |call| Box::pin(github::pull_request(call)),
    },
    Tool {
        name: "fetch_file",
        description: "A text file of the repository on GitHub, such as the configuration that names a model.",
        parameters: &[
            Parameter::required("path", Kind::Text, "Its path in the repository"),
            Parameter::optional("ref", Kind::Text, "Branch, tag or sha; the default branch without it"),
        ],
        run: |call| Box::pin(github::file(call)),
    },
    Tool {
        name: "list_recent_prs",
        description: "The pull requests on GitHub that were closed last, with title, author and when they were merged.",
        parameters: &[Parameter::optional("limit", Kind::Integer { min: 1, max: 50, default: 20 }, "How many")],
        run: |call| Box::pin(github::pull_requests(call)),
    },
    Tool {
        name: "find_similar_incidents",
        description: "Earlier incidents that are most like one, by metric, mechanism, shape and place, with what caused them \
                      and how they came out.",
        parameters: &[INCIDENT],
        run: |call| Box::pin(incidents::similar(call)),
    },
    Tool {
        name: "list_incidents",
        description: "What left its baseline, the latest first, with the verdict of each in a sentence.",
        parameters: &[
            KEY,
            Parameter::optional("days", Kind::Integer { min: 1, max: 365, default: 30 }, "Those that went on in so many days"),
            Parameter::optional("status", Kind::Choice(&["any", "open", "closed", "accepted"]), "How they stand"),
        ],
        run: |call| Box::pin(incidents::list(call)),
    },
    Tool {
        name: "get_incident",
        description: "One incident: figures by day, where the change comes from, and every candidate cause with what speaks \
                      for and against it.",
        parameters: &[INCIDENT],
        run: |call| Box::pin(incidents::get(call)),
    },
    Tool {
        name: "list_runs",
        description: "Runs, newest first, with status, cost, latency and what is wrong with them.",
        parameters: &[
            KEY, MODEL, STEP,
            Parameter::optional("status", Kind::Text, "ok or error"),
            Parameter::optional("severity", Kind::Text, "ok, warning or critical"),
            Parameter::optional("q", Kind::Text, "Text in id, name or problem; prompts and answers are not searched"),
            Parameter::optional("session", Kind::Text, "A session's id"),
            Parameter::optional("user", Kind::Text, "A user's id"),
            Parameter::optional("from", Kind::Time, "Begun then or later"),
            Parameter::optional("to", Kind::Time, "Begun before"),
            Parameter::optional("limit", Kind::Integer { min: 1, max: 50, default: 20 }, "How many"),
        ],
        run: |call| Box::pin(runs::list(call)),
    },
    Tool {
        name: "get_run",
        description: "One run with its steps: names, models, times, costs, errors and conditions, without their texts.",
        parameters: &[
            RUN,
            Parameter::optional("limit", Kind::Integer { min: 1, max: 200, default: 60 }, "How many of its steps"),
        ],
        run: |call| Box::pin(runs::get(call)),
    },
    Tool {
        name: "get_step",
        description: "One step of a run with what it was sent and what it answered.",
        parameters: &[RUN, Parameter::required("step_id", Kind::Text, "A step's id, from get_run")],
        run: |call| Box::pin(runs::step(call)),
    },
    Tool {
        name: "forecast",
        description: "How the month ends, with an interval, for the project and by key; with and without the last deploy that \
                      changed what a call costs; when budgets are used up.",
        parameters: &[KEY],
        run: |call| Box::pin(calls::forecast(call)),
    },
];

//! What a model is told of a run: chosen, not all of it. Steps are ranked by what they have to do with the failure, by
//! their conditions, by cost and by time; what is left out is said. Everything recorded stands in fences.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Arguments;

use domain::{Deploy, NanoUsd, RunSummary, StepStatus, StepSummary, text};

use super::{Link, Report, StepTexts, name_of};

/// Makes data of a text: label, text, the most bytes of it.
pub type Fence = fn(&str, &str, usize) -> String;

/// Parts of the room, in percent: lines of steps, and texts of steps. The rest is for groups, findings and deploys.
const LINES_PERCENT: usize = 40;
const TEXTS_PERCENT: usize = 42;
/// Of one text at most so many bytes are quoted, half from its beginning and half from its end.
const MAX_TEXT_BYTES: usize = 3_000;
const MAX_GROUPS: usize = 24;
const MAX_DEPLOYS: usize = 8;

/// What a model is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// The prompt's text.
    pub text: String,
    /// Steps that stand in it with their figures.
    pub steps_read: u64,
}

/// What a model is told of a run, in at most about `limit_bytes`. `rules` is the report by rules, whose steps come first.
pub fn context(
    run: &RunSummary,
    steps: &[StepSummary],
    (links, texts): (&[Link], &BTreeMap<String, StepTexts>),
    deploys: &[Deploy],
    rules: &Report,
    (limit_bytes, fence): (usize, Fence),
) -> Context {
    let ranked = ranked(run, steps, links, rules);
    let mut out = String::new();
    let small = limit_bytes / 18;
    out.push_str(&fence("run", &head(run), small));
    out.push('\n');
    out.push_str(&fence("what rules found, to be judged", &by_rules(rules), small));
    out.push('\n');
    out.push_str(&fence("steps by name", &groups(steps), small));
    out.push('\n');
    if !deploys.is_empty() {
        out.push_str(&fence("deploys before the run", &deploy_lines(deploys), small));
        out.push('\n');
    }
    let (lines, steps_read) = step_lines(run, steps, &ranked, limit_bytes / 100 * LINES_PERCENT);
    out.push_str(&fence("steps", &lines, limit_bytes));
    out.push('\n');
    out.push_str(&flow_lines(links, fence, small));
    let mut room = limit_bytes / 100 * TEXTS_PERCENT;
    let mut unread = 0;
    for step in &ranked {
        let Some(texts) = texts.get(&step.step_id) else {
            continue;
        };
        for (what, text) in [("input", &texts.input), ("output", &texts.output)] {
            let Some(text) = text.as_deref().filter(|text| !text.trim().is_empty()) else {
                continue;
            };
            let excerpt = excerpt(text);
            if excerpt.len() > room {
                unread += 1;
                continue;
            }
            room -= excerpt.len();
            let label = format!("{what} of step {}", step.step_id);
            out.push_str(&fence(&label, &excerpt, MAX_TEXT_BYTES * 2));
            out.push('\n');
        }
    }
    let all = steps.len();
    let left_out = u64::try_from(all).unwrap_or(u64::MAX).saturating_sub(steps_read);
    add_line(
        &mut out,
        format_args!(
            "Left out for want of room: {left_out} of {all} steps (their sums stand under steps by name), {unread} texts. Texts \
         of other steps were not read. Do not guess what they say."
        ),
    );
    Context {
        text: out,
        steps_read,
    }
}

fn head(run: &RunSummary) -> String {
    let mut out = format!(
        "name: {}\nstatus: {}\nduration: {}\nsteps: {}, of which {} failed\n",
        run.name,
        run.status.as_str(),
        text::duration(run.latency_ms),
        run.step_count,
        run.error_count
    );
    let cost = run
        .cost_nano_usd
        .map_or_else(|| "unknown".to_owned(), |cost| cost.to_string());
    add_line(&mut out, format_args!("cost: {cost}"));
    for (what, value) in [
        ("release", &run.release),
        ("environment", &run.environment),
        ("key", &Some(run.key_label.clone())),
    ] {
        if let Some(value) = value {
            add_line(&mut out, format_args!("{what}: {value}"));
        }
    }
    if let Some(total) = run.tokens.total() {
        add_line(&mut out, format_args!("tokens: {total}"));
    }
    out
}

fn by_rules(rules: &Report) -> String {
    let mut out = format!("{}\n", rules.summary);
    if let Some(cause) = &rules.root_cause {
        let id = cause.step_id.as_deref().unwrap_or_default();
        add_line(
            &mut out,
            format_args!("probable origin: step {id}: {}", cause.text),
        );
    }
    for part in rules.cascade.iter().take(20) {
        add_line(
            &mut out,
            format_args!("- step {} ({}) {}", part.step_id, part.name, part.text),
        );
    }
    out
}

fn groups(steps: &[StepSummary]) -> String {
    #[derive(Default)]
    struct Sum {
        count: u32,
        failed: u32,
        ms: f64,
        cost: i64,
    }
    let mut sums: BTreeMap<&str, Sum> = BTreeMap::new();
    for step in steps {
        let sum = sums.entry(name_of(step)).or_default();
        sum.count += 1;
        sum.failed += u32::from(step.status == StepStatus::Error);
        sum.ms += step.latency_ms.filter(|ms| ms.is_finite()).unwrap_or(0.0);
        sum.cost = sum
            .cost
            .saturating_add(step.cost_nano_usd.map_or(0, |cost| cost.0));
    }
    let mut rows: Vec<(&str, Sum)> = sums.into_iter().collect();
    rows.sort_by(|(_, a), (_, b)| {
        (b.failed, b.cost)
            .cmp(&(a.failed, a.cost))
            .then(b.ms.total_cmp(&a.ms))
    });
    let more = rows.len().saturating_sub(MAX_GROUPS);
    let mut out = String::new();
    for (name, sum) in rows.iter().take(MAX_GROUPS) {
        add_line(
            &mut out,
            format_args!(
                "{name}: {} steps, {} failed, {}, {}",
                sum.count,
                sum.failed,
                text::duration(sum.ms),
                NanoUsd(sum.cost)
            ),
        );
    }
    if more > 0 {
        add_line(&mut out, format_args!("({more} more names left out)"));
    }
    out
}

fn deploy_lines(deploys: &[Deploy]) -> String {
    let mut out = String::new();
    for deploy in deploys.iter().take(MAX_DEPLOYS) {
        let title = deploy.title.as_deref().unwrap_or("without a title");
        let pr = deploy
            .pr_number
            .map_or_else(String::new, |number| format!(", PR {number}"));
        add_line(
            &mut out,
            format_args!(
                "deploy_id {}: {title}{pr}, sha {}, live since {}",
                deploy.id,
                deploy.sha,
                deploy.at()
            ),
        );
    }
    out
}

/// One line for each step that there is room for, in the order of time.
fn step_lines(
    run: &RunSummary,
    steps: &[StepSummary],
    ranked: &[&StepSummary],
    room: usize,
) -> (String, u64) {
    let mut lines: BTreeMap<&str, String> = BTreeMap::new();
    let mut used = 0;
    for step in ranked {
        let line = step_line(run, step);
        if used + line.len() > room {
            break;
        }
        used += line.len();
        lines.insert(&step.step_id, line);
    }
    let mut out = String::new();
    let mut skipped = 0;
    for step in steps {
        match lines.get(step.step_id.as_str()) {
            Some(line) => {
                if skipped > 0 {
                    add_line(&mut out, format_args!("({skipped} steps left out)"));
                    skipped = 0;
                }
                out.push_str(line);
            }
            None => skipped += 1,
        }
    }
    if skipped > 0 {
        add_line(&mut out, format_args!("({skipped} steps left out)"));
    }
    (out, u64::try_from(lines.len()).unwrap_or(u64::MAX))
}

fn step_line(run: &RunSummary, step: &StepSummary) -> String {
    const MAX_WORD_CHARS: usize = 80;
    let word = |text: &str| text::first_line(text, MAX_WORD_CHARS);
    let mut line = format!(
        "step_id {} | {} | {} | at {} for {} | {}",
        step.step_id,
        word(name_of(step)),
        step.kind.as_str(),
        text::duration(step.started_at.ms_since(run.started_at)),
        step.latency_ms
            .map_or_else(|| "unknown".to_owned(), text::duration),
        step.status.as_str()
    );
    if let Some(parent) = &step.parent_step_id {
        add(&mut line, format_args!(" | in {parent}"));
    }
    if let Some(model) = &step.model {
        add(&mut line, format_args!(" | {}", word(model)));
    }
    if let Some(cost) = step.cost_nano_usd {
        add(&mut line, format_args!(" | {cost}"));
    }
    if let (Some(input), Some(output)) = (step.tokens.input(), step.tokens.output) {
        add(&mut line, format_args!(" | {input} tokens in, {output} out"));
    }
    if let Some(stop) = &step.stop_reason {
        add(&mut line, format_args!(" | stopped: {}", word(stop)));
    }
    if let Some(error) = &step.error {
        add(
            &mut line,
            format_args!(" | error: {}", text::first_line(error, 200)),
        );
    }
    for found in step.conditions.iter().take(4) {
        add(
            &mut line,
            format_args!(
                " | code {}: {}",
                found.code,
                text::first_line(&found.message, 140)
            ),
        );
    }
    line.push('\n');
    line
}

fn flow_lines(links: &[Link], fence: Fence, room: usize) -> String {
    if links.is_empty() {
        return String::new();
    }
    let mut out = String::new();
    for link in links.iter().rev().take(60) {
        add_line(
            &mut out,
            format_args!(
                "output of step {} is in the input of step {} ({} %)",
                link.from, link.to, link.percent
            ),
        );
    }
    format!("{}\n", fence("where answers came back", &out, room))
}

/// The steps, the most telling first.
fn ranked<'a>(
    run: &RunSummary,
    steps: &'a [StepSummary],
    links: &[Link],
    rules: &Report,
) -> Vec<&'a StepSummary> {
    let in_cascade: BTreeMap<&str, usize> = rules
        .cascade
        .iter()
        .enumerate()
        .map(|(place, part)| (part.step_id.as_str(), place))
        .collect();
    let linked: BTreeSet<&str> = links
        .iter()
        .flat_map(|link| [link.from.as_str(), link.to.as_str()])
        .collect();
    let run_cost = run.cost_nano_usd.map_or(0, |cost| cost.0).max(1);
    let run_ms = run.latency_ms.max(1.0);
    let mut told: BTreeMap<(&str, Option<u16>), u32> = BTreeMap::new();
    let mut scored: Vec<(i64, usize)> = Vec::with_capacity(steps.len());
    for (place, step) in steps.iter().enumerate() {
        let mut rank: i64 = 0;
        if let Some(nth) = in_cascade.get(step.step_id.as_str()) {
            rank += 10_000 - i64::try_from(*nth).unwrap_or(0).min(1_000);
        }
        rank += i64::from(step.status == StepStatus::Error) * 2_000;
        rank += i64::from(step.parent_step_id.is_none()) * 1_500;
        rank += i64::from(linked.contains(step.step_id.as_str())) * 600;
        rank += i64::from(step.score.unwrap_or(0).clamp(0, 300)) * 8;
        rank += (step.cost_nano_usd.map_or(0, |cost| cost.0).max(0) / (run_cost / 1_000 + 1)).min(1_000);
        rank += (step.latency_ms.unwrap_or(0.0).max(0.0) / run_ms * 500.0).min(500.0) as i64;
        // The same again tells less each time.
        let same = told
            .entry((name_of(step), step.conditions.first().map(|found| found.code)))
            .or_default();
        rank -= i64::from(*same).min(40) * 100;
        *same += 1;
        scored.push((rank, place));
    }
    scored.sort_by_key(|(rank, place)| (-rank, *place));
    scored
        .into_iter()
        .filter_map(|(_, place)| steps.get(place))
        .collect()
}

fn add(to: &mut String, text: Arguments<'_>) {
    to.push_str(&text.to_string());
}

fn add_line(to: &mut String, line: Arguments<'_>) {
    add(to, line);
    to.push('\n');
}

/// The beginning and the end of a long text.
fn excerpt(text: &str) -> String {
    if text.len() <= MAX_TEXT_BYTES {
        return text.to_owned();
    }
    let head = text.floor_char_boundary(MAX_TEXT_BYTES / 2);
    let tail = text.ceil_char_boundary(text.len() - MAX_TEXT_BYTES / 2);
    let (begin, end) = (
        text.get(..head).unwrap_or_default(),
        text.get(tail..).unwrap_or_default(),
    );
    format!("{begin}\n({} bytes left out)\n{end}", tail - head)
}

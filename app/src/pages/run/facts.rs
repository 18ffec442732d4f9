//! The head of the run page: the verdict and the run's figures.

use domain::series::SeriesBy;
use domain::{StepSummary, TokenUsage, text};
use leptos::prelude::*;

use super::Page;
use super::query::RunQuery;
use super::verdict::{SentencePart, verdict};
use crate::api::runs::RunDeploy;
use crate::pages::cells::{cost_view, layer_of, score_bar};
use crate::ui::icon::Icon;
use crate::ui::links::{deploy_href, page_href, scope_href, session_href, user_href};

/// Verdict and figures.
#[component]
pub(super) fn RunHead(page: Page) -> impl IntoView {
    let Page {
        slug,
        run,
        query,
        shared,
        ..
    } = page;
    view! {
        {move || {
            let reading = run.get();
            let run = reading.run();
            let verdict = verdict(run, reading.details(), reading.view.part.is_some());
            let words = move |words: Vec<SentencePart>| words.into_iter().map(|w| word(w, query)).collect_view();
            let details = (!verdict.details.is_empty())
                .then(|| view! { <p>{words(verdict.details)}</p> });
            view! {
                <section class="run-head" data-tone=verdict.tone.as_str() aria-label="Result">
                    <div class="run-id">
                        <div class="verdict" data-tone=verdict.tone.as_str()>
                            <div class="say">{words(verdict.headline)}</div>
                            {details}
                        </div>
                    </div>
                    {facts(&reading, query, slug, shared.is_some())}
                    {reading.part.is_none().then(|| missing_steps(run.step_count, reading.skeleton.steps.len()))}
                </section>
            }
        }}
    }
}

/// Says that a run has more steps than the page was given.
fn missing_steps(step_count: i64, shown: usize) -> Option<impl IntoView> {
    let shown = i64::try_from(shown).unwrap_or(i64::MAX);
    (shown < step_count).then(|| {
        let (shown, all) = (text::counted(shown, "step"), text::counted(step_count, "step"));
        view! {
            <div class="notice" data-tone="warn">
                <Icon name="warning"/>
                <div><b>"Not all steps are shown. "</b>{format!("The first {shown} of {all} are shown; the figures above count all.")}</div>
            </div>
        }
    })
}

fn word(word: SentencePart, query: Memo<RunQuery>) -> AnyView {
    match word {
        SentencePart::Text(text) => text.into_any(),
        SentencePart::Step { step_id, name } => view! {
            <a class="link" href=move || query.read().with_step(Some(&step_id)).to_href() data-noscroll>{name}</a>
        }
        .into_any(),
    }
}

/// The step with the highest score.
fn worst_step(run: &super::Run) -> Option<&StepSummary> {
    let worst = run.run().score_max.filter(|score| *score > 0)?;
    run.details().iter().find(|s| s.score == Some(worst))
}

fn facts(
    reading: &super::Run,
    query: Memo<RunQuery>,
    slug: Memo<String>,
    is_shared: bool,
) -> impl IntoView + use<> {
    let (run, worst) = (reading.run(), worst_step(reading));
    let filtered = move |name: &'static str, value: String| {
        if is_shared {
            return view! { <span class="mono">{value}</span> }.into_any();
        }
        let encoded = domain::filter::encode_query([(name, value.as_str()), ("range", "all")]);
        view! { <a class="link mono" href=move || format!("{}?{encoded}", page_href(&slug.read(), "runs"))>{value}</a> }.into_any()
    };
    // A session and a user have pages of their own.
    let paged = move |href: fn(&str, &str) -> Option<String>, id: String| {
        href("", &id).filter(|_| !is_shared)?;
        let text = id.clone();
        Some(view! { <a class="link mono" href=move || href(&slug.read(), &id)>{text}</a> }.into_any())
    };
    let cost = cost_view(run.cost_nano_usd, run.unpriced_steps);
    // A link's page has no links but those of its own state.
    let cost = if is_shared {
        cost
    } else {
        view! { <a class="link" href="#costs" title="What it consists of; each step has its receipt">{cost}</a> }
            .into_any()
    };
    let failed =
        (run.error_count > 0).then(|| view! { <small>{format!(" {} failed", run.error_count)}</small> });
    let threshold = worst.and_then(|step| step.threshold);
    let worst = worst.map(|step| {
        let (id, name) = (step.step_id.clone(), step.name.clone());
        view! { " " <small><a href=move || query.read().with_step(Some(&id)).to_href() data-noscroll>{name}</a></small> }
    });
    let score = match run.score_max {
        None => view! { <span class="dim">"not scored"</span> }.into_any(),
        Some(0) => view! { <span class="none">"0"</span> }.into_any(),
        Some(score) => {
            view! { <span class="score">{score_bar(&[(layer_of(run), score)], threshold, 36)}{score}</span> }
                .into_any()
        }
    };
    let optional = |name: &'static str, value: Option<AnyView>| {
        value.map(|value| view! { <div><dt>{name}</dt><dd>{value}</dd></div> })
    };
    let label = run.key_label.clone();
    let key = match scope_href("", SeriesBy::Key, &label) {
        Some(_) if !is_shared => {
            let text = label.clone();
            let href = move || scope_href(&slug.read(), SeriesBy::Key, &label);
            view! { <a class="link" href=href>{text}</a> }.into_any()
        }
        _ => label.clone().into_any(),
    };
    // Left out of a link.
    let key = (!run.key_label.is_empty()).then_some(key);
    let environment = run.environment.clone().map(|e| e.into_any());
    // A release leads to its deploy as well.
    let deploy = reading.view.deploy.clone().map(|deploy| {
        let RunDeploy { id, name } = deploy;
        view! { " " <small><a class="link" href=move || deploy_href(&slug.read(), &id)>{name}</a></small> }
    });
    let release = run
        .release
        .clone()
        .map(|r| view! { {filtered("release", r)}{deploy} }.into_any());
    let session = run
        .session_id
        .clone()
        .map(|s| paged(session_href, s.clone()).unwrap_or_else(|| filtered("session", s)));
    let user = run
        .user_id
        .clone()
        .map(|u| paged(user_href, u.clone()).unwrap_or_else(|| filtered("user", u)));
    let tags = (!run.tags.is_empty()).then(|| run.tags.join(", ").into_any());
    view! {
        <dl class="facts run-facts">
            <div><dt>"Duration"</dt><dd title=format!("{} ms", run.latency_ms)>{text::duration(run.latency_ms)}</dd></div>
            <div><dt>"Cost"</dt><dd>{cost}</dd></div>
            <div class="f-tok"><dt>"Tokens"</dt><dd>{tokens(&run.tokens)}</dd></div>
            <div><dt>"Worst step"</dt><dd>{score}{worst}</dd></div>
            <div><dt>"Steps"</dt><dd>{text::grouped(run.step_count.unsigned_abs())}{failed}</dd></div>
            {optional("Key", key)}
            {optional("Environment", environment)}
            {optional("Release", release)}
            {optional("Session", session)}
            {optional("User", user)}
            {optional("Tags", tags)}
        </dl>
    }
}

/// The total, a bar of the buckets, and the buckets in words.
fn tokens(usage: &TokenUsage) -> AnyView {
    let Some(total) = usage.total() else {
        return view! { <span class="dim">"none reported"</span> }.into_any();
    };
    let buckets = [
        ("c1", usage.input_fresh, "fresh"),
        ("c6", usage.cache_read, "cached"),
        ("c7", usage.cache_write, "written"),
        ("c3", usage.output, "out"),
    ];
    let words: Vec<String> = buckets
        .iter()
        .filter_map(|(_, n, word)| Some(format!("{} {word}", text::short_count((*n).filter(|n| *n > 0)?))))
        .collect();
    let bar = token_bar(&buckets.map(|(class, n, _)| (class, n.unwrap_or(0))));
    let words = words.join(", ");
    view! {
        <span title=format!("{} tokens", text::grouped(total.unsigned_abs()))>{text::short_count(total)}</span>
        " "
        <svg class="tokbar" width="96" height="8" role="img" aria-label=format!("Tokens: {words}") inner_html=bar></svg>
        " "
        <small>{words.clone()}</small>
    }
    .into_any()
}

/// Stretches of a 96 px bar, 1 px apart, in proportion to their counts.
fn token_bar(buckets: &[(&str, i64)]) -> String {
    let counts: Vec<(&str, i64)> = buckets.iter().copied().filter(|(_, n)| *n > 0).collect();
    let whole: f64 = counts.iter().map(|(_, n)| *n as f64).sum();
    let room = 96.0 - counts.len().saturating_sub(1) as f64;
    let mut x = 0.0;
    let mut out = String::new();
    for (class, n) in counts {
        let width = (n as f64 / whole * room).max(1.0);
        out.push_str(&format!(
            r#"<rect class="{class}" x="{x:.2}" width="{width:.2}" height="8"/>"#
        ));
        x += width + 1.0;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_fill_their_room() {
        let check = |buckets: &[(&str, i64)], expected: &str| assert_eq!(token_bar(buckets), expected);
        check(&[], "");
        check(
            &[("c1", 0), ("c3", 5)],
            r#"<rect class="c3" x="0.00" width="96.00" height="8"/>"#,
        );
        check(
            &[("c1", 1), ("c3", 1)],
            r#"<rect class="c1" x="0.00" width="47.50" height="8"/><rect class="c3" x="48.50" width="47.50" height="8"/>"#,
        );
    }
}

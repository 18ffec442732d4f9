//! The page in one sentence: what rose most, where, since when, and what people think of it.

use domain::anomaly::{CellCount, CodePrecision};
use domain::text;
use leptos::prelude::*;

use super::Page;
use super::layers::before_words;
use super::over_time::title_of;
use super::sums::Sums;
use crate::api::anomalies::AnomaliesView;
use crate::models::anomalies_query::Period;
use crate::models::rise::{is_noise, onset, steepest, steepest_noise};
use crate::pages::conditions::code_name;
use crate::ui::links::page_href;

/// What the sentence says, in parts that the page can link.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Say {
    head: String,
    /// Code and step of the headline, for a link to its steps.
    of: Option<(u16, String)>,
    /// Since when: `It began on 18 Nov`.
    since: Option<String>,
    /// The prompt template that came with it, in hex.
    template: Option<String>,
    /// A code that rose too, but that people call noise: what, and how many of how many.
    noise: Option<(String, String)>,
    /// What people marked, over all codes.
    marked: Option<String>,
}

/// The sentence above the data.
#[component]
pub(super) fn VerdictSentence(
    page: Page,
    view: AnomaliesView,
    sums: Sums,
    /// How often each code was right, as people say now.
    precision: RwSignal<Vec<CodePrecision>>,
) -> impl IntoView {
    let period = page.query.read_untracked().period;
    let said = Memo::new(move |_| say(&view, &sums, period, &precision.read()));
    view! {
        <section class="cell" aria-label="In short">
            <div class="verdict">{move || sentence(page, said.get())}</div>
        </section>
    }
}

fn sentence(page: Page, say: Say) -> impl IntoView {
    let Page { slug, query, .. } = page;
    let head = match say.of.clone() {
        Some((code, step)) => {
            let href = move || query.read().steps_of(code, Some(&step)).to_href();
            view! { <a href=href>{say.head}</a> }.into_any()
        }
        None => say.head.into_any(),
    };
    let template = say.template.map(|template| {
        let short: String = template.chars().take(12).collect();
        let href = move || format!("{}/{template}", page_href(&slug.read(), "prompts"));
        view! { " with prompt template " <a class="mono" href=href>{short}</a> }
    });
    let since = say.since.map(|since| view! { {since}{template}". " });
    let noise = say.noise.map(|(what, how_many)| {
        let href = move || page_href(&slug.read(), "settings/scoring");
        view! {
            <b>{what}</b>
            " also rose, but was marked noise in "
            <b class="num">{how_many}</b>
            " cases. "
            <a href=href>"Try another limit"</a>
            ". "
        }
    });
    view! {
        <h2 class="say">{head}</h2>
        <p>{since}{noise}{say.marked}</p>
    }
}

fn say(view: &AnomaliesView, sums: &Sums, period: Period, precision: &[CodePrecision]) -> Say {
    let before = before_words(period);
    let cells = &view.counts.cells;
    let mut say = Say {
        marked: marked(precision),
        noise: steepest_noise(cells, precision).map(|cell| noise(cell, precision)),
        ..Say::default()
    };
    match steepest(cells, precision) {
        Some(cell) => {
            // Its templates were read if it was the steepest then too.
            let is_read = steepest(cells, &view.precision) == Some(cell);
            let found = onset(&view.rise, view.span.count()).filter(|_| is_read);
            say.head = headline(cell, period);
            say.of = Some((cell.code, cell.step.clone()));
            if let Some(found) = found {
                let verb = if found.is_first { "began" } else { "rose" };
                let when = title_of(view.span.start_of(found.bucket), view.span);
                say.since = Some(format!("It {verb} on {when}"));
                say.template = found.template;
            }
        }
        None => {
            say.head = match (sums.all.now, sums.all.before) {
                (0, n) => format!("No condition in {}, {n} {before}", period.label()),
                (n, before_n) if n < before_n => {
                    let conditions = text::counted(n, "condition");
                    format!(
                        "Nothing rose: {conditions} in {}, {before_n} {before}",
                        period.label()
                    )
                }
                (n, before_n) => {
                    let conditions = text::counted(n, "condition");
                    format!(
                        "No code stands out: {conditions} in {}, {before_n} {before}",
                        period.label()
                    )
                }
            };
        }
    }
    say
}

/// `parse-request returned invalid JSON: 31 times in 7 days, 2 the week before`.
fn headline(cell: &CellCount, period: Period) -> String {
    let step = if cell.step.trim().is_empty() {
        "An unnamed step"
    } else {
        cell.step.as_str()
    };
    let times = |n: i64| match n {
        0 => "never".to_owned(),
        1 => "once".to_owned(),
        n => format!("{} times", text::grouped(n.unsigned_abs())),
    };
    format!(
        "{} {}: {} in {}, {} {}",
        text::first_line(step, 80),
        phrase(cell.code),
        times(cell.now),
        period.label(),
        match cell.before {
            n @ 0..=1 => times(n),
            n => text::grouped(n.unsigned_abs()),
        },
        before_words(period)
    )
}

fn noise(cell: &CellCount, precision: &[CodePrecision]) -> (String, String) {
    let found = precision
        .iter()
        .find(|p| p.code == cell.code)
        .copied()
        .unwrap_or_default();
    let what = format!(
        "{} {} on {}",
        cell.code,
        code_name(cell.code),
        text::first_line(&cell.step, 80)
    );
    (what, format!("{} of {}", found.noise, found.n()))
}

/// `Of 124 marked conditions 31 % were noise; mostly noise: 3010, 4001.`
fn marked(precision: &[CodePrecision]) -> Option<String> {
    let real: i64 = precision.iter().map(|p| p.real).sum();
    let noise: i64 = precision.iter().map(|p| p.noise).sum();
    let n = real + noise;
    if n == 0 {
        return Some("No conditions are marked yet; mark some below as real or noise.".to_owned());
    }
    let percent = (noise * 200 + n) / (2 * n);
    let mostly: Vec<String> = precision
        .iter()
        .filter(|p| is_noise(p.code, precision))
        .map(|p| p.code.to_string())
        .collect();
    let marked = text::counted(n, "marked condition");
    let were = if n == 1 { "was" } else { "were" };
    let list = if mostly.is_empty() {
        String::new()
    } else {
        format!("; mostly noise: {}", mostly.join(", "))
    };
    Some(format!("Of {marked} in 90 days {percent} % {were} noise{list}."))
}

/// What a step does when a code keeps firing.
fn phrase(code: u16) -> String {
    let words = match code {
        1001 => "failed more often",
        1002 => "returned errors more often",
        1003 => "returned nothing more often",
        1009 => "was cut off more often",
        1010 => "hit the content filter more often",
        1014 => "lost its stream more often",
        2001 => "returned invalid JSON",
        2002 => "returned bare values instead of JSON",
        2003 => "answered outside its options",
        2004 => "answered neither yes nor no",
        2005 => "gave no number where one was asked for",
        2006 => "returned lists of the wrong length",
        2007 => "violated its schema",
        3010 => "used more words than asked for",
        3011 => "left brackets unbalanced",
        3012 => "left out JSON keys",
        3014 => "answered in the wrong format",
        3015 => "stopped in the middle of its text",
        3016 => "repeated itself",
        3017 => "leaked placeholders",
        3018 => "refused more often",
        3019 => "repeated its prompt",
        4001 => "exceeded its latency limit",
        4002 => "exceeded its token limit",
        4003 => "exceeded its cost limit",
        4007 => "took long for few tokens",
        4011 => "nearly filled its context window",
        4012 => "repeated the same call",
        4013 => "generated slowly",
        4014 => "lost its cache hits",
        4016 => "pushed runs over their cost limit",
        4017 => "was slow to its first token",
        4018 => "stalled",
        5001 => "was unusually slow or fast",
        5002 | 5004 => "used an unusual number of tokens",
        5003 => "had an unusual cost",
        other => return format!("triggered {}", code_name(other)),
    };
    words.to_owned()
}

#[cfg(test)]
mod tests {
    use domain::anomaly::TemplateCount;

    use super::super::sums::tests::view;
    use super::*;

    #[test]
    fn the_headline_says_what_where_and_how_much() {
        let check = |cells: &[(u16, &str, i64, i64)], by_code: &[(u32, u16, i64)], expected: &str| {
            let view = view(by_code, cells);
            assert_eq!(
                say(&view, &Sums::of(&view), Period::Week, &view.precision).head,
                expected
            );
        };
        check(
            &[(2001, "parse-request", 31, 2), (4001, "other", 9, 1)],
            &[(3, 2001, 31)],
            "parse-request returned invalid JSON: 31 times in 7 days, 2 the week before",
        );
        check(
            &[(3013, " ", 4, 0)],
            &[(3, 3013, 4)],
            "An unnamed step triggered output_bloat_ratio: 4 times in 7 days, never the week before",
        );
        check(
            &[(2001, "s", 0, 9)],
            &[(0, 2001, 9)],
            "No condition in 7 days, 9 the week before",
        );
        check(
            &[(2001, "s", 4, 9)],
            &[(0, 2001, 9), (3, 2001, 4)],
            "Nothing rose: 4 conditions in 7 days, 9 the week before",
        );
        check(
            &[(2001, "s", 9, 9)],
            &[(0, 2001, 9), (3, 2001, 9)],
            "No code stands out: 9 conditions in 7 days, 9 the week before",
        );
    }

    #[test]
    fn it_says_since_when_with_which_prompt_and_what_is_noise() {
        let mut view = view(
            &[(2, 2001, 8), (3, 2001, 9), (3, 4001, 20)],
            &[(2001, "parse", 17, 0), (4001, "sum", 20, 0)],
        );
        view.precision = vec![
            CodePrecision {
                code: 2001,
                real: 22,
                noise: 0,
            },
            CodePrecision {
                code: 4001,
                real: 9,
                noise: 21,
            },
        ];
        let row = |bucket: u32, template: &str, count: i64| TemplateCount {
            bucket,
            template: Some(template.to_owned()),
            steps: 20,
            count,
        };
        view.rise = vec![row(0, "aa", 0), row(1, "aa", 0), row(2, "bb", 8), row(3, "bb", 9)];
        let said = say(&view, &Sums::of(&view), Period::Week, &view.precision);
        assert_eq!(said.of, Some((2001, "parse".to_owned())));
        assert_eq!(
            (said.since.as_deref(), said.template.as_deref()),
            (Some("It began on 3 Jan"), Some("bb"))
        );
        assert_eq!(
            said.noise,
            Some(("4001 latency_threshold on sum".to_owned(), "21 of 30".to_owned()))
        );
        assert_eq!(
            said.marked.as_deref(),
            Some("Of 52 marked conditions in 90 days 40 % were noise; mostly noise: 4001.")
        );
    }

    #[test]
    fn it_changes_with_what_people_say() {
        let mut view = view(
            &[(2, 2001, 8), (3, 4001, 20)],
            &[(2001, "parse", 8, 0), (4001, "sum", 20, 0)],
        );
        view.rise = vec![TemplateCount {
            bucket: 3,
            template: None,
            steps: 20,
            count: 20,
        }];
        let noise = [CodePrecision {
            code: 4001,
            real: 0,
            noise: 5,
        }];
        let now = |precision: &[CodePrecision]| say(&view, &Sums::of(&view), Period::Week, precision);
        assert_eq!(
            (now(&[]).of, now(&[]).since.as_deref()),
            (Some((4001, "sum".to_owned())), Some("It began on 4 Jan"))
        );
        // What was read about the one says nothing of the other.
        assert_eq!(
            (now(&noise).of, now(&noise).since),
            (Some((2001, "parse".to_owned())), None)
        );
        assert!(
            now(&noise)
                .marked
                .is_some_and(|marked| marked.contains("mostly noise: 4001"))
        );
    }

    #[test]
    fn every_code_has_words() {
        for code in engine::codes::ALL {
            assert!(!phrase(code.code).is_empty());
        }
        assert!(phrase(9999).contains("9999"));
    }
}

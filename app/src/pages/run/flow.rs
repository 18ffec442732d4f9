//! Causal flow: where the selected step's input came from and where its output went, as a ladder and as links in the
//! drawing.

use leptos::prelude::*;

use super::Page;
use crate::api::flow::{BESIDE, FlowLink, StepFlow, read_flow};
use crate::timeline::draw::glyph;
use crate::timeline::paint::FlowLine;
use crate::ui::icon::Icon;
use crate::ui::time::use_attached;

/// What was found about which step; shared by the panel, which reads it, and the drawing.
#[derive(Clone, Copy)]
pub(super) struct Flow(pub(super) RwSignal<Option<(String, StepFlow)>>);

/// Reads the flow of whatever step is selected, once the browser has attached.
pub(super) fn provide_flow(page: Page) {
    let flow = RwSignal::new(None);
    provide_context(Flow(flow));
    let selected = Memo::new(move |_| page.query.read().step.clone());
    // Read again when the step itself has changed, not with every step that its run gets.
    let own = Memo::new(move |_| {
        let run = page.run.read();
        run.step_of(run.find(selected.read().as_deref()?)?).copied()
    });
    Effect::new(move |_| {
        own.track();
        let Some(id) = selected.get() else {
            flow.set(None);
            return;
        };
        let run = page.run.get_untracked();
        let Some((earlier, later)) = beside(&run, &id) else {
            return;
        };
        let (slug, run_id) = (page.slug.get_untracked(), run.run().run_id.clone());
        leptos::task::spawn_local(async move {
            // Without an answer there is nothing to be shown: the texts beside it say what went wrong.
            if let Ok(found) = read_flow(slug, run_id, id.clone(), earlier, later).await
                && selected.try_get_untracked().flatten().as_ref() == Some(&id)
            {
                flow.try_set(Some((id, found)));
            }
        });
    });
}

/// Ids of the steps that ended last before a step, and of those that began first after it.
fn beside(run: &super::Run, step_id: &str) -> Option<(Vec<String>, Vec<String>)> {
    let row = run.find(step_id)?;
    let now = run.now_us();
    let own = run.step_of(row)?;
    let (began, ended) = (own.started_us, own.end_us(now));
    let has_texts = |place: &usize| {
        run.layout
            .row_of_place(*place)
            .is_some_and(|row| !run.layout.is_parent(row))
    };
    let steps = &run.skeleton.steps;
    let after = steps.partition_point(|step| step.started_us < ended);
    let later: Vec<String> = (after..steps.len())
        .filter(has_texts)
        .filter(|place| run.skeleton.id_of(*place) != step_id)
        .take(BESIDE)
        .map(|place| run.skeleton.id_of(place).to_owned())
        .collect();
    let before = steps.partition_point(|step| step.started_us < began);
    let earlier: Vec<String> = (0..before)
        .rev()
        .filter(has_texts)
        .filter(|place| steps[*place].end_us(now) <= began)
        .take(BESIDE)
        .map(|place| run.skeleton.id_of(place).to_owned())
        .collect();
    Some((earlier, later))
}

/// The links of the drawing.
pub(super) fn flow_lines(run: &super::Run, flow: &Option<(String, StepFlow)>) -> Vec<FlowLine> {
    let Some((id, flow)) = flow else {
        return Vec::new();
    };
    let Some(own) = run.find(id) else {
        return Vec::new();
    };
    let line = |from_row: usize, to_row: usize, link: &FlowLink| FlowLine {
        from_row,
        to_row,
        is_exact: link.percent == 100,
    };
    let from = flow
        .from
        .iter()
        .filter_map(|link| Some(line(run.find(&link.step_id)?, own, link)));
    let to = flow
        .to
        .iter()
        .filter_map(|link| Some(line(own, run.find(&link.step_id)?, link)));
    from.chain(to).collect()
}

/// The ladder in the panel: from above, then this step, then where its output went.
#[component]
pub(super) fn FlowSection(page: Page, step_id: String) -> impl IntoView {
    let attached = use_attached();
    let flow = use_context::<Flow>();
    move || {
        let (of, found) = flow.filter(|_| attached.get())?.0.get()?;
        if of != step_id || (found.from.is_empty() && found.to.is_empty()) {
            return None;
        }
        let run = page.run.read();
        let first_wrong = found.from.iter().any(|link| is_wrong(&run, &link.step_id));
        // What comes from a step with findings, or goes on from this one, is how a failure travels.
        let origin =
            is_wrong(&run, &of) && !first_wrong && found.to.iter().any(|link| is_wrong(&run, &link.step_id));
        let rungs = |links: &[FlowLink]| links.iter().map(|link| rung(page, link)).collect_view();
        let said = origin.then(|| {
            view! {
                <p class="flow-note">
                    <Icon name="origin"/>
                    <span>"Probable origin: nothing that it was given has a finding, and a step that read its output has"</span>
                </p>
            }
        });
        let (from, to) = (rungs(&found.from), rungs(&found.to));
        Some(view! {
            <section class="ps" aria-label="Flow">
                <div class="head"><h3>"Flow"</h3><span class="sub">"texts that came back, word for word or nearly"</span></div>
                {said}
                {(!found.from.is_empty()).then(|| view! { <h4 class="dim">"Its input has the output of"</h4><ol class="problems">{from}</ol> })}
                {(!found.to.is_empty()).then(|| view! { <h4 class="dim">"Its output is in the input of"</h4><ol class="problems">{to}</ol> })}
            </section>
        })
    }
}

fn is_wrong(run: &super::Run, step_id: &str) -> bool {
    run.find(step_id)
        .and_then(|row| run.step_of(row))
        .is_some_and(domain::skeleton::SkeletonStep::is_problem)
}

fn rung(page: Page, link: &FlowLink) -> impl IntoView + use<> {
    let run = page.run.read_untracked();
    let step = run.find(&link.step_id).and_then(|row| run.step_of(row));
    let name = step.map_or_else(
        || link.step_id.clone(),
        |step| run.skeleton.name_of(step).to_owned(),
    );
    let (icon, class, word) = step
        .and_then(|step| glyph(step.status, step.severity))
        .unwrap_or(("ok", "st-ok", "ok"));
    let how = match (link.percent, link.is_part) {
        (100, false) => "exact".to_owned(),
        (100, true) => "a value of it".to_owned(),
        (percent, _) => format!("near, {percent} %"),
    };
    let amount = if link.bytes == link.of_bytes {
        format!("all {} bytes", link.bytes)
    } else {
        format!("{} of {} bytes", link.bytes, link.of_bytes)
    };
    let id = link.step_id.clone();
    let query = page.query;
    view! {
        <li>
            <Icon name=icon class=class/>
            <span class="vh">{word}" "</span>
            <span>
                <a class="link" href=move || query.read().with_step(Some(&id)).to_href() data-noscroll>{name}</a>
                " "<span class="badge" data-tone="line">{how}</span>
                " "<span class="dim num">{amount}</span>
                <br/>
                <span class="mono dim2">{format!("“{}”", link.excerpt)}</span>
            </span>
        </li>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::run::model::tests::run;
    use crate::timeline::sample::step;

    #[test]
    fn what_ended_before_and_what_began_after() {
        let reading = run(vec![
            step("root", None, 0, 100),
            step("a", Some("root"), 0, 10),
            step("long", Some("root"), 5, 60),
            step("b", Some("root"), 20, 10),
            step("c", Some("root"), 30, 10),
            step("d", Some("root"), 50, 10),
        ]);
        let names =
            |id: &str| beside(&reading, id).map(|(earlier, later)| (earlier.join(" "), later.join(" ")));
        assert_eq!(names("b"), Some(("a".to_owned(), "c d".to_owned())));
        assert_eq!(names("d"), Some(("c b a".to_owned(), String::new())));
        assert_eq!(names("gone"), None);
    }

    #[test]
    fn links_are_lines_between_rows() {
        let reading = run(vec![step("a", None, 0, 10), step("b", None, 20, 10)]);
        let link = FlowLink {
            step_id: "b".to_owned(),
            percent: 94,
            is_part: false,
            bytes: 17,
            of_bytes: 18,
            excerpt: String::new(),
        };
        let flow = StepFlow {
            from: Vec::new(),
            to: vec![link],
        };
        let lines = flow_lines(&reading, &Some(("a".to_owned(), flow)));
        assert_eq!(
            lines,
            [FlowLine {
                from_row: 0,
                to_row: 1,
                is_exact: false
            }]
        );
        assert!(flow_lines(&reading, &None).is_empty());
    }
}

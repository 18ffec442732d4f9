//! What a model looked up and said, one after the other: of an investigation and of an answer in a chat.

use domain::{WorkState, text};
use leptos::prelude::*;

use crate::api::inquiries::{HappenedView, InquiryView};
use crate::ui::icon::Icon;
use crate::ui::links::page_href;

/// How an inquiry stands, in a word or two.
pub(crate) fn state_badge(inquiry: &InquiryView) -> impl IntoView + use<> {
    let took = inquiry
        .finished_at
        .map(|at| text::duration(at.ms_since(inquiry.asked_at).max(0.0)));
    let (tone, icon, words) = match inquiry.state {
        WorkState::Queued => ("", "clock", "waits".to_owned()),
        WorkState::Running => ("", "running", "looks into it".to_owned()),
        WorkState::Done => (
            "ok",
            "check",
            took.map_or_else(|| "done".to_owned(), |took| format!("done in {took}")),
        ),
        WorkState::Failed => ("critical", "critical", "no answer".to_owned()),
        WorkState::Refused => ("warn", "warning", "over budget".to_owned()),
    };
    view! { <span class="badge" data-tone=tone role="status"><Icon name=icon/>{words}</span> }
}

/// Every look-up with its arguments and what was found, and what was said between them.
#[component]
pub(crate) fn LookUps(
    slug: String,
    inquiry: InquiryView,
    /// Each can be linked to, as `#look-up-3`.
    #[prop(default = false)]
    has_anchors: bool,
) -> impl IntoView {
    let rows = inquiry
        .happened
        .into_iter()
        .map(|one| match one {
            HappenedView::LookedUp {
                round,
                number,
                name,
                arguments,
                line,
                took_ms,
                failed,
                page,
            } => {
                let (icon, class, state) = if failed {
                    ("warning", "st-warning", "failed")
                } else {
                    ("check", "st-ok", "ok")
                };
                view! {
                    <li data-k="tool" data-st=state id=has_anchors.then(|| format!("look-up-{number}"))>
                        <span class="rn num">{round}</span>
                        <Icon name=icon class=class/>
                        <span class="call">
                            <a href=page_href(&slug, &page) title="Where this stands"><b>{name}</b></a>
                            " "
                            <span>{arguments}</span>
                        </span>
                        <span class="took num">{text::duration(took_ms)}</span>
                        <span class="res">{line}</span>
                    </li>
                }
                .into_any()
            }
            HappenedView::Said {
                round,
                text,
                is_remark,
            } => view! {
                <li data-k="text">
                    <span class="rn num">{round}</span>
                    <Icon name=if is_remark { "info" } else { "spark" } class="st-accent"/>
                    <p>{text}</p>
                </li>
            }
            .into_any(),
        })
        .collect_view();
    let is_working = !inquiry.state.is_over();
    view! {
        <ol class="tl">
            {rows}
            {is_working
                .then(|| {
                    view! {
                        <li data-k="tool" data-st="running">
                            <span class="rn"></span>
                            <Icon name="running" class="st-accent"/>
                            <span class="call"><span>"at work"</span></span>
                        </li>
                    }
                })}
        </ol>
    }
}

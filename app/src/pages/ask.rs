//! Questions about the project that a model answers by looking things up. Chats are kept until somebody deletes them, at most as
//! long as runs are.

mod along;
pub(crate) mod beside;
mod bill;
mod composer;
mod conversation;

use domain::Role;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

use self::along::Along;
use self::composer::Composer;
use self::conversation::Conversation;
use crate::api::inquiries::{ChatsView, ListedChat, read_chats};
use crate::context::{use_may, use_slug};
use crate::live::use_live;
use crate::ui::frame::TopBar;
use crate::ui::icon::Icon;
use crate::ui::links::page_href;
use crate::ui::load::{Load, SkeletonRows};
use crate::ui::time::Time;

/// The page of chats: `?chat=` is the one that is open, `?page=` the page that a new one is about.
#[component]
pub(crate) fn AskPage() -> impl IntoView {
    let slug = use_slug();
    let query = use_query_map();
    let chat = Memo::new(move |_| query.read().get("chat").unwrap_or_default());
    let page = Memo::new(move |_| query.read().get("page").unwrap_or_default());
    let live = use_live(slug.into(), Signal::stored(None));
    let resource = Resource::new(
        move || (slug.get(), chat.get(), live.incidents.get(), live.gaps.get()),
        |(slug, chat, ..)| read_chats(slug, chat),
    );
    view! {
        <Title text="Ask"/>
        <TopBar>
            <h1>"Ask"</h1>
        </TopBar>
        <main id="main" class="page page-ask" tabindex="-1">
            <Load
                resource
                what="The chats"
                skeleton={|| view! { <SkeletonRows rows=8/> }}
                children={move |view: ChatsView| {
                    view! { <Chats slug=slug.get_untracked() page=page.get_untracked() view/> }.into_any()
                }}
            />
        </main>
    }
    .into_any()
}

#[component]
fn Chats(slug: String, page: String, view: ChatsView) -> impl IntoView {
    let about = view.open.as_ref().map_or(page, |open| open.page.clone());
    let open_id = view.open.as_ref().map(|open| open.id.clone());
    let along = Along {
        chat: Signal::stored(open_id.clone().unwrap_or_default()),
        page: Signal::stored(about),
        beside: Signal::stored(String::new()),
    };
    let conversation = match view.open {
        Some(open) => view! { <Conversation slug=slug.clone() open along/> }.into_any(),
        None => view! {
            <p class="dim">"Ask what calls cost, which model serves them, what a deploy changed, how the month ends. The answer names the look-ups that its figures come from."</p>
        }
        .into_any(),
    };
    let no_model = (!view.has_model).then(|| {
        let href = page_href(&slug, "settings/providers");
        view! {
            <p class="notice">
                <span>
                    "No model is chosen for Ask: " <a class="link" href=href>"Settings, Model providers"</a>
                </span>
            </p>
        }
    });
    view! {
        <div class="inv">
            <section class="cell ask" aria-label="Conversation">
                {no_model}
                {conversation}
                <Composer slug=slug.clone() along label="Ask about this project"/>
            </section>
            <PastChats slug chats=view.chats open=open_id/>
        </div>
    }
}

/// The chats there are, to be opened or deleted.
#[component]
fn PastChats(slug: String, chats: Vec<ListedChat>, open: Option<String>) -> impl IntoView {
    let may = use_may(Role::Member);
    let page = page_href(&slug, "ask");
    let new = page.clone();
    let is_none = chats.is_empty();
    let rows = chats
        .into_iter()
        .map(|chat| {
            let is_open = open.as_ref() == Some(&chat.id);
            let href = format!("{page}?chat={}", chat.id);
            let action = format!("{page}/{}/delete", chat.id);
            let title = if chat.title.is_empty() { "Empty".to_owned() } else { chat.title };
            let label = format!("Delete “{title}”");
            let delete = may.get_untracked().then(|| {
                view! {
                    <form method="post" action=action>
                        <button class="btn icon sm" data-variant="quiet" type="submit" aria-label=label><Icon name="trash"/></button>
                    </form>
                }
            });
            view! {
                <li>
                    <a class="link" href=href aria-current=is_open.then_some("page")>{title}</a>
                    <Time at=chat.updated_at/>
                    {delete}
                </li>
            }
        })
        .collect_view();
    view! {
        <section class="cell" aria-labelledby="chats-title">
            <div class="head">
                <h2 id="chats-title">"Past chats"</h2>
                <div class="head-actions"><a class="btn" href=new><Icon name="plus"/>"New chat"</a></div>
            </div>
            {if is_none {
                view! { <p class="dim">"None yet."</p> }.into_any()
            } else {
                view! { <ul class="chats">{rows}</ul> }.into_any()
            }}
        </section>
    }
}

//! Settings: who did what.

use domain::audit::{ACTION_GROUPS, AuditRow};
use domain::filter::percent_encode;
use domain::{Role, Timestamp};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use super::{ForAdmins, SettingsPage};
use crate::api::audit::{AuditPage as Rows, read_audit};
use crate::context::{use_may, use_slug, use_viewer};
use crate::ui::icon::Icon;
use crate::ui::links::page_href;
use crate::ui::load::{Load, SkeletonRows};
use crate::ui::time::Time;

const DAY_MICROS: i64 = 86_400 * 1_000_000;

/// What the URL asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Asked {
    instance: bool,
    who: String,
    what: String,
    from: String,
    to: String,
    cursor: String,
}

impl Asked {
    /// The part of the URL after `?`, without the page.
    fn query(&self) -> String {
        let pairs = [
            ("scope", if self.instance { "server" } else { "" }),
            ("who", &self.who),
            ("what", &self.what),
            ("from", &self.from),
            ("to", &self.to),
        ];
        joined(pairs)
    }

    fn is_narrowed(&self) -> bool {
        let narrows = [&self.who, &self.what, &self.from, &self.to];
        narrows.iter().any(|text| !text.is_empty())
    }

    /// The same rows as a file.
    fn csv_href(&self, slug: &str) -> String {
        let time = |day: &str, days: i64| {
            let begin = Timestamp::parse_rfc3339(&format!("{day}T00:00:00Z"));
            begin.map_or_else(String::new, |begin| {
                begin.plus_micros(days * DAY_MICROS).to_string()
            })
        };
        let query = joined([
            ("format", "csv"),
            (
                if self.instance { "instance" } else { "project" },
                if self.instance { "true" } else { slug },
            ),
            ("who", &self.who),
            ("what", &self.what),
            ("from", &time(&self.from, 0)),
            // The last day is part of it.
            ("to", &time(&self.to, 1)),
        ]);
        format!("/api/audit?{query}")
    }
}

fn joined<const N: usize>(pairs: [(&str, &str); N]) -> String {
    let pairs = pairs.iter().filter(|(_, value)| !value.is_empty());
    let pairs: Vec<String> = pairs
        .map(|(name, value)| format!("{name}={}", percent_encode(value)))
        .collect();
    pairs.join("&")
}

/// The rows with a filter above; for admins of the project. Whoever answers for the server also sees the rest of it.
#[component]
pub(crate) fn AuditPage() -> impl IntoView {
    let slug = use_slug();
    let query = use_query_map();
    let may_see = use_may(Role::Admin);
    let asked = Memo::new(move |_| {
        let query = query.read();
        let get = |name: &str| query.get(name).unwrap_or_default().trim().to_owned();
        Asked {
            instance: get("scope") == "server",
            who: get("who"),
            what: get("what"),
            from: get("from"),
            to: get("to"),
            cursor: get("cursor"),
        }
    });
    let rows = Resource::new(
        move || (slug.get(), asked.get()),
        |(slug, asked)| {
            read_audit(
                slug,
                asked.instance,
                asked.who,
                asked.what,
                asked.from,
                asked.to,
                asked.cursor,
            )
        },
    );
    view! {
        <SettingsPage name="Audit">
            {move || {
                if may_see.get() {
                    view! {
                        <Filter asked=asked.get()/>
                        <Load resource=rows what="The audit log" skeleton=|| view! { <SkeletonRows rows=12/> } let:rows>
                            <Table rows asked=asked.get_untracked()/>
                        </Load>
                    }
                        .into_any()
                } else {
                    view! {
                        <ForAdmins
                            title="The audit log is for admins"
                            why="It says who changed what in this project. An admin of the project can read it."
                        />
                    }
                        .into_any()
                }
            }}
        </SettingsPage>
    }
    .into_any()
}

#[component]
fn Filter(asked: Asked) -> impl IntoView {
    let slug = use_slug();
    let viewer = use_viewer();
    let sees_everything = viewer.open || viewer.user.is_some_and(|user| user.is_instance_admin);
    let groups = ACTION_GROUPS
        .iter()
        .map(|(word, label)| view! { <option value=*word selected=asked.what == *word>{*label}</option> })
        .collect_view();
    // An action that a link names exactly.
    let is_action = !asked.what.is_empty() && ACTION_GROUPS.iter().all(|(word, _)| *word != asked.what);
    let exact = is_action.then(|| {
        view! { <option value=asked.what.clone() selected=true>{asked.what.clone()}</option> }
    });
    let instance = asked.instance;
    let scope = sees_everything.then(|| {
        view! {
            <div class="field">
                <label for="field-scope">"Of"</label>
                <select class="select" id="field-scope" name="scope">
                    <option value="" selected=!instance>"this project"</option>
                    <option value="server" selected=instance>"the whole server"</option>
                </select>
            </div>
        }
    });
    view! {
        <section class="cell">
            <form class="audit-filter" role="search" method="get" action=move || page_href(&slug.read(), "settings/audit")>
                {scope}
                <div class="field">
                    <label for="field-who">"Who"</label>
                    <input class="input" id="field-who" type="search" name="who" value=asked.who.clone() placeholder="e-mail, key, address"/>
                </div>
                <div class="field">
                    <label for="field-what">"What"</label>
                    <select class="select" id="field-what" name="what">
                        <option value="">"everything"</option>
                        {groups}
                        {exact}
                    </select>
                </div>
                <div class="field">
                    <label for="field-from">"From (UTC)"</label>
                    <input class="input" id="field-from" type="date" name="from" value=asked.from.clone()/>
                </div>
                <div class="field">
                    <label for="field-to">"To"</label>
                    <input class="input" id="field-to" type="date" name="to" value=asked.to.clone()/>
                </div>
                <button class="btn" type="submit">"Show"</button>
            </form>
        </section>
    }
}

#[component]
fn Table(rows: Rows, asked: Asked) -> impl IntoView {
    let slug = use_slug();
    let base = page_href(&slug.get_untracked(), "settings/audit");
    let query = asked.query();
    let next = rows.next.map(|cursor| {
        let href = format!("{base}?{query}&cursor={}", percent_encode(&cursor));
        let label = if rows.searched_in_part {
            "Search further back"
        } else {
            "Earlier"
        };
        view! { <a class="btn" href=href>{label}</a> }
    });
    if rows.rows.is_empty() {
        let (title, text) = if rows.searched_in_part {
            (
                "Nothing yet",
                "None of the 100,000 rows that were looked through fits. There are earlier ones.",
            )
        } else {
            ("Nothing was done", "No row of the audit log fits.")
        };
        let clear = asked
            .is_narrowed()
            .then(|| view! { <a class="btn" href=base.clone()>"Clear the filter"</a> });
        return view! {
            <section class="cell">
                <div class="state">
                    <Icon name="table"/>
                    <b>{title}</b>
                    <p>{text}</p>
                    <div class="row">{next}{clear}</div>
                </div>
            </section>
        }
        .into_any();
    }
    let first = (!asked.cursor.is_empty()).then(|| {
        view! { <a class="btn" href=format!("{base}?{query}")>"Newest"</a> }
    });
    let csv = asked.csv_href(&slug.get_untracked());
    let instance = asked.instance;
    let lines = rows
        .rows
        .into_iter()
        .map(|row| view! { <Row row instance/> })
        .collect_view();
    view! {
        <section class="cell flush">
            <div class="head">
                <h2 id="audit-rows">"What was done"</h2>
                <a class="btn sm push" href=csv download="plumbline-audit.csv" title="The newest 10,000 rows that fit">"CSV"</a>
            </div>
            <div class="scroll-x" tabindex="0" role="region" aria-labelledby="audit-rows">
                <table class="table bleed">
                    <caption class="vh">"Rows of the audit log, newest first"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"When"</th>
                            {instance.then(|| view! { <th scope="col">"Project"</th> })}
                            <th scope="col">"Who"</th>
                            <th scope="col">"What"</th>
                            <th scope="col">"To what"</th>
                            <th scope="col">"Details"</th>
                        </tr>
                    </thead>
                    <tbody>{lines}</tbody>
                </table>
            </div>
            <div class="row audit-pages">{first}{next}</div>
        </section>
    }
    .into_any()
}

#[component]
fn Row(row: AuditRow, instance: bool) -> impl IntoView {
    let details = detail_words(&row.details);
    let project = instance.then(|| view! { <td>{row.project.unwrap_or_else(|| "server".to_owned())}</td> });
    view! {
        <tr>
            <td class="num"><Time at=row.at/></td>
            {project}
            <td class="main">{row.actor}</td>
            <td class="mono">{row.action}</td>
            <td>{row.subject}</td>
            <td class="wrap audit-details">{details}</td>
        </tr>
    }
}

/// `role: admin, scopes: ingest read`; longer values are cut, the file and the API have all of them.
fn detail_words(details: &serde_json::Value) -> String {
    const MAX_CHARS: usize = 80;
    let Some(members) = details.as_object() else {
        return String::new();
    };
    let words: Vec<String> = members
        .iter()
        .map(|(name, value)| {
            let text = value_words(value);
            format!("{name}: {}", domain::text::first_line(&text, MAX_CHARS))
        })
        .collect();
    domain::text::first_line(&words.join(", "), 3 * MAX_CHARS)
}

fn value_words(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Array(items) => items.iter().map(value_words).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_says_what_is_shown() {
        let asked = Asked {
            who: "mara@acme.dev".to_owned(),
            what: "key".to_owned(),
            to: "2026-11-24".to_owned(),
            ..Asked::default()
        };
        assert_eq!(asked.query(), "who=mara%40acme.dev&what=key&to=2026-11-24");
        assert!(asked.is_narrowed() && !Asked::default().is_narrowed());
        let csv = asked.csv_href("acme");
        assert!(
            csv.starts_with("/api/audit?format=csv&project=acme&who="),
            "{csv}"
        );
        assert!(csv.ends_with("&to=2026-11-25T00%3A00%3A00Z"), "{csv}");
        let all = Asked {
            instance: true,
            ..Asked::default()
        };
        assert_eq!(all.csv_href("acme"), "/api/audit?format=csv&instance=true");
    }

    #[test]
    fn details_are_words() {
        let check = |details: serde_json::Value, expected: &str| assert_eq!(detail_words(&details), expected);
        check(serde_json::json!({}), "");
        check(
            serde_json::json!({ "role": "admin", "scopes": ["ingest", "read"], "n": 1 }),
            "n: 1, role: admin, scopes: ingest read",
        );
        let long = serde_json::json!({ "a": "x".repeat(1_000) });
        assert!(detail_words(&long).chars().count() < 100);
    }
}

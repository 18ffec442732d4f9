//! What the keys of each label may use, beside what they used.

use domain::NanoUsd;
use domain::key_limit::{Amounts, MostAmounts};
use leptos::prelude::*;

use crate::api::key_limits::{KeyLimitsView, LimitedKeyView, read_key_limits};
use crate::context::use_slug;
use crate::pages::ledger_sums::figure;
use crate::pages::settings::use_admin_lock;
use crate::ui::form::{Field, Submit};
use crate::ui::load::Load;

/// From this part of a limit on, in percent, it is about to be used up.
const NEAR_PERCENT: i128 = 80;

/// The limits, and a form for those of a label.
#[component]
pub(super) fn KeyLimitsSection() -> impl IntoView {
    let slug = use_slug();
    let view = Resource::new(move || slug.get(), read_key_limits);
    view! {
        <Load resource=view what="The limits of keys" let:view>
            <Limited limited=view.limited.clone()/>
            <SetLimits view/>
        </Load>
    }
}

#[component]
fn Limited(limited: Vec<LimitedKeyView>) -> impl IntoView {
    if limited.is_empty() {
        return ().into_any();
    }
    let rows = limited
        .iter()
        .flat_map(|key| {
            let of = |period: &'static str, most: &MostAmounts, used: &Amounts| {
                uses(most, used)
                    .into_iter()
                    .map(move |used| (period, used))
                    .collect::<Vec<_>>()
            };
            let all = [
                of("a minute", &key.limits.minute, &key.in_minute),
                of("a month", &key.limits.month, &key.in_month),
            ];
            let label = key.label.clone();
            all.into_iter()
                .flatten()
                .map(move |(period, used)| (label.clone(), period, used))
        })
        .map(|(label, period, used)| {
            view! {
                <tr>
                    <td class="main">{label}</td>
                    <td>{used.measure}" "{period}</td>
                    <td class="n num">{used.used}</td>
                    <td class="n num">{used.limit}</td>
                    <td><span class="badge" data-tone=used.tone>{format!("{} %", used.percent)}</span></td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <section class="cell flush">
            <div class="head">
                <h2 id="keys-limits">"Limits"</h2>
                <span class="sub">"what is above one is answered with 429; the current minute and month, UTC"</span>
            </div>
            <div class="scroll-x" tabindex="0" role="region" aria-labelledby="keys-limits">
                <table class="table bleed">
                    <caption class="vh">"Limits of keys and their use"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Label"</th>
                            <th scope="col">"Limit of"</th>
                            <th scope="col" class="n">"Used"</th>
                            <th scope="col" class="n">"Of"</th>
                            <th scope="col">"Part"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        </section>
    }
    .into_any()
}

/// How much of one limit is used.
#[derive(Debug, PartialEq, Eq)]
struct LimitUse {
    measure: &'static str,
    used: String,
    limit: String,
    percent: i128,
    tone: &'static str,
}

/// What is used of each limit there is.
fn uses(most: &MostAmounts, used: &Amounts) -> Vec<LimitUse> {
    let plain: fn(i64) -> String = figure;
    let dollars: fn(i64) -> String = |nano_usd| NanoUsd(nano_usd).to_short();
    let all = [
        ("requests", most.requests, used.requests, plain),
        ("tokens", most.tokens, used.tokens, plain),
        ("dollars", most.cost.map(|cost| cost.0), used.cost.0, dollars),
    ];
    all.into_iter()
        .filter_map(|(measure, limit, used, shown)| {
            let limit = limit?;
            let percent = i128::from(used) * 100 / i128::from(limit.max(1));
            let tone = match percent {
                100.. => "bad",
                NEAR_PERCENT.. => "warn",
                _ => "ok",
            };
            Some(LimitUse {
                measure,
                used: shown(used),
                limit: shown(limit),
                percent,
                tone,
            })
        })
        .collect()
}

#[component]
fn SetLimits(view: KeyLimitsView) -> impl IntoView {
    let slug = use_slug();
    let locked = use_admin_lock();
    let is_locked = move || !locked.read().is_empty();
    let labels = view
        .labels
        .into_iter()
        .map(|label| view! { <option value=label.clone()>{label.clone()}</option> })
        .collect_view();
    view! {
        <section class="cell" aria-labelledby="keys-limit">
            <div class="head">
                <h2 id="keys-limit">"Limit a key"</h2>
                <span class="sub">"keys of one label share their limits"</span>
            </div>
            <form class="form" method="post" action=move || format!("/p/{}/settings/keys/limits", slug.get())>
                <div class="field">
                    <label for="field-limit-label">"Keys with the label"</label>
                    <select class="select" id="field-limit-label" name="label" disabled=is_locked>
                        {labels}
                    </select>
                </div>
                <Field name="minute_requests" label="Requests a minute" locked/>
                <Field name="minute_tokens" label="Tokens a minute" locked/>
                <Field name="minute_usd" label="Dollars a minute" locked/>
                <Field name="month_requests" label="Requests a month" locked/>
                <Field name="month_tokens" label="Tokens a month" locked/>
                <Field
                    name="month_usd"
                    label="Dollars a month"
                    hint="What is left empty is not limited. Tokens and dollars count when a call has ended."
                    locked
                />
                <Submit label="Save the limits" variant="primary" locked/>
            </form>
        </section>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_of_each_limit() {
        let most = MostAmounts {
            requests: Some(60),
            tokens: None,
            cost: Some(NanoUsd(5_000_000_000)),
        };
        let used = Amounts {
            requests: 48,
            tokens: 7,
            cost: NanoUsd(6_000_000_000),
        };
        let uses = uses(&most, &used);
        let said: Vec<_> = uses
            .iter()
            .map(|used| (used.measure, used.percent, used.tone))
            .collect();
        assert_eq!(said, [("requests", 80, "warn"), ("dollars", 120, "bad")]);
    }
}

//! Settings: what a month may cost, for the project and by key, beside how the month that is running ends.

use domain::NanoUsd;
use engine::forecast::{KeyForecast, MonthEnd};
use leptos::prelude::*;

use super::{SettingsPage, use_admin_lock};
use crate::api::forecast::{ForecastView, read_forecast};
use crate::context::use_slug;
use crate::ui::form::{Field, Submit};
use crate::ui::load::Load;

/// Budgets and the forecast beside them.
#[component]
pub(crate) fn BudgetsPage() -> impl IntoView {
    let slug = use_slug();
    let view = Resource::new(move || slug.get(), read_forecast);
    view! {
        <SettingsPage name="Budgets">
            <Load resource=view what="The forecast" let:view>
                <Forecast view=view.clone()/>
                <SetBudget view/>
            </Load>
        </SettingsPage>
    }
    .into_any()
}

#[component]
fn Forecast(view: ForecastView) -> impl IntoView {
    let sentences = view
        .forecasts
        .first()
        .map(KeyForecast::sentences)
        .unwrap_or_default();
    let rows = view
        .forecasts
        .into_iter()
        .map(|forecast| view! { <Row forecast/> })
        .collect_view();
    view! {
        <section class="cell" aria-labelledby="budgets-month">
            <div class="head">
                <h2 id="budgets-month">"This month"</h2>
                <span class="sub">"UTC"</span>
            </div>
            <p class="form-note">{sentences.join(" ")}</p>
            <div class="scroll-x" tabindex="0" role="region" aria-label="Keys and budgets">
                <table class="table bleed">
                    <caption class="vh">"Spend of this month, how it ends, and budgets"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Key"</th>
                            <th class="n" scope="col">"Spent"</th>
                            <th class="n" scope="col">"Month end"</th>
                            <th class="n" scope="col">"Eight times in ten"</th>
                            <th class="n" scope="col">"Without the last deploy"</th>
                            <th class="n" scope="col">"Budget"</th>
                            <th scope="col">"Used up"</th>
                            <th scope="col"><span class="vh">"Actions"</span></th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        </section>
    }
}

#[component]
fn Row(forecast: KeyForecast) -> impl IntoView {
    let slug = use_slug();
    let locked = use_admin_lock();
    let end = |of: fn(&MonthEnd) -> String| forecast.end.as_ref().map_or_else(|| "–".to_owned(), of);
    let between = |end: &MonthEnd| {
        let month = &end.month_end;
        format!("{} to {}", month.low.to_short(), month.high.to_short())
    };
    let without = forecast.without.as_ref().map_or_else(
        || "–".to_owned(),
        |without| format!("{}, {}", without.month_end.expected.to_short(), without.deploy),
    );
    let name = forecast.key.clone().unwrap_or_else(|| "All keys".to_owned());
    let remove = forecast.budget.map(|_| {
        let label = forecast.key.clone().unwrap_or_default();
        view! {
            <form method="post" action=format!("/p/{}/settings/budgets/remove", slug.get_untracked())>
                <input type="hidden" name="label" value=label/>
                <Submit label="Remove" locked/>
            </form>
        }
    });
    view! {
        <tr>
            <td class="main">{name}</td>
            <td class="n num">{forecast.spent.to_short()}</td>
            <td class="n num">{end(|end| end.month_end.expected.to_short())}</td>
            <td class="n num">{end(between)}</td>
            <td class="n num">{without}</td>
            <td class="n num">{forecast.budget.map_or_else(|| "–".to_owned(), |budget| budget.monthly.to_short())}</td>
            <td>{used_up(&forecast)}</td>
            <td class="n">{remove}</td>
        </tr>
    }
}

/// When the budget is used up, in few words, with its tone.
fn used_up(forecast: &KeyForecast) -> Option<AnyView> {
    let budget = forecast.budget?;
    let date = |at| domain::text::day_range(at, at);
    let (tone, text) = if budget.is_used_up {
        ("bad", "used up".to_owned())
    } else {
        let exhaustion = budget.exhaustion?;
        match (exhaustion.expected, exhaustion.earliest) {
            (Some(on), _) => ("bad", format!("on {}", date(on))),
            (None, Some(earliest)) => ("warn", format!("perhaps on {}", date(earliest))),
            (None, None) => ("ok", "outlasts the month".to_owned()),
        }
    };
    Some(view! { <span class="badge" data-tone=tone>{text}</span> }.into_any())
}

#[component]
fn SetBudget(view: ForecastView) -> impl IntoView {
    let slug = use_slug();
    let locked = use_admin_lock();
    let is_locked = move || !locked.read().is_empty();
    let labels = view
        .labels
        .into_iter()
        .map(|label| view! { <option value=label.clone()>{label.clone()}</option> })
        .collect_view();
    let known = view.forecasts.first().and_then(|forecast| forecast.budget);
    view! {
        <section class="cell" aria-labelledby="budgets-set">
            <div class="head"><h2 id="budgets-set">"Set a budget"</h2></div>
            <form class="form" method="post" action=move || format!("/p/{}/settings/budgets", slug.get())>
                <div class="field">
                    <label for="field-budget-label">"For"</label>
                    <select class="input" id="field-budget-label" name="label" disabled=is_locked>
                        <option value="">"All keys of the project"</option>
                        {labels}
                    </select>
                </div>
                <Field
                    name="monthly"
                    label="Dollars a month"
                    value=known.map(|budget| NanoUsd::to_decimal(budget.monthly)).unwrap_or_default()
                    hint="Such as 250 or 99.50. Nothing is stopped when it is used up: the forecast says when that will be."
                    locked
                />
                <Submit label="Save" variant="primary" locked/>
            </form>
        </section>
    }
}

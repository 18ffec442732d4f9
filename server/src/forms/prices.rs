//! Prices of a project's own.

use axum::extract::{Path, State};
use axum::response::Redirect;
use domain::filter::percent_encode;
use domain::{NanoUsd, ProjectId, Role, Timestamp};
use engine::pricing::{CUSTOM, MAX_REGEX_ROWS, ModelMatch, PriceRow, PriceTable, Rates, TokenRates};
use storage::Db;
use storage::prices::NewOverride;

use super::{Failed, Fields, lead, on_conflict};
use crate::auth::Visitor;
use crate::clock;
use crate::error::HttpResult;
use crate::prices;
use crate::state::AppState;
use crate::step_builder::MAX_WORD_BYTES;

/// What the form of a price holds; it comes back with what was typed when something is wrong with it.
const TYPED: [&str; 11] = [
    "provider",
    "model_match",
    "model",
    "valid_from",
    "input",
    "output",
    "cache_read",
    "cache_write_5m",
    "cache_write_1h",
    "web_search_per_1k",
    "context_window",
];

/// `POST /p/{slug}/settings/prices`: saves a price of the project's own. Rates are dollars per million tokens. What the
/// form does not say is taken from the shipped price of the same model: fees, and what much input and other service
/// tiers cost.
pub(super) async fn save(
    State(state): State<AppState>,
    visitor: Visitor,
    Path(slug): Path<String>,
    fields: Fields,
) -> HttpResult<Redirect> {
    let project = visitor.project(&slug, Role::Admin)?;
    let page = format!("/p/{}/settings/prices", project.slug);
    let typed: Vec<String> = TYPED
        .iter()
        .map(|name| format!("{name}={}", percent_encode(fields.text(name))))
        .collect();
    let done = async {
        let now = clock::now();
        let typed = read_price(&fields, now).map_err(Failed::Field)?;
        if typed.model_match == ModelMatch::Regex {
            let own = storage::prices::own(&mut state.db.snapshot(project.id).await?, project.id).await?;
            let regexes = own
                .iter()
                .filter(|row| row.model_match == ModelMatch::Regex.as_str());
            if regexes.count() >= MAX_REGEX_ROWS {
                return Err(Failed::Field("regex_rows"));
            }
        }
        let shipped = shipped_for(&state.db, project.id, &typed).await?;
        let row = match &shipped {
            Some(shipped) => typed.completed_by(shipped),
            None => typed,
        };
        let new = stored(row).map_err(Failed::Field)?;
        let saved =
            storage::prices::save_override(&state.db, project.id, &new, &visitor.name_in_log(), now).await;
        on_conflict(saved, "prices_own_key", "exists")?;
        Ok(format!(
            "{page}?done=price_saved&priced={}",
            percent_encode(&new.model)
        ))
    };
    let done = done.await;
    lead(&format!("{page}?{}", typed.join("&")), done)
}

/// The shipped price that calls of a typed one's model would have without it; `None` for expressions, which name none.
async fn shipped_for(db: &Db, project: ProjectId, typed: &PriceRow) -> storage::Result<Option<PriceRow>> {
    if typed.model_match == ModelMatch::Regex {
        return Ok(None);
    }
    let rows = storage::prices::of_project(&mut db.snapshot(project).await?, project).await?;
    let shipped = rows
        .into_iter()
        .filter(|row| !row.project_own)
        .filter_map(prices::row_of);
    let provider = Some(typed.provider.as_str()).filter(|provider| !provider.eq_ignore_ascii_case(CUSTOM));
    let table = PriceTable::new(shipped.collect());
    Ok(table.find(provider, &typed.model, typed.valid_from).cloned())
}

fn stored(row: PriceRow) -> Result<NewOverride, &'static str> {
    Ok(NewOverride {
        provider: row.provider,
        model_match: row.model_match.as_str().to_owned(),
        model: row.model,
        valid_from: row.valid_from,
        rates: serde_json::to_value(&row.rates).map_err(|_never| "rate")?,
        context_window: row.context_window,
        source: row.source,
    })
}

/// The price in a form, or the word for what is wrong with it.
fn read_price(fields: &Fields, now: Timestamp) -> Result<PriceRow, &'static str> {
    let rate = |name: &str| match fields.text(name) {
        "" => Ok(None),
        text => NanoUsd::parse_decimal(text.trim_start_matches('$'))
            .map(|rate| Some(rate.0))
            .filter(|rate| rate.is_some_and(|rate| rate >= 0))
            .ok_or("rate"),
    };
    let word = |name: &str| match fields.text(name) {
        text if text.is_empty() || text.len() > MAX_WORD_BYTES => Err("model"),
        text => Ok(text.to_owned()),
    };
    let valid_from = match fields.text("valid_from") {
        "" => now.day(),
        day => Timestamp::parse_rfc3339(&format!("{day}T00:00:00Z")).ok_or("day")?,
    };
    let context_window = match fields.text("context_window") {
        "" => None,
        text => Some(
            text.parse::<i64>()
                .ok()
                .filter(|size| *size > 0)
                .ok_or("context_window")?,
        ),
    };
    let row = PriceRow {
        price_id: "new".to_owned(),
        project_own: true,
        provider: word("provider").unwrap_or_else(|_blank| CUSTOM.to_owned()),
        model_match: ModelMatch::parse(fields.text("model_match")).unwrap_or(ModelMatch::Exact),
        model: word("model")?,
        valid_from,
        rates: Rates {
            tokens: TokenRates {
                input: Some(rate("input")?.ok_or("rate")?),
                output: rate("output")?,
                cache_read: rate("cache_read")?,
                cache_write_5m: rate("cache_write_5m")?,
                cache_write_1h: rate("cache_write_1h")?,
                ..TokenRates::default()
            },
            web_search_per_1k: rate("web_search_per_1k")?,
            ..Rates::default()
        },
        context_window,
        source: "entered under Settings".to_owned(),
    };
    if row.problem().is_some() {
        return Err(if row.model_match == ModelMatch::Regex {
            "regex"
        } else {
            "rate"
        });
    }
    Ok(row)
}

/// `POST /p/{slug}/settings/prices/delete` {price_id}
pub(super) async fn delete(
    State(state): State<AppState>,
    visitor: Visitor,
    Path(slug): Path<String>,
    fields: Fields,
) -> HttpResult<Redirect> {
    let project = visitor.project(&slug, Role::Admin)?;
    let (price_id, actor) = (fields.text("price_id"), visitor.name_in_log());
    storage::prices::delete_override(&state.db, project.id, price_id, &actor, clock::now()).await?;
    Ok(Redirect::to(&format!(
        "/p/{}/settings/prices?done=price_deleted",
        project.slug
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_read_or_refused() {
        let check = |fields: &[(&str, &str)], expected: Result<(&str, i64), &str>| {
            let fields = Fields(
                fields
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                    .collect(),
            );
            let read = read_price(&fields, Timestamp::from_micros(0));
            let read = read.map(|new| (new.model, new.rates.tokens.input.unwrap_or_default()));
            let expected = expected.map(|(model, input)| (model.to_owned(), input));
            assert_eq!(read, expected, "{:?}", fields.0);
        };
        check(
            &[("model", "own-7b"), ("input", "0.15")],
            Ok(("own-7b", 150_000_000)),
        );
        check(
            &[("model", "own-7b"), ("input", "$3")],
            Ok(("own-7b", 3_000_000_000)),
        );
        check(&[("model", "own-7b"), ("input", "0")], Ok(("own-7b", 0)));
        check(&[("model", "own-7b")], Err("rate"));
        check(&[("model", "own-7b"), ("input", "-1")], Err("rate"));
        check(&[("model", "own-7b"), ("input", "3000000000")], Err("rate"));
        check(
            &[("model", "own-7b"), ("input", "100000")],
            Ok(("own-7b", 100_000_000_000_000)),
        );
        check(
            &[("model", "own-7b"), ("input", "1"), ("output", "x")],
            Err("rate"),
        );
        check(&[("model", ""), ("input", "1")], Err("model"));
        check(
            &[("model", "m"), ("input", "1"), ("valid_from", "2026-13-01")],
            Err("day"),
        );
        check(
            &[("model", "m"), ("input", "1"), ("context_window", "0")],
            Err("context_window"),
        );
        check(
            &[("model", "(("), ("model_match", "regex"), ("input", "1")],
            Err("regex"),
        );
        check(
            &[
                ("model", ".{0,500}.{0,500}.{0,500}y"),
                ("model_match", "regex"),
                ("input", "1"),
            ],
            Err("regex"),
        );
    }
}

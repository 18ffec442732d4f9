//! Everything scoring says about the corpus, as JSON: what two machines are compared by.

use engine::{Rules, score, score_every_layer};
use serde_json::{Value, json};

use crate::row::corpus;

/// One object for each row, with its name and its verdicts: as it stands, with every layer, without the extended
/// group, and the limits its history sets.
pub(crate) fn verdicts() -> String {
    let rows: Vec<Value> = corpus()
        .iter()
        .map(|row| {
            let core = Rules {
                extended: false,
                ..row.rules.clone()
            };
            row.evaluate(|facts, history| {
                json!({
                    "name": row.name,
                    "score": score(facts, history, &row.rules),
                    "every_layer": score_every_layer(facts, history, &row.rules),
                    "core": score(facts, history, &core),
                })
            })
        })
        .collect();
    Value::from(rows).to_string()
}

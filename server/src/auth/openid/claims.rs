//! What tokens say beyond the standard claims.

use std::collections::BTreeMap;

use openidconnect::AdditionalClaims;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Groups and group names of a person that are looked at.
const MAX_GROUPS: usize = 1_000;
/// What makes a token one that ends sessions.
const LOGOUT_EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// The claims that no standard names.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Claims(BTreeMap<String, Value>);

impl AdditionalClaims for Claims {}

impl Claims {
    /// The groups in `claim`: a list of names, or one name.
    pub(super) fn groups(&self, claim: &str) -> Vec<String> {
        match self.0.get(claim) {
            Some(Value::Array(items)) => {
                let names = items.iter().filter_map(Value::as_str);
                names.take(MAX_GROUPS).map(str::to_owned).collect()
            }
            Some(Value::String(name)) => vec![name.clone()],
            _ => Vec::new(),
        }
    }

    /// The provider's session.
    pub(super) fn sid(&self) -> Option<&str> {
        self.0.get("sid").and_then(Value::as_str)
    }

    /// Whether the token was made to end sessions.
    pub(super) fn is_logout(&self) -> bool {
        let event = self.0.get("events").and_then(|events| events.get(LOGOUT_EVENT));
        event.is_some_and(Value::is_object)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn groups_are_a_list_or_a_name() {
        let check = |said: Value, expected: &[&str]| {
            let claims: Claims = serde_json::from_value(json!({ "groups": said })).unwrap();
            assert_eq!(claims.groups("groups"), expected, "{said}");
        };
        check(json!(["ops", "shop", 7]), &["ops", "shop"]);
        check(json!("ops"), &["ops"]);
        check(json!({ "ops": true }), &[]);
        check(json!(null), &[]);
    }
}

//! What programs that read the description make of it: a function for each operation.

use std::collections::BTreeSet;

use serde_json::Value;
use server::router::openapi::OPENAPI;

#[test]
fn each_operation_has_a_name_of_its_own_and_says_who_may_call_it() {
    let document: Value = serde_json::from_str(&OPENAPI).unwrap();
    let schemes = document["components"]["securitySchemes"].as_object().unwrap();
    let mut names = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let mut is_own = |name: &Value| names.insert(name.as_str().unwrap().to_owned());
            let passed_on = server::proxy::ROUTES.iter().any(|route| route.path == path);
            assert!(passed_on || is_own(&operation["operationId"]), "{method} {path}");
            assert!(operation["summary"].is_string(), "{method} {path}");
            let ways = operation.get("security").unwrap_or(&document["security"]);
            for way in ways.as_array().unwrap() {
                let is_known = way
                    .as_object()
                    .unwrap()
                    .keys()
                    .all(|name| schemes.contains_key(name));
                assert!(is_known, "{method} {path}");
            }
        }
    }
}

//! `GET /api/openapi.json`: what programs can call. Handlers say it of themselves (`#[utoipa::path]`), and their types
//! of what they hold; only what they share stands here.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use axum::http::header;
use axum::response::IntoResponse;
use serde_json::Value;
use utoipa::openapi::path::{HttpMethod, OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{ObjectBuilder, OpenApi as Document, Required, ResponseBuilder, Type};
use utoipa::{Modify, OpenApi};

use crate::error::ErrorBody;
use crate::{ingest, proxy};

/// OpenAPI 3.1.
pub static OPENAPI: LazyLock<String> = LazyLock::new(|| {
    let mut document = Shared::openapi();
    document.merge(super::Documented::openapi());
    document.merge(ingest::Documented::openapi());
    document.merge(ingest::otlp::Documented::openapi());
    for route in proxy::ROUTES {
        document
            .paths
            .add_path_operation(route.path, vec![method(route.method)], proxied(route));
    }
    let mut document = serde_json::to_value(&document).unwrap_or_default();
    require_nullable(&mut document);
    document.to_string()
});

/// This document
#[utoipa::path(get, path = "/api/openapi.json", operation_id = "openapi", security(),
    responses((status = 200, description = "OpenAPI 3.1", body = Object)))]
pub(crate) async fn document() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI.as_str())
}

/// What no single route says: ways to say who one is, the shape of errors.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Plumbline",
        description = "Self-hosted observability for software that calls language models. Without accounts on loopback, \
            requests without a key act on project `default`.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    components(schemas(ErrorBody)),
    // Reads need any of these; other routes say what they need.
    security(("key" = []), ("session" = []), ()),
    modifiers(&SecuritySchemes),
)]
struct Shared;

struct SecuritySchemes;

impl Modify for SecuritySchemes {
    fn modify(&self, document: &mut Document) {
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("key", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
        let cookie = ApiKeyValue::new("plumbline_session");
        components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
        let header = ApiKeyValue::with_description(
            "X-Plumbline-Key",
            "A key with the scope `proxy`; beside the provider's own, which is passed on.",
        );
        let signature = ApiKeyValue::with_description(
            "X-Hub-Signature-256",
            "`sha256=` and the HMAC-SHA256 of the body with the secret of the project's connection, in hex.",
        );
        components.add_security_scheme(
            "githubSignature",
            SecurityScheme::ApiKey(ApiKey::Header(signature)),
        );
        components.add_security_scheme("proxyKey", SecurityScheme::ApiKey(ApiKey::Header(header)));
    }
}

/// What is to be known of a call that is passed on.
fn proxied(route: &proxy::Route) -> utoipa::openapi::path::Operation {
    let id = route.path.contains("{id}").then(|| -> Parameter {
        ParameterBuilder::new()
            .name("id")
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
            .build()
    });
    let none: [&str; 0] = [];
    OperationBuilder::new()
        .summary(Some(route.summary))
        .description(Some(
            "Passed on to the provider as it is, see docs/proxy.md. The provider's own documentation says what it \
             takes and answers; errors of Plumbline's come in the provider's shape.",
        ))
        .tag("proxy")
        .securities(Some([SecurityRequirement::new("proxyKey", none), SecurityRequirement::default()]))
        .parameters(id.map(|id| [id]))
        .response("default", ResponseBuilder::new().description("What the provider answers"))
        .build()
}

fn method(name: &str) -> HttpMethod {
    match name {
        "POST" => HttpMethod::Post,
        "DELETE" => HttpMethod::Delete,
        _ => HttpMethod::Get,
    }
}

/// Answers write what is unknown as null and leave nothing out, so each member of theirs that may be null is there.
/// utoipa takes such members for ones that may be absent, which is right for bodies that are sent to us.
fn require_nullable(document: &mut Value) {
    let sent = sent_schemas(document);
    let operations = document["paths"]
        .as_object_mut()
        .into_iter()
        .flat_map(serde_json::Map::values_mut);
    for operation in operations
        .filter_map(Value::as_object_mut)
        .flat_map(serde_json::Map::values_mut)
    {
        require_in(&mut operation["responses"]);
    }
    let schemas = document["components"]["schemas"]
        .as_object_mut()
        .into_iter()
        .flatten();
    for (_, schema) in schemas.filter(|(name, _)| !sent.contains(name.as_str())) {
        require_in(schema);
    }
}

fn require_in(value: &mut Value) {
    let nullable: Vec<Value> = value["properties"]
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(_, schema)| is_nullable(schema))
        .map(|(name, _)| name.as_str().into())
        .collect();
    match value {
        Value::Object(members) => {
            if !nullable.is_empty()
                && let Value::Array(required) =
                    members.entry("required").or_insert_with(|| Value::Array(vec![]))
            {
                required.extend(
                    nullable
                        .into_iter()
                        .filter(|name| !required.contains(name))
                        .collect::<Vec<_>>(),
                );
            }
            members.values_mut().for_each(require_in);
        }
        Value::Array(items) => items.iter_mut().for_each(require_in),
        _ => {}
    }
}

fn is_nullable(schema: &Value) -> bool {
    let null = Value::from("null");
    let is_null = |schema: &Value| schema["type"] == null;
    schema["type"]
        .as_array()
        .is_some_and(|types| types.contains(&null))
        || schema["oneOf"]
            .as_array()
            .is_some_and(|schemas| schemas.iter().any(is_null))
}

/// The names of the schemas that bodies of requests are made of.
fn sent_schemas(document: &Value) -> BTreeSet<String> {
    let operations = document["paths"]
        .as_object()
        .into_iter()
        .flat_map(serde_json::Map::values);
    let operations = operations
        .filter_map(Value::as_object)
        .flat_map(serde_json::Map::values);
    let mut queue: Vec<&Value> = operations.map(|operation| &operation["requestBody"]).collect();
    let mut names = BTreeSet::new();
    while let Some(value) = queue.pop() {
        match value {
            Value::Object(members) => queue.extend(members.values()),
            Value::Array(items) => queue.extend(items),
            Value::String(text) => {
                if let Some(name) = text.strip_prefix("#/components/schemas/")
                    && names.insert(name.to_owned())
                {
                    queue.push(&document["components"]["schemas"][name]);
                }
            }
            _ => {}
        }
    }
    names
}

//! What stands in the URL of a read: who asks, and the parameters.

use std::collections::BTreeMap;

use axum::extract::{FromRef, FromRequestParts, Path};
use axum::http::request::Parts;
use domain::{FilterError, RunFilter};
use serde::de::value::{Error, MapDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer, Visitor};
use serde::{Deserialize, Deserializer, forward_to_deserialize_any};
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use crate::auth::{Auth, Caller};
use crate::error::HttpError;
use crate::state::AppState;

/// What stands in the place of a route's `{name}`s, percent-decoded.
pub(crate) struct InPath<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for InPath<T> {
    type Rejection = HttpError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, HttpError> {
        Path::<T>::from_request_parts(parts, state)
            .await
            .map(|Path(value)| Self(value))
            .map_err(|_undecodable| HttpError::invalid("path", "The path of the URL can't be decoded"))
    }
}

/// The parameters of a URL's query, percent-decoded and trimmed. Blank ones count as absent, unknown ones are ignored;
/// an error names the parameter.
pub(crate) struct Params<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = HttpError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, HttpError> {
        let values = given(parts)
            .into_iter()
            .map(|(name, value)| (name, ParamValue(value)));
        serde_path_to_error::deserialize(MapDeserializer::new(values))
            .map(Self)
            .map_err(|error| {
                let name = error.path().to_string();
                let problem = error.into_inner().to_string();
                // serde says which one is missing in words alone.
                let missing = problem
                    .strip_prefix("missing field `")
                    .and_then(|rest| rest.strip_suffix('`'));
                match missing {
                    Some(name) => HttpError::invalid(name.to_owned(), format!("{name} is missing")),
                    None => HttpError::invalid(name.clone(), format!("{name} {problem}")),
                }
            })
    }
}

/// The parameters that are not blank, by name; of several with one name the last.
fn given(parts: &Parts) -> BTreeMap<String, String> {
    let query = parts.uri.query().unwrap_or_default();
    form_urlencoded::parse(query.as_bytes())
        .map(|(name, value)| (name.into_owned(), value.trim().to_owned()))
        .filter(|(_, value)| !value.is_empty())
        .collect()
}

/// A value for serde: always a text, so that types say for themselves what they cannot read.
struct ParamValue(String);

impl IntoDeserializer<'_, Error> for ParamValue {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for ParamValue {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_string(self.0)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_enum(self.0.into_deserializer())
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// An integer from 1 to `MAX`; `DEFAULT` where it is not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounded<const DEFAULT: u32, const MAX: u32>(pub(crate) u32);

impl<const DEFAULT: u32, const MAX: u32> Default for Bounded<DEFAULT, MAX> {
    fn default() -> Self {
        Self(DEFAULT)
    }
}

impl<'de, const DEFAULT: u32, const MAX: u32> Deserialize<'de> for Bounded<DEFAULT, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .ok()
            .filter(|number| (1..=MAX).contains(number))
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom(format!("must be an integer from 1 to {MAX}")))
    }
}

impl<const DEFAULT: u32, const MAX: u32> ToSchema for Bounded<DEFAULT, MAX> {}

impl<const DEFAULT: u32, const MAX: u32> PartialSchema for Bounded<DEFAULT, MAX> {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(1))
            .maximum(Some(MAX))
            .default(Some(DEFAULT.into()))
            .into()
    }
}

/// `true` or `false`; `false` where it is not given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flag(pub(crate) bool);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "true" => Ok(Self(true)),
            "false" => Ok(Self(false)),
            _ => Err(serde::de::Error::custom("must be true or false")),
        }
    }
}

/// Which project.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ProjectParam {
    /// Slug of the project, for signed-in people; a key knows its own.
    pub(crate) project: Option<String>,
}

/// Who may read through a router.
#[derive(Clone, Debug)]
pub(crate) enum Readers {
    /// A server's: whoever has a key with the scope `read`, or is signed in.
    Known(Auth),
    /// The command line's own: it has opened the database, and asks about one project.
    Operator(Caller),
}

impl FromRef<AppState> for Readers {
    fn from_ref(state: &AppState) -> Self {
        Self::Known(state.auth.clone())
    }
}

/// Whoever may read: a key with the scope `read`, or a signed-in member of the project.
pub(crate) struct Reader(pub(crate) Caller);

impl<S> FromRequestParts<S> for Reader
where
    Readers: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = HttpError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, HttpError> {
        let auth = match Readers::from_ref(state) {
            Readers::Operator(caller) => return Ok(Self(caller)),
            Readers::Known(auth) => auth,
        };
        let Params(ProjectParam { project }) = Params::from_request_parts(parts, state).await?;
        auth.reader(&parts.headers, project.as_deref()).await.map(Self)
    }
}

impl IntoParams for Reader {
    fn into_params(parameter_in: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        ProjectParam::into_params(parameter_in)
    }
}

/// What narrows a list of runs, read as the page's URL is. [`RunFilterParams`] says which parameters there are.
pub(crate) struct InQuery(pub(crate) RunFilter);

impl<S: Send + Sync> FromRequestParts<S> for InQuery {
    type Rejection = HttpError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, HttpError> {
        let given = given(parts);
        let mut pairs: Vec<(&str, &str)> = given
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        // `range` before `from` and `to`.
        pairs.sort_unstable_by_key(|(name, _)| (*name != "range", *name));
        Ok(Self(RunFilter::from_query(pairs)?))
    }
}

impl From<FilterError> for HttpError {
    fn from(error: FilterError) -> Self {
        Self::invalid(error.field.clone(), format!("{} {}", error.field, error.message))
    }
}

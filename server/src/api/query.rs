//! Parameters of a read.

use std::collections::HashMap;

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use domain::{FilterError, RunFilter, Timestamp};

use crate::error::HttpError;

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

/// The query of a URL, percent-decoded.
pub(crate) struct Params(HashMap<String, String>);

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = HttpError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, HttpError> {
        Self::of(parts)
    }
}

impl Params {
    /// The parameters of a request that is taken apart by hand.
    pub(crate) fn of(parts: &Parts) -> Result<Self, HttpError> {
        Query::try_from_uri(&parts.uri)
            .map(|Query(params)| Self(params))
            .map_err(|_undecodable| HttpError::invalid("query", "The query of the URL can't be decoded"))
    }

    /// The value of a parameter; blank counts as absent.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(|value| value.trim())
            .filter(|value| !value.is_empty())
    }

    /// `limit`, between 1 and `max`.
    pub(crate) fn limit(&self, default: u32, max: u32) -> Result<u32, HttpError> {
        let Some(text) = self.get("limit") else {
            return Ok(default);
        };
        text.parse()
            .ok()
            .filter(|limit| (1..=max).contains(limit))
            .ok_or_else(|| HttpError::invalid("limit", format!("limit must be an integer from 1 to {max}")))
    }

    /// A point in time.
    pub(crate) fn time(&self, name: &str) -> Result<Option<Timestamp>, HttpError> {
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        let message = || format!("{name} must be an RFC 3339 time such as 2026-11-21T09:00:00Z");
        Timestamp::parse_rfc3339(text)
            .map(Some)
            .ok_or_else(|| HttpError::invalid(name, message()))
    }

    /// The filter of a list.
    pub(crate) fn filter(&self) -> Result<RunFilter, HttpError> {
        let mut pairs: Vec<(&str, &str)> = self
            .0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        // `range` before `from` and `to`, whatever order the map has.
        pairs.sort_unstable_by_key(|(name, _)| (*name != "range", *name));
        RunFilter::from_query(pairs).map_err(HttpError::from)
    }
}

impl From<FilterError> for HttpError {
    fn from(error: FilterError) -> Self {
        Self::invalid(error.field.clone(), format!("{} {}", error.field, error.message))
    }
}

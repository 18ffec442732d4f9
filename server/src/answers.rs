//! Shapes of JSON that programs get from the API and models from their look-ups alike.

mod forecast;
mod run;

pub(crate) use forecast::{ForecastItem, MonthEndAnswer};
pub(crate) use run::{Run, Step};

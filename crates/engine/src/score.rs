//! What scoring a step comes to.

use domain::{Condition, Severity};
use serde::{Deserialize, Serialize};

use crate::shape::Shape;

/// The verdict on a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Score {
    /// Sum of the conditions' points.
    pub total: i32,
    /// How bad it is.
    pub severity: Severity,
    /// From how many points a step was critical when this one was scored.
    pub threshold: i32,
    /// The layer after which the threshold was reached and scoring stopped.
    pub stopped_at_layer: Option<u8>,
    /// The shape the instruction asks for; `None` when it asks for none.
    pub prompt_shape: Option<Shape>,
    /// `Empty` where there is no output.
    pub output_shape: Shape,
    /// What was found, in order of layer and code.
    pub conditions: Vec<Condition>,
}

/// The severity of a total: any hit of layer 1 is critical, whatever its points.
pub(crate) fn severity(total: i32, threshold: i32, has_hard_failure: bool) -> Severity {
    if has_hard_failure || total >= threshold {
        Severity::Critical
    } else if total > 0 {
        Severity::Warning
    } else {
        Severity::Ok
    }
}

//! By which a request is found again.

/// The id of a request: in its log lines, in the body of its errors, in the header `x-request-id`.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(pub(crate) String);

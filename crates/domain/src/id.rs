//! Ids that are not to be mixed up. Run and step ids are the client's own text and stay strings.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                text.parse().map(Self)
            }
        }
    };
}

uuid_id!(
    /// A tenant. Owns everything below it.
    ProjectId
);
uuid_id!(
    /// An API key of a project.
    KeyId
);
uuid_id!(
    /// A person who signs in.
    UserId
);

/// Longest run or step id that is accepted, in bytes. Ids are index keys, so they have to stay far below a page.
pub const MAX_CLIENT_ID_BYTES: usize = 256;

//! The key of stored secrets, as the environment or a file says it.

use std::fmt;
use std::str::FromStr;

use super::{ConfigError, invalid};

/// 256 bits, written as 64 hexadecimal digits. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretKey([u8; 32]);

impl SecretKey {
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl FromStr for SecretKey {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let mut bytes = [0; 32];
        // The text is a secret, also when it is none that can be used.
        hex::decode_to_slice(text.trim(), &mut bytes).map_err(|_no_hex| {
            let problem =
                "(PLUMBLINE_SECRET_KEY) must be 64 hexadecimal digits; `openssl rand -hex 32` makes one";
            invalid("secret_key", problem)
        })?;
        Ok(Self(bytes))
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(…)")
    }
}

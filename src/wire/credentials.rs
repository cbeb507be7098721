//! Who logs in, and what is never shown.

use std::fmt;

/// A password or token; shown by nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Who logs in and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    /// User name, may be empty.
    pub user: String,
    /// Password, where there is one.
    pub password: Option<Secret>,
    /// Log in with an OAuth2 token, asked for when it is needed.
    pub oauth2: bool,
    /// Mechanism the caller insists on, upper case.
    pub method: Option<String>,
}

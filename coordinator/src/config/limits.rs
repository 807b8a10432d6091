//! `[limits]`: how many requests there may be of whom, and `[valkey]`: where coordinators count them
//! together.

use std::fmt;
use std::path::PathBuf;

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;

use super::Bounded;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    pub user: Allowance,
    /// All users of an agency together.
    pub agency: Allowance,
    /// Of those who are not signed in.
    pub address: Allowance,
    /// Pieces of playbacks, of each user.
    pub media: Allowance,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            user: Allowance::new(100, 500),
            agency: Allowance::new(1000, 5000),
            address: Allowance::new(20, 200),
            media: Allowance::new(500, 2000),
        }
    }
}

/// `{ per_second = 100, burst = 500 }`
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allowance {
    pub per_second: Bounded<1, 1_000_000>,
    /// At once, after a time of fewer.
    pub burst: Bounded<1, 1_000_000>,
}

impl Allowance {
    /// `burst` at once, and `per_second` in the long run.
    pub const fn new(per_second: u64, burst: u64) -> Self {
        Self {
            per_second: Bounded::new(per_second),
            burst: Bounded::new(burst),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Valkey {
    pub url: ValkeyUrl,
    /// PEM of who vouches for the server's certificate; empty for the host's own list.
    pub authority: PathBuf,
    /// How long a connection or an answer may take.
    pub timeout_ms: Bounded<5, 5000>,
}

impl Default for Valkey {
    fn default() -> Self {
        Self {
            url: ValkeyUrl::default(),
            authority: PathBuf::new(),
            timeout_ms: Bounded::new(100),
        }
    }
}

/// Where the server is, or nowhere. Written and shown without its password.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ValkeyUrl(Option<(Url, SecretString)>);

impl ValkeyUrl {
    /// `None` where there is no server.
    pub fn secret(&self) -> Option<&SecretString> {
        self.0.as_ref().map(|(_, secret)| secret)
    }
}

impl TryFrom<String> for ValkeyUrl {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        if text.is_empty() {
            return Ok(Self(None));
        }
        // The text may hold a password, so the error does not repeat it.
        let bad = "not the address of a server, such as \"valkey://cache.example:6379\", or \
            \"valkeys://user:password@cache.example:6379/0\" for TLS";
        let mut url = Url::parse(&text).map_err(|_| bad)?;
        let known = matches!(url.scheme(), "valkey" | "valkeys" | "redis" | "rediss");
        if !known || url.host_str().is_none_or(str::is_empty) || url.fragment().is_some() {
            return Err(bad);
        }
        if url.password().is_some() {
            url.set_password(Some("***")).map_err(|()| bad)?;
        }
        Ok(Self(Some((url, text.into()))))
    }
}

impl From<ValkeyUrl> for String {
    fn from(url: ValkeyUrl) -> Self {
        url.to_string()
    }
}

impl fmt::Display for ValkeyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some((url, _)) => url.fmt(f),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for ValkeyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

impl PartialEq for ValkeyUrl {
    fn eq(&self, other: &Self) -> bool {
        let exposed = |url: &Self| url.secret().map(|secret| secret.expose_secret().to_owned());
        exposed(self) == exposed(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_used_and_not_shown() {
        let text = "valkeys://cctv:hunter2@cache.example:6379/1";
        let url: ValkeyUrl = text.to_owned().try_into().unwrap();
        assert_eq!(url.secret().unwrap().expose_secret(), text);
        assert_eq!(url.to_string(), "valkeys://cctv:***@cache.example:6379/1");
        assert!(!format!("{url:?}").contains("hunter2"));
        assert!(!serde_json::to_string(&url).unwrap().contains("hunter2"));
    }

    #[test]
    fn only_servers_are_taken_and_mistakes_not_repeated() {
        for good in [
            "valkey://cache",
            "redis://:pw@10.1.2.3:6379",
            "rediss://[::1]:1",
        ] {
            assert!(
                ValkeyUrl::try_from(good.to_owned())
                    .unwrap()
                    .secret()
                    .is_some()
            );
        }
        assert!(
            ValkeyUrl::try_from(String::new())
                .unwrap()
                .secret()
                .is_none()
        );
        for bad in [
            "hunter2",
            "http://u:hunter2@cache",
            "valkey://",
            "cache:6379",
            // Would switch the check of the certificate off.
            "rediss://u:hunter2@cache#insecure",
        ] {
            let error = ValkeyUrl::try_from(bad.to_owned()).unwrap_err();
            assert!(!error.contains("hunter2"));
        }
    }
}

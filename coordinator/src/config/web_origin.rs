//! Origins of pages in the settings.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use url::Url;

/// An origin as browsers write it (RFC 6454 section 6.2), such as `https://wall.example`: scheme,
/// host, and the port where it is not the scheme's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WebOrigin(String);

impl WebOrigin {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for WebOrigin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let origin = Url::parse(text)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https"))
            .map(|url| url.origin().ascii_serialization());
        // Anything but the browser's own way to write it would never be equal to what it sends.
        origin
            .filter(|origin| origin == text && !text.contains('*'))
            .map(Self)
            .ok_or_else(|| {
                format!("`{text}` is not an origin, such as \"https://wall.example\" or \"https://wall.example:8443\"; no path, no wildcard, lower case")
            })
    }
}

impl TryFrom<String> for WebOrigin {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<WebOrigin> for String {
    fn from(origin: WebOrigin) -> Self {
        origin.0
    }
}

impl fmt::Display for WebOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_browser_sends_is_an_origin() {
        for good in [
            "https://wall.example",
            "http://10.1.2.3:8080",
            "https://[2001:db8::1]:8443",
            "https://xn--mgbaam7a8h.example",
        ] {
            assert_eq!(good.parse::<WebOrigin>().unwrap().as_str(), good);
        }
        for bad in [
            "*",
            "null",
            "",
            "https://*.example",
            "https://wall.example/",
            "https://wall.example/page",
            "https://wall.example:443",
            "https://Wall.example",
            "https://user@wall.example",
            "wall.example",
            "file:///page",
            "ftp://wall.example",
        ] {
            assert!(bad.parse::<WebOrigin>().is_err(), "{bad}");
        }
    }
}

//! A place among our own pages.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use url::Url;

/// Path and query of one of our pages, such as `/cameras?site=1`. Never an address elsewhere, however
/// a browser reads it (open redirects).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LocalPath(String);

impl LocalPath {
    pub const MAX_LENGTH: usize = 512;

    pub fn root() -> Self {
        Self("/".to_owned())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a path within the pages is wanted, such as /cameras")]
pub struct LocalPathError;

impl FromStr for LocalPath {
    type Err = LocalPathError;

    fn from_str(text: &str) -> Result<Self, LocalPathError> {
        let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '\\' | '"' | '<' | '>' | '`');
        if text.len() > Self::MAX_LENGTH || !text.starts_with('/') || !text.chars().all(plain) {
            return Err(LocalPathError);
        }
        // As a browser reads it, from wherever it is.
        let here = Url::parse("https://here.invalid/there").map_err(|_| LocalPathError)?;
        let read = here.join(text).map_err(|_| LocalPathError)?;
        let same = read.origin() == here.origin() && !read.path().starts_with("//");
        // The API answers programs; signing in again and again would be a circle.
        let page = !read.path().starts_with("/api/");
        (same && page)
            .then(|| Self(text.to_owned()))
            .ok_or(LocalPathError)
    }
}

impl TryFrom<String> for LocalPath {
    type Error = LocalPathError;
    fn try_from(text: String) -> Result<Self, LocalPathError> {
        text.parse()
    }
}

impl From<LocalPath> for String {
    fn from(path: LocalPath) -> Self {
        path.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_our_own_pages_are_local() {
        for good in [
            "/",
            "/cameras",
            "/cameras/1?from=2&to=3#t",
            "/a/../b",
            "/%2f%2fevil.example",
        ] {
            assert_eq!(good.parse::<LocalPath>().unwrap().as_str(), good);
        }
        for bad in [
            "",
            "cameras",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/\t/evil.example",
            "/ /evil.example",
            "/\n//evil.example",
            "/..//evil.example",
            "/./ /evil.example",
            "https://evil.example",
            "https:evil.example",
            "javascript:alert(1)",
            "/\"><script>",
            "/api/v1/session/oidc/start",
            "/x/../api/v1/session",
            "/\u{202e}",
        ] {
            assert!(bad.parse::<LocalPath>().is_err(), "{bad:?}");
        }
        assert!(
            format!("/{}", "a".repeat(512))
                .parse::<LocalPath>()
                .is_err()
        );
    }

    proptest! {
        #[test]
        fn whatever_is_taken_stays_here(text in "[/\\\\.:@?#%a-c0-9\t ]{0,12}") {
            if let Ok(path) = text.parse::<LocalPath>() {
                let base = Url::parse("https://cctv.example/sign-in").unwrap();
                let read = base.join(path.as_str()).unwrap();
                prop_assert_eq!(read.host_str(), Some("cctv.example"));
                // Also where somebody puts it behind the origin.
                let joined = Url::parse(&format!("https://cctv.example{}", path.as_str())).unwrap();
                prop_assert_eq!(joined.host_str(), Some("cctv.example"));
            }
        }
    }
}

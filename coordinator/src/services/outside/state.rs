//! What a browser carries from the beginning of a sign-in at a provider to its end.
//!
//! The state, the nonce and the verifier of PKCE (RFC 7636) hang together by a key of ours: the
//! browser keeps the state and where it was going, and the other two are made of the state. So a
//! sign-in that is begun costs nothing here, and whoever sees the addresses, or puts a cookie of
//! their own into somebody's browser, cannot finish it.

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use ring::hmac;
use serde::{Deserialize, Serialize};
use shared::hash::Sha256;
use shared::time::WallTime;

use super::super::users::random_bytes;
use crate::domain::outside::LocalPath;

/// How long somebody may take to sign in at the provider.
pub(super) const PATIENCE: Duration = Duration::from_secs(10 * 60);
/// Longest cookie looked at.
const MAX_COOKIE: usize = 2048;

/// Keys states to us.
pub(super) struct StateKey(hmac::Key);

/// A sign-in that was begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Begun {
    state: String,
    /// Where the browser was going.
    next: LocalPath,
    /// Seconds.
    at: i64,
}

impl StateKey {
    pub(super) const LENGTH: usize = 32;

    pub(super) fn new(secret: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    pub(super) fn begin(&self, next: LocalPath, now: WallTime) -> Begun {
        Begun {
            state: BASE64URL_NOPAD.encode(&random_bytes::<24>()),
            next,
            at: now.as_micros().div_euclid(1_000_000),
        }
    }

    /// For the cookie.
    pub(super) fn seal(&self, begun: &Begun) -> String {
        let text = serde_json::to_vec(begun).unwrap_or_default();
        let tag = self.tag(b"cookie", &text);
        let text = BASE64URL_NOPAD.encode(&text);
        format!("{text}.{}", BASE64URL_NOPAD.encode(tag.as_ref()))
    }

    /// What the cookie says, if we made it, not too long ago, and for the state that came back.
    pub(super) fn open(&self, cookie: &str, state: &str, now: WallTime) -> Option<Begun> {
        if cookie.len() > MAX_COOKIE {
            return None;
        }
        let (text, tag) = cookie.split_once('.')?;
        let text = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
        let tag = BASE64URL_NOPAD.decode(tag.as_bytes()).ok()?;
        hmac::verify(&self.0, &labelled(b"cookie", &text), &tag).ok()?;
        let begun: Begun = serde_json::from_slice(&text).ok()?;
        let age = now.micros_since(WallTime::from_secs(begun.at));
        let timely = age >= -1_000_000 && age < PATIENCE.as_micros() as i64;
        // Both are in the browser's hands, and the cookie is sealed: nothing is guessed by time.
        (timely && begun.state == state).then_some(begun)
    }

    pub(super) fn nonce(&self, begun: &Begun) -> String {
        self.made_of(b"nonce", begun)
    }

    pub(super) fn verifier(&self, begun: &Begun) -> String {
        self.made_of(b"verifier", begun)
    }

    fn made_of(&self, purpose: &[u8], begun: &Begun) -> String {
        let tag = self.tag(purpose, begun.state.as_bytes());
        BASE64URL_NOPAD.encode(tag.as_ref())
    }

    fn tag(&self, purpose: &[u8], text: &[u8]) -> hmac::Tag {
        hmac::sign(&self.0, &labelled(purpose, text))
    }
}

fn labelled(purpose: &[u8], text: &[u8]) -> Vec<u8> {
    [purpose, b"\0", text].concat()
}

impl Begun {
    pub(super) fn state(&self) -> &str {
        &self.state
    }

    pub(super) fn next(self) -> LocalPath {
        self.next
    }

    /// Under which it is noted that it was used.
    pub(super) fn hash(&self) -> Sha256 {
        Sha256::of(self.state.as_bytes())
    }
}

impl std::fmt::Debug for StateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StateKey")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: WallTime = WallTime::from_secs(1_800_000_000);

    fn key(byte: u8) -> StateKey {
        StateKey::new(&[byte; StateKey::LENGTH])
    }

    fn begun() -> (StateKey, Begun, String) {
        let key = key(1);
        let begun = key.begin("/cameras?x=1".parse().unwrap(), NOW);
        let cookie = key.seal(&begun);
        (key, begun, cookie)
    }

    #[test]
    fn a_sign_in_is_finished_by_who_began_it_and_in_time() {
        let (key, begun, cookie) = begun();
        let stranger = self::key(2);
        let open = |state: &str, at| key.open(&cookie, state, at);
        assert_eq!(open(begun.state(), NOW), Some(begun.clone()));
        assert_eq!(
            open(begun.state(), NOW + PATIENCE - Duration::from_secs(1)),
            Some(begun.clone())
        );
        assert_eq!(open(begun.state(), NOW + PATIENCE), None);
        assert_eq!(open(begun.state(), NOW - Duration::from_secs(60)), None);
        assert_eq!(open("", NOW), None);
        let other = key.begin("/".parse().unwrap(), NOW);
        assert_eq!(open(other.state(), NOW), None, "somebody else's state");
        assert_eq!(stranger.open(&cookie, begun.state(), NOW), None);
        assert!(key.seal(&other).len() < MAX_COOKIE);
    }

    #[test]
    fn nonce_and_verifier_are_different_for_everybody() {
        let (key, begun, _) = begun();
        let other = key.begin("/".parse().unwrap(), NOW);
        let all = [
            key.nonce(&begun),
            key.verifier(&begun),
            key.nonce(&other),
            key.verifier(&other),
            begun.state.clone(),
            other.state.clone(),
        ];
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
        // RFC 7636, section 4.1.
        assert!((43..=128).contains(&key.verifier(&begun).len()));
    }

    proptest! {
        #[test]
        fn a_cookie_that_was_touched_is_none(place in 0_usize..120, byte: u8) {
            let (key, begun, cookie) = begun();
            let mut touched = cookie.clone().into_bytes();
            let place = place % touched.len();
            touched[place] = byte;
            let touched = String::from_utf8_lossy(&touched);
            prop_assert!(touched == cookie || key.open(&touched, begun.state(), NOW).is_none());
        }

        #[test]
        fn what_is_no_cookie_is_none(text: String) {
            prop_assert_eq!(key(1).open(&text, "", NOW), None);
        }
    }
}

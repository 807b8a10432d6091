//! Relays for viewers who cannot reach us directly: what the answer tells them (STUN and TURN servers),
//! with credentials that expire, by the scheme of coturn's `use-auth-secret`
//! (draft-uberti-behave-turn-rest-00).

use std::time::Duration;

use data_encoding::BASE64;
use ring::hmac;
use secrecy::{ExposeSecret as _, SecretString};
use shared::id::ViewerId;
use shared::time::WallTime;

/// The servers, and the secret that the relays share with us.
#[derive(Clone, Debug, Default)]
pub struct Relays {
    /// `stun:host:port`, `turn:host:port?transport=udp`, `turns:…`.
    pub urls: Vec<String>,
    pub secret: Option<SecretString>,
    pub lifetime: Duration,
}

impl Relays {
    /// `Link` headers of an answer (draft-ietf-wish-whep section 4.6). The credentials are made out to a
    /// viewer's number, not to a person, whom a relay need not know.
    pub fn links(&self, viewer: ViewerId, now: WallTime) -> Vec<String> {
        let credentials = self.secret.as_ref().map(|secret| {
            let until = (now + self.lifetime).as_micros() / 1_000_000;
            let username = format!("{until}:{viewer}");
            // What coturn computes; SHA-1 is sound inside HMAC.
            let key = secret.expose_secret().as_bytes();
            let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key);
            let credential = BASE64.encode(hmac::sign(&key, username.as_bytes()).as_ref());
            (username, credential)
        });
        let link = |url: &String| match &credentials {
            Some((username, credential)) if url.starts_with("turn") => format!(
                "<{url}>; rel=\"ice-server\"; username=\"{username}\"; credential=\"{credential}\"; \
                 credential-type=\"password\""
            ),
            _ => format!("<{url}>; rel=\"ice-server\""),
        };
        self.urls.iter().map(link).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_expire_and_are_what_coturn_expects() {
        let relays = Relays {
            urls: vec![
                "stun:relay.example:3478".into(),
                "turn:relay.example:3478?transport=udp".into(),
            ],
            secret: Some("north".to_owned().into()),
            lifetime: Duration::from_secs(3600),
        };
        let viewer = ViewerId::from_slice(&[0; 16]).unwrap();
        let links = relays.links(viewer, WallTime::from_secs(1_800_000_000));
        assert_eq!(links[0], "<stun:relay.example:3478>; rel=\"ice-server\"");
        // printf '1800003600:00000000-0000-0000-0000-000000000000' | openssl dgst -sha1 -hmac north -binary | base64
        assert_eq!(
            links[1],
            "<turn:relay.example:3478?transport=udp>; rel=\"ice-server\"; \
             username=\"1800003600:00000000-0000-0000-0000-000000000000\"; \
             credential=\"wTxi0rVmG6QT4pM1nazRJsr3Xkw=\"; credential-type=\"password\""
        );
    }
}

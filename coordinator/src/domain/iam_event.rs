//! Events that the authority's own identity management sends: whether they come from it, and whether
//! they may still count.

use std::time::Duration;

use data_encoding::HEXLOWER_PERMISSIVE;
use ring::hmac;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use shared::time::WallTime;

/// Longest id of an event, in bytes.
pub const MAX_ID: usize = 128;
/// Longest login or employee number, in bytes.
const MAX_NAME: usize = 256;
/// Shortest secret, in bytes: half of what the hash puts out is the least that RFC 2104 section 3
/// finds acceptable; we want all of it.
const MIN_SECRET: usize = 32;

/// With what events are checked.
#[derive(Clone)]
pub struct Webhook {
    keys: Vec<hmac::Key>,
    window: Duration,
}

/// Something that happened to a person over there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub id: String,
    pub kind: EventKind,
    pub at: WallTime,
    pub person: Person,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventKind {
    UserDisabled,
    GroupChanged,
    /// Of no meaning here.
    Other(String),
}

/// By what they are found here. At least one; both must mean the same person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    pub login: Option<String>,
    pub employee_number: Option<String>,
}

/// Why an event does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventRefusal {
    #[error("`X-IAM-Signature` is not that of the body under a secret we know")]
    Signature,
    #[error("the event cannot be read: {0}")]
    Malformed(String),
    #[error("`occurred_at` is {} s from our clock; at most {} s are allowed", off.as_secs(), window.as_secs())]
    Stale { off: Duration, window: Duration },
}

/// A secret that somebody could guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a secret of the webhook has fewer than {MIN_SECRET} characters, or there is none; `openssl rand -hex 32` makes a good one"
)]
pub struct WeakSecret;

/// The body. What else there is in it is not looked at: the sender is not ours.
#[derive(Deserialize)]
struct Body {
    event_id: String,
    event: String,
    occurred_at: String,
    login_id: Option<String>,
    employee_number: Option<String>,
}

impl Webhook {
    /// Any of the secrets will do, so that one can be replaced while the other still signs.
    ///
    /// # Errors
    /// One of them is too short, or there is none.
    pub fn new(secrets: &[SecretString], window: Duration) -> Result<Self, WeakSecret> {
        let weak = |secret: &SecretString| secret.expose_secret().len() < MIN_SECRET;
        if secrets.is_empty() || secrets.iter().any(weak) {
            return Err(WeakSecret);
        }
        let key = |secret: &SecretString| {
            hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes())
        };
        let keys = secrets.iter().map(key).collect();
        Ok(Self { keys, window })
    }

    /// The event in `body`. `signature` is HMAC-SHA-256 (RFC 2104) over the bytes of the body in
    /// hexadecimal digits, after `sha256=` or not.
    ///
    /// # Errors
    /// It does not come from where it should, cannot be read, or is too old or from the future.
    pub fn read(
        &self,
        signature: Option<&str>,
        body: &[u8],
        now: WallTime,
    ) -> Result<Event, EventRefusal> {
        if !self.is_signed(signature.unwrap_or_default(), body) {
            return Err(EventRefusal::Signature);
        }
        let event = read(body).map_err(EventRefusal::Malformed)?;
        let off = now
            .saturating_duration_since(event.at)
            .max(event.at.saturating_duration_since(now));
        if off > self.window {
            let window = self.window;
            return Err(EventRefusal::Stale { off, window });
        }
        Ok(event)
    }

    /// How long ids are remembered: one from the end of the future still counts a whole window after
    /// our clock has come there.
    pub fn memory(&self) -> Duration {
        self.window * 2
    }

    fn is_signed(&self, signature: &str, body: &[u8]) -> bool {
        let digits = signature.strip_prefix("sha256=").unwrap_or(signature);
        let Ok(tag) = HEXLOWER_PERMISSIVE.decode(digits.as_bytes()) else {
            return false;
        };
        // In constant time for each.
        self.keys
            .iter()
            .any(|key| hmac::verify(key, body, &tag).is_ok())
    }
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let secrets = self.keys.len();
        f.debug_struct("Webhook")
            .field("secrets", &secrets)
            .field("window", &self.window)
            .finish()
    }
}

fn read(body: &[u8]) -> Result<Event, String> {
    let body: Body = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    if body.event_id.is_empty() || body.event_id.len() > MAX_ID {
        return Err(format!("`event_id` must have 1 to {MAX_ID} bytes"));
    }
    let at = WallTime::from_rfc3339(&body.occurred_at)
        .map_err(|error| format!("`occurred_at`: {error}"))?;
    let names = [&body.login_id, &body.employee_number];
    if names.iter().all(|name| name.is_none()) {
        return Err("neither `login_id` nor `employee_number` says whom it is about".to_owned());
    }
    if names
        .into_iter()
        .flatten()
        .any(|name| name.len() > MAX_NAME)
    {
        return Err(format!("a name has more than {MAX_NAME} bytes"));
    }
    let kind = match body.event.as_str() {
        "USER_DISABLED" => EventKind::UserDisabled,
        "GROUP_CHANGED" => EventKind::GroupChanged,
        other => EventKind::Other(other.chars().take(64).collect()),
    };
    Ok(Event {
        id: body.event_id,
        kind,
        at,
        person: Person {
            login: body.login_id,
            employee_number: body.employee_number,
        },
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    const NOW: WallTime = WallTime::from_secs(1_800_000_000);
    const WINDOW: Duration = Duration::from_secs(300);
    const OLD: &str = "the secret of last year, 32 bytes";
    const NEW: &str = "the secret of this year, 32 bytes";

    fn webhook() -> Webhook {
        Webhook::new(&[OLD.into(), NEW.into()], WINDOW).unwrap()
    }

    fn body() -> Value {
        json!({
            "event_id": "e-1",
            "event": "USER_DISABLED",
            "occurred_at": NOW.to_rfc3339(),
            "login_id": "layla",
            "realm": "what else they say",
        })
    }

    fn sign(secret: &str, body: &[u8]) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        HEXLOWER_PERMISSIVE.encode(hmac::sign(&key, body).as_ref())
    }

    fn signed(body: &Value, now: WallTime) -> Result<Event, EventRefusal> {
        let body = body.to_string();
        let signature = sign(NEW, body.as_bytes());
        webhook().read(Some(&signature), body.as_bytes(), now)
    }

    #[test]
    fn what_either_secret_signed_counts_however_it_is_written() {
        let text = body().to_string();
        for secret in [OLD, NEW] {
            let digits = sign(secret, text.as_bytes());
            let written = [
                digits.clone(),
                digits.to_uppercase(),
                format!("sha256={digits}"),
            ];
            for signature in written {
                let event = webhook().read(Some(&signature), text.as_bytes(), NOW);
                let event = event.unwrap();
                assert_eq!(event.kind, EventKind::UserDisabled);
                assert_eq!(event.person.login.as_deref(), Some("layla"));
            }
        }
    }

    #[test]
    fn what_nobody_we_know_signed_does_not_count() {
        let text = body().to_string();
        let forged = sign("somebody else's secret, 32 bytes!", text.as_bytes());
        let other = sign(NEW, b"another body");
        let good = sign(NEW, text.as_bytes());
        for signature in [
            None,
            Some(""),
            Some("sha256="),
            Some("sha1=00"),
            Some("not digits"),
            Some(&good[1..]),
            Some(&good[..62]),
            Some(&format!("{good}00")),
            Some(&forged),
            Some(&other),
        ] {
            let refused = webhook().read(signature, text.as_bytes(), NOW);
            assert_eq!(refused, Err(EventRefusal::Signature), "{signature:?}");
        }
    }

    #[test]
    fn an_event_counts_near_its_time_only() {
        for near in [NOW - WINDOW, NOW, NOW + WINDOW] {
            assert!(signed(&body(), near).is_ok());
        }
        let second = Duration::from_secs(1);
        for far in [NOW - WINDOW - second, NOW + WINDOW + second] {
            let refused = signed(&body(), far);
            assert!(
                matches!(refused, Err(EventRefusal::Stale { .. })),
                "{refused:?}"
            );
        }
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let without = |field: &str| {
            let mut body = body();
            body.as_object_mut().unwrap().remove(field);
            body
        };
        let with = |field: &str, value: Value| {
            let mut body = body();
            body[field] = value;
            body
        };
        for (body, hint) in [
            (without("event_id"), "event_id"),
            (without("login_id"), "employee_number"),
            (without("occurred_at"), "occurred_at"),
            (with("occurred_at", json!("yesterday")), "occurred_at"),
            (with("event_id", json!("")), "1 to 128"),
            (with("event_id", json!("x".repeat(129))), "1 to 128"),
            (with("login_id", json!("x".repeat(257))), "256"),
            (with("login_id", json!(7)), "string"),
            (json!([]), "length 0"),
        ] {
            let Err(EventRefusal::Malformed(why)) = signed(&body, NOW) else {
                panic!("{body}")
            };
            assert!(why.contains(hint), "{why}");
        }
        let unknown = signed(&with("event", json!("USER_CREATED")), NOW).unwrap();
        assert_eq!(unknown.kind, EventKind::Other("USER_CREATED".to_owned()));
    }

    #[test]
    fn a_secret_that_can_be_guessed_is_none() {
        let secrets = |all: &[&str]| {
            all.iter()
                .map(|it| SecretString::from(*it))
                .collect::<Vec<_>>()
        };
        for weak in [&[][..], &["short"], &[NEW, "short"]] {
            assert!(Webhook::new(&secrets(weak), WINDOW).is_err());
        }
        let shown = format!("{:?}", webhook());
        assert!(
            shown.contains('2') && !shown.contains("secret of"),
            "{shown}"
        );
    }

    proptest! {
        #[test]
        fn whatever_comes_is_answered(signature in ".{0,80}", body in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert_eq!(
                webhook().read(Some(&signature), &body, NOW),
                Err(EventRefusal::Signature)
            );
            let good = sign(OLD, &body);
            let read = webhook().read(Some(&good), &body, NOW);
            prop_assert!(!matches!(read, Err(EventRefusal::Signature)));
        }
    }
}

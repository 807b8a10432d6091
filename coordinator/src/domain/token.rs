//! Tokens that stand for somebody without a browser: refresh tokens, which are exchanged for access
//! tokens, and API tokens of machines. Both are random; the store keeps their hashes.
//!
//! What an access token says and how it is signed is in `services::tokens`.

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use secrecy::{ExposeSecret as _, SecretString};
use shared::hash::Sha256;
use shared::id::SessionId;
use shared::time::WallTime;

use super::session::{SESSION_ABSOLUTE, SESSION_IDLE, Session};

/// How long an access token is good. A revocation does not wait for it, see
/// `services::revocation`.
pub const ACCESS_LIFE: Duration = Duration::from_secs(5 * 60);
/// How long the token before the newest is still taken for a repeated request.
///
/// The answer with the new token can be lost with the connection; without this, every such loss
/// would sign the client out as a thief. Within it the *same* successor is not told again (it is
/// known as a hash only): the repeater gets another, and the one that was lost is void. A thief
/// gains from it only if they present the stolen token in these seconds after its owner, and then
/// one of the two presents a void token next, which ends the family.
pub const GRACE: Duration = Duration::from_secs(10);

/// Refresh tokens that follow from one sign-in. At any time one is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshFamily {
    /// The session they keep alive, which ends with them.
    pub session: SessionId,
    pub created_at: WallTime,
    /// The one that is good.
    pub newest: Sha256,
    /// The one before it, and when it was exchanged.
    pub previous: Option<(Sha256, WallTime)>,
    pub refreshed_at: WallTime,
}

/// What presenting a token does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presented {
    /// The family as it goes on, with the successor as the newest.
    Rotate(RefreshFamily),
    /// A token that was exchanged before: two hold what one was given. The family ends.
    Theft,
    Expired,
}

impl RefreshFamily {
    pub const fn new(session: SessionId, token: Sha256, now: WallTime) -> Self {
        Self {
            session,
            created_at: now,
            newest: token,
            previous: None,
            refreshed_at: now,
        }
    }

    /// `token` belongs to this family (its text names the session, and is random beyond guessing);
    /// `successor` is the hash of the token that would follow.
    pub fn present(&self, token: Sha256, successor: Sha256, now: WallTime) -> Presented {
        if !self.is_live(now) {
            return Presented::Expired;
        }
        let rotated = |previous| {
            Presented::Rotate(Self {
                newest: successor,
                previous: Some(previous),
                refreshed_at: now.max(self.refreshed_at),
                ..self.clone()
            })
        };
        match self.previous {
            _ if token == self.newest => rotated((token, now)),
            // The grace is counted from the first exchange, so that repeating does not prolong it.
            Some((previous, at)) if token == previous && is_within(GRACE, at, now) => {
                rotated((previous, at))
            }
            _ => Presented::Theft,
        }
    }

    pub fn expires_at(&self) -> WallTime {
        (self.refreshed_at + SESSION_IDLE).min(self.created_at + SESSION_ABSOLUTE)
    }

    pub fn is_live(&self, now: WallTime) -> bool {
        now < self.expires_at()
    }
}

/// Whether `now` is less than `long` from `at`, on either side: a clock set back gives no longer
/// grace.
fn is_within(long: Duration, at: WallTime, now: WallTime) -> bool {
    Duration::from_micros(now.micros_since(at).unsigned_abs()) < long
}

/// The text of a refresh token: which session it belongs to, and 256 random bits.
pub fn refresh_text(session: SessionId, random: &[u8; 32]) -> SecretString {
    let session = BASE64URL_NOPAD.encode(session.as_bytes());
    format!("cctvr_{session}{}", BASE64URL_NOPAD.encode(random)).into()
}

/// The session that a presented refresh token names and the token's hash. `None` for anything else.
pub fn read_refresh(presented: &str) -> Option<(SessionId, Sha256)> {
    let body = presented.strip_prefix("cctvr_")?;
    let (session, random) = body.split_at_checked(22)?;
    let session = BASE64URL_NOPAD.decode(session.as_bytes()).ok()?;
    let random = BASE64URL_NOPAD.decode(random.as_bytes()).ok()?;
    (random.len() == 32).then_some(())?;
    let session = SessionId::from_slice(&session)?;
    Some((session, Sha256::of(presented.as_bytes())))
}

/// Tells API tokens from everything else, for us and for scanners that look for secrets in sources.
pub const API_PREFIX: &str = "cctv_";
/// API tokens of one person.
pub const MAX_API_TOKENS: u32 = 50;
/// An API token ends some day.
pub const MAX_API_TOKEN_LIFE: Duration = Duration::from_secs(2 * 366 * 24 * 3600);

const API_RANDOM: usize = 32;
/// Of the checksum that tells a mistyped token from one that was revoked, without a look at the
/// store.
const API_CHECK: usize = 4;

/// A machine's token, as its owner sees it. What it may do is what its owner may do and its scopes
/// allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiToken {
    /// What its owner calls it.
    pub name: String,
    /// The session it stands for, which ends with it.
    pub session: Session,
}

/// The text of an API token.
pub fn api_text(random: &[u8; API_RANDOM]) -> SecretString {
    let mut bytes = random.to_vec();
    bytes.extend_from_slice(&check(random));
    format!("{API_PREFIX}{}", BASE64URL_NOPAD.encode(&bytes)).into()
}

/// The hash of a presented API token; `None` for what cannot be one.
pub fn read_api(presented: &str) -> Option<Sha256> {
    let body = presented.strip_prefix(API_PREFIX)?;
    if body.len() > 64 {
        return None;
    }
    let bytes = BASE64URL_NOPAD.decode(body.as_bytes()).ok()?;
    let (random, found) = bytes.split_at_checked(API_RANDOM)?;
    (found == check(random)).then(|| Sha256::of(presented.as_bytes()))
}

/// Hash of what is presented, for those kept as hashes.
pub fn hash_of(text: &SecretString) -> Sha256 {
    Sha256::of(text.expose_secret().as_bytes())
}

fn check(random: &[u8]) -> [u8; API_CHECK] {
    let hash = Sha256::of(random);
    let bytes = hash.as_bytes();
    [bytes[0], bytes[1], bytes[2], bytes[3]]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: WallTime = WallTime::from_secs(1_800_000_000);

    fn hash(number: usize) -> Sha256 {
        Sha256::of(&number.to_be_bytes())
    }

    fn family() -> RefreshFamily {
        RefreshFamily::new(SessionId::new(NOW), hash(0), NOW)
    }

    fn rotated(presented: Presented) -> RefreshFamily {
        match presented {
            Presented::Rotate(family) => family,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_token_is_exchanged_once_and_again_only_at_once() {
        let start = family();
        let family = rotated(start.present(hash(0), hash(1), NOW));
        assert_eq!(family.newest, hash(1));
        // The answer was lost: the old one again, and the lost one is void.
        let later = NOW + GRACE / 2;
        let repeated = rotated(family.present(hash(0), hash(2), later));
        assert_eq!(repeated.present(hash(1), hash(3), later), Presented::Theft);
        assert_eq!(
            rotated(repeated.present(hash(2), hash(3), later)).newest,
            hash(3)
        );
        // Repeating does not prolong it.
        let end = NOW + GRACE;
        assert_eq!(repeated.present(hash(0), hash(3), end), Presented::Theft);
        assert_eq!(family.present(hash(0), hash(2), end), Presented::Theft);
        // Nor does a clock that was set back.
        let back = NOW - Duration::from_secs(3600);
        assert_eq!(family.present(hash(0), hash(2), back), Presented::Theft);
        let idle = NOW + SESSION_IDLE;
        assert_eq!(family.present(hash(1), hash(2), idle), Presented::Expired);
    }

    #[test]
    fn texts_are_read_back_and_nothing_else_is() {
        let id = SessionId::new(NOW);
        let text = refresh_text(id, &[9; 32]);
        let text = text.expose_secret();
        assert_eq!(
            read_refresh(text).unwrap(),
            (id, Sha256::of(text.as_bytes()))
        );
        let api = api_text(&[3; API_RANDOM]);
        let api = api.expose_secret();
        assert_eq!(read_api(api), Some(Sha256::of(api.as_bytes())));
        let mut mistyped = api.to_owned();
        mistyped.replace_range(9..10, if &api[9..10] == "A" { "B" } else { "A" });
        assert_eq!(read_api(&mistyped), None);
        for neither in [
            "",
            "cctv_",
            "cctvr_",
            &api[..20],
            &text[..30],
            &format!("{api}A"),
            &"cctv_A".repeat(1 << 18),
        ] {
            assert_eq!((read_api(neither), read_refresh(neither)), (None, None));
        }
    }

    /// What happens to the tokens of a family.
    #[derive(Clone, Debug)]
    enum Step {
        /// The newest token is presented, and its answer arrives or not.
        Owner {
            arrives: bool,
        },
        /// Any token ever given out, by whoever has it.
        Anybody(prop::sample::Index),
        Wait(u64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            4 => any::<bool>().prop_map(|arrives| Step::Owner { arrives }),
            2 => any::<prop::sample::Index>().prop_map(Step::Anybody),
            3 => (0_u64..40).prop_map(Step::Wait),
        ];
        prop::collection::vec(step, 1..80)
    }

    proptest! {
        /// At any time at most one token is good besides the one before it in its grace; a family
        /// whose void token was presented is over; it never outlives its absolute end.
        #[test]
        fn two_cannot_both_go_on(steps in steps()) {
            let mut family = family();
            let mut given = vec![hash(0)];
            let mut now = NOW;
            // What the owner holds.
            let mut held = hash(0);
            for step in steps {
                let (token, arrives) = match step {
                    Step::Wait(seconds) => {
                        now = now + Duration::from_secs(seconds);
                        continue;
                    }
                    Step::Owner { arrives } => (held, arrives),
                    Step::Anybody(index) => (*index.get(&given), false),
                };
                let successor = hash(given.len());
                let good = given.iter().filter(|token| {
                    matches!(family.present(**token, successor, now), Presented::Rotate(_))
                });
                prop_assert!((1..=2).contains(&good.count()));
                match family.present(token, successor, now) {
                    Presented::Rotate(next) => {
                        let in_grace = |(previous, at): (Sha256, WallTime)| {
                            previous == token && now.saturating_duration_since(at) < GRACE
                        };
                        let repeated = family.previous.is_some_and(in_grace);
                        prop_assert!(token == family.newest || repeated);
                        prop_assert_eq!(next.newest, successor);
                        prop_assert_eq!(next.created_at, family.created_at);
                        given.push(successor);
                        family = next;
                        if arrives {
                            held = successor;
                        }
                    }
                    Presented::Theft => {
                        prop_assert!(token != family.newest);
                        return Ok(());
                    }
                    Presented::Expired => prop_assert!(false, "it lives for hours"),
                }
            }
            let end = NOW + SESSION_ABSOLUTE;
            prop_assert_eq!(family.present(family.newest, hash(1000), end), Presented::Expired);
        }

        #[test]
        fn whatever_is_presented_is_answered(text in prop_oneof![any::<String>(), "cctvr?_[A-Za-z0-9_-]{0,80}", "cctvr_\\PC{0,30}"]) {
            let _ = (read_api(&text), read_refresh(&text));
        }
    }
}

//! Which key signs access tokens, and when the next one comes.
//!
//! A key is published before it signs, so that whoever keeps a copy of the list knows it by then,
//! and stays published until the last token it signed has ended: nobody is signed out by a
//! rotation. Refresh tokens and sessions do not depend on keys at all.

use std::time::Duration;

use secrecy::SecretSlice;
use shared::time::WallTime;

use super::token::ACCESS_LIFE;

/// How long a key signs.
pub const KEY_LIFE: Duration = Duration::from_secs(90 * 24 * 3600);
/// How long a key is published before it signs.
pub const PUBLISHED_BEFORE: Duration = Duration::from_secs(24 * 3600);
/// The same when somebody asks for a rotation; longer than anybody is told to keep the list.
pub const PUBLISHED_BEFORE_ASKED: Duration = Duration::from_secs(10 * 60);
/// How long the list of keys may be kept by who reads it.
pub const LIST_FRESH: Duration = Duration::from_secs(5 * 60);
/// How long a key stays published after its successor began, beyond the life of a token.
const MARGIN: Duration = Duration::from_secs(3600);

/// What is decided by; the key itself rests in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyDates {
    /// Names the key in tokens.
    pub kid: String,
    pub signs_from: WallTime,
}

/// A key as it rests in the store.
#[derive(Clone, Debug)]
pub struct StoredKey {
    pub dates: KeyDates,
    /// `RSAPrivateKey` (PKCS #1) in DER.
    pub private: SecretSlice<u8>,
}

/// What is to be done about the keys, now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyPlan {
    /// Make a key that signs from then on.
    pub make: Option<WallTime>,
    /// No token of these is good any more.
    pub remove: Vec<String>,
}

/// The key that signs. Before all of them, which only a clock that was set back can mean, the first.
pub fn signing(keys: &[KeyDates], now: WallTime) -> Option<&KeyDates> {
    let begun = keys.iter().filter(|key| key.signs_from <= now);
    begun
        .max_by_key(|key| key.signs_from)
        .or_else(|| keys.iter().min_by_key(|key| key.signs_from))
}

/// What time alone asks for.
pub fn plan(keys: &[KeyDates], now: WallTime) -> KeyPlan {
    let Some(newest) = keys.iter().map(|key| key.signs_from).max() else {
        return KeyPlan {
            make: Some(now),
            remove: Vec::new(),
        };
    };
    let due = newest + KEY_LIFE;
    let make = (now + PUBLISHED_BEFORE >= due).then(|| due.max(now + PUBLISHED_BEFORE));
    KeyPlan {
        make,
        remove: ended(keys, now),
    }
}

/// A rotation that somebody asks for: the next key signs as soon as everybody can know it.
pub fn rotation(keys: &[KeyDates], now: WallTime) -> KeyPlan {
    let make = if keys.is_empty() {
        now
    } else {
        now + PUBLISHED_BEFORE_ASKED
    };
    KeyPlan {
        make: Some(make),
        remove: ended(keys, now),
    }
}

/// A key was stolen: the next one signs at once, and what any other signed is void. Clients refresh.
pub fn replacement(keys: &[KeyDates], now: WallTime) -> KeyPlan {
    KeyPlan {
        make: Some(now),
        remove: keys.iter().map(|key| key.kid.clone()).collect(),
    }
}

fn ended(keys: &[KeyDates], now: WallTime) -> Vec<String> {
    let ended = |key: &&KeyDates| {
        // Its successor is the key that begins next after it.
        let later = keys
            .iter()
            .filter(|other| other.signs_from > key.signs_from);
        let successor = later.map(|other| other.signs_from).min();
        successor.is_some_and(|begun| begun + ACCESS_LIFE + MARGIN <= now)
    };
    keys.iter()
        .filter(ended)
        .map(|key| key.kid.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: WallTime = WallTime::from_secs(1_800_000_000);
    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn carry_out(keys: &mut Vec<KeyDates>, plan: KeyPlan, made: &mut u32) {
        keys.retain(|key| !plan.remove.contains(&key.kid));
        keys.extend(plan.make.map(|signs_from| {
            *made += 1;
            KeyDates {
                kid: made.to_string(),
                signs_from,
            }
        }));
    }

    #[test]
    fn a_key_signs_for_three_months() {
        let (mut keys, mut made) = (Vec::new(), 0);
        let mut signed_by = Vec::new();
        for day in 0..365 {
            let now = NOW + DAY * day;
            let due = plan(&keys, now);
            carry_out(&mut keys, due, &mut made);
            signed_by.push(signing(&keys, now).unwrap().kid.clone());
            assert!(keys.len() <= 2, "{keys:?}");
        }
        signed_by.dedup();
        assert_eq!(signed_by, ["1", "2", "3", "4", "5"]);
        let stolen = replacement(&keys, NOW + DAY * 365);
        assert_eq!(stolen.remove.len(), keys.len());
        carry_out(&mut keys, stolen, &mut made);
        assert_eq!(keys.len(), 1);
    }

    proptest! {
        /// Over days of any length and rotations at any time: whatever signs was published for ten
        /// minutes, whatever has signed stays published until its tokens have ended, the list stays
        /// short, and time alone asks for no more once its plan is carried out.
        #[test]
        fn nobody_is_signed_out(
            steps in prop::collection::vec((0_u64..200_000, prop::bool::weighted(0.1)), 1..200),
        ) {
            let mut now = NOW;
            let (mut keys, mut made) = (Vec::new(), 0);
            let first = plan(&keys, now);
            carry_out(&mut keys, first, &mut made);
            let mut published = std::collections::HashMap::from([("1".to_owned(), now - DAY)]);
            let mut signed: Vec<(String, WallTime)> = Vec::new();
            for (seconds, asked) in steps {
                now = now + Duration::from_secs(seconds);
                let due = plan(&keys, now);
                carry_out(&mut keys, due, &mut made);
                if asked {
                    let rotation = rotation(&keys, now);
                    carry_out(&mut keys, rotation, &mut made);
                }
                prop_assert_eq!(plan(&keys, now), KeyPlan::default());
                for key in &keys {
                    published.entry(key.kid.clone()).or_insert(now);
                }
                let signing = signing(&keys, now).unwrap();
                let known = now.saturating_duration_since(published[&signing.kid]);
                prop_assert!(known >= PUBLISHED_BEFORE_ASKED || signing.signs_from > now);
                signed.push((signing.kid.clone(), now));
                for (kid, at) in &signed {
                    let ended = now.saturating_duration_since(*at) > ACCESS_LIFE;
                    prop_assert!(ended || keys.iter().any(|key| key.kid == *kid));
                }
            }
        }
    }
}

//! A prepared playback, and the signatures that let a player fetch its bytes.

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use ring::hmac;
use shared::id::{CameraId, PlaybackId, SegmentId, SessionId, UserId};
use shared::segment::StreamKind;
use shared::time::{TimeRange, WallTime};

/// How long the address of a segment works by itself.
pub const LINK_VALIDITY: Duration = Duration::from_secs(5 * 60);
/// How long a playback lives without a request.
pub const PLAYBACK_IDLE: Duration = Duration::from_secs(2 * 3600);
/// The longest stretch one playlist covers.
pub const MAX_RANGE: Duration = Duration::from_secs(24 * 3600);

/// What a playback shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show {
    Range(TimeRange),
    /// The recording as it grows.
    Live,
}

/// A playback and who prepared it. Nobody else may use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Playback {
    pub id: PlaybackId,
    pub owner: UserId,
    /// Ends with this session.
    pub session: SessionId,
    pub camera: CameraId,
    pub stream: StreamKind,
    pub show: Show,
    pub created_at: WallTime,
    pub last_used: WallTime,
}

impl Playback {
    pub fn expires_at(&self) -> WallTime {
        self.last_used + PLAYBACK_IDLE
    }

    pub fn is_live(&self, now: WallTime) -> bool {
        now < self.expires_at()
    }
}

/// The key that signs addresses of segments. Kept in the database, so that any coordinator can
/// check what another has signed.
#[derive(Clone)]
pub struct SigningKey(hmac::Key);

impl SigningKey {
    pub const LENGTH: usize = 32;

    pub fn new(secret: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// What the address of a segment carries.
    pub fn sign(&self, playback: PlaybackId, segment: SegmentId, expires: i64) -> String {
        let tag = hmac::sign(&self.0, &signed(playback, segment, expires));
        BASE64URL_NOPAD.encode(tag.as_ref())
    }

    /// In constant time.
    pub fn verifies(
        &self,
        playback: PlaybackId,
        segment: SegmentId,
        expires: i64,
        signature: &str,
    ) -> bool {
        BASE64URL_NOPAD
            .decode(signature.as_bytes())
            .is_ok_and(|tag| {
                hmac::verify(&self.0, &signed(playback, segment, expires), &tag).is_ok()
            })
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey")
    }
}

fn signed(playback: PlaybackId, segment: SegmentId, expires: i64) -> Vec<u8> {
    let mut data = b"cctv-playback-1\0".to_vec();
    data.extend_from_slice(playback.as_bytes());
    data.extend_from_slice(segment.as_bytes());
    data.extend_from_slice(&expires.to_be_bytes());
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_good_for_nothing_else() {
        let now = WallTime::from_secs(1_700_000_000);
        let (playback, segment) = (PlaybackId::new(now), SegmentId::new(now));
        let key = SigningKey::new(&[7; SigningKey::LENGTH]);
        let signature = key.sign(playback, segment, 100);
        assert!(key.verifies(playback, segment, 100, &signature));
        assert!(!key.verifies(playback, segment, 101, &signature));
        assert!(!key.verifies(PlaybackId::new(now), segment, 100, &signature));
        assert!(!key.verifies(playback, SegmentId::new(now), 100, &signature));
        let other = SigningKey::new(&[8; SigningKey::LENGTH]);
        assert!(!other.verifies(playback, segment, 100, &signature));
        for forged in ["", "AAAA", "!", &signature[1..], &format!("{signature}A")] {
            assert!(!key.verifies(playback, segment, 100, forged), "{forged}");
        }
    }
}

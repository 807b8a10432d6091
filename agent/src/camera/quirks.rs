//! What is odd about a camera and was learned from it. Kept while the agent runs, per camera, so
//! that the same surprise does not cost footage twice.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use shared::id::CameraId;

/// One oddity, and what is done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Quirk {
    /// Keeps sending the packets of a session that is gone (old live555, some Reolink): sessions
    /// are ended with TEARDOWN and waited out before a new one begins.
    StaleSession,
    /// Its sound breaks the session when it is asked for: video is pulled alone.
    BrokenSound,
    /// Never answers keep-alives: they are not waited for; pictures say whether it lives.
    SilentKeepAlive,
    /// Answers keep-alives with another request's number: answers are not looked at.
    MisnumberedKeepAlive,
}

impl Quirk {
    /// For log and health page.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::StaleSession => "keeps sending the packets of sessions that have ended",
            Self::BrokenSound => {
                "breaks the session when its sound is asked for; pulled without sound"
            }
            Self::SilentKeepAlive => "does not answer keep-alives",
            Self::MisnumberedKeepAlive => "answers keep-alives with a wrong sequence number",
        }
    }
}

/// The oddities of one camera, ordered and each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quirks(Vec<Quirk>);

impl Quirks {
    pub fn has(&self, quirk: Quirk) -> bool {
        self.0.contains(&quirk)
    }

    /// Whether it was news.
    pub fn learn(&mut self, quirk: Quirk) -> bool {
        match self.0.binary_search(&quirk) {
            Ok(_) => false,
            Err(place) => {
                self.0.insert(place, quirk);
                true
            }
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = Quirk> {
        self.0.iter().copied()
    }
}

/// The oddities of all cameras of the agent.
#[derive(Debug, Default)]
pub struct QuirkBook {
    cameras: Mutex<HashMap<CameraId, Quirks>>,
}

impl QuirkBook {
    pub fn of(&self, camera: CameraId) -> Quirks {
        self.lock().get(&camera).cloned().unwrap_or_default()
    }

    /// Whether it was news.
    pub fn learn(&self, camera: CameraId, quirk: Quirk) -> bool {
        self.lock().entry(camera).or_default().learn(quirk)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<CameraId, Quirks>> {
        self.cameras.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use shared::time::WallTime;

    use super::*;

    #[test]
    fn a_quirk_is_learned_once_per_camera() {
        let book = QuirkBook::default();
        let (one, other) = (CameraId::new(WallTime::MIN), CameraId::new(WallTime::MIN));
        assert!(book.learn(one, Quirk::StaleSession));
        assert!(!book.learn(one, Quirk::StaleSession));
        assert!(book.learn(one, Quirk::BrokenSound));
        assert!(book.of(one).has(Quirk::StaleSession));
        assert!(!book.of(other).has(Quirk::StaleSession));
        assert_eq!(book.of(one).iter().count(), 2);
    }
}

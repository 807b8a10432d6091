//! The family of tables behind people for whom an issuer outside vouches.

use async_trait::async_trait;
use shared::hash::Sha256;
use shared::id::UserId;
use shared::time::WallTime;

use super::Result;
use crate::domain::audit::Entry;
use crate::domain::directory::Change;
use crate::domain::outside::Identity;
use crate::domain::user::Session;

/// Identities outside, and whom they belong to.
#[async_trait]
pub trait OutsidePeople {
    /// Whom an identity belongs to, with the session that tokens of its issuer stand for if there is
    /// one, and the revision of the directory.
    async fn outside(&self, identity: Identity) -> Result<Option<(OutsideLink, StandingSession)>>;
    async fn identities_of(&self, user: UserId) -> Result<Vec<(Identity, WallTime)>>;
    /// Somebody comes in: the change that was decided on the directory of revision `seen`, the link
    /// of an identity that had none, and the session. A session that is standing is prolonged
    /// instead, with no entry. `false` when the directory or the link has changed since.
    async fn admit(&self, admission: Admission) -> Result<bool>;
    /// Links an identity to a person, as decided on the directory of revision `seen`.
    async fn link_identity(
        &self,
        seen: u64,
        identity: Identity,
        user: UserId,
        now: WallTime,
        audit: Entry,
    ) -> Result<Linked>;
    /// Takes all identities of a person away and ends all their sessions; `None` when the directory
    /// has changed since, otherwise how many there were.
    async fn unlink_identities(&self, seen: u64, user: UserId, audit: Entry)
    -> Result<Option<u64>>;
    /// Uses up the state of a sign-in; `false` when it was used before. Forgets those from before
    /// `forget`.
    async fn use_state(&self, state: Sha256, now: WallTime, forget: WallTime) -> Result<bool>;
}

/// A session and the revision of the directory, or none.
pub type StandingSession = Option<(Session, u64)>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutsideLink {
    pub user: UserId,
    /// When the issuer said what was last taken over from it.
    pub told_at: WallTime,
    /// Tokens that were issued before are worth nothing.
    pub not_before: WallTime,
}

#[derive(Clone, Debug)]
pub struct Admission {
    pub seen: u64,
    pub identity: Identity,
    pub user: UserId,
    /// When the issuer said so, by its clock.
    pub told_at: WallTime,
    pub change: Option<Change>,
    pub session: Session,
    /// About the change, if there is one.
    pub changed: Option<Entry>,
    /// About the session, if it is begun.
    pub signed_in: Entry,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Linked {
    Yes,
    /// To this person or another.
    Already,
    /// The directory has changed since.
    Stale,
}

//! Whether somebody may go on with what takes long: a download, an open WebSocket, a stream.
//!
//! What somebody may do changes through many doors, also in another process over the same database.
//! The database counts these changes; [`Access::follow`] asks for the count, and whatever is open
//! looks again when it has grown. So it ends within [`LOOK`] and the time of a look, through
//! whichever door the change came.

use std::pin::Pin;
use std::time::Duration;

use futures::stream::{self, Stream, StreamExt as _};
use shared::id::CameraId;
use tokio::sync::watch;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, interval_at, sleep};

use super::{Access, AccessError, Actor};
use crate::domain::access::{Decision, Deed};
use crate::stores::StoreError;

/// How often the database is asked whether anything has changed.
const LOOK: Duration = Duration::from_millis(500);

/// The first look of each, for what changed while it was being opened. What is over by then, such
/// as a piece of a playback, costs no look at all.
const FIRST: Duration = Duration::from_secs(1);

/// A look without any change: sessions also end by themselves.
const ANYWAY: Duration = Duration::from_secs(60);

/// How long something goes on while the database cannot say whether it may.
const DOUBT: Duration = Duration::from_secs(10);

/// What somebody has open, and what they need for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ground {
    /// Their session, which does not count as used by it.
    Session,
    /// Footage of a camera.
    Camera(CameraId, Deed),
    /// Something that was made out for exactly what they might do when it began.
    Unchanged,
}

/// What has become of it.
#[derive(Clone, Debug)]
pub enum News {
    /// Who it is or what they may do is different; they may go on.
    Changed(Box<Actor>),
    Ended(Ended),
}

/// Why somebody may not go on.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Ended {
    #[error("the session has ended")]
    Session,
    #[error("it is no longer allowed")]
    Forbidden,
    /// The database did not answer for so long that nobody can vouch for it.
    #[error("it can no longer be checked: {0}")]
    Unknown(StoreError),
    /// The coordinator ends.
    #[error("the coordinator is stopping")]
    Stopping,
}

/// Watches over one thing that somebody has open.
#[derive(Debug)]
pub struct Standing {
    access: Access,
    actor: Actor,
    ground: Ground,
    changes: watch::Receiver<u64>,
    looks: Interval,
    /// A change was noticed and not yet looked at.
    due: bool,
    doubt_since: Option<Instant>,
}

impl Access {
    /// Asks for changes until dropped, and tells whatever stands open.
    pub(in crate::services) async fn follow(&self) {
        let mut ticks = interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut seen = None;
        loop {
            ticks.tick().await;
            match self.store.access_revision().await {
                Ok(revision) if seen == Some(revision) => continue,
                Ok(revision) => seen = Some(revision),
                Err(error) => tracing::warn!(%error, "revocations could not be looked for"),
            }
            self.changes.send_modify(|changes| *changes += 1);
        }
    }

    /// Watches over something that the actor has just been allowed to open.
    pub fn standing(&self, actor: &Actor, ground: Ground) -> Standing {
        let mut looks = interval_at(Instant::now() + FIRST, ANYWAY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Standing {
            access: self.clone(),
            actor: actor.clone(),
            ground,
            changes: self.changes.subscribe(),
            looks,
            due: false,
            doubt_since: None,
        }
    }
}

impl Standing {
    /// The next thing there is to know. Nothing is lost if it is dropped before it is ready.
    pub async fn news(&mut self) -> News {
        loop {
            if !self.due {
                tokio::select! {
                    changed = self.changes.changed() => if changed.is_err() {
                        return News::Ended(Ended::Stopping);
                    },
                    _ = self.looks.tick() => {}
                }
                self.due = true;
            }
            let found = self.look().await;
            if let Err(AccessError::Store(error)) = found {
                let since = *self.doubt_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= DOUBT {
                    return News::Ended(Ended::Unknown(error));
                }
                sleep(LOOK).await;
                continue;
            }
            self.due = false;
            self.doubt_since = None;
            match found {
                Ok(actor) if actor.is_as(&self.actor) => {}
                Ok(actor) => {
                    self.actor = actor.clone();
                    return News::Changed(Box::new(actor));
                }
                Err(AccessError::Unauthenticated) => return News::Ended(Ended::Session),
                Err(_) => return News::Ended(Ended::Forbidden),
            }
        }
    }

    /// Ready when it is over.
    pub async fn ended(mut self) -> Ended {
        loop {
            if let News::Ended(ended) = self.news().await {
                return ended;
            }
        }
    }

    /// The stream as long as this stands; then an error, so that nobody takes it for whole.
    pub fn guard<T, E>(
        self,
        stream: impl Stream<Item = Result<T, E>> + Send + Unpin + 'static,
    ) -> impl Stream<Item = Result<T, E>> + Send
    where
        T: Send + 'static,
        E: From<Ended> + Send + 'static,
    {
        let over: Pin<Box<dyn Future<Output = Ended> + Send>> = Box::pin(self.ended());
        stream::unfold(Some((stream, over)), async |open| {
            let (mut stream, mut over) = open?;
            tokio::select! {
                biased;
                ended = &mut over => Some((Err(ended.into()), None)),
                item = stream.next() => item.map(|item| (item, Some((stream, over)))),
            }
        })
        // The server may ask once more after the end.
        .fuse()
    }

    async fn look(&self) -> Result<Actor, AccessError> {
        let (access, ground) = (&self.access, self.ground);
        let actor = access
            .recheck(&self.actor, ground != Ground::Session)
            .await?;
        match ground {
            Ground::Session => {}
            Ground::Camera(id, deed) => {
                let camera = access.store.camera(id).await?.ok_or(AccessError::Hidden)?;
                if actor.decide(deed, camera.object()) != Decision::Allowed {
                    return Err(AccessError::Forbidden);
                }
            }
            Ground::Unchanged => {
                if !actor.is_as(&self.actor) {
                    return Err(AccessError::Forbidden);
                }
            }
        }
        Ok(actor)
    }
}

//! Who somebody is, and the grants that let them do something.
//!
//! Grants have no public constructor: the only way to one is through here, past
//! `domain::access::decide`.

mod actor;
mod grants;
mod machines;
mod outside;
mod people;
mod sign_in;
mod standing;

use actor::Known;
pub use actor::{Actor, Door, SessionToken};
use grants::By;
pub use grants::{AdminGrant, CameraGrant, PlaybackGrant};
pub use machines::{ApiTokenError, NewApiToken};
pub use outside::{OutsideSignInError, Refused};
use people::People;
pub use sign_in::{IssueError, Issued, SignIn, SignedIn};
pub use standing::{Ended, Ground, News, Standing};

use std::sync::Arc;

use serde_json::json;
use shared::clock::Clock;
use shared::id::{CameraId, PlaybackId, UserId};
use tokio::sync::watch;

use super::Parts;
use super::audit::notes::Notes;
use super::credentials::Credentials;
use super::outside::Outside;
use super::tokens::{TokenError, Tokens};
use crate::domain::access::{Decision, Deed, Object, Rule};
use crate::domain::audit::refusals::{Asker, Kind};
use crate::domain::audit::{Entry, Origin, What, Who};
use crate::domain::lockout::{FORGOTTEN, network};
use crate::domain::playback::{PLAYBACK_IDLE, Playback};
use crate::domain::second_factor::PATIENCE;
use crate::domain::token::{API_PREFIX, read_api};
use crate::domain::user::{SESSION_ABSOLUTE, SESSION_IDLE, Session, SessionKind, Status};
use crate::stores::{Store, StoreError};

/// Sign-in, sessions and grants.
#[derive(Clone, Debug)]
pub struct Access {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    credentials: Arc<Credentials>,
    tokens: Arc<Tokens>,
    outside: Arc<Outside>,
    people: Arc<People>,
    notes: Arc<Notes>,
    /// Counts how often somebody may have come to do something else than before.
    changes: Arc<watch::Sender<u64>>,
}

#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// No session, or one that has ended.
    #[error("nobody is signed in")]
    Unauthenticated,
    /// Answer as if the thing did not exist.
    #[error("there is no such thing for this actor")]
    Hidden,
    #[error("the actor may not do this")]
    Forbidden,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What is wrong with what was presented as a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadToken {
    /// Nothing that we give out looks so.
    Malformed,
    /// Not given out by us, changed on its way, or revoked.
    Unknown,
}

impl BadToken {
    const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Unknown => "unknown",
        }
    }
}

impl Access {
    pub(super) fn new(
        parts: &Parts,
        credentials: Arc<Credentials>,
        tokens: Arc<Tokens>,
        outside: Arc<Outside>,
    ) -> Self {
        Self {
            store: Arc::clone(&parts.store),
            clock: Arc::clone(&parts.clock),
            credentials,
            tokens,
            outside,
            people: Arc::default(),
            notes: Arc::clone(&parts.notes),
            changes: Arc::new(watch::Sender::new(0)),
        }
    }

    /// The person behind a token, who asks from `origin`.
    ///
    /// # Errors
    /// [`AccessError::Unauthenticated`] when the session is unknown or over, or its user disabled.
    pub async fn actor(&self, token: &SessionToken, origin: Origin) -> Result<Actor, AccessError> {
        let found = self.store.session_by_token(token.hash()).await?;
        let found = found.filter(|(session, _)| session.kind == SessionKind::Browser);
        self.check_session(found, origin).await
    }

    /// The person or machine behind a bearer token: an access token or an API token.
    ///
    /// # Errors
    /// [`AccessError::Unauthenticated`] when it is none, or what it stands for has ended.
    pub async fn bearer(&self, text: &str, origin: Origin) -> Result<Actor, AccessError> {
        if text.starts_with(API_PREFIX) {
            let Some(hash) = read_api(text) else {
                return Err(self.refuse_token(&origin, BadToken::Malformed));
            };
            let found = self.store.session_by_token(hash).await?;
            let is_machine =
                |session: &Session| matches!(session.kind, SessionKind::Machine { .. });
            let found = found.filter(|(session, _)| is_machine(session));
            if found.is_none() {
                return Err(self.refuse_token(&origin, BadToken::Unknown));
            }
            return self.check_session(found, origin).await;
        }
        if let Some(found) = self.outside_bearer(text, &origin).await {
            return found;
        }
        let claims = match self.tokens.check(text).await {
            Ok(claims) => claims,
            Err(TokenError::Store(error)) => return Err(error.into()),
            // What every program meets every few minutes.
            Err(TokenError::Ended) => return Err(AccessError::Unauthenticated),
            Err(error) => {
                tracing::debug!(%error, "a token was refused");
                return Err(self.refuse_token(&origin, BadToken::Unknown));
            }
        };
        let found = self.store.session(claims.sid).await?;
        let found = found.filter(|(session, _)| {
            session.kind == SessionKind::Client && session.user == claims.sub
        });
        let mut actor = self.check_session(found, origin).await?;
        actor.expires_at = actor.expires_at.min(claims.ends_at());
        Ok(actor)
    }

    /// Notes that something was presented as a token that is none of ours.
    pub fn refuse_token(&self, origin: &Origin, wrong: BadToken) -> AccessError {
        let asker = origin.address().map(network);
        let kind = Kind {
            what: What::TokenRefused,
            asker: Some(asker.map_or(Asker::Nobody, Asker::Address)),
            asked: wrong.name().to_owned(),
        };
        let entry = Entry::new(self.clock.wall(), Who::System, kind.what);
        let entry = entry.with(json!({ "wrong": wrong.name() }));
        self.notes.refused(kind, entry.from_origin(origin.clone()));
        AccessError::Unauthenticated
    }

    /// Whether whoever came in may still be here, and whether that counts as using the session.
    async fn recheck(&self, actor: &Actor, uses: bool) -> Result<Actor, AccessError> {
        let found = self.store.session(actor.session()).await?;
        let origin = actor.origin.clone();
        if uses {
            return self.check_session(found, origin).await;
        }
        self.live_session(found, origin).await.map(|(_, it)| it)
    }

    /// Ends the actor's session and everything that hangs on it.
    ///
    /// # Errors
    /// The store failed.
    pub async fn sign_out(&self, actor: &Actor) -> Result<(), AccessError> {
        let now = self.clock.wall();
        let entry = actor.entry(now, What::SignedOut).on(actor.session());
        Ok(self.store.end_session(actor.session(), entry).await?)
    }

    /// Permission to do `deed` to a camera.
    ///
    /// # Errors
    /// Hidden when the actor may not know of it, forbidden when the deed is not allowed.
    pub async fn camera(
        &self,
        actor: &Actor,
        id: CameraId,
        deed: Deed,
    ) -> Result<CameraGrant, AccessError> {
        let camera = self.store.camera(id).await?.ok_or(AccessError::Hidden)?;
        self.permit(actor, deed, camera.object())?;
        Ok(CameraGrant {
            actor: actor.clone(),
            camera,
            deed,
        })
    }

    /// Permission to do `deed` to the system.
    ///
    /// # Errors
    /// The deed is not allowed.
    pub fn admin(&self, actor: &Actor, deed: Deed) -> Result<AdminGrant, AccessError> {
        self.permit(actor, deed, Object::System)?;
        Ok(AdminGrant {
            by: By::Actor(actor.clone()),
            deed,
        })
    }

    /// Permission to do `deed` to some things of its kind; the service asks for each.
    ///
    /// # Errors
    /// There is nothing that the actor may do it to.
    pub fn some(&self, actor: &Actor, deed: Deed) -> Result<AdminGrant, AccessError> {
        let (kind, action) = deed.wants();
        if !actor.permissions().allow_some(kind, action) {
            self.note_refusal(actor, deed, None);
            return Err(AccessError::Forbidden);
        }
        Ok(AdminGrant {
            by: By::Actor(actor.clone()),
            deed,
        })
    }

    /// Permission for the person at the command line of the coordinator's own host. They can read
    /// and write the database anyway; the audit names them as the console.
    pub fn console(&self, deed: Deed) -> AdminGrant {
        let by = By::Console;
        AdminGrant { by, deed }
    }

    /// Permission for an event of the authority's identity management, whose signature is checked.
    pub(super) const fn outside(&self, deed: Deed, origin: Origin) -> AdminGrant {
        let by = By::Iam(origin);
        AdminGrant { by, deed }
    }

    /// Permission to use a prepared playback: for its owner, and only as long as they may watch the
    /// camera.
    ///
    /// # Errors
    /// Hidden when it does not exist (any more) or is somebody else's.
    pub async fn playback(
        &self,
        actor: &Actor,
        id: PlaybackId,
    ) -> Result<PlaybackGrant, AccessError> {
        let playback = self.store.playback(id).await?;
        let playback = playback.ok_or(AccessError::Hidden)?;
        if playback.owner != actor.user_id() {
            self.note_refusal(actor, Deed::PlayCamera, Some(id.to_string()));
            return Err(AccessError::Hidden);
        }
        self.playback_grant(actor, playback).await
    }

    /// Removes sessions and playbacks that are over.
    pub(super) async fn purge(&self) -> Result<(), StoreError> {
        let now = self.clock.wall();
        let sessions = self
            .store
            .purge_sessions(now - SESSION_IDLE, now - SESSION_ABSOLUTE, now)
            .await?;
        let attempts = self
            .store
            .purge_attempts(now - FORGOTTEN, now - PATIENCE)
            .await?;
        let playbacks = self.store.purge_playbacks(now - PLAYBACK_IDLE).await?;
        tracing::debug!(
            sessions,
            attempts,
            playbacks,
            "what has expired was removed"
        );
        Ok(())
    }

    /// The same for whoever prepared it, on the strength of a signature that has been verified.
    pub(super) async fn playback_of_owner(
        &self,
        id: PlaybackId,
        origin: Origin,
    ) -> Result<PlaybackGrant, AccessError> {
        let playback = self.store.playback(id).await?.ok_or(AccessError::Hidden)?;
        let found = self.store.session(playback.session).await?;
        let actor = self.check_session(found, origin).await?;
        self.playback_grant(&actor, playback).await
    }

    async fn playback_grant(
        &self,
        actor: &Actor,
        playback: Playback,
    ) -> Result<PlaybackGrant, AccessError> {
        if !playback.is_live(self.clock.wall()) {
            return Err(AccessError::Hidden);
        }
        let grant = self
            .camera(actor, playback.camera, Deed::PlayCamera)
            .await?;
        Ok(PlaybackGrant { playback, grant })
    }

    async fn check_session(
        &self,
        found: Option<(Session, u64)>,
        origin: Origin,
    ) -> Result<Actor, AccessError> {
        let (session, actor) = self.live_session(found, origin).await?;
        let now = self.clock.wall();
        if session.wants_touch(now) {
            self.store.touch_session(session.id, now).await?;
        }
        Ok(actor)
    }

    /// The session if it is live, and the actor that it makes.
    async fn live_session(
        &self,
        found: Option<(Session, u64)>,
        origin: Origin,
    ) -> Result<(Session, Actor), AccessError> {
        let now = self.clock.wall();
        let (session, revision) = found
            .filter(|(session, _)| session.is_live(now))
            .ok_or(AccessError::Unauthenticated)?;
        let person = self.person(session.user, revision).await?;
        let (person, door) = match &session.kind {
            SessionKind::Browser => (person, Door::Session(session.id)),
            SessionKind::Client => (person, Door::AccessToken(session.id)),
            SessionKind::Outside { .. } => (person, Door::Outside(session.id)),
            SessionKind::Machine { scopes, .. } => {
                let door = Door::ApiToken(session.id);
                if scopes.is_empty() {
                    (person, door)
                } else {
                    (Arc::new(person.narrowed(read_scopes(scopes)?)), door)
                }
            }
        };
        let actor = Actor {
            person,
            door,
            expires_at: session.expires_at(),
            origin,
        };
        Ok((session, actor))
    }

    /// What is refused is noted, also where it is hidden from whoever asks.
    fn permit(&self, actor: &Actor, deed: Deed, object: Object<'_>) -> Result<(), AccessError> {
        let refused = match actor.decide(deed, object) {
            Decision::Allowed => return Ok(()),
            Decision::Hidden => AccessError::Hidden,
            Decision::Forbidden => AccessError::Forbidden,
        };
        let camera = match object {
            Object::Camera { id, .. } => Some(id.to_string()),
            Object::Of(_) | Object::System => None,
        };
        self.note_refusal(actor, deed, camera);
        Err(refused)
    }

    fn note_refusal(&self, actor: &Actor, deed: Deed, object: Option<String>) {
        let now = self.clock.wall();
        self.notes.access_refused(actor, now, deed, object);
    }

    /// Whoever it is, provided they are active; as the directory was at `revision` or later.
    async fn person(&self, id: UserId, revision: u64) -> Result<Arc<Known>, AccessError> {
        let known = match self.people.get(id, revision) {
            Some(known) => known,
            None => {
                let person = self.store.person(id).await?;
                let person = person.ok_or(AccessError::Unauthenticated)?;
                self.people.keep(person.into())
            }
        };
        if known.user.status == Status::Active {
            Ok(known)
        } else {
            Err(AccessError::Unauthenticated)
        }
    }
}

fn read_scopes(scopes: &[String]) -> Result<Vec<Rule>, StoreError> {
    let damaged = || StoreError::Damaged {
        what: "a token has impossible scopes".to_owned(),
    };
    let scopes = scopes.iter().map(|scope| scope.parse());
    scopes.collect::<Result<_, _>>().map_err(|_| damaged())
}

#[cfg(test)]
mod tests;

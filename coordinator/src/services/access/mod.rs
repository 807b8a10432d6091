//! Who somebody is, and the grants that let them do something.
//!
//! Grants have no public constructor: the only way to one is through here, past
//! `domain::access::decide`.

mod actor;
mod grants;
mod people;

use actor::Known;
pub use actor::{Actor, Door, SessionToken};
pub use grants::{AdminGrant, CameraGrant, PlaybackGrant};
use people::People;

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use shared::clock::Clock;
use shared::id::{CameraId, PlaybackId, SessionId, UserId};

use super::audit::notes::Notes;
use super::users::Passwords;
use super::{Figures, Parts};
use crate::domain::access::{Decision, Deed, Object};
use crate::domain::audit::refusals::{Asker, Kind};
use crate::domain::audit::{Entry, Origin, What, Who};
use crate::domain::playback::{PLAYBACK_IDLE, Playback};
use crate::domain::user::{
    Login, MAX_PASSWORD_BYTES, SESSION_ABSOLUTE, SESSION_IDLE, Session, Status,
};
use crate::stores::{Person, Store, StoreError};

/// Sign-in, sessions and grants.
#[derive(Clone, Debug)]
pub struct Access {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    figures: Arc<Figures>,
    passwords: Arc<Passwords>,
    people: Arc<People>,
    notes: Arc<Notes>,
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

#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// Unknown login, wrong password or disabled account; which of them is not told.
    #[error("the login or the password is wrong")]
    Wrong,
    /// Too many are being checked; nothing was checked.
    #[error("too many sign-ins at once")]
    TooMany,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A fresh session.
#[derive(Debug)]
pub struct SignedIn {
    pub token: SessionToken,
    pub actor: Actor,
}

impl Access {
    pub(super) fn new(parts: &Parts, passwords: Arc<Passwords>) -> Self {
        Self {
            store: Arc::clone(&parts.store),
            clock: Arc::clone(&parts.clock),
            figures: Arc::clone(&parts.figures),
            passwords,
            people: Arc::default(),
            notes: Arc::clone(&parts.notes),
        }
    }

    /// Begins a session. Takes the same time whether the login exists or not.
    ///
    /// # Errors
    /// Wrong credentials, or too many attempts at once.
    pub async fn sign_in(
        &self,
        login: &str,
        password: SecretString,
        origin: Origin,
    ) -> Result<SignedIn, SignInError> {
        let now = self.clock.wall();
        let known = match Login::new(login) {
            Some(login) if password.expose_secret().len() <= MAX_PASSWORD_BYTES => {
                self.store.person_by_login(login).await?
            }
            _ => None,
        };
        let (person, hash) = known.unzip();
        let right = self.passwords.verify(password, hash.flatten()).await?;
        let active = |person: &Person| person.user.status == Status::Active;
        let Some(person) = person.filter(|person| right && active(person)) else {
            self.figures.sign_ins_refused.add(1);
            let login: String = login.chars().take(Login::MAX_LENGTH).collect();
            let refused = Entry::new(now, Who::System, What::SignInRefused);
            let refused = refused.with(json!({ "login": login }));
            self.store.audit(vec![refused.from_origin(origin)]).await?;
            return Err(SignInError::Wrong);
        };
        let token = SessionToken::new();
        let session = Session {
            id: SessionId::new(now),
            user: person.user.id,
            token: token.hash(),
            created_at: now,
            last_seen: now,
        };
        let actor = Actor {
            person: Arc::new(person.into()),
            door: Door::Session(session.id),
            expires_at: session.expires_at(),
            origin,
        };
        let entry = actor.entry(now, What::SignedIn).on(session.id);
        self.store.create_session(session, entry).await?;
        Ok(SignedIn { token, actor })
    }

    /// The person behind a token, who asks from `origin`.
    ///
    /// # Errors
    /// [`AccessError::Unauthenticated`] when the session is unknown or over, or its user disabled.
    pub async fn actor(&self, token: &SessionToken, origin: Origin) -> Result<Actor, AccessError> {
        let found = self.store.session_by_token(token.hash()).await?;
        self.check_session(found, origin).await
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
            actor: Some(actor.clone()),
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
            actor: Some(actor.clone()),
            deed,
        })
    }

    /// Permission for the person at the command line of the coordinator's own host. They can read
    /// and write the database anyway; the audit names them as the console.
    pub fn console(&self, deed: Deed) -> AdminGrant {
        AdminGrant { actor: None, deed }
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
            .purge_sessions(now - SESSION_IDLE, now - SESSION_ABSOLUTE)
            .await?;
        let playbacks = self.store.purge_playbacks(now - PLAYBACK_IDLE).await?;
        tracing::debug!(sessions, playbacks, "what has expired was removed");
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
        let now = self.clock.wall();
        let (session, revision) = found
            .filter(|(session, _)| session.is_live(now))
            .ok_or(AccessError::Unauthenticated)?;
        let person = self.person(session.user, revision).await?;
        if session.wants_touch(now) {
            self.store.touch_session(session.id, now).await?;
        }
        Ok(Actor {
            person,
            door: Door::Session(session.id),
            expires_at: session.expires_at(),
            origin,
        })
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
        let kind = Kind {
            what: What::AccessRefused,
            asker: Some(Asker::User(actor.user_id())),
            asked: format!("{deed:?}"),
        };
        let mut entry = actor.entry(self.clock.wall(), What::AccessRefused);
        entry.object = object;
        let (kind_of_thing, action) = deed.wants();
        let wanted =
            json!({ "kind": kind_of_thing.name(), "action": action.name(), "deed": kind.asked });
        self.notes.refused(kind, entry.with(wanted));
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

#[cfg(test)]
mod tests;

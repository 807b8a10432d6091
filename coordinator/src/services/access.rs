//! Who somebody is, and the grants that let them do something.
//!
//! Grants have no public constructor: the only way to one is through here, past
//! `domain::access::decide`.

use std::net::IpAddr;
use std::sync::Arc;

use data_encoding::BASE64URL_NOPAD;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use shared::clock::Clock;
use shared::hash::Sha256;
use shared::id::{CameraId, PlaybackId, SessionId, UserId};
use shared::time::WallTime;

use super::users::{Passwords, random_bytes};
use super::{Figures, Parts};
use crate::domain::access::{Decision, Deed, Object, Role, Subject, decide, permissions};
use crate::domain::agency::AgencyCode;
use crate::domain::audit::{Entry, What, Who};
use crate::domain::camera::Camera;
use crate::domain::playback::{PLAYBACK_IDLE, Playback};
use crate::domain::user::{
    Login, MAX_PASSWORD_BYTES, SESSION_ABSOLUTE, SESSION_IDLE, Session, User,
};
use crate::stores::{Store, StoreError};

/// Sign-in, sessions and grants.
#[derive(Clone, Debug)]
pub struct Access {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    figures: Arc<Figures>,
    passwords: Arc<Passwords>,
}

/// What a browser holds in its cookie: 256 random bits in base64url.
#[derive(Clone, Debug)]
pub struct SessionToken(SecretString);

impl SessionToken {
    /// Whatever a client presents; [`Access::actor`] says whether it is one.
    pub fn presented(text: &str) -> Self {
        Self(SecretString::from(text))
    }

    /// For the cookie.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    fn new() -> Self {
        Self(BASE64URL_NOPAD.encode(&random_bytes::<32>()).into())
    }

    fn hash(&self) -> Sha256 {
        Sha256::of(self.0.expose_secret().as_bytes())
    }
}

/// Somebody whose session has been checked.
#[derive(Clone, Debug)]
pub struct Actor {
    user: User,
    session: SessionId,
    expires_at: WallTime,
}

impl Actor {
    pub const fn user_id(&self) -> UserId {
        self.user.id
    }

    pub fn login(&self) -> &str {
        self.user.login.as_str()
    }

    pub fn display_name(&self) -> &str {
        &self.user.display_name
    }

    pub const fn role(&self) -> Role {
        self.user.role
    }

    pub const fn agency(&self) -> Option<&AgencyCode> {
        self.user.agency.as_ref()
    }

    /// When the session ends if it is not used before.
    pub const fn expires_at(&self) -> WallTime {
        self.expires_at
    }

    /// Such as `camera:METRO:view`; for display, the server decides.
    pub fn permissions(&self) -> Vec<String> {
        permissions(self.subject())
    }

    pub(super) const fn session(&self) -> SessionId {
        self.session
    }

    pub(super) const fn who(&self) -> Who {
        Who::User(self.user.id)
    }

    pub(super) fn decide(&self, deed: Deed, object: Object<'_>) -> Decision {
        decide(self.subject(), deed, object)
    }

    const fn subject(&self) -> Subject<'_> {
        Subject {
            role: self.user.role,
            agency: self.user.agency.as_ref(),
        }
    }
}

/// That an actor may do a deed to a camera.
#[derive(Clone, Debug)]
pub struct CameraGrant {
    actor: Actor,
    camera: Camera,
    deed: Deed,
}

impl CameraGrant {
    pub const fn camera(&self) -> &Camera {
        &self.camera
    }

    pub const fn actor(&self) -> &Actor {
        &self.actor
    }

    /// The camera, provided the grant is for this deed.
    pub(super) fn for_deed(&self, deed: Deed) -> Result<&Camera, AccessError> {
        // Viewing is part of every deed that can be granted on a camera.
        if self.deed == deed || deed == Deed::ViewCamera {
            Ok(&self.camera)
        } else {
            Err(AccessError::Forbidden)
        }
    }
}

/// That somebody may do a deed to the system.
#[derive(Clone, Debug)]
pub struct AdminGrant {
    who: Who,
    actor: Option<Actor>,
    deed: Deed,
}

impl AdminGrant {
    pub(super) fn for_deed(&self, deed: Deed) -> Result<(), AccessError> {
        if self.deed == deed {
            Ok(())
        } else {
            Err(AccessError::Forbidden)
        }
    }

    pub(super) fn who(&self) -> Who {
        self.who.clone()
    }

    pub(super) fn user_id(&self) -> Option<UserId> {
        self.actor.as_ref().map(Actor::user_id)
    }

    /// Whether a camera of this agency may be counted or named.
    pub(super) fn may_view(&self, agency: &AgencyCode) -> bool {
        self.actor.as_ref().is_none_or(|actor| {
            actor.decide(Deed::ViewCamera, Object::Camera(agency)) == Decision::Allowed
        })
    }
}

/// That an actor may use a playback that they prepared.
#[derive(Clone, Debug)]
pub struct PlaybackGrant {
    playback: Playback,
    camera: Camera,
}

impl PlaybackGrant {
    pub const fn playback(&self) -> &Playback {
        &self.playback
    }

    pub const fn camera(&self) -> &Camera {
        &self.camera
    }
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
        address: Option<IpAddr>,
    ) -> Result<SignedIn, SignInError> {
        let now = self.clock.wall();
        let known = match Login::new(login) {
            Some(login) if password.expose_secret().len() <= MAX_PASSWORD_BYTES => {
                self.store.user_by_login(login).await?
            }
            _ => None,
        };
        let (user, hash) = known.unzip();
        let right = self.passwords.verify(password, hash).await?;
        let Some(user) = user.filter(|user| right && !user.disabled) else {
            self.figures.sign_ins_refused.add(1);
            let login: String = login.chars().take(Login::MAX_LENGTH).collect();
            let refused = Entry::new(now, Who::System, What::SignInRefused);
            let refused = refused.with(json!({ "login": login }));
            self.store.audit(refused.from_address(address)).await?;
            return Err(SignInError::Wrong);
        };
        let token = SessionToken::new();
        let session = Session {
            id: SessionId::new(now),
            user: user.id,
            token: token.hash(),
            created_at: now,
            last_seen: now,
        };
        let entry = Entry::new(now, Who::User(user.id), What::SignedIn).on(session.id);
        let actor = Actor {
            user,
            session: session.id,
            expires_at: session.expires_at(),
        };
        self.store
            .create_session(session, entry.from_address(address))
            .await?;
        Ok(SignedIn { token, actor })
    }

    /// The person behind a token.
    ///
    /// # Errors
    /// [`AccessError::Unauthenticated`] when the session is unknown or over, or its user disabled.
    pub async fn actor(&self, token: &SessionToken) -> Result<Actor, AccessError> {
        let found = self.store.session_by_token(token.hash()).await?;
        self.check_session(found).await
    }

    /// Ends the actor's session and everything that hangs on it.
    ///
    /// # Errors
    /// The store failed.
    pub async fn sign_out(&self, actor: &Actor) -> Result<(), AccessError> {
        let entry = Entry::new(self.clock.wall(), actor.who(), What::SignedOut).on(actor.session);
        Ok(self.store.end_session(actor.session, entry).await?)
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
        permit(actor, deed, Object::Camera(&camera.agency))?;
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
        permit(actor, deed, Object::System)?;
        Ok(AdminGrant {
            who: actor.who(),
            actor: Some(actor.clone()),
            deed,
        })
    }

    /// Permission for the person at the command line of the coordinator's own host. They can read
    /// and write the database anyway; the audit names them as the console.
    pub fn console(&self, deed: Deed) -> AdminGrant {
        AdminGrant {
            who: Who::Console,
            actor: None,
            deed,
        }
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
        let playback = playback
            .filter(|playback| playback.owner == actor.user.id)
            .ok_or(AccessError::Hidden)?;
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
    ) -> Result<PlaybackGrant, AccessError> {
        let playback = self.store.playback(id).await?.ok_or(AccessError::Hidden)?;
        let found = self.store.session(playback.session).await?;
        let actor = self.check_session(found).await?;
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
        Ok(PlaybackGrant {
            playback,
            camera: grant.camera,
        })
    }

    async fn check_session(&self, found: Option<(Session, User)>) -> Result<Actor, AccessError> {
        let now = self.clock.wall();
        let (session, user) = found
            .filter(|(session, user)| session.is_live(now) && !user.disabled)
            .ok_or(AccessError::Unauthenticated)?;
        if session.wants_touch(now) {
            self.store.touch_session(session.id, now).await?;
        }
        Ok(Actor {
            user,
            session: session.id,
            expires_at: session.expires_at(),
        })
    }
}

fn permit(actor: &Actor, deed: Deed, object: Object<'_>) -> Result<(), AccessError> {
    match actor.decide(deed, object) {
        Decision::Allowed => Ok(()),
        Decision::Hidden => Err(AccessError::Hidden),
        Decision::Forbidden => Err(AccessError::Forbidden),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use shared::testing::SegmentBuilder;

    use super::super::testing::{NOW, PASSWORD, World};
    use super::*;
    use crate::domain::camera::CameraChange;

    #[tokio::test]
    async fn only_the_right_password_signs_in_and_the_token_is_kept_as_a_hash() {
        let world = World::new().await;
        let access = &world.services.access;
        world.operator("METRO").await;
        let signed_in = access
            .sign_in(" Metro ", PASSWORD.into(), None)
            .await
            .unwrap();
        let presented = SessionToken::presented(signed_in.token.expose());
        let actor = access.actor(&presented).await.unwrap();
        assert_eq!((actor.login(), actor.role()), ("metro", Role::Operator));
        assert_eq!(actor.permissions().len(), 2);
        for (login, password) in [
            ("METRO", "wrong password"),
            ("nobody", PASSWORD),
            ("", PASSWORD),
            ("METRO", ""),
            ("METRO", &"x".repeat(1 << 20)),
        ] {
            let refused = access.sign_in(login, password.into(), None).await;
            assert!(
                matches!(refused.unwrap_err(), SignInError::Wrong),
                "{login}"
            );
        }
        assert_eq!(world.services.figures.sign_ins_refused.get(), 5);
        for forged in ["", "AAAA", &presented.expose()[1..]] {
            let refused = access.actor(&SessionToken::presented(forged)).await;
            assert!(matches!(refused.unwrap_err(), AccessError::Unauthenticated));
        }
        let database = world.config.data_dir.join("coordinator.sqlite-wal");
        let written = std::fs::read(database).unwrap();
        let contains = |secret: &str| {
            let mut windows = written.windows(secret.len());
            windows.any(|window| window == secret.as_bytes())
        };
        assert!(contains("metro"), "the test looks in the wrong place");
        assert!(!contains(presented.expose()) && !contains(PASSWORD));
        access.sign_out(&actor).await.unwrap();
        let over = access.actor(&presented).await.unwrap_err();
        assert!(matches!(over, AccessError::Unauthenticated));
    }

    #[tokio::test]
    async fn sessions_end_by_idleness_and_by_age() {
        let world = World::new().await;
        let access = &world.services.access;
        world.operator("METRO").await;
        let idle = access
            .sign_in("metro", PASSWORD.into(), None)
            .await
            .unwrap();
        let used = access
            .sign_in("metro", PASSWORD.into(), None)
            .await
            .unwrap();
        for _ in 0..14 {
            assert!(access.actor(&used.token).await.is_ok());
            world.clock.advance(Duration::from_secs(11 * 3600));
        }
        let ended = access.actor(&idle.token).await;
        assert!(matches!(ended.unwrap_err(), AccessError::Unauthenticated));
        assert!(access.actor(&used.token).await.is_ok());
        world.clock.advance(Duration::from_secs(15 * 3600));
        let ended = access.actor(&used.token).await;
        assert!(matches!(ended.unwrap_err(), AccessError::Unauthenticated));
        access.purge().await.unwrap();
        let gone = world
            .services
            .access
            .store
            .session(used.actor.session)
            .await;
        assert_eq!(gone.unwrap(), None);
    }

    #[tokio::test]
    async fn cameras_of_other_agencies_do_not_exist() {
        let world = World::new().await;
        let agent = world.agent().await;
        let built = SegmentBuilder::new(NOW).build();
        world.report(&agent, &[&built]).await;
        let (administrator, operator) =
            (world.administrator().await, world.operator("METRO").await);
        let id = built.meta.head.camera;
        let access = &world.services.access;
        for deed in [Deed::ViewCamera, Deed::PlayCamera, Deed::ConfigureCamera] {
            let hidden = access.camera(&operator, id, deed).await;
            assert!(matches!(hidden.unwrap_err(), AccessError::Hidden));
            assert!(access.camera(&administrator, id, deed).await.is_ok());
            let unknown = access
                .camera(&administrator, CameraId::new(NOW), deed)
                .await;
            assert!(matches!(unknown.unwrap_err(), AccessError::Hidden));
        }
        assert!(
            world
                .services
                .cameras
                .list(&operator)
                .await
                .unwrap()
                .is_empty()
        );
        assert!(
            world
                .services
                .cameras
                .sites(&operator)
                .await
                .unwrap()
                .is_empty()
        );
        let grant = access
            .camera(&administrator, id, Deed::ConfigureCamera)
            .await;
        let change = CameraChange {
            agency: Some("METRO".parse().unwrap()),
            ..CameraChange::default()
        };
        world
            .services
            .cameras
            .change(&grant.unwrap(), change)
            .await
            .unwrap();
        assert!(access.camera(&operator, id, Deed::PlayCamera).await.is_ok());
        let forbidden = access.camera(&operator, id, Deed::ConfigureCamera).await;
        assert!(matches!(forbidden.unwrap_err(), AccessError::Forbidden));
        assert_eq!(
            world.services.cameras.list(&operator).await.unwrap().len(),
            1
        );
        let sites = world.services.cameras.sites(&operator).await.unwrap();
        assert_eq!((sites.len(), sites[0].cameras), (1, 1));
        for deed in [
            Deed::ViewAgents,
            Deed::ManageAgents,
            Deed::ViewStorage,
            Deed::ManageUsers,
        ] {
            let forbidden = access.admin(&operator, deed);
            assert!(matches!(forbidden.unwrap_err(), AccessError::Forbidden));
            assert!(access.admin(&administrator, deed).is_ok());
        }
    }

    #[tokio::test]
    async fn a_grant_is_good_for_its_deed_only() {
        let world = World::new().await;
        let agent = world.agent().await;
        let built = SegmentBuilder::new(NOW).build();
        world.report(&agent, &[&built]).await;
        let actor = world.administrator().await;
        let viewing = world.grant(&actor, &built, Deed::ViewCamera).await;
        let changed = world
            .services
            .cameras
            .change(&viewing, CameraChange::default())
            .await;
        assert!(changed.is_err());
        assert!(world.services.cameras.restart(&viewing).await.is_err());
        let storage = world
            .services
            .access
            .admin(&actor, Deed::ViewStorage)
            .unwrap();
        assert!(
            world
                .services
                .agents
                .revoke(&storage, agent.id())
                .await
                .is_err()
        );
        assert!(world.services.users.list(&storage).await.is_err());
    }
}

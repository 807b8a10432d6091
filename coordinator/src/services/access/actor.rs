//! Somebody whose session has been checked, and the token that the session is recognised by.

use data_encoding::BASE64URL_NOPAD;
use secrecy::{ExposeSecret, SecretString};
use shared::hash::Sha256;
use shared::id::{SessionId, UserId};
use shared::time::WallTime;

use super::super::users::random_bytes;
use crate::domain::access::{Decision, Deed, Object, Role, Subject, decide, permissions};
use crate::domain::agency::AgencyCode;
use crate::domain::audit::{Entry, Origin, What, Who};
use crate::domain::user::User;

/// What a browser holds in its cookie: 256 random bits in base64url.
#[derive(Clone, Debug)]
pub struct SessionToken(SecretString);

impl SessionToken {
    /// Whatever a client presents; [`Access::actor`](super::Access::actor) says whether it is one.
    pub fn presented(text: &str) -> Self {
        Self(SecretString::from(text))
    }

    /// For the cookie.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    pub(super) fn new() -> Self {
        Self(BASE64URL_NOPAD.encode(&random_bytes::<32>()).into())
    }

    pub(super) fn hash(&self) -> Sha256 {
        Sha256::of(self.0.expose_secret().as_bytes())
    }
}

/// Somebody whose session has been checked.
#[derive(Clone, Debug)]
pub struct Actor {
    pub(super) user: User,
    pub(super) session: SessionId,
    pub(super) expires_at: WallTime,
    pub(super) origin: Origin,
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

    pub(in crate::services) const fn session(&self) -> SessionId {
        self.session
    }

    /// An entry of the audit about something this person does, with their agency and where the
    /// request came from.
    pub(in crate::services) fn entry(&self, at: WallTime, what: What) -> Entry {
        Entry::new(at, Who::User(self.user.id), what)
            .in_agency(self.user.agency.clone())
            .from_origin(self.origin.clone())
    }

    pub(in crate::services) fn decide(&self, deed: Deed, object: Object<'_>) -> Decision {
        decide(self.subject(), deed, object)
    }

    const fn subject(&self) -> Subject<'_> {
        Subject {
            role: self.user.role,
            agency: self.user.agency.as_ref(),
        }
    }
}

//! Somebody whose session has been checked, and the token that the session is recognised by.

use std::sync::Arc;

use data_encoding::BASE64URL_NOPAD;
use secrecy::{ExposeSecret, SecretString};
use shared::hash::Sha256;
use shared::id::{SessionId, UserId};
use shared::time::WallTime;

use super::super::users::random_bytes;
use super::AccessError;
use crate::domain::access::{Decision, Deed, Object, Permissions, Rule, decide};
use crate::domain::agency::AgencyCode;
use crate::domain::audit::{Entry, Origin, What, Who};
use crate::domain::user::User;
use crate::stores::Person;

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

/// Somebody who has been recognised, and what they may do.
#[derive(Clone, Debug)]
pub struct Actor {
    pub(super) person: Arc<Known>,
    pub(super) door: Door,
    pub(super) expires_at: WallTime,
    pub(super) origin: Origin,
}

/// How somebody came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// With the cookie of a browser.
    Session(SessionId),
    /// With an access token, which is good as long as its session.
    AccessToken(SessionId),
    /// With the token of a machine.
    ApiToken(SessionId),
    /// With an access token of an issuer outside.
    Outside(SessionId),
}

/// A person and their permissions, made quick to ask; shared by all their requests.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) user: User,
    pub(super) permissions: Permissions,
    /// Of the directory when this was made.
    pub(super) revision: u64,
}

impl From<Person> for Known {
    fn from(person: Person) -> Self {
        let Person {
            user,
            rules,
            revision,
        } = person;
        let permissions = Permissions::new(rules, user.agency.as_ref());
        Self {
            user,
            permissions,
            revision,
        }
    }
}

impl Known {
    /// The same person with no more than the scopes of a machine's token.
    pub(super) fn narrowed(&self, scopes: Vec<Rule>) -> Self {
        let agency = self.user.agency.as_ref();
        Self {
            user: self.user.clone(),
            permissions: self.permissions.clone().narrowed(scopes, agency),
            revision: self.revision,
        }
    }
}

impl Actor {
    pub fn user_id(&self) -> UserId {
        self.person.user.id
    }

    pub fn login(&self) -> &str {
        self.person.user.login.as_str()
    }

    pub fn display_name(&self) -> &str {
        self.person.user.display_name.as_str()
    }

    pub fn user(&self) -> &User {
        &self.person.user
    }

    pub fn agency(&self) -> Option<&AgencyCode> {
        self.person.user.agency.as_ref()
    }

    pub fn permissions(&self) -> &Permissions {
        &self.person.permissions
    }

    pub const fn door(&self) -> Door {
        self.door
    }

    /// Provided it is a person, not a machine: what one signs in with is changed by people only.
    pub(in crate::services) const fn in_person(&self) -> Result<(), AccessError> {
        match self.door {
            Door::Session(_) | Door::AccessToken(_) => Ok(()),
            Door::ApiToken(_) | Door::Outside(_) => Err(AccessError::Forbidden),
        }
    }

    /// What they came in with hangs on this.
    pub const fn session_id(&self) -> SessionId {
        self.session()
    }

    /// Where the request came from.
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// When the session ends if it is not used before.
    pub const fn expires_at(&self) -> WallTime {
        self.expires_at
    }

    pub(in crate::services) const fn session(&self) -> SessionId {
        match self.door {
            Door::Session(id) | Door::AccessToken(id) | Door::ApiToken(id) | Door::Outside(id) => {
                id
            }
        }
    }

    /// An entry of the audit about something this person does, with their agency and where the
    /// request came from.
    pub(in crate::services) fn entry(&self, at: WallTime, what: What) -> Entry {
        Entry::new(at, Who::User(self.user_id()), what)
            .in_agency(self.agency().cloned())
            .from_origin(self.origin.clone())
    }

    /// Whether nothing about them and what they may do is different.
    pub(super) fn is_as(&self, other: &Self) -> bool {
        let (one, two) = (&self.person, &other.person);
        Arc::ptr_eq(one, two)
            || one.user == two.user && one.permissions.rules() == two.permissions.rules()
    }

    /// The agency for whose limit their streams count.
    pub fn streams_count_for(&self) -> AgencyCode {
        self.agency().cloned().unwrap_or_else(AgencyCode::other)
    }

    /// Whether they may know how many streams an agency has.
    pub(in crate::services) fn sees_streams_of(&self, agency: &AgencyCode) -> bool {
        *agency == self.streams_count_for()
            || self.decide(Deed::ViewAgencies, Object::Of(Some(agency))) == Decision::Allowed
    }

    pub(in crate::services) fn decide(&self, deed: Deed, object: Object<'_>) -> Decision {
        decide(&self.person.permissions, deed, object)
    }
}

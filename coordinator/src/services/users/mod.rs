//! The directory: people, groups, roles and agencies, and their passwords.
//!
//! What a change may do is decided in `domain::directory` on the whole of it; here a change is made
//! from what was asked, decided, and written if the directory is still the one it was decided on.

mod facts;
mod finding;
mod groups;
mod identities;
mod own;
mod sessions;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use data_encoding::BASE32_NOPAD;
use facts::{difference, facts};
pub use groups::{NewGroup, NewRole};
use ring::rand::{SecureRandom as _, SystemRandom};
use secrecy::SecretString;
use serde_json::{Value, json};
use shared::clock::Clock;
use shared::id::{GroupId, UserId};

use super::Parts;
use super::access::{AccessError, AdminGrant};
use super::audit::notes::Notes;
use super::credentials::{Credentials, HashError, Passwords, SignInError};
use crate::domain::access::{Decision, Deed, Object, Permissions, Rule};
use crate::domain::agency::AgencyCode;
use crate::domain::audit::{Entry, What, Who};
use crate::domain::directory::{Author, Change, Directory, Refusal};
use crate::domain::group::RoleCode;
use crate::domain::login::LoginError;
use crate::domain::password::{self, PasswordError};
use crate::domain::text::{Email, Line};
use crate::domain::user::{Login, Status, User};
use crate::stores::{Store, StoreError};

/// Creates and changes people, groups, roles and agencies.
#[derive(Debug)]
pub struct Users {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    credentials: Arc<Credentials>,
    passwords: Arc<Passwords>,
    notes: Arc<Notes>,
}

/// The account made at the first start. The password is told this once.
#[derive(Debug)]
pub struct FirstAdministrator {
    pub login: String,
    pub password: SecretString,
}

/// What a person is, besides their groups and their status.
#[derive(Clone, Debug)]
pub struct Profile {
    pub login: String,
    pub display_name: Line<128>,
    pub arabic_name: Option<Line<128>>,
    pub email: Option<Email>,
    pub employee_number: Option<Line<32>>,
    pub agency: Option<AgencyCode>,
    pub department: Option<Line<128>>,
    pub section: Option<Line<128>>,
    pub roles: BTreeSet<RoleCode>,
    pub rules: Vec<Rule>,
}

impl Profile {
    /// Somebody of whom nothing else is known yet.
    pub fn new(login: &str, display_name: Line<128>) -> Self {
        Self {
            login: login.to_owned(),
            display_name,
            arabic_name: None,
            email: None,
            employee_number: None,
            agency: None,
            department: None,
            section: None,
            roles: BTreeSet::new(),
            rules: Vec::new(),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum UserError {
    #[error(transparent)]
    Access(#[from] AccessError),
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Login(#[from] LoginError),
    #[error("there is no login `{login}`")]
    Unknown { login: String },
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// About the old one.
    #[error(transparent)]
    SignIn(#[from] SignInError),
    #[error("a person, a group or a role has at most {most} {what}")]
    TooMany { what: &'static str, most: usize },
    /// Others change the directory faster than this change could be decided.
    #[error("the directory keeps changing; try again")]
    Restless,
    #[error(transparent)]
    Hash(#[from] HashError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

const FIRST_LOGIN: &str = "admin";

/// How often a change is decided anew because somebody else was faster.
const TRIES: usize = 5;

impl Users {
    pub(super) fn new(
        parts: &Parts,
        credentials: Arc<Credentials>,
        passwords: Arc<Passwords>,
    ) -> Self {
        Self {
            store: Arc::clone(&parts.store),
            clock: Arc::clone(&parts.clock),
            credentials,
            passwords,
            notes: Arc::clone(&parts.notes),
        }
    }

    /// Creates the first administrator when there is nobody yet, with a random password that is
    /// returned this once.
    ///
    /// # Errors
    /// The store failed.
    pub async fn bootstrap(&self) -> Result<Option<FirstAdministrator>, UserError> {
        if !self.store.directory().await?.users.is_empty() {
            return Ok(None);
        }
        // 100 random bits in letters and digits that are hard to confuse.
        let password = BASE32_NOPAD.encode(&random_bytes::<13>())[..20].to_ascii_lowercase();
        let password = SecretString::from(password);
        let hash = self.passwords.hash(password.clone()).await?;
        let display_name = "Administrator".parse().map_err(|_| LoginError::Malformed)?;
        let profile = Profile {
            roles: BTreeSet::from([RoleCode::administrator()]),
            ..Profile::new(FIRST_LOGIN, display_name)
        };
        let user = self.new_user(profile)?;
        let entry = Entry::new(user.created_at, Who::System, What::UserCreated).on(user.id);
        let created = self.store.create_first_user(user, hash, entry).await?;
        Ok(created.then_some(FirstAdministrator {
            login: FIRST_LOGIN.to_owned(),
            password,
        }))
    }

    /// A person who signs in with `password`, or not with a password at all.
    ///
    /// # Errors
    /// A value is not allowed, or the change is refused.
    pub async fn create(
        &self,
        grant: &AdminGrant,
        profile: Profile,
        password: Option<SecretString>,
    ) -> Result<(Directory, User), UserError> {
        grant.for_deed(Deed::ManageUsers)?;
        let user = self.new_user(profile)?;
        let hash = match password {
            Some(password) => Some(self.hash(password, &known_of(&user)).await?),
            None => None,
        };
        let change = Change::CreateUser(Box::new(user.clone()));
        let details = json!({ "login": user.login.as_str(), "agency": user.agency });
        let what = What::UserCreated;
        let after = self.make(grant, change, hash, what, user.id, details);
        Ok((after.await?, user))
    }

    /// Replaces what a person is by `profile`, provided nobody has changed it since `revision`.
    ///
    /// # Errors
    /// A value is not allowed, or the change is refused.
    pub async fn replace(
        &self,
        grant: &AdminGrant,
        id: UserId,
        revision: u64,
        profile: Profile,
    ) -> Result<(Directory, User), UserError> {
        grant.for_deed(Deed::ManageUsers)?;
        let user = User {
            id,
            revision,
            ..self.new_user(profile)?
        };
        let before = self
            .store
            .person(id)
            .await?
            .map(|person| facts(&person.user));
        let details = difference(before.unwrap_or_default(), facts(&user));
        let change = Change::ReplaceUser(Box::new(user));
        let after = self
            .make(grant, change, None, What::UserChanged, id, details)
            .await?;
        found(after, id)
    }

    /// Ends everything that a person has open when they are disabled.
    ///
    /// # Errors
    /// The change is refused.
    pub async fn set_status(
        &self,
        grant: &AdminGrant,
        id: UserId,
        status: Status,
    ) -> Result<(Directory, User), UserError> {
        grant.for_deed(Deed::ManageUsers)?;
        let what = match status {
            Status::Active => What::UserEnabled,
            Status::Disabled => What::UserDisabled,
        };
        let change = Change::SetStatus(id, status);
        let after = self
            .make(grant, change, None, what, id, Value::Null)
            .await?;
        found(after, id)
    }

    /// Sets a password and ends all sessions of its owner.
    ///
    /// # Errors
    /// The password is too short or too long, or the change is refused.
    pub async fn set_password(
        &self,
        grant: &AdminGrant,
        id: UserId,
        password: SecretString,
    ) -> Result<(), UserError> {
        grant.for_deed(Deed::ManageUsers)?;
        let person = self.store.person(id).await?.ok_or(AccessError::Hidden)?;
        let hash = self.hash(password, &known_of(&person.user)).await?;
        let change = Change::ResetCredentials(id);
        let what = What::PasswordSet;
        self.make(grant, change, Some(hash), what, id, Value::Null)
            .await?;
        Ok(())
    }

    /// # Errors
    /// The change is refused.
    pub async fn add_member(
        &self,
        grant: &AdminGrant,
        user: UserId,
        group: GroupId,
    ) -> Result<(Directory, User), UserError> {
        grant.for_deed(Deed::ManageUsers)?;
        let change = Change::AddMember(user, group);
        let details = json!({ "group": group });
        let after = self
            .make(grant, change, None, What::MemberAdded, user, details)
            .await?;
        found(after, user)
    }

    /// # Errors
    /// The change is refused.
    pub async fn remove_member(
        &self,
        grant: &AdminGrant,
        user: UserId,
        group: GroupId,
    ) -> Result<(Directory, User), UserError> {
        grant.for_deed(Deed::ManageUsers)?;
        let change = Change::RemoveMember(user, group);
        let details = json!({ "group": group });
        let after = self
            .make(grant, change, None, What::MemberRemoved, user, details)
            .await?;
        found(after, user)
    }

    /// Decides a change and writes it with its entry; decides again when somebody else was faster.
    async fn make(
        &self,
        grant: &AdminGrant,
        change: Change,
        password: Option<String>,
        what: What,
        object: impl ToString,
        details: Value,
    ) -> Result<Directory, UserError> {
        let permissions = grant.permissions();
        let author = Author {
            user: grant.user_id(),
            permissions: &permissions,
        };
        let entry = grant.entry(self.clock.wall(), what);
        let object = object.to_string();
        let entry = entry.on(&object).with(details);
        for _ in 0..TRIES {
            let directory = self.store.directory().await?;
            let after = directory.after(author, &change);
            let after = after.inspect_err(|refusal| {
                self.note_refused(grant, &directory, &change, refusal, &object);
            })?;
            let agency = after
                .agency_of(&change)
                .or_else(|| directory.agency_of(&change));
            let entry = entry.clone().in_agency(agency.cloned());
            let (change, password) = (change.clone(), password.clone());
            let seen = directory.revision;
            let written = self.store.change_directory(seen, change, password, entry);
            if written.await? {
                return Ok(after);
            }
        }
        Err(UserError::Restless)
    }

    /// Whether the grant shows something of an agency; that it does not is noted.
    fn seen(
        &self,
        grant: &AdminGrant,
        agency: Option<&AgencyCode>,
        object: impl ToString,
    ) -> Result<(), AccessError> {
        if sees(grant, grant.deed(), agency) {
            return Ok(());
        }
        if let Some(actor) = grant.actor() {
            let (now, object) = (self.clock.wall(), object.to_string());
            self.notes
                .access_refused(actor, now, grant.deed(), Some(object));
        }
        Err(AccessError::Hidden)
    }

    /// Notes that somebody may not make a change, also where what they would change is hidden from
    /// them; not where there is nothing, or the change is impossible for everybody.
    fn note_refused(
        &self,
        grant: &AdminGrant,
        directory: &Directory,
        change: &Change,
        refusal: &Refusal,
        object: &str,
    ) {
        let Some(actor) = grant.actor() else {
            return;
        };
        let everything = Permissions::everything();
        let anybody = Author {
            user: None,
            permissions: &everything,
        };
        let not_allowed = match refusal {
            Refusal::Forbidden | Refusal::MoreThanOwn { .. } => true,
            Refusal::Hidden => directory.after(anybody, change) != Err(Refusal::Hidden),
            _ => false,
        };
        if not_allowed {
            let now = self.clock.wall();
            let made = matches!(
                change,
                Change::CreateUser(_)
                    | Change::CreateGroup(_)
                    | Change::CreateRole(_)
                    | Change::CreateAgency(_)
            );
            let object = (!made).then(|| object.to_owned());
            self.notes.access_refused(actor, now, grant.deed(), object);
        }
    }

    fn new_user(&self, profile: Profile) -> Result<User, UserError> {
        bounded("roles", profile.roles.len(), User::MAX_MEMBERSHIPS)?;
        bounded("permissions", profile.rules.len(), User::MAX_RULES)?;
        let now = self.clock.wall();
        Ok(User {
            id: UserId::new(now),
            login: Login::chosen(&profile.login)?,
            display_name: profile.display_name,
            arabic_name: profile.arabic_name,
            email: profile.email,
            employee_number: profile.employee_number,
            agency: profile.agency,
            department: profile.department,
            section: profile.section,
            status: Status::Active,
            roles: profile.roles,
            groups: BTreeSet::new(),
            rules: profile.rules,
            created_at: now,
            revision: 1,
        })
    }

    async fn hash(&self, password: SecretString, known: &[String]) -> Result<String, UserError> {
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        let password = password::chosen(&password, &known)?;
        Ok(self.passwords.hash(password).await?)
    }
}

/// What everybody knows of a person, and so would be tried first.
fn known_of(user: &User) -> Vec<String> {
    let texts = [
        Some(user.login.as_str().to_owned()),
        Some(user.display_name.to_string()),
        user.arabic_name.as_ref().map(ToString::to_string),
        user.email.as_ref().map(|email| email.as_str().to_owned()),
        user.employee_number.as_ref().map(ToString::to_string),
        user.agency.as_ref().map(ToString::to_string),
        user.department.as_ref().map(ToString::to_string),
        user.section.as_ref().map(ToString::to_string),
    ];
    texts.into_iter().flatten().collect()
}

/// Random bytes from the operating system.
pub(in crate::services) fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .expect("the operating system has random numbers");
    bytes
}

fn bounded(what: &'static str, length: usize, most: usize) -> Result<(), UserError> {
    if length > most {
        return Err(UserError::TooMany { what, most });
    }
    Ok(())
}

fn sees(grant: &AdminGrant, deed: Deed, agency: Option<&AgencyCode>) -> bool {
    grant.decide(deed, Object::Of(agency)) == Decision::Allowed
}

fn found(directory: Directory, id: UserId) -> Result<(Directory, User), UserError> {
    let user = directory.users.get(&id).cloned();
    Ok((directory, user.ok_or(AccessError::Hidden)?))
}

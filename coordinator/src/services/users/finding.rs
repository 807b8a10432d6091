//! Looking people up: for whom they are shown to, and by the names that others use.

use shared::id::UserId;

use super::{UserError, Users, sees};
use crate::domain::access::Deed;
use crate::domain::directory::Directory;
use crate::domain::iam_event;
use crate::domain::text::Line;
use crate::domain::user::{Login, User};
use crate::services::access::{AccessError, AdminGrant};

impl Users {
    /// Whom the grant shows, by login, in the directory they stand in.
    ///
    /// # Errors
    /// The store failed.
    pub async fn list(&self, grant: &AdminGrant) -> Result<(Directory, Vec<User>), UserError> {
        grant.for_deed(Deed::ViewUsers)?;
        let directory = self.store.directory().await?;
        let mut users: Vec<_> = directory
            .users
            .values()
            .filter(|user| sees(grant, Deed::ViewUsers, user.agency.as_ref()))
            .cloned()
            .collect();
        users.sort_unstable_by(|one, other| one.login.as_str().cmp(other.login.as_str()));
        Ok((directory, users))
    }

    /// # Errors
    /// The person does not exist for the actor.
    pub async fn get(
        &self,
        grant: &AdminGrant,
        id: UserId,
    ) -> Result<(Directory, User), UserError> {
        grant.for_deed(Deed::ViewUsers)?;
        let directory = self.store.directory().await?;
        let user = directory.users.get(&id).cloned();
        let user = user.ok_or(AccessError::Hidden)?;
        self.seen(grant, user.agency.as_ref(), id)?;
        Ok((directory, user))
    }

    /// For the command line, where people are named by login.
    ///
    /// # Errors
    /// There is no such login.
    pub async fn by_login(&self, grant: &AdminGrant, login: &str) -> Result<User, UserError> {
        grant.for_deed(Deed::ManageUsers)?;
        let unknown = || UserError::Unknown {
            login: login.chars().take(Login::MAX_LENGTH).collect(),
        };
        let known = Login::new(login).ok_or_else(unknown)?;
        let found = self.store.person_by_login(known).await?;
        found.map(|(person, _)| person.user).ok_or_else(unknown)
    }

    /// Whom an event of the authority's identity management means; nobody where its names mean
    /// different people.
    pub(in crate::services) async fn meant(
        &self,
        grant: &AdminGrant,
        named: &iam_event::Person,
    ) -> Result<Option<User>, UserError> {
        grant.for_deed(Deed::ManageUsers)?;
        let directory = self.store.directory().await?;
        let login = named.login.as_deref().map(Login::new);
        let number = named.employee_number.as_deref();
        let is_meant = |user: &&User| {
            let theirs = user.employee_number.as_ref().map(Line::as_str);
            login
                .as_ref()
                .is_none_or(|login| login.as_ref() == Some(&user.login))
                && number.is_none_or(|number| theirs == Some(number))
        };
        Ok(directory.users.values().find(is_meant).cloned())
    }
}

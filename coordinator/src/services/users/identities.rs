//! Who people are at issuers outside: an administrator says so, because nothing that looks alike
//! proves it.

use serde_json::json;
use shared::id::UserId;
use shared::time::WallTime;

use super::{TRIES, UserError, Users, sees};
use crate::domain::access::Deed;
use crate::domain::audit::{Entry, What};
use crate::domain::directory::{Author, Change, Refusal};
use crate::domain::outside::Identity;
use crate::services::access::{AccessError, AdminGrant};
use crate::stores::Linked;

impl Users {
    /// By which identities a person is known, and since when.
    ///
    /// # Errors
    /// The person does not exist for the actor.
    pub async fn identities(
        &self,
        grant: &AdminGrant,
        user: UserId,
    ) -> Result<Vec<(Identity, WallTime)>, UserError> {
        grant.for_deed(Deed::ViewUsers)?;
        let person = self.store.person(user).await?;
        person
            .filter(|person| sees(grant, Deed::ViewUsers, person.user.agency.as_ref()))
            .ok_or(AccessError::Hidden)?;
        Ok(self.store.identities_of(user).await?)
    }

    /// From now on whoever has this identity comes in as the person.
    ///
    /// # Errors
    /// The person does not exist for the actor, or may do more; or the identity is somebody's
    /// already.
    pub async fn link_identity(
        &self,
        grant: &AdminGrant,
        user: UserId,
        identity: Identity,
    ) -> Result<(), UserError> {
        grant.for_deed(Deed::ManageUsers)?;
        let details = json!({ "issuer": identity.issuer(), "subject": identity.subject() });
        for _ in 0..TRIES {
            let (seen, entry) = self.may_link(grant, user, What::IdentityLinked).await?;
            let entry = entry.with(details.clone());
            let now = entry.at;
            let linked = self
                .store
                .link_identity(seen, identity.clone(), user, now, entry);
            match linked.await? {
                Linked::Yes => return Ok(()),
                Linked::Already => {
                    let what = "this identity".to_owned();
                    return Err(Refusal::Taken { what }.into());
                }
                Linked::Stale => {}
            }
        }
        Err(UserError::Restless)
    }

    /// Takes all identities of a person away, and ends all their sessions.
    ///
    /// # Errors
    /// The person does not exist for the actor, or may do more; hidden where there was none.
    pub async fn unlink_identities(
        &self,
        grant: &AdminGrant,
        user: UserId,
    ) -> Result<(), UserError> {
        grant.for_deed(Deed::ManageUsers)?;
        for _ in 0..TRIES {
            let (seen, entry) = self.may_link(grant, user, What::IdentitiesUnlinked).await?;
            match self.store.unlink_identities(seen, user, entry).await? {
                Some(0) => return Err(AccessError::Hidden.into()),
                Some(_) => return Ok(()),
                None => {}
            }
        }
        Err(UserError::Restless)
    }

    /// An identity opens like a password, so the same may give and take it. With the revision of the
    /// directory on which that was decided.
    async fn may_link(
        &self,
        grant: &AdminGrant,
        user: UserId,
        what: What,
    ) -> Result<(u64, Entry), UserError> {
        let permissions = grant.permissions();
        let author = Author {
            user: grant.user_id(),
            permissions: &permissions,
        };
        let directory = self.store.directory().await?;
        let change = Change::ResetCredentials(user);
        directory.after(author, &change)?;
        let agency = directory.agency_of(&change).cloned();
        let entry = grant.entry(self.clock.wall(), what).on(user);
        Ok((directory.revision, entry.in_agency(agency)))
    }
}

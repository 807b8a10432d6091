//! Sessions and second factors of others.

use serde_json::Value;
use shared::id::{SessionId, UserId};

use super::{UserError, Users};
use crate::domain::access::Deed;
use crate::domain::audit::What;
use crate::domain::directory::{Author, Change};
use crate::domain::user::{Session, SessionKind};
use crate::services::access::{AccessError, AdminGrant};

impl Users {
    /// Live sessions of a person, newest first; without tokens of machines.
    ///
    /// # Errors
    /// The person does not exist for the actor.
    pub async fn sessions(
        &self,
        grant: &AdminGrant,
        user: UserId,
    ) -> Result<Vec<Session>, UserError> {
        grant.for_deed(Deed::ViewUsers)?;
        let person = self.store.person(user).await?;
        let person = person.ok_or(AccessError::Hidden)?;
        self.seen(grant, person.user.agency.as_ref(), user)?;
        let now = self.clock.wall();
        let mut sessions = self.store.sessions_of(user).await?;
        sessions.retain(|session| {
            session.is_live(now) && !matches!(session.kind, SessionKind::Machine { .. })
        });
        Ok(sessions)
    }

    /// Ends one session of a person, or all of them and the tokens of their machines.
    ///
    /// # Errors
    /// The person or the session does not exist for the actor, or the person may do more.
    pub async fn end_sessions(
        &self,
        grant: &AdminGrant,
        user: UserId,
        one: Option<SessionId>,
    ) -> Result<(), UserError> {
        grant.for_deed(Deed::ManageUsers)?;
        self.may_reset(grant, user).await?;
        let person = self.store.person(user).await?.ok_or(AccessError::Hidden)?;
        let entry = grant.entry(self.clock.wall(), What::SessionRevoked);
        let entry = entry.in_agency(person.user.agency);
        match one {
            None => drop(self.store.end_sessions_of(user, entry.on(user)).await?),
            Some(id) => {
                let ended = self.store.end_session_of(user, id, entry.on(id));
                if !ended.await? {
                    return Err(AccessError::Hidden.into());
                }
            }
        }
        Ok(())
    }

    /// Removes a person's second factor and ends all their sessions.
    ///
    /// # Errors
    /// The change is refused.
    pub async fn reset_second_factor(
        &self,
        grant: &AdminGrant,
        user: UserId,
    ) -> Result<(), UserError> {
        grant.for_deed(Deed::ManageUsers)?;
        let change = Change::ResetCredentials(user);
        let what = What::SecondFactorRemoved;
        self.make(grant, change, None, what, user, Value::Null)
            .await?;
        Ok(())
    }

    /// Ends the wait after wrong passwords of a person.
    ///
    /// # Errors
    /// The person does not exist for the actor, or may do more.
    pub async fn unlock(&self, grant: &AdminGrant, user: UserId) -> Result<bool, UserError> {
        grant.for_deed(Deed::ManageUsers)?;
        self.may_reset(grant, user).await?;
        let person = self.store.person(user).await?.ok_or(AccessError::Hidden)?;
        let entry = grant
            .entry(self.clock.wall(), What::SignInUnlocked)
            .on(user);
        Ok(self.credentials.unlock(&person.user, entry).await?)
    }

    /// Whether what a person signs in with could be reset: the rule for everything that throws
    /// somebody out.
    async fn may_reset(&self, grant: &AdminGrant, user: UserId) -> Result<(), UserError> {
        let permissions = grant.permissions();
        let author = Author {
            user: grant.user_id(),
            permissions: &permissions,
        };
        let directory = self.store.directory().await?;
        let change = Change::ResetCredentials(user);
        let allowed = directory.after(author, &change);
        allowed.inspect_err(|refusal| {
            self.note_refused(grant, &directory, &change, refusal, &user.to_string());
        })?;
        Ok(())
    }
}

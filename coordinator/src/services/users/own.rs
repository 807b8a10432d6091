//! What people look at and change of their own account.

use secrecy::SecretString;
use serde_json::json;

use super::{TRIES, UserError, Users, found, known_of};
use crate::domain::audit::What;
use crate::domain::directory::{Change, Directory};
use crate::domain::user::{Language, User};
use crate::services::access::Actor;

impl Users {
    /// Whoever asks, as they stand in the directory.
    ///
    /// # Errors
    /// The store failed.
    pub async fn own(&self, actor: &Actor) -> Result<(Directory, User), UserError> {
        found(self.store.directory().await?, actor.user_id())
    }

    /// In which they want the pages; `None` until they have chosen.
    ///
    /// # Errors
    /// The store failed.
    pub async fn language(&self, actor: &Actor) -> Result<Option<Language>, UserError> {
        Ok(self.store.language(actor.user_id()).await?)
    }

    /// Keeps a language with one's account, for whichever machine one comes from next.
    ///
    /// # Errors
    /// A machine asks, or the store failed.
    pub async fn set_language(&self, actor: &Actor, language: Language) -> Result<(), UserError> {
        actor.in_person()?;
        let before = self.store.language(actor.user_id()).await?;
        let details = json!({ "language": { "from": before, "to": language } });
        let entry = actor.entry(self.clock.wall(), What::UserChanged);
        let entry = entry.on(actor.user_id()).with(details);
        let kept = self.store.set_language(actor.user_id(), language, entry);
        kept.await?;
        Ok(())
    }

    /// Sets one's own password and ends all one's sessions, this one included.
    ///
    /// # Errors
    /// The old one is wrong, or the new one too short or too long.
    pub async fn set_own_password(
        &self,
        actor: &Actor,
        old: SecretString,
        new: SecretString,
    ) -> Result<(), UserError> {
        actor.in_person()?;
        self.credentials.confirm_password(actor, old).await?;
        let hash = self.hash(new, &known_of(actor.user())).await?;
        for _ in 0..TRIES {
            let seen = self.store.directory().await?.revision;
            let change = Change::ResetCredentials(actor.user_id());
            let entry = actor.entry(self.clock.wall(), What::PasswordSet);
            let entry = entry.on(actor.user_id());
            let written = self
                .store
                .change_directory(seen, change, Some(hash.clone()), entry);
            if written.await? {
                return Ok(());
            }
        }
        Err(UserError::Restless)
    }
}

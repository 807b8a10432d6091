//! API tokens: standing sign-ins of machines, with a name and scopes that only ever narrow what
//! their owner may do.

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use shared::hash::Sha256;
use shared::id::{SessionId, UserId};
use shared::time::WallTime;

use super::{Access, AccessError, Actor, AdminGrant};
use crate::domain::access::{Deed, Rule};
use crate::domain::audit::What;
use crate::domain::text::Line;
use crate::domain::token::{ApiToken, MAX_API_TOKEN_LIFE, MAX_API_TOKENS, api_text};
use crate::domain::user::{Session, SessionKind};
use crate::services::users::random_bytes;
use crate::stores::StoreError;

/// Scopes of one token.
const MAX_SCOPES: usize = 50;

/// What a machine shall have.
#[derive(Clone, Debug)]
pub struct NewApiToken {
    pub name: Line<64>,
    /// None: everything that its owner may do.
    pub scopes: Vec<Rule>,
    pub valid_for: Duration,
}

#[derive(Debug, thiserror::Error)]
pub enum ApiTokenError {
    #[error(transparent)]
    Access(#[from] AccessError),
    #[error("a token has at most {MAX_SCOPES} scopes, and none that begins with `!`")]
    Scopes,
    #[error("a token is good for an hour at least and {} days at most", MAX_API_TOKEN_LIFE.as_secs() / 86_400)]
    Life,
    #[error("there are {MAX_API_TOKENS} tokens already; revoke one first")]
    TooMany,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Access {
    /// Makes a token of the actor's own; its text is told this once.
    ///
    /// # Errors
    /// A value is not allowed, there are too many, or the actor is a machine itself: a narrow token
    /// could otherwise make itself a wide one.
    pub async fn create_api_token(
        &self,
        actor: &Actor,
        new: NewApiToken,
    ) -> Result<(ApiToken, SecretString), ApiTokenError> {
        actor.in_person()?;
        let denies = |rule: &Rule| matches!(rule, Rule::Deny(_));
        if new.scopes.len() > MAX_SCOPES || new.scopes.iter().any(denies) {
            return Err(ApiTokenError::Scopes);
        }
        if new.valid_for < Duration::from_secs(3600) || new.valid_for > MAX_API_TOKEN_LIFE {
            return Err(ApiTokenError::Life);
        }
        let now = self.clock.wall();
        let text = api_text(&random_bytes());
        let scopes: Vec<String> = new.scopes.iter().map(ToString::to_string).collect();
        let token = ApiToken {
            name: new.name.to_string(),
            session: Session {
                id: SessionId::new(now),
                user: actor.user_id(),
                token: Sha256::of(text.expose_secret().as_bytes()),
                created_at: now,
                last_seen: now,
                origin: actor.origin().clone(),
                kind: SessionKind::Machine {
                    expires_at: now + new.valid_for,
                    scopes: scopes.clone(),
                },
            },
        };
        let entry = actor.entry(now, What::ApiTokenCreated).on(token.session.id);
        let entry = entry.with(json!({ "name": token.name, "scopes": scopes }));
        let created = self
            .store
            .create_api_token(token.clone(), MAX_API_TOKENS, entry);
        if !created.await? {
            return Err(ApiTokenError::TooMany);
        }
        Ok((token, text))
    }

    /// The actor's own, newest first.
    ///
    /// # Errors
    /// The store failed.
    pub async fn own_api_tokens(&self, actor: &Actor) -> Result<Vec<ApiToken>, AccessError> {
        Ok(self.store.api_tokens(Some(actor.user_id())).await?)
    }

    /// Those of somebody else.
    ///
    /// # Errors
    /// The grant is for something else.
    pub async fn api_tokens_of(
        &self,
        grant: &AdminGrant,
        user: UserId,
    ) -> Result<Vec<ApiToken>, AccessError> {
        grant.for_deed(Deed::ManageTokens)?;
        Ok(self.store.api_tokens(Some(user)).await?)
    }

    /// Ends a token of the actor's own.
    ///
    /// # Errors
    /// Hidden when there is none of that id.
    pub async fn revoke_own_api_token(
        &self,
        actor: &Actor,
        id: SessionId,
    ) -> Result<(), AccessError> {
        actor.in_person()?;
        let entry = actor.entry(self.clock.wall(), What::ApiTokenRevoked).on(id);
        let tokens = self.store.api_tokens(Some(actor.user_id())).await?;
        if !tokens.iter().any(|token| token.session.id == id) {
            return Err(AccessError::Hidden);
        }
        Ok(self.store.end_session(id, entry).await?)
    }

    /// Ends a token of somebody else.
    ///
    /// # Errors
    /// The grant is for something else; hidden when there is none of that id.
    pub async fn revoke_api_token(
        &self,
        grant: &AdminGrant,
        id: SessionId,
    ) -> Result<(), AccessError> {
        grant.for_deed(Deed::ManageTokens)?;
        let entry = grant.entry(self.clock.wall(), What::ApiTokenRevoked).on(id);
        let tokens = self.store.api_tokens(None).await?;
        if !tokens.iter().any(|token| token.session.id == id) {
            return Err(AccessError::Hidden);
        }
        Ok(self.store.end_session(id, entry).await?)
    }

    /// The actor's own sessions that are live, newest first; without tokens of machines.
    ///
    /// # Errors
    /// The store failed.
    pub async fn own_sessions(&self, actor: &Actor) -> Result<Vec<Session>, AccessError> {
        self.live_sessions(actor.user_id()).await
    }

    /// Ends one of the actor's own.
    ///
    /// # Errors
    /// Hidden when there is none of that id.
    pub async fn end_own_session(&self, actor: &Actor, id: SessionId) -> Result<(), AccessError> {
        actor.in_person()?;
        let what = if id == actor.session() {
            What::SignedOut
        } else {
            What::SessionRevoked
        };
        let entry = actor.entry(self.clock.wall(), what).on(id);
        let ended = self.store.end_session_of(actor.user_id(), id, entry);
        if ended.await? {
            Ok(())
        } else {
            Err(AccessError::Hidden)
        }
    }

    pub(in crate::services) async fn live_sessions(
        &self,
        user: UserId,
    ) -> Result<Vec<Session>, AccessError> {
        let now: WallTime = self.clock.wall();
        let mut sessions = self.store.sessions_of(user).await?;
        sessions.retain(|session| {
            session.is_live(now) && !matches!(session.kind, SessionKind::Machine { .. })
        });
        Ok(sessions)
    }
}

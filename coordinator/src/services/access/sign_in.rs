//! Signing in: what somebody gets who has proven who they are.

use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use shared::hash::Sha256;
use shared::id::SessionId;
use shared::time::WallTime;

use super::actor::{Actor, Door};
use super::{Access, AccessError, BadToken, SessionToken};
use crate::domain::access::{Action, Kind, Rule, Scope};
use crate::domain::audit::{Origin, What};
use crate::domain::token::{Presented, RefreshFamily, read_refresh, refresh_text};
use crate::domain::user::{Session, SessionKind};
use crate::services::credentials::{Proven, SignInError};
use crate::services::tokens::TokenError;
use crate::services::tokens::claims::Bearer;
use crate::services::users::random_bytes;
use crate::stores::StoreError;

/// How often a refresh is tried again because another request was faster.
const TRIES: usize = 3;

/// What a right password leads to.
#[derive(Debug)]
pub enum SignIn {
    Done(Box<SignedIn>),
    /// A code is wanted; the token finishes the sign-in with it.
    CodeWanted {
        token: SessionToken,
    },
}

impl SignIn {
    /// The session, if no code is wanted.
    pub fn done(self) -> Option<SignedIn> {
        match self {
            Self::Done(signed_in) => Some(*signed_in),
            Self::CodeWanted { .. } => None,
        }
    }
}

/// A fresh session.
#[derive(Debug)]
pub struct SignedIn {
    pub token: SessionToken,
    pub actor: Actor,
}

/// What a program gets.
#[derive(Debug)]
pub struct Issued {
    pub access: SecretString,
    pub access_ends: WallTime,
    pub refresh: SecretString,
    /// If it is not used before.
    pub refresh_ends: WallTime,
}

#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    #[error(transparent)]
    SignIn(#[from] SignInError),
    #[error(transparent)]
    Access(#[from] AccessError),
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Access {
    /// Begins a browser's session, or asks for a code. Takes the same time whether the login exists
    /// or not.
    ///
    /// # Errors
    /// Wrong credentials, or too many attempts.
    pub async fn sign_in(
        &self,
        login: &str,
        password: SecretString,
        origin: Origin,
    ) -> Result<SignIn, SignInError> {
        let proven = self
            .credentials
            .check_password(login, password, &origin)
            .await?;
        self.check_local(&proven, &origin)?;
        if self.credentials.wants_code(proven.person.user.id).await? {
            let token = SessionToken::new();
            self.credentials.begin(token.hash(), &proven).await?;
            return Ok(SignIn::CodeWanted { token });
        }
        let signed_in = self.begin_session(proven, origin).await?;
        Ok(SignIn::Done(Box::new(signed_in)))
    }

    /// Finishes a sign-in that wanted a code. The session has a token of its own, whatever was
    /// presented before.
    ///
    /// # Errors
    /// The code is wrong, it is too late for it, or too many were tried.
    pub async fn finish_sign_in(
        &self,
        begun: &SessionToken,
        code: &str,
        origin: Origin,
    ) -> Result<SignedIn, SignInError> {
        let proven = self.credentials.finish(begun.hash(), code, &origin).await?;
        self.begin_session(proven, origin).await
    }

    /// Ends what a browser was signed in with before it signed in anew, be it somebody else's
    /// session: nobody goes on with a session that another may have put there or kept.
    ///
    /// # Errors
    /// The store failed.
    pub async fn leave(&self, before: &SessionToken, now_in: &Actor) -> Result<(), AccessError> {
        let before = match self.actor(before, now_in.origin().clone()).await {
            Ok(before) => before,
            Err(AccessError::Unauthenticated) => return Ok(()),
            Err(error) => return Err(error),
        };
        let entry = before.entry(self.clock.wall(), What::SignedOut);
        let entry = entry
            .on(before.session())
            .with(json!({ "signed_in_anew": now_in.session() }));
        Ok(self.store.end_session(before.session(), entry).await?)
    }

    /// Access and refresh token for a program, which gives login, password and code at once.
    ///
    /// # Errors
    /// Wrong credentials, too many attempts, or the code is missing.
    pub async fn issue(
        &self,
        login: &str,
        password: SecretString,
        code: Option<&str>,
        origin: Origin,
    ) -> Result<Issued, IssueError> {
        let proven = self
            .credentials
            .check_password(login, password, &origin)
            .await?;
        self.check_local(&proven, &origin)?;
        if self.credentials.wants_code(proven.person.user.id).await? {
            let code = code.ok_or(SignInError::CodeWanted)?;
            self.credentials
                .check_code(&proven.person, code, &origin)
                .await?;
        }
        let now = self.clock.wall();
        let id = SessionId::new(now);
        let refresh = refresh_text(id, &random_bytes());
        let session = Session {
            id,
            user: proven.person.user.id,
            kind: SessionKind::Client,
            // Of nothing that anybody has.
            token: Sha256::of(&random_bytes::<32>()),
            created_at: now,
            last_seen: now,
            origin: origin.clone(),
        };
        let family = RefreshFamily::new(id, Sha256::of(refresh.expose_secret().as_bytes()), now);
        self.credentials.settle(&proven).await?;
        let actor = Actor {
            person: Arc::new(proven.person.into()),
            door: Door::AccessToken(id),
            expires_at: session.expires_at(),
            origin,
        };
        let entry = actor.entry(now, What::SignedIn).on(id);
        let refresh_ends = family.expires_at();
        let created = self.store.create_family(session, family, entry);
        created.await?;
        let (access, access_ends) = self.tokens.sign(actor.user_id(), id, bearer(&actor))?;
        Ok(Issued {
            access,
            access_ends,
            refresh,
            refresh_ends,
        })
    }

    /// Exchanges a refresh token. One that was exchanged before ends the session: two hold what one
    /// was given.
    ///
    /// # Errors
    /// It is not good (any more).
    pub async fn refresh(&self, presented: &str, origin: Origin) -> Result<Issued, IssueError> {
        let unknown = || IssueError::Access(AccessError::Unauthenticated);
        let Some((id, token)) = read_refresh(presented) else {
            return Err(self.refuse_token(&origin, BadToken::Malformed).into());
        };
        for _ in 0..TRIES {
            let found = self.store.session(id).await?;
            let family = self.store.family(id).await?;
            let family = family.ok_or_else(unknown)?;
            let actor = self.check_session(found, origin.clone()).await?;
            let now = self.clock.wall();
            let refresh = refresh_text(id, &random_bytes());
            let successor = Sha256::of(refresh.expose_secret().as_bytes());
            let next = match family.present(token, successor, now) {
                Presented::Rotate(next) => next,
                Presented::Expired => return Err(unknown()),
                Presented::Theft => {
                    let entry = actor.entry(now, What::TokenStolen).on(id);
                    let ended = self.store.end_session(id, entry);
                    ended.await?;
                    return Err(unknown());
                }
            };
            let refresh_ends = next.expires_at();
            let rotated = self.store.rotate_family(family.newest, next);
            if rotated.await? {
                let touched = self.store.touch_session(id, now);
                touched.await?;
                let (access, access_ends) =
                    self.tokens.sign(actor.user_id(), id, bearer(&actor))?;
                return Ok(Issued {
                    access,
                    access_ends,
                    refresh,
                    refresh_ends,
                });
            }
        }
        Err(unknown())
    }

    /// Ends the session that a refresh token keeps alive, if it is one.
    ///
    /// # Errors
    /// The store failed.
    pub async fn revoke(&self, presented: &str, origin: Origin) -> Result<(), AccessError> {
        let Some((id, token)) = read_refresh(presented) else {
            return Ok(());
        };
        // Whoever has had any token of the family may end it, but must have had one.
        let family = self.store.family(id).await?;
        let had = family.is_some_and(|family| {
            let previous = family.previous.map(|(hash, _)| hash);
            family.newest == token || previous == Some(token)
        });
        let found = self.store.session(id).await?;
        if had && let Ok(actor) = self.check_session(found, origin).await {
            let entry = actor.entry(self.clock.wall(), What::SignedOut).on(id);
            self.store.end_session(id, entry).await?;
        }
        Ok(())
    }

    async fn begin_session(&self, proven: Proven, origin: Origin) -> Result<SignedIn, SignInError> {
        self.credentials.settle(&proven).await?;
        let now = self.clock.wall();
        let token = SessionToken::new();
        let session = Session {
            id: SessionId::new(now),
            user: proven.person.user.id,
            kind: SessionKind::Browser,
            token: token.hash(),
            created_at: now,
            last_seen: now,
            origin: origin.clone(),
        };
        let actor = Actor {
            person: Arc::new(proven.person.into()),
            door: Door::Session(session.id),
            expires_at: session.expires_at(),
            origin,
        };
        let entry = actor.entry(now, What::SignedIn).on(session.id);
        self.store.create_session(session, entry).await?;
        Ok(SignedIn { token, actor })
    }
}

/// What an access token says of somebody.
fn bearer(actor: &Actor) -> Bearer {
    let user = actor.user();
    let rules = actor.permissions().rules();
    let mut sources: Vec<String> = rules
        .iter()
        .filter_map(|rule| match rule {
            Rule::Allow(it)
                if it.kind.is_none_or(|kind| kind == Kind::Camera)
                    && it
                        .action
                        .is_none_or(|action| matches!(action, Action::View | Action::Admin)) =>
            {
                Some(&it.scope)
            }
            _ => None,
        })
        .map(|scope| match scope {
            // `own` was replaced by the agency when the permissions were made.
            Scope::Everything | Scope::Own => "*".to_owned(),
            Scope::Agency(code) => code.to_string(),
            Scope::Camera(id) => id.to_string(),
        })
        .collect();
    sources.dedup();
    Bearer {
        login_id: actor.login().to_owned(),
        employee_number: user.employee_number.as_ref().map(ToString::to_string),
        display_name: actor.display_name().to_owned(),
        email: user.email.as_ref().map(|email| email.as_str().to_owned()),
        agency: actor.agency().map(ToString::to_string),
        department: user.department.as_ref().map(ToString::to_string),
        permissions: rules.iter().map(ToString::to_string).collect(),
        camera_sources: sources,
    }
}

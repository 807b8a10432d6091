//! Access tokens: signing them, checking them, and the keys for both.
//!
//! A token that checks out here says who somebody *was* when it was signed. Whether they still may
//! come in is asked of the store by `services::access` at every request, so that a revocation does
//! not wait for the token to end.

pub mod claims;
pub mod foreign;
pub mod keys;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use data_encoding::BASE64URL_NOPAD;
use secrecy::SecretString;
use serde_json::json;
use shared::clock::Clock;
use shared::id::{SessionId, UserId};
use shared::time::WallTime;
use tokio::sync::Mutex;

use super::Parts;
use super::access::{AccessError, AdminGrant};
use super::users::random_bytes;
use crate::domain::access::Deed;
use crate::domain::audit::{Entry, What, Who};
use crate::domain::signing_key::{self, KeyDates, KeyPlan, StoredKey};
use crate::domain::token::ACCESS_LIFE;
use crate::stores::{SigningKeys, StoreError};
use claims::{Bearer, Claims};
use keys::{Ring, TokenHeader};

/// Longest token that is looked at. Ours are a few kilobytes: permissions make them long.
pub const MAX_TOKEN: usize = 16 * 1024;

/// How far another host's clock may be from ours, for tokens that begin "in the future".
const LEEWAY_SECONDS: i64 = 5;

#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Not one of ours, or changed on its way.
    #[error("this is not a token of this system")]
    Invalid,
    #[error("the token is signed with a key that is not published")]
    UnknownKey,
    #[error("the token has ended, or is not for this system")]
    Ended,
    #[error("{0}")]
    Key(&'static str),
    #[error("could not use a signing key: {0}")]
    Library(jsonwebtoken::errors::Error),
    #[error(transparent)]
    Access(#[from] AccessError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Signs and checks access tokens.
#[derive(Debug)]
pub struct Tokens {
    store: Arc<dyn SigningKeys>,
    clock: Arc<dyn Clock>,
    names: TokenNames,
    ring: ArcSwap<Ring>,
    /// One look at the store for a key we do not know; the time of the last.
    looked: Mutex<Option<WallTime>>,
}

/// What stands in tokens: those of one system are worth nothing to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenNames {
    /// `iss`.
    pub issuer: String,
    /// `aud`.
    pub audience: String,
}

impl Default for TokenNames {
    fn default() -> Self {
        Self {
            issuer: "rta-cctv".to_owned(),
            audience: "rta-cctv".to_owned(),
        }
    }
}

/// How often it is looked whether another process has changed the keys.
const FOLLOW: Duration = Duration::from_secs(1);

/// What somebody asks of the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// What time asks for.
    Due,
    /// A new key as soon as everybody can know it.
    Asked,
    /// A new key at once, and none of the old ones: one was stolen.
    Replacement,
}

impl Tokens {
    /// Without keys, until the first [`Tokens::rotate_when_due`].
    ///
    /// # Errors
    /// Never for an empty list of keys.
    pub(super) fn new(parts: &Parts, names: TokenNames) -> Result<Self, TokenError> {
        let store: Arc<dyn SigningKeys> = parts.store.clone();
        Self::over(store, parts.clock.clone(), names)
    }

    fn over(
        store: Arc<dyn SigningKeys>,
        clock: Arc<dyn Clock>,
        names: TokenNames,
    ) -> Result<Self, TokenError> {
        Ok(Self {
            store,
            clock,
            names,
            ring: ArcSwap::from_pointee(Ring::new(&[])?),
            looked: Mutex::default(),
        })
    }

    /// Carries out what time asks for, and loads the keys.
    ///
    /// # Errors
    /// The store failed, or holds a key that is damaged.
    pub async fn rotate_when_due(&self) -> Result<(), TokenError> {
        let entry = Entry::new(self.clock.wall(), Who::System, What::KeysRotated);
        self.change_keys(Rotation::Due, entry).await
    }

    /// Carries out what somebody asks for.
    ///
    /// # Errors
    /// The grant is for something else, the store failed, or holds a key that is damaged.
    pub async fn rotate(&self, grant: &AdminGrant, rotation: Rotation) -> Result<(), TokenError> {
        grant.for_deed(Deed::ConfigureSystem)?;
        let entry = grant.entry(self.clock.wall(), What::KeysRotated);
        self.change_keys(rotation, entry).await
    }

    /// Takes over what another process has done to the keys, until dropped: one that was stolen must
    /// not be believed any longer.
    pub(in crate::services) async fn follow(&self) {
        let mut ticks = tokio::time::interval(FOLLOW);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Err(error) = self.load().await {
                tracing::warn!(%error, "the keys of access tokens could not be looked for");
            }
        }
    }

    /// Loads the keys as they are now.
    ///
    /// # Errors
    /// The store failed, or holds a key that is damaged.
    pub async fn load(&self) -> Result<(), TokenError> {
        let stored = self.store.signing_keys().await?;
        let known = self.keys();
        if !stored.iter().map(|key| &key.dates).eq(known.iter()) {
            self.ring.store(Arc::new(Ring::new(&stored)?));
            tracing::info!(
                keys = stored.len(),
                "other keys of access tokens were loaded"
            );
        }
        Ok(())
    }

    /// Repeated until no other coordinator has changed the keys meanwhile.
    async fn change_keys(&self, rotation: Rotation, entry: Entry) -> Result<(), TokenError> {
        loop {
            let stored = self.store.signing_keys().await?;
            let dates: Vec<KeyDates> = stored.iter().map(|key| key.dates.clone()).collect();
            let now = self.clock.wall();
            let plan = match rotation {
                Rotation::Due => signing_key::plan(&dates, now),
                Rotation::Asked => signing_key::rotation(&dates, now),
                Rotation::Replacement => signing_key::replacement(&dates, now),
            };
            if plan == KeyPlan::default() {
                self.ring.store(Arc::new(Ring::new(&stored)?));
                return Ok(());
            }
            let made = match plan.make {
                Some(signs_from) => Some(generate(signs_from).await?),
                None => None,
            };
            let seen = dates.into_iter().map(|key| key.kid).collect();
            let entry = entry.clone().with(json!({
                "made": made.as_ref().map(|key| &key.dates.kid),
                "removed": plan.remove,
            }));
            let changed = self
                .store
                .change_signing_keys(seen, made, plan.remove, entry);
            if changed.await? {
                let stored = self.store.signing_keys().await?;
                self.ring.store(Arc::new(Ring::new(&stored)?));
                return Ok(());
            }
        }
    }

    /// The published list of keys (RFC 7517), as JSON.
    pub fn list(&self) -> Arc<str> {
        self.ring.load().list()
    }

    /// Keys that are published, and from when they sign.
    pub fn keys(&self) -> Vec<KeyDates> {
        self.ring.load().dates()
    }

    /// Signs a token; returned with when it ends. About a millisecond of a core.
    ///
    /// # Errors
    /// The library failed.
    pub fn sign(
        &self,
        user: UserId,
        session: SessionId,
        bearer: Bearer,
    ) -> Result<(SecretString, WallTime), TokenError> {
        let now = self.clock.wall();
        let ends = now + ACCESS_LIFE;
        let claims = Claims {
            iss: self.names.issuer.clone(),
            aud: self.names.audience.clone(),
            sub: user,
            iat: seconds(now),
            nbf: seconds(now),
            exp: seconds(ends),
            jti: BASE64URL_NOPAD.encode(&random_bytes::<16>()),
            sid: session,
            login_id: bearer.login_id,
            employee_number: bearer.employee_number,
            display_name: bearer.display_name,
            email: bearer.email,
            agency: bearer.agency,
            department: bearer.department,
            permissions: bearer.permissions,
            camera_sources: bearer.camera_sources,
        };
        let token = self.ring.load().sign(&claims, now)?;
        Ok((token.into(), ends))
    }

    /// What a token says, if it is one of ours and now is its time.
    ///
    /// # Errors
    /// It is not, or the store failed when asked for a key that is new.
    pub async fn check(&self, token: &str) -> Result<Claims, TokenError> {
        if token.len() > MAX_TOKEN {
            return Err(TokenError::Invalid);
        }
        let header = TokenHeader::read(token).ok_or(TokenError::Invalid)?;
        let now = self.clock.wall();
        if !self.ring.load().knows(&header.kid) {
            self.look_for_keys(now).await?;
        }
        let claims = self.ring.load().open(token, &header)?;
        let time = seconds(now);
        let good = claims.iss == self.names.issuer
            && claims.aud == self.names.audience
            && time < claims.exp
            && claims.nbf <= time.saturating_add(LEEWAY_SECONDS);
        good.then_some(claims).ok_or(TokenError::Ended)
    }

    /// Another coordinator may have made a key. At most once a second, because anybody can name a
    /// key that nobody has.
    async fn look_for_keys(&self, now: WallTime) -> Result<(), TokenError> {
        let mut looked = self.looked.lock().await;
        if looked.is_some_and(|at| now.micros_since(at).unsigned_abs() < 1_000_000) {
            return Ok(());
        }
        *looked = Some(now);
        self.load().await
    }
}

async fn generate(signs_from: WallTime) -> Result<StoredKey, TokenError> {
    let made = tokio::task::spawn_blocking(move || keys::generate(signs_from));
    made.await
        .map_err(|_| TokenError::Key("making an RSA key was interrupted"))?
}

const fn seconds(time: WallTime) -> i64 {
    time.as_micros().div_euclid(1_000_000)
}

#[cfg(test)]
mod tests;

//! The families of tables behind signing in: attempts, second factors, tokens and their keys.

use std::fmt::Debug;
use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use shared::hash::Sha256;
use shared::id::{SessionId, UserId};
use shared::time::WallTime;

use super::Result;
use crate::domain::audit::Entry;
use crate::domain::lockout;
use crate::domain::second_factor::SecondFactor;
use crate::domain::signing_key::StoredKey;
use crate::domain::token::{ApiToken, RefreshFamily};
use crate::domain::user::{Login, Session};

/// Attempts to sign in, and where accounts have signed in.
#[async_trait]
pub trait Attempts {
    /// Counts an attempt under every key, unless under one of them is to be waited: then nothing
    /// changes, and it says how long.
    async fn attempt(&self, keys: Vec<lockout::Key>, now: WallTime) -> Result<Option<Duration>>;
    /// Takes an attempt back that turned out right.
    async fn forgive(&self, keys: Vec<lockout::Key>) -> Result<()>;
    /// Forgets what was counted under these keys; `false` when nothing was.
    async fn clear_attempts(&self, keys: Vec<lockout::Key>, audit: Entry) -> Result<bool>;
    /// Where an account has signed in, as far as it is remembered.
    async fn places(&self, user: UserId) -> Result<Vec<IpAddr>>;
    /// Whether an account has signed in from a network since then.
    async fn has_signed_in_at(
        &self,
        login: Login,
        network: IpAddr,
        since: WallTime,
    ) -> Result<bool>;
    /// Remembers that it has. Of each account the newest few are kept.
    async fn signed_in_at(&self, user: UserId, network: IpAddr, now: WallTime) -> Result<()>;
    /// Replaces the hash of a password by a stronger one of the same password; `false` when the
    /// password was set meanwhile.
    async fn upgrade_hash(&self, user: UserId, seen: String, stronger: String) -> Result<bool>;
    /// Removes counts that were last added to before `forgotten`, and sign-ins that were begun
    /// before `unfinished`.
    async fn purge_attempts(&self, forgotten: WallTime, unfinished: WallTime) -> Result<u64>;
    /// Remembers who has given the right password and owes a code, under the hash of a token.
    async fn begin_sign_in(&self, token: Sha256, user: UserId, now: WallTime) -> Result<()>;
    /// Who owes the code, if they gave the password since then.
    async fn begun_sign_in(&self, token: Sha256, since: WallTime) -> Result<Option<UserId>>;
    /// `false` when somebody else has ended it.
    async fn end_sign_in(&self, token: Sha256) -> Result<bool>;
}

/// Authenticator apps and recovery codes.
#[async_trait]
pub trait SecondFactors {
    async fn second_factor(&self, user: UserId) -> Result<Option<SecondFactor>>;
    /// Keeps a new secret until it is confirmed; `false` when the user has a confirmed one.
    async fn offer_second_factor(&self, factor: SecondFactor, now: WallTime) -> Result<bool>;
    /// From now on a code is asked for. `step` is used up. `false` when nothing waits to be
    /// confirmed.
    async fn confirm_second_factor(
        &self,
        user: UserId,
        step: u64,
        recovery: Vec<Sha256>,
        audit: Entry,
    ) -> Result<bool>;
    /// With all recovery codes; `false` when there is none.
    async fn remove_second_factor(&self, user: UserId, audit: Entry) -> Result<bool>;
    /// Uses up a step; `false` when it or a later one is used up already.
    async fn use_step(&self, user: UserId, step: u64) -> Result<bool>;
    /// Uses up a recovery code; how many are left, or `None` when it is none of the user's.
    async fn use_recovery_code(
        &self,
        user: UserId,
        code: Sha256,
        audit: Entry,
    ) -> Result<Option<u32>>;
    /// `false` when there is no confirmed second factor.
    async fn replace_recovery_codes(
        &self,
        user: UserId,
        codes: Vec<Sha256>,
        audit: Entry,
    ) -> Result<bool>;
    async fn recovery_codes_left(&self, user: UserId) -> Result<u32>;
}

/// Refresh tokens; each family belongs to a session and ends with it.
#[async_trait]
pub trait RefreshTokens {
    /// Begins the session that the family keeps alive.
    async fn create_family(
        &self,
        session: Session,
        family: RefreshFamily,
        audit: Entry,
    ) -> Result<()>;
    async fn family(&self, session: SessionId) -> Result<Option<RefreshFamily>>;
    /// `false` when `seen` is no longer the newest token.
    async fn rotate_family(&self, seen: Sha256, family: RefreshFamily) -> Result<bool>;
}

/// Tokens of machines; each is a session with a name.
#[async_trait]
pub trait ApiTokens {
    /// `false` when its owner has `most` of them.
    async fn create_api_token(&self, token: ApiToken, most: u32, audit: Entry) -> Result<bool>;
    /// All of one person or of everybody, newest first.
    async fn api_tokens(&self, user: Option<UserId>) -> Result<Vec<ApiToken>>;
}

/// Keys of access tokens.
#[async_trait]
pub trait SigningKeys: Debug + Send + Sync {
    /// In the order in which they sign.
    async fn signing_keys(&self) -> Result<Vec<StoredKey>>;
    /// Adds the key and removes others, unless the keys are no longer those of `seen`; `false`
    /// then.
    async fn change_signing_keys(
        &self,
        seen: Vec<String>,
        made: Option<StoredKey>,
        remove: Vec<String>,
        audit: Entry,
    ) -> Result<bool>;
}

/// Messages from outside that must count once.
#[async_trait]
pub trait SeenMessages {
    async fn has_seen(&self, id: String) -> Result<bool>;
    /// Remembers a message's id and writes the entry about it; `false` when it is remembered already.
    /// Forgets those from before `forget`.
    async fn see(&self, id: String, now: WallTime, forget: WallTime, audit: Entry) -> Result<bool>;
}

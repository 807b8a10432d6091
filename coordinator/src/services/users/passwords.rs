//! Passwords as they are kept: hashed, few at a time.

use std::sync::Arc;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use ring::rand::{SecureRandom, SystemRandom};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;

use super::UserError;
use crate::domain::user::{MAX_PASSWORD_BYTES, MIN_PASSWORD_CHARS};
use crate::services::access::SignInError;

pub(super) fn check(password: &SecretString) -> Result<(), UserError> {
    let text = password.expose_secret();
    if text.chars().count() < MIN_PASSWORD_CHARS || text.len() > MAX_PASSWORD_BYTES {
        return Err(UserError::Password);
    }
    Ok(())
}

/// Random bytes from the operating system.
pub(in crate::services) fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .expect("the operating system has random numbers");
    bytes
}

/// Argon2id (RFC 9106) with the library's parameters (19 MiB, two passes), on blocking threads and
/// few at a time.
#[derive(Debug)]
pub(in crate::services) struct Passwords {
    turns: Arc<Semaphore>,
    /// Verified against when the login is unknown, so that the answer takes as long.
    decoy: String,
}

impl Passwords {
    /// Hashes at once; each takes 19 MiB and some 20 ms of a core.
    const AT_ONCE: usize = 4;

    pub(in crate::services) fn new() -> Result<Self, UserError> {
        Ok(Self {
            turns: Arc::new(Semaphore::new(Self::AT_ONCE)),
            decoy: hash(&random_bytes::<32>())?,
        })
    }

    pub(super) async fn hash(&self, password: SecretString) -> Result<String, UserError> {
        let _turn = self.turns.acquire().await;
        let hashed = tokio::task::spawn_blocking(move || hash(password.expose_secret().as_bytes()));
        hashed.await.map_err(|error| UserError::Hash {
            message: error.to_string(),
        })?
    }

    /// Whether `password` has the hash; without one, the same work is done and the answer is no.
    pub(in crate::services) async fn verify(
        &self,
        password: SecretString,
        hash: Option<String>,
    ) -> Result<bool, SignInError> {
        let turn = Arc::clone(&self.turns)
            .try_acquire_owned()
            .map_err(|_| SignInError::TooMany)?;
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.decoy.clone());
        let verified = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let password = password.expose_secret().as_bytes();
            let password = &password[..password.len().min(MAX_PASSWORD_BYTES)];
            PasswordHash::new(&hash)
                .is_ok_and(|hash| Argon2::default().verify_password(password, &hash).is_ok())
        });
        Ok(verified.await.unwrap_or(false) && known)
    }
}

fn hash(password: &[u8]) -> Result<String, UserError> {
    Argon2::default()
        .hash_password(password)
        .map(|hash| hash.to_string())
        .map_err(|error| UserError::Hash {
            message: error.to_string(),
        })
}

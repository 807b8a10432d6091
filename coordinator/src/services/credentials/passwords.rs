//! Passwords as they are kept: hashed, few at a time.

use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Argon2, Params};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::SignInError;
use crate::services::users::random_bytes;

/// Argon2id (RFC 9106) with the library's parameters (19 MiB, two passes), on blocking threads and
/// few at a time.
#[derive(Debug)]
pub(in crate::services) struct Passwords {
    turns: Arc<Semaphore>,
    /// Verified against when the login is unknown, so that the answer takes as long.
    decoy: Arc<str>,
}

/// The right to use 19 MiB and some 20 ms of a core.
pub(in crate::services) struct Turn {
    permit: OwnedSemaphorePermit,
    decoy: Arc<str>,
}

/// What came of a password.
#[derive(Debug, Default)]
pub(in crate::services) struct Checked {
    pub(in crate::services) right: bool,
    /// The same password under today's parameters, where its hash has others.
    pub(in crate::services) stronger: Option<String>,
}

#[derive(Clone, Debug, thiserror::Error)]
#[error("could not hash the password: {message}")]
pub struct HashError {
    message: String,
}

impl Passwords {
    const AT_ONCE: usize = 4;

    pub(in crate::services) fn new() -> Result<Self, HashError> {
        Ok(Self {
            turns: Arc::new(Semaphore::new(Self::AT_ONCE)),
            decoy: hash(&random_bytes::<32>())?.into(),
        })
    }

    /// Of a password in its normal form.
    pub(in crate::services) async fn hash(
        &self,
        password: SecretString,
    ) -> Result<String, HashError> {
        let _turn = self.turns.acquire().await;
        let hashed = tokio::task::spawn_blocking(move || hash(password.expose_secret().as_bytes()));
        hashed.await.map_err(|error| HashError {
            message: error.to_string(),
        })?
    }

    /// For checking one password, now or not at all: waiting for a turn would be a queue that
    /// anybody can fill.
    pub(in crate::services) fn turn(&self) -> Result<Turn, SignInError> {
        let permit = Arc::clone(&self.turns).try_acquire_owned();
        Ok(Turn {
            permit: permit.map_err(|_| SignInError::TooMany)?,
            decoy: Arc::clone(&self.decoy),
        })
    }
}

impl Turn {
    /// Whether `password`, in its normal form, has the hash; without one, the same work is done and
    /// the answer is no.
    pub(in crate::services) async fn verify(
        self,
        password: SecretString,
        hash: Option<String>,
    ) -> Checked {
        let known = hash.is_some();
        let checked = tokio::task::spawn_blocking(move || {
            let _permit = self.permit;
            check(&password, hash.as_deref().unwrap_or(&self.decoy))
        });
        let checked = checked.await.unwrap_or_default();
        if known { checked } else { Checked::default() }
    }
}

fn check(password: &SecretString, kept: &str) -> Checked {
    let password = password.expose_secret().as_bytes();
    let Ok(kept) = PasswordHash::new(kept) else {
        return Checked::default();
    };
    let ours = Argon2::default();
    if ours.verify_password(password, &kept).is_err() {
        return Checked::default();
    }
    let costs = |params: &Params| (params.m_cost(), params.t_cost(), params.p_cost());
    let kept_costs = Params::try_from(&kept).ok().as_ref().map(costs);
    let current = kept_costs == Some(costs(ours.params())) && kept.algorithm.as_str() == "argon2id";
    Checked {
        right: true,
        stronger: if current { None } else { hash(password).ok() },
    }
}

fn hash(password: &[u8]) -> Result<String, HashError> {
    Argon2::default()
        .hash_password(password)
        .map(|hash| hash.to_string())
        .map_err(|error| HashError {
            message: error.to_string(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_under_older_parameters_is_right_and_hashed_anew() {
        let passwords = Passwords::new().unwrap();
        let check = async |password: &str, hash: &str| {
            let turn = passwords.turn().unwrap();
            turn.verify(password.into(), Some(hash.to_owned())).await
        };
        let weak = Params::new(8 * 1024, 1, 1, None).unwrap();
        let weak = Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, weak);
        let weak = weak.hash_password(b"correct horse").unwrap().to_string();
        let checked = check("correct horse", &weak).await;
        assert!(checked.right);
        let stronger = checked.stronger.unwrap();
        let again = check("correct horse", &stronger).await;
        assert!(again.right && again.stronger.is_none());
        let wrong = check("correct horses", &weak).await;
        assert!(!wrong.right && wrong.stronger.is_none());
        assert!(!check("correct horse", "not a hash").await.right);
        let turn = passwords.turn().unwrap();
        assert!(!turn.verify("".into(), None).await.right);
    }

    #[tokio::test]
    async fn few_are_checked_at_once_and_others_told_so() {
        let passwords = Passwords::new().unwrap();
        let turns: Vec<_> = (0..Passwords::AT_ONCE).map(|_| passwords.turn()).collect();
        assert!(turns.iter().all(Result::is_ok));
        assert!(matches!(passwords.turn(), Err(SignInError::TooMany)));
        drop(turns);
        assert!(passwords.turn().is_ok());
    }
}

//! People and their passwords.

use std::sync::Arc;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use data_encoding::BASE32_NOPAD;
use ring::rand::{SecureRandom, SystemRandom};
use secrecy::{ExposeSecret, SecretString};
use shared::clock::Clock;
use shared::id::UserId;
use tokio::sync::Semaphore;

use super::Parts;
use super::access::{AccessError, AdminGrant, SignInError};
use crate::domain::access::{Deed, Role};
use crate::domain::agency::AgencyCode;
use crate::domain::audit::{Entry, What, Who};
use crate::domain::login::LoginError;
use crate::domain::user::{Login, MAX_PASSWORD_BYTES, MIN_PASSWORD_CHARS, User};
use crate::stores::{Store, StoreError};

/// Creates people and sets their passwords.
#[derive(Debug)]
pub struct Users {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    passwords: Arc<Passwords>,
}

/// The account made at the first start. The password is told this once.
#[derive(Debug)]
pub struct FirstAdministrator {
    pub login: String,
    pub password: SecretString,
}

/// Somebody to be created.
#[derive(Clone, Debug)]
pub struct NewUser {
    pub login: String,
    pub display_name: String,
    pub role: Role,
    pub agency: Option<AgencyCode>,
    pub password: SecretString,
}

#[derive(Debug, thiserror::Error)]
pub enum UserError {
    #[error(transparent)]
    Access(#[from] AccessError),
    #[error(transparent)]
    Login(#[from] LoginError),
    #[error("the login `{login}` is taken")]
    Taken { login: String },
    #[error("there is no login `{login}`")]
    Unknown { login: String },
    #[error(
        "a password has at least {MIN_PASSWORD_CHARS} characters and at most {MAX_PASSWORD_BYTES} bytes"
    )]
    Password,
    #[error("an operator belongs to an agency")]
    NoAgency,
    #[error("could not hash the password: {message}")]
    Hash { message: String },
    #[error(transparent)]
    Store(#[from] StoreError),
}

const FIRST_LOGIN: &str = "admin";

impl Users {
    pub(super) fn new(parts: &Parts, passwords: Arc<Passwords>) -> Self {
        Self {
            store: Arc::clone(&parts.store),
            clock: Arc::clone(&parts.clock),
            passwords,
        }
    }

    /// Creates the first administrator when there is nobody yet, with a random password that is
    /// returned this once.
    ///
    /// # Errors
    /// The store failed.
    pub async fn bootstrap(&self) -> Result<Option<FirstAdministrator>, UserError> {
        if !self.store.users().await?.is_empty() {
            return Ok(None);
        }
        let now = self.clock.wall();
        let login = Login::chosen(FIRST_LOGIN)?;
        // 100 random bits in letters and digits that are hard to confuse.
        let password = BASE32_NOPAD.encode(&random_bytes::<13>())[..20].to_ascii_lowercase();
        let password = SecretString::from(password);
        let hash = self.passwords.hash(password.clone()).await?;
        let user = User {
            id: UserId::new(now),
            login,
            display_name: "Administrator".to_owned(),
            role: Role::Administrator,
            agency: None,
            disabled: false,
        };
        let entry = Entry::new(now, Who::System, What::UserCreated).on(user.id);
        let created = self.store.create_first_user(user, hash, entry).await?;
        Ok(created.then_some(FirstAdministrator {
            login: FIRST_LOGIN.to_owned(),
            password,
        }))
    }

    /// # Errors
    /// A value is not allowed, or the login is taken.
    pub async fn create(&self, grant: &AdminGrant, new: NewUser) -> Result<User, UserError> {
        grant.for_deed(Deed::ManageUsers)?;
        let login = Login::chosen(&new.login)?;
        if new.role == Role::Operator && new.agency.is_none() {
            return Err(UserError::NoAgency);
        }
        check_password(&new.password)?;
        let now = self.clock.wall();
        let user = User {
            id: UserId::new(now),
            login,
            display_name: new.display_name,
            role: new.role,
            agency: new.agency,
            disabled: false,
        };
        let hash = self.passwords.hash(new.password).await?;
        let entry = grant.entry(now, What::UserCreated).on(user.id);
        if self.store.create_user(user.clone(), hash, entry).await? {
            Ok(user)
        } else {
            Err(UserError::Taken {
                login: user.login.as_str().to_owned(),
            })
        }
    }

    /// Sets a password and ends all sessions of its owner.
    ///
    /// # Errors
    /// The password is too short or too long, or the login unknown.
    pub async fn set_password(
        &self,
        grant: &AdminGrant,
        login: &str,
        password: SecretString,
    ) -> Result<(), UserError> {
        grant.for_deed(Deed::ManageUsers)?;
        check_password(&password)?;
        let unknown = || UserError::Unknown {
            login: login.chars().take(Login::MAX_LENGTH).collect(),
        };
        let known = Login::new(login).ok_or_else(unknown)?;
        let hash = self.passwords.hash(password).await?;
        let now = self.clock.wall();
        let entry = grant.entry(now, What::UserChanged).on(login);
        if self.store.set_password(known, hash, entry).await? {
            Ok(())
        } else {
            Err(unknown())
        }
    }

    /// By login.
    ///
    /// # Errors
    /// The store failed.
    pub async fn list(&self, grant: &AdminGrant) -> Result<Vec<User>, UserError> {
        grant.for_deed(Deed::ManageUsers)?;
        Ok(self.store.users().await?)
    }
}

fn check_password(password: &SecretString) -> Result<(), UserError> {
    let text = password.expose_secret();
    if text.chars().count() < MIN_PASSWORD_CHARS || text.len() > MAX_PASSWORD_BYTES {
        return Err(UserError::Password);
    }
    Ok(())
}

/// Random bytes from the operating system.
pub(super) fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .expect("the operating system has random numbers");
    bytes
}

/// Argon2id (RFC 9106) with the library's parameters (19 MiB, two passes), on blocking threads and
/// few at a time.
#[derive(Debug)]
pub(super) struct Passwords {
    turns: Arc<Semaphore>,
    /// Verified against when the login is unknown, so that the answer takes as long.
    decoy: String,
}

impl Passwords {
    /// Hashes at once; each takes 19 MiB and some 20 ms of a core.
    const AT_ONCE: usize = 4;

    pub(super) fn new() -> Result<Self, UserError> {
        Ok(Self {
            turns: Arc::new(Semaphore::new(Self::AT_ONCE)),
            decoy: hash(&random_bytes::<32>())?,
        })
    }

    async fn hash(&self, password: SecretString) -> Result<String, UserError> {
        let _turn = self.turns.acquire().await;
        let hashed = tokio::task::spawn_blocking(move || hash(password.expose_secret().as_bytes()));
        hashed.await.map_err(|error| UserError::Hash {
            message: error.to_string(),
        })?
    }

    /// Whether `password` has the hash; without one, the same work is done and the answer is no.
    pub(super) async fn verify(
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

#[cfg(test)]
mod tests {
    use super::super::testing::{PASSWORD, World};
    use super::*;
    use crate::domain::audit::Origin;

    #[tokio::test]
    async fn the_first_administrator_is_made_once_and_can_sign_in() {
        let world = World::new().await;
        let users = &world.services.users;
        let first = users.bootstrap().await.unwrap().unwrap();
        assert!(first.password.expose_secret().len() >= 20);
        assert!(users.bootstrap().await.unwrap().is_none());
        let access = &world.services.access;
        let password = first.password.clone();
        let signed_in = access
            .sign_in(&first.login, password, Origin::default())
            .await
            .unwrap();
        assert_eq!(signed_in.actor.role(), Role::Administrator);
        let grant = access.console(Deed::ManageUsers);
        users
            .set_password(&grant, "admin", PASSWORD.into())
            .await
            .unwrap();
        assert!(
            access
                .actor(&signed_in.token, Origin::default())
                .await
                .is_err(),
            "sessions end"
        );
        assert!(
            access
                .sign_in("admin", first.password, Origin::default())
                .await
                .is_err()
        );
        assert!(
            access
                .sign_in("admin", PASSWORD.into(), Origin::default())
                .await
                .is_ok()
        );
        let unknown = users.set_password(&grant, "nobody", PASSWORD.into()).await;
        assert!(matches!(unknown, Err(UserError::Unknown { .. })));
    }

    #[tokio::test]
    async fn what_makes_no_user_is_refused() {
        let world = World::new().await;
        let users = &world.services.users;
        let grant = world.services.access.console(Deed::ManageUsers);
        let good = NewUser {
            login: "layla".to_owned(),
            display_name: "Layla".to_owned(),
            role: Role::Operator,
            agency: Some("BUS".parse().unwrap()),
            password: PASSWORD.into(),
        };
        users.create(&grant, good.clone()).await.unwrap();
        let taken = users
            .create(
                &grant,
                NewUser {
                    login: "LAYLA".into(),
                    ..good.clone()
                },
            )
            .await;
        assert!(matches!(taken, Err(UserError::Taken { .. })));
        let short = NewUser {
            login: "a".into(),
            password: "short".into(),
            ..good.clone()
        };
        assert!(matches!(
            users.create(&grant, short).await,
            Err(UserError::Password)
        ));
        let lost = NewUser {
            login: "b".into(),
            agency: None,
            ..good.clone()
        };
        assert!(matches!(
            users.create(&grant, lost).await,
            Err(UserError::NoAgency)
        ));
        let nameless = NewUser {
            login: " ".into(),
            ..good
        };
        assert!(matches!(
            users.create(&grant, nameless).await,
            Err(UserError::Login(_))
        ));
        assert_eq!(users.list(&grant).await.unwrap().len(), 1);
    }
}

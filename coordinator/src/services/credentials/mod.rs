//! Proving who somebody is: a password, then a code where one is asked for, with waits after wrong
//! ones.
//!
//! What somebody who has proven it comes in with is the business of `access`.

mod codes;
mod passwords;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use serde_json::json;
use shared::clock::Clock;
use shared::time::WallTime;

pub use codes::{NewSecondFactor, SecondFactorError};
pub use passwords::HashError;
pub(super) use passwords::Passwords;

use super::audit::notes::Notes;
use super::{Figures, Parts};
use crate::domain::audit::refusals::{Asker, Kind};
use crate::domain::audit::{Entry, Origin, What, Who};
use crate::domain::lockout::{self, Counted, Key, PLACE_KNOWN};
use crate::domain::password;
use crate::domain::user::{Login, Status, User};
use crate::stores::{Person, Store, StoreError};

/// Checks passwords and codes.
#[derive(Debug)]
pub struct Credentials {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    figures: Arc<Figures>,
    notes: Arc<Notes>,
    passwords: Arc<Passwords>,
}

#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// Unknown login, wrong password or disabled account; which of them is not told.
    #[error("the login or the password is wrong")]
    Wrong,
    #[error("the code is wrong, or was used already")]
    WrongCode,
    /// The password is right, and not to be used: the settings want the identity provider.
    #[error("passwords of this system do not open for this account")]
    PasswordOff,
    /// The password is right, and a code is wanted with it.
    #[error("a code of the second factor is wanted")]
    CodeWanted,
    /// The password was given too long ago, or the sign-in is finished.
    #[error("begin the sign-in anew")]
    TooLate,
    /// Wrong too often; nothing was checked, right or not.
    #[error("wrong too often: wait {} s", wait.as_secs())]
    Wait { wait: Duration },
    /// Too many are being checked; nothing was checked.
    #[error("too many sign-ins at once")]
    TooMany,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Somebody who has given the right password, and what was counted before it was known to be right.
#[derive(Debug)]
pub(super) struct Proven {
    pub(super) person: Person,
    attempt: Attempt,
}

/// What an attempt counts for.
#[derive(Debug)]
struct Attempt {
    keys: Vec<Key>,
    network: Option<IpAddr>,
}

impl Credentials {
    pub(super) fn new(parts: &Parts, passwords: Arc<Passwords>) -> Self {
        Self {
            store: Arc::clone(&parts.store),
            clock: Arc::clone(&parts.clock),
            figures: Arc::clone(&parts.figures),
            notes: Arc::clone(&parts.notes),
            passwords,
        }
    }

    /// Takes the same time whether the login exists or not, and counts the same. The attempt stays
    /// counted until [`Credentials::settle`].
    ///
    /// # Errors
    /// Wrong credentials, or one has to wait.
    pub(super) async fn check_password(
        &self,
        typed: &str,
        password: SecretString,
        origin: &Origin,
    ) -> Result<Proven, SignInError> {
        // First, so that an attempt that cannot be looked at is not counted.
        let turn = self.passwords.turn()?;
        let login = Login::new(typed);
        let attempt = self.attempt(typed, login.as_ref(), origin).await?;
        let password = password::normalised(&password);
        let known = match login {
            Some(login) if password.is_some() => self.store.person_by_login(login).await?,
            _ => None,
        };
        let (person, hash) = known.unzip();
        let hash = hash.flatten();
        let password = password.unwrap_or_default();
        let checked = turn.verify(password, hash.clone()).await;
        let active = |person: &Person| person.user.status == Status::Active;
        let Some(person) = person.filter(|person| checked.right && active(person)) else {
            self.refuse(typed, Wrong::Password, origin).await?;
            return Err(SignInError::Wrong);
        };
        if let (Some(seen), Some(stronger)) = (hash, checked.stronger) {
            let store = &self.store;
            store.upgrade_hash(person.user.id, seen, stronger).await?;
        }
        Ok(Proven { person, attempt })
    }

    /// The attempt was right, all of it.
    pub(super) async fn settle(&self, proven: &Proven) -> Result<(), StoreError> {
        self.store.forgive(proven.attempt.keys.clone()).await?;
        if let Some(network) = proven.attempt.network {
            let (user, now) = (proven.person.user.id, self.clock.wall());
            self.store.signed_in_at(user, network, now).await?;
        }
        Ok(())
    }

    /// Counts an attempt, before anything is looked at.
    async fn attempt(
        &self,
        typed: &str,
        login: Option<&Login>,
        origin: &Origin,
    ) -> Result<Attempt, SignInError> {
        let now = self.clock.wall();
        let network = origin.address().map(lockout::network);
        let keys = self.counted(login, network, now).await?;
        match self.store.attempt(keys.clone(), now).await? {
            None => Ok(Attempt { keys, network }),
            Some(wait) => {
                self.refuse(typed, Wrong::TooOften, origin).await?;
                Err(SignInError::Wait { wait })
            }
        }
    }

    async fn counted(
        &self,
        login: Option<&Login>,
        network: Option<IpAddr>,
        now: WallTime,
    ) -> Result<Vec<Key>, StoreError> {
        let (store, since) = (&self.store, now - PLACE_KNOWN);
        if let (Some(login), Some(network)) = (login, network)
            && (store.has_signed_in_at(login.clone(), network, since)).await?
        {
            return Ok(vec![Counted::LoginAt(login, network).key()]);
        }
        let login = login.map(|login| Counted::Login(login).key());
        let network = network.map(|network| Counted::Address(network).key());
        Ok(login.into_iter().chain(network).collect())
    }

    /// Forgets wrong attempts at an account; `false` when there were none. Those of addresses stay.
    pub(super) async fn unlock(&self, user: &User, audit: Entry) -> Result<bool, StoreError> {
        let audit = audit.in_agency(user.agency.clone());
        let places = self.store.places(user.id).await?;
        let at = places
            .iter()
            .map(|network| Counted::LoginAt(&user.login, *network));
        let keys = at.chain([Counted::Login(&user.login)]);
        let keys = keys.map(|counted| counted.key()).collect();
        self.store.clear_attempts(keys, audit).await
    }

    /// Notes that somebody was refused: the first of a login, a network and a reason is in the audit
    /// before they are told, the others are gathered there.
    async fn refuse(&self, typed: &str, wrong: Wrong, origin: &Origin) -> Result<(), StoreError> {
        self.figures.sign_ins_refused.add(1);
        let asker = origin.address().map(lockout::network);
        // What cannot be anybody's is one: it can be spelled in any number of ways.
        let login = Login::new(typed).map_or_else(String::new, |login| login.skeleton());
        let kind = Kind {
            what: What::SignInRefused,
            asker: Some(asker.map_or(Asker::Nobody, Asker::Address)),
            asked: format!("{} {login}", wrong.name()),
        };
        let typed: String = typed.chars().take(Login::MAX_LENGTH).collect();
        let refused = Entry::new(self.clock.wall(), Who::System, kind.what);
        let refused = refused.with(json!({ "login": typed, "wrong": wrong.name() }));
        let refused = refused.from_origin(origin.clone());
        match self.notes.first_refused(kind, refused) {
            Some(first) => self.store.audit(vec![first]).await,
            None => Ok(()),
        }
    }
}

/// Why a sign-in was refused, as the audit says it.
#[derive(Clone, Copy, Debug)]
enum Wrong {
    Password,
    Code,
    /// Nothing was looked at.
    TooOften,
}

impl Wrong {
    const fn name(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Code => "code",
            Self::TooOften => "too_often",
        }
    }
}

//! The second factor: checking its codes, and looking after one's own.

use secrecy::SecretString;
use shared::hash::Sha256;
use shared::id::UserId;

use super::{Credentials, Proven, SignInError, Wrong};
use crate::domain::audit::{Entry, Origin, What, Who};
use crate::domain::second_factor::{
    Code, EnrolmentError, PATIENCE, RECOVERY_BYTES, RECOVERY_CODES, SecondFactor, recovery_code,
    recovery_hash,
};
use crate::domain::user::Status;
use crate::services::access::{AccessError, Actor};
use crate::services::users::random_bytes;
use crate::stores::{Person, StoreError};

/// What authenticator apps call us.
const ISSUER: &str = "RTA CCTV";

#[derive(Debug, thiserror::Error)]
pub enum SecondFactorError {
    #[error(transparent)]
    Access(#[from] AccessError),
    #[error("there is a second factor already; remove it first")]
    Exists,
    #[error("there is no second factor")]
    None,
    #[error(transparent)]
    SignIn(#[from] SignInError),
    #[error(transparent)]
    Enrolment(#[from] EnrolmentError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What an authenticator app is told, once.
#[derive(Clone, Debug)]
pub struct NewSecondFactor {
    /// `otpauth://…`, for a QR code.
    pub address: SecretString,
    /// In base32, for typing.
    pub secret: SecretString,
}

impl Credentials {
    /// Remembers that somebody has given their password and owes a code.
    pub(in crate::services) async fn begin(
        &self,
        token: Sha256,
        proven: &Proven,
    ) -> Result<(), StoreError> {
        let (user, now) = (proven.person.user.id, self.clock.wall());
        self.store.begin_sign_in(token, user, now).await
    }

    /// Whoever owes a code gives it; a sign-in that was begun is finished by one right code.
    ///
    /// # Errors
    /// The code is wrong, it is too late for it, or one has to wait.
    pub(in crate::services) async fn finish(
        &self,
        begun: Sha256,
        code: &str,
        origin: &Origin,
    ) -> Result<Proven, SignInError> {
        let since = self.clock.wall() - PATIENCE;
        let user = self.store.begun_sign_in(begun, since).await?;
        let person = self.store.person(user.ok_or(SignInError::TooLate)?).await?;
        let person = person
            .filter(|person| person.user.status == Status::Active)
            .ok_or(SignInError::TooLate)?;
        let login = &person.user.login;
        let attempt = self.attempt(login.as_str(), Some(login), origin).await?;
        self.check_code(&person, code, origin).await?;
        if !self.store.end_sign_in(begun).await? {
            return Err(SignInError::TooLate);
        }
        Ok(Proven { person, attempt })
    }

    /// Whether a code is asked for.
    pub(in crate::services) async fn wants_code(&self, user: UserId) -> Result<bool, StoreError> {
        let factor = self.store.second_factor(user).await?;
        Ok(factor.is_some_and(|factor| factor.confirmed))
    }

    /// Uses a code up.
    ///
    /// # Errors
    /// It is wrong, or was used already.
    pub(in crate::services) async fn check_code(
        &self,
        person: &Person,
        typed: &str,
        origin: &Origin,
    ) -> Result<(), SignInError> {
        let (user, now) = (person.user.id, self.clock.wall());
        let right = match Code::typed(typed) {
            None => false,
            Some(Code::Totp(digits)) => {
                let factor = self.store.second_factor(user).await?;
                let factor = factor.filter(|factor| factor.confirmed);
                match factor.and_then(|factor| factor.accepts(&digits, now)) {
                    Some(step) => self.store.use_step(user, step).await?,
                    None => false,
                }
            }
            Some(Code::Recovery(hash)) => {
                let entry = Entry::new(now, Who::User(user), What::RecoveryCodeUsed).on(user);
                let entry = entry.in_agency(person.user.agency.clone());
                let entry = entry.from_origin(origin.clone());
                let left = self.store.use_recovery_code(user, hash, entry);
                left.await?.is_some()
            }
        };
        if right {
            return Ok(());
        }
        let login = person.user.login.as_str();
        self.refuse(login, Wrong::Code, origin).await?;
        Err(SignInError::WrongCode)
    }

    /// Checks the password of somebody who is signed in, before they change what they sign in with.
    ///
    /// # Errors
    /// It is wrong, or one has to wait.
    pub async fn confirm_password(
        &self,
        actor: &Actor,
        password: SecretString,
    ) -> Result<(), SignInError> {
        let proven = self
            .check_password(actor.login(), password, actor.origin())
            .await?;
        Ok(self.settle(&proven).await?)
    }

    /// Makes a secret for the actor's authenticator app; it counts once [`Self::confirm`] has seen
    /// a code of it.
    ///
    /// # Errors
    /// The actor has a second factor already, or is a machine.
    pub async fn offer(&self, actor: &Actor) -> Result<NewSecondFactor, SecondFactorError> {
        actor.in_person()?;
        let factor = SecondFactor {
            user: actor.user_id(),
            secret: random_bytes(),
            confirmed: false,
            last_step: None,
        };
        let enrolment = factor.enrolment(ISSUER, actor.login())?;
        let offered = self.store.offer_second_factor(factor, self.clock.wall());
        if !offered.await? {
            return Err(SecondFactorError::Exists);
        }
        Ok(NewSecondFactor {
            address: enrolment.address,
            secret: enrolment.secret,
        })
    }

    /// From now on the actor is asked for a code. Returns recovery codes, this once.
    ///
    /// # Errors
    /// The code is wrong, or nothing waits to be confirmed.
    pub async fn confirm(
        &self,
        actor: &Actor,
        code: &str,
    ) -> Result<Vec<SecretString>, SecondFactorError> {
        actor.in_person()?;
        let (user, now) = (actor.user_id(), self.clock.wall());
        let offered = self.store.second_factor(user).await?;
        let factor = offered.ok_or(SecondFactorError::None)?;
        if factor.confirmed {
            return Err(SecondFactorError::Exists);
        }
        let Some(Code::Totp(digits)) = Code::typed(code) else {
            return Err(SignInError::WrongCode.into());
        };
        let step = factor.accepts(&digits, now).ok_or(SignInError::WrongCode)?;
        let (codes, hashes) = recovery_codes();
        let entry = actor.entry(now, What::SecondFactorAdded).on(user);
        let confirmed = self.store.confirm_second_factor(user, step, hashes, entry);
        if !confirmed.await? {
            return Err(SecondFactorError::None);
        }
        Ok(codes)
    }

    /// New recovery codes instead of the old ones, told this once.
    ///
    /// # Errors
    /// The actor has no second factor, or is a machine.
    pub async fn replace_recovery_codes(
        &self,
        actor: &Actor,
    ) -> Result<Vec<SecretString>, SecondFactorError> {
        actor.in_person()?;
        let (codes, hashes) = recovery_codes();
        let user = actor.user_id();
        let entry = actor
            .entry(self.clock.wall(), What::RecoveryCodesMade)
            .on(user);
        let replaced = self.store.replace_recovery_codes(user, hashes, entry);
        if !replaced.await? {
            return Err(SecondFactorError::None);
        }
        Ok(codes)
    }

    /// # Errors
    /// The password is wrong, or there is no second factor.
    pub async fn remove_own(
        &self,
        actor: &Actor,
        password: SecretString,
    ) -> Result<(), SecondFactorError> {
        actor.in_person()?;
        self.confirm_password(actor, password).await?;
        let user = actor.user_id();
        let entry = actor
            .entry(self.clock.wall(), What::SecondFactorRemoved)
            .on(user);
        if !self.store.remove_second_factor(user, entry).await? {
            return Err(SecondFactorError::None);
        }
        Ok(())
    }

    /// Whether the actor has one, and how many recovery codes are left.
    ///
    /// # Errors
    /// The store failed.
    pub async fn state(&self, actor: &Actor) -> Result<(bool, u32), SecondFactorError> {
        let user = actor.user_id();
        let wanted = self.wants_code(user).await?;
        Ok((wanted, self.store.recovery_codes_left(user).await?))
    }
}

fn recovery_codes() -> (Vec<SecretString>, Vec<Sha256>) {
    let codes = (0..RECOVERY_CODES).map(|_| recovery_code(random_bytes::<RECOVERY_BYTES>()));
    let codes: Vec<_> = codes.collect();
    let hashes = codes.iter().filter_map(recovery_hash).collect();
    (codes, hashes)
}

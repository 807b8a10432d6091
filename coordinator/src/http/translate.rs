//! From what services say went wrong to what the client is told: the one place.
//!
//! A failing store or a bug is logged here and told as [`Code::Internal`]; everything else is the
//! client's to know.

use super::error::{Code, Error};
use crate::domain::directory::Refusal;
use crate::domain::iam_event::EventRefusal;
use crate::services::access::{AccessError, ApiTokenError, IssueError, OutsideSignInError};
use crate::services::agents::AgentError;
use crate::services::audit::AuditError;
use crate::services::cameras::CameraError;
use crate::services::credentials::{SecondFactorError, SignInError};
use crate::services::edge_source::EdgeError;
use crate::services::iam_events::IamEventError;
use crate::services::live::LiveError;
use crate::services::outside::OutsideError;
use crate::services::playback::PlaybackError;
use crate::services::quotas::QuotaError;
use crate::services::storage::StorageError;
use crate::services::timeline::TimelineError;
use crate::services::users::UserError;
use crate::stores::StoreError;
use crate::stores::objects::ObjectError;

/// Seconds after which trying again makes sense when we are busy.
const BUSY_SECONDS: u64 = 2;

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Busy { .. } => {
                tracing::warn!(%error, "a request was put off");
                Self::new(Code::Overloaded).with_retry_after(BUSY_SECONDS)
            }
            StoreError::Closed => Self::new(Code::Unavailable),
            error => Self::internal(&error),
        }
    }
}

impl From<AccessError> for Error {
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::Unauthenticated => Code::Unauthenticated.into(),
            AccessError::Hidden => Code::NotFound.into(),
            AccessError::Forbidden => Code::Forbidden.into(),
            AccessError::Store(error) => error.into(),
        }
    }
}

impl From<SignInError> for Error {
    fn from(error: SignInError) -> Self {
        match error {
            SignInError::Wrong => Code::WrongCredentials.into(),
            SignInError::WrongCode => Code::WrongCode.into(),
            SignInError::PasswordOff => Code::PasswordSignInOff.into(),
            SignInError::CodeWanted => Code::SecondFactorWanted.into(),
            SignInError::TooLate => Code::SignInExpired.into(),
            SignInError::Wait { wait } => {
                // Rounded up: whoever comes a moment too early would be told to wait again.
                let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                Self::new(Code::TooManyAttempts).with_retry_after(seconds)
            }
            SignInError::TooMany => Self::new(Code::TooManyAttempts).with_retry_after(BUSY_SECONDS),
            SignInError::Store(error) => error.into(),
        }
    }
}

impl From<OutsideError> for Error {
    fn from(error: OutsideError) -> Self {
        let code = match &error {
            OutsideError::NoProvider => Code::NotFound,
            OutsideError::Unreachable(_) => Code::ProviderUnreachable,
            OutsideError::State => Code::SignInExpired,
            OutsideError::NotConfirmed(_) => Code::NotConfirmed,
            OutsideError::TooMany => {
                return Self::new(Code::Overloaded).with_retry_after(BUSY_SECONDS);
            }
        };
        // The reason is for the technician: it may name what is inside our network.
        tracing::info!(%error, "a sign-in at the identity provider did not succeed");
        code.into()
    }
}

impl From<OutsideSignInError> for Error {
    fn from(error: OutsideSignInError) -> Self {
        match error {
            OutsideSignInError::Outside(error) => error.into(),
            OutsideSignInError::Refused(refused) => {
                tracing::info!(%refused, "somebody whom the identity provider knows was refused");
                Code::NotAdmitted.into()
            }
            OutsideSignInError::Access(error) => error.into(),
            OutsideSignInError::Store(error) => error.into(),
        }
    }
}

impl From<IssueError> for Error {
    fn from(error: IssueError) -> Self {
        match error {
            IssueError::SignIn(error) => error.into(),
            IssueError::Access(error) => error.into(),
            IssueError::Token(error) => Self::internal(&error),
            IssueError::Store(error) => error.into(),
        }
    }
}

impl From<IamEventError> for Error {
    fn from(error: IamEventError) -> Self {
        let details = error.to_string();
        match error {
            IamEventError::NotConfigured => Self::new(Code::NotFound).with_details(details),
            IamEventError::Refused(refused) => {
                let code = match refused {
                    EventRefusal::Signature => Code::SignatureInvalid,
                    EventRefusal::Malformed(_) => Code::InvalidValue,
                    EventRefusal::Stale { .. } => Code::EventStale,
                };
                Self::new(code).with_details(details)
            }
            IamEventError::Repeated => Code::EventRepeated.into(),
            IamEventError::User(error) => error.into(),
            IamEventError::Store(error) => error.into(),
        }
    }
}

impl From<SecondFactorError> for Error {
    fn from(error: SecondFactorError) -> Self {
        match error {
            SecondFactorError::Access(error) => error.into(),
            SecondFactorError::Exists => Code::SecondFactorExists.into(),
            SecondFactorError::None => Code::NoSecondFactor.into(),
            SecondFactorError::SignIn(error) => error.into(),
            SecondFactorError::Enrolment(error) => Self::internal(&error),
            SecondFactorError::Store(error) => error.into(),
        }
    }
}

impl From<ApiTokenError> for Error {
    fn from(error: ApiTokenError) -> Self {
        match error {
            ApiTokenError::Access(error) => error.into(),
            ApiTokenError::Scopes | ApiTokenError::Life => {
                Self::new(Code::InvalidValue).with_details(error)
            }
            ApiTokenError::TooMany => Code::TooManyTokens.into(),
            ApiTokenError::Store(error) => error.into(),
        }
    }
}

impl From<EdgeError> for Error {
    fn from(error: EdgeError) -> Self {
        let code = match &error {
            EdgeError::Offline => Code::AgentOffline,
            EdgeError::NotFound { .. } => Code::Gone,
            EdgeError::Failed { .. } | EdgeError::Corrupt { .. } => Code::AgentFailed,
            EdgeError::TimedOut => Code::AgentTimeout,
            EdgeError::Overloaded => {
                return Self::new(Code::Overloaded).with_retry_after(BUSY_SECONDS);
            }
            EdgeError::Unsupported => Code::Unsupported,
        };
        tracing::info!(%error, "an agent did not do what was asked of it");
        Self::new(code).with_details(error)
    }
}

impl From<AgentError> for Error {
    fn from(error: AgentError) -> Self {
        match error {
            AgentError::Access(error) => error.into(),
            AgentError::Name { .. } | AgentError::Validity => {
                Self::new(Code::InvalidValue).with_details(error)
            }
            AgentError::Unknown { .. } => Code::NotFound.into(),
            AgentError::Store(error) => error.into(),
        }
    }
}

impl From<CameraError> for Error {
    fn from(error: CameraError) -> Self {
        match error {
            CameraError::Access(error) => error.into(),
            CameraError::Change(error) => Self::new(Code::InvalidValue).with_details(error),
            CameraError::Edge(error) => error.into(),
            CameraError::Store(error) => error.into(),
        }
    }
}

impl From<TimelineError> for Error {
    fn from(error: TimelineError) -> Self {
        match error {
            TimelineError::Access(error) => error.into(),
            TimelineError::TooLong => Self::new(Code::InvalidValue).with_details(error),
            TimelineError::Store(error) => error.into(),
        }
    }
}

impl From<AuditError> for Error {
    fn from(error: AuditError) -> Self {
        match error {
            AuditError::Access(error) => error.into(),
            AuditError::Broken(_) => Self::internal(&error),
            AuditError::Store(error) => error.into(),
        }
    }
}

impl From<QuotaError> for Error {
    fn from(error: QuotaError) -> Self {
        match error {
            QuotaError::Access(error) => error.into(),
            QuotaError::Reached(reached) => Self::reached(reached),
            QuotaError::Taken => Self::new(Code::Taken).with_details(error),
            QuotaError::Unknown => Self::new(Code::QuotaUnavailable).with_retry_after(BUSY_SECONDS),
            QuotaError::Ended => Code::NotFound.into(),
            QuotaError::Store(error) => error.into(),
        }
    }
}

impl From<LiveError> for Error {
    fn from(error: LiveError) -> Self {
        match error {
            LiveError::Access(error) => error.into(),
            LiveError::NoSuchStream => Self::new(Code::NotFound).with_details(error),
            LiveError::Quota(error) => error.into(),
        }
    }
}

impl From<StorageError> for Error {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Access(error) => error.into(),
            StorageError::Objects(error) => Self::internal(&error),
            StorageError::Store(error) => error.into(),
        }
    }
}

impl From<PlaybackError> for Error {
    fn from(error: PlaybackError) -> Self {
        match error {
            PlaybackError::Unauthenticated => Code::Unauthenticated.into(),
            PlaybackError::Hidden => Code::NotFound.into(),
            PlaybackError::Forbidden => Code::Forbidden.into(),
            PlaybackError::Range => Self::new(Code::InvalidValue).with_details(error),
            PlaybackError::LinkInvalid => Code::LinkInvalid.into(),
            PlaybackError::LinkExpired => Code::LinkExpired.into(),
            PlaybackError::NothingYet => Self::new(Code::NothingYet).with_retry_after(BUSY_SECONDS),
            PlaybackError::Gone => Code::Gone.into(),
            PlaybackError::OutOfRange { size } => Self::out_of_range(size),
            PlaybackError::Edge(error) => error.into(),
            PlaybackError::Objects(ObjectError::NotFound { .. }) => Code::Gone.into(),
            PlaybackError::Objects(error) => Self::internal(&error),
            PlaybackError::Store(error) => error.into(),
        }
    }
}

impl From<UserError> for Error {
    fn from(error: UserError) -> Self {
        match error {
            UserError::Access(error) => error.into(),
            UserError::Refused(refusal) => refusal.into(),
            UserError::Login(_) | UserError::TooMany { .. } => {
                Self::new(Code::InvalidValue).with_details(error)
            }
            UserError::Unknown { .. } => Code::NotFound.into(),
            UserError::Password(_) => Self::new(Code::WeakPassword).with_details(error),
            UserError::SignIn(SignInError::Wrong) => Code::WrongPassword.into(),
            UserError::SignIn(error) => error.into(),
            UserError::Restless => Self::new(Code::Overloaded).with_retry_after(BUSY_SECONDS),
            UserError::Hash(_) => Self::internal(&error),
            UserError::Store(error) => error.into(),
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let code = match &refusal {
            Refusal::Hidden => return Code::NotFound.into(),
            Refusal::Forbidden => return Code::Forbidden.into(),
            Refusal::Stale => return Code::Conflict.into(),
            Refusal::LastAdministrator => return Code::LastAdministrator.into(),
            Refusal::Yourself => return Code::OwnAccount.into(),
            Refusal::BuiltIn => return Code::BuiltIn.into(),
            Refusal::MoreThanOwn { .. } => Code::MoreThanOwn,
            Refusal::Unknown { .. } => Code::InvalidValue,
            Refusal::Taken { .. } => Code::Taken,
            Refusal::InUse { .. } => Code::InUse,
            Refusal::OtherAgency { .. } => Code::OtherAgency,
        };
        Self::new(code).with_details(refusal)
    }
}

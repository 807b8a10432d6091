//! People for whom somebody else vouches: how they come in, and what is written of it.
//!
//! Whether the word of an issuer is to be believed is found out in `services::outside`; who somebody
//! is here, and what changes with it, is decided in `domain::outside`.

use serde_json::{Value, json};
use shared::id::{SessionId, UserId};
use shared::time::WallTime;

use super::actor::{Actor, SessionToken};
use super::{Access, AccessError, SignedIn};
use crate::domain::access::Permissions;
use crate::domain::audit::refusals::{Asker, Kind};
use crate::domain::audit::{Entry, Origin, What, Who};
use crate::domain::directory::{Author, Change};
use crate::domain::lockout::network;
use crate::domain::outside::{
    Arrival, ArrivalRefusal, ClaimsError, Identity, LocalPath, Mapping, Vouched, arrive,
};
use crate::domain::user::{Session, SessionKind, User};
use crate::services::credentials::{Proven, SignInError};
use crate::services::outside::{CameBack, IssuerError, OutsideError};
use crate::services::tokens::foreign::ForeignError;
use crate::stores::{Admission, StoreError};

/// How often an admission is decided anew because somebody else was faster.
const TRIES: usize = 5;

/// Why somebody does not come in, though they came through an issuer.
#[derive(Debug, thiserror::Error)]
pub enum OutsideSignInError {
    #[error(transparent)]
    Outside(#[from] OutsideError),
    /// The issuer is believed, and still.
    #[error("{0}")]
    Refused(#[from] Refused),
    #[error(transparent)]
    Access(#[from] AccessError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why somebody may not come in whom an issuer vouches for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error(transparent)]
    Claims(#[from] ClaimsError),
    #[error(transparent)]
    Arrival(#[from] ArrivalRefusal),
    #[error("the token was issued before what the person had open was ended")]
    Ended,
    #[error("the directory keeps changing; try again")]
    Restless,
}

/// Whose word is taken, and how.
struct Vouch<'a> {
    vouched: Vouched,
    mapping: &'a Mapping,
    told_at: WallTime,
}

impl Access {
    /// Finishes a sign-in at the provider; with the place where the browser was going.
    ///
    /// # Errors
    /// It was not begun in this browser, the provider does not confirm it, or whoever it is may not
    /// come in.
    pub async fn sign_in_outside(
        &self,
        back: CameBack,
        origin: Origin,
    ) -> Result<(SignedIn, LocalPath), OutsideSignInError> {
        let issuer = self.outside.provider_issuer().unwrap_or_default();
        let finished = self.finish_outside(back, &origin).await;
        if let Err(error) = &finished
            && let Some(refusal) = Refusal::of_sign_in(error)
        {
            self.note_refused(What::SignInRefused, issuer, refusal, &origin);
        }
        finished
    }

    async fn finish_outside(
        &self,
        back: CameBack,
        origin: &Origin,
    ) -> Result<(SignedIn, LocalPath), OutsideSignInError> {
        let returned = self.outside.returned(&back)?;
        let now = self.clock.wall();
        let (state, forget) = returned.used(now);
        if !self.store.use_state(state, now, forget).await? {
            return Err(OutsideError::State.into());
        }
        let signed_in = self.outside.finish(returned, back).await?;
        let vouch = Vouch {
            vouched: signed_in.vouched.map_err(Refused::from)?,
            mapping: signed_in.mapping,
            told_at: signed_in.told_at,
        };
        let token = SessionToken::new();
        let id = SessionId::new(now);
        let session = |user| Session {
            id,
            user,
            kind: SessionKind::Browser,
            token: token.hash(),
            created_at: now,
            last_seen: now,
            origin: origin.clone(),
        };
        self.admit(&vouch, "oidc", session).await?;
        let actor = self.actor(&token, origin.clone()).await?;
        Ok((SignedIn { token, actor }, signed_in.next))
    }

    /// The person behind a token that somebody else has signed; `None` where nobody is known who
    /// signs such tokens.
    pub(super) async fn outside_bearer(
        &self,
        token: &str,
        origin: &Origin,
    ) -> Option<Result<Actor, AccessError>> {
        let (issuer, opened) = self.outside.open_token(token).await?;
        let refuse = |class, error: &dyn std::error::Error| {
            let refusal = Refusal { class, error };
            self.note_refused(What::TokenRefused, issuer, refusal, origin);
            Some(Err(AccessError::Unauthenticated))
        };
        let opened = match opened {
            Ok(opened) => opened,
            // What every program meets every few minutes.
            Err(IssuerError::Token(ForeignError::Ended)) => {
                return Some(Err(AccessError::Unauthenticated));
            }
            Err(error @ IssuerError::Token(_)) => return refuse("token", &error),
            Err(error @ IssuerError::Unreachable) => return refuse("unreachable", &error),
        };
        let vouch = match opened.vouched {
            Ok(vouched) => Vouch {
                vouched,
                mapping: opened.mapping,
                told_at: opened.issued_at,
            },
            Err(error) => return refuse("claims", &error),
        };
        let ends_at = opened.ends_at;
        let actor = match self.behind_vouch(&vouch, ends_at, origin).await {
            Ok(mut actor) => {
                actor.expires_at = actor.expires_at.min(ends_at);
                Ok(actor)
            }
            Err(OutsideSignInError::Refused(error)) => return refuse(error.class(), &error),
            Err(OutsideSignInError::Outside(_)) => Err(AccessError::Unauthenticated),
            Err(OutsideSignInError::Access(error)) => Err(error),
            Err(OutsideSignInError::Store(error)) => Err(error.into()),
        };
        Some(actor)
    }

    /// All tokens of an identity stand for one session, which is begun by the first and prolonged
    /// by newer ones; so it can be seen and ended like others, and then older tokens are worth
    /// nothing.
    async fn behind_vouch(
        &self,
        vouch: &Vouch<'_>,
        ends_at: WallTime,
        origin: &Origin,
    ) -> Result<Actor, OutsideSignInError> {
        let now = self.clock.wall();
        let identity = &vouch.vouched.identity;
        if let Some((link, standing)) = self.store.outside(identity.clone()).await? {
            if vouch.told_at < link.not_before {
                return Err(Refused::Ended.into());
            }
            let live = standing.filter(|(session, _)| session.is_live(now));
            if let Some(standing) = live.filter(|_| vouch.told_at <= link.told_at) {
                return Ok(self.check_session(Some(standing), origin.clone()).await?);
            }
        }
        let id = SessionId::new(now);
        let session = |user| Session {
            id,
            user,
            kind: SessionKind::Outside {
                expires_at: ends_at,
                issuer: identity.issuer().to_owned(),
            },
            token: identity.session_token(),
            created_at: now,
            last_seen: now,
            origin: origin.clone(),
        };
        self.admit(vouch, "token", session).await?;
        let standing = self.store.session_by_token(identity.session_token());
        Ok(self.check_session(standing.await?, origin.clone()).await?)
    }

    /// Decides who it is on the directory of one moment, and writes what follows from it if the
    /// directory is still that one; decides again otherwise.
    async fn admit(
        &self,
        vouch: &Vouch<'_>,
        by: &str,
        session: impl Fn(UserId) -> Session,
    ) -> Result<(), OutsideSignInError> {
        let identity = &vouch.vouched.identity;
        for _ in 0..TRIES {
            let now = self.clock.wall();
            let directory = self.store.directory().await?;
            let linked = self.store.outside(identity.clone()).await?;
            let linked = linked.map(|(link, _)| link.user);
            let arrival = arrive(&directory, linked, &vouch.vouched, vouch.mapping, now);
            let (user, change) = match arrival.map_err(Refused::from)? {
                Arrival::Known(id) => (id, None),
                Arrival::Changed(user) => (user.id, Some(Change::TellUser(user))),
                Arrival::New(user) => (user.id, Some(Change::CreateUser(user))),
            };
            let mut agency = directory
                .users
                .get(&user)
                .and_then(|user| user.agency.clone());
            let mut changed = None;
            if let Some(change) = &change {
                // What the settings map is given by whoever wrote the settings.
                let permissions = Permissions::everything();
                let author = Author {
                    user: None,
                    permissions: &permissions,
                };
                let after = directory.after(author, change);
                let after = after.map_err(ArrivalRefusal::from).map_err(Refused::from)?;
                let after = after.users.get(&user);
                agency = after.and_then(|user| user.agency.clone());
                let what = match change {
                    Change::CreateUser(_) => What::UserCreated,
                    _ => What::UserChanged,
                };
                let details = told(directory.users.get(&user), after, identity);
                let entry = Entry::new(now, Who::System, what).on(user).with(details);
                changed = Some(entry.in_agency(agency.clone()));
            }
            let session = session(user);
            let signed_in = Entry::new(now, Who::User(user), What::SignedIn)
                .on(session.id)
                .in_agency(agency)
                .from_origin(session.origin.clone())
                .with(json!({ "by": by, "issuer": identity.issuer() }));
            let admission = Admission {
                seen: directory.revision,
                identity: identity.clone(),
                user,
                told_at: vouch.told_at,
                change,
                session,
                changed,
                signed_in,
            };
            if self.store.admit(admission).await? {
                return Ok(());
            }
        }
        Err(Refused::Restless.into())
    }

    /// Whether somebody who gave the right password may use it. Told only to whoever has it, so that
    /// nobody finds out by trying whose it is off for.
    pub(super) fn check_local(&self, proven: &Proven, origin: &Origin) -> Result<(), SignInError> {
        let user = &proven.person.user;
        if self.outside.lets_in_locally(&user.login) {
            return Ok(());
        }
        let kind = Kind {
            what: What::SignInRefused,
            asker: Some(Asker::User(user.id)),
            asked: "password sign-in is off".to_owned(),
        };
        let entry = Entry::new(self.clock.wall(), Who::User(user.id), What::SignInRefused)
            .in_agency(user.agency.clone())
            .with(json!({ "login": user.login.as_str(), "wrong": kind.asked }))
            .from_origin(origin.clone());
        self.notes.refused(kind, entry);
        Err(SignInError::PasswordOff)
    }

    /// Whoever tries a thousand times makes two entries of a class, with the number.
    fn note_refused(&self, what: What, issuer: &str, refused: Refusal<'_>, origin: &Origin) {
        let Refusal { class, error } = refused;
        let asker = origin.address().map(network);
        let kind = Kind {
            what,
            asker: Some(asker.map_or(Asker::Nobody, Asker::Address)),
            asked: format!("{issuer}: {class}"),
        };
        let reason: String = error.to_string().chars().take(512).collect();
        let entry = Entry::new(self.clock.wall(), Who::System, what)
            .with(json!({ "issuer": issuer, "wrong": class, "reason": reason }))
            .from_origin(origin.clone());
        self.notes.refused(kind, entry);
    }
}

/// Why somebody was refused: what is gathered together, and the reason.
struct Refusal<'a> {
    class: &'static str,
    error: &'a dyn std::error::Error,
}

impl<'a> Refusal<'a> {
    fn of_sign_in(error: &'a OutsideSignInError) -> Option<Self> {
        let class = match error {
            OutsideSignInError::Outside(OutsideError::NoProvider)
            | OutsideSignInError::Access(_)
            | OutsideSignInError::Store(_) => return None,
            OutsideSignInError::Outside(OutsideError::Unreachable(_)) => "unreachable",
            OutsideSignInError::Outside(OutsideError::State) => "state",
            OutsideSignInError::Outside(OutsideError::NotConfirmed(_)) => "not confirmed",
            OutsideSignInError::Outside(OutsideError::TooMany) => "too many",
            OutsideSignInError::Refused(refused) => refused.class(),
        };
        Some(Self { class, error })
    }
}

impl Refused {
    const fn class(&self) -> &'static str {
        match self {
            Self::Claims(_) => "claims",
            Self::Arrival(ArrivalRefusal::Disabled) => "disabled",
            Self::Arrival(_) => "not admitted",
            Self::Ended => "ended",
            Self::Restless => "restless",
        }
    }
}

/// What an issuer's word has changed: the groups by id, other things by name alone.
fn told(before: Option<&User>, after: Option<&User>, identity: &Identity) -> Value {
    let mut details = json!({ "issuer": identity.issuer(), "subject": identity.subject() });
    let (Some(before), Some(after)) = (before, after) else {
        if let Some(after) = after {
            details["login"] = json!(after.login.as_str());
            details["agency"] = json!(after.agency);
            details["groups"] = json!(after.groups);
        }
        return details;
    };
    if before.groups != after.groups {
        details["groups_added"] =
            json!(after.groups.difference(&before.groups).collect::<Vec<_>>());
        details["groups_removed"] =
            json!(before.groups.difference(&after.groups).collect::<Vec<_>>());
    }
    if before.agency != after.agency {
        details["agency"] = json!({ "from": before.agency, "to": after.agency });
    }
    let fields = [
        ("display_name", before.display_name != after.display_name),
        ("arabic_name", before.arabic_name != after.arabic_name),
        ("email", before.email != after.email),
        (
            "employee_number",
            before.employee_number != after.employee_number,
        ),
        ("department", before.department != after.department),
        ("section", before.section != after.section),
    ];
    let changed: Vec<_> = fields.iter().filter(|(_, changed)| *changed).collect();
    details["changed"] = changed.iter().map(|(name, _)| *name).collect();
    details
}

//! Who else vouches for people: the identity provider at which they sign in, and issuers whose access
//! tokens are taken. Here it is found out what they say and whether it is to be believed; what becomes
//! of it is the business of `services::access`.
//!
//! Nothing here is asked while the coordinator starts, and nothing else waits for it: a provider that
//! is away keeps out those who come through it, and nobody else.

mod issuers;
mod kept;
mod provider;
mod state;

use std::path::PathBuf;
use std::sync::Arc;

use secrecy::SecretString;
use shared::clock::Clock;
use shared::hash::Sha256;
use shared::time::WallTime;
use tokio::sync::Semaphore;
use url::Url;

pub use issuers::IssuerError;
pub use provider::CALLBACK;

use super::Parts;
use super::users::random_bytes;
use crate::config::{Identity, ProviderSettings};
use crate::domain::outside::{ClaimsError, LocalPath, Mapping, Vouched};
use crate::domain::text::Name;
use crate::domain::user::Login;
use crate::outbound::{Outbound, TrustError};
use crate::stores::StoreError;
use issuers::Issuers;
use provider::{Confirmed, Provider, ProviderError};
use state::{PATIENCE, StateKey};

/// Sign-ins that are being finished with the provider at once; more are told to come again.
const MAX_FINISHING: usize = 32;
/// Longest secret of a client.
const MAX_SECRET: usize = 4096;

/// The provider and the issuers of the settings.
#[derive(Debug)]
pub struct Outside {
    provider: Option<OneProvider>,
    issuers: Issuers,
    break_glass: Vec<Login>,
    clock: Arc<dyn Clock>,
}

#[derive(Debug)]
struct OneProvider {
    name: Name,
    mapping: Mapping,
    provider: Provider,
    key: StateKey,
    finishing: Semaphore,
}

/// What is wrong with the settings, as far as only a start can tell.
#[derive(Debug, thiserror::Error)]
pub enum OutsideSetupError {
    #[error("could not read {}", path.display())]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{} is not the PEM of a public key", path.display())]
    Key { path: PathBuf },
    #[error("the secret in {} is empty, or longer than {MAX_SECRET} bytes", path.display())]
    Secret { path: PathBuf },
    #[error("whom to trust about {issuer}")]
    Trust { issuer: String, source: TrustError },
    #[error(
        "`[[identity.trusted]]` names our own issuer, `{issuer}`: its tokens would be taken for ours"
    )]
    Ourselves { issuer: String },
    #[error(
        "`audience` of a trusted issuer is the provider's `client_id`, `{audience}`: what somebody signed in with would be taken for access; have the issuer name this system's API another way"
    )]
    Confused { audience: String },
    #[error("{0}")]
    Provider(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How people may sign in.
#[derive(Clone, Debug)]
pub struct Methods {
    /// Whether a password of ours opens for everybody who has one; for accounts named in the
    /// settings otherwise.
    pub local_for_everybody: bool,
    pub provider: Option<ProviderState>,
}

#[derive(Clone, Debug)]
pub struct ProviderState {
    pub name: Name,
    pub issuer: String,
    pub reachable: Reachable,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reachable {
    /// It was not asked yet.
    Unknown,
    Yes,
    /// It did not answer when it was last asked, and has not since then.
    NotSince(WallTime),
}

/// Where a browser goes to sign in.
#[derive(Debug)]
pub struct Started {
    pub url: Url,
    /// What the browser brings back with the provider's answer.
    pub cookie: String,
}

/// What a browser brings back.
#[derive(Clone, Debug)]
pub struct CameBack {
    pub cookie: String,
    pub state: String,
    /// Or what the provider says instead.
    pub code: Result<String, String>,
    /// Who says so (RFC 9207).
    pub issuer: Option<String>,
}

/// Why somebody does not come in through the provider.
#[derive(Debug, thiserror::Error)]
pub enum OutsideError {
    #[error("there is no identity provider in the settings")]
    NoProvider,
    #[error("the identity provider does not answer: {0}")]
    Unreachable(String),
    /// Of another browser, too late, or for the second time.
    #[error("this sign-in was not begun here, or is over")]
    State,
    #[error("the identity provider did not confirm who it is: {0}")]
    NotConfirmed(String),
    #[error("too many sign-ins are being finished")]
    TooMany,
}

/// A sign-in that was confirmed, and where the browser was going.
#[derive(Debug)]
pub(super) struct SignedInOutside<'a> {
    pub(super) vouched: Result<Vouched, ClaimsError>,
    pub(super) told_at: WallTime,
    pub(super) mapping: &'a Mapping,
    pub(super) next: LocalPath,
}

/// What the token of an issuer says.
#[derive(Debug)]
pub(super) struct OpenedToken<'a> {
    pub(super) vouched: Result<Vouched, ClaimsError>,
    pub(super) issued_at: WallTime,
    pub(super) ends_at: WallTime,
    pub(super) mapping: &'a Mapping,
}

/// A sign-in that came back to the browser that began it, not used up yet.
#[derive(Debug)]
pub(super) struct Returned(state::Begun);

impl Returned {
    /// Under which it is noted that it was used, and since when what was noted may be forgotten.
    pub(super) fn used(&self, now: WallTime) -> (Sha256, WallTime) {
        (self.0.hash(), now - PATIENCE - PATIENCE)
    }
}

impl Outside {
    pub(super) async fn open(
        settings: &Identity,
        parts: &Parts,
    ) -> Result<Self, OutsideSetupError> {
        let candidate = random_bytes::<{ StateKey::LENGTH }>().to_vec();
        let provider = match settings.provider.settings() {
            Some(provider) => {
                let key = parts.store.secret("outside_sign_ins", candidate).await?;
                let key = StateKey::new(&key);
                Some(OneProvider::new(provider, key, parts)?)
            }
            None => None,
        };
        cannot_be_confused(settings)?;
        let logins = settings.break_glass.iter();
        Ok(Self {
            provider,
            issuers: Issuers::new(settings.trusted.all(), parts)?,
            break_glass: logins.map(|login| login.get().clone()).collect(),
            clock: Arc::clone(&parts.clock),
        })
    }

    /// Nobody.
    pub(super) fn nobody(parts: &Parts) -> Self {
        Self {
            provider: None,
            issuers: Issuers::default(),
            break_glass: Vec::new(),
            clock: Arc::clone(&parts.clock),
        }
    }

    /// How people may sign in. Whether the provider answers is what was found out lately; if that is
    /// nothing, it is looked for in the background.
    pub fn methods(&self) -> Methods {
        let provider = self.provider.as_ref().map(|one| {
            one.provider.look();
            ProviderState {
                name: one.name.clone(),
                issuer: one.provider.issuer().to_owned(),
                reachable: one.reachable(),
            }
        });
        Methods {
            local_for_everybody: self.break_glass.is_empty(),
            provider,
        }
    }

    /// Whether a password of ours opens for this account.
    pub(super) fn lets_in_locally(&self, login: &Login) -> bool {
        self.break_glass.is_empty() || self.break_glass.contains(login)
    }

    /// Where to send a browser that shall come back to `next`.
    ///
    /// # Errors
    /// There is no provider, or it cannot be reached.
    pub async fn begin(&self, next: LocalPath) -> Result<Started, OutsideError> {
        let one = self.provider.as_ref().ok_or(OutsideError::NoProvider)?;
        let begun = one.key.begin(next, self.clock.wall());
        let url = one.provider.begin(&one.key, &begun).await?;
        let cookie = one.key.seal(&begun);
        Ok(Started { url, cookie })
    }

    /// Whether what came back is of a sign-in that this browser began.
    pub(super) fn returned(&self, back: &CameBack) -> Result<Returned, OutsideError> {
        let one = self.provider.as_ref().ok_or(OutsideError::NoProvider)?;
        let begun = one.key.open(&back.cookie, &back.state, self.clock.wall());
        begun.map(Returned).ok_or(OutsideError::State)
    }

    /// What the provider says of whoever came back.
    pub(super) async fn finish(
        &self,
        returned: Returned,
        back: CameBack,
    ) -> Result<SignedInOutside<'_>, OutsideError> {
        let one = self.provider.as_ref().ok_or(OutsideError::NoProvider)?;
        let issuer = one.provider.issuer();
        if back.issuer.is_some_and(|it| it != issuer) {
            let problem = "another issuer answers".to_owned();
            return Err(OutsideError::NotConfirmed(problem));
        }
        let code = back.code.map_err(OutsideError::NotConfirmed)?;
        let turn = one.finishing.try_acquire();
        let _turn = turn.map_err(|_| OutsideError::TooMany)?;
        let Returned(begun) = returned;
        let Confirmed { claims, at } = one.provider.finish(&one.key, &begun, code).await?;
        Ok(SignedInOutside {
            vouched: one.mapping.read(issuer, &claims),
            told_at: at,
            mapping: &one.mapping,
            next: begun.next(),
        })
    }

    /// What a token says, if it is of one of the issuers: `None` for others.
    pub(super) async fn open_token(
        &self,
        token: &str,
    ) -> Option<(&str, Result<OpenedToken<'_>, IssuerError>)> {
        let issuer = self.issuers.of(token)?;
        let opened = issuer.open(token).await.map(|opened| OpenedToken {
            vouched: issuer.mapping.read(issuer.name(), &opened.claims),
            issued_at: opened.issued_at,
            ends_at: opened.ends_at,
            mapping: &issuer.mapping,
        });
        Some((issuer.name(), opened))
    }

    /// The issuer of the provider, for the audit.
    pub(super) fn provider_issuer(&self) -> Option<&str> {
        self.provider.as_ref().map(|one| one.provider.issuer())
    }
}

impl OneProvider {
    fn new(
        settings: &ProviderSettings,
        key: StateKey,
        parts: &Parts,
    ) -> Result<Self, OutsideSetupError> {
        let issuer = settings.issuer.as_str();
        let outbound = Outbound::new(&settings.authority, settings.allowed_networks.clone());
        let outbound = outbound.map_err(|source| OutsideSetupError::Trust {
            issuer: issuer.to_owned(),
            source,
        })?;
        let secret = read_secret(settings)?;
        let (clock, figures) = (Arc::clone(&parts.clock), Arc::clone(&parts.figures));
        let provider = Provider::new(settings, secret, outbound, clock, figures);
        Ok(Self {
            name: settings.name.clone().into(),
            mapping: settings.mapping(),
            provider: provider.map_err(|error| OutsideSetupError::Provider(error.to_string()))?,
            key,
            finishing: Semaphore::new(MAX_FINISHING),
        })
    }

    fn reachable(&self) -> Reachable {
        let freshness = self.provider.freshness();
        match freshness.failing_since() {
            Some(since) => Reachable::NotSince(since),
            None if freshness.was_fetched() => Reachable::Yes,
            None => Reachable::Unknown,
        }
    }
}

/// That no token of one kind passes for one of another.
fn cannot_be_confused(settings: &Identity) -> Result<(), OutsideSetupError> {
    let ours = settings.issuer.as_str();
    let client = settings.provider.settings();
    let client = client.map(|provider| provider.client_id.as_str());
    for trusted in settings.trusted.all() {
        let trusted = trusted.settings();
        if trusted.issuer.as_str() == ours {
            let issuer = ours.to_owned();
            return Err(OutsideSetupError::Ourselves { issuer });
        }
        let audience = trusted.audience.as_str();
        if client == Some(audience) {
            let audience = audience.to_owned();
            return Err(OutsideSetupError::Confused { audience });
        }
    }
    Ok(())
}

fn read_secret(settings: &ProviderSettings) -> Result<Option<SecretString>, OutsideSetupError> {
    let path = &settings.client_secret_file;
    if path.as_os_str().is_empty() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(path).map_err(|source| OutsideSetupError::Read {
        path: path.clone(),
        source,
    })?;
    let secret = text.trim();
    if secret.is_empty() || secret.len() > MAX_SECRET {
        return Err(OutsideSetupError::Secret { path: path.clone() });
    }
    Ok(Some(secret.into()))
}

impl From<ProviderError> for OutsideError {
    fn from(error: ProviderError) -> Self {
        match error {
            ProviderError::Unreachable(_) | ProviderError::Away(_) => {
                Self::Unreachable(error.to_string())
            }
            ProviderError::Code(_) | ProviderError::Token(_) | ProviderError::Settings(_) => {
                Self::NotConfirmed(error.to_string())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_of_one_kind_cannot_be_set_up_to_pass_for_another() {
        let settings = |issuer: &str, audience: &str| -> Identity {
            let text = format!(
                "issuer = \"us\"\n[provider]\nissuer = \"https://sso.example\"\nclient_id = \"cctv\"\n\
                 redirect_base = \"https://cctv.example\"\n[[trusted]]\nissuer = \"{issuer}\"\n\
                 audience = \"{audience}\"\njwks_url = \"https://sso.example/jwks\"\n"
            );
            toml::from_str(&text).unwrap()
        };
        let check = |issuer, audience| cannot_be_confused(&settings(issuer, audience));
        assert!(check("https://sso.example", "cctv-api").is_ok());
        let own = check("us", "cctv-api");
        assert!(matches!(own, Err(OutsideSetupError::Ourselves { .. })));
        let identity = check("https://sso.example", "cctv").unwrap_err();
        assert!(identity.to_string().contains("client_id"), "{identity}");
    }
}

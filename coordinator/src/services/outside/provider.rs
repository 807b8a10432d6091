//! The identity provider: OpenID Connect, code flow with PKCE. The only place where `openidconnect`
//! is used; what it fetches goes through [`Outbound`].

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use data_encoding::BASE64URL_NOPAD;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreIdToken, CoreJwsSigningAlgorithm, CoreProviderMetadata,
};
use openidconnect::http::header::{ACCEPT, AUTHORIZATION, HeaderValue};
use openidconnect::{
    AccessToken, AsyncHttpClient, AuthorizationCode, ClaimsVerificationError, ClientId,
    ClientSecret, CsrfToken, HttpRequest, HttpResponse, IssuerUrl, Nonce, OAuth2TokenResponse as _,
    PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope, SignatureVerificationError,
    TokenResponse as _,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value};
use shared::clock::Clock;
use shared::time::WallTime;
use url::Url;

use super::kept::{FetchError, Kept, Missing};
use super::state::{Begun, StateKey};
use crate::config::ProviderSettings;
use crate::domain::freshness::{Freshness, Wanted};
use crate::outbound::{Outbound, OutboundError};
use crate::services::Figures;

/// Where the provider sends people back to, below `redirect_base`.
pub const CALLBACK: &str = "/api/v1/session/oidc/callback";

/// Longest code or token taken from the provider.
const MAX_CODE: usize = 4096;

/// Signatures with a public key, whatever else the provider lists.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// How long ago an identity may have been confirmed: a code is used within moments.
const MAX_AGE: Duration = Duration::from_secs(10 * 60);

#[derive(Debug)]
pub(super) struct Provider {
    issuer: String,
    client: ClientId,
    secret: Option<SecretString>,
    redirect: RedirectUrl,
    scopes: Vec<Scope>,
    leeway: Duration,
    clock: Arc<dyn Clock>,
    outbound: Outbound,
    metadata: Arc<Kept<CoreProviderMetadata>>,
}

/// Why the provider's word is not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProviderError {
    #[error("the identity provider cannot be reached")]
    Unreachable(#[from] Missing),
    #[error("the identity provider cannot be asked: {0}")]
    Away(String),
    #[error("the identity provider refuses the code: {0}")]
    Code(String),
    #[error("the identity provider's answer is not to be trusted: {0}")]
    Token(String),
    #[error("the settings of the identity provider do not fit: {0}")]
    Settings(String),
}

/// What a provider has said of somebody.
#[derive(Debug)]
pub(super) struct Confirmed {
    pub(super) claims: Map<String, Value>,
    pub(super) at: WallTime,
}

/// What the library asks through.
struct Http<'a>(&'a Outbound);

impl<'c> AsyncHttpClient<'c> for Http<'_> {
    type Error = OutboundError;
    type Future = BoxFuture<'c, Result<HttpResponse, OutboundError>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        self.0.send(request).boxed()
    }
}

impl Provider {
    pub(super) fn new(
        settings: &ProviderSettings,
        secret: Option<SecretString>,
        outbound: Outbound,
        clock: Arc<dyn Clock>,
        figures: Arc<Figures>,
    ) -> Result<Self, ProviderError> {
        let bad = |error: url::ParseError| ProviderError::Settings(error.to_string());
        let issuer = settings.issuer.as_str().to_owned();
        let base = settings.redirect_base.get();
        let base = base.map_or("", |origin| origin.as_str());
        let redirect = RedirectUrl::new(format!("{base}{CALLBACK}")).map_err(bad)?;
        let url = IssuerUrl::new(issuer.clone()).map_err(bad)?;
        let ask = outbound.clone();
        let fetch = move || {
            let (url, ask) = (url.clone(), ask.clone());
            async move {
                let http = Http(&ask);
                let found = CoreProviderMetadata::discover_async(url, &http);
                found.await.map_err(|error| FetchError(chain(&error)))
            }
            .boxed()
        };
        let what = format!("the description of {issuer}");
        Ok(Self {
            issuer,
            client: ClientId::new(settings.client_id.clone()),
            secret,
            redirect,
            scopes: settings
                .scopes
                .iter()
                .map(|scope| Scope::new(scope.as_str().to_owned()))
                .collect(),
            leeway: Duration::from_secs(settings.leeway_seconds.get()),
            metadata: Kept::new(what, clock.clone(), figures, Box::new(fetch)),
            clock,
            outbound,
        })
    }

    pub(super) fn issuer(&self) -> &str {
        &self.issuer
    }

    pub(super) fn freshness(&self) -> Freshness {
        self.metadata.freshness()
    }

    /// Looks for the provider in the background, if that has not been done lately.
    pub(super) fn look(&self) {
        self.metadata.refresh();
    }

    /// Where to send the browser.
    pub(super) async fn begin(&self, key: &StateKey, begun: &Begun) -> Result<Url, ProviderError> {
        let metadata = self.metadata.get(Wanted::Any).await?;
        let client = CoreClient::from_provider_metadata(
            CoreProviderMetadata::clone(&metadata),
            self.client.clone(),
            None,
        )
        .set_redirect_uri(self.redirect.clone());
        let verifier = PkceCodeVerifier::new(key.verifier(begun));
        let (state, nonce) = (begun.state().to_owned(), key.nonce(begun));
        let (url, _, _) = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                move || CsrfToken::new(state),
                move || Nonce::new(nonce),
            )
            .add_scopes(self.scopes.iter().cloned())
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
            .url();
        // Where its own description sends people.
        let secure = url.scheme() == "https" || self.issuer.starts_with("http:");
        if secure {
            Ok(url)
        } else {
            let problem = "people would sign in there without TLS";
            Err(ProviderError::Settings(problem.to_owned()))
        }
    }

    /// What the provider says of whoever came back with `code`.
    pub(super) async fn finish(
        &self,
        key: &StateKey,
        begun: &Begun,
        code: String,
    ) -> Result<Confirmed, ProviderError> {
        if code.len() > MAX_CODE {
            return Err(ProviderError::Code("it is too long".to_owned()));
        }
        let metadata = self.metadata.get(Wanted::Any).await?;
        let (token, access) = self.exchange(key, begun, code, &metadata).await?;
        let nonce = Nonce::new(key.nonce(begun));
        let checked = match self.check(&token, &nonce, &metadata) {
            Err(ClaimsVerificationError::SignatureVerification(
                SignatureVerificationError::NoMatchingKey,
            )) => {
                // The provider may have new keys.
                let newer = self.metadata.get(Wanted::Newer).await?;
                self.check(&token, &nonce, &newer)
            }
            checked => checked,
        };
        let at = checked.map_err(|error| ProviderError::Token(chain(&error)))?;
        let mut claims = payload(&token)?;
        self.add_user_info(&metadata, &access, &mut claims).await?;
        Ok(Confirmed { claims, at })
    }

    async fn exchange(
        &self,
        key: &StateKey,
        begun: &Begun,
        code: String,
        metadata: &CoreProviderMetadata,
    ) -> Result<(CoreIdToken, AccessToken), ProviderError> {
        let secret = self.secret.as_ref();
        let secret = secret.map(|secret| ClientSecret::new(secret.expose_secret().to_owned()));
        let client =
            CoreClient::from_provider_metadata(metadata.clone(), self.client.clone(), secret)
                .set_redirect_uri(self.redirect.clone());
        let http = Http(&self.outbound);
        let verifier = PkceCodeVerifier::new(key.verifier(begun));
        let exchanged = client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|error| ProviderError::Settings(chain(&error)))?
            .set_pkce_verifier(verifier)
            .request_async(&http)
            .await;
        let tokens = exchanged.map_err(|error| match &error {
            openidconnect::RequestTokenError::Request(cause) => ProviderError::Away(chain(cause)),
            _ => ProviderError::Code(chain(&error)),
        })?;
        let token = tokens.id_token().cloned();
        let none = || ProviderError::Token("there is no ID token in it".to_owned());
        Ok((token.ok_or_else(none)?, tokens.access_token().clone()))
    }

    /// Signature, algorithm, issuer, audience, times and nonce (OpenID Connect Core 1.0, section
    /// 3.1.3.7); when it was issued.
    fn check(
        &self,
        token: &CoreIdToken,
        nonce: &Nonce,
        metadata: &CoreProviderMetadata,
    ) -> Result<WallTime, ClaimsVerificationError> {
        // A secret would let tokens be signed with it (HS256); only public keys are believed.
        let verifier =
            CoreClient::from_provider_metadata(metadata.clone(), self.client.clone(), None);
        let (now, leeway) = (self.clock.wall(), self.leeway);
        let latest_exp = date(now - leeway);
        let verifier = verifier
            .id_token_verifier()
            .set_allowed_algs(ALGORITHMS)
            .set_time_fn(move || latest_exp)
            .set_issue_time_verifier_fn(move |issued| {
                let issued = WallTime::from_micros(issued.timestamp_micros());
                if issued > now + leeway {
                    return Err(format!("it was issued in the future, at {issued}"));
                }
                if issued < now - leeway - MAX_AGE {
                    return Err(format!("it was issued long ago, at {issued}"));
                }
                Ok(())
            });
        let claims = token.claims(&verifier, nonce)?;
        Ok(WallTime::from_micros(
            claims.issue_time().timestamp_micros(),
        ))
    }

    /// What is not in the token is asked of the provider with the access token that came along, as
    /// most providers want it (OpenID Connect Core 1.0, section 5.3). The token's own claims count
    /// more.
    async fn add_user_info(
        &self,
        metadata: &CoreProviderMetadata,
        access: &AccessToken,
        claims: &mut Map<String, Value>,
    ) -> Result<(), ProviderError> {
        let Some(endpoint) = metadata.userinfo_endpoint() else {
            return Ok(());
        };
        let bad = |problem: &str| ProviderError::Token(problem.to_owned());
        let header = HeaderValue::from_str(&format!("Bearer {}", access.secret()));
        let mut header = header.map_err(|_| bad("its access token is no text"))?;
        header.set_sensitive(true);
        let request = openidconnect::http::Request::get(endpoint.as_str())
            .header(AUTHORIZATION, header)
            .header(ACCEPT, "application/json")
            .body(Vec::new())
            .map_err(|_| bad("its user info has no address"))?;
        let answer = self.outbound.send(request).await.map_err(away)?;
        if !answer.status().is_success() {
            let problem = format!("its user info answers {}", answer.status());
            return Err(ProviderError::Token(problem));
        }
        let told: Map<String, Value> = serde_json::from_slice(answer.body())
            .map_err(|_| bad("its user info is not JSON; signed answers are not understood"))?;
        // Section 5.3.2: of somebody else otherwise.
        if told.get("sub") != claims.get("sub") {
            return Err(bad("its user info is about somebody else"));
        }
        for (name, value) in told {
            claims.entry(name).or_insert(value);
        }
        Ok(())
    }
}

fn away(error: OutboundError) -> ProviderError {
    ProviderError::Away(chain(&error))
}

/// The claims of a token that was checked, as they stand in it.
fn payload(token: &CoreIdToken) -> Result<Map<String, Value>, ProviderError> {
    let text = token.to_string();
    let payload = text.split('.').nth(1);
    let payload = payload.and_then(|payload| BASE64URL_NOPAD.decode(payload.as_bytes()).ok());
    let claims = payload.and_then(|payload| serde_json::from_slice(&payload).ok());
    claims.ok_or_else(|| ProviderError::Token("it cannot be read again".to_owned()))
}

fn date(at: WallTime) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(at.as_micros()).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// An error and what caused it, in one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

//! Enrolment: one short dialogue that turns a code into a certificate.

use std::path::Path;

use data_encoding::BASE64;
use secrecy::ExposeSecret;
use shared::clock::Clock;
use shared::wire::ALPN_ENROL;
use shared::wire::enrol::{EnrolAnswer, EnrolCode, EnrolRefusal, EnrolRequest};

use super::connection::{Address, Anchor, Closed, Connection, DialError, StreamError, Ways, reach};
use crate::config::TcpFallback;
use crate::identity::{Enrolment, IdentityError, Key};

/// How long the coordinator may take to answer.
const ANSWER_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(20);

/// Why there is no enrolment. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error(transparent)]
    Refused(#[from] EnrolRefusal),
    #[error("the coordinator at {address} ended the enrolment: {error}; try again")]
    Dialogue { address: String, error: StreamError },
    #[error("the coordinator at {address} did not answer in time; try again")]
    Late { address: String },
    #[error("the coordinator answers in a way this version does not know; update the agent")]
    Unknown,
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

/// What an enrolment needs to know of this agent.
#[derive(Debug)]
pub struct Enroller<'a> {
    pub key: &'a Key,
    /// What the installer calls the agent.
    pub name: &'a str,
    pub tcp_address: Option<(String, u16)>,
    pub tcp_fallback: TcpFallback,
    pub clock: &'a dyn Clock,
}

impl Enroller<'_> {
    /// Redeems the code and stores the enrolment in `data_dir`; a running agent finds it there.
    ///
    /// # Errors
    /// The coordinator cannot be reached, is not the one of the code, or refuses it.
    pub async fn enrol(&self, code: &EnrolCode, data_dir: &Path) -> Result<Enrolment, EnrolError> {
        let connection = self.connect(code).await?;
        let address = format!("{}:{}", code.host, code.port);
        let dialogue = tokio::time::timeout(ANSWER_TIMEOUT, self.ask(&connection, code));
        let answer = match dialogue.await {
            Err(_) => return Err(EnrolError::Late { address }),
            Ok(Err(Ask::Identity(error))) => return Err(error.into()),
            Ok(Err(Ask::Stream(error))) => return Err(EnrolError::Dialogue { address, error }),
            Ok(Ok(answer)) => answer,
        };
        connection
            .shut_down(shared::wire::CloseCode::Done, "enrolled")
            .await;
        let enrolment = match answer {
            EnrolAnswer::Enrolled {
                agent,
                site,
                site_name,
                certificate_chain,
                authority,
            } => Enrolment {
                agent,
                site,
                site_name,
                host: code.host.clone(),
                port: code.port,
                certificate_chain,
                authority,
                enrolled_at: self.clock.wall(),
            },
            EnrolAnswer::Refused { reason } => return Err(reason.into()),
            EnrolAnswer::Unknown => return Err(EnrolError::Unknown),
        };
        enrolment.store(data_dir, self.key)?;
        Ok(enrolment)
    }

    async fn connect(&self, code: &EnrolCode) -> Result<Connection, DialError> {
        let anchor = Anchor::Pinned(code.authority);
        let udp = Address {
            host: code.host.clone(),
            port: code.port,
        };
        let tcp = match &self.tcp_address {
            Some((host, port)) => Address {
                host: host.clone(),
                port: *port,
            },
            None => udp.clone(),
        };
        let ways = Ways {
            udp,
            tcp,
            fallback: self.tcp_fallback,
        };
        reach(&ways, &anchor, None, ALPN_ENROL).await
    }

    async fn ask(&self, connection: &Connection, code: &EnrolCode) -> Result<EnrolAnswer, Ask> {
        let request = EnrolRequest {
            secret: code.secret.expose_secret().to_owned(),
            csr: BASE64.encode(&self.key.request(self.name)?),
            name: self.name.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let (mut sender, mut receiver) = connection.open().await?;
        sender.message(&request).await?;
        sender.finish();
        let answer = receiver.message().await?;
        Ok(answer.ok_or(StreamError::Truncated)?)
    }
}

enum Ask {
    Identity(IdentityError),
    Stream(StreamError),
}

impl From<IdentityError> for Ask {
    fn from(error: IdentityError) -> Self {
        Self::Identity(error)
    }
}

impl From<StreamError> for Ask {
    fn from(error: StreamError) -> Self {
        Self::Stream(error)
    }
}

impl From<Closed> for Ask {
    fn from(closed: Closed) -> Self {
        Self::Stream(closed.into())
    }
}

//! Buckets in a Valkey or Redis server, shared by all coordinators that use it. The only importer of
//! `redis`.
//!
//! One script decides and writes, so that two coordinators cannot both take the last request; it is
//! sent by its hash, and in full only when the server does not know it, as after a restart. All keys
//! have one hash tag, because a request may count for any two buckets: in a cluster they are on one
//! node.

#[cfg(test)]
pub(crate) mod process;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use async_trait::async_trait;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisError, Script, TlsCertificates};
use secrecy::{ExposeSecret as _, SecretString};

use super::{Rates, RatesError, Taken};
use crate::domain::rate::{Asked, Key, Rate, Subject};

/// How the server is reached.
#[derive(Clone, Debug)]
pub struct Server {
    /// `valkey://`, or `valkeys://` for TLS; user, password and database where there are any.
    pub url: SecretString,
    /// The same without what is secret, for the log.
    pub name: String,
    /// PEM of who vouches for the server's certificate; the host's own list without.
    pub authority: Option<Vec<u8>>,
    /// For a connection, and for an answer.
    pub patience: Duration,
}

pub struct Valkey {
    client: Client,
    name: String,
    patience: Duration,
    script: Script,
    /// None while there is no connection; [`Self::connect`] makes one.
    connection: ArcSwapOption<MultiplexedConnection>,
}

impl Valkey {
    /// Does not connect yet.
    ///
    /// # Errors
    /// The URL or the authority's certificate cannot be used.
    pub fn new(server: Server) -> Result<Self, RatesError> {
        let url = server.url.expose_secret();
        let client = match server.authority {
            None => Client::open(url),
            authority => {
                let certificates = TlsCertificates {
                    client_tls: None,
                    root_cert: authority,
                };
                Client::build_with_tls(url, certificates)
            }
        };
        let client = client.map_err(|error| failed("use the settings of", &server.name, &error))?;
        Ok(Self {
            client,
            name: server.name,
            patience: server.patience,
            script: Script::new(include_str!("take.lua")),
            connection: ArcSwapOption::empty(),
        })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn is_connected(&self) -> bool {
        self.connection.load().is_some()
    }

    /// Connects, unless there is a connection.
    ///
    /// # Errors
    /// The server is not there, or does not let us in.
    pub async fn connect(&self) -> Result<(), RatesError> {
        if self.is_connected() {
            return Ok(());
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.patience))
            .set_response_timeout(Some(self.patience));
        let connecting = self
            .client
            .get_multiplexed_async_connection_with_config(&config);
        let connected = async {
            let mut connection = connecting.await?;
            // A server that is still loading its data accepts connections already.
            redis::cmd("PING")
                .query_async::<String>(&mut connection)
                .await?;
            Ok(connection)
        };
        let connection = connected
            .await
            .map_err(|error| failed("connect to", &self.name, &error))?;
        self.connection.store(Some(Arc::new(connection)));
        Ok(())
    }

    async fn ask(
        &self,
        connection: &MultiplexedConnection,
        buckets: &[(Key, Rate)],
    ) -> Result<u64, RedisError> {
        let mut call = self.script.prepare_invoke();
        for (key, rate) in buckets {
            call.key(name(key));
            call.arg(rate.interval.as_secs_f64() * 1e6);
            call.arg(rate.burst);
        }
        // A clone is a handle on the same connection.
        call.invoke_async(&mut connection.clone()).await
    }
}

/// Of a bucket among the server's keys.
fn name(key: &Key) -> String {
    let what = match key.what {
        Asked::Api => "api",
        Asked::Media => "media",
    };
    match &key.of {
        Subject::User(user) => format!("{{cctv:rate}}:{what}:user:{user}"),
        Subject::Agency(agency) => format!("{{cctv:rate}}:{what}:agency:{}", agency.as_str()),
        Subject::Address(address) => format!("{{cctv:rate}}:{what}:address:{address}"),
    }
}

fn failed(attempted: &'static str, server: &str, error: &RedisError) -> RatesError {
    RatesError::Failed {
        attempted,
        server: server.to_owned(),
        message: error.to_string(),
    }
}

#[async_trait]
impl Rates for Valkey {
    async fn take(&self, buckets: &[(Key, Rate)]) -> Result<Taken, RatesError> {
        let Some(connection) = self.connection.load_full() else {
            let server = self.name.clone();
            return Err(RatesError::Apart { server });
        };
        match self.ask(&connection, buckets).await {
            Ok(0) => Ok(Taken::Granted),
            Ok(micros) => Ok(Taken::Refused {
                wait: Duration::from_micros(micros),
            }),
            Err(error) => {
                // Whatever it was, the next request shall not wait for it too.
                self.connection.store(None);
                Err(failed("ask", &self.name, &error))
            }
        }
    }
}

impl fmt::Debug for Valkey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Valkey").field(&self.name).finish()
    }
}

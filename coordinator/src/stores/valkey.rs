//! The connection to a Valkey or Redis server that several coordinators share. The only importer of
//! `redis`; what is kept there is the business of `rates` and `quotas`.
//!
//! Scripts decide and write in one step, so that two coordinators cannot both take the last of
//! something. They are sent by their hash, and in full only when the server does not know them, as
//! after a restart. All keys that one script touches have one hash tag: in a cluster they are on one
//! node.

#[cfg(test)]
pub(crate) mod process;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, FromRedisValue, RedisError, TlsCertificates};
pub use redis::{Script, ScriptInvocation};
use secrecy::{ExposeSecret as _, SecretString};

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

/// Why it is not known what the server would say.
#[derive(Debug, thiserror::Error)]
pub enum ValkeyError {
    #[error("there is no connection to {server}")]
    Apart { server: String },
    #[error("could not {attempted} {server}: {message}")]
    Failed {
        attempted: &'static str,
        server: String,
        message: String,
    },
}

pub struct Valkey {
    client: Client,
    name: String,
    patience: Duration,
    /// None while there is no connection; [`Self::connect`] makes one.
    connection: ArcSwapOption<MultiplexedConnection>,
}

impl Valkey {
    /// Does not connect yet.
    ///
    /// # Errors
    /// The URL or the authority's certificate cannot be used.
    pub fn new(server: Server) -> Result<Self, ValkeyError> {
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
    pub async fn connect(&self) -> Result<(), ValkeyError> {
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

    /// Runs a script. Whatever goes wrong, the next one does not wait for it too: there is no
    /// connection from then on.
    ///
    /// # Errors
    /// There is no connection, or the server did not answer as it should.
    pub(super) async fn run<T: FromRedisValue>(
        &self,
        call: &ScriptInvocation<'_>,
    ) -> Result<T, ValkeyError> {
        let connection = self.connected()?;
        // A clone is a handle on the same connection.
        let answer = call.invoke_async(&mut connection.as_ref().clone()).await;
        answer.map_err(|error| self.lost(&error))
    }

    /// The value of a field of a hash.
    ///
    /// # Errors
    /// As of [`Valkey::run`].
    pub(super) async fn field(
        &self,
        key: &str,
        field: &str,
    ) -> Result<Option<String>, ValkeyError> {
        let connection = self.connected()?;
        let mut ask = redis::cmd("HGET");
        let answer = ask.arg(key).arg(field);
        let answer = answer.query_async(&mut connection.as_ref().clone()).await;
        answer.map_err(|error| self.lost(&error))
    }

    fn connected(&self) -> Result<Arc<MultiplexedConnection>, ValkeyError> {
        let server = || self.name.clone();
        let connection = self.connection.load_full();
        connection.ok_or_else(|| ValkeyError::Apart { server: server() })
    }

    fn lost(&self, error: &RedisError) -> ValkeyError {
        self.connection.store(None);
        failed("ask", &self.name, error)
    }

    /// Forgets everything.
    #[cfg(test)]
    pub(super) async fn clear(&self) {
        let connection = self.connected().unwrap();
        let clear = redis::cmd("FLUSHDB");
        clear
            .exec_async(&mut connection.as_ref().clone())
            .await
            .unwrap();
    }

    /// How many keys there are.
    #[cfg(test)]
    pub(super) async fn size(&self) -> u64 {
        let connection = self.connected().unwrap();
        let size = redis::cmd("DBSIZE");
        size.query_async(&mut connection.as_ref().clone())
            .await
            .unwrap()
    }
}

fn failed(attempted: &'static str, server: &str, error: &RedisError) -> ValkeyError {
    ValkeyError::Failed {
        attempted,
        server: server.to_owned(),
        message: error.to_string(),
    }
}

impl fmt::Debug for Valkey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Valkey").field(&self.name).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::process::Process;

    #[tokio::test]
    async fn a_wrong_password_is_an_error_that_does_not_show_it() {
        let process = Process::start(false).await;
        let valkey = process.client_with("something-else");
        let error = valkey.connect().await.unwrap_err();
        assert!(!format!("{error} {error:?} {valkey:?}").contains("something-else"));
        assert!(!valkey.is_connected());
    }
}

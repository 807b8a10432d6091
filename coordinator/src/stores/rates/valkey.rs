//! Buckets in a server that all coordinators share.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{Rates, RatesError, Taken};
use crate::domain::rate::{Asked, Key, Rate, Subject};
use crate::stores::valkey::{Script, Valkey};

#[derive(Debug)]
pub struct Shared {
    server: Arc<Valkey>,
    take: Script,
}

impl Shared {
    pub fn new(server: Arc<Valkey>) -> Self {
        Self {
            server,
            take: Script::new(include_str!("take.lua")),
        }
    }

    pub fn server(&self) -> &Valkey {
        &self.server
    }
}

#[async_trait]
impl Rates for Shared {
    async fn take(&self, buckets: &[(Key, Rate)]) -> Result<Taken, RatesError> {
        let mut call = self.take.prepare_invoke();
        for (key, rate) in buckets {
            call.key(name(key));
            call.arg(rate.interval.as_secs_f64() * 1e6);
            call.arg(rate.burst);
        }
        Ok(match self.server.run(&call).await? {
            0 => Taken::Granted,
            micros => Taken::Refused {
                wait: Duration::from_micros(micros),
            },
        })
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

#[cfg(test)]
mod tests;

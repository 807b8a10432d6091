//! How much everybody may ask: which buckets a request counts for, and which back end says so.
//!
//! Where a shared server is configured its word counts. While it does not answer, each coordinator
//! goes by its own buckets, because no limit at all would be worse and no service at all much worse.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use shared::clock::Clock;
use shared::id::UserId;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::Figures;
use crate::domain::agency::AgencyCode;
use crate::domain::rate::{Asked, Key, Rate, Subject};
use crate::stores::rates::in_process::InProcess;
use crate::stores::rates::{Rates as _, Taken, valkey as rates};
use crate::stores::valkey::Valkey;

/// How often a server that is gone is looked for.
const LOOK: Duration = Duration::from_secs(1);

/// What each may ask.
#[derive(Clone, Copy, Debug)]
pub struct Allowances {
    pub user: Rate,
    /// All users of an agency together.
    pub agency: Rate,
    /// Somebody who is not signed in, by address.
    pub address: Rate,
    /// Pieces of playbacks, of a user, or an address with a signed link.
    pub media: Rate,
}

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub enum Asker<'a> {
    User(UserId, Option<&'a AgencyCode>),
    /// Nobody we know; the address as [`crate::http::places::allotment`] gives it.
    Address(IpAddr),
}

/// The limits of this coordinator.
#[derive(Debug)]
pub struct Limits {
    allowances: Allowances,
    own: InProcess,
    shared: Option<Shared>,
    figures: Arc<Figures>,
}

#[derive(Debug)]
struct Shared {
    rates: rates::Shared,
    /// Whether its loss has been told.
    missed: AtomicBool,
    lost: Notify,
}

/// Too much was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many requests; the next makes sense after {} ms", wait.as_millis())]
pub struct TooMany {
    pub wait: Duration,
}

impl Limits {
    pub fn new(
        allowances: Allowances,
        server: Option<Arc<Valkey>>,
        clock: Arc<dyn Clock>,
        figures: Arc<Figures>,
    ) -> Self {
        let shared = server.map(|server| Shared {
            rates: rates::Shared::new(server),
            missed: AtomicBool::new(false),
            lost: Notify::new(),
        });
        Self {
            allowances,
            own: InProcess::new(clock),
            shared,
            figures,
        }
    }

    /// Counts one request.
    ///
    /// # Errors
    /// It is one too many for somebody whom it counts for; then it has counted for nobody.
    pub async fn count(&self, asker: Asker<'_>, what: Asked) -> Result<(), TooMany> {
        let (first, second) = self.buckets(asker, what);
        let both;
        let one;
        let buckets: &[_] = match second {
            Some(second) => {
                both = [first, second];
                &both
            }
            None => {
                one = [first];
                &one
            }
        };
        match self.take(buckets).await {
            Taken::Granted => Ok(()),
            Taken::Refused { wait } => {
                self.figures.rates_refused.add(1);
                Err(TooMany { wait })
            }
        }
    }

    fn buckets(&self, asker: Asker<'_>, what: Asked) -> ((Key, Rate), Option<(Key, Rate)>) {
        let Allowances {
            user,
            agency,
            address,
            media,
        } = self.allowances;
        let bucket = |of, rate| (Key { of, what }, rate);
        match (asker, what) {
            (Asker::User(id, code), Asked::Api) => {
                let whole = code.map(|code| bucket(Subject::Agency(code.clone()), agency));
                (bucket(Subject::User(id), user), whole)
            }
            (Asker::User(id, _), Asked::Media) => (bucket(Subject::User(id), media), None),
            (Asker::Address(from), Asked::Api) => (bucket(Subject::Address(from), address), None),
            (Asker::Address(from), Asked::Media) => (bucket(Subject::Address(from), media), None),
        }
    }

    async fn take(&self, buckets: &[(Key, Rate)]) -> Taken {
        if let Some(shared) = &self.shared {
            match shared.rates.take(buckets).await {
                Ok(taken) => return taken,
                Err(error) => self.miss(shared, &error),
            }
        }
        self.own.take_now(buckets)
    }

    /// Says once that the server is gone, and has it looked for.
    fn miss(&self, shared: &Shared, error: &impl std::fmt::Display) {
        if !shared.missed.swap(true, Ordering::Relaxed) {
            tracing::error!(%error, "rate limits are this coordinator's own until the server is back");
            self.figures.rates_apart.add(1);
            shared.lost.notify_one();
        }
    }

    /// Connects to the shared server, and again whenever it was lost, until `stop`.
    pub async fn run(&self, stop: CancellationToken) {
        let Some(shared) = &self.shared else {
            return stop.cancelled().await;
        };
        stop.run_until_cancelled(async {
            loop {
                match shared.rates.server().connect().await {
                    Ok(()) => {
                        self.found(shared);
                        shared.lost.notified().await;
                    }
                    Err(error) => {
                        self.miss(shared, &error);
                        tokio::time::sleep(LOOK).await;
                    }
                }
            }
        })
        .await;
    }

    fn found(&self, shared: &Shared) {
        let server = shared.rates.server().name();
        if shared.missed.swap(false, Ordering::Relaxed) {
            self.figures.rates_apart.subtract(1);
            tracing::warn!(server, "rate limits are shared again");
        } else {
            tracing::info!(server, "rate limits are shared");
        }
    }
}

#[cfg(test)]
mod tests {
    use shared::clock::SystemClock;
    use tokio::time::{Instant, interval};

    use super::*;
    use crate::stores::valkey::process::Process;

    fn limits(server: Arc<Valkey>) -> Arc<Limits> {
        let slow = Rate {
            interval: Duration::from_secs(1_000),
            burst: 3,
        };
        let allowances = Allowances {
            user: slow,
            agency: slow,
            address: slow,
            media: slow,
        };
        let clock = Arc::new(SystemClock::new());
        Arc::new(Limits::new(allowances, Some(server), clock, Arc::default()))
    }

    async fn until(what: &str, check: impl Fn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        let mut ticks = interval(Duration::from_millis(20));
        while !check() {
            assert!(Instant::now() < deadline, "waited in vain for {what}");
            ticks.tick().await;
        }
    }

    async fn granted(limits: &Limits, asker: &str) -> usize {
        let mut granted = 0;
        for _ in 0..10 {
            let asker = Asker::Address(asker.parse().unwrap());
            granted += usize::from(limits.count(asker, Asked::Api).await.is_ok());
        }
        granted
    }

    #[tokio::test]
    async fn limits_are_our_own_while_the_server_is_gone_and_shared_when_it_is_back() {
        let mut process = Process::start(false).await;
        let (one, other) = (limits(process.client()), limits(process.client()));
        let stop = CancellationToken::new();
        for limits in [&one, &other] {
            let (limits, stop) = (limits.clone(), stop.clone());
            tokio::spawn(async move { limits.run(stop).await });
        }
        let connected = || {
            [&one, &other].iter().all(|limits| {
                limits
                    .shared
                    .as_ref()
                    .unwrap()
                    .rates
                    .server()
                    .is_connected()
            })
        };
        until("the connections", connected).await;
        assert_eq!(granted(&one, "192.0.2.1").await, 3);
        assert_eq!(granted(&other, "192.0.2.1").await, 0);

        process.kill().await;
        // Each by itself, and still limited.
        assert_eq!(granted(&one, "192.0.2.2").await, 3);
        assert_eq!(granted(&other, "192.0.2.2").await, 3);
        assert_eq!(one.figures.rates_apart.get(), 1);

        process.restart().await;
        until("the server", connected).await;
        until("the all-clear", || one.figures.rates_apart.get() == 0).await;
        assert_eq!(granted(&one, "192.0.2.3").await, 3);
        assert_eq!(granted(&other, "192.0.2.3").await, 0);
        stop.cancel();
    }
}

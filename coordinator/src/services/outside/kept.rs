//! Something that stands at a server outside, kept here: fetched when it is first wanted, and again
//! as [`Freshness`] says. One fetch at a time; whoever has something to use does not wait for it.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwapOption;
use futures::future::BoxFuture;
use shared::clock::Clock;

use crate::domain::freshness::{Freshness, Step, Wanted};
use crate::services::Figures;

type Fetch<T> = Box<dyn Fn() -> BoxFuture<'static, Result<T, FetchError>> + Send + Sync>;

/// Why something could not be fetched, for the log.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct FetchError(pub(super) String);

/// There is nothing to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it cannot be fetched at the moment")]
pub(super) struct Missing;

pub(super) struct Kept<T> {
    /// For the log.
    what: String,
    value: ArcSwapOption<T>,
    freshness: Mutex<Freshness>,
    fetching: tokio::sync::Mutex<()>,
    clock: Arc<dyn Clock>,
    figures: Arc<Figures>,
    fetch: Fetch<T>,
}

impl<T: Send + Sync + 'static> Kept<T> {
    pub(super) fn new(
        what: String,
        clock: Arc<dyn Clock>,
        figures: Arc<Figures>,
        fetch: Fetch<T>,
    ) -> Arc<Self> {
        Arc::new(Self {
            what,
            value: ArcSwapOption::empty(),
            freshness: Mutex::default(),
            fetching: tokio::sync::Mutex::default(),
            clock,
            figures,
            fetch,
        })
    }

    /// # Errors
    /// There is nothing, and it cannot be fetched.
    pub(super) async fn get(self: &Arc<Self>, wanted: Wanted) -> Result<Arc<T>, Missing> {
        match (self.step(wanted), wanted) {
            (Step::Use, Wanted::Any) => {}
            (Step::FetchOrUse, Wanted::Any) => self.refresh(),
            // Also for the end of a fetch that is under way.
            _ => self.fetch_if_due(wanted).await,
        }
        match self.step(Wanted::Any) {
            Step::Use | Step::FetchOrUse => self.value.load_full().ok_or(Missing),
            Step::Fetch | Step::Without => Err(Missing),
        }
    }

    /// Fetches in the background, if it is time.
    pub(super) fn refresh(self: &Arc<Self>) {
        let fetches = matches!(self.step(Wanted::Any), Step::Fetch | Step::FetchOrUse);
        if fetches && self.fetching.try_lock().is_ok() {
            let kept = Arc::clone(self);
            tokio::spawn(async move { kept.fetch_if_due(Wanted::Any).await });
        }
    }

    pub(super) fn freshness(&self) -> Freshness {
        *self.lock()
    }

    fn step(&self, wanted: Wanted) -> Step {
        self.lock().step(wanted, self.clock.wall())
    }

    /// Whoever waited for another's fetch looks again whether one is still wanted.
    async fn fetch_if_due(&self, wanted: Wanted) {
        let _turn = self.fetching.lock().await;
        if !matches!(self.step(wanted), Step::Fetch | Step::FetchOrUse) {
            return;
        }
        self.lock().begun(self.clock.wall());
        let fetched = (self.fetch)().await;
        let failing = self.freshness().failing_since().is_some();
        if fetched.is_err() {
            self.lock().failed(self.clock.wall());
        }
        match fetched {
            Ok(value) => {
                self.value.store(Some(Arc::new(value)));
                self.lock().fetched(self.clock.wall());
                if failing {
                    self.figures.issuers_away.subtract(1);
                    tracing::info!(what = self.what, "it can be fetched again");
                }
            }
            Err(error) if failing => tracing::debug!(what = self.what, %error, "could not fetch"),
            Err(error) => {
                self.figures.issuers_away.add(1);
                tracing::warn!(what = self.what, %error, "could not fetch");
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Freshness> {
        self.freshness
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> fmt::Debug for Kept<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept")
            .field("what", &self.what)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
    use std::time::Duration;

    use futures::FutureExt as _;
    use shared::clock::SimulatedClock;
    use shared::time::WallTime;

    use super::*;
    use crate::domain::freshness::{FRESH, PAUSE};

    #[derive(Default)]
    struct Server {
        asked: AtomicU32,
        away: AtomicBool,
    }

    fn stand() -> (Arc<SimulatedClock>, Arc<Server>, Arc<Kept<u32>>) {
        let clock = Arc::new(SimulatedClock::new(WallTime::from_secs(1_800_000_000)));
        let server = Arc::new(Server::default());
        let asked = server.clone();
        let fetch: Fetch<u32> = Box::new(move || {
            let asked = asked.clone();
            async move {
                let number = asked.asked.fetch_add(1, Ordering::SeqCst) + 1;
                tokio::task::yield_now().await;
                match asked.away.load(Ordering::SeqCst) {
                    true => Err(FetchError("away".to_owned())),
                    false => Ok(number),
                }
            }
            .boxed()
        });
        let figures = Arc::default();
        let kept = Kept::new("the keys".to_owned(), clock.clone(), figures, fetch);
        (clock, server, kept)
    }

    #[tokio::test]
    async fn many_who_want_it_at_once_are_served_by_one_fetch() {
        let (clock, server, kept) = stand();
        let all = futures::future::join_all((0..50).map(|_| kept.get(Wanted::Any))).await;
        assert!(all.iter().all(|got| got.as_deref() == Ok(&1)));
        clock.advance(PAUSE);
        let all = futures::future::join_all((0..50).map(|_| kept.get(Wanted::Newer))).await;
        assert!(all.iter().all(|got| got.as_deref() == Ok(&2)));
        // Whoever invents names of keys does not make us ask again.
        for _ in 0..50 {
            assert_eq!(kept.get(Wanted::Newer).await.as_deref(), Ok(&2));
        }
        assert_eq!(server.asked.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_server_that_is_away_hinders_nobody_who_has_something_to_use() {
        let (clock, server, kept) = stand();
        server.away.store(true, Ordering::SeqCst);
        assert_eq!(kept.get(Wanted::Any).await, Err(Missing));
        assert_eq!(kept.get(Wanted::Any).await, Err(Missing));
        assert_eq!(server.asked.load(Ordering::SeqCst), 1);
        assert_eq!(kept.figures.issuers_away.get(), 1);
        server.away.store(false, Ordering::SeqCst);
        clock.advance(PAUSE);
        assert_eq!(kept.get(Wanted::Any).await.as_deref(), Ok(&2));
        assert_eq!(kept.figures.issuers_away.get(), 0);
        server.away.store(true, Ordering::SeqCst);
        clock.advance(FRESH + Duration::from_secs(1));
        assert_eq!(kept.get(Wanted::Any).await.as_deref(), Ok(&2));
        while kept.freshness().failing_since().is_none() {
            tokio::task::yield_now().await;
        }
        assert_eq!(kept.get(Wanted::Any).await.as_deref(), Ok(&2));
    }
}

//! Whether anybody wants a stream. The main stream is always wanted; the sub stream is pulled as
//! long as somebody holds it, and a little longer.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

/// How long a stream is pulled on after the last holder let go: viewers come back.
const LINGER: Duration = Duration::from_secs(10);

/// Asks for a stream, and tells its task whether anybody does.
#[derive(Clone, Debug)]
pub struct Demand {
    holders: Arc<watch::Sender<usize>>,
}

/// Keeps a stream wanted until it is dropped.
#[derive(Debug)]
#[must_use = "the stream is wanted only as long as this lives"]
pub struct Hold {
    holders: Arc<watch::Sender<usize>>,
}

impl Demand {
    /// Nobody asks yet.
    pub fn on_request() -> Self {
        Self {
            holders: Arc::new(watch::Sender::new(0)),
        }
    }

    pub fn hold(&self) -> Hold {
        self.holders.send_modify(|holders| *holders += 1);
        Hold {
            holders: Arc::clone(&self.holders),
        }
    }

    pub fn is_wanted(&self) -> bool {
        *self.holders.borrow() > 0
    }

    /// Completes when somebody asks; at once where somebody does.
    pub(super) async fn begins(&self) {
        let mut holders = self.holders.subscribe();
        // The sender lives in `self`, so this cannot fail.
        let _ = holders.wait_for(|holders| *holders > 0).await;
    }

    /// Completes when nobody has asked for a while.
    pub(super) async fn ends(&self) {
        let mut holders = self.holders.subscribe();
        loop {
            let _ = holders.wait_for(|holders| *holders == 0).await;
            let back = holders.wait_for(|holders| *holders > 0);
            if tokio::time::timeout(LINGER, back).await.is_err() {
                return;
            }
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.holders
            .send_modify(|holders| *holders = holders.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_stream_is_wanted_while_somebody_holds_it_and_a_little_longer() {
        let demand = Demand::on_request();
        assert!(!demand.is_wanted());
        let (one, other) = (demand.hold(), demand.hold());
        demand.begins().await;
        drop(one);
        assert!(demand.is_wanted());
        let began = tokio::time::Instant::now();
        drop(other);
        demand.ends().await;
        assert_eq!(began.elapsed(), LINGER);
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_back_in_time_finds_the_stream_running() {
        let demand = Demand::on_request();
        drop(demand.hold());
        let ends = demand.ends();
        tokio::pin!(ends);
        assert!(tokio::time::timeout(LINGER / 2, &mut ends).await.is_err());
        let _back = demand.hold();
        assert!(tokio::time::timeout(LINGER * 10, &mut ends).await.is_err());
    }
}

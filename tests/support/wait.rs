//! Waiting for something to become true, without guessing how long it takes.

use std::fmt::Debug;
use std::time::Duration;

use anyhow::{Result, bail};
use tokio::time::{Instant, interval};

/// Asks again every 50 ms until `check` gives an answer; fails with what was waited for after `limit`.
///
/// # Errors
/// `limit` has passed. The error shows the last refusal of `check`.
pub async fn until<T, E: Debug>(
    what: &str,
    limit: Duration,
    mut check: impl AsyncFnMut() -> Result<T, E>,
) -> Result<T> {
    let deadline = Instant::now() + limit;
    let mut ticks = interval(Duration::from_millis(50));
    loop {
        ticks.tick().await;
        match check().await {
            Ok(value) => return Ok(value),
            Err(error) if Instant::now() >= deadline => {
                bail!("waited {limit:?} for {what}; the last answer was {error:?}")
            }
            Err(_) => {}
        }
    }
}

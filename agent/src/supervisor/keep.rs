//! Keeps one task running: a panic in it is reported, and it is started again after a while. What
//! it does in the meantime concerns nobody else.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::backoff::Backoff;

/// A task that ran so long before it failed is started again quickly.
const LASTING: Duration = Duration::from_secs(60);

/// Runs what `start` makes until `cancel`; again, after 1 s to 30 s, whenever it ends by itself.
/// `failed` is told each time.
pub(crate) async fn keep<F, T>(
    name: &str,
    cancel: &CancellationToken,
    mut start: impl FnMut() -> F,
    failed: impl Fn(),
) where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30));
    while !cancel.is_cancelled() {
        let began = Instant::now();
        let ended = tokio::spawn(start()).await;
        if cancel.is_cancelled() {
            return;
        }
        if began.elapsed() > LASTING {
            backoff.reset();
        }
        let wait = backoff.next(rand::random());
        match ended {
            Ok(_) => tracing::error!(
                task = name,
                retry_ms = wait.as_millis(),
                "ended by itself; it is started again"
            ),
            Err(error) => {
                tracing::error!(task = name, %error, retry_ms = wait.as_millis(), "a fault in the program; it is started again");
            }
        }
        failed();
        tokio::select! {
            () = cancel.cancelled() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_task_that_panics_is_started_again_and_stops_when_told() {
        let starts = Arc::new(AtomicU32::new(0));
        let failures = AtomicU32::new(0);
        let cancel = CancellationToken::new();
        let (counted, stop) = (Arc::clone(&starts), cancel.clone());
        let start = move || {
            let (counted, stop) = (Arc::clone(&counted), stop.clone());
            async move {
                match counted.fetch_add(1, Ordering::SeqCst) {
                    0 => panic!("a bug"),
                    1 => {}
                    _ => stop.cancel(),
                }
            }
        };
        keep("test", &cancel, start, || {
            failures.fetch_add(1, Ordering::SeqCst);
        })
        .await;
        assert_eq!(starts.load(Ordering::SeqCst), 3);
        assert_eq!(failures.load(Ordering::SeqCst), 2);
    }
}

//! A fault in the program itself: one stream suffers, says that it was the agent, and goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use shared::clock::{Clock, SystemClock};
use shared::message;
use shared::time::WallTime;
use shared::timeline::Reason;

use super::stand::{Running, good_camera};
use crate::recorder::studio::eventually;

/// A clock on which tasks stumble as often as they are told to.
#[derive(Debug)]
struct Stumbling {
    clock: SystemClock,
    times: AtomicU32,
}

impl Clock for Stumbling {
    fn wall(&self) -> WallTime {
        // The threads that write are not tasks.
        let in_a_task = tokio::task::try_id().is_some();
        let stumble = |left: u32| left.checked_sub(1);
        let (order, fetch) = (Ordering::SeqCst, Ordering::SeqCst);
        if in_a_task && self.times.fetch_update(order, fetch, stumble).is_ok() {
            panic!("a fault on purpose");
        }
        self.clock.wall()
    }

    fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_fails_is_the_agents_fault_and_nobodys_restart() {
    let (_simulator, camera) = good_camera("gate").await;
    let directory = tempfile::tempdir().unwrap();
    let clock = Arc::new(Stumbling {
        clock: SystemClock::new(),
        times: AtomicU32::new(0),
    });
    let agent = Running::start(directory.path(), &camera, Arc::clone(&clock) as _).await;
    let recorded_until = || agent.view("gate").recorder.recorded_until;
    let started = clock.wall();
    eventually("the camera is recorded", async || {
        recorded_until().filter(|until| *until > started + Duration::from_secs(1))
    })
    .await;

    // Neither the recorder nor anything else can take all three from the camera's own task.
    clock.times.store(3, Ordering::SeqCst);
    eventually("the tasks have failed", async || {
        (clock.times.load(Ordering::SeqCst) == 0).then_some(())
    })
    .await;
    let mended = clock.clock.wall();
    eventually("the camera is recorded again", async || {
        recorded_until().filter(|until| *until > mended + Duration::from_secs(1))
    })
    .await;
    let audit = agent.stop_and_audit().await;
    assert!(audit.is_sound(), "{audit:?}");
    let missing = &audit.streams[0].missing_ms;
    let is_missing_for = |reason| missing.contains_key(message::reason(reason).code);
    assert!(is_missing_for(Reason::AgentFault), "{missing:?}");
    assert!(is_missing_for(Reason::CameraAdded), "{missing:?}");
    assert!(!is_missing_for(Reason::OperatorRestart), "{missing:?}");
}

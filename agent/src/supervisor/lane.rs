//! One stream: the task that pulls it and the task that records it, each started again by itself.

use std::sync::Arc;
use std::time::Duration;

use shared::clock::Clock;
use shared::segment::StreamKind;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::keep::keep;
use super::site::{Camera, Site};
use crate::backoff::Backoff;
use crate::buffer::{Buffer, Predecessor};
use crate::camera::fanout::{QueueLimits, Subscription};
use crate::camera::source::Source;
use crate::camera::{self, Puller, Stream, StreamConfig, Surroundings};
use crate::recorder::{self, Assignment, Disk};

/// What the recorder may take to write what the camera said last.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// What all lanes share.
#[derive(Clone)]
pub(super) struct Floor {
    pub(super) site: Arc<Site>,
    pub(super) buffer: Buffer,
    pub(super) disk: Disk,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) surroundings: Surroundings,
    /// Told of each fault in a task.
    pub(super) failed: Arc<dyn Fn() + Send + Sync>,
}

impl Floor {
    fn assignment(
        &self,
        camera: &Camera,
        predecessor: Predecessor,
        subscription: Subscription,
    ) -> Assignment {
        // Nothing on this host tells of events yet, so nobody holds the other end.
        let (_, triggers) = mpsc::channel(1);
        Assignment {
            camera: camera.id,
            stream: StreamKind::Main,
            since: camera.since,
            predecessor,
            subscription,
            settings: camera.settings.subscribe(),
            triggers,
            buffer: self.buffer.clone(),
            disk: self.disk.clone(),
            clock: Arc::clone(&self.clock),
            status: camera.recorder.clone(),
        }
    }
}

/// Pulls and records the main stream of the camera at `index` until `cancel`.
pub(super) async fn run(floor: Floor, index: usize, source: Source, cancel: CancellationToken) {
    let Some(camera) = floor.site.all().get(index) else {
        return;
    };
    let name = camera.section.name.clone();
    let failed = Arc::clone(&floor.failed);
    let mut predecessor = Predecessor::EarlierRun;
    let start = || {
        let config = StreamConfig {
            camera: camera.id,
            stream: StreamKind::Main,
            name: name.clone(),
            source: source.clone(),
            on_request: false,
        };
        let (stream, puller) = camera::stream(config, &floor.surroundings);
        *camera.running() = Some(stream.clone());
        let begun_after = std::mem::replace(&mut predecessor, Predecessor::FailedTask);
        let floor = floor.clone();
        serve(floor, index, begun_after, stream, puller, cancel.clone())
    };
    keep(&name, &cancel, start, || failed()).await;
}

/// Pulls the small stream of the camera at `index` whenever somebody wants it, until `cancel`.
pub(super) async fn run_small(
    floor: Floor,
    index: usize,
    source: Source,
    cancel: CancellationToken,
) {
    let Some(camera) = floor.site.all().get(index) else {
        return;
    };
    let name = format!("{} (small)", camera.section.name);
    let start = || {
        let config = StreamConfig {
            camera: camera.id,
            stream: StreamKind::Sub,
            name: name.clone(),
            source: source.clone(),
            on_request: true,
        };
        let (stream, puller) = camera::stream(config, &floor.surroundings);
        *camera.small() = Some(stream);
        puller.run(cancel.clone())
    };
    keep(&name, &cancel, start, || (floor.failed)()).await;
    *camera.small() = None;
}

/// Until the puller ends: by itself only for a fault, which is passed on to the caller.
async fn serve(
    floor: Floor,
    index: usize,
    predecessor: Predecessor,
    stream: Stream,
    puller: Puller,
    cancel: CancellationToken,
) {
    let Some(camera) = floor.site.all().get(index) else {
        return;
    };
    let stop_recorder = CancellationToken::new();
    let recorder = tokio::spawn(record(
        floor.clone(),
        index,
        predecessor,
        stop_recorder.clone(),
    ));
    let watcher = tokio::spawn(watch(Arc::clone(&floor.site), stream));
    let pulled = tokio::spawn(puller.run(cancel)).await;
    watcher.abort();
    // With the last handle gone the recorder hears the camera's last words and then the end.
    *camera.running() = None;
    stop_recorder_soon(recorder, &stop_recorder).await;
    floor.site.changed();
    if let Err(error) = pulled
        && error.is_panic()
    {
        std::panic::resume_unwind(error.into_panic());
    }
}

async fn stop_recorder_soon(mut recorder: tokio::task::JoinHandle<()>, stop: &CancellationToken) {
    if tokio::time::timeout(LAST_WORDS, &mut recorder)
        .await
        .is_err()
    {
        stop.cancel();
        // It was told to stop; how it ended was logged where it is kept.
        let _ = recorder.await;
    }
}

/// Records until the stream is gone or `cancel`; a fault in the recorder does not touch the camera's
/// session.
async fn record(
    floor: Floor,
    index: usize,
    mut predecessor: Predecessor,
    cancel: CancellationToken,
) {
    let Some(camera) = floor.site.all().get(index) else {
        return;
    };
    let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30));
    while !cancel.is_cancelled() {
        let subscription = match &*camera.running() {
            Some(stream) => stream.subscribe(QueueLimits::KEPT_GOP),
            None => return,
        };
        let assignment = floor.assignment(camera, predecessor, subscription);
        let Err(error) = tokio::spawn(recorder::run(assignment, cancel.clone())).await else {
            return;
        };
        predecessor = Predecessor::FailedTask;
        let wait = backoff.next(rand::random());
        tracing::error!(camera.name = camera.section.name, %error, retry_ms = wait.as_millis(), "a fault in the recorder; it is started again");
        (floor.failed)();
        tokio::select! {
            () = cancel.cancelled() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// Announces every change of the stream's state.
async fn watch(site: Arc<Site>, stream: Stream) {
    let mut status = stream.status();
    drop(stream);
    let mut last = None;
    loop {
        let state = status.borrow_and_update().state;
        if last != Some(state) {
            last = Some(state);
            site.changed();
        }
        if status.changed().await.is_err() {
            return;
        }
    }
}

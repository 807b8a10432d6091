//! The camera module against the simulator. Here: the simulator, a stream being pulled, and what its
//! pictures must be like.

mod faults;
mod probe;
mod quirks;
mod refusals;
mod streams;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use camera_sim::stamp::{self, SeiStamp};
use camera_sim::{CameraConfig, CameraHandle, Fault, Rendition, Simulator, SimulatorConfig};
use cctv_agent::camera::fanout::{QueueLimits, Subscription};
use cctv_agent::camera::media::{Event, Run};
use cctv_agent::camera::source::Source;
use cctv_agent::camera::{Stream, StreamConfig, Surroundings, stream};
use shared::clock::Clock;
use shared::id::CameraId;
use shared::sample::{AudioFrame, Sample};
use shared::segment::StreamKind;
use shared::time::WallTime;
use shared::timeline::Reason;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// Longer than anything here should ever take.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

pub(super) const LIMITS: QueueLimits = QueueLimits {
    bytes: 32 << 20,
    events: 10_000,
};

/// Small pictures with a key frame a second: cheap to encode.
pub(crate) fn small(name: &str) -> CameraConfig {
    CameraConfig {
        width: 320,
        height: 192,
        fps: 10,
        gop_frames: 10,
        bitrate: 200_000,
        ..CameraConfig::scene(name)
    }
}

pub(crate) async fn simulate(cameras: impl IntoIterator<Item = CameraConfig>) -> Simulator {
    Simulator::start(SimulatorConfig::of(cameras))
        .await
        .expect("the simulator starts")
}

/// One stream being pulled, and what it has said so far.
pub(super) struct Pull {
    pub(super) stream: Stream,
    pub(super) subscription: Subscription,
    pub(super) seen: Vec<Event>,
    /// Says when a fault is over.
    pub(super) clock: Arc<dyn Clock>,
    pub(super) cancel: CancellationToken,
    _task: AbortOnDropHandle<()>,
}

impl Pull {
    pub(super) fn of(source: Source, kind: StreamKind, clock: Arc<dyn Clock>) -> Self {
        let config = StreamConfig {
            camera: CameraId::new(clock.wall()),
            stream: kind,
            name: source.shown(),
            source,
            on_request: kind == StreamKind::Sub,
        };
        let (stream, puller) = stream(config, &Surroundings::new(Arc::clone(&clock)));
        let cancel = CancellationToken::new();
        let task = tokio::spawn(puller.run(cancel.clone()));
        Self {
            subscription: stream.subscribe(LIMITS),
            stream,
            seen: Vec::new(),
            clock,
            cancel,
            _task: AbortOnDropHandle::new(task),
        }
    }

    pub(super) fn main(simulator: &Simulator, camera: &str) -> Self {
        let url = simulator.url(camera, Rendition::Main);
        let source = Source::new(url, None).expect("a source");
        Self::of(source, StreamKind::Main, simulator.clock())
    }

    pub(super) async fn next(&mut self) -> Event {
        let event = tokio::time::timeout(PATIENCE, self.subscription.next())
            .await
            .unwrap_or_else(|_| panic!("nothing for {PATIENCE:?} after {}", kinds(&self.seen)))
            .expect("the stream lives on");
        self.seen.push(event.clone());
        event
    }

    /// The first event that `pick` accepts.
    pub(super) async fn first<T>(&mut self, mut pick: impl FnMut(&Event) -> Option<T>) -> T {
        let give_up = Instant::now() + PATIENCE;
        loop {
            let event = self.next().await;
            if let Some(found) = pick(&event) {
                return found;
            }
            assert!(
                Instant::now() < give_up,
                "not within {PATIENCE:?}, only {}",
                kinds(&self.seen)
            );
        }
    }

    pub(super) async fn pictures(&mut self, count: usize) -> Vec<(Sample, WallTime)> {
        let mut pictures = Vec::new();
        while pictures.len() < count {
            pictures.push(self.first(picture).await);
        }
        pictures
    }

    pub(super) async fn run(&mut self) -> Arc<Run> {
        self.first(|event| match event {
            Event::RunStarted(run) => Some(Arc::clone(run)),
            _ => None,
        })
        .await
    }

    pub(super) async fn run_end(&mut self) -> (Reason, Option<String>) {
        self.first(|event| match event {
            Event::RunEnded { reason, detail, .. } => Some((*reason, detail.clone())),
            _ => None,
        })
        .await
    }

    pub(super) async fn down(&mut self) -> (Reason, String) {
        self.first(|event| match event {
            Event::Down { reason, detail, .. } => {
                Some((*reason, detail.clone().unwrap_or_default()))
            }
            _ => None,
        })
        .await
    }

    /// Waits for a picture made after `fault` was over, and says how long after that it came.
    pub(super) async fn back_after(
        &mut self,
        camera: &CameraHandle,
        fault: Fault,
        lasts: Duration,
    ) -> Duration {
        let over = self.clock.wall() + lasts;
        camera.fault_for(fault, lasts).expect("a fault");
        self.first(|event| picture(event).filter(|(_, wall)| *wall >= over))
            .await;
        self.clock.wall().saturating_duration_since(over)
    }
}

pub(super) fn picture(event: &Event) -> Option<(Sample, WallTime)> {
    match event {
        Event::Video { sample, wall } => Some((sample.clone(), *wall)),
        _ => None,
    }
}

pub(super) fn sound(event: &Event) -> Option<AudioFrame> {
    match event {
        Event::Audio(frame) => Some(frame.clone()),
        _ => None,
    }
}

pub(super) fn sei(sample: &Sample) -> SeiStamp {
    stamp::read_sei(&sample.payload).expect("every picture of the simulator is stamped")
}

/// One letter per event, repeated ones counted.
pub(super) fn kinds(events: &[Event]) -> String {
    let mut kinds: Vec<(String, usize)> = Vec::new();
    for event in events {
        let kind = match event {
            Event::RunStarted(run) => format!("start({:?})", run.started_because),
            Event::Video { .. } => "video".to_owned(),
            Event::Audio(_) => "audio".to_owned(),
            Event::Lost { reason, .. } => format!("lost({reason:?})"),
            Event::RunEnded { reason, detail, .. } => format!("end({reason:?}: {detail:?})"),
            Event::Down { reason, detail, .. } => format!("down({reason:?}: {detail:?})"),
            Event::Skipped { .. } => "skipped".to_owned(),
        };
        match kinds.last_mut() {
            Some((last, count)) if *last == kind => *count += 1,
            _ => kinds.push((kind, 1)),
        }
    }
    let parts: Vec<_> = kinds
        .iter()
        .map(|(kind, count)| format!("{kind}×{count}"))
        .collect();
    parts.join(" ")
}

/// Frame numbers are consecutive, decoding times rise, and wall times are those of the stamps.
pub(crate) fn assert_faithful(pictures: &[(Sample, WallTime)], late_by_at_most_ms: i64) {
    let mut numbers: Vec<_> = pictures
        .iter()
        .map(|(sample, _)| sei(sample).frame)
        .collect();
    assert!(
        pictures
            .windows(2)
            .all(|pair| pair[0].0.dts < pair[1].0.dts)
    );
    assert!(pictures.iter().all(|(sample, _)| sample.dts <= sample.pts));
    numbers.sort_unstable();
    assert!(
        numbers.windows(2).all(|pair| pair[1] == pair[0] + 1),
        "{numbers:?}"
    );
    for (sample, wall) in pictures {
        let late_us = wall.micros_since(WallTime::from_micros(sei(sample).wall_us));
        assert!(
            (-5_000..late_by_at_most_ms * 1_000).contains(&late_us),
            "a picture's wall time is {late_us} µs after it was made"
        );
    }
}

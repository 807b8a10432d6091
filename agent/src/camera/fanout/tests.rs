use bytes::Bytes;
use proptest::prelude::*;
use shared::codec::{StreamParameters, VideoCodec, VideoParameters};
use shared::id::{CameraId, RunId};
use shared::sample::Sample;
use shared::segment::StreamKind;
use shared::time::{Ticks90k, WallTime};
use shared::timeline::Reason;

use super::*;
use crate::camera::media::RunStart;

fn run(origin: WallTime) -> Arc<Run> {
    Arc::new(Run {
        id: RunId::new(origin),
        camera: CameraId::new(origin),
        stream: StreamKind::Main,
        parameters: Arc::new(StreamParameters {
            video: VideoParameters {
                codec: VideoCodec::H264,
                config: Bytes::from_static(b"not looked at"),
                rfc6381: "avc1.4d401f".to_owned(),
                width: 640,
                height: 360,
                reorder_frames: 0,
            },
            audio: None,
        }),
        origin,
        wall_uncertainty_us: None,
        started_because: RunStart::Connected,
    })
}

fn at(number: u32) -> WallTime {
    WallTime::from_millis(i64::from(number) * 40)
}

fn picture(number: u32, sync: bool, bytes: usize) -> Event {
    Event::Video {
        sample: Sample {
            pts: Ticks90k::from_millis(i64::from(number) * 40),
            dts: Ticks90k::from_millis(i64::from(number) * 40),
            sync,
            payload: Bytes::from(vec![0; bytes]),
        },
        wall: at(number),
    }
}

const SMALL: QueueLimits = QueueLimits {
    bytes: 1_000,
    events: 10,
};

fn drain(subscription: &mut Subscription) -> Vec<Event> {
    std::iter::from_fn(|| subscription.try_next()).collect()
}

#[test]
fn payloads_are_shared_and_never_copied() {
    let fanout = Fanout::new();
    let mut first = fanout.subscribe(SMALL);
    fanout.publish(Event::RunStarted(run(at(0))));
    let event = picture(0, true, 100);
    let address = |event: &Event| match event {
        Event::Video { sample, .. } => sample.payload.as_ptr(),
        other => panic!("not a picture: {other:?}"),
    };
    let published = address(&event);
    fanout.publish(event);
    let mut late = fanout.subscribe(SMALL);
    for subscription in [&mut first, &mut late] {
        let events = drain(subscription);
        assert!(matches!(events[0], Event::RunStarted(_)));
        assert_eq!(address(&events[1]), published);
    }
}

#[test]
fn a_newcomer_gets_the_run_and_the_whole_newest_gop() {
    let fanout = Fanout::new();
    fanout.publish(Event::RunStarted(run(at(0))));
    for number in 0..12 {
        fanout.publish(picture(number, number % 5 == 0, 10));
    }
    let events = drain(&mut fanout.subscribe(SMALL));
    assert!(matches!(events[0], Event::RunStarted(_)));
    assert_eq!(events[1..], [picture(10, true, 10), picture(11, false, 10)]);
}

#[test]
fn a_newcomer_too_small_for_the_gop_begins_with_the_next_one() {
    let fanout = Fanout::new();
    fanout.publish(Event::RunStarted(run(at(0))));
    for number in 0..30 {
        fanout.publish(picture(number, number == 0, 10));
    }
    let mut subscription = fanout.subscribe(SMALL);
    fanout.publish(picture(30, false, 10));
    fanout.publish(picture(31, true, 10));
    let events = drain(&mut subscription);
    assert!(matches!(events[0], Event::RunStarted(_)));
    assert_eq!(events[1..], [picture(31, true, 10)]);
}

#[test]
fn a_newcomer_learns_why_there_is_no_picture() {
    let fanout = Fanout::new();
    let down = Event::Down {
        reason: Reason::CameraUnreachable,
        detail: None,
        since: at(7),
    };
    fanout.publish(down.clone());
    assert_eq!(drain(&mut fanout.subscribe(SMALL)), [down]);
}

#[test]
fn a_slow_consumer_is_told_exactly_what_it_missed_and_resumes_at_a_sync_sample() {
    let fanout = Fanout::new();
    let mut slow = fanout.subscribe(SMALL);
    let mut fast = fanout.subscribe(SMALL);
    fanout.publish(Event::RunStarted(run(at(0))));
    let mut seen_by_fast = 0;
    for number in 0..23 {
        fanout.publish(picture(number, number % 8 == 0, 10));
        seen_by_fast += drain(&mut fast).iter().filter(|e| e.is_media()).count();
    }
    assert_eq!(seen_by_fast, 23);
    // Ten pictures were queued; 10 to 22 were left out, although 16 was a sync sample.
    let first: Vec<_> = drain(&mut slow);
    assert_eq!(first.len(), 11);
    fanout.publish(picture(23, false, 10));
    fanout.publish(picture(24, true, 10));
    assert_eq!(
        drain(&mut slow),
        [
            Event::Skipped {
                from: at(10),
                to: at(24),
                pictures: 14
            },
            picture(24, true, 10)
        ]
    );
}

#[test]
fn a_consumer_that_slept_through_everything_is_brought_to_the_present() {
    let fanout = Fanout::new();
    let mut slow = fanout.subscribe(SMALL);
    for number in 0..200 {
        fanout.publish(Event::RunStarted(run(at(number))));
        fanout.publish(picture(number, true, 10));
        fanout.publish(Event::RunEnded {
            at: at(number + 1),
            reason: Reason::CameraDisconnected,
            detail: None,
        });
    }
    let last = run(at(200));
    fanout.publish(Event::RunStarted(Arc::clone(&last)));
    fanout.publish(picture(200, true, 10));
    let events = drain(&mut slow);
    assert!(events.len() <= 150, "{}", events.len());
    assert!(matches!(events.last(), Some(Event::RunStarted(run)) if run.id == last.id));
    fanout.publish(picture(201, true, 10));
    let resumed = drain(&mut slow);
    assert!(matches!(resumed[0], Event::Skipped { .. }));
    assert_eq!(resumed[1], picture(201, true, 10));
}

#[tokio::test]
async fn subscriptions_end_when_the_camera_task_is_gone_and_the_queue_is_empty() {
    let fanout = Fanout::new();
    let mut subscription = fanout.subscribe(SMALL);
    fanout.publish(Event::RunStarted(run(at(0))));
    let consumer = tokio::spawn(async move {
        let mut events = 0;
        while subscription.next().await.is_some() {
            events += 1;
        }
        events
    });
    drop(fanout);
    assert_eq!(consumer.await.unwrap(), 1);
}

#[test]
fn dropping_a_subscription_frees_its_queue() {
    let fanout = Fanout::new();
    let one = fanout.subscribe(SMALL);
    let other = fanout.subscribe(SMALL);
    drop(one);
    assert_eq!(fanout.subscribers(), 1);
    drop(other);
    assert_eq!(fanout.subscribers(), 0);
}

/// What the camera task may do next.
#[derive(Clone, Debug)]
enum Step {
    Picture { sync: bool, bytes: usize },
    Sound { bytes: usize },
    Lose,
    EndRun,
    Take(usize),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (prop::bool::weighted(0.2), 1_usize..400)
            .prop_map(|(sync, bytes)| Step::Picture { sync, bytes }),
        2 => (1_usize..50).prop_map(|bytes| Step::Sound { bytes }),
        1 => Just(Step::Lose),
        1 => Just(Step::EndRun),
        4 => (0_usize..12).prop_map(Step::Take),
    ]
}

/// Follows what one consumer is given and checks it as it comes.
#[derive(Default)]
struct Follower {
    in_run: bool,
    after_skip: bool,
    pictures: u32,
    skipped: u32,
    last: Option<WallTime>,
}

impl Follower {
    fn see(&mut self, event: &Event) {
        match event {
            Event::RunStarted(_) => {
                assert!(!self.in_run, "a run inside a run");
                self.in_run = true;
                self.after_skip = false;
            }
            Event::RunEnded { .. } => {
                assert!(self.in_run, "the end of no run");
                self.in_run = false;
            }
            Event::Video { sample, wall } => {
                assert!(self.in_run, "a picture outside of runs");
                assert!(sample.sync || !self.after_skip, "resumed inside a GOP");
                assert!(
                    self.last.is_none_or(|last| last < *wall),
                    "out of order or twice"
                );
                self.after_skip = false;
                self.last = Some(*wall);
                self.pictures += 1;
            }
            Event::Audio(_) => {
                assert!(self.in_run, "sound outside of runs");
                assert!(!self.after_skip, "sound before the picture it belongs to");
            }
            Event::Lost { .. } => assert!(self.in_run, "a loss outside of runs"),
            Event::Down { .. } => assert!(!self.in_run, "down inside a run"),
            Event::Skipped { from, to, pictures } => {
                assert!(from <= to);
                self.after_skip = true;
                self.skipped += pictures;
            }
        }
    }
}

fn sound(bytes: usize) -> Event {
    Event::Audio(shared::sample::AudioFrame {
        start: 0,
        duration: 160,
        payload: Bytes::from(vec![0; bytes]),
    })
}

proptest! {
    #[test]
    fn every_picture_is_delivered_or_counted_as_skipped(
        steps in prop::collection::vec(any_step(), 1..400),
        bytes in 50_usize..2_000,
        events in 1_usize..20,
    ) {
        let limits = QueueLimits { bytes, events };
        let fanout = Fanout::new();
        let mut subscription = fanout.subscribe(limits);
        let mut follower = Follower::default();
        let (mut number, mut published, mut in_run) = (0, 0, false);
        for step in steps {
            if !in_run && !matches!(step, Step::Take(_)) {
                fanout.publish(Event::Down { reason: Reason::CameraStalled, detail: None, since: at(number) });
                fanout.publish(Event::RunStarted(run(at(number))));
                in_run = true;
            }
            match step {
                Step::Picture { sync, bytes } => {
                    fanout.publish(picture(number, sync, bytes));
                    number += 1;
                    published += 1;
                }
                Step::Sound { bytes } => fanout.publish(sound(bytes)),
                Step::Lose => {
                    fanout.publish(Event::Lost { from: at(number), to: at(number + 1), reason: Reason::PacketsLost });
                    number += 1;
                }
                Step::EndRun => {
                    fanout.publish(Event::RunEnded { at: at(number), reason: Reason::CameraStalled, detail: None });
                    in_run = false;
                }
                Step::Take(count) => {
                    for _ in 0..count {
                        if let Some(event) = subscription.try_next() {
                            follower.see(&event);
                        }
                    }
                }
            }
            let held = fanout.shared.lock().subscribers[0].queue.held();
            prop_assert!(held.0 <= limits.bytes.max(400), "holds {} bytes", held.0);
            prop_assert!(held.1 <= limits.events + 2 * 64 + 4, "holds {} events", held.1);
        }
        if in_run {
            fanout.publish(Event::RunEnded { at: at(number), reason: Reason::AgentStopped, detail: None });
        }
        while let Some(event) = subscription.try_next() {
            follower.see(&event);
        }
        prop_assert_eq!(follower.pictures + follower.skipped, published);
        prop_assert!(!follower.in_run);
    }

    #[test]
    fn the_kept_gop_begins_with_a_sync_sample_and_stays_in_its_limits(
        steps in prop::collection::vec(any_step(), 1..300),
    ) {
        let limits = QueueLimits { bytes: 1_500, events: 12 };
        let mut kept = Kept::new(limits);
        for (number, step) in (0..).zip(steps) {
            match step {
                Step::Picture { sync, bytes } => kept.push(picture(number, sync, bytes)),
                Step::Sound { bytes } => kept.push(sound(bytes)),
                Step::EndRun => kept.push(Event::RunEnded { at: at(number), reason: Reason::CameraStalled, detail: None }),
                Step::Lose | Step::Take(_) => {}
            }
            let events = kept.events();
            prop_assert!(events.len() <= limits.events);
            prop_assert!(events.iter().map(Event::payload_len).sum::<usize>() <= limits.bytes);
            if let Some(first) = events.first() {
                let is_sync = matches!(first, Event::Video { sample, .. } if sample.sync);
                prop_assert!(is_sync);
            }
        }
    }
}

use bytes::Bytes;
use proptest::prelude::*;
use shared::codec::VideoCodec;

use super::*;

const START: WallTime = WallTime::from_secs(1_700_000_000);
const RTP: i64 = 5_000_000_000;

fn parameters(width: u16, reorder_frames: u8) -> Arc<VideoParameters> {
    Arc::new(VideoParameters {
        codec: VideoCodec::H264,
        config: Bytes::from(width.to_be_bytes().to_vec()),
        rfc6381: "avc1.4d401f".to_owned(),
        width,
        height: 360,
        reorder_frames,
    })
}

/// A camera with 25 pictures a second and a sync sample every second.
struct Camera {
    runs: Runs,
    parameters: Arc<VideoParameters>,
    events: Vec<Event>,
    rtp_start: i64,
    wall_step_us: i64,
}

impl Camera {
    fn new() -> Self {
        let at = WallTime::from_secs(1);
        let runs = Runs::new(CameraId::new(at), StreamKind::Main, None, now(0, 0));
        Self {
            runs,
            parameters: parameters(640, 0),
            events: Vec::new(),
            rtp_start: RTP,
            wall_step_us: 0,
        }
    }

    fn picture(&self, number: i64, sync: bool) -> Picture {
        Picture {
            pts: Ticks90k::new(self.rtp_start + number * 3_600),
            sync,
            payload: Bytes::from(number.to_be_bytes().to_vec()),
            lost_packets: 0,
            parameters: Arc::clone(&self.parameters),
        }
    }

    /// Captured at `number` frames, received 50 ms later.
    fn send(&mut self, picture: Picture, number: i64) {
        let at = now(number * 40 + 50, self.wall_step_us);
        self.runs.picture(picture, at, &mut self.events);
    }

    fn play(&mut self, numbers: std::ops::Range<i64>) {
        for number in numbers {
            self.send(self.picture(number, number % 25 == 0), number);
        }
    }

    fn report(&mut self, number: i64) {
        let report = Report {
            track: Track::Video,
            at: self.rtp_start + number * 3_600,
            ntp: START.offset_micros(number * 40_000),
        };
        let at = now(number * 40 + 1, self.wall_step_us);
        self.runs.report(report, at, &mut self.events);
    }

    fn take(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }
}

fn now(millis: i64, wall_step_us: i64) -> Now {
    Now {
        monotonic: Duration::from_millis(millis.unsigned_abs()),
        wall: START.offset_micros(millis * 1_000 + wall_step_us),
    }
}

/// The frame numbers and wall times of all pictures.
fn pictures(events: &[Event]) -> Vec<(i64, WallTime)> {
    let picture = |event: &Event| match event {
        Event::Video { sample, wall } => {
            let number: [u8; 8] = sample.payload[..].try_into().unwrap();
            Some((i64::from_be_bytes(number), *wall))
        }
        _ => None,
    };
    events.iter().filter_map(picture).collect()
}

fn kinds(events: &[Event]) -> String {
    events
        .iter()
        .map(|event| match event {
            Event::RunStarted(_) => 'S',
            Event::Video { .. } => 'v',
            Event::Audio(_) => 'a',
            Event::Lost { .. } => 'L',
            Event::RunEnded { .. } => 'E',
            Event::Down { .. } => 'D',
            Event::Skipped { .. } => 'K',
        })
        .collect()
}

#[test]
fn a_run_begins_with_the_first_sync_sample_once_half_a_second_has_settled_it() {
    let mut camera = Camera::new();
    camera.play(10..35);
    assert_eq!(camera.take(), []);
    camera.play(35..39);
    let events = camera.take();
    assert_eq!(kinds(&events), "Svvvvvvvvvvvvvv");
    assert_eq!(pictures(&events)[0].0, 25);
    let Event::RunStarted(run) = &events[0] else {
        panic!("{events:?}")
    };
    assert_eq!(run.started_because, RunStart::Connected);
    assert_eq!(run.origin, START.offset_micros(25 * 40_000 + 50_000));
    assert_eq!(run.wall_uncertainty_us, None);
}

#[test]
fn a_sender_report_settles_at_once_and_gives_the_instant_of_capture() {
    let mut camera = Camera::new();
    camera.report(0);
    camera.play(0..3);
    let events = camera.take();
    assert_eq!(kinds(&events), "Svvv");
    for (number, wall) in pictures(&events) {
        let error = wall.micros_since(START.offset_micros(number * 40_000));
        assert!((0..=1_500).contains(&error), "{error}");
    }
}

#[test]
fn old_pictures_sent_fast_at_the_start_do_not_set_the_clock() {
    let mut camera = Camera::new();
    // Two seconds of the past within 100 ms, then live.
    for number in 0..50 {
        let at = now(2_050 + number * 2, 0);
        let picture = camera.picture(number, number == 0);
        camera.runs.picture(picture, at, &mut camera.events);
    }
    camera.play(52..75);
    let events = camera.take();
    assert_eq!(kinds(&events).matches('S').count(), 1);
    for (number, wall) in pictures(&events) {
        assert_eq!(
            wall,
            START.offset_micros(number * 40_000 + 50_000),
            "{number}"
        );
    }
}

#[test]
fn a_stream_that_never_sends_a_sync_sample_is_recorded_all_the_same() {
    let mut camera = Camera::new();
    for number in 1..300 {
        camera.send(camera.picture(number, false), number);
    }
    let events = camera.take();
    assert!(matches!(events[0], Event::RunStarted(_)));
    assert_eq!(pictures(&events)[0].0, 251);
}

#[test]
fn other_parameters_end_the_run_and_the_next_begins_with_a_sync_sample() {
    let mut camera = Camera::new();
    camera.report(0);
    camera.play(0..30);
    camera.take();
    camera.parameters = parameters(1280, 0);
    camera.play(30..55);
    let events = camera.take();
    assert_eq!(kinds(&events), "ESvvvvv");
    let Event::RunEnded { at, reason, detail } = &events[0] else {
        panic!("{events:?}")
    };
    assert_eq!(*reason, Reason::CameraParametersChanged);
    assert!(detail.as_ref().unwrap().contains("640×360"), "{detail:?}");
    assert!(at.micros_since(START.offset_micros(30 * 40_000)).abs() < 2_000);
    let Event::RunStarted(run) = &events[1] else {
        panic!("{events:?}")
    };
    assert_eq!(run.started_because, RunStart::ParametersChanged);
    assert_eq!(run.parameters.video.width, 1280);
    assert_eq!(pictures(&events)[0].0, 50);
}

#[test]
fn equal_parameters_sent_again_change_nothing() {
    let mut camera = Camera::new();
    camera.report(0);
    camera.play(0..30);
    camera.take();
    camera.parameters = parameters(640, 0);
    camera.play(30..35);
    assert_eq!(kinds(&camera.take()), "vvvvv");
}

#[test]
fn a_timestamp_jump_begins_a_new_run_without_losing_a_picture() {
    for jump in [324_000_000, -324_000_000, 900_000, -18_000] {
        let mut camera = Camera::new();
        camera.report(0);
        camera.play(0..60);
        camera.take();
        camera.rtp_start += jump;
        camera.play(60..90);
        let events = camera.take();
        assert!(
            kinds(&events).starts_with("ESv"),
            "{jump}: {}",
            kinds(&events)
        );
        assert_eq!(kinds(&events).matches('S').count(), 1);
        let numbers: Vec<_> = pictures(&events)
            .iter()
            .map(|(number, _)| *number)
            .collect();
        assert_eq!(numbers, (60..90).collect::<Vec<_>>());
        for (number, wall) in pictures(&events) {
            let error = wall.micros_since(START.offset_micros(number * 40_000));
            assert!(error.abs() < 20_000, "{error} µs after a jump by {jump}");
        }
    }
}

#[test]
fn the_host_set_back_an_hour_begins_a_new_run_an_hour_earlier() {
    let mut camera = Camera::new();
    camera.report(0);
    camera.play(0..60);
    let first = camera.take();
    camera.wall_step_us = -3_600_000_000;
    camera.play(60..90);
    let second = camera.take();
    assert!(kinds(&second).starts_with("ESv"));
    assert!(matches!(
        second[0],
        Event::RunEnded {
            reason: Reason::HostClockStepped,
            ..
        }
    ));
    let (before, after) = (&first[0], &second[1]);
    let (Event::RunStarted(before), Event::RunStarted(after)) = (before, after) else {
        panic!("{second:?}")
    };
    assert_ne!(before.id, after.id);
    assert!(after.origin < before.origin);
    assert_eq!(pictures(&second).len(), 30);
}

#[test]
fn lost_packets_and_silence_are_said_with_their_stretch() {
    let mut camera = Camera::new();
    camera.report(0);
    camera.play(0..30);
    camera.take();
    let after_loss = Picture {
        lost_packets: 7,
        ..camera.picture(33, false)
    };
    camera.send(after_loss, 33);
    camera.play(34..40);
    camera.play(140..142);
    let events = camera.take();
    assert_eq!(kinds(&events), "LvvvvvvvLvv");
    let stretch = |event: &Event| match event {
        Event::Lost { from, to, reason } => (
            from.micros_since(START) / 40_000,
            to.micros_since(START) / 40_000,
            *reason,
        ),
        other => panic!("{other:?}"),
    };
    assert_eq!(stretch(&events[0]), (30, 33, Reason::PacketsLost));
    assert_eq!(stretch(&events[8]), (40, 140, Reason::CameraStalled));
}

#[test]
fn reordered_pictures_have_rising_decoding_times_from_zero() {
    let mut camera = Camera::new();
    camera.parameters = parameters(640, 1);
    // I P B B P B B …, each B two places after the P it precedes.
    let mut order = vec![0];
    order.extend((0..20).flat_map(|group| [group * 3 + 3, group * 3 + 1, group * 3 + 2]));
    for (place, number) in (0..).zip(order) {
        camera.send(camera.picture(number, number == 0), place + 3);
    }
    let events = camera.take();
    let samples: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Video { sample, wall } => Some((sample.pts, sample.dts, *wall)),
            _ => None,
        })
        .collect();
    assert_eq!(samples[0].1, Ticks90k::ZERO);
    assert_eq!(samples[0].0, Ticks90k::new(3_600));
    assert!(samples.iter().all(|(pts, dts, _)| dts <= pts));
    assert!(samples.windows(2).all(|pair| pair[0].1 < pair[1].1));
    let mut shown = samples;
    shown.sort_by_key(|(pts, _, _)| *pts);
    assert!(shown.windows(2).all(|pair| pair[0].2 < pair[1].2));
    assert!(!kinds(&events).contains('L'), "{}", kinds(&events));
}

#[test]
fn the_end_of_a_session_ends_the_run_after_its_last_picture() {
    let mut camera = Camera::new();
    camera.report(0);
    camera.play(0..30);
    camera.take();
    let mut out = Vec::new();
    camera.runs.end(Reason::CameraDisconnected, None, &mut out);
    let [Event::RunEnded { at, .. }] = &out[..] else {
        panic!("{out:?}")
    };
    assert!(at.micros_since(START.offset_micros(30 * 40_000)).abs() < 2_000);
    camera.runs.end(Reason::CameraDisconnected, None, &mut out);
    assert_eq!(out.len(), 1, "a run ends once");
}

/// What a camera and a network may do between two pictures.
#[derive(Clone, Copy, Debug)]
enum Mishap {
    None,
    Late(i64),
    RtpJump(i64),
    HostStep(i64),
    Parameters(u16),
    Loss(u16),
    Report,
    Pause(i64),
}

fn any_mishap() -> impl Strategy<Value = Mishap> {
    prop_oneof![
        20 => Just(Mishap::None),
        4 => (0_i64..400).prop_map(Mishap::Late),
        1 => (-1_000_000_000_i64..1_000_000_000).prop_map(Mishap::RtpJump),
        1 => (-5_000_000_i64..5_000_000).prop_map(Mishap::HostStep),
        1 => (1_u16..4).prop_map(|width| Mishap::Parameters(width * 320)),
        1 => (1_u16..50).prop_map(Mishap::Loss),
        2 => Just(Mishap::Report),
        1 => (0_i64..8_000).prop_map(Mishap::Pause),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn whatever_happens_events_are_in_order_and_no_picture_is_lost_or_doubled(
        mishaps in prop::collection::vec(any_mishap(), 50..600),
        gop in 1_i64..40,
        reorder in 0_u8..2,
    ) {
        let mut camera = Camera::new();
        camera.parameters = parameters(640, reorder);
        let (mut clock_ms, mut waits_for_sync, mut waits_since) = (0_i64, false, None);
        let mut expected = Vec::new();
        for (number, mishap) in (0_i64..).zip(mishaps) {
            clock_ms += 40;
            let (mut late, mut lost) = (0, 0);
            match mishap {
                Mishap::None => {}
                Mishap::Late(by) => late = by,
                Mishap::RtpJump(by) => camera.rtp_start += by,
                Mishap::HostStep(by) => camera.wall_step_us += by,
                // While the session settles, the wait for a sync sample has not begun yet.
                Mishap::Parameters(_) if number < 20 => {}
                Mishap::Parameters(width) => {
                    waits_for_sync |= camera.parameters.width != width;
                    camera.parameters = parameters(width, reorder);
                }
                Mishap::Loss(packets) => lost = packets,
                Mishap::Report => camera.report(number),
                Mishap::Pause(by) => {
                    clock_ms += by;
                    camera.rtp_start += by * 90;
                }
            }
            let sync = number % gop == 0;
            let arrived = clock_ms + 50 + late;
            let since = *waits_since.get_or_insert(arrived);
            waits_for_sync &= !sync && arrived - since < 10_000;
            if !waits_for_sync {
                waits_since = None;
            }
            let picture = Picture { lost_packets: lost, ..camera.picture(number, sync) };
            if !waits_for_sync {
                expected.push(number);
            }
            camera.runs.picture(picture, now(arrived, camera.wall_step_us), &mut camera.events);
        }
        camera.runs.settle(now(clock_ms + 5_000, camera.wall_step_us), &mut camera.events);
        camera.runs.end(Reason::AgentStopped, None, &mut camera.events);
        let events = camera.take();

        let mut run: Option<Arc<Run>> = None;
        let mut last_dts = None;
        let mut walls = std::collections::BTreeMap::new();
        for event in &events {
            match event {
                Event::RunStarted(started) => {
                    prop_assert!(run.is_none());
                    run = Some(Arc::clone(started));
                    last_dts = None;
                    walls.clear();
                }
                Event::RunEnded { at, .. } => {
                    prop_assert!(run.take().is_some());
                    prop_assert!(walls.values().all(|wall| wall <= at));
                }
                Event::Video { sample, wall } => {
                    prop_assert!(run.is_some());
                    match last_dts {
                        None => prop_assert_eq!(sample.dts, Ticks90k::ZERO),
                        Some(last) => prop_assert!(sample.dts > last),
                    }
                    last_dts = Some(sample.dts);
                    walls.insert(sample.pts, *wall);
                    prop_assert!(walls.values().is_sorted());
                }
                Event::Lost { from, to, .. } => {
                    prop_assert!(run.is_some());
                    prop_assert!(from <= to);
                }
                other => prop_assert!(false, "{other:?}"),
            }
        }
        prop_assert!(run.is_none());
        let numbers: Vec<_> = pictures(&events).iter().map(|(number, _)| *number).collect();
        // While settling, a jump throws away what was held back; afterwards nothing is lost.
        let Some(first) = numbers.first() else { return Ok(()) };
        let from = expected.iter().position(|number| number == first);
        prop_assert!(from.is_some(), "{} was to be left out", first);
        prop_assert_eq!(&numbers[..], &expected[from.unwrap()..]);
    }
}

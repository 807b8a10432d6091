//! Every fault of the simulator: what is said of it, and when pictures are back.

use std::collections::BTreeSet;
use std::time::Duration;

use camera_sim::{Audio, CameraConfig, Fault, KeepAliveRefusal, Rendition, stamp};
use cctv_agent::camera::media::{Event, RunStart};
use cctv_agent::camera::quirks::Quirk;
use cctv_agent::camera::source::{Source, Transport};
use shared::sample::Sample;
use shared::segment::StreamKind;
use shared::time::WallTime;
use shared::timeline::Reason;

use super::{LIMITS, Pull, assert_faithful, kinds, picture, sei, simulate, small};

/// What a promise of the product allows from the end of a fault to the next picture.
const BACK_WITHIN: Duration = Duration::from_secs(10);

/// What must be seen during a fault besides the return of pictures.
type Check = fn(&[Event]) -> bool;

fn ended_with(reason: Reason) -> impl Fn(&[Event]) -> bool {
    move |events| {
        events
            .iter()
            .any(|event| matches!(event, Event::RunEnded { reason: r, .. } if *r == reason))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_is_back_within_ten_seconds_of_the_end_of_every_fault() {
    struct Case {
        name: &'static str,
        fault: Fault,
        lasts: Duration,
        /// Sessions that run do not notice the fault.
        restart: bool,
        check: Check,
    }
    let seconds = Duration::from_secs;
    // Every check names the entry that the ledger will have.
    let cases = [
        Case {
            name: "cut",
            fault: Fault::Cut,
            lasts: seconds(12),
            restart: false,
            check: |events| ended_with(Reason::CameraDisconnected)(events),
        },
        Case {
            name: "refuse",
            fault: Fault::Refuse,
            lasts: seconds(12),
            restart: true,
            check: |events| ended_with(Reason::OperatorRestart)(events),
        },
        Case {
            name: "short-stall",
            fault: Fault::Stall,
            lasts: seconds(5),
            restart: false,
            check: |events| {
                let lost = |event: &&Event| {
                    matches!(event, Event::Lost { from, to, reason: Reason::CameraStalled }
                        if to.micros_since(*from) > 4_000_000)
                };
                events.iter().filter(lost).count() == 1
            },
        },
        Case {
            name: "long-stall",
            fault: Fault::Stall,
            lasts: seconds(18),
            restart: false,
            check: |events| ended_with(Reason::CameraStalled)(events),
        },
        Case {
            name: "audio-only",
            fault: Fault::AudioOnly,
            lasts: seconds(15),
            restart: true,
            check: |events| {
                events.iter().any(|event| {
                    matches!(event, Event::Down { reason: Reason::CameraProtocolError, detail: Some(detail), .. }
                        if detail.contains("describes no video"))
                })
            },
        },
        Case {
            name: "unknown-codec",
            fault: Fault::UnknownCodec {
                encoding: "X-SECRET".to_owned(),
            },
            lasts: seconds(15),
            restart: true,
            check: |events| {
                events.iter().any(|event| {
                    matches!(event, Event::Down { reason: Reason::CameraCodecUnsupported, detail: Some(detail), .. }
                        if detail.contains("x-secret"))
                })
            },
        },
        Case {
            name: "loss",
            fault: Fault::Loss { fraction: 0.2 },
            lasts: seconds(4),
            restart: false,
            check: |events| {
                events.iter().any(|event| {
                    matches!(
                        event,
                        Event::Lost {
                            reason: Reason::PacketsLost,
                            ..
                        }
                    )
                })
            },
        },
    ];
    let cameras = cases.iter().map(|case| CameraConfig {
        audio: Audio::Pcmu,
        ..small(case.name)
    });
    let simulator = simulate(cameras).await;
    let runs = cases.iter().map(|case| {
        let simulator = &simulator;
        async move {
            let camera = simulator.camera(case.name).expect("it");
            let mut pull = Pull::main(simulator, case.name);
            pull.pictures(5).await;
            if case.restart {
                pull.stream.restart();
            }
            let after = pull
                .back_after(&camera, case.fault.clone(), case.lasts)
                .await;
            assert!(
                after <= BACK_WITHIN,
                "{}: back {after:?} after its end; {}",
                case.name,
                kinds(&pull.seen)
            );
            assert!(
                (case.check)(&pull.seen),
                "{}: {}",
                case.name,
                kinds(&pull.seen)
            );
        }
    });
    futures::future::join_all(runs).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_that_need_no_new_session_begin_a_run_or_nothing() {
    let names = ["jump-ahead", "jump-back", "wrap", "sps", "long-gop", "skew"];
    let simulator = simulate(names.map(small)).await;
    let camera = |name: &str| simulator.camera(name).expect("it");
    camera("wrap")
        .fault(Fault::RtpWrap { after_ms: 3_000 })
        .expect("a fault");
    camera("long-gop").fault(Fault::LongGop).expect("a fault");

    let jump = |name: &'static str, ticks: i64| {
        let (simulator, camera) = (&simulator, camera(name));
        async move {
            let mut pull = Pull::main(simulator, name);
            pull.pictures(15).await;
            camera.fault(Fault::RtpJump { ticks }).expect("a fault");
            let (reason, detail) = pull.run_end().await;
            assert_eq!(reason, Reason::CameraClockJumped, "{name}: {detail:?}");
            let run = pull.run().await;
            assert_eq!(run.started_because, RunStart::ClockJumped);
            pull.pictures(20).await;
            let pictures: Vec<_> = pull.seen.iter().filter_map(picture).collect();
            let numbers: Vec<_> = pictures
                .iter()
                .map(|(sample, _)| sei(sample).frame)
                .collect();
            assert!(
                numbers.windows(2).all(|pair| pair[1] == pair[0] + 1),
                "{numbers:?}"
            );
            let tail = &pictures[pictures.len() - 20..];
            assert_faithful(tail, 200);
        }
    };
    let wrap = async {
        let mut pull = Pull::main(&simulator, "wrap");
        assert_faithful(&pull.pictures(60).await, 150);
        assert!(!kinds(&pull.seen).contains("end("), "{}", kinds(&pull.seen));
    };
    let sps = async {
        let mut pull = Pull::main(&simulator, "sps");
        pull.pictures(15).await;
        let fault = Fault::SpsChange {
            width: 480,
            height: 272,
        };
        camera("sps").fault(fault).expect("a fault");
        let (reason, detail) = pull.run_end().await;
        assert_eq!(reason, Reason::CameraParametersChanged, "{detail:?}");
        let run = pull.run().await;
        assert_eq!(run.started_because, RunStart::ParametersChanged);
        assert_eq!(run.parameters.video.width, 480);
        assert!(pull.pictures(10).await[0].0.sync);
        let status = pull.stream.status().borrow().clone();
        assert_eq!(status.sessions, 1, "no new session is needed");
    };
    let long_gop = async {
        let mut pull = Pull::main(&simulator, "long-gop");
        let pictures = pull.pictures(150).await;
        assert_eq!(pictures.iter().filter(|(sample, _)| sample.sync).count(), 1);
        assert_faithful(&pictures, 150);
        // A newcomer is given the GOP from its beginning.
        let mut late = pull.stream.subscribe(LIMITS);
        assert!(matches!(late.try_next(), Some(Event::RunStarted(_))));
        let first = late.try_next().as_ref().and_then(picture);
        assert!(first.is_some_and(|(sample, _)| sample.sync));
    };
    let skew = async {
        let mut pull = Pull::main(&simulator, "skew");
        pull.pictures(5).await;
        // A hundred times what a bad crystal does would be cut; 400 ppm must be followed.
        camera("skew")
            .fault(Fault::ClockSkew { ppm: 400.0 })
            .expect("a fault");
        assert_faithful(&pull.pictures(150).await, 150);
        assert!(!kinds(&pull.seen).contains("end("), "{}", kinds(&pull.seen));
    };
    tokio::join!(
        jump("jump-ahead", 90_000 * 3_600),
        jump("jump-back", -90_000 * 7),
        wrap,
        sps,
        long_gop,
        skew
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn keep_alives_may_be_refused_and_pictures_go_on() {
    let ways = [
        (KeepAliveRefusal::NotAllowed, "a", None),
        (KeepAliveRefusal::NotUnderstood, "b", None),
        (
            KeepAliveRefusal::WrongSequence,
            "c",
            Some(Quirk::MisnumberedKeepAlive),
        ),
        // Ends the session in the moment in which the silence would be noticed.
        (KeepAliveRefusal::Silence, "d", None),
        (KeepAliveRefusal::Close, "e", None),
    ];
    let cameras = ways.map(|(_, name, _)| CameraConfig {
        // Keep-alives go out every 5.5 seconds.
        session_timeout_s: 11,
        ..small(name)
    });
    let simulator = simulate(cameras).await;
    let runs = ways.map(|(how, name, quirk)| {
        let simulator = &simulator;
        async move {
            let camera = simulator.camera(name).expect("it");
            camera
                .fault(Fault::RefuseKeepAlive { how })
                .expect("a fault");
            let mut pull = Pull::main(simulator, name);
            let pictures = pull.pictures(160).await;
            let status = pull.stream.status().borrow().clone();
            // A camera may end the session for want of a keep-alive; then the next begins at once.
            let numbers = pictures.iter().map(|(sample, _)| sei(sample).frame);
            let numbers: BTreeSet<_> = numbers.collect();
            let (first, last) = (numbers.first().unwrap(), numbers.last().unwrap());
            let missing = last - first + 1 - 160;
            assert!(
                missing <= 20 * (status.sessions - 1),
                "{name}: {missing} pictures are missing: {}",
                kinds(&pull.seen)
            );
            assert!(status.sessions <= 3, "{name}: {}", kinds(&pull.seen));
            if let Some(quirk) = quirk {
                assert!(status.quirks.has(quirk), "{name}: {:?}", status.quirks);
            }
        }
    });
    futures::future::join_all(runs).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_udp_loss_and_disorder_are_accounted_for_and_end_nothing() {
    let cases = [
        (Fault::Loss { fraction: 0.1 }, "lossy"),
        (Fault::Reorder { fraction: 0.1 }, "disorderly"),
    ];
    let simulator = simulate(cases.iter().map(|(_, name)| small(name))).await;
    let runs = cases.map(|(fault, name)| {
        let simulator = &simulator;
        async move {
            let camera = simulator.camera(name).expect("it");
            camera.fault(fault).expect("a fault");
            let url = simulator.url(name, Rendition::Main);
            let source = Source::new(url, None)
                .expect("a source")
                .over(Transport::Udp);
            let mut pull = Pull::of(source, StreamKind::Main, simulator.clock());
            let pictures = pull.pictures(60).await;
            // A picture may have lost its stamp and nothing else; then it is not missing.
            let stamped = |(sample, _): &(Sample, WallTime)| stamp::read_sei(&sample.payload);
            let numbers: Vec<_> = pictures
                .iter()
                .filter_map(stamped)
                .map(|sei| sei.frame)
                .collect();
            assert!(
                numbers.windows(2).all(|pair| pair[0] < pair[1]),
                "{name}: {numbers:?}"
            );
            let (first, last) = (numbers.first().unwrap(), numbers.last().unwrap());
            let missing = (last - first + 1).saturating_sub(60);
            let lost_us: i64 = pull
                .seen
                .iter()
                .map(|event| match event {
                    Event::Lost {
                        from,
                        to,
                        reason: Reason::PacketsLost,
                    } => to.micros_since(*from),
                    _ => 0,
                })
                .sum();
            // Ten pictures a second.
            let said = (lost_us + 50_000) / 100_000;
            assert!(said > 0, "{name}: nothing was lost");
            assert!(
                said >= i64::try_from(missing).unwrap(),
                "{name}: {missing} are missing, {said} said: {}",
                kinds(&pull.seen)
            );
            assert!(
                !kinds(&pull.seen).contains("end("),
                "{name}: {}",
                kinds(&pull.seen)
            );
        }
    });
    futures::future::join_all(runs).await;
}

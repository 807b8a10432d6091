//! Loops: shared, endless, in any speed, and patient with slow clients.

use std::sync::Arc;

use camera_sim::{CameraConfig, Codec, Rendition, SimClock, Simulator, SimulatorConfig, Source};
use shared::time::WallTime;

use crate::client::{Client, Options};
use crate::streams::{assert_consecutive, small};

fn looped(name: &str, seconds: u32) -> CameraConfig {
    CameraConfig {
        source: Source::Loop { seed: 1, seconds },
        ..small(name)
    }
}

async fn accelerated(camera: CameraConfig, speed: f64) -> Simulator {
    let clock = Arc::new(SimClock::accelerated(
        WallTime::from_secs(1_900_000_000),
        speed,
    ));
    let config = SimulatorConfig {
        clock: Some(clock),
        ..SimulatorConfig::of([camera])
    };
    Simulator::start(config).await.expect("starts")
}

/// 2-second loops at 20 times the speed: several beginnings pass in a second.
async fn assert_seamless(camera: CameraConfig, start_of_time: i64) {
    let (codec, fps) = (camera.codec, u64::from(camera.fps));
    let simulator = accelerated(camera, 20.0).await;
    let url = simulator.url("cam1", Rendition::Main);
    let mut client = Client::play(&url, &Options::default())
        .await
        .expect("plays");
    client.frames(7 * fps as usize).await.expect("frames");
    let received = &client.received;
    let mut frames: Vec<_> = received
        .frames
        .iter()
        .map(|f| (f.timestamp, f.sei.expect("SEI")))
        .collect();
    frames.sort_by_key(|(_, sei)| sei.frame);
    frames.truncate(frames.len() - 3);
    let numbers: Vec<_> = frames.iter().map(|(_, sei)| sei.frame).collect();
    assert_consecutive(&numbers);
    assert!(
        numbers[numbers.len() - 1] / (2 * fps) >= numbers[0] / (2 * fps) + 3,
        "three beginnings"
    );
    let spacing = 90_000 / fps as i64;
    for pair in frames.windows(2) {
        assert_eq!(
            pair[1].0 - pair[0].0,
            spacing,
            "a break at frame {}",
            pair[1].1.frame
        );
    }
    for (_, sei) in &frames {
        let expected = start_of_time + (sei.frame * 1_000_000 / fps) as i64;
        assert!(
            (sei.wall_us - expected).abs() <= 1,
            "{} against {expected}",
            sei.wall_us
        );
    }
    let stamps = received.stamps(codec);
    for (stamp, number) in stamps.iter().zip(&numbers) {
        assert_eq!(
            u64::from(stamp.expect("readable").frame),
            number % (2 * fps),
            "place in the loop"
        );
    }
    simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_h264_loop_has_no_seam() {
    assert_seamless(looped("cam1", 2), 1_900_000_000_000_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn loops_with_b_frames_have_no_seam() {
    let camera = CameraConfig {
        b_frames: 2,
        ..looped("cam1", 2)
    };
    assert_seamless(camera.clone(), 1_900_000_000_000_000).await;
    assert_seamless(
        CameraConfig {
            codec: Codec::H265,
            ..camera
        },
        1_900_000_000_000_000,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_hour_passes_in_a_minute_without_a_lost_frame() {
    let camera = CameraConfig {
        fps: 25,
        gop_frames: 50,
        ..looped("cam1", 10)
    };
    let simulator = accelerated(camera, 60.0).await;
    let url = simulator.url("cam1", Rendition::Main);
    let mut client = Client::play(&url, &Options::default())
        .await
        .expect("plays");
    client.frames(3 * 60 * 25).await.expect("three minutes");
    assert_consecutive(&client.received.numbers());
    simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cameras_with_equal_loops_send_the_same_frames() {
    let config = SimulatorConfig::of((1..=3).map(|number| looped(&format!("cam{number}"), 1)));
    let simulator = Simulator::start(config).await.expect("starts");
    let mut received = Vec::new();
    for camera in simulator.cameras() {
        let url = simulator.url(camera.name(), Rendition::Main);
        let mut client = Client::play(&url, &Options::default())
            .await
            .expect("plays");
        client.frames(40).await.expect("frames");
        assert_consecutive(&client.received.numbers());
        received.push(client.received);
    }
    let of_same_number = |index: usize| {
        let number = received[2].numbers()[0];
        let found = received[index]
            .frames
            .iter()
            .find(|f| f.sei.is_some_and(|sei| sei.frame % 30 == number % 30));
        found
            .expect("every place of the loop was received")
            .annex_b
            .len()
    };
    assert_eq!(of_same_number(0), of_same_number(1));
    simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_skips_to_a_key_frame_and_disturbs_nobody() {
    let camera = CameraConfig {
        fps: 100,
        gop_frames: 25,
        bitrate: 60_000_000,
        noise: 40,
        ..looped("cam1", 1)
    };
    let simulator = Simulator::start(SimulatorConfig::of([camera]))
        .await
        .expect("starts");
    let url = simulator.url("cam1", Rendition::Main);
    let mut slow = Client::play(&url, &Options::default())
        .await
        .expect("plays");
    slow.frames(5).await.expect("frames");
    let mut quick = Client::play(&url, &Options::default())
        .await
        .expect("plays");
    quick.frames(600).await.expect("frames");
    assert_consecutive(&quick.received.numbers());
    let missed = |numbers: &[u64]| numbers.windows(2).position(|pair| pair[1] != pair[0] + 1);
    slow.until(|received| missed(&received.numbers()).is_some())
        .await
        .expect("goes on");
    let at = missed(&slow.received.numbers()).expect("a gap") + 1;
    assert!(slow.received.frames[at].key, "goes on with a key frame");
    simulator.shutdown().await;
}

//! Healthy live cameras: every codec, transport and audio arrives complete and readable.

use camera_sim::{
    Audio, AuthScheme, CameraConfig, Codec, Credentials, Rendition, Simulator, SimulatorConfig,
    SubConfig, Transports,
};

use crate::client::{Client, Options, Received};

pub(crate) fn small(name: &str) -> CameraConfig {
    CameraConfig {
        width: 320,
        height: 192,
        fps: 30,
        bitrate: 200_000,
        gop_frames: 30,
        ..CameraConfig::scene(name)
    }
}

pub(crate) async fn start(camera: CameraConfig) -> Simulator {
    let config = SimulatorConfig::of([camera]);
    Simulator::start(config).await.expect("starts")
}

pub(crate) fn assert_consecutive(numbers: &[u64]) {
    let gap = numbers.windows(2).find(|pair| pair[1] != pair[0] + 1);
    assert_eq!(gap, None, "in {numbers:?}");
}

/// Numbers in the SEI and in the decoded pictures agree and have no gap.
fn assert_readable(received: &Received, codec: Codec, camera: u16) {
    let mut numbers = received.numbers();
    assert_eq!(
        numbers.len(),
        received.frames.len(),
        "every frame has an SEI stamp"
    );
    numbers.sort_unstable();
    // With B-frames the last ones in order of presentation may not have arrived.
    let stamps = received.stamps(codec);
    assert!(
        stamps.len() + 2 >= numbers.len(),
        "{} of {}",
        stamps.len(),
        numbers.len()
    );
    for (stamp, number) in stamps.iter().zip(&numbers) {
        let stamp = stamp.expect("every picture has a readable stamp");
        assert_eq!((stamp.camera, u64::from(stamp.frame)), (camera, *number));
    }
}

async fn check(camera: CameraConfig, options: Options, frames: usize) -> Received {
    let codec = camera.codec;
    let simulator = start(camera).await;
    let url = simulator.url("cam1", Rendition::Main);
    let mut client = Client::play(&url, &options).await.expect("plays");
    client.frames(frames).await.expect("frames");
    assert!(client.received.frames[0].key, "begins with a key frame");
    assert!(client.received.frames.iter().all(|frame| frame.loss == 0));
    assert_readable(&client.received, codec, 1);
    let received = std::mem::take(&mut client.received);
    simulator.shutdown().await;
    received
}

#[tokio::test(flavor = "multi_thread")]
async fn h264_over_tcp_is_complete() {
    let received = check(small("cam1"), Options::default(), 45).await;
    assert_consecutive(&received.numbers());
    let keys = received.frames.iter().filter(|frame| frame.key).count();
    assert_eq!(keys, 2, "a key frame every 30 frames");
}

#[tokio::test(flavor = "multi_thread")]
async fn h264_over_udp_is_complete() {
    let options = Options {
        udp: true,
        ..Options::default()
    };
    let received = check(small("cam1"), options, 30).await;
    assert_consecutive(&received.numbers());
}

#[tokio::test(flavor = "multi_thread")]
async fn h265_over_tcp_is_complete() {
    let camera = CameraConfig {
        codec: Codec::H265,
        ..small("cam1")
    };
    let received = check(camera, Options::default(), 30).await;
    assert_consecutive(&received.numbers());
}

#[tokio::test(flavor = "multi_thread")]
async fn h265_over_udp_is_complete() {
    let camera = CameraConfig {
        codec: Codec::H265,
        ..small("cam1")
    };
    let options = Options {
        udp: true,
        ..Options::default()
    };
    check(camera, options, 30).await;
}

/// Presentation times in the order of arrival go back and forth, and none is missing.
fn assert_reordered(received: &Received) {
    let times: Vec<i64> = received
        .frames
        .iter()
        .map(|frame| frame.timestamp)
        .collect();
    assert!(
        times.windows(2).any(|pair| pair[1] < pair[0]),
        "no B-frames in {times:?}"
    );
    let mut numbers = received.numbers();
    numbers.sort_unstable();
    // The last two may overtake what has not arrived.
    assert_consecutive(&numbers[..numbers.len() - 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn h264_with_b_frames_is_complete() {
    let camera = CameraConfig {
        b_frames: 2,
        gop_frames: 12,
        ..small("cam1")
    };
    assert_reordered(&check(camera, Options::default(), 37).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn h265_with_b_frames_is_complete() {
    let camera = CameraConfig {
        codec: Codec::H265,
        b_frames: 2,
        gop_frames: 12,
        ..small("cam1")
    };
    assert_reordered(&check(camera, Options::default(), 37).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_picture_is_fragmented_and_readable() {
    let camera = CameraConfig {
        width: 1280,
        height: 720,
        bitrate: 4_000_000,
        noise: 6,
        fps: 10,
        ..CameraConfig::scene("cam1")
    };
    let received = check(camera, Options::default(), 4).await;
    assert!(
        received.frames[0].annex_b.len() > 10_000,
        "needs several packets"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn sender_reports_tell_the_capture_time_of_frames_and_sound() {
    for (audio, rate, samples) in [
        (Audio::Aac, 16_000, 1024),
        (Audio::Pcma, 8_000, 320),
        (Audio::Pcmu, 8_000, 320),
    ] {
        let simulator = start(CameraConfig {
            audio,
            ..small("cam1")
        })
        .await;
        let url = simulator.url("cam1", Rendition::Main);
        let mut client = Client::play(&url, &Options::default())
            .await
            .expect("plays");
        let enough = |received: &Received| {
            let both = [0, 1]
                .iter()
                .all(|id| received.reports.iter().any(|r| r.stream == *id));
            both && received.frames.len() > 40 && received.audio.len() > 10
        };
        client.until(enough).await.expect("media and reports");
        let received = &client.received;
        let report = |id| {
            *received
                .reports
                .iter()
                .find(|r| r.stream == id)
                .expect("a report")
        };
        let (video, sound) = (report(0), report(1));
        for frame in &received.frames {
            let sei = frame.sei.expect("a stamp");
            let by_report =
                video.wall_us + (frame.timestamp - video.timestamp) * 1_000_000 / 90_000;
            assert!(
                (by_report - sei.wall_us).abs() < 100,
                "{by_report} against {}",
                sei.wall_us
            );
        }
        assert!(
            received
                .audio
                .windows(2)
                .all(|pair| pair[1].0 - pair[0].0 == samples),
            "{audio:?}"
        );
        // The beep of each second begins at a multiple of the frame length: both streams have one clock.
        let since_start = sound.wall_us - simulator.clock().wall_start().as_micros();
        let frame_us = samples * 1_000_000 / rate;
        assert!(
            since_start % frame_us <= 1 || since_start % frame_us >= frame_us - 1,
            "{audio:?}"
        );
        let apart = (sound.wall_us - video.wall_us).abs();
        assert!(apart < 3_000_000, "{apart} µs between the tracks");
        simulator.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sign_in_by_digest_and_basic_is_demanded() {
    let credentials = Some(Credentials {
        user: "admin".into(),
        password: "pass word".into(),
    });
    let options = |password: &str| Options {
        credentials: Some(("admin".into(), password.into())),
        ..Options::default()
    };
    let simulator = start(CameraConfig {
        credentials,
        ..small("cam1")
    })
    .await;
    let url = simulator.url("cam1", Rendition::Main);
    let mut client = Client::play(&url, &options("pass word"))
        .await
        .expect("plays");
    client.frames(3).await.expect("frames");
    for wrong in [Options::default(), options("wrong")] {
        let refusal = Client::play(&url, &wrong).await.err().expect("is refused");
        assert!(refusal.to_string().contains("401"), "{refusal}");
    }
    simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cameras_and_renditions_and_clients_do_not_mix() {
    let sub = SubConfig {
        fps: 15,
        ..SubConfig::default()
    };
    let first = CameraConfig {
        width: 640,
        height: 360,
        sub: Some(sub),
        ..small("first")
    };
    let config = SimulatorConfig::of([
        first,
        CameraConfig {
            auth: AuthScheme::Basic,
            ..small("second")
        },
    ]);
    let simulator = Simulator::start(config).await.expect("starts");
    let options = Options::default();
    let wanted = [
        ("first", Rendition::Main, 1, (640, 360)),
        ("first", Rendition::Main, 1, (640, 360)),
        ("first", Rendition::Sub, 1, (320, 192)),
        ("second", Rendition::Main, 2, (320, 192)),
    ];
    let mut clients = Vec::new();
    for (name, rendition, _, _) in wanted {
        let url = simulator.url(name, rendition);
        clients.push(Client::play(&url, &options).await.expect("plays"));
    }
    for (client, (_, _, number, size)) in clients.iter_mut().zip(wanted) {
        client.frames(20).await.expect("frames");
        assert_readable(&client.received, Codec::H264, number);
        assert_eq!(client.parameters(), Some(size));
    }
    let missing = Client::play(&simulator.url("second", Rendition::Sub), &options)
        .await
        .err();
    assert!(
        missing
            .expect("has no sub stream")
            .to_string()
            .contains("404")
    );
    let missing = Client::play(&simulator.url("nobody", Rendition::Main), &options)
        .await
        .err();
    assert!(missing.expect("does not exist").to_string().contains("404"));
    simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transport_that_is_not_offered_is_refused() {
    for (transports, udp) in [(Transports::Tcp, true), (Transports::Udp, false)] {
        let simulator = start(CameraConfig {
            transports,
            ..small("cam1")
        })
        .await;
        let url = simulator.url("cam1", Rendition::Main);
        let refused = Options {
            udp,
            ..Options::default()
        };
        let refusal = Client::play(&url, &refused)
            .await
            .err()
            .expect("is refused");
        assert!(refusal.to_string().contains("461"), "{refusal}");
        let offered = Options {
            udp: !udp,
            ..Options::default()
        };
        let mut client = Client::play(&url, &offered).await.expect("plays");
        client.frames(2).await.expect("frames");
        simulator.shutdown().await;
    }
}

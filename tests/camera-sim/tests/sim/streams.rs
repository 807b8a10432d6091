//! Healthy cameras: every codec, transport and source arrives complete and readable.

use camera_sim::{CameraConfig, Codec, Rendition, Simulator, SimulatorConfig};

use crate::client::{Client, Options};

async fn start(camera: CameraConfig) -> Simulator {
    Simulator::start(SimulatorConfig::of([camera]))
        .await
        .expect("starts")
}

fn small(name: &str) -> CameraConfig {
    CameraConfig {
        width: 320,
        height: 192,
        fps: 30,
        bitrate: 200_000,
        gop_frames: 30,
        ..CameraConfig::scene(name)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_scene_over_tcp_shows_consecutive_frames() {
    let simulator = start(small("cam1")).await;
    let mut client = Client::play(&simulator.url("cam1", Rendition::Main), &Options::default())
        .await
        .expect("plays");
    client.frames(45).await.expect("frames");
    let numbers = client.received.numbers();
    assert_eq!(numbers.len(), 45);
    assert!(
        numbers.windows(2).all(|pair| pair[1] == pair[0] + 1),
        "{numbers:?}"
    );
    let stamps = client.received.stamps(Codec::H264);
    for (stamp, number) in stamps.iter().zip(&numbers) {
        let stamp = stamp.expect("every picture is readable");
        assert_eq!((stamp.camera, u64::from(stamp.frame)), (1, *number));
    }
    simulator.shutdown().await;
}

//! What a coordinator is sent of a stream that is watched.

use std::time::Duration;

use shared::id::CameraId;
use shared::sample::Sample;
use shared::segment::StreamKind;
use shared::time::{Ticks90k, WallTime};
use shared::wire::StreamHeader;
use shared::wire::live::{FrameHead, FrameKind, GopHeader, LiveFact, LiveRequest};
use tokio::time::timeout;

use super::peer::{self, Peer};
use super::place::{PATIENCE, Place, until};
use crate::camera::{assert_faithful, simulate, small};
use camera_sim::{CameraConfig, Fault, Rendition, Simulator, SubConfig};

/// The settings of an agent with the simulator's camera `gate`, without a small stream but if
/// `small`.
fn settings(simulator: &Simulator, small: bool) -> String {
    let main = simulator.url("gate", Rendition::Main);
    let mut text = format!("[[camera]]\nname = \"gate\"\nurl = \"{main}\"\n");
    if small {
        let sub = simulator.url("gate", Rendition::Sub);
        text.push_str(&format!("sub_url = \"{sub}\"\n"));
    }
    text
}

/// A pull, as the coordinator holds it.
struct Pull {
    send: quinn::SendStream,
    facts: quinn::RecvStream,
}

async fn pull(connection: &quinn::Connection, request: LiveRequest) -> Pull {
    let (mut send, facts) = connection.open_bi().await.unwrap();
    peer::write(&mut send, &StreamHeader::Live(request))
        .await
        .unwrap();
    Pull { send, facts }
}

/// The next GOP of a pull, to its end.
async fn gop(connection: &quinn::Connection, id: u64) -> (GopHeader, Vec<(Sample, WallTime)>) {
    let reading = async {
        loop {
            let mut stream = connection.accept_uni().await.unwrap();
            match peer::read(&mut stream).await {
                Some(StreamHeader::Gop(header)) if header.pull == id => {
                    let bytes = stream.read_to_end(10_000_000).await.unwrap();
                    return (header, frames(&bytes));
                }
                // The last of a pull that has ended.
                Some(StreamHeader::Gop(_)) | None => {}
                Some(other) => panic!("not a GOP: {other:?}"),
            }
        }
    };
    timeout(PATIENCE, reading).await.expect("a GOP comes")
}

fn frames(mut bytes: &[u8]) -> Vec<(Sample, WallTime)> {
    let mut frames = Vec::new();
    while let Some((head, rest)) = bytes.split_first_chunk::<{ FrameHead::BYTES }>() {
        let head = FrameHead::decode(head).unwrap();
        let (payload, rest) = rest.split_at(head.length as usize);
        let sample = Sample {
            pts: Ticks90k::new(head.pts),
            dts: Ticks90k::new(head.dts),
            sync: head.kind == FrameKind::Sync,
            payload: payload.to_vec().into(),
        };
        frames.push((sample, head.wall));
        bytes = rest;
    }
    assert!(bytes.is_empty(), "the last frame is whole");
    frames
}

async fn camera_of(peer: &Peer) -> CameraId {
    let seen = until(&mut peer.seen(), "a greeting", |seen| {
        !seen.hellos.is_empty()
    })
    .await;
    seen.hellos[0].cameras[0].id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_picture_of_a_watched_stream_is_sent_in_its_gop() {
    let config = CameraConfig {
        sub: Some(SubConfig::default()),
        ..small("gate")
    };
    let simulator = simulate([config]).await;
    let (peer, place) = (Peer::start(), Place::new(&settings(&simulator, true)));
    place.enrol(&peer).await.unwrap();
    let agent = place.run().await;
    let connection = peer.connection().await;
    let camera = camera_of(&peer).await;
    for (id, stream, per_gop) in [(1, StreamKind::Main, 10), (2, StreamKind::Sub, 20)] {
        let request = LiveRequest {
            pull: id,
            camera,
            stream,
        };
        let mut held = pull(&connection, request).await;
        let mut pictures = Vec::new();
        for number in 0..3 {
            let (header, frames) = gop(&connection, id).await;
            assert_eq!((header.pull, header.gop), (id, number));
            let video = header.parameters().unwrap().video;
            assert_eq!((video.width, video.height), (320, 192));
            assert_eq!(frames.len(), per_gop, "a whole GOP");
            let syncs: Vec<_> = frames.iter().map(|(sample, _)| sample.sync).collect();
            assert!(syncs[0] && !syncs[1..].contains(&true));
            pictures.extend(frames);
        }
        assert_faithful(&pictures, 30_000);
        assert_eq!(
            peer::read::<LiveFact>(&mut held.facts).await,
            Some(LiveFact::Alive)
        );
        // Whoever wants no more finishes, and so does the agent.
        held.send.finish().unwrap();
        let ended = async { while peer::read::<LiveFact>(&mut held.facts).await.is_some() {} };
        timeout(PATIENCE, ended).await.expect("the pull ends");
    }
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_agent_does_not_have_is_said() {
    let simulator = simulate([small("gate")]).await;
    let (peer, place) = (Peer::start(), Place::new(&settings(&simulator, false)));
    place.enrol(&peer).await.unwrap();
    let agent = place.run().await;
    let connection = peer.connection().await;
    let camera = camera_of(&peer).await;
    for (camera, stream) in [
        (camera, StreamKind::Sub),
        (CameraId::new(WallTime::from_secs(5)), StreamKind::Main),
    ] {
        let request = LiveRequest {
            pull: 1,
            camera,
            stream,
        };
        let mut held = pull(&connection, request).await;
        let fact = peer::read::<LiveFact>(&mut held.facts).await;
        assert!(matches!(fact, Some(LiveFact::NotFound { .. })), "{fact:?}");
        assert!(peer::read::<LiveFact>(&mut held.facts).await.is_none());
    }
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_camera_that_is_gone_is_told_of_and_comes_back_by_itself() {
    let simulator = simulate([small("gate")]).await;
    let (peer, place) = (Peer::start(), Place::new(&settings(&simulator, false)));
    place.enrol(&peer).await.unwrap();
    let agent = place.run().await;
    let connection = peer.connection().await;
    let request = LiveRequest {
        pull: 9,
        camera: camera_of(&peer).await,
        stream: StreamKind::Main,
    };
    let mut held = pull(&connection, request).await;
    gop(&connection, 9).await;
    let lasts = Duration::from_secs(3);
    let handle = simulator.camera("gate").unwrap();
    handle.fault_for(Fault::Refuse, lasts).unwrap();
    handle.fault(Fault::Cut).unwrap();
    let told = async {
        loop {
            match peer::read::<LiveFact>(&mut held.facts).await {
                Some(LiveFact::Down { .. }) => return,
                Some(_) => {}
                None => panic!("the pull ended"),
            }
        }
    };
    timeout(PATIENCE, told).await.expect("the outage is told");
    let (_, frames) = gop(&connection, 9).await;
    assert!(frames[0].0.sync);
    agent.stop().await;
}

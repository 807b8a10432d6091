use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use shared::codec::{StreamParameters, VideoCodec, VideoParameters};
use shared::id::RunId;
use shared::testing::SegmentBuilder;
use shared::time::Ticks90k;
use tokio::time::timeout;

use super::*;
use crate::services::edge_source::EdgePicture;
use crate::services::live_hub::{Event, Outage, Picture, Run};
use crate::services::testing::{NOW, World};

const PATIENCE: Duration = Duration::from_secs(20);

const MAIN: Wanted = Wanted {
    stream: StreamKind::Main,
    reservation: None,
};

fn picture(number: i64) -> EdgePicture {
    let parameters = StreamParameters {
        video: VideoParameters {
            codec: VideoCodec::H264,
            config: Bytes::new(),
            rfc6381: "avc1.42c01f".to_owned(),
            width: 640,
            height: 360,
            reorder_frames: 0,
        },
        audio: None,
    };
    let id = RunId::from_slice(&[7; 16]).unwrap();
    EdgePicture::Event(Event::Picture(Arc::new(Picture {
        run: Arc::new(Run { id, parameters }),
        pts: Ticks90k::new(number * 3_600),
        dts: Ticks90k::new(number * 3_600),
        wall: NOW.offset_micros(number * 40_000),
        sync: number == 0,
        payload: Bytes::from_static(&[0, 0, 0, 1, 0x65]),
        packets: OnceLock::new(),
    })))
}

/// Somebody watching, and their place.
type Viewer = (Viewing, Watch);

async fn open(live: &Live, grant: &CameraGrant) -> Viewer {
    let viewing = live.open(grant, MAIN).await.unwrap();
    let watch = viewing.watch();
    (viewing, watch)
}

async fn next(viewer: &mut Viewer) -> Event {
    let event = timeout(PATIENCE, viewer.1.next()).await;
    event.expect("something comes").expect("the feed goes on")
}

async fn outage(viewer: &mut Viewer) -> Outage {
    match next(viewer).await {
        Event::Down(down) => down.because,
        other => panic!("not an outage: {other:?}"),
    }
}

async fn shown(viewer: &mut Viewer) -> i64 {
    match next(viewer).await {
        Event::Picture(picture) => picture.dts.get() / 3_600,
        other => panic!("not a picture: {other:?}"),
    }
}

/// A world with a camera whose agent is connected, and somebody who may watch it.
async fn watched() -> (World, CameraGrant) {
    let world = World::new().await;
    let agent = world.agent().await;
    let built = SegmentBuilder::new(NOW).build();
    world.report(&agent, &[&built]).await;
    world.edges.connect(agent.id());
    let grant = world
        .grant(&world.administrator().await, &built, Deed::ViewCamera)
        .await;
    (world, grant)
}

#[tokio::test]
async fn a_stream_is_pulled_once_for_all_who_watch_and_no_longer() {
    let (world, grant) = watched().await;
    let live = &world.services.live;
    let mut first = open(live, &grant).await;
    let pull = timeout(PATIENCE, world.edges.pulled()).await.unwrap();
    assert_eq!(
        (pull.camera, pull.stream),
        (grant.camera().id, StreamKind::Main)
    );
    pull.pictures.send(picture(0)).unwrap();
    assert_eq!(shown(&mut first).await, 0);
    let mut second = open(live, &grant).await;
    assert_eq!(live.counts(), (1, 2));
    pull.pictures.send(picture(1)).unwrap();
    assert_eq!(shown(&mut first).await, 1);
    assert_eq!([shown(&mut second).await, shown(&mut second).await], [0, 1]);
    drop(first);
    pull.pictures.send(picture(2)).unwrap();
    assert_eq!(shown(&mut second).await, 2);
    drop(second);
    // Somebody who comes back at once finds it running.
    let mut third = open(live, &grant).await;
    assert_eq!(shown(&mut third).await, 0);
    drop(third);
    timeout(PATIENCE, pull.pictures.closed())
        .await
        .expect("the pull ends when nobody watches");
    assert_eq!(live.counts(), (0, 0));
}

#[tokio::test]
async fn viewers_are_told_why_there_is_no_picture_and_when_there_is_one_again() {
    let (world, grant) = watched().await;
    let agent = grant.camera().agent;
    world.edges.cut(agent);
    let mut viewing = open(&world.services.live, &grant).await;
    assert_eq!(outage(&mut viewing).await, Outage::SiteOffline);
    world.edges.connect(agent);
    let pull = timeout(PATIENCE, world.edges.pulled()).await.unwrap();
    pull.pictures.send(picture(0)).unwrap();
    assert_eq!(shown(&mut viewing).await, 0);
    // Nothing comes any more, on a connection that stands.
    assert_eq!(outage(&mut viewing).await, Outage::SiteSilent);
    pull.pictures.send(picture(0)).unwrap();
    assert_eq!(shown(&mut viewing).await, 0);
    // The agent ends the pull: it is asked again, and nobody is troubled.
    drop(pull);
    let pull = timeout(PATIENCE, world.edges.pulled()).await.unwrap();
    pull.pictures.send(picture(0)).unwrap();
    assert_eq!(shown(&mut viewing).await, 0);
    pull.pictures.send(EdgePicture::Unsupported).unwrap();
    assert_eq!(outage(&mut viewing).await, Outage::SiteTooOld);
}

#[tokio::test]
async fn what_a_camera_does_not_have_is_not_reserved() {
    let (world, grant) = watched().await;
    let wanted = Wanted {
        stream: StreamKind::Sub,
        ..MAIN
    };
    let refused = world.services.live.open(&grant, wanted).await;
    assert!(matches!(refused, Err(LiveError::NoSuchStream)));
    let other = world
        .services
        .access
        .camera(grant.actor(), grant.camera().id, Deed::PlayCamera)
        .await
        .unwrap();
    // Viewing is part of every deed.
    assert!(world.services.live.open(&other, MAIN).await.is_ok());
}

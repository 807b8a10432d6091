//! Live pictures through WebRTC, with real footage and real viewers.

mod footage;
mod viewer;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use cctv_coordinator::services::live_hub::Feed;
use cctv_coordinator::webrtc::{Offer, Settings, Viewers, Wanted};
use shared::clock::{Clock as _, SystemClock};
use shared::codec::{h264, nal};
use shared::id::UserId;
use shared::time::WallTime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use webrtc::peer_connection::RTCPeerConnectionState;

use self::footage::{Footage, Sample};
use self::viewer::{Pictures, Received, Viewer, Way};
use crate::world::{LIMIT, until};

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// The ports, and one feed.
struct Studio {
    viewers: Viewers,
    feed: Feed,
    footage: Footage,
    start: WallTime,
    holder: UserId,
    stop: CancellationToken,
    running: JoinHandle<()>,
}

impl Studio {
    async fn open() -> Option<Self> {
        let footage = Footage::open("person-walking-768x432.mp4")?;
        let settings = Settings {
            listen: (HERE, 0).into(),
            tcp_listen: Some((HERE, 0).into()),
            public_addresses: Vec::new(),
            socket_buffer_bytes: 4 << 20,
            sessions: 20,
            sessions_per_person: 10,
        };
        let clock = Arc::new(SystemClock::new());
        let start = clock.wall();
        let viewers = Viewers::bind(settings, clock).await.unwrap();
        let stop = CancellationToken::new();
        let (serving, until) = (viewers.clone(), stop.clone());
        Some(Self {
            viewers,
            feed: Feed::new(),
            footage,
            start,
            holder: UserId::new(start),
            stop,
            running: tokio::spawn(async move { serving.run(until).await }),
        })
    }

    fn publish(&self, number: usize) {
        self.feed.publish(self.footage.event(number, self.start));
    }

    /// A viewer who sees; told when everything it held was given back.
    async fn viewer(&self, way: Way) -> (Viewer, oneshot::Receiver<()>) {
        let mut viewer = Viewer::new(way).await;
        let offer = Offer::read(&viewer.offer().await).unwrap();
        let wanted = Wanted::of(&self.footage.run.parameters).unwrap();
        let (kept, given_back) = oneshot::channel();
        let who = (self.holder, HERE);
        let held = Held(Some(kept));
        let over = async move {
            let _held = held;
            std::future::pending().await
        };
        let watch = self.feed.watch();
        let answered = self.viewers.open(who, &offer, wanted, watch, over);
        viewer.accept(&answered.unwrap().answer).await;
        viewer.reaches(RTCPeerConnectionState::Connected).await;
        (viewer, given_back)
    }

    async fn close(self) {
        self.stop.cancel();
        timeout(LIMIT, self.running).await.unwrap().unwrap();
        assert_eq!(self.viewers.count(), 0);
    }
}

/// A quota, say.
struct Held(Option<oneshot::Sender<()>>);

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.0.take().unwrap().send(());
    }
}

async fn next(viewer: &mut Viewer, pictures: &mut Pictures) -> Received {
    loop {
        let packet = viewer.packet().await;
        if let Some(picture) = pictures.put(packet) {
            return picture;
        }
    }
}

/// The picture as it was published, behind its parameter sets if it is a sync picture.
fn assert_same(studio: &Studio, received: &Received, number: usize) {
    let sample: &Sample = &studio.footage.samples[number];
    let units = |bytes: &[u8]| {
        let units = nal::units(bytes).map(|unit| unit.unwrap().to_vec());
        units.collect::<Vec<_>>()
    };
    let mut expected = units(&sample.payload);
    if sample.sync && !expected.iter().any(|unit| unit[0] & 0x1f == 7) {
        let config = &studio.footage.run.parameters.video.config;
        let sets = h264::parameter_sets(config).unwrap();
        expected.splice(0..0, sets.iter().map(|set| set.to_vec()));
    }
    assert_eq!(units(&received.units), expected, "picture {number}");
    let wall = studio.start.offset_micros(sample.time.to_micros());
    let ticks = i128::from(wall.as_micros()) * 9 / 100;
    assert_eq!(i128::from(received.timestamp), ticks.rem_euclid(1 << 32));
}

async fn every_picture_arrives(way: Way) {
    let Some(studio) = Studio::open().await else {
        return;
    };
    studio.publish(0);
    let (mut viewer, given_back) = studio.viewer(way).await;
    let mut pictures = Pictures::default();
    for number in 0..studio.footage.samples.len() {
        if number > 0 {
            studio.publish(number);
        }
        let received = next(&mut viewer, &mut pictures).await;
        assert_same(&studio, &received, number);
    }
    viewer.close().await;
    timeout(LIMIT, given_back).await.unwrap().unwrap();
    until("its place", async || {
        (studio.viewers.count() == 0).then_some(())
    })
    .await;
    studio.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_picture_arrives_over_udp() {
    every_picture_arrives(Way::Udp).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_picture_arrives_over_tcp() {
    every_picture_arrives(Way::Tcp).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newcomer_and_one_who_cannot_decode_begin_with_the_kept_gop() {
    let Some(studio) = Studio::open().await else {
        return;
    };
    (0..10).for_each(|number| studio.publish(number));
    let (mut viewer, _given_back) = studio.viewer(Way::Udp).await;
    let mut pictures = Pictures::default();
    for number in 0..10 {
        let received = next(&mut viewer, &mut pictures).await;
        assert_same(&studio, &received, number);
    }
    // Not asked of the camera: the same pictures again.
    viewer.cannot_decode().await;
    for number in 0..10 {
        let received = next(&mut viewer, &mut pictures).await;
        assert_same(&studio, &received, number);
    }
    assert_eq!(studio.viewers.tally().counted().restarts, 1);
    studio.close().await;
}

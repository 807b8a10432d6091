//! Live pictures through WebRTC, with real footage and real viewers.

mod coturn;
mod footage;
mod relay;
mod signalling;
mod viewer;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use cctv_coordinator::services::live_hub::Feed;
use cctv_coordinator::webrtc::{Offer, Settings, ViewerError, Viewers, Wanted};
use shared::clock::{Clock as _, SystemClock};
use shared::codec::{h264, nal};
use shared::id::UserId;
use shared::time::WallTime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use webrtc::peer_connection::RTCPeerConnectionState;

use self::coturn::Coturn;
use self::footage::{Footage, Sample};
use self::relay::Relay;
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
        let footage = Footage::open("car-gate-768x432-aac.mp4")?;
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

    /// The RTP time of a picture.
    fn time_of(&self, number: usize) -> u32 {
        let pts = self.footage.samples[number].pts;
        let wall = self.start.offset_micros(pts.to_micros());
        let ticks = i128::from(wall.as_micros()) * 9 / 100;
        u32::try_from(ticks.rem_euclid(1 << 32)).unwrap()
    }

    /// A viewer who sees; told when everything it held was given back.
    async fn viewer(&self, way: Way) -> (Viewer, oneshot::Receiver<()>) {
        self.viewer_through(way, None).await
    }

    async fn viewer_through(
        &self,
        way: Way,
        relay: Option<&Relay>,
    ) -> (Viewer, oneshot::Receiver<()>) {
        let viewer = Viewer::new(way).await;
        self.shown(viewer, relay).await
    }

    async fn shown(
        &self,
        mut viewer: Viewer,
        relay: Option<&Relay>,
    ) -> (Viewer, oneshot::Receiver<()>) {
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
        let mut answer = answered.unwrap().answer;
        if let Some(relay) = relay {
            answer = relay.instead(&answer, self.viewers.address());
        }
        viewer.accept(&answer).await;
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
    assert_same_units(studio, received, number);
    assert_eq!(received.timestamp, studio.time_of(number));
}

fn assert_same_units(studio: &Studio, received: &Received, number: usize) {
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
    // Not asked of the camera: the same pictures again, in times that a browser takes for newer.
    viewer.cannot_decode().await;
    for number in 0..10 {
        let received = next(&mut viewer, &mut pictures).await;
        assert_same_units(&studio, &received, number);
        let ahead = received.timestamp.wrapping_sub(studio.time_of(9));
        assert_eq!(ahead as usize, number + 1);
    }
    // What comes then is of its own time.
    studio.publish(10);
    let received = next(&mut viewer, &mut pictures).await;
    assert_same(&studio, &received, 10);
    assert_eq!(studio.viewers.tally().counted().restarts, 1);
    studio.close().await;
}

/// One viewer loses five packets in a hundred and is sent them again; another does not notice.
#[tokio::test(flavor = "multi_thread")]
async fn who_loses_packets_sees_every_picture_and_nobody_else_notices() {
    let Some(studio) = Studio::open().await else {
        return;
    };
    studio.publish(0);
    let relay = Relay::to(studio.viewers.address()).await;
    let (mut poor, _given_back) = studio.viewer_through(Way::Udp, Some(&relay)).await;
    let (mut rich, _given_back) = studio.viewer(Way::Udp).await;
    relay.lose_one_in(20);
    let (mut seen_poor, mut seen_rich) = (Pictures::default(), Pictures::default());
    assert_same(&studio, &next(&mut poor, &mut seen_poor).await, 0);
    assert_same(&studio, &next(&mut rich, &mut seen_rich).await, 0);
    for number in 1..150 {
        studio.publish(number);
        assert_same(&studio, &next(&mut rich, &mut seen_rich).await, number);
        // The end of a picture is missed when the next one comes.
        if number > 1 {
            let received = next(&mut poor, &mut seen_poor).await;
            assert_same(&studio, &received, number - 1);
        }
    }
    assert!(studio.viewers.tally().counted().packets_again > 0);
    studio.close().await;
}

/// Nobody says goodbye; what was held comes back all the same.
#[tokio::test(flavor = "multi_thread")]
async fn who_vanishes_gives_everything_back() {
    let Some(studio) = Studio::open().await else {
        return;
    };
    studio.publish(0);
    let relay = Relay::to(studio.viewers.address()).await;
    let (mut gone, given_back) = studio.viewer_through(Way::Udp, Some(&relay)).await;
    let (mut other, _given_back) = studio.viewer(Way::Udp).await;
    let (mut seen_gone, mut seen) = (Pictures::default(), Pictures::default());
    next(&mut gone, &mut seen_gone).await;
    assert_same(&studio, &next(&mut other, &mut seen).await, 0);
    relay.cut();
    for number in 1..50 {
        studio.publish(number);
        assert_same(&studio, &next(&mut other, &mut seen).await, number);
    }
    timeout(LIMIT, given_back).await.unwrap().unwrap();
    until("its place", async || {
        (studio.viewers.count() == 1).then_some(())
    })
    .await;
    studio.publish(50);
    assert_same(&studio, &next(&mut other, &mut seen).await, 50);
    studio.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_has_more_viewers_than_allowed_and_each_can_be_ended() {
    let Some(studio) = Studio::open().await else {
        return;
    };
    let text = Viewer::new(Way::Udp).await.offer().await;
    let offer = Offer::read(&text).unwrap();
    let open = |holder| {
        let pending = std::future::pending();
        let watch = studio.feed.watch();
        let wanted = Wanted::UNKNOWN;
        studio
            .viewers
            .open((holder, HERE), &offer, wanted, watch, pending)
    };
    let answered: Vec<_> = (0..10).map(|_| open(studio.holder).unwrap()).collect();
    assert_eq!(open(studio.holder), Err(ViewerError::TooManyOwn(10)));
    let other = UserId::new(studio.start);
    let theirs = open(other).unwrap().viewer;
    for _ in 0..9 {
        open(other).unwrap();
    }
    assert_eq!(
        open(UserId::new(studio.start)),
        Err(ViewerError::TooMany(20))
    );
    // Only one's own.
    assert!(!studio.viewers.end(theirs, studio.holder));
    assert!(studio.viewers.has(theirs, other));
    for viewer in answered {
        assert!(studio.viewers.end(viewer.viewer, studio.holder));
    }
    until("their places", async || {
        (studio.viewers.count() == 10).then_some(())
    })
    .await;
    assert!(open(studio.holder).is_ok());
    studio.close().await;
}

/// Through coturn, with the credentials and the settings that we hand out: checks and the handshake of DTLS
/// go both ways.
#[tokio::test(flavor = "multi_thread")]
async fn who_reaches_only_a_relay_comes_all_the_same() {
    let Some(studio) = Studio::open().await else {
        return;
    };
    let coturn = Coturn::start().await;
    let (url, username, credential) = coturn.told(studio.start);
    let viewer = Viewer::relayed(url, username, credential).await;
    let (_viewer, _given_back) = studio.shown(viewer, None).await;
    assert_eq!(studio.viewers.count(), 1);
    studio.close().await;
}

use std::collections::BTreeSet;
use std::sync::LazyLock;

use proptest::prelude::*;
use shared::codec::{VideoCodec, VideoParameters};

use super::*;

const START: WallTime = WallTime::from_secs(1_800_000_000);

/// What payloads are cut from.
static ZEROS: LazyLock<Bytes> = LazyLock::new(|| vec![0; 4 << 20].into());

fn run() -> Arc<Run> {
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
    Arc::new(Run { id, parameters })
}

/// Picture `number` of a camera with 25 a second.
fn picture(number: i64, sync: bool, bytes: usize) -> Event {
    let ticks = Ticks90k::new(number * 3_600);
    Event::Picture(Arc::new(Picture {
        run: run(),
        pts: ticks,
        dts: ticks,
        wall: START.offset_micros(number * 40_000),
        sync,
        payload: ZEROS.slice(..bytes),
        packets: OnceLock::new(),
    }))
}

fn down(number: i64) -> Event {
    Event::Down(Down {
        because: Outage::SiteOffline,
        since: START.offset_micros(number * 40_000),
    })
}

fn number(picture: &Picture) -> i64 {
    picture.dts.get() / 3_600
}

/// Everything that waits, pictures by their numbers.
fn drain(watch: &mut Watch) -> Vec<String> {
    let events = std::iter::from_fn(|| watch.try_next());
    let names = events.map(|event| match event {
        Event::Picture(picture) => number(&picture).to_string(),
        Event::Sound(_) => "sound".to_owned(),
        Event::Down(_) => "down".to_owned(),
        Event::Skipped => "skipped".to_owned(),
    });
    names.collect()
}

#[test]
fn a_newcomer_begins_with_the_kept_gop() {
    let feed = Feed::new();
    for at in 0..7 {
        feed.publish(picture(at, at % 3 == 0, 10));
    }
    let mut watch = feed.watch();
    assert_eq!(drain(&mut watch), ["6"]);
    feed.publish(picture(7, false, 10));
    assert_eq!(drain(&mut watch), ["7"]);
    watch.again();
    assert_eq!(drain(&mut watch), ["6", "7"]);
}

#[test]
fn no_newcomer_is_shown_a_picture_from_before_an_outage() {
    let feed = Feed::new();
    feed.publish(picture(0, true, 10));
    let mut early = feed.watch();
    feed.publish(down(1));
    let mut late = feed.watch();
    assert_eq!(drain(&mut early), ["0", "down"]);
    assert_eq!(drain(&mut late), ["down"]);
    feed.publish(picture(2, false, 10));
    feed.publish(picture(3, true, 10));
    assert_eq!(drain(&mut early), ["3"]);
    assert_eq!(drain(&mut late), ["3"]);
}

#[test]
fn after_pictures_were_lost_a_sync_picture_comes_first() {
    let feed = Feed::new();
    feed.publish(picture(0, true, 10));
    let mut watch = feed.watch();
    feed.publish(Event::Skipped);
    feed.publish(picture(2, false, 10));
    let mut newcomer = feed.watch();
    feed.publish(picture(3, true, 10));
    assert_eq!(drain(&mut watch), ["0", "skipped", "3"]);
    assert_eq!(drain(&mut newcomer), ["3"]);
}

#[test]
fn a_slow_viewer_goes_on_with_the_newest_sync_picture() {
    let feed = Feed::new();
    feed.publish(picture(0, true, 10));
    let mut watch = feed.watch();
    (1..100).for_each(|at| feed.publish(picture(at, at % 25 == 0, 10)));
    let first = drain(&mut watch);
    assert_eq!(first[..2], ["skipped", "75"]);
    assert_eq!(first.last().unwrap(), "99");
}

#[test]
fn what_is_kept_is_bounded_and_half_a_gop_is_none() {
    let feed = Feed::new();
    let huge = 3 << 20;
    feed.publish(picture(0, true, huge));
    (1..20).for_each(|at| feed.publish(picture(at, false, huge)));
    assert!(feed.shared.lock().bytes() <= 16 << 20);
    let mut watch = feed.watch();
    assert!(drain(&mut watch).is_empty());
    feed.publish(picture(20, true, 10));
    assert_eq!(drain(&mut watch), ["20"]);
}

#[tokio::test]
async fn viewers_are_woken_and_end_with_the_feed() {
    let feed = Feed::new();
    let mut watch = feed.watch();
    let viewer = tokio::spawn(async move {
        let mut seen = 0;
        while watch.next().await.is_some() {
            seen += 1;
        }
        seen
    });
    for at in 0..50 {
        feed.publish(picture(at, at == 0, 10));
        tokio::task::yield_now().await;
    }
    drop(feed);
    assert_eq!(viewer.await.unwrap(), 50);
}

#[derive(Clone, Debug)]
enum Step {
    Publish(Kind, usize),
    Take(usize),
    Again,
    Join,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Sync,
    Delta,
    Down,
    Skipped,
}

fn step() -> impl Strategy<Value = Step> {
    let kind = prop_oneof![
        2 => Just(Kind::Sync), 12 => Just(Kind::Delta), 1 => Just(Kind::Down), 1 => Just(Kind::Skipped)
    ];
    prop_oneof![
        10 => (kind, 0_usize..4_000_000).prop_map(|(kind, bytes)| Step::Publish(kind, bytes)),
        6 => (0_usize..6).prop_map(Step::Take),
        1 => Just(Step::Again),
        1 => Just(Step::Join),
    ]
}

proptest! {
    /// Whoever comes and goes, however slow: what a viewer is given can be decoded, goes forward
    /// (but for one who begins again), and nothing is left out without a word.
    #[test]
    fn every_viewer_can_decode_what_it_is_given(steps in proptest::collection::vec(step(), 1..200)) {
        let feed = Feed::new();
        let mut watch = feed.watch();
        // What was published, and between which numbers something was lost on the way.
        let (mut next, mut broken) = (0_i64, BTreeSet::new());
        let mut last: Option<i64> = None;
        for step in steps {
            match step {
                Step::Publish(kind, bytes) => {
                    let event = match kind {
                        Kind::Sync => picture(next, true, bytes),
                        Kind::Delta => picture(next, false, bytes),
                        Kind::Down => down(next),
                        Kind::Skipped => Event::Skipped,
                    };
                    if matches!(kind, Kind::Down | Kind::Skipped) {
                        broken.insert(next);
                    }
                    feed.publish(event);
                    next += 1;
                }
                Step::Take(count) => for _ in 0..count {
                    match watch.try_next() {
                        Some(Event::Picture(picture)) => {
                            let number = number(&picture);
                            if !picture.sync {
                                prop_assert_eq!(last, Some(number - 1), "a picture without the one before");
                                prop_assert!(!broken.contains(&number));
                            }
                            last = Some(number);
                        }
                        Some(Event::Down(_) | Event::Skipped) => last = None,
                        Some(Event::Sound(_)) => {}
                        None => break,
                    }
                },
                Step::Again => { watch.again(); last = None; }
                Step::Join => { watch = feed.watch(); last = None; }
            }
            prop_assert!(feed.shared.lock().bytes() <= 16 << 20);
        }
        // Whoever has taken everything is in step, or waits for a sync picture.
        while watch.try_next().is_some() {}
        feed.publish(picture(next, true, 1));
        let Some(Event::Picture(picture)) = watch.try_next() else {
            panic!("the newest sync picture did not come");
        };
        prop_assert_eq!(number(&picture), next);
    }
}

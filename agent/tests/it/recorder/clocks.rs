//! The host's clock set back or forward while a camera is recorded: everything filmed is kept once,
//! the timeline stays in order, and what the step did is in the ledger. Steps while the agent is
//! stopped are in [`super::beginnings`].

use std::time::Duration;

use shared::time::{TimeRange, WallTime};
use shared::timeline::Reason;

use super::studio::{START, Site, Studio, assert_explained, spans, told};

fn seconds(from: i64, to: i64) -> TimeRange {
    let at = |seconds: i64| START.offset_micros(seconds * 1_000_000);
    TimeRange::new(at(from), at(to)).unwrap()
}

/// Films 20 s, sets the clock, films `more` GOPs of 0.4 s; returns the end of the last.
fn step(site: &Site, to: WallTime, more: usize) -> (Studio, WallTime) {
    let mut studio = Studio::start(site);
    studio.begin_run();
    studio.film(50);
    studio.end_run(Reason::HostClockStepped);
    site.clock.step_wall_to(to);
    studio.begin_run();
    studio.film(more);
    let end = studio.now();
    (studio, end)
}

#[tokio::test(flavor = "multi_thread")]
async fn set_forward_an_hour_is_a_gap_that_says_so() {
    let site = Site::new();
    let (studio, end) = step(&site, START + Duration::from_secs(3_620), 50);
    let buffer = studio.wrap().await;
    let range = TimeRange::new(START, end).unwrap();
    assert_eq!(
        assert_explained(&buffer, site.camera, range).await,
        [(seconds(20, 3_620), Reason::HostClockStepped)]
    );
    let (_, gaps) = told(&buffer).await;
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    assert_eq!(gaps[0].reason, Reason::HostClockStepped);
}

#[tokio::test(flavor = "multi_thread")]
async fn set_back_into_what_is_recorded_keeps_everything_and_one_timeline() {
    let site = Site::new();
    let (studio, end) = step(&site, START + Duration::from_secs(10), 50);
    assert_eq!(end, START + Duration::from_secs(30));
    let status = studio.status.clone();
    let buffer = studio.wrap().await;
    assert_eq!(status.borrow().missing, None);
    let (segments, gaps) = told(&buffer).await;
    let kept: u32 = segments
        .iter()
        .flat_map(|segment| &segment.fragments)
        .map(|fragment| fragment.samples)
        .sum();
    assert_eq!(kept, 1_000, "every picture of 100 GOPs, once");
    assert_eq!(segments.len(), site.files().len(), "nothing is overwritten");
    assert_eq!(gaps, []);
    let range = TimeRange::new(START, end).unwrap();
    let spans = spans(&buffer, site.camera, range).await;
    assert_eq!(spans.len(), 1, "recorded without a break: {spans:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn set_back_an_hour_to_before_the_camera_was_known_is_explained() {
    let site = Site::new();
    let back: WallTime = START.offset_micros(-3_600 * 1_000_000);
    let (studio, again) = step(&site, back, 50);
    let buffer = studio.wrap().await;
    let (segments, gaps) = told(&buffer).await;
    assert_eq!(segments.len(), site.files().len(), "nothing is overwritten");
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    assert_eq!(gaps[0].reason, Reason::HostClockStepped);
    assert_eq!(gaps[0].range, TimeRange::new(back, START).unwrap());
    // The first passage is all there, and the second up to where it came.
    for range in [seconds(0, 20), TimeRange::new(back, again).unwrap()] {
        let missing = assert_explained(&buffer, site.camera, range).await;
        assert_eq!(missing, [], "{range:?}");
    }
}

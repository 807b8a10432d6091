//! What the ledger says of the time before a recorder's first picture: each beginning by its own
//! name.

use std::fs;
use std::time::Duration;

use cctv_agent::buffer::Predecessor;
use shared::time::{TimeRange, WallTime};
use shared::timeline::Reason;

use super::studio::{START, Site, Studio, assert_explained, eventually, settings, spans, told};

fn seconds(from: f64, to: f64) -> TimeRange {
    let at = |seconds: f64| START + Duration::from_secs_f64(seconds);
    TimeRange::new(at(from), at(to)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_begins_as_added_and_goes_on_as_what_the_agent_did_meanwhile() {
    let site = Site::new();
    let mut studio = Studio::start(&site);
    site.clock.advance(Duration::from_millis(300));
    studio.begin_run();
    studio.film(5);
    studio.stop().await;
    site.clock.advance(Duration::from_secs(10));
    let mut studio = Studio::start(&site);
    site.clock.advance(Duration::from_millis(300));
    studio.begin_run();
    studio.film(5);
    let end = studio.now();
    let buffer = studio.wrap().await;
    let range = TimeRange::new(START, end).unwrap();
    assert_eq!(
        assert_explained(&buffer, site.camera, range).await,
        [
            (seconds(0.0, 0.3), Reason::CameraAdded),
            (seconds(2.3, 12.6), Reason::AgentStopped),
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorder_that_failed_is_a_fault_of_the_agent_and_its_segment_is_kept() {
    let site = Site::new();
    let mut studio = Studio::start(&site);
    studio.begin_run();
    studio.film(5);
    let until = studio.written().await;
    // As a panic ends it: whatever it had in hand is gone.
    let (buffer, disk) = studio.abort().await;
    site.clock.advance(Duration::from_secs(3));
    let mut studio = Studio::following(&site, buffer, disk, settings(), Predecessor::FailedTask);
    site.clock.advance(Duration::from_millis(300));
    studio.begin_run();
    let again = studio.now();
    studio.film(5);
    let end = studio.now();
    let buffer = studio.wrap().await;
    let missing = assert_explained(&buffer, site.camera, seconds(0.0, 2.0)).await;
    assert!(
        missing
            .iter()
            .all(|(range, reason)| range.start() >= until && *reason == Reason::AgentFault),
        "{missing:?}"
    );
    let range = TimeRange::new(until, end).unwrap();
    let missing = assert_explained(&buffer, site.camera, range).await;
    assert_eq!(missing.len(), 1, "{missing:?}");
    assert_eq!(missing[0].1, Reason::AgentFault);
    assert_eq!(missing[0].0.end(), again);
    let (segments, _) = told(&buffer).await;
    assert_eq!(segments.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_set_back_while_the_agent_was_stopped_is_said_and_doubles_nothing() {
    let site = Site::new();
    let mut studio = Studio::start(&site);
    studio.begin_run();
    studio.film(50);
    studio.stop().await;
    // 10 s into the 20 s that were recorded, and 60 s before anything was known.
    for back in [10, -60] {
        let restarted: WallTime = START.offset_micros(back * 1_000_000);
        let site = site.copied(restarted);
        let mut studio = Studio::start(&site);
        studio.begin_run();
        let status = studio.status.clone();
        eventually("the recorder has begun", async || status.borrow().missing).await;
        assert_eq!(status.borrow().missing, Some(Reason::HostClockStepped));
        let seconds_to_go = 22 - back;
        studio.film(usize::try_from(seconds_to_go * 10 / 4).unwrap());
        studio.written().await;
        assert_eq!(status.borrow().missing, None);
        let end = studio.now();
        let buffer = studio.wrap().await;
        let from = START.min(restarted);
        let range = TimeRange::new(from, end).unwrap();
        assert_eq!(assert_explained(&buffer, site.camera, range).await, []);
        let spans = spans(&buffer, site.camera, range).await;
        assert_eq!(spans.len(), 1, "one unbroken recording: {spans:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_set_forward_while_the_agent_was_stopped_is_a_gap() {
    let site = Site::new();
    let mut studio = Studio::start(&site);
    studio.begin_run();
    studio.film(5);
    studio.stop().await;
    let site = site.copied(START + Duration::from_secs(3_602));
    let mut studio = Studio::start(&site);
    studio.begin_run();
    studio.film(5);
    let end = studio.now();
    let buffer = studio.wrap().await;
    let range = TimeRange::new(START, end).unwrap();
    assert_eq!(
        assert_explained(&buffer, site.camera, range).await,
        [(seconds(2.0, 3_602.0), Reason::AgentStopped)]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_index_gone_no_camera_is_taken_for_a_new_one() {
    let site = Site::new();
    let mut studio = Studio::start(&site);
    studio.begin_run();
    studio.film(5);
    studio.stop().await;
    for suffix in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(site.directory.join(format!("index.sqlite{suffix}")));
    }
    site.clock.advance(Duration::from_secs(60));
    let mut studio = Studio::start(&site);
    studio.begin_run();
    studio.film(5);
    let end = studio.now();
    let buffer = studio.wrap().await;
    let mut comparison = buffer.reconciliation();
    comparison.wait_for(|found| found.finished).await.unwrap();
    let range = TimeRange::new(START, end).unwrap();
    assert_eq!(
        assert_explained(&buffer, site.camera, range).await,
        [(seconds(2.0, 62.0), Reason::DiskError)]
    );
}

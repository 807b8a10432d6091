//! Continuous, scheduled, event and off, changed while the camera sends.

use std::time::Duration;

use cctv_agent::config::schedule::Day;
use cctv_agent::config::{Schedule, Window};
use cctv_agent::recorder::{RecorderSettings, Trigger};
use jiff::tz::TimeZone;
use shared::time::TimeRange;
use shared::timeline::Reason;
use shared::wire::control::RecordingMode;

use super::studio::{START, Site, Studio, assert_explained, eventually, settings, told};

fn mode(mode: RecordingMode) -> RecorderSettings {
    RecorderSettings {
        mode,
        pre_roll: Duration::from_secs(3),
        post_roll: Duration::from_secs(5),
        ..settings()
    }
}

fn seconds(from: f64, to: f64) -> TimeRange {
    let at = |seconds| START + Duration::from_secs_f64(seconds);
    TimeRange::new(at(from), at(to)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn switching_off_and_on_leaves_an_entry_for_the_time_between() {
    let site = Site::new();
    let mut studio = Studio::start_with(&site, mode(RecordingMode::Continuous));
    studio.begin_run();
    studio.film(10);
    studio.written().await;
    studio.settings.send_replace(mode(RecordingMode::Off));
    let status = studio.status.clone();
    eventually("recording ends", async || {
        studio.film(1);
        (status.borrow().missing == Some(Reason::RecordingOff)).then_some(())
    })
    .await;
    let off = studio.now();
    studio.film(20);
    studio
        .settings
        .send_replace(mode(RecordingMode::Continuous));
    eventually("recording begins again", async || {
        studio.film(1);
        status.borrow().missing.is_none().then_some(())
    })
    .await;
    let end = studio.now();
    let buffer = studio.wrap().await;
    let missing = assert_explained(&buffer, site.camera, TimeRange::new(START, end).unwrap()).await;
    assert_eq!(missing.len(), 1, "{missing:?}");
    assert_eq!(missing[0].1, Reason::RecordingOff);
    assert!(missing[0].0.start() <= off && missing[0].0.duration() >= Duration::from_secs(8));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_off_is_off_also_while_the_camera_is_away() {
    let site = Site::new();
    let mut studio = Studio::start_with(&site, mode(RecordingMode::Off));
    studio.begin_run();
    studio.film(5);
    studio.end_run(Reason::CameraDisconnected);
    site.clock.advance(Duration::from_secs(10));
    let status = studio.status.clone();
    eventually("it is off", async || {
        (status.borrow().recorded_until >= Some(START + Duration::from_secs(12))).then_some(())
    })
    .await;
    studio
        .settings
        .send_replace(mode(RecordingMode::Continuous));
    eventually("now the camera is missed", async || {
        (status.borrow().missing == Some(Reason::CameraDisconnected)).then_some(())
    })
    .await;
    site.clock.advance(Duration::from_secs(10));
    studio.begin_run();
    studio.film(5);
    let end = studio.now();
    let buffer = studio.wrap().await;
    let missing = assert_explained(&buffer, site.camera, TimeRange::new(START, end).unwrap()).await;
    assert_eq!(
        missing,
        [
            (seconds(0.0, 12.0), Reason::RecordingOff),
            (seconds(12.0, 22.0), Reason::CameraDisconnected),
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_recorded_with_what_came_before_and_after_it() {
    let site = Site::new();
    let mut studio = Studio::start_with(&site, mode(RecordingMode::Event));
    studio.begin_run();
    studio.film(25);
    let status = studio.status.clone();
    eventually("nothing happens", async || {
        (status.borrow().missing == Some(Reason::NoEvent)).then_some(())
    })
    .await;
    let event = studio.now();
    let trigger = Trigger {
        from: event,
        until: event + Duration::from_secs(1),
    };
    studio.triggers.send(trigger).await.unwrap();
    eventually("the event is recorded", async || {
        studio.film(1);
        status.borrow().missing.is_none().then_some(())
    })
    .await;
    studio.film(50);
    let end = studio.now();
    let buffer = studio.wrap().await;

    let missing = assert_explained(&buffer, site.camera, TimeRange::new(START, end).unwrap()).await;
    assert_eq!(missing.len(), 2, "{missing:?}");
    assert!(missing.iter().all(|(_, reason)| *reason == Reason::NoEvent));
    let recorded = TimeRange::new(missing[0].0.end(), missing[1].0.start()).unwrap();
    assert!(
        recorded.start() <= event - Duration::from_secs(3),
        "{recorded:?}"
    );
    assert!(
        recorded.start() >= event - Duration::from_secs(4),
        "{recorded:?}"
    );
    assert_eq!(recorded.end(), event + Duration::from_secs(6));
    let (segments, _) = told(&buffer).await;
    assert!(segments[0].fragments[0].sync);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_held_is_recorded_also_when_the_camera_goes_before_the_event_is_told() {
    let site = Site::new();
    let mut studio = Studio::start_with(&site, mode(RecordingMode::Event));
    studio.begin_run();
    studio.film(25);
    let cut = studio.now();
    studio.end_run(Reason::CameraDisconnected);
    let trigger = Trigger {
        from: cut,
        until: cut,
    };
    studio.triggers.send(trigger).await.unwrap();
    let status = studio.status.clone();
    eventually("what was held is written", async || {
        (status.borrow().missing == Some(Reason::CameraDisconnected)).then_some(())
    })
    .await;
    let buffer = studio.wrap().await;
    let (segments, _) = told(&buffer).await;
    let recorded = segments[0].wall_range().unwrap();
    assert_eq!(recorded.end(), cut);
    assert!(
        recorded.duration() >= Duration::from_secs(3),
        "{recorded:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_is_followed_in_the_sites_own_time() {
    let site = Site::new();
    // START is 10:00 UTC on a Sunday, 14:00 in Dubai.
    let window = Window {
        from: "14:00:10".parse().unwrap(),
        to: "14:00:20".parse().unwrap(),
        days: vec![Day::Sun],
    };
    let zone = TimeZone::get("Asia/Dubai").unwrap();
    let mut studio = Studio::start_with(
        &site,
        RecorderSettings {
            schedule: Schedule::new(vec![window], zone),
            ..mode(RecordingMode::Scheduled)
        },
    );
    studio.begin_run();
    studio.film(75);
    let end = studio.now();
    let buffer = studio.wrap().await;
    let missing = assert_explained(&buffer, site.camera, TimeRange::new(START, end).unwrap()).await;
    assert!(
        missing
            .iter()
            .all(|(_, reason)| *reason == Reason::OutsideSchedule)
    );
    let recorded = TimeRange::new(missing[0].0.end(), missing[1].0.start()).unwrap();
    // It begins with the GOP at hand, so that it can be decoded from the first picture on.
    assert_eq!(recorded, seconds(9.6, 20.0));
}

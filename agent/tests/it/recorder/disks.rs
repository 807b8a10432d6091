//! Disks that are full, read-only, broken, slow or too small, each fault injected at its instant:
//! recording waits or stops with its reason in the ledger, goes on by itself, and leaves no file
//! that cannot be read. Real filesystems are in [`super::real_disks`].

use std::io;
use std::sync::Arc;
use std::time::Duration;

use cctv_agent::recorder::{Disk, DiskConfig};
use shared::time::TimeRange;
use shared::timeline::Reason;

use super::faulty::{Faults, FaultyDirectory};
use super::studio::{
    START, Site, Studio, assert_explained, assert_whole, disk_config, eventually, settings, told,
};

/// A studio whose disk does what it is told, and gives up soon.
fn studio(site: &Site, config: DiskConfig) -> (Studio, Arc<FaultyDirectory>) {
    let (buffer, _) = site.open();
    let storage = FaultyDirectory::open(&site.segments());
    let disk = Disk::start_on(
        Arc::clone(&storage) as _,
        &buffer,
        config,
        Arc::clone(&site.clock) as _,
    )
    .unwrap();
    (Studio::with_disk(site, buffer, disk, settings()), storage)
}

fn impatient() -> DiskConfig {
    DiskConfig {
        patience: Duration::from_millis(700),
        ..disk_config()
    }
}

/// Films until the fault shows, mends it, films on; returns what is missing and why.
async fn break_and_mend(
    site: &Site,
    config: DiskConfig,
    faults: Faults,
) -> Vec<(TimeRange, Reason)> {
    let (mut studio, storage) = studio(site, config);
    studio.begin_run();
    studio.film(10);
    studio.written().await;
    storage.set(faults);
    let status = studio.status.clone();
    let buffer = studio.buffer.clone();
    eventually("the fault is noticed", async || {
        studio.film(1);
        buffer.status().fault
    })
    .await;
    if config.patience < Duration::from_secs(5) {
        eventually("the fault is in the ledger", async || {
            studio.film(1);
            status.borrow().missing
        })
        .await;
    }
    storage.mend();
    eventually("the disk is tried again", async || {
        studio.film(1);
        buffer.status().fault.is_none().then_some(())
    })
    .await;
    studio.film(10);
    let end = studio.now();
    let buffer = studio.wrap().await;
    assert_whole(site);
    let (segments, _) = told(&buffer).await;
    segments.iter().for_each(|meta| meta.check().unwrap());
    assert_explained(&buffer, site.camera, TimeRange::new(START, end).unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_full_for_a_moment_costs_nothing() {
    let site = Site::new();
    let faults = Faults {
        room: Some(700),
        ..Faults::default()
    };
    assert_eq!(break_and_mend(&site, disk_config(), faults).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_stays_full_is_a_gap_and_recording_goes_on_by_itself() {
    let site = Site::new();
    let faults = Faults {
        room: Some(700),
        ..Faults::default()
    };
    let missing = break_and_mend(&site, impatient(), faults).await;
    assert!(!missing.is_empty());
    assert!(
        missing
            .iter()
            .all(|(_, reason)| *reason == Reason::DiskFull),
        "{missing:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_disk_and_a_broken_one_are_told_apart() {
    for (kind, reason) in [
        (io::ErrorKind::ReadOnlyFilesystem, Reason::DiskReadOnly),
        (io::ErrorKind::Other, Reason::DiskError),
    ] {
        let site = Site::new();
        let faults = Faults {
            write: Some(kind),
            ..Faults::default()
        };
        let missing = break_and_mend(&site, impatient(), faults).await;
        assert!(!missing.is_empty());
        assert!(
            missing.iter().all(|(_, found)| *found == reason),
            "{missing:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_cut_off_at_once_is_cut_off_later() {
    let site = Site::new();
    let faults = Faults {
        room: Some(700),
        truncate: true,
        ..Faults::default()
    };
    let missing = break_and_mend(&site, impatient(), faults).await;
    assert!(
        missing
            .iter()
            .all(|(_, reason)| *reason == Reason::DiskFull),
        "{missing:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn short_writes_are_continued() {
    let site = Site::new();
    let (mut studio, storage) = studio(&site, disk_config());
    storage.set(Faults {
        short: Some(97),
        ..Faults::default()
    });
    studio.begin_run();
    studio.film(20);
    let end = studio.now();
    let buffer = studio.wrap().await;
    assert_whole(&site);
    let range = TimeRange::new(START, end).unwrap();
    assert_eq!(assert_explained(&buffer, site.camera, range).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failed_sync_a_new_segment_begins_and_what_is_readable_stays() {
    let site = Site::new();
    let (mut studio, storage) = studio(&site, disk_config());
    studio.begin_run();
    studio.film(5);
    let written = studio.written().await;
    studio.durable_until(written).await;
    storage.set(Faults {
        sync: true,
        ..Faults::default()
    });
    let first = studio.status.borrow().segment.unwrap();
    studio.film(5);
    let status = studio.status.clone();
    eventually("the segment ends", async || {
        (status.borrow().segment != Some(first)).then_some(())
    })
    .await;
    assert!(status.borrow().durable_until < Some(studio.now()));
    storage.mend();
    studio.film(5);
    let written = studio.written().await;
    studio.durable_until(written).await;
    let end = studio.now();
    let buffer = studio.wrap().await;
    assert_whole(&site);
    let (segments, _) = told(&buffer).await;
    assert!(segments.len() >= 2);
    let range = TimeRange::new(START, end).unwrap();
    assert_eq!(assert_explained(&buffer, site.camera, range).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_cannot_keep_up_costs_pictures_and_not_memory() {
    let site = Site::new();
    let config = DiskConfig {
        stream_bytes: 2_000,
        ..disk_config()
    };
    let (mut studio, storage) = studio(&site, config);
    studio.begin_run();
    studio.film(5);
    studio.written().await;
    storage.set(Faults {
        stuck: true,
        ..Faults::default()
    });
    for _ in 0..100 {
        studio.film(1);
        tokio::task::yield_now().await;
    }
    storage.mend();
    let status = studio.status.clone();
    eventually("recording goes on", async || {
        studio.film(1);
        let status = status.borrow();
        assert!(status.queued_bytes <= 4_000, "{}", status.queued_bytes);
        (status.recorded_until >= Some(START + Duration::from_secs(43))).then_some(())
    })
    .await;
    let end = studio.now();
    let buffer = studio.wrap().await;
    assert_whole(&site);
    let range = TimeRange::new(START, end).unwrap();
    let missing = assert_explained(&buffer, site.camera, range).await;
    assert!(
        missing
            .iter()
            .any(|(_, reason)| *reason == Reason::DiskTooSlow),
        "{missing:?}"
    );
    let (segments, _) = told(&buffer).await;
    let after_the_gap = missing[0].0.end();
    let next = segments
        .iter()
        .flat_map(|meta| &meta.fragments)
        .find(|fragment| fragment.wall_start >= after_the_gap)
        .unwrap();
    assert!(
        next.sync,
        "recording goes on with a picture that can be decoded"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reserve_is_not_touched() {
    let mut site = Site::new();
    site.limits.reserve_bytes = 1_000_000;
    let faults = Faults {
        free: Some(999_999),
        ..Faults::default()
    };
    let missing = break_and_mend(&site, impatient(), faults).await;
    assert!(!missing.is_empty());
    assert!(
        missing
            .iter()
            .all(|(_, reason)| *reason == Reason::DiskFull),
        "{missing:?}"
    );
}

//! The agent ends without being asked to: what was whole is there at the next start, signed and
//! told, and the time between is explained.

use std::fs;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use shared::clock::Clock;
use shared::time::{TimeRange, WallTime};
use shared::timeline::Reason;
use shared::wire::segment::RecordBody;

use super::studio::{
    START, Site, Studio, assert_explained, assert_whole, eventually, ffprobe, told,
};

/// The disk as a power cut would leave it: a copy taken while the agent runs.
async fn cut_power(studio: &Studio, site: &Site) -> Site {
    // The row of the open segment is committed within a moment; a copy in the middle of a commit
    // would be torn in a way that no disk is.
    let index = site.directory.join("index.sqlite-wal");
    let size = || fs::metadata(&index).map_or(0, |metadata| metadata.len());
    let mut before = (size(), tokio::time::Instant::now());
    eventually("the index rests", async || {
        if size() != before.0 {
            before = (size(), tokio::time::Instant::now());
        }
        (before.1.elapsed() > Duration::from_millis(400)).then_some(())
    })
    .await;
    site.copied(studio.clock.wall() + Duration::from_secs(30))
}

/// Records again after the cut, and returns what is missing in all.
async fn record_on(site: &Site) -> Vec<(TimeRange, Reason)> {
    let mut studio = Studio::start(site);
    studio.begin_run();
    studio.film(10);
    let end = studio.now();
    let buffer = studio.wrap().await;
    assert_whole(site);
    let (segments, _) = told(&buffer).await;
    for meta in &segments {
        meta.check().unwrap();
        assert!(
            meta.signature
                .verify(site.key.public_key(), &meta.statement())
        );
    }
    let missing = assert_explained(&buffer, site.camera, TimeRange::new(START, end).unwrap()).await;
    buffer.close().await.unwrap();
    missing
}

async fn film(site: &Site, gops: usize) -> (Studio, WallTime) {
    let mut studio = Studio::start(site);
    studio.begin_run();
    studio.film(gops);
    let written = studio.written().await;
    studio.durable_until(written).await;
    (studio, written)
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_crash_the_open_segment_is_closed_and_the_gap_says_why() {
    let site = Site::new();
    let (studio, written) = film(&site, 40).await;
    let lost_at_most = studio.now().saturating_duration_since(written);
    assert!(lost_at_most <= Duration::from_secs(1));
    let after = cut_power(&studio, &site).await;

    let (buffer, report) = after.open();
    assert_eq!(report.recovered, 1);
    assert_eq!(report.previous_ending, Some(Reason::AgentCrashed));
    let (segments, _) = told(&buffer).await;
    assert_eq!(segments.len(), 2, "one was closed before, one is now");
    let recorded_until = segments[1].wall_range().unwrap().end();
    assert!(recorded_until >= written);
    drop(buffer);

    let missing = record_on(&after).await;
    assert_eq!(missing.len(), 1, "{missing:?}");
    assert_eq!(missing[0].1, Reason::AgentCrashed);
    assert_eq!(missing[0].0.start(), recorded_until);
    studio.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn torn_and_overwritten_tails_cost_what_they_hit_and_are_in_the_ledger() {
    let site = Site::new();
    let (studio, _) = film(&site, 10).await;
    let after = cut_power(&studio, &site).await;
    let open = studio.buffer.growing().remove(0);
    let last = open.fragments.last().unwrap();
    let before_last = last.wall_start;
    let name = open.path.strip_prefix(&site.directory).unwrap().to_owned();
    studio.stop().await;

    for (cut, flip) in [
        (Some(last.offset), None),
        (Some(last.offset + 1), None),
        (Some(last.end_offset() - 1), None),
        (None, Some(last.offset)),
        (None, Some(last.end_offset() - 1)),
    ] {
        let broken = after.copied(after.clock.wall());
        let file = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open(broken.directory.join(&name))
            .unwrap();
        if let Some(cut) = cut {
            file.set_len(cut).unwrap();
        }
        if let Some(at) = flip {
            let mut byte = [0];
            file.read_exact_at(&mut byte, at).unwrap();
            file.write_all_at(&[!byte[0]], at).unwrap();
        }
        let missing = record_on(&broken).await;
        assert_eq!(
            missing[0].0.start(),
            before_last,
            "{cut:?} {flip:?}: {missing:?}"
        );
        assert_eq!(missing.last().unwrap().1, Reason::AgentCrashed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_page_in_the_middle_costs_its_fragment_only() {
    let site = Site::new();
    let (studio, _) = film(&site, 10).await;
    let after = cut_power(&studio, &site).await;
    let open = studio.buffer.growing().remove(0);
    let hit = open.fragments[3].clone();
    let name = open.path.strip_prefix(&site.directory).unwrap();
    let file = fs::OpenOptions::new()
        .write(true)
        .open(after.directory.join(name))
        .unwrap();
    file.write_all_at(&vec![0; 300], hit.offset + 10).unwrap();
    studio.stop().await;

    let missing = record_on(&after).await;
    assert_eq!(missing[0], (hit.wall_range(), Reason::FileDamaged));
    assert_eq!(missing.len(), 2, "{missing:?}");
    for path in after.files() {
        ffprobe(&path);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_is_gone_or_garbage_is_made_again_from_the_files() {
    for garbage in [false, true] {
        let site = Site::new();
        let (studio, _) = film(&site, 60).await;
        let since = START;
        studio.stop().await;
        let index = site.directory.join("index.sqlite");
        if garbage {
            let size = fs::metadata(&index).unwrap().len();
            let file = fs::OpenOptions::new().write(true).open(&index).unwrap();
            for page in 1..size / 4_096 {
                file.write_all_at(&[0xa5; 4_096], page * 4_096).unwrap();
            }
            // As after a crash: only then is the whole index read at the start.
            fs::write(site.directory.join("index.sqlite.damaged"), "").unwrap();
        } else {
            for suffix in ["", "-wal", "-shm"] {
                let _ = fs::remove_file(site.directory.join(format!("index.sqlite{suffix}")));
            }
        }
        let (buffer, report) = site.open();
        assert!(report.index_rebuilt);
        let mut comparison = buffer.reconciliation();
        let found = comparison
            .wait_for(|found| found.finished)
            .await
            .unwrap()
            .clone();
        assert_eq!(found.adopted, 3);
        let (segments, _) = told(&buffer).await;
        assert_eq!(segments.len(), 3, "all are told again");
        buffer
            .register_stream(site.camera, shared::segment::StreamKind::Main, since)
            .await
            .unwrap();
        let range = TimeRange::starting_at(START, Duration::from_secs(20));
        assert_eq!(assert_explained(&buffer, site.camera, range).await, []);
        let aside = fs::read_dir(&site.directory)
            .unwrap()
            .filter(|entry| {
                let name = entry.as_ref().unwrap().file_name();
                name.to_string_lossy().contains(".damaged-")
            })
            .count();
        assert_eq!(
            aside > 0,
            garbage,
            "the damaged index is kept for whoever wants to look"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_without_rows_are_adopted_and_rows_without_files_become_entries() {
    let site = Site::new();
    let (studio, _) = film(&site, 60).await;
    studio.stop().await;
    let files = site.files();
    let deleted = &files[0];
    fs::remove_file(deleted).unwrap();
    let other = Site::new();
    let (studio, _) = film(&other, 10).await;
    studio.stop().await;
    let orphan = &other.files()[0];
    let place = site
        .segments()
        .join(orphan.strip_prefix(other.segments()).unwrap());
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    fs::copy(orphan, &place).unwrap();
    fs::write(site.segments().join("notes.txt"), "not ours").unwrap();
    let torn = place.with_file_name(format!("{}.mp4", shared::id::SegmentId::new(START)));
    fs::write(&torn, "no fragment").unwrap();

    let (buffer, _) = site.open();
    let mut comparison = buffer.reconciliation();
    let found = comparison
        .wait_for(|found| found.finished)
        .await
        .unwrap()
        .clone();
    assert_eq!(
        (
            found.adopted,
            found.vanished,
            found.discarded,
            found.foreign
        ),
        (1, 1, 1, 1)
    );
    assert!(!torn.exists());
    assert!(site.segments().join("notes.txt").exists());
    let (segments, gaps) = told(&buffer).await;
    assert_eq!(segments.len(), 3);
    assert_eq!(gaps.len(), 1);
    assert_eq!(gaps[0].reason, Reason::OperatorDeleted);
    let evicted = buffer.outbox_after(0, 1_000).await.unwrap();
    assert!(
        evicted
            .iter()
            .any(|record| matches!(record.body, RecordBody::Evicted { .. }))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn when_most_files_are_gone_the_disk_is_suspected_and_nothing_is_forgotten() {
    let site = Site::new();
    let (studio, _) = film(&site, 350).await;
    studio.stop().await;
    assert!(site.files().len() > 12);
    fs::rename(site.segments(), site.directory.join("elsewhere")).unwrap();
    let (buffer, _) = site.open();
    let mut comparison = buffer.reconciliation();
    let found = comparison
        .wait_for(|found| found.finished)
        .await
        .unwrap()
        .clone();
    assert!(found.doubtful > 10);
    let (segments, gaps) = told(&buffer).await;
    assert_eq!(segments.len() as u64, found.doubtful);
    assert_eq!(gaps, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_orderly_stop_is_told_as_one() {
    let site = Site::new();
    let (mut studio, _) = film(&site, 10).await;
    studio.film(1);
    let stopped = studio.now();
    studio.stop().await;
    site.clock.advance(Duration::from_secs(60));
    let missing = record_on(&site).await;
    assert_eq!(
        missing,
        [(
            TimeRange::starting_at(stopped, Duration::from_secs(60)),
            Reason::AgentStopped
        )]
    );
}

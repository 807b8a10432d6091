//! What the buffer holds and owes: records and acknowledgements, uploads, retention, old indexes.

use std::fs;
use std::path::Path;
use std::time::Duration;

use cctv_agent::buffer::{
    Buffer, BufferError, CameraRule, GrowthCursor, Limits, Policies, Priority, ReadError,
};
use cctv_agent::config::schedule::Day;
use cctv_agent::config::{Schedule, Window};
use jiff::tz::TimeZone;
use shared::clock::Clock;
use shared::id::SegmentId;
use shared::segment::StreamKind;
use shared::time::TimeRange;
use shared::timeline::Reason;
use shared::wire::control::UploadPolicy;
use shared::wire::segment::RecordBody;

use crate::recorder::studio::{START, Site, Studio, eventually, told};

/// A buffer with so many closed segments of 10 s.
async fn filled(site: &Site, segments: usize) -> Buffer {
    let mut studio = Studio::start(site);
    studio.begin_run();
    for _ in 0..segments {
        studio.film(25);
        studio.written().await;
    }
    studio.wrap().await
}

async fn acknowledge_all(buffer: &Buffer) -> u64 {
    let last = buffer
        .outbox_after(0, 10_000)
        .await
        .unwrap()
        .pop()
        .unwrap()
        .seq;
    buffer.acknowledge(last).await.unwrap();
    last
}

fn policies(upload: UploadPolicy) -> Policies {
    Policies {
        default: CameraRule {
            upload,
            max_age: None,
        },
        ..Policies::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn records_come_in_order_until_they_are_acknowledged_and_then_never_again() {
    let site = Site::new();
    let buffer = filled(&site, 3).await;
    let records = buffer.outbox_after(0, 10_000).await.unwrap();
    assert!(records.windows(2).all(|pair| pair[0].seq < pair[1].seq));
    assert_eq!(buffer.outbox_backlog().await.unwrap(), records.len() as u64);
    let middle = records[1].seq;
    buffer.acknowledge(middle).await.unwrap();
    assert_eq!(buffer.outbox_after(0, 10_000).await.unwrap(), records[2..]);
    // A number that was never given out is not believed.
    buffer.acknowledge(u64::MAX).await.unwrap();
    assert_eq!(buffer.outbox_backlog().await.unwrap(), 0);
    drop(buffer);
    let (buffer, _) = site.open();
    assert_eq!(buffer.outbox_backlog().await.unwrap(), 0);
    let mut studio = Studio::on(&site, buffer, crate::recorder::studio::settings());
    studio.begin_run();
    studio.film(30);
    let buffer = studio.wrap().await;
    let later = buffer.outbox_after(0, 10_000).await.unwrap();
    assert!(later[0].seq > records.last().unwrap().seq);
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_are_cut_to_size_and_vouch_for_nothing_before_the_last() {
    let site = Site::new();
    let buffer = filled(&site, 4).await;
    let mut cursor = GrowthCursor::default();
    let first = buffer.news(0, &mut cursor, 2).await.unwrap();
    assert_eq!(first.records.len(), 2);
    assert!(!first.drained && first.watermarks.is_empty());
    let last = first.records[1].seq;
    let rest = buffer.news(last, &mut cursor, 100).await.unwrap();
    assert!(rest.drained);
    assert_eq!(rest.watermarks.len(), 1);
    assert!(rest.watermarks[0].reported_until >= START + Duration::from_secs(39));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_acknowledged_is_offered_and_what_is_uploaded_is_not() {
    let site = Site::new();
    let buffer = filled(&site, 3).await;
    buffer.set_policies(policies(UploadPolicy::All));
    let now = site.clock.wall();
    assert_eq!(buffer.upload_candidates(now, 10).await.unwrap(), []);
    acknowledge_all(&buffer).await;
    let offered = buffer.upload_candidates(now, 10).await.unwrap();
    assert_eq!(offered.len(), 3);
    assert!(
        offered
            .iter()
            .all(|candidate| candidate.priority == Priority::Fresh)
    );
    assert!(
        offered
            .windows(2)
            .all(|pair| pair[0].range.end() <= pair[1].range.end())
    );
    assert_eq!(
        buffer.upload_candidates(now, 1).await.unwrap(),
        offered[..1]
    );
    buffer.mark_uploaded(offered[1].segment).await.unwrap();
    let left = buffer.upload_candidates(now, 10).await.unwrap();
    assert_eq!(
        left.iter().map(|c| c.segment).collect::<Vec<_>>(),
        [offered[0].segment, offered[2].segment]
    );
    let later = now + Duration::from_secs(3_600);
    let backlog = buffer.upload_candidates(later, 10).await.unwrap();
    assert!(
        backlog
            .iter()
            .all(|candidate| candidate.priority == Priority::Backlog)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_choose_by_event_by_time_window_or_nothing() {
    let site = Site::new();
    let buffer = filled(&site, 3).await;
    acknowledge_all(&buffer).await;
    let now = site.clock.wall();
    let offered = async || buffer.upload_candidates(now, 10).await.unwrap();
    buffer.set_policies(policies(UploadPolicy::OnDemand));
    assert_eq!(offered().await, []);
    buffer.set_policies(policies(UploadPolicy::Events));
    assert_eq!(offered().await, []);
    let at = START + Duration::from_secs(15);
    buffer
        .mark_event(
            site.camera,
            TimeRange::starting_at(at, Duration::from_secs(1)),
        )
        .await
        .unwrap();
    let event = offered().await;
    assert_eq!(event.len(), 1);
    assert_eq!(event[0].priority, Priority::Event);
    assert!(event[0].range.contains(at));
    buffer.set_policies(policies(UploadPolicy::All));
    assert_eq!(
        offered().await[0],
        event[0],
        "events come first in every policy"
    );
    let window = |from: &str, to: &str| {
        let window = Window {
            days: vec![Day::Sun],
            from: from.parse().unwrap(),
            to: to.parse().unwrap(),
        };
        Some(Schedule::new(vec![window], TimeZone::UTC))
    };
    for (schedule, count) in [
        (window("10:00", "11:00"), 3),
        (window("22:00", "06:00"), 0),
        (None, 0),
    ] {
        buffer.set_policies(Policies {
            upload_schedule: schedule,
            ..policies(UploadPolicy::Schedule)
        });
        assert_eq!(offered().await.len(), count);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn uploaded_segments_go_first_and_the_only_copies_leave_an_entry() {
    let mut site = Site::new();
    let buffer = filled(&site, 4).await;
    acknowledge_all(&buffer).await;
    let now = site.clock.wall();
    let all = buffer.upload_candidates(now, 10).await.unwrap();
    buffer.mark_uploaded(all[2].segment).await.unwrap();
    let evidence = all[0].range;
    let inner = TimeRange::starting_at(
        evidence.start() + Duration::from_secs(1),
        Duration::from_secs(1),
    );
    assert_eq!(
        buffer
            .set_locked(site.camera, StreamKind::Main, inner, true)
            .await
            .unwrap(),
        1
    );
    let limits = Limits {
        max_bytes: Some(all[0].size + 1),
        ..site.limits
    };
    let plan = buffer.dry_run(limits, Policies::default()).await.unwrap();
    let planned: Vec<_> = plan
        .iter()
        .map(|eviction| eviction.holding.segment)
        .collect();
    assert_eq!(planned, [all[2].segment, all[1].segment, all[3].segment]);
    assert_eq!(told(&buffer).await.1, [], "a dry run deletes nothing");
    assert_eq!(site.files().len(), 4);
    drop(buffer);

    site.limits = limits;
    let (buffer, _) = site.open();
    let gaps = eventually("retention has made room", async || {
        let (_, gaps) = told(&buffer).await;
        (gaps.len() == 2).then_some(gaps)
    })
    .await;
    assert_eq!(gaps[0].range, all[1].range);
    assert_eq!(gaps[1].range, all[3].range);
    assert!(
        gaps.iter()
            .all(|gap| gap.reason == Reason::ExpiredBeforeUpload)
    );
    let evicted: Vec<SegmentId> = buffer
        .outbox_after(0, 100)
        .await
        .unwrap()
        .into_iter()
        .filter_map(|record| match record.body {
            RecordBody::Evicted { segment, .. } => Some(segment),
            _ => None,
        })
        .collect();
    assert_eq!(evicted.len(), 3);
    assert_eq!(site.files(), [site.file_of(all[0].segment)]);
    assert!(matches!(
        buffer.read_range(all[1].segment, 0, 1).await,
        Err(ReadError::Unknown(_))
    ));
    eventually("the status follows", async || {
        (buffer.status().used_bytes == all[0].size).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn age_deletes_what_is_uploaded_and_waits_for_the_rest() {
    let mut site = Site::new();
    let buffer = filled(&site, 3).await;
    acknowledge_all(&buffer).await;
    let all = buffer
        .upload_candidates(site.clock.wall(), 10)
        .await
        .unwrap();
    buffer.mark_uploaded(all[1].segment).await.unwrap();
    drop(buffer);
    site.limits.max_age = Some(Duration::from_secs(3_600));
    site.clock.advance(Duration::from_secs(7_200));
    let (buffer, _) = site.open();
    eventually("the uploaded one expires", async || {
        (site.files().len() == 2).then_some(())
    })
    .await;
    let (_, gaps) = told(&buffer).await;
    assert_eq!(gaps, [], "the centre has it: nothing is missing");
    buffer.set_policies(policies(UploadPolicy::OnDemand));
    eventually("nobody waits for the others any more", async || {
        site.files().is_empty().then_some(())
    })
    .await;
    let gaps = eventually("and the ledger says so", async || {
        let (_, gaps) = told(&buffer).await;
        (gaps.len() == 2).then_some(gaps)
    })
    .await;
    assert!(gaps.iter().all(|gap| gap.reason == Reason::ExpiredByAge));
}

/// A file with the immutable attribute, which binds even the superuser.
struct Undeletable(std::path::PathBuf);

impl Undeletable {
    fn make(path: &Path) -> Option<Self> {
        Self::chattr("+i", path).then(|| Self(path.to_owned()))
    }

    fn chattr(change: &str, path: &Path) -> bool {
        let output = std::process::Command::new("chattr")
            .arg(change)
            .arg(path)
            .output();
        output.is_ok_and(|output| output.status.success())
    }
}

impl Drop for Undeletable {
    fn drop(&mut self) {
        assert!(Self::chattr("-i", &self.0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_deleted_is_held_as_before() {
    let mut site = Site::new();
    let buffer = filled(&site, 3).await;
    let (segments, _) = told(&buffer).await;
    buffer.close().await.unwrap();
    drop(buffer);
    let stubborn = segments[0].head.id;
    let Some(_guard) = Undeletable::make(&site.file_of(stubborn)) else {
        eprintln!("SKIPPED: this process may not make a file undeletable (chattr +i)");
        return;
    };
    site.limits.max_bytes = Some(1);
    let (buffer, _) = site.open();
    let left = eventually("the others are deleted", async || {
        let left = buffer
            .dry_run(site.limits, Policies::default())
            .await
            .unwrap();
        (left.len() == 1).then_some(left)
    })
    .await;
    assert_eq!(left[0].holding.segment, stubborn);
    let (_, gaps) = told(&buffer).await;
    assert!(
        gaps.iter()
            .all(|gap| Some(gap.range) != segments[0].wall_range())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_that_was_begun_is_finished_at_the_next_start() {
    let site = Site::new();
    let buffer = filled(&site, 2).await;
    let (segments, _) = told(&buffer).await;
    buffer.close().await.unwrap();
    drop(buffer);
    let connection = rusqlite::Connection::open(site.directory.join("index.sqlite")).unwrap();
    connection
        .execute(
            "update segment set state = 2, eviction = 'expired_by_space' where id = ?1",
            [segments[0].head.id.as_bytes()],
        )
        .unwrap();
    drop(connection);
    let (buffer, report) = site.open();
    assert_eq!(report.evicted, 1);
    assert_eq!(site.files().len(), 1);
    let (_, gaps) = told(&buffer).await;
    assert_eq!(gaps.len(), 1);
    assert_eq!(gaps[0].reason, Reason::ExpiredBySpace);
    assert_eq!(Some(gaps[0].range), segments[0].wall_range());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_agent_on_the_same_directory_is_refused() {
    let site = Site::new();
    let (_buffer, _) = site.open();
    let again = Buffer::open(
        site.config(),
        std::sync::Arc::clone(&site.clock) as _,
        site.sign(),
    );
    assert!(matches!(again, Err(BufferError::InUse { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_of_a_newer_agent_is_left_alone() {
    let site = Site::new();
    drop(site.open());
    let connection = rusqlite::Connection::open(site.directory.join("index.sqlite")).unwrap();
    connection
        .pragma_update(None, "user_version", 4_711)
        .unwrap();
    drop(connection);
    let opened = eventually("the first agent has let go", async || {
        let opened = Buffer::open(
            site.config(),
            std::sync::Arc::clone(&site.clock) as _,
            site.sign(),
        );
        (!matches!(opened, Err(BufferError::InUse { .. }))).then_some(opened)
    })
    .await;
    let error = opened.expect_err("it is refused").to_string();
    assert!(error.contains("newer version"), "{error}");
}

/// Tables, indexes and triggers as they were written, less comments and layout.
fn shape(connection: &rusqlite::Connection) -> Vec<(String, String)> {
    let mut statement = connection
        .prepare("select name, sql from sqlite_schema where sql is not null order by name")
        .unwrap();
    let rows = statement
        .query_map([], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))
        .unwrap();
    rows.map(Result::unwrap)
        .map(|(name, sql)| {
            let code = sql
                .lines()
                .map(|line| line.split("--").next().unwrap_or(""));
            let words: Vec<_> = code.flat_map(str::split_whitespace).collect();
            (name, words.join(" ").to_lowercase())
        })
        .collect()
}

/// Every index ever released opens, keeps what is in it, and has the shape of a new one.
#[tokio::test(flavor = "multi_thread")]
async fn indexes_of_all_versions_become_what_a_new_one_is() {
    let fresh = Site::new();
    drop(fresh.open());
    let mut found = 0;
    for entry in fs::read_dir("tests/fixtures").unwrap() {
        let path = entry.unwrap().path();
        if !path.to_string_lossy().ends_with(".index.sql") {
            continue;
        }
        found += 1;
        let site = Site::new();
        let index = site.directory.join("index.sqlite");
        let connection = rusqlite::Connection::open(&index).unwrap();
        connection
            .execute_batch(&fs::read_to_string(&path).unwrap())
            .unwrap();
        let recording: String = connection
            .query_row("select path from segment", [], |row| row.get(0))
            .unwrap();
        drop(connection);
        // Without its file the row would not be left alone.
        let recording = site.segments().join(recording);
        fs::create_dir_all(recording.parent().unwrap()).unwrap();
        fs::write(recording, "").unwrap();
        let (buffer, report) = site.open();
        assert!(!report.index_rebuilt, "{}", path.display());
        let (segments, gaps) = told(&buffer).await;
        assert_eq!(gaps.len(), 1);
        assert_eq!(gaps[0].reason, Reason::CameraDisconnected);
        assert_eq!(segments.len(), 1);
        segments[0].check().unwrap();
        drop(buffer);
        let opened =
            |site: &Site| rusqlite::Connection::open(site.directory.join("index.sqlite")).unwrap();
        assert_eq!(
            shape(&opened(&site)),
            shape(&opened(&fresh)),
            "{}",
            path.display()
        );
    }
    assert!(found >= 1, "no fixture was found");
}

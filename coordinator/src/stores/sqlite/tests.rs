use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;
use shared::id::{AgentId, CameraId, PlaybackId, SegmentId, SessionId};
use shared::segment::StreamKind;
use shared::time::{TimeRange, WallTime};
use shared::timeline::Reason;
use shared::wire::control::{Action, UploadPolicy};
use tempfile::TempDir;

use super::{FILE, Opening, SqlError, Sqlite, migrate};
use crate::domain::audit::What;
use crate::domain::audit::chain::Verifier;
use crate::domain::group::RoleCode;
use crate::domain::segment::{CentreCopy, EdgeCopy};
use crate::stores::{Store, StoreError};

async fn fresh() -> (Arc<dyn Store>, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    (super::open(directory.path()).await.unwrap(), directory)
}

mod suite {
    crate::stores::suite::store_suite!(super::fresh);
}

fn schema_of(sql: &str) -> Vec<(String, String)> {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(sql).unwrap();
    objects_of(&connection)
}

fn migrated() -> Connection {
    let mut connection = Connection::open_in_memory().unwrap();
    migrate::to_newest(&mut connection).unwrap();
    connection
}

fn schema_of_file(path: &Path) -> Vec<(String, String)> {
    objects_of(&Connection::open(path).unwrap())
}

/// Tables, indexes and their SQL, with white space made equal; a column that was added stands there
/// without any.
fn objects_of(connection: &Connection) -> Vec<(String, String)> {
    let mut objects = connection
        .prepare("select name, sql from sqlite_schema where sql is not null order by name")
        .unwrap();
    let objects = objects.query_map([], |row| {
        let sql: String = row.get(1)?;
        let sql = sql
            .lines()
            .filter(|line| !line.trim_start().starts_with("--"))
            .map(|line| {
                line.replace(',', " , ")
                    .replace('(', " ( ")
                    .replace(')', " ) ")
            })
            .collect::<Vec<_>>()
            .join(" ")
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        Ok((row.get(0)?, sql))
    });
    objects.unwrap().collect::<Result<_, _>>().unwrap()
}

#[test]
fn migrations_build_the_documented_schema() {
    let built = objects_of(&migrated());
    assert!(built.len() > 20);
    assert_eq!(built, schema_of(include_str!("schema.sql")));
}

#[test]
fn a_database_of_a_newer_version_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(FILE);
    let connection = Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 999).unwrap();
    drop(connection);
    let error = Sqlite::open(directory.path(), Opening::Whatever).unwrap_err();
    assert!(
        matches!(error, StoreError::TooNew { found: 999, known } if known as usize == migrate::MIGRATIONS.len()),
        "{error}"
    );
}

#[test]
fn beside_a_coordinator_nothing_is_created_or_migrated() {
    let directory = tempfile::tempdir().unwrap();
    let files = || std::fs::read_dir(directory.path()).unwrap().count();
    Sqlite::open(directory.path(), Opening::Existing).unwrap_err();
    assert_eq!(files(), 0);
    let path = directory.path().join(FILE);
    Connection::open(&path)
        .unwrap()
        .execute_batch("create table t (a); pragma user_version = 0;")
        .unwrap();
    let before = std::fs::read(&path).unwrap();
    let error = Sqlite::open(directory.path(), Opening::Existing).unwrap_err();
    assert!(
        matches!(error, StoreError::TooOld { found: 0, .. }),
        "{error}"
    );
    assert_eq!((files(), std::fs::read(&path).unwrap()), (1, before));
}

#[test]
fn an_unusable_directory_is_a_clear_error() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, b"").unwrap();
    let error = Sqlite::open(&file.join("below"), Opening::Whatever)
        .unwrap_err()
        .to_string();
    assert!(error.contains("create the data directory"), "{error}");
    std::fs::write(directory.path().join(FILE), [7; 4096]).unwrap();
    let error = Sqlite::open(directory.path(), Opening::Whatever)
        .unwrap_err()
        .to_string();
    assert!(error.contains("not a database"), "{error}");
}

fn plan(connection: &Connection, query: &str) -> String {
    let mut plan = connection
        .prepare(&format!("explain query plan {query}"))
        .unwrap();
    let rows = plan.query_map([], |row| row.get::<_, String>(3)).unwrap();
    rows.map(Result::unwrap).collect::<Vec<_>>().join("; ")
}

/// The promise behind each index of `schema.sql`.
#[test]
fn queries_use_the_indexes_made_for_them() {
    let connection = migrated();
    let timeline = plan(
        &connection,
        "select start_us, end_us, edge, centre, solid, number from segments
        where camera_id = x'00' and stream = 0 and start_us > 1 and start_us < 2 and end_us > 1
        and (edge <> 2 or centre <> 0) order by start_us",
    );
    assert!(
        timeline.contains("USING COVERING INDEX segments_by_time"),
        "{timeline}"
    );
    assert!(!timeline.contains("TEMP B-TREE"), "{timeline}");
    let live = plan(
        &connection,
        "select id from segments where (edge <> 2 or centre = 1) and camera_id = x'00'
        and stream = 0 and opened >= 3 order by opened limit 4",
    );
    assert!(live.contains("USING INDEX segments_live"), "{live}");
    let ledger = plan(
        &connection,
        "select start_us, end_us, reason from ledger
        where camera_id = x'00' and stream = 0 and end_us > 1 and start_us < 2",
    );
    assert!(
        ledger.contains("USING COVERING INDEX ledger_by_end"),
        "{ledger}"
    );
    let unfinished = plan(
        &connection,
        "select id from segments where object is not null and centre = 0 order by number desc",
    );
    assert!(unfinished.contains("segments_unfinished"), "{unfinished}");
}

async fn reopen(directory: &Path) -> Arc<dyn Store> {
    super::open(directory).await.unwrap()
}

#[tokio::test]
async fn a_change_that_panics_is_an_error_and_the_next_one_works() {
    let directory = tempfile::tempdir().unwrap();
    let store = Sqlite::open(directory.path(), Opening::Whatever).unwrap();
    let panicked = store
        .write::<()>("try this", |_| panic!("as expected by the test"))
        .await;
    assert!(panicked.unwrap_err().to_string().contains("panicked"));
    let half = store
        .write::<()>("try that", |sql| {
            sql.execute("insert into secrets values ('half', x'00')", [])?;
            Err(SqlError::Damaged("on purpose".to_owned()))
        })
        .await;
    assert!(half.is_err());
    let count = store.write("count", |sql| {
        Ok(sql.query_row("select count(*) from secrets", [], |row| {
            row.get::<_, i64>(0)
        })?)
    });
    assert_eq!(count.await.unwrap(), 0);
}

#[tokio::test]
async fn what_was_written_is_there_after_the_next_start() {
    let directory = tempfile::tempdir().unwrap();
    let store = reopen(directory.path()).await;
    assert_eq!(
        store.secret("key", b"first".to_vec()).await.unwrap(),
        b"first"
    );
    drop(store);
    let store = reopen(directory.path()).await;
    assert_eq!(
        store.secret("key", b"later".to_vec()).await.unwrap(),
        b"first"
    );
}

fn id<T>(byte: u8, read: impl Fn(&[u8]) -> Option<T>) -> T {
    read(&[byte; 16]).unwrap()
}

#[tokio::test]
async fn a_database_of_the_first_version_is_still_understood() {
    understand(include_str!("fixtures/v1.sql"), 1, None).await;
}

#[tokio::test]
async fn a_database_of_the_second_version_is_still_understood() {
    understand(include_str!("fixtures/v2.sql"), 3, Some("Asia/Dubai")).await;
}

/// A database of every released version is opened, migrated, and still tells the same.
async fn understand(fixture: &str, entries: u64, time_zone: Option<&str>) {
    let directory = tempfile::tempdir().unwrap();
    let old = Connection::open(directory.path().join(FILE)).unwrap();
    old.execute_batch(fixture).unwrap();
    drop(old);
    let store = reopen(directory.path()).await;
    let agent = store
        .agent(id(2, AgentId::from_slice))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (agent.name.as_str(), agent.site_name.as_str()),
        ("harbour-1", "Harbour Road")
    );
    let greeting = agent.greeting.unwrap();
    assert_eq!(greeting.version, "0.1.0");
    assert_eq!(greeting.time_zone.as_deref(), time_zone);
    let uplink = agent.status.unwrap().heartbeat.uplink;
    assert_eq!(
        (uplink.upload_backlog, uplink.clock_offset_us),
        (2, Some(-3))
    );
    let camera = store
        .camera(id(8, CameraId::from_slice))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (camera.title(), camera.agency.as_str()),
        ("البوابة", "METRO")
    );
    assert_eq!(camera.settings.upload, Some(UploadPolicy::OnDemand));
    assert_eq!(
        store.invites().await.unwrap()[0]
            .used
            .as_ref()
            .unwrap()
            .agent,
        agent.id
    );
    let command = store.pending_command(agent.id).await.unwrap().unwrap();
    assert!(matches!(
        command.action,
        Action::Configure { revision: 3, .. }
    ));
    let range = TimeRange::new(WallTime::from_secs(0), WallTime::from_secs(60)).unwrap();
    let facts = store
        .facts(camera.id, StreamKind::Main, range)
        .await
        .unwrap();
    let copies: Vec<_> = facts
        .pieces
        .iter()
        .map(|piece| (piece.edge, piece.centre))
        .collect();
    assert_eq!(
        copies,
        [
            (EdgeCopy::Present, CentreCopy::Stored),
            (EdgeCopy::Growing, CentreCopy::Absent)
        ]
    );
    assert_eq!(facts.missing[0].1, Reason::CameraStalled);
    assert_eq!(facts.reported_until, Some(WallTime::from_secs(5)));
    for segment in [10, 15] {
        let segment = id(segment, SegmentId::from_slice);
        let fragments = store.fragments(segment).await.unwrap();
        assert_eq!(fragments.len(), 2);
        assert_eq!((fragments[1].offset, fragments[1].length), (1_500, 100));
        let known = store.segment(segment).await.unwrap().unwrap();
        assert_eq!(known.head.tracks[0].codec, "avc1.4d401f");
    }
    assert_eq!(
        store
            .footage(camera.id, StreamKind::Main, range)
            .await
            .unwrap()
            .len(),
        2
    );
    assert_eq!(store.stored_totals().await.unwrap(), (1, 1_600));
    assert_eq!(store.set_aside().await.unwrap(), 1);
    let (session, _) = store
        .session(id(20, SessionId::from_slice))
        .await
        .unwrap()
        .unwrap();
    let person = store.person(session.user).await.unwrap().unwrap();
    assert!(person.user.roles.contains(&RoleCode::operator()));
    let rules: Vec<_> = person.rules.iter().map(ToString::to_string).collect();
    assert_eq!(rules, ["camera:own:view", "camera:own:playback"]);
    let playback = store
        .playback(id(22, PlaybackId::from_slice))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((playback.session, playback.camera), (session.id, camera.id));
    assert_eq!(
        store.secret("playback_links", Vec::new()).await.unwrap(),
        [23; 32]
    );
    assert_chained(&*store, entries).await;
    drop(store);
    let newest = schema_of_file(&directory.path().join(FILE));
    assert_eq!(newest, schema_of(include_str!("schema.sql")));
}

/// The entries of old are in the chain as they were, followed by one that says so.
async fn assert_chained(store: &dyn Store, entries: u64) {
    let records = store.audit_records(0, 10).await.unwrap();
    assert_eq!(records.len() as u64, entries + 1);
    let mut verifier = Verifier::new(Vec::new());
    for record in &records {
        verifier.next(record).unwrap();
    }
    assert_eq!(verifier.end().unwrap(), store.audit_head().await.unwrap());
    let first = &records[0];
    assert_eq!(
        (&*first.who, &*first.what),
        (&b"user"[..], &b"signed_in"[..])
    );
    assert_eq!(first.who_id.as_deref(), Some(&[19; 16][..]));
    assert_eq!(first.address.as_deref(), Some(&b"192.0.2.1"[..]));
    let note = records.last().unwrap();
    assert_eq!(note.what, What::AuditChained.name().as_bytes());
    let details = serde_json::json!({ "entries": entries }).to_string();
    assert_eq!(note.details, Some(details.into_bytes()));
}

/// The index that a search by any one thing goes by.
#[test]
fn searches_of_the_audit_have_their_indexes() {
    let connection = migrated();
    for (filter, index) in [
        ("1", "audit_by_time"),
        ("who_id = x'00'", "audit_by_who"),
        ("what = ''", "audit_by_what"),
        ("agency = ''", "audit_by_agency"),
        ("object = ''", "audit_by_object"),
        ("address = ''", "audit_by_address"),
    ] {
        let query = format!(
            "select what from audit where at_us >= 1 and at_us < 2 and {filter}
            order by at_us desc, number desc limit 4"
        );
        let plan = plan(&connection, &query);
        assert!(plan.contains(index), "{filter}: {plan}");
        assert!(!plan.contains("TEMP B-TREE"), "{filter}: {plan}");
    }
}

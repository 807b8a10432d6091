use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;
use tempfile::TempDir;

use super::{FILE, Opening, SqlError, Sqlite, migrate};
use crate::stores::{Store, StoreError};

async fn fresh() -> (Arc<dyn Store>, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    (super::open(directory.path()).await.unwrap(), directory)
}

mod upgrades;

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

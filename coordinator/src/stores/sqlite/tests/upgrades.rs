//! A database of every released version is opened, migrated, and still tells the same; in the end it
//! has the schema of a new one.

use rusqlite::Connection;
use shared::hash::Sha256;
use shared::id::{AgentId, CameraId, GroupId, PlaybackId, SegmentId, SessionId, UserId};
use shared::segment::StreamKind;
use shared::time::{TimeRange, WallTime};
use shared::timeline::Reason;
use shared::wire::control::{Action, UploadPolicy};

use super::super::FILE;
use super::{objects_of, reopen, schema_of};
use crate::domain::audit::What;
use crate::domain::audit::chain::Verifier;
use crate::domain::group::RoleCode;
use crate::domain::segment::{CentreCopy, EdgeCopy};
use crate::domain::user::{Language, SessionKind, Status};
use crate::stores::Store;

fn id<T>(byte: u8, read: impl Fn(&[u8]) -> Option<T>) -> T {
    read(&[byte; 16]).unwrap()
}

/// What a fixture holds that those before it do not.
#[derive(Clone, Copy)]
struct Fixture {
    sql: &'static str,
    version: u32,
    /// Entries of the audit from before there was a chain, and those after the one that says so.
    unchained: u64,
    chained: u64,
}

#[tokio::test]
async fn a_database_of_the_first_version_is_still_understood() {
    understand(Fixture {
        sql: include_str!("../fixtures/v1.sql"),
        version: 1,
        unchained: 1,
        chained: 0,
    })
    .await;
}

#[tokio::test]
async fn a_database_of_the_second_version_is_still_understood() {
    understand(Fixture {
        sql: include_str!("../fixtures/v2.sql"),
        version: 2,
        unchained: 3,
        chained: 0,
    })
    .await;
}

#[tokio::test]
async fn a_database_of_the_third_version_is_still_understood() {
    understand(Fixture {
        sql: include_str!("../fixtures/v3.sql"),
        version: 3,
        unchained: 3,
        chained: 2,
    })
    .await;
}

#[tokio::test]
async fn a_database_of_the_fourth_version_is_still_understood() {
    understand(Fixture {
        sql: include_str!("../fixtures/v4.sql"),
        version: 4,
        unchained: 3,
        chained: 3,
    })
    .await;
}

#[tokio::test]
async fn a_database_of_the_fifth_version_is_still_understood() {
    understand(Fixture {
        sql: include_str!("../fixtures/v5.sql"),
        version: 5,
        unchained: 3,
        chained: 3,
    })
    .await;
}

#[tokio::test]
async fn a_database_of_the_sixth_version_is_still_understood() {
    understand(Fixture {
        sql: include_str!("../fixtures/v6.sql"),
        version: 6,
        unchained: 3,
        chained: 3,
    })
    .await;
}

#[tokio::test]
async fn a_database_of_the_seventh_version_is_still_understood() {
    understand(Fixture {
        sql: include_str!("../fixtures/v7.sql"),
        version: 7,
        unchained: 3,
        chained: 3,
    })
    .await;
}

async fn understand(fixture: Fixture) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(FILE);
    let old = Connection::open(&path).unwrap();
    old.execute_batch(fixture.sql).unwrap();
    assert_every_table_has_rows(&old);
    drop(old);
    let store = reopen(directory.path()).await;
    footage_stands(&*store, fixture.version).await;
    audit_is_chained(&*store, fixture).await;
    if fixture.version >= 3 {
        witnesses_stand(&*store).await;
    }
    people_stand(&*store, fixture.version).await;
    if fixture.version >= 5 {
        credentials_stand(&*store).await;
    }
    if fixture.version >= 6 {
        let layla = id(0x13, UserId::from_slice);
        let identities = store.identities_of(layla).await.unwrap();
        assert_eq!(identities[0].0.subject(), "layla-at-sso");
        let outside = store.session(id(0x1E, SessionId::from_slice)).await;
        let (session, _) = outside.unwrap().unwrap();
        assert!(
            matches!(session.kind, SessionKind::Outside { issuer, .. } if issuer == "https://sso.example")
        );
    }
    if fixture.version >= 7 {
        let layla = id(0x13, UserId::from_slice);
        let language = store.language(layla).await.unwrap();
        assert_eq!(language, Some(Language::Ar));
    }
    drop(store);
    let newest = Connection::open(&path).unwrap();
    let schema = schema_of(include_str!("../schema.sql"));
    assert_eq!(objects_of(&newest), schema);
    let broken = |pragma: &str| {
        let mut check = newest.prepare(pragma).unwrap();
        let rows = check.query_map([], |row| row.get::<_, String>(0)).unwrap();
        rows.map(Result::unwrap).collect::<Vec<_>>()
    };
    assert_eq!(broken("pragma integrity_check"), ["ok"]);
    assert!(broken("pragma foreign_key_check").is_empty());
}

/// A migration that loses rows of a table would pass unseen otherwise.
fn assert_every_table_has_rows(connection: &Connection) {
    let mut tables = connection
        .prepare("select name from sqlite_schema where type = 'table'")
        .unwrap();
    let tables = tables.query_map([], |row| row.get::<_, String>(0)).unwrap();
    for table in tables.map(Result::unwrap) {
        let rows = format!("select count(*) from {table}");
        let rows = connection.query_row(&rows, [], |row| row.get::<_, u32>(0));
        assert_ne!(rows.unwrap(), 0, "{table}");
    }
}

async fn footage_stands(store: &dyn Store, version: u32) {
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
    let time_zone = (version >= 2).then_some("Asia/Dubai");
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
}

async fn people_stand(store: &dyn Store, version: u32) {
    let (session, _) = store
        .session(id(20, SessionId::from_slice))
        .await
        .unwrap()
        .unwrap();
    let playback = store
        .playback(id(22, PlaybackId::from_slice))
        .await
        .unwrap()
        .unwrap();
    let camera = id(8, CameraId::from_slice);
    assert_eq!((playback.session, playback.camera), (session.id, camera));
    assert_eq!(
        store.secret("playback_links", Vec::new()).await.unwrap(),
        [23; 32]
    );
    let layla = store.person(session.user).await.unwrap().unwrap();
    let mut rules: Vec<_> = layla.rules.iter().map(ToString::to_string).collect();
    rules.sort();
    let user = layla.user;
    assert_eq!(
        (user.login.as_str(), user.status),
        ("layla", Status::Active)
    );
    assert!(user.roles.contains(&RoleCode::operator()));
    let directory = store.directory().await.unwrap();
    let metro = directory.agencies.get(user.agency.as_ref().unwrap());
    if version < 4 {
        assert_eq!(rules, ["camera:own:playback", "camera:own:view"]);
        assert_eq!((user.revision, directory.users.len()), (1, 1));
        assert_eq!(metro.unwrap().name.en.as_str(), "Dubai Metro");
        return;
    }
    let own = "!camera:08080808-0808-0808-0808-080808080808:playback";
    let (group, role) = ("camera:METRO:ptz", ["!camera:own:export", "camera:own:*"]);
    let operator = ["camera:own:playback", "camera:own:view"];
    let expected = [own, role[0], group, role[1], operator[0], operator[1]];
    assert_eq!(rules, expected);
    let texts = [
        user.arabic_name.map(String::from),
        user.email.map(String::from),
        user.employee_number.map(String::from),
        user.department.map(String::from),
        user.section.map(String::from),
    ];
    let texts = texts.map(Option::unwrap);
    let expected = [
        "ليلى حسن",
        "layla@metro.example",
        "4711",
        "Operations",
        "Red line",
    ];
    assert_eq!(texts, expected);
    let night = &directory.groups[&id(25, GroupId::from_slice)];
    assert_eq!((night.name.en.as_str(), night.revision), ("Night shift", 3));
    assert!(user.groups.contains(&night.id));
    assert_eq!(
        directory.users[&id(26, UserId::from_slice)].status,
        Status::Disabled
    );
    assert_eq!(metro.unwrap().name.en.as_str(), "Metro");
    assert_eq!(directory.revision, 7);
}

/// The entries of old are in the chain as they were, followed by one that says so and by those that
/// were chained from the beginning.
async fn audit_is_chained(store: &dyn Store, fixture: Fixture) {
    let records = store.audit_records(0, 10).await.unwrap();
    assert_eq!(
        records.len() as u64,
        fixture.unchained + 1 + fixture.chained
    );
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
    let note = &records[fixture.unchained as usize];
    assert_eq!(note.what, What::AuditChained.name().as_bytes());
    let details = serde_json::json!({ "entries": fixture.unchained }).to_string();
    assert_eq!(note.details, Some(details.into_bytes()));
    let seen = records.get(4).filter(|_| fixture.chained > 0);
    let agency = seen.and_then(|record| record.agency.as_deref());
    assert_eq!(agency, (fixture.chained > 0).then_some(&b"METRO"[..]));
}

async fn witnesses_stand(store: &dyn Store) {
    let witnesses = store.audit_witnesses().await.unwrap();
    assert_eq!((witnesses.len(), witnesses[0].head.number), (1, 5));
    let disputes = store.audit_disputes().await.unwrap();
    assert_eq!((disputes.len(), disputes[0].head.number), (1, 9));
    assert!(disputes[0].explained_at.is_some());
}

async fn credentials_stand(store: &dyn Store) {
    let layla = id(19, UserId::from_slice);
    let at = WallTime::from_secs(1_800_000_100);
    let token = |byte| Sha256::from_slice(&[byte; 32]).unwrap();
    let begun = store.begun_sign_in(token(2), at);
    assert_eq!(begun.await.unwrap(), Some(layla));
    let factor = store.second_factor(layla).await.unwrap().unwrap();
    assert_eq!((factor.secret, factor.confirmed), ([3; 20], true));
    assert_eq!(factor.last_step, Some(60_000_003));
    assert_eq!(store.recovery_codes_left(layla).await.unwrap(), 2);
    assert_eq!(store.places(layla).await.unwrap().len(), 1);
    let client = id(27, SessionId::from_slice);
    let (session, _) = store.session(client).await.unwrap().unwrap();
    assert_eq!(session.kind, SessionKind::Client);
    assert_eq!(session.origin.user_agent(), Some("wall/1.0"));
    let family = store.family(client).await.unwrap().unwrap();
    assert_eq!(family.newest, token(7));
    assert_eq!(family.previous.unwrap().0, token(8));
    let tokens = store.api_tokens(Some(layla)).await.unwrap();
    assert_eq!((tokens.len(), tokens[0].name.as_str()), (1, "export"));
    assert!(
        matches!(&tokens[0].session.kind, SessionKind::Machine { scopes, .. } if *scopes == ["camera:METRO:view"])
    );
    let keys = store.signing_keys().await.unwrap();
    assert_eq!(keys.len(), 1);
    assert_eq!(keys[0].dates.kid, "2027-01-15-a");
    let seen = store.has_seen("message-1".to_owned());
    assert!(seen.await.unwrap());
    // One session had ended, and the directory was at its seventh revision.
    assert_eq!(store.access_revision().await.unwrap(), 8);
}

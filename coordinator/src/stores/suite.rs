//! What every back end of [`Store`] must do. A back end calls [`store_suite!`] with a way to open a
//! fresh, empty store.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use shared::hash::Sha256;
use shared::id::{
    AgentId, BootId, CameraId, CommandId, InviteId, LedgerId, PlaybackId, SegmentId, SessionId,
    SiteId, UserId,
};
use shared::segment::{SegmentMeta, StreamKind};
use shared::testing::{Segment as Built, SegmentBuilder};
use shared::time::{TimeRange, WallTime};
use shared::timeline::{LedgerEntry, Reason};
use shared::wire::control::{
    Action, BufferStatus, CameraInfo, CommandOutcome, Heartbeat, RecordingMode, UplinkStatus,
};
use shared::wire::segment::{Growth, Watermark};

use super::{
    Applied, CameraChanged, Change, Enrolled, Enrolment, NewInvite, NewUpload, Numbered, Piece,
    Store, UploadBegun,
};
use crate::domain::access::Role;
use crate::domain::agent::{AgentStatus, Greeting};
use crate::domain::audit::{Entry, What, Who};
use crate::domain::camera::{CameraChange, CameraSettings};
use crate::domain::playback::{Playback, Show};
use crate::domain::segment::{CentreCopy, EdgeCopy, MAX_SPAN};
use crate::domain::user::{Login, Session, User};

/// Every test of the suite as a test of its own.
macro_rules! store_suite {
    ($open:path) => {
        $crate::stores::suite::store_suite!($open:
            an_invitation_enrols_one_agent,
            a_key_that_enrols_again_stays_the_same_agent,
            cameras_belong_to_the_agent_that_named_them_first,
            settings_reach_the_agent_under_one_id_until_it_answers,
            a_status_is_replaced_and_read_back,
            a_closed_segment_is_read_back_whole,
            repeating_a_report_changes_nothing,
            a_segment_grows_and_closes,
            growth_that_does_not_connect_is_ignored,
            growth_of_a_closed_segment_is_ignored,
            what_belongs_to_another_agent_is_set_aside,
            a_failing_change_takes_no_other_along,
            a_deleted_segment_does_not_come_back,
            the_ledger_entry_of_an_outage_grows,
            facts_are_those_of_the_range,
            a_segment_with_holes_covers_only_its_fragments,
            footage_is_what_can_be_played,
            the_live_edge_follows_the_order_of_opening,
            one_coordinator_at_a_time_receives_an_upload,
            stored_means_stored_with_that_root,
            a_lost_object_can_be_uploaded_again,
            stored_segments_are_listed_page_by_page,
            logins_are_unique_and_passwords_end_sessions,
            the_first_user_is_created_once,
            sessions_end_with_everything_on_them,
            a_live_playlist_is_saved_by_the_fastest,
            the_first_candidate_becomes_the_secret,
            changes_and_their_audit_are_one,
        );
    };
    ($open:path: $($test:ident,)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $test() {
            let (store, _keep) = $open().await;
            $crate::stores::suite::$test(store).await;
        }
    )*};
}
pub(crate) use store_suite;

/// What a test gets.
type Under = Arc<dyn Store>;

const NOW: WallTime = WallTime::from_secs(1_800_000_000);

const fn after(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn entry() -> Entry {
    Entry::new(NOW, Who::System, What::UserChanged)
}

fn invite(site: &str, secret: &[u8]) -> NewInvite {
    NewInvite {
        id: InviteId::new(NOW),
        site_name: site.to_owned(),
        new_site: SiteId::new(NOW),
        agent_name: None,
        secret: Sha256::of(secret),
        created_at: NOW,
        created_by: None,
        expires_at: NOW + after(3600),
    }
}

fn enrolment(invite: InviteId, key: u8) -> Enrolment {
    Enrolment {
        invite,
        agent: AgentId::new(NOW),
        name: format!("agent {key}"),
        public_key: [key; 32],
        certificate: Sha256::of(&[key]),
        at: NOW,
    }
}

/// An agent enrolled at a site of its own.
pub(crate) async fn agent(store: &dyn Store, key: u8) -> AgentId {
    let invite = invite(&format!("site {key}"), &[key]);
    let invite = store.create_invite(invite, entry()).await.unwrap();
    let enrolment = enrolment(invite.id, key);
    assert_eq!(
        store.enrol(enrolment.clone(), entry()).await.unwrap(),
        Enrolled::Yes
    );
    enrolment.agent
}

fn camera_info(id: CameraId, name: &str) -> CameraInfo {
    CameraInfo {
        id,
        name: name.to_owned(),
        streams: vec![StreamKind::Main, StreamKind::Sub],
        recording: true,
        since: NOW,
    }
}

async fn apply(store: &dyn Store, agent: AgentId, changes: Vec<Change>) -> Applied {
    let numbered = (1..).zip(changes).map(|(seq, change)| Numbered {
        seq: Some(seq),
        change,
    });
    let numbered: Vec<_> = numbered.collect();
    let through = numbered.last().and_then(|last| last.seq);
    store.apply(agent, numbered, through, NOW).await.unwrap()
}

fn closed(built: &Built) -> Change {
    Change::Closed(Box::new(built.meta.clone()))
}

fn grown(meta: &SegmentMeta, first: usize, count: usize) -> Change {
    Change::Grown(Growth {
        head: meta.head.clone(),
        first: u32::try_from(first).unwrap(),
        fragments: meta.fragments[first..first + count].to_vec(),
    })
}

fn around(start: WallTime, seconds: u64) -> TimeRange {
    TimeRange::starting_at(start - after(seconds), after(2 * seconds))
}

pub(crate) async fn an_invitation_enrols_one_agent(store: Under) {
    let invite = store
        .create_invite(invite("Depot", b"s"), entry())
        .await
        .unwrap();
    assert_eq!(
        store.invite_by_secret(Sha256::of(b"s")).await.unwrap(),
        Some(invite.clone())
    );
    assert_eq!(
        store.invite_by_secret(Sha256::of(b"x")).await.unwrap(),
        None
    );
    let first = enrolment(invite.id, 1);
    assert_eq!(
        store.enrol(first.clone(), entry()).await.unwrap(),
        Enrolled::Yes
    );
    // The answer was lost: the same agent with the same key, another certificate.
    let again = Enrolment {
        certificate: Sha256::of(b"again"),
        ..first.clone()
    };
    assert_eq!(store.enrol(again, entry()).await.unwrap(), Enrolled::Yes);
    assert_eq!(
        store.enrol(enrolment(invite.id, 2), entry()).await.unwrap(),
        Enrolled::No
    );
    let agent = store.agent(first.agent).await.unwrap().unwrap();
    assert_eq!(agent.site_name, "Depot");
    assert_eq!(agent.certificate, Sha256::of(b"again"));
    assert_eq!((agent.greeting, agent.status), (None, None));
    assert_eq!(store.agents().await.unwrap().len(), 1);
    let used = store.invites().await.unwrap().remove(0).used.unwrap();
    assert_eq!((used.agent, used.public_key), (first.agent, [1; 32]));
    let second = super::suite::invite("Depot", b"t");
    let second = store.create_invite(second, entry()).await.unwrap();
    assert_eq!(second.site, invite.site);
    let sites = store.sites().await.unwrap();
    assert_eq!(sites.len(), 1);
    assert_eq!(sites[0].1, 1);
}

pub(crate) async fn a_key_that_enrols_again_stays_the_same_agent(store: Under) {
    let id = agent(&*store, 1).await;
    assert!(store.revoke(id, NOW, entry()).await.unwrap());
    assert!(store.agent(id).await.unwrap().unwrap().revoked_at.is_some());
    assert!(!store.revoke(AgentId::new(NOW), NOW, entry()).await.unwrap());
    let invite = invite("Elsewhere", b"new");
    let invite = store.create_invite(invite, entry()).await.unwrap();
    // A new id for a key that has one is refused, the old id is taken back.
    let stranger = enrolment(invite.id, 1);
    assert_eq!(
        store.enrol(stranger.clone(), entry()).await.unwrap(),
        Enrolled::No
    );
    let known = store.agent_by_key([1; 32]).await.unwrap().unwrap();
    assert_eq!(known.id, id);
    let back = Enrolment {
        agent: id,
        ..stranger
    };
    assert_eq!(store.enrol(back, entry()).await.unwrap(), Enrolled::Yes);
    let agent = store.agent(id).await.unwrap().unwrap();
    assert_eq!(
        (agent.revoked_at, agent.site_name.as_str()),
        (None, "Elsewhere")
    );
}

pub(crate) async fn cameras_belong_to_the_agent_that_named_them_first(store: Under) {
    let (one, two) = (agent(&*store, 1).await, agent(&*store, 2).await);
    let (gate, yard) = (CameraId::new(NOW), CameraId::new(NOW));
    let told = vec![camera_info(gate, "gate"), camera_info(yard, "yard")];
    assert_eq!(store.tell_cameras(one, told).await.unwrap(), []);
    let stolen = vec![camera_info(gate, "mine")];
    assert_eq!(store.tell_cameras(two, stolen).await.unwrap(), [gate]);
    let renamed = vec![camera_info(gate, "main gate")];
    assert_eq!(store.tell_cameras(one, renamed).await.unwrap(), []);
    let cameras = store.cameras().await.unwrap();
    let seen: Vec<_> = cameras
        .iter()
        .map(|camera| (camera.title(), camera.agent, camera.present))
        .collect();
    assert_eq!(seen, [("main gate", one, true), ("yard", one, false)]);
    let gate = store.camera(gate).await.unwrap().unwrap();
    assert_eq!(gate.agency.as_str(), "OTHER");
    assert_eq!(gate.streams, [StreamKind::Main, StreamKind::Sub]);
    assert_eq!(gate.settings, CameraSettings::default());
    assert_eq!(store.camera(CameraId::new(NOW)).await.unwrap(), None);
}

pub(crate) async fn settings_reach_the_agent_under_one_id_until_it_answers(store: Under) {
    let agent = agent(&*store, 1).await;
    let (gate, yard) = (CameraId::new(NOW), CameraId::new(NOW));
    let told = vec![camera_info(gate, "gate"), camera_info(yard, "yard")];
    store.tell_cameras(agent, told).await.unwrap();
    let change = |camera, change| {
        let store = Arc::clone(&store);
        async move {
            let id = CommandId::new(NOW);
            let changed = store.change_camera(camera, change, id, NOW, entry());
            (id, changed.await.unwrap())
        }
    };
    let named = CameraChange {
        display_name: Some("Gate 3".to_owned()),
        agency: Some("METRO".parse().unwrap()),
        ..CameraChange::default()
    };
    let (_, changed) = change(gate, named).await;
    let CameraChanged::Yes(camera, None) = changed else {
        panic!("{changed:?}");
    };
    assert_eq!(
        (camera.title(), camera.agency.as_str()),
        ("Gate 3", "METRO")
    );
    assert_eq!(store.pending_command(agent).await.unwrap(), None);
    let off = |mode| CameraChange {
        recording: Some(mode),
        ..CameraChange::default()
    };
    change(gate, off(RecordingMode::Off)).await;
    let (id, changed) = change(yard, off(RecordingMode::Event)).await;
    let CameraChanged::Yes(_, Some(command)) = changed else {
        panic!("{changed:?}");
    };
    let Action::Configure {
        revision: 2,
        policies,
    } = &command.action
    else {
        panic!("{command:?}");
    };
    let modes: Vec<_> = policies.iter().map(|policy| policy.recording).collect();
    assert_eq!(modes.len(), 2);
    assert!(
        modes.contains(&Some(RecordingMode::Off)) && modes.contains(&Some(RecordingMode::Event))
    );
    assert_eq!(command.id, id);
    assert_eq!(store.pending_command(agent).await.unwrap(), Some(command));
    let done = CommandOutcome::Done { report: None };
    let stale = CommandId::new(NOW);
    store
        .finish_command(agent, stale, done.clone(), NOW)
        .await
        .unwrap();
    assert!(store.pending_command(agent).await.unwrap().is_some());
    store.finish_command(agent, id, done, NOW).await.unwrap();
    assert_eq!(store.pending_command(agent).await.unwrap(), None);
    let nowhere = CameraChange {
        agency: Some("NOBODY".parse().unwrap()),
        ..CameraChange::default()
    };
    assert!(matches!(
        change(gate, nowhere).await.1,
        CameraChanged::NoAgency(_)
    ));
    let unknown = change(CameraId::new(NOW), CameraChange::default()).await;
    assert_eq!(unknown.1, CameraChanged::NoCamera);
    let codes: Vec<_> = store
        .agencies()
        .await
        .unwrap()
        .into_iter()
        .map(|agency| agency.code.to_string())
        .collect();
    assert_eq!(codes, ["BUS", "DUBAI_POLICE", "METRO", "OTHER"]);
}

pub(crate) async fn a_status_is_replaced_and_read_back(store: Under) {
    let id = agent(&*store, 1).await;
    let greeting = Greeting {
        boot: BootId::new(NOW),
        version: "0.1.0".into(),
        host: "Debian 12".into(),
        at: NOW,
    };
    store.greet(id, greeting.clone()).await.unwrap();
    let status = |seconds| AgentStatus {
        received_at: NOW + after(seconds),
        heartbeat: Heartbeat {
            now: NOW,
            streams: Vec::new(),
            buffer: BufferStatus {
                total_bytes: u64::MAX,
                ..BufferStatus::default()
            },
            uplink: UplinkStatus::default(),
        },
    };
    store.save_status(id, status(1)).await.unwrap();
    store.save_status(id, status(2)).await.unwrap();
    let agent = store.agent(id).await.unwrap().unwrap();
    assert_eq!(agent.status, Some(status(2)));
    assert_eq!(agent.greeting, Some(greeting));
}

pub(crate) async fn a_closed_segment_is_read_back_whole(store: Under) {
    let agent = agent(&*store, 1).await;
    let built = SegmentBuilder::new(NOW).build();
    apply(&*store, agent, vec![closed(&built)]).await;
    let segment = store.segment(built.meta.head.id).await.unwrap().unwrap();
    assert_eq!(segment.head, built.meta.head);
    assert_eq!(segment.root, Some(built.meta.root));
    assert_eq!((segment.agent, segment.size), (agent, built.meta.size));
    assert_eq!(Some(segment.range), built.meta.wall_range());
    assert_eq!(
        (segment.edge, segment.centre),
        (EdgeCopy::Present, CentreCopy::Absent)
    );
    assert_eq!(
        store.fragments(built.meta.head.id).await.unwrap(),
        built.meta.fragments
    );
    assert_eq!(store.segment(SegmentId::new(NOW)).await.unwrap(), None);
    assert_eq!(store.fragments(SegmentId::new(NOW)).await.unwrap(), []);
    let camera = store.camera(built.meta.head.camera).await.unwrap().unwrap();
    assert_eq!(camera.agent, agent);
}

pub(crate) async fn repeating_a_report_changes_nothing(store: Under) {
    let agent = agent(&*store, 1).await;
    let first = SegmentBuilder::new(NOW);
    let (one, two) = (first.build(), first.next().build());
    let camera = one.meta.head.camera;
    let gap = LedgerEntry {
        id: LedgerId::new(NOW),
        camera,
        stream: StreamKind::Main,
        range: TimeRange::starting_at(NOW + after(60), after(5)),
        reason: Reason::CameraStalled,
        detail: Some("no picture for 5 s".into()),
    };
    let report = vec![
        grown(&one.meta, 0, 3),
        closed(&one),
        Change::Gap(gap),
        closed(&two),
        Change::Watermark(Watermark {
            camera,
            stream: StreamKind::Main,
            reported_until: NOW + after(65),
        }),
    ];
    let facts = || {
        let store = Arc::clone(&store);
        async move {
            let range = around(NOW, 3_000);
            store.facts(camera, StreamKind::Main, range).await.unwrap()
        }
    };
    apply(&*store, agent, report.clone()).await;
    let once = facts().await;
    assert_eq!((once.pieces.len(), once.missing.len()), (2, 1));
    for _ in 0..3 {
        assert_eq!(
            apply(&*store, agent, report.clone()).await,
            Applied::default()
        );
    }
    assert_eq!(facts().await, once);
    assert_eq!(store.set_aside().await.unwrap(), 0);
    let fragments = store.fragments(one.meta.head.id).await.unwrap();
    assert_eq!(fragments, one.meta.fragments);
}

pub(crate) async fn a_segment_grows_and_closes(store: Under) {
    let agent = agent(&*store, 1).await;
    let built = SegmentBuilder::new(NOW).build();
    let (id, meta) = (built.meta.head.id, &built.meta);
    apply(&*store, agent, vec![grown(meta, 0, 2)]).await;
    // A reconnection tells everything since the opening once more.
    apply(&*store, agent, vec![grown(meta, 0, 3), grown(meta, 3, 1)]).await;
    let segment = store.segment(id).await.unwrap().unwrap();
    assert_eq!((segment.edge, segment.root), (EdgeCopy::Growing, None));
    assert_eq!(segment.size, meta.fragments[3].end_offset());
    assert_eq!(segment.range.end(), meta.fragments[3].wall_range().end());
    assert_eq!(store.fragments(id).await.unwrap(), meta.fragments[..4]);
    let whole = around(NOW, 60);
    let facts = store.facts(meta.head.camera, StreamKind::Main, whole);
    assert_eq!(
        facts.await.unwrap().pieces,
        [Piece {
            range: segment.range,
            edge: EdgeCopy::Growing,
            centre: CentreCopy::Absent
        }]
    );
    apply(&*store, agent, vec![closed(&built)]).await;
    let segment = store.segment(id).await.unwrap().unwrap();
    assert_eq!(
        (segment.edge, segment.root),
        (EdgeCopy::Present, Some(meta.root))
    );
    assert_eq!(store.fragments(id).await.unwrap(), meta.fragments);
    // One that turned out to hold nothing disappears; a closed one cannot.
    let next = SegmentBuilder::new(NOW).next().build();
    let discarded = |built: &Built| Change::Discarded {
        segment: built.meta.head.id,
    };
    let changes = vec![grown(&next.meta, 0, 1), discarded(&next), discarded(&built)];
    apply(&*store, agent, changes).await;
    assert_eq!(store.segment(next.meta.head.id).await.unwrap(), None);
    assert!(store.segment(id).await.unwrap().is_some());
}

pub(crate) async fn growth_that_does_not_connect_is_ignored(store: Under) {
    let agent = agent(&*store, 1).await;
    let built = SegmentBuilder::new(NOW).build();
    let id = built.meta.head.id;
    let applied = apply(&*store, agent, vec![grown(&built.meta, 2, 1)]).await;
    assert_eq!(applied.unconnected, [id]);
    assert_eq!(store.segment(id).await.unwrap(), None);
    apply(&*store, agent, vec![grown(&built.meta, 0, 1)]).await;
    let applied = apply(&*store, agent, vec![grown(&built.meta, 3, 1)]).await;
    assert_eq!(applied.unconnected, [id]);
    let mut wrong = built.meta.clone();
    wrong.fragments[1].offset += 1;
    let applied = apply(&*store, agent, vec![grown(&wrong, 0, 2)]).await;
    assert_eq!(applied.unconnected, [id]);
    let mut long = built.meta.clone();
    long.fragments[1].wall_start = NOW + MAX_SPAN;
    let applied = apply(&*store, agent, vec![grown(&long, 0, 2)]).await;
    assert_eq!(applied.unconnected, [id]);
    assert_eq!(
        store.fragments(id).await.unwrap(),
        built.meta.fragments[..1]
    );
}

pub(crate) async fn growth_of_a_closed_segment_is_ignored(store: Under) {
    let agent = agent(&*store, 1).await;
    let built = SegmentBuilder::new(NOW).build();
    apply(
        &*store,
        agent,
        vec![closed(&built), grown(&built.meta, 0, 2)],
    )
    .await;
    let segment = store.segment(built.meta.head.id).await.unwrap().unwrap();
    assert_eq!(
        (segment.edge, segment.size),
        (EdgeCopy::Present, built.meta.size)
    );
}

pub(crate) async fn what_belongs_to_another_agent_is_set_aside(store: Under) {
    let (one, two) = (agent(&*store, 1).await, agent(&*store, 2).await);
    let first = SegmentBuilder::new(NOW);
    let built = first.build();
    let gap = LedgerEntry {
        id: LedgerId::new(NOW),
        camera: first.camera,
        stream: StreamKind::Main,
        range: TimeRange::starting_at(NOW, after(1)),
        reason: Reason::HostDown,
        detail: None,
    };
    apply(&*store, one, vec![closed(&built), Change::Gap(gap.clone())]).await;
    let before = store
        .facts(first.camera, StreamKind::Main, around(NOW, 60))
        .await
        .unwrap();
    // The other agent's own camera, but a segment and an entry of the first one's.
    let mut stolen = built.clone();
    stolen.meta.head.camera = CameraId::new(NOW);
    let moved = LedgerEntry {
        camera: CameraId::new(NOW),
        ..gap.clone()
    };
    let changes = vec![
        closed(&first.next().build()),
        closed(&stolen),
        Change::Gap(gap),
        Change::Gap(moved),
        Change::Evicted {
            segment: built.meta.head.id,
            at: NOW,
        },
        Change::Discarded {
            segment: built.meta.head.id,
        },
        grown(&first.next().build().meta, 0, 1),
        Change::Watermark(Watermark {
            camera: first.camera,
            stream: StreamKind::Main,
            reported_until: NOW + after(1_000),
        }),
        Change::SetAside {
            reason: "the signature is not the agent's".into(),
            body: json!({}),
        },
    ];
    let applied = apply(&*store, two, changes).await;
    assert_eq!(applied.foreign, [0, 1, 2, 3, 4, 5, 6, 7]);
    // News (growth, watermark) is not kept; records are, and the one the service refused.
    assert_eq!(store.set_aside().await.unwrap(), 7);
    let after = store
        .facts(first.camera, StreamKind::Main, around(NOW, 60))
        .await
        .unwrap();
    assert_eq!(after, before);
}

pub(crate) async fn a_failing_change_takes_no_other_along(store: Under) {
    let id = agent(&*store, 1).await;
    let built = SegmentBuilder::new(NOW).build();
    let unknown = AgentId::new(NOW);
    let failing = (0..8).map(|_| {
        let (store, built) = (Arc::clone(&store), built.clone());
        tokio::spawn(async move {
            let change = Numbered {
                seq: Some(1),
                change: closed(&built),
            };
            store.apply(unknown, vec![change], Some(1), NOW).await
        })
    });
    let failing: Vec<_> = failing.collect();
    let mut working = Vec::new();
    for n in 0..8_u64 {
        let (store, start) = (Arc::clone(&store), NOW + after(n * 10));
        working.push(tokio::spawn(async move {
            let built = SegmentBuilder::new(start).build();
            apply(&*store, id, vec![closed(&built)]).await;
            built.meta.head.id
        }));
    }
    for task in failing {
        assert!(
            task.await.unwrap().is_err(),
            "an unknown agent has no segments"
        );
    }
    for task in working {
        let id = task.await.unwrap();
        assert!(store.segment(id).await.unwrap().is_some());
    }
    assert_eq!(store.segment(built.meta.head.id).await.unwrap(), None);
}

pub(crate) async fn a_deleted_segment_does_not_come_back(store: Under) {
    let agent = agent(&*store, 1).await;
    let first = SegmentBuilder::new(NOW);
    let (gone, kept) = (first.build(), first.next().build());
    let evicted = |built: &Built| Change::Evicted {
        segment: built.meta.head.id,
        at: NOW + after(100),
    };
    apply(&*store, agent, vec![closed(&gone), closed(&kept)]).await;
    store_object(&*store, &kept.meta).await;
    let end = vec![evicted(&gone), evicted(&kept)];
    apply(&*store, agent, end.clone()).await;
    let segment = store.segment(kept.meta.head.id).await.unwrap().unwrap();
    assert_eq!(
        (segment.edge, segment.centre),
        (EdgeCopy::Deleted, CentreCopy::Stored)
    );
    // The whole history once more.
    let again = [vec![closed(&gone), closed(&kept)], end].concat();
    apply(&*store, agent, again).await;
    let facts = store
        .facts(first.camera, StreamKind::Main, around(NOW, 60))
        .await
        .unwrap();
    assert_eq!(
        facts.pieces,
        [Piece {
            range: kept.meta.wall_range().unwrap(),
            edge: EdgeCopy::Deleted,
            centre: CentreCopy::Stored
        }]
    );
}

pub(crate) async fn the_ledger_entry_of_an_outage_grows(store: Under) {
    let agent = agent(&*store, 1).await;
    let camera = CameraId::new(NOW);
    let id = LedgerId::new(NOW);
    let told = |seconds, reason| {
        Change::Gap(LedgerEntry {
            id,
            camera,
            stream: StreamKind::Sub,
            range: TimeRange::starting_at(NOW, after(seconds)),
            reason,
            detail: None,
        })
    };
    apply(&*store, agent, vec![told(5, Reason::CameraStalled)]).await;
    apply(&*store, agent, vec![told(50, Reason::CameraUnreachable)]).await;
    let of = |stream| store.facts(camera, stream, around(NOW, 60));
    assert_eq!(
        of(StreamKind::Sub).await.unwrap().missing,
        [(
            TimeRange::starting_at(NOW, after(50)),
            Reason::CameraUnreachable
        )]
    );
    assert_eq!(of(StreamKind::Main).await.unwrap().missing, []);
}

pub(crate) async fn facts_are_those_of_the_range(store: Under) {
    let agent = agent(&*store, 1).await;
    let mut next = SegmentBuilder::new(NOW);
    let mut ranges = Vec::new();
    for _ in 0..10 {
        let built = next.build();
        ranges.push(built.meta.wall_range().unwrap());
        apply(&*store, agent, vec![closed(&built)]).await;
        next = next.next();
    }
    let camera = next.camera;
    let facts = |range| store.facts(camera, StreamKind::Main, range);
    assert_eq!(facts(around(NOW, 600)).await.unwrap().reported_until, None);
    let told = Change::Watermark(Watermark {
        camera,
        stream: StreamKind::Main,
        reported_until: NOW + after(20),
    });
    apply(&*store, agent, vec![told]).await;
    // From inside the third to the beginning of the sixth, which is not touched.
    let middle = TimeRange::new(ranges[2].start() + after(1), ranges[5].start()).unwrap();
    let found = facts(middle).await.unwrap();
    let pieces: Vec<_> = found.pieces.iter().map(|piece| piece.range).collect();
    assert_eq!(pieces, ranges[2..5]);
    assert_eq!(found.reported_until, Some(NOW + after(20)));
    let elsewhere = TimeRange::new(ranges[9].end(), ranges[9].end() + after(60)).unwrap();
    assert_eq!(facts(elsewhere).await.unwrap().pieces, []);
}

pub(crate) async fn a_segment_with_holes_covers_only_its_fragments(store: Under) {
    let agent = agent(&*store, 1).await;
    let built = SegmentBuilder::new(NOW).build();
    let mut meta = built.meta.clone();
    // Three seconds lost behind the second fragment.
    for fragment in &mut meta.fragments[2..] {
        fragment.wall_start = fragment.wall_start + after(3);
    }
    let meta = shared::testing::seal(meta.head, meta.size, meta.fragments);
    let covered = |end: usize| {
        let range = meta.fragments[end].wall_range();
        TimeRange::new(NOW, range.end()).unwrap()
    };
    let pieces = async || {
        let found = store
            .facts(meta.head.camera, StreamKind::Main, around(NOW, 60))
            .await;
        let ranges: Vec<_> = found
            .unwrap()
            .pieces
            .iter()
            .map(|piece| piece.range)
            .collect();
        ranges
    };
    let rest = TimeRange::new(meta.fragments[2].wall_start, covered(4).end()).unwrap();
    apply(&*store, agent, vec![grown(&meta, 0, 2), grown(&meta, 2, 3)]).await;
    assert_eq!(pieces().await, [covered(1), rest]);
    apply(&*store, agent, vec![Change::Closed(Box::new(meta.clone()))]).await;
    assert_eq!(pieces().await, [covered(1), rest]);
}

pub(crate) async fn footage_is_what_can_be_played(store: Under) {
    let agent = agent(&*store, 1).await;
    let first = SegmentBuilder::new(NOW);
    let built: Vec<_> = std::iter::successors(Some(first.clone()), |builder| Some(builder.next()))
        .take(4)
        .map(|builder| builder.build())
        .collect();
    // The last one is still growing, the second is gone, the third is only here.
    let mut changes: Vec<_> = built[..3].iter().map(closed).collect();
    changes.push(grown(&built[3].meta, 0, 2));
    changes.push(grown(&built[3].meta, 2, 1));
    apply(&*store, agent, changes).await;
    store_object(&*store, &built[2].meta).await;
    let evicted = built[1..3].iter().map(|built| Change::Evicted {
        segment: built.meta.head.id,
        at: NOW,
    });
    apply(&*store, agent, evicted.collect()).await;
    let range = around(NOW, 60);
    let footage = store
        .footage(first.camera, StreamKind::Main, range)
        .await
        .unwrap();
    let seen: Vec<_> = footage
        .iter()
        .map(|footage| {
            let count = footage.fragments.len();
            (footage.id, footage.stored, footage.growing, count)
        })
        .collect();
    let id = |index: usize| built[index].meta.head.id;
    assert_eq!(
        seen,
        [
            (id(0), false, false, 5),
            (id(2), true, false, 5),
            (id(3), false, true, 3)
        ]
    );
    assert_eq!(footage[0].run, first.run);
    assert_eq!(footage[0].init_length, built[0].meta.head.init_length);
    let fragments: Vec<_> = built[0].meta.fragments.iter().map(Into::into).collect();
    assert_eq!(footage[0].fragments, fragments);
    let before = store.footage_before(first.run, built[3].meta.fragments[0].wall_start, 2);
    let before: Vec<_> = before
        .await
        .unwrap()
        .iter()
        .map(|footage| footage.id)
        .collect();
    assert_eq!(before, [id(2), id(0)]);
}

pub(crate) async fn the_live_edge_follows_the_order_of_opening(store: Under) {
    let agent = agent(&*store, 1).await;
    let first = SegmentBuilder::new(NOW);
    let camera = first.camera;
    // The host's clock steps back an hour, and a backlog from yesterday arrives closed.
    let stepped = SegmentBuilder {
        camera,
        ..SegmentBuilder::new(NOW - after(3_600))
    };
    let backlog = SegmentBuilder {
        camera,
        ..SegmentBuilder::new(NOW - after(86_400))
    };
    let [first, second, stepped, backlog] =
        [first.clone(), first.next(), stepped, backlog].map(|builder| builder.build());
    let changes = vec![
        grown(&first.meta, 0, 5),
        closed(&first),
        grown(&second.meta, 0, 1),
        closed(&backlog),
        grown(&stepped.meta, 0, 2),
    ];
    apply(&*store, agent, changes).await;
    let live = async |from: Option<SegmentId>, limit| {
        let footage = store
            .live_footage(camera, StreamKind::Main, from, limit)
            .await;
        let ids: Vec<_> = footage.unwrap().iter().map(|footage| footage.id).collect();
        ids
    };
    let [first, second, stepped] = [&first, &second, &stepped].map(|built| built.meta.head.id);
    assert_eq!(live(None, 2).await, [second, stepped]);
    assert_eq!(live(Some(first), 9).await, [first, second, stepped]);
    assert_eq!(live(Some(second), 9).await, [second, stepped]);
    assert_eq!(live(Some(SegmentId::new(NOW)), 1).await, [stepped]);
}

fn new_upload(segment: SegmentId, owner: u8) -> NewUpload {
    NewUpload {
        segment,
        path: format!("recordings/{owner}/{segment}.mp4"),
        owner: [owner; 16],
        until: NOW + after(60),
    }
}

async fn store_object(store: &dyn Store, meta: &SegmentMeta) {
    let begun = store
        .begin_upload(new_upload(meta.head.id, 9), NOW)
        .await
        .unwrap();
    assert!(matches!(begun, UploadBegun::Yes { .. }), "{begun:?}");
    assert!(
        store
            .mark_stored(meta.head.id, meta.root, NOW)
            .await
            .unwrap()
    );
}

pub(crate) async fn one_coordinator_at_a_time_receives_an_upload(store: Under) {
    let agent = agent(&*store, 1).await;
    let built = SegmentBuilder::new(NOW).build();
    let id = built.meta.head.id;
    let begin = |owner, now| store.begin_upload(new_upload(id, owner), now);
    assert_eq!(begin(1, NOW).await.unwrap(), UploadBegun::NoSegment);
    apply(&*store, agent, vec![grown(&built.meta, 0, 1)]).await;
    assert_eq!(begin(1, NOW).await.unwrap(), UploadBegun::NoSegment);
    apply(&*store, agent, vec![closed(&built)]).await;
    let path = new_upload(id, 1).path;
    let yes = UploadBegun::Yes { path };
    assert_eq!(begin(1, NOW).await.unwrap(), yes);
    assert_eq!(begin(1, NOW).await.unwrap(), yes);
    let until = NOW + after(60);
    assert_eq!(begin(2, NOW).await.unwrap(), UploadBegun::Held { until });
    assert!(!store.renew_upload(id, [2; 16], until).await.unwrap());
    assert!(
        store
            .renew_upload(id, [1; 16], until + after(60))
            .await
            .unwrap()
    );
    assert!(matches!(
        begin(2, until).await.unwrap(),
        UploadBegun::Held { .. }
    ));
    // The lease expires; the path stays that of the first attempt.
    assert_eq!(begin(2, until + after(60)).await.unwrap(), yes);
    store.end_upload(id, [1; 16]).await.unwrap();
    assert!(matches!(
        begin(1, NOW).await.unwrap(),
        UploadBegun::Held { .. }
    ));
    store.end_upload(id, [2; 16]).await.unwrap();
    assert_eq!(begin(1, NOW).await.unwrap(), yes);
}

pub(crate) async fn stored_means_stored_with_that_root(store: Under) {
    let agent = agent(&*store, 1).await;
    let built = SegmentBuilder::new(NOW).build();
    let (id, root) = (built.meta.head.id, built.meta.root);
    apply(&*store, agent, vec![closed(&built)]).await;
    assert!(
        !store.mark_stored(id, root, NOW).await.unwrap(),
        "no upload was begun"
    );
    store.begin_upload(new_upload(id, 1), NOW).await.unwrap();
    let unfinished = async || {
        let segments = store.unfinished_uploads(10).await.unwrap();
        segments
            .iter()
            .map(crate::domain::segment::Segment::id)
            .collect::<Vec<_>>()
    };
    assert_eq!(unfinished().await, [id]);
    assert!(!store.mark_stored(id, Sha256::of(b"x"), NOW).await.unwrap());
    assert!(
        !store
            .mark_stored(SegmentId::new(NOW), root, NOW)
            .await
            .unwrap()
    );
    for _ in 0..2 {
        assert!(store.mark_stored(id, root, NOW).await.unwrap());
        assert_eq!(store.stored_totals().await.unwrap(), (1, built.meta.size));
    }
    assert_eq!(unfinished().await, []);
    // What the agent says later of a file that was verified here does not change our copy.
    let mut shorter = built.meta.clone();
    shorter.fragments.pop();
    let size = shorter.fragments.last().unwrap().end_offset();
    let shorter = shared::testing::seal(shorter.head, size, shorter.fragments);
    apply(&*store, agent, vec![Change::Closed(Box::new(shorter))]).await;
    let segment = store.segment(id).await.unwrap().unwrap();
    assert_eq!((segment.root, segment.size), (Some(root), built.meta.size));
    assert_eq!(store.fragments(id).await.unwrap(), built.meta.fragments);
}

pub(crate) async fn a_lost_object_can_be_uploaded_again(store: Under) {
    let agent = agent(&*store, 1).await;
    let built = SegmentBuilder::new(NOW).build();
    let id = built.meta.head.id;
    apply(&*store, agent, vec![closed(&built)]).await;
    store_object(&*store, &built.meta).await;
    for _ in 0..2 {
        store.mark_lost(id, NOW, entry()).await.unwrap();
        assert_eq!(store.stored_totals().await.unwrap(), (0, 0));
    }
    let centre = async || store.segment(id).await.unwrap().unwrap().centre;
    assert_eq!(centre().await, CentreCopy::Lost);
    store.begin_upload(new_upload(id, 1), NOW).await.unwrap();
    assert_eq!(centre().await, CentreCopy::Absent);
    assert_eq!(store.unfinished_uploads(10).await.unwrap().len(), 1);
    assert!(store.mark_stored(id, built.meta.root, NOW).await.unwrap());
    assert_eq!(centre().await, CentreCopy::Stored);
    assert_eq!(store.stored_totals().await.unwrap(), (1, built.meta.size));
}

pub(crate) async fn stored_segments_are_listed_page_by_page(store: Under) {
    let agent = agent(&*store, 1).await;
    let mut ids = Vec::new();
    let mut next = SegmentBuilder::new(NOW);
    for index in 0..7 {
        let built = next.build();
        apply(&*store, agent, vec![closed(&built)]).await;
        if index != 3 {
            store_object(&*store, &built.meta).await;
            ids.push(built.meta.head.id);
        }
        next = next.next();
    }
    ids.sort();
    let mut seen: Vec<SegmentId> = Vec::new();
    loop {
        let page = store.stored_after(seen.last().copied(), 2).await.unwrap();
        if page.is_empty() {
            break;
        }
        seen.extend(page.iter().map(crate::domain::segment::Segment::id));
    }
    assert_eq!(seen, ids);
}

fn user(login: &str) -> User {
    User {
        id: UserId::new(NOW),
        login: Login::new(login).unwrap(),
        display_name: login.to_owned(),
        role: Role::Operator,
        agency: Some("BUS".parse().unwrap()),
        disabled: false,
    }
}

fn session(user: &User, token: &[u8]) -> Session {
    Session {
        id: SessionId::new(NOW),
        user: user.id,
        token: Sha256::of(token),
        created_at: NOW,
        last_seen: NOW,
    }
}

pub(crate) async fn logins_are_unique_and_passwords_end_sessions(store: Under) {
    let layla = user("layla");
    let create = |user: &User| store.create_user(user.clone(), "hash".into(), entry());
    assert!(create(&layla).await.unwrap());
    assert!(!create(&user(" Layla")).await.unwrap());
    let found = store.user_by_login(layla.login.clone()).await.unwrap();
    assert_eq!(found, Some((layla.clone(), "hash".into())));
    store
        .create_session(session(&layla, b"t"), entry())
        .await
        .unwrap();
    assert!(
        store
            .session_by_token(Sha256::of(b"t"))
            .await
            .unwrap()
            .is_some()
    );
    let set = |login: &str| {
        let login = Login::new(login).unwrap();
        store.set_password(login, "other".into(), entry())
    };
    assert!(set("layla").await.unwrap());
    assert!(!set("nobody").await.unwrap());
    assert_eq!(
        store.session_by_token(Sha256::of(b"t")).await.unwrap(),
        None
    );
    let found = store.user_by_login(layla.login).await.unwrap().unwrap();
    assert_eq!(found.1, "other");
}

pub(crate) async fn the_first_user_is_created_once(store: Under) {
    let create = |user| store.create_first_user(user, "hash".into(), entry());
    assert!(create(user("admin")).await.unwrap());
    assert!(!create(user("second")).await.unwrap());
    let users = store.users().await.unwrap();
    assert_eq!(users.len(), 1);
    assert_eq!(users[0].login.as_str(), "admin");
}

async fn playback(store: &dyn Store, session: &Session, camera: CameraId) -> Playback {
    let playback = Playback {
        id: PlaybackId::new(NOW),
        owner: session.user,
        session: session.id,
        camera,
        stream: StreamKind::Sub,
        show: Show::Range(around(NOW, 60)),
        created_at: NOW,
        last_used: NOW,
    };
    store
        .create_playback(playback.clone(), entry())
        .await
        .unwrap();
    playback
}

pub(crate) async fn sessions_end_with_everything_on_them(store: Under) {
    let agent = agent(&*store, 1).await;
    let camera = CameraId::new(NOW);
    store
        .tell_cameras(agent, vec![camera_info(camera, "gate")])
        .await
        .unwrap();
    let layla = user("layla");
    store
        .create_user(layla.clone(), "hash".into(), entry())
        .await
        .unwrap();
    let (one, two) = (session(&layla, b"1"), session(&layla, b"2"));
    store.create_session(one.clone(), entry()).await.unwrap();
    store.create_session(two.clone(), entry()).await.unwrap();
    let ended = playback(&*store, &one, camera).await;
    let kept = playback(&*store, &two, camera).await;
    assert_eq!(store.playback(ended.id).await.unwrap(), Some(ended.clone()));
    store.end_session(one.id, entry()).await.unwrap();
    assert_eq!(store.session(one.id).await.unwrap(), None);
    assert_eq!(store.playback(ended.id).await.unwrap(), None);
    store.touch_session(two.id, NOW + after(100)).await.unwrap();
    store.touch_session(two.id, NOW + after(50)).await.unwrap();
    let (seen, owner) = store.session(two.id).await.unwrap().unwrap();
    assert_eq!((seen.last_seen, owner), (NOW + after(100), layla));
    store
        .touch_playback(kept.id, NOW + after(10))
        .await
        .unwrap();
    assert_eq!(store.purge_playbacks(NOW + after(10)).await.unwrap(), 0);
    assert_eq!(
        store.purge_sessions(NOW + after(100), NOW).await.unwrap(),
        0
    );
    assert_eq!(store.purge_playbacks(NOW + after(11)).await.unwrap(), 1);
    assert_eq!(
        store.purge_sessions(NOW + after(101), NOW).await.unwrap(),
        1
    );
    assert_eq!(store.session_by_token(two.token).await.unwrap(), None);
}

pub(crate) async fn a_live_playlist_is_saved_by_the_fastest(store: Under) {
    let agent = agent(&*store, 1).await;
    let camera = CameraId::new(NOW);
    store
        .tell_cameras(agent, vec![camera_info(camera, "gate")])
        .await
        .unwrap();
    let layla = user("layla");
    store
        .create_user(layla.clone(), "hash".into(), entry())
        .await
        .unwrap();
    let session = session(&layla, b"1");
    store
        .create_session(session.clone(), entry())
        .await
        .unwrap();
    let id = playback(&*store, &session, camera).await.id;
    assert_eq!(store.live_state(id).await.unwrap(), None);
    let save = |revision, state: &str| store.save_live_state(id, revision, state.to_owned());
    assert!(save(None, "a").await.unwrap());
    assert!(!save(None, "b").await.unwrap());
    let (revision, state) = store.live_state(id).await.unwrap().unwrap();
    assert_eq!(state, "a");
    assert!(save(Some(revision), "c").await.unwrap());
    assert!(!save(Some(revision), "d").await.unwrap());
    assert_eq!(store.live_state(id).await.unwrap().unwrap().1, "c");
}

pub(crate) async fn the_first_candidate_becomes_the_secret(store: Under) {
    let secret = |name, candidate: &[u8]| store.secret(name, candidate.to_vec());
    assert_eq!(secret("one", b"a").await.unwrap(), b"a");
    assert_eq!(secret("one", b"b").await.unwrap(), b"a");
    assert_eq!(secret("two", b"b").await.unwrap(), b"b");
}

pub(crate) async fn changes_and_their_audit_are_one(store: Under) {
    let length = async || store.audit_length().await.unwrap();
    let agent = agent(&*store, 1).await;
    assert_eq!(length().await, 2, "the invitation and the enrolment");
    store.revoke(AgentId::new(NOW), NOW, entry()).await.unwrap();
    store
        .end_session(SessionId::new(NOW), entry())
        .await
        .unwrap();
    let nobody = Login::new("nobody").unwrap();
    store
        .set_password(nobody, "x".into(), entry())
        .await
        .unwrap();
    assert_eq!(length().await, 2, "nothing was changed");
    store.revoke(agent, NOW, entry()).await.unwrap();
    store.audit(entry()).await.unwrap();
    assert_eq!(length().await, 4);
}

//! What every back end of [`Store`] must do. A back end calls [`store_suite!`] with a way to open a
//! fresh, empty store. One file per family of tables; here is what they share.

pub(crate) mod agents;
pub(crate) mod audit;
pub(crate) mod cameras;
pub(crate) mod catalogue;
pub(crate) mod credentials;
pub(crate) mod outside;
pub(crate) mod people;
pub(crate) mod playbacks;
pub(crate) mod quotas;
pub(crate) mod reports;
pub(crate) mod uploads;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use shared::hash::Sha256;
use shared::id::{AgentId, CameraId, InviteId, SegmentId, SessionId, SiteId, UserId};
use shared::segment::{SegmentMeta, StreamKind};
use shared::testing::Segment as Built;
use shared::time::{TimeRange, WallTime};
use shared::wire::control::CameraInfo;
use shared::wire::segment::Growth;

use super::{
    Applied, Change, Enrolled, Enrolment, NewInvite, NewUpload, Numbered, Store, UploadBegun,
};
use crate::domain::audit::{Entry, Origin, What, Who};
use crate::domain::group::RoleCode;
use crate::domain::user::{Login, Session, SessionKind, Status, User};

/// Every test of the suite as a test of its own.
macro_rules! store_suite {
    ($open:path) => {
        $crate::stores::suite::store_suite!($open:
            agents::an_invitation_enrols_one_agent,
            agents::a_key_that_enrols_again_stays_the_same_agent,
            agents::a_status_is_replaced_and_read_back,
            audit::changes_and_their_entries_are_one,
            audit::entries_of_one_transaction_are_chained,
            audit::what_agents_remember_is_compared_and_kept,
            audit::a_search_finds_what_a_filter_over_everything_finds,
            audit::looking_for_rare_text_goes_on_where_it_stopped,
            audit::entries_are_read_back_as_they_were_written,
            cameras::cameras_belong_to_the_agent_that_named_them_first,
            cameras::settings_reach_the_agent_under_one_id_until_it_answers,
            reports::repeating_a_report_changes_nothing,
            reports::a_segment_grows_and_closes,
            reports::growth_that_does_not_connect_is_ignored,
            reports::growth_of_a_closed_segment_is_ignored,
            reports::what_belongs_to_another_agent_is_set_aside,
            reports::a_failing_change_takes_no_other_along,
            reports::a_deleted_segment_does_not_come_back,
            reports::the_ledger_entry_of_an_outage_grows,
            catalogue::a_closed_segment_is_read_back_whole,
            catalogue::facts_are_those_of_the_range,
            catalogue::a_segment_with_holes_covers_only_its_fragments,
            catalogue::footage_is_what_can_be_played,
            catalogue::the_live_edge_follows_the_order_of_opening,
            credentials::attempts_are_counted_before_they_are_looked_at,
            credentials::where_an_account_signs_in_is_remembered,
            credentials::a_sign_in_that_was_begun_ends_once,
            credentials::a_second_factor_is_used_up_step_by_step,
            credentials::the_first_to_exchange_a_refresh_token_wins,
            credentials::api_tokens_are_sessions_with_a_name,
            credentials::everybody_notices_when_sessions_end,
            credentials::signing_keys_are_changed_by_one_at_a_time,
            credentials::a_message_counts_once,
            uploads::one_coordinator_at_a_time_receives_an_upload,
            uploads::stored_means_stored_with_that_root,
            uploads::a_lost_object_can_be_uploaded_again,
            uploads::stored_segments_are_listed_page_by_page,
            outside::all_tokens_of_an_identity_are_one_session,
            outside::what_ends_a_session_ends_older_tokens,
            outside::identities_are_linked_once_and_unlinked_together,
            outside::a_sign_in_outside_is_used_up_once,
            people::a_changed_directory_is_read_back,
            people::a_change_decided_on_an_older_directory_is_not_made,
            people::disabled_and_reset_people_have_no_session,
            people::a_language_is_kept_beside_the_directory,
            people::the_first_user_is_created_once,
            people::the_first_candidate_becomes_the_secret,
            quotas::limits_of_streams_are_read_back,
            playbacks::sessions_end_with_everything_on_them,
            playbacks::a_live_playlist_is_saved_by_the_fastest,
        );
    };
    ($open:path: $($family:ident::$test:ident,)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $test() {
            let (store, _keep) = $open().await;
            $crate::stores::suite::$family::$test(store).await;
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

fn user(login: &str) -> User {
    User {
        id: UserId::new(NOW),
        login: Login::new(login).unwrap(),
        display_name: login.trim().parse().unwrap(),
        arabic_name: "ليلى حسن".parse().ok(),
        email: "layla@example.org".parse().ok(),
        employee_number: None,
        agency: Some("BUS".parse().unwrap()),
        department: "Lines".parse().ok(),
        section: "Red".parse().ok(),
        status: Status::Active,
        roles: BTreeSet::from([RoleCode::operator()]),
        groups: BTreeSet::new(),
        rules: vec!["!camera:BUS:export".parse().unwrap()],
        created_at: NOW,
        revision: 1,
    }
}

fn session(user: &User, token: &[u8]) -> Session {
    Session {
        id: SessionId::new(NOW),
        user: user.id,
        kind: SessionKind::Browser,
        token: Sha256::of(token),
        created_at: NOW,
        last_seen: NOW,
        origin: Origin::default(),
    }
}

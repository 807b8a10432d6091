//! What the operations are asked about: one of everything, all of the agency METRO, and the people
//! who ask.

use std::time::Duration;

use reqwest::Method;
use rusqlite::Connection;
use serde_json::{Value, json};
use shared::clock::{Clock as _, SystemClock};
use shared::id::{
    AgentId, CameraId, GroupId, PlaybackId, ReservationId, SessionId, UserId, ViewerId,
};
use shared::testing::SegmentBuilder;
use shared::wire::control::CommandOutcome;
use tokio::task::JoinHandle;

use crate::peer::{Peer, camera};
use crate::world::{Browser, PASSWORD, World};

pub(crate) struct Things {
    camera: CameraId,
    agent: AgentId,
    playback: PlaybackId,
    /// Path and query of a segment as the playlist has it, relative to the playback.
    segment: String,
    user: UserId,
    group: GroupId,
    role: String,
    agency: String,
    /// Somebody of METRO, and a session and a token to end.
    person: UserId,
    session: SessionId,
    own_session: SessionId,
    token: SessionId,
    /// Of the administrator in the last column.
    reservation: ReservationId,
    /// That administrator, once more.
    administrator: Option<Browser>,
    /// Answers what the agent is told to do.
    _answering: Option<JoinHandle<()>>,
}

impl Things {
    pub(crate) async fn make(world: &World, admin: &Browser) -> Self {
        for (login, agency, role) in [
            ("chief-of-buses", "BUS", "agency_administrator"),
            ("operator-of-metro", "METRO", "operator"),
            ("administrator-too", "METRO", "administrator"),
            ("administrator-of-nothing", "METRO", "administrator"),
            ("expired", "METRO", "administrator"),
            ("disabled", "METRO", "administrator"),
        ] {
            world.person(login, agency, role).await;
        }
        let peer = Peer::enrolled(world, "Depot").await;
        let start = SystemClock::new().wall() - Duration::from_secs(10);
        let gate = camera("gate", start);
        let mut work = peer.connect(world, std::slice::from_ref(&gate)).await;
        let mut builder = SegmentBuilder::new(start);
        builder.camera = gate.id;
        let segment = builder.build();
        let meta = peer.sign(&segment);
        work.report_segments(1, std::slice::from_ref(&meta))
            .await
            .unwrap();
        work.upload(&meta, &segment.bytes).await.unwrap();
        let path = format!("/api/v1/cameras/{}", gate.id);
        let metro = json!({ "agency": "METRO" });
        let moved = admin.send(Method::PATCH, &path, Some(&metro), &[]);
        assert_eq!(moved.await.status, 200);
        let administrator = world.signed_in("administrator-too", PASSWORD).await;
        let range = meta.wall_range().unwrap();
        let order = json!({
            "camera_id": gate.id,
            "from": range.start().to_rfc3339(),
            "to": range.end().to_rfc3339(),
        });
        let playback = administrator.post("/api/v1/playback/prepare", &order).await;
        assert_eq!(playback.status, 201, "{:?}", playback.body);
        let playlist = administrator
            .get(playback.body["playlist_url"].as_str().unwrap())
            .await;
        let order = json!({ "camera_id": gate.id, "tier": "FULL" });
        let reserved = administrator.post("/api/v1/stream/reserve", &order).await;
        assert_eq!(reserved.status, 201, "{:?}", reserved.body);
        let reservation = reserved.body;
        let text = String::from_utf8(playlist.bytes.to_vec()).unwrap();
        let segment = text
            .lines()
            .find(|line| line.starts_with("segments/"))
            .unwrap();
        let made = async |path: &str, body: Value| {
            let answer = admin.post(path, &body).await;
            assert_eq!(answer.status, 201, "{path}: {:?}", answer.body);
            answer.body
        };
        let name = json!({ "en": "Subject", "ar": "موضوع" });
        let user = json!({ "login": "subject", "display_name": "Subject", "agency": "METRO", "roles": ["operator"] });
        let user = made("/api/v1/iam/users", user).await;
        let group = json!({ "name": name, "agency": "METRO" });
        let group = made("/api/v1/iam/groups", group).await;
        let role = json!({ "code": "subject", "name": name, "permissions": [] });
        made("/api/v1/iam/roles", role).await;
        let agency = json!({ "code": "TRAM", "name": name });
        made("/api/v1/iam/agencies", agency).await;
        let body = json!({ "name": "wall", "valid_for_days": 1 });
        let token = administrator.post("/api/v1/iam/api-tokens", &body).await;
        let token = token.body["id"].as_str().unwrap().parse().unwrap();
        let (_, own_session) = spare(world, "administrator-too").await;
        let (person, session) = spare(world, "administrator-of-nothing").await;
        let agent = peer.id;
        let answering = tokio::spawn(async move {
            while work
                .obey(CommandOutcome::Done { report: None })
                .await
                .is_ok()
            {}
        });
        Self {
            camera: gate.id,
            agent,
            playback: playback.body["id"].as_str().unwrap().parse().unwrap(),
            segment: segment.to_owned(),
            user: user["id"].as_str().unwrap().parse().unwrap(),
            group: group["id"].as_str().unwrap().parse().unwrap(),
            role: "subject".to_owned(),
            agency: "TRAM".to_owned(),
            person,
            session,
            own_session,
            token,
            reservation: reservation["reservation_id"]
                .as_str()
                .unwrap()
                .parse()
                .unwrap(),
            administrator: Some(administrator),
            _answering: Some(answering),
        }
    }

    /// Names of the same kinds that nothing has.
    pub(super) fn nothing(&self) -> Self {
        let now = SystemClock::new().wall();
        Self {
            camera: CameraId::new(now),
            agent: AgentId::new(now),
            playback: PlaybackId::new(now),
            segment: self.segment.clone(),
            user: UserId::new(now),
            group: GroupId::new(now),
            role: "nobody_has_this".to_owned(),
            agency: "NOWHERE".to_owned(),
            person: UserId::new(now),
            session: SessionId::new(now),
            own_session: SessionId::new(now),
            token: SessionId::new(now),
            reservation: ReservationId::new(now),
            administrator: None,
            _answering: None,
        }
    }

    /// The path of an operation, with everything that it names.
    pub(crate) fn path(&self, operation: &str, template: &str, signed: bool) -> String {
        if operation == "get_segment" {
            let unsigned = self.segment.split('?').next().unwrap();
            let segment = if signed { &self.segment } else { unsigned };
            return format!("/api/v1/playback/{}/{segment}", self.playback);
        }
        let id = match template.split('/').nth(3) {
            Some("cameras") => self.camera.to_string(),
            Some("agents") => self.agent.to_string(),
            Some("live") => ViewerId::new(SystemClock::new().wall()).to_string(),
            Some("stream") => self.reservation.to_string(),
            Some("playback") => self.playback.to_string(),
            Some("iam") if operation == "end_session" => self.person.to_string(),
            Some("iam") if operation == "end_own_session" => self.own_session.to_string(),
            Some("iam") if operation == "revoke_api_token" => self.token.to_string(),
            Some("iam") if template.contains("/users/") => self.user.to_string(),
            Some("iam") => self.group.to_string(),
            _ => String::new(),
        };
        let code = if template.contains("/agencies/") {
            &self.agency
        } else {
            &self.role
        };
        let path = template
            .replace("{id}", &id)
            .replace("{group_id}", &self.group.to_string())
            .replace("{session_id}", &self.session.to_string())
            .replace("{code}", code)
            .replace("{agency}", &self.agency);
        assert!(!path.contains('{'), "{operation}: {path}");
        match operation {
            "get_timeline" => format!("{path}?from=2026-03-01T14:00:00Z&to=2026-03-01T15:00:00Z"),
            _ => path,
        }
    }

    pub(crate) fn body(&self, operation: &str, revision: u64) -> Value {
        let name = json!({ "en": "Another", "ar": "آخر" });
        match operation {
            // Somebody else each time: wrong passwords make one wait.
            "sign_in" | "issue_tokens" => {
                let login = UserId::new(SystemClock::new().wall()).to_string();
                json!({ "login": login, "password": "wrong" })
            }
            "finish_sign_in" | "confirm_second_factor" => json!({ "code": "123456" }),
            "refresh_tokens" | "revoke_tokens" => json!({ "refresh_token": "cctvr_forged" }),
            "receive_iam_event" => json!({ "event_id": "e-1" }),
            "remove_second_factor" => json!({ "password": PASSWORD }),
            "create_api_token" => json!({ "name": "wall", "valid_for_days": 1 }),
            "create_invite" => json!({ "site_name": "Depot" }),
            "change_camera" => json!({ "display_name": "mine" }),
            "probe_camera" => json!({}),
            "prepare_playback" => json!({ "camera_id": self.camera, "live": true }),
            "create_user" => {
                json!({ "login": "newcomer", "display_name": "Newcomer", "agency": "METRO" })
            }
            "replace_user" => json!({
                "revision": revision, "login": "subject", "display_name": "Subject", "agency": "METRO",
            }),
            "link_identity" => {
                json!({ "issuer": "https://sso.example", "subject": "248289761001" })
            }
            "set_user_status" => json!({ "status": "ACTIVE" }),
            "set_user_password" => json!({ "password": "another password for tests" }),
            "add_user_to_group" => json!({ "group_id": self.group }),
            "create_group" => json!({ "name": name, "agency": "METRO" }),
            "replace_group" => {
                json!({ "revision": revision, "name": { "en": "Renamed", "ar": "آخر" }, "agency": "METRO" })
            }
            "create_role" => json!({ "code": "newcomer", "name": name, "permissions": [] }),
            "replace_role" => json!({ "revision": revision, "name": name, "permissions": [] }),
            "create_agency" => json!({ "code": "FERRY", "name": name }),
            "replace_agency" => json!({ "revision": revision, "name": name }),
            "set_own_settings" => json!({ "language": "ar" }),
            "reserve_stream" => json!({ "camera_id": self.camera, "tier": "REDUCED" }),
            "set_stream_limit" => json!({ "full": 10, "reduced": 10, "offers_reduced": true }),
            "set_total_stream_limit" => json!({ "full": 500, "reduced": 500 }),
            "watch_camera" => json!(OFFER),
            "trickle_candidates" => json!("a=end-of-candidates\r\n"),
            "set_own_password" => json!({ "old_password": PASSWORD, "new_password": PASSWORD }),
            other => panic!("{other} wants a body; say here which"),
        }
    }

    /// A new viewer of the administrator in the last column: where it is ended.
    pub(super) async fn viewer(&self) -> String {
        let administrator = self.administrator.as_ref().unwrap();
        let path = format!("/api/v1/cameras/{}/whep", self.camera);
        let opened = administrator.send_text(Method::POST, &path, "application/sdp", OFFER);
        let opened = opened.await;
        assert_eq!(opened.status, 201, "{:?}", opened.body);
        opened.header("location").to_owned()
    }

    /// The revision that the operation must have seen to be carried out.
    pub(super) async fn revision(&self, operation: &str, admin: &Browser) -> u64 {
        let item = match operation {
            "replace_user" => admin.get(&format!("/api/v1/iam/users/{}", self.user)).await,
            _ => return 1,
        };
        item.body["revision"].as_u64().unwrap_or(1)
    }
}

/// What a browser would like to receive.
pub(crate) const OFFER: &str = "v=0\r\n\
    o=- 7687393819193955039 2 IN IP4 127.0.0.1\r\n\
    s=-\r\n\
    t=0 0\r\n\
    a=group:BUNDLE 0\r\n\
    m=video 9 UDP/TLS/RTP/SAVPF 102\r\n\
    c=IN IP4 0.0.0.0\r\n\
    a=ice-ufrag:X+O5\r\n\
    a=ice-pwd:w0Qhyv7wLuOwEwO5zZnhPFIq\r\n\
    a=fingerprint:sha-256 1C:13:A8:20:8A:E1:18:BF:1A:A8:B4:21:5D:DB:E3:1C:5F:73:E7:B2:FE:6D:F4:86:D4:9C:ED:C5:12:EE:42:35\r\n\
    a=setup:actpass\r\n\
    a=mid:0\r\n\
    a=recvonly\r\n\
    a=rtcp-mux\r\n\
    a=rtpmap:102 H264/90000\r\n\
    a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n";

/// A session of somebody besides those that the columns use: whose, and which.
async fn spare(world: &World, login: &str) -> (UserId, SessionId) {
    let browser = world.signed_in(login, PASSWORD).await;
    let me = browser.get("/api/v1/session").await.body;
    let sessions = browser.get("/api/v1/iam/me/sessions").await.body;
    let mut sessions = sessions["items"].as_array().unwrap().iter();
    let current = sessions.find(|session| session["current"] == true).unwrap();
    let parse = |value: &Value| value.as_str().unwrap().to_owned();
    (
        parse(&me["user_id"]).parse().unwrap(),
        parse(&current["id"]).parse().unwrap(),
    )
}

/// Whose session has run out.
pub(super) async fn expired(world: &World) -> Browser {
    let browser = world.signed_in("expired", PASSWORD).await;
    let database = world.config.data_dir.join("coordinator.sqlite");
    let database = Connection::open(database).unwrap();
    let changed = database.execute(
        "update sessions set seen_us = 0, created_us = 0
            where user_id = (select id from users where login = 'expired')",
        [],
    );
    assert_eq!(changed.unwrap(), 1);
    browser
}

/// Who was signed in when the account was disabled.
pub(super) async fn disabled(world: &World, admin: &Browser) -> Browser {
    let browser = world.signed_in("disabled", PASSWORD).await;
    let me = browser.get("/api/v1/session").await.body;
    let id = me["user_id"].as_str().unwrap();
    let path = format!("/api/v1/iam/users/{id}/status");
    let off = json!({ "status": "DISABLED" });
    let done = admin.send(Method::PATCH, &path, Some(&off), &[]).await;
    assert_eq!(done.status, 200, "{:?}", done.body);
    browser
}

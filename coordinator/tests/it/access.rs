//! What people of an agency see, and what stays somebody else's. That every operation refuses those
//! it should is in `refusals`.

use reqwest::Method;
use serde_json::{Value, json};
use shared::clock::{Clock as _, SystemClock};
use shared::id::{CameraId, PlaybackId, UserId};
use shared::testing::SegmentBuilder;

use crate::peer::{Peer, Work, camera};
use crate::world::{Browser, PASSWORD, World};

/// What paths and bodies name.
struct Things {
    camera: CameraId,
    playback: PlaybackId,
}

impl Things {
    fn camera_path(&self, rest: &str) -> String {
        format!("/api/v1/cameras/{}{rest}", self.camera)
    }

    fn playback_path(&self, rest: &str) -> String {
        format!("/api/v1/playback/{}{rest}", self.playback)
    }
}

#[tokio::test]
async fn operators_see_and_play_their_own_agency_and_change_nothing() {
    let world = World::start().await;
    let admin = world.admin().await;
    let (things, _work) = things(&world, &admin).await;
    let foreign = world.operator("BUS").await;
    for list in ["/api/v1/cameras", "/api/v1/sites"] {
        assert_eq!(foreign.get(list).await.body["items"], json!([]), "{list}");
    }
    let own = json!({ "agency": "METRO" });
    let path = things.camera_path("");
    let moved = admin.send(Method::PATCH, &path, Some(&own), &[]).await;
    assert_eq!(moved.status, 200, "{:?}", moved.body);
    let operator = world.operator("METRO").await;
    assert_eq!(operator.get(&path).await.status, 200);
    assert_eq!(
        operator.get("/api/v1/cameras").await.body["items"][0]["id"],
        json!(things.camera)
    );
    let body = json!({ "display_name": "mine" });
    let refused = operator.send(Method::PATCH, &path, Some(&body), &[]).await;
    assert_eq!(
        (refused.status.as_u16(), refused.code()),
        (403, "forbidden")
    );
    let order = json!({ "camera_id": things.camera, "live": true });
    assert_eq!(
        operator
            .post("/api/v1/playback/prepare", &order)
            .await
            .status,
        201
    );
    // A playback that somebody else prepared stays theirs, also of a camera one may watch.
    assert_eq!(operator.get(&things.playback_path("")).await.status, 404);
}

#[tokio::test]
async fn administrators_of_an_agency_see_and_change_its_people_only() {
    let world = World::start().await;
    let admin = world.admin().await;
    let mona = world.person("mona", "METRO", "operator").await;
    let badr = world.person("badr", "BUS", "operator").await;
    world.person("chief", "METRO", "agency_administrator").await;
    for agency in ["METRO", "BUS"] {
        let name = json!({ "en": agency, "ar": "مجموعة" });
        let group = json!({ "name": name, "agency": agency });
        assert_eq!(admin.post("/api/v1/iam/groups", &group).await.status, 201);
    }
    let chief = world.signed_in("chief", PASSWORD).await;
    let names = async |list: &str, field: &str| {
        let answer = chief.get(&format!("/api/v1/iam/{list}")).await;
        let items = answer.body["items"].as_array().unwrap().clone();
        let names = items.into_iter().map(|item| item[field].clone());
        Value::Array(names.collect())
    };
    assert_eq!(names("users", "login").await, json!(["chief", "mona"]));
    assert_eq!(names("groups", "agency").await, json!(["METRO"]));
    assert_eq!(names("agencies", "code").await, json!(["METRO"]));

    let change = async |id: UserId, permissions: Value| {
        let path = format!("/api/v1/iam/users/{id}");
        let body = json!({
            "revision": 1, "login": "mona", "display_name": "Mona", "agency": "METRO",
            "roles": ["operator"], "permissions": permissions,
        });
        let answer = chief.send(Method::PUT, &path, Some(&body), &[]).await;
        (
            answer.status.as_u16(),
            answer.code().to_owned(),
            answer.body,
        )
    };
    let (status, code, _) = change(badr, json!([])).await;
    assert_eq!((status, code.as_str()), (404, "not_found"));
    let (status, code, _) = change(mona, json!(["camera:BUS:view"])).await;
    assert_eq!((status, code.as_str()), (403, "more_than_own"));
    let (status, _, body) = change(mona, json!(["camera:own:export", "!camera:own:ptz"])).await;
    assert_eq!(status, 200, "{body:?}");
    assert_eq!(
        body["effective_permissions"],
        json!([
            "camera:METRO:export",
            "camera:METRO:playback",
            "camera:METRO:view",
            "!camera:METRO:ptz"
        ])
    );
    let (status, code, _) = change(mona, json!([])).await;
    assert_eq!((status, code.as_str()), (409, "conflict"), "seen too early");
}

#[tokio::test]
async fn a_disabled_person_is_out_at_once_and_stays_out() {
    let world = World::start().await;
    let admin = world.admin().await;
    let (things, _work) = things(&world, &admin).await;
    let metro = json!({ "agency": "METRO" });
    let path = things.camera_path("");
    admin.send(Method::PATCH, &path, Some(&metro), &[]).await;
    let mona = world.person("mona", "METRO", "operator").await;
    let browser = world.signed_in("mona", PASSWORD).await;
    let order = json!({ "camera_id": things.camera, "live": true });
    let playback = browser.post("/api/v1/playback/prepare", &order).await;
    let status = async |status: &str| {
        let path = format!("/api/v1/iam/users/{mona}/status");
        let body = json!({ "status": status });
        let answer = admin.send(Method::PATCH, &path, Some(&body), &[]).await;
        assert_eq!(answer.body["status"], json!(status), "{:?}", answer.body);
    };
    status("DISABLED").await;
    let playlist = playback.body["playlist_url"].as_str().unwrap();
    for path in ["/api/v1/session", playlist, path.as_str()] {
        assert_eq!(browser.get(path).await.status, 401, "{path}");
    }
    let refused = world.nobody().sign_in("mona", PASSWORD).await;
    assert_eq!(refused.code(), "wrong_credentials");
    status("ACTIVE").await;
    assert_eq!(browser.get("/api/v1/session").await.status, 401);
    world.signed_in("mona", PASSWORD).await;
}

/// A camera with footage, its agent, and a playback of it by the administrator.
async fn things(world: &World, admin: &Browser) -> (Things, Work) {
    let peer = Peer::enrolled(world, "Depot").await;
    let start = SystemClock::new().wall() - std::time::Duration::from_secs(10);
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
    let range = meta.wall_range().unwrap();
    let order = json!({
        "camera_id": gate.id,
        "from": range.start().to_rfc3339(),
        "to": range.end().to_rfc3339(),
    });
    let playback = admin.post("/api/v1/playback/prepare", &order).await;
    assert_eq!(playback.status, 201, "{:?}", playback.body);
    let things = Things {
        camera: gate.id,
        playback: playback.body["id"].as_str().unwrap().parse().unwrap(),
    };
    (things, work)
}

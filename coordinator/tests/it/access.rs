//! Who may do what, over every operation of the API: nobody signed in, somebody of another agency,
//! and ids that name nothing. An operation without a row here fails the test.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};
use shared::clock::{Clock as _, SystemClock};
use shared::id::{AgentId, CameraId, PlaybackId};
use shared::testing::SegmentBuilder;

use crate::peer::{Peer, Work, camera};
use crate::world::{Browser, World};

/// What one operation answers to those who should not get through.
struct Row {
    operation: &'static str,
    method: Method,
    path: fn(&Things) -> String,
    body: Option<fn(&Things) -> Value>,
    /// Nobody signed in.
    nobody: u16,
    /// An operator of an agency that none of the things belongs to.
    foreign: u16,
    /// The administrator, asking for what does not exist.
    unknown: Option<u16>,
}

/// What paths and bodies name.
struct Things {
    camera: CameraId,
    agent: AgentId,
    playback: PlaybackId,
    /// Path and query of a segment as the playlist has it, relative to the playback.
    segment: String,
}

impl Things {
    fn camera_path(&self, rest: &str) -> String {
        format!("/api/v1/cameras/{}{rest}", self.camera)
    }

    fn playback_path(&self, rest: &str) -> String {
        format!("/api/v1/playback/{}{rest}", self.playback)
    }
}

const HOUR: &str = "from=2026-03-01T14:00:00Z&to=2026-03-01T15:00:00Z";

fn table() -> Vec<Row> {
    let row = |operation, method, path: fn(&Things) -> String| Row {
        operation,
        method,
        path,
        body: None,
        nobody: 401,
        foreign: 404,
        unknown: Some(404),
    };
    let public = |operation, path: fn(&Things) -> String| Row {
        nobody: 200,
        foreign: 200,
        unknown: None,
        ..row(operation, Method::GET, path)
    };
    vec![
        Row {
            body: Some(|_| json!({ "login": "admin", "password": "wrong" })),
            foreign: 401,
            unknown: None,
            ..row("sign_in", Method::POST, |_| "/api/v1/session".into())
        },
        Row {
            foreign: 200,
            unknown: None,
            ..row("get_session", Method::GET, |_| "/api/v1/session".into())
        },
        Row {
            foreign: 204,
            unknown: None,
            ..row("sign_out", Method::DELETE, |_| "/api/v1/session".into())
        },
        // Lists are of what one may see; that they are empty for others is tested below.
        Row {
            foreign: 200,
            unknown: None,
            ..row("list_sites", Method::GET, |_| "/api/v1/sites".into())
        },
        Row {
            foreign: 200,
            unknown: None,
            ..row("list_cameras", Method::GET, |_| "/api/v1/cameras".into())
        },
        Row {
            foreign: 403,
            unknown: None,
            ..row("list_agents", Method::GET, |_| "/api/v1/agents".into())
        },
        Row {
            body: Some(|_| json!({ "site_name": "Depot" })),
            foreign: 403,
            unknown: None,
            ..row("create_invite", Method::POST, |_| {
                "/api/v1/agents/invites".into()
            })
        },
        Row {
            foreign: 403,
            ..row("revoke_agent", Method::POST, |things| {
                format!("/api/v1/agents/{}/revoke", things.agent)
            })
        },
        row("get_camera", Method::GET, |things| things.camera_path("")),
        Row {
            body: Some(|_| json!({ "display_name": "mine" })),
            ..row("change_camera", Method::PATCH, |things| {
                things.camera_path("")
            })
        },
        row("restart_camera", Method::POST, |things| {
            things.camera_path("/restart")
        }),
        Row {
            body: Some(|_| json!({})),
            ..row("probe_camera", Method::POST, |things| {
                things.camera_path("/probe")
            })
        },
        row("get_timeline", Method::GET, |things| {
            things.camera_path(&format!("/timeline?{HOUR}"))
        }),
        Row {
            body: Some(|things| json!({ "camera_id": things.camera, "live": true })),
            ..row("prepare_playback", Method::POST, |_| {
                "/api/v1/playback/prepare".into()
            })
        },
        row("get_playback", Method::GET, |things| {
            things.playback_path("")
        }),
        row("get_playlist", Method::GET, |things| {
            things.playback_path("/playlist.m3u8")
        }),
        // A signature is good for whoever holds it; without one nobody gets anything.
        Row {
            foreign: 403,
            unknown: Some(403),
            ..row("get_segment", Method::GET, |things| {
                let unsigned = things.segment.split('?').next().unwrap();
                things.playback_path(&format!("/{unsigned}"))
            })
        },
        Row {
            foreign: 403,
            unknown: None,
            ..row("get_storage_stats", Method::GET, |_| {
                "/api/v1/storage/stats".into()
            })
        },
        public("get_openapi", |_| "/api/v1/openapi.json".into()),
        public("list_errors", |_| "/api/v1/errors".into()),
        public("healthz", |_| "/healthz".into()),
        public("readyz", |_| "/readyz".into()),
        public("metrics", |_| "/metrics".into()),
    ]
}

#[tokio::test]
async fn every_operation_refuses_those_it_should() {
    let world = World::start().await;
    let admin = world.admin().await;
    let (things, _work) = things(&world, &admin).await;
    let nothing = Things {
        camera: CameraId::new(SystemClock::new().wall()),
        agent: AgentId::new(SystemClock::new().wall()),
        playback: PlaybackId::new(SystemClock::new().wall()),
        segment: things.segment.clone(),
    };
    for row in table() {
        let nobody = ask(&world.nobody(), &row, &things).await;
        assert_eq!(nobody, row.nobody, "{} as nobody", row.operation);
        if let Some(expected) = row.unknown {
            let unknown = ask(&admin, &row, &nothing).await;
            assert_eq!(unknown, expected, "{} of nothing", row.operation);
        }
    }
    // Signed in once, because signing out is among the operations.
    let foreign = world.operator("METRO").await;
    let (last, rows): (Vec<_>, Vec<_>) = table()
        .into_iter()
        .partition(|row| row.operation == "sign_out");
    for row in rows.iter().chain(&last) {
        let answer = ask(&foreign, row, &things).await;
        assert_eq!(
            answer, row.foreign,
            "{} as a foreign operator",
            row.operation
        );
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

#[test]
fn no_operation_is_forgotten() {
    let document: Value = serde_json::from_str(include_str!("../../openapi.json")).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let described: BTreeSet<&str> = paths
        .values()
        .flat_map(|methods| methods.as_object().unwrap().values())
        .map(|operation| operation["operationId"].as_str().unwrap())
        .collect();
    let table = table();
    let tested: BTreeSet<&str> = table.iter().map(|row| row.operation).collect();
    assert_eq!(tested, described);
    assert_eq!(table.len(), tested.len(), "a row stands twice");
}

async fn ask(browser: &Browser, row: &Row, things: &Things) -> u16 {
    let body = row.body.map(|body| body(things));
    let answer = browser
        .send(row.method.clone(), &(row.path)(things), body.as_ref(), &[])
        .await;
    if answer.status.is_client_error() {
        let error = &answer.body["error"];
        for field in ["message_en", "message_ar", "correlation_id"] {
            assert!(
                error[field].is_string(),
                "{}: {:?}",
                row.operation,
                answer.body
            );
        }
    }
    answer.status.as_u16()
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
    let playlist = admin
        .get(playback.body["playlist_url"].as_str().unwrap())
        .await;
    let text = String::from_utf8(playlist.bytes.to_vec()).unwrap();
    let segment = text
        .lines()
        .find(|line| line.starts_with("segments/"))
        .unwrap();
    let things = Things {
        camera: gate.id,
        agent: peer.id,
        playback: playback.body["id"].as_str().unwrap().parse().unwrap(),
        segment: segment.to_owned(),
    };
    (things, work)
}

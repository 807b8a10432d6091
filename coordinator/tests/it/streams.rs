//! Streams: who may have how many, and what is told of it without being asked.

use std::net::SocketAddr;
use std::sync::Arc;

use cctv_coordinator::config::{Config, WhenLost};
use futures::{SinkExt as _, StreamExt as _};
use reqwest::Method;
use serde_json::{Value, json};
use shared::clock::{Clock as _, SystemClock};
use shared::id::{CameraId, ReservationId};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use crate::peer::{Peer, Work, camera};
use crate::world::{Answer, Browser, LIMIT, PASSWORD, World, until};

/// An administrator, an agent that stays connected, and a camera of METRO.
struct Scene {
    world: World,
    admin: Browser,
    camera: CameraId,
    work: Work,
}

impl Scene {
    async fn make() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let world = World::start_with(Arc::new(SystemClock::new()), change).await;
        let admin = world.admin().await;
        let peer = Peer::enrolled(&world, "Depot").await;
        let gate = camera("gate", SystemClock::new().wall());
        let work = peer.connect(&world, std::slice::from_ref(&gate)).await;
        let path = format!("/api/v1/cameras/{}", gate.id);
        let metro = json!({ "agency": "METRO" });
        until("the camera", async || {
            let moved = admin.send(Method::PATCH, &path, Some(&metro), &[]).await;
            (moved.status == 200).then_some(())
        })
        .await;
        Self {
            world,
            admin,
            camera: gate.id,
            work,
        }
    }

    async fn reserve(&self, by: &Browser, tier: &str, id: Option<ReservationId>) -> Answer {
        let mut order = json!({ "camera_id": self.camera, "tier": tier });
        if let Some(id) = id {
            order["reservation_id"] = json!(id);
        }
        by.post("/api/v1/stream/reserve", &order).await
    }

    async fn limit(&self, agency: &str, full: i64, reduced: i64) -> Answer {
        let path = format!("/api/v1/stream/limits/{agency}");
        let limit = json!({ "full": full, "reduced": reduced, "offers_reduced": true });
        self.admin.send(Method::PUT, &path, Some(&limit), &[]).await
    }

    /// Entries of one kind, once there is any.
    async fn audited(&self, what: &str) -> Value {
        until(what, async || {
            let found = self.admin.get(&format!("/api/v1/audit?what={what}")).await;
            found.body["items"].get(0).cloned()
        })
        .await
    }
}

fn id_of(reserved: &Answer) -> String {
    assert_eq!(reserved.status, 201, "{:?}", reserved.body);
    reserved.body["reservation_id"].as_str().unwrap().to_owned()
}

async fn keep(by: &Browser, id: &str) -> u16 {
    let path = format!("/api/v1/stream/heartbeat/{id}");
    by.send(Method::POST, &path, None, &[])
        .await
        .status
        .as_u16()
}

async fn release(by: &Browser, id: &str) -> u16 {
    let path = format!("/api/v1/stream/release/{id}");
    by.send(Method::DELETE, &path, None, &[])
        .await
        .status
        .as_u16()
}

#[tokio::test]
async fn a_stream_is_reserved_within_the_limit_and_nobody_touches_that_of_another() {
    let scene = Scene::make().await;
    let metro = scene.world.operator("METRO").await;
    scene.world.person("colleague", "METRO", "operator").await;
    let colleague = scene.world.signed_in("colleague", PASSWORD).await;
    assert_eq!(scene.limit("METRO", 1, 1).await.status, 200);

    let chosen = ReservationId::new(SystemClock::new().wall());
    // Twice, as after an answer that was lost.
    for _ in 0..2 {
        let reserved = scene.reserve(&metro, "FULL", Some(chosen)).await;
        assert_eq!(id_of(&reserved), chosen.to_string());
        let body = &reserved.body;
        assert_eq!((&body["current"], &body["limit"]), (&json!(1), &json!(1)));
        assert_eq!(
            (&body["agency"], &body["ttl_s"]),
            (&json!("METRO"), &json!(30))
        );
    }
    let refused = scene.reserve(&colleague, "FULL", None).await;
    assert_eq!(
        (refused.status.as_u16(), refused.code()),
        (429, "stream_limit_reached")
    );
    let error = &refused.body["error"];
    assert_eq!((&error["current"], &error["limit"]), (&json!(1), &json!(1)));
    assert_eq!(
        (&error["bound"], &error["agency"]),
        (&json!("AGENCY"), &json!("METRO"))
    );
    assert_eq!(error["offer"], "REDUCED");
    assert!(error["message_en"].is_string() && error["message_ar"].is_string());
    let reduced = id_of(&scene.reserve(&colleague, "REDUCED", None).await);
    let refused = scene.reserve(&colleague, "FULL", None).await;
    assert!(
        refused.body["error"]["offer"].is_null(),
        "{:?}",
        refused.body
    );
    assert_eq!(
        scene.audited("stream_refused").await["object"],
        json!(scene.camera)
    );

    // Somebody else's: as if it did not exist, and noted.
    let taken = scene.reserve(&colleague, "FULL", Some(chosen)).await;
    assert_eq!((taken.status.as_u16(), taken.code()), (409, "taken"));
    let chosen = chosen.to_string();
    assert_eq!(keep(&colleague, &chosen).await, 404);
    assert_eq!(release(&colleague, &chosen).await, 404);
    let noted = scene.audited("stream_tampered").await;
    assert_eq!(
        (&noted["object"], &noted["agency"]),
        (&json!(chosen), &json!("METRO"))
    );
    let stats = metro.get("/api/v1/stream/stats").await.body;
    assert_eq!(stats["agencies"].as_array().unwrap().len(), 1);
    assert_eq!(
        stats["agencies"][0]["full"],
        json!({ "current": 1, "limit": 1 })
    );
    assert_eq!(stats["total"]["reduced"]["current"], 1);

    assert_eq!(keep(&metro, &chosen).await, 200);
    assert_eq!(release(&metro, &chosen).await, 204);
    assert_eq!(release(&metro, &chosen).await, 404);
    assert_eq!(keep(&metro, &chosen).await, 404);
    assert_eq!(release(&colleague, &reduced).await, 204);
    id_of(&scene.reserve(&colleague, "FULL", None).await);
}

#[tokio::test]
async fn limits_end_nothing_that_runs_and_outlive_the_coordinator() {
    let scene = Scene::make().await;
    let metro = scene.world.operator("METRO").await;
    let running = id_of(&scene.reserve(&metro, "FULL", None).await);
    assert_eq!(scene.limit("METRO", 0, 7).await.status, 200);
    // Below what runs: it goes on, and nothing begins.
    assert_eq!(keep(&metro, &running).await, 200);
    let refused = scene.reserve(&metro, "FULL", None).await;
    let error = &refused.body["error"];
    assert_eq!((&error["current"], &error["limit"]), (&json!(1), &json!(0)));
    assert_eq!(
        scene.audited("stream_limits_changed").await["object"],
        "METRO"
    );

    let unknown = scene.limit("NOWHERE", 1, 1).await;
    assert_eq!(
        (unknown.status.as_u16(), unknown.code()),
        (404, "not_found")
    );
    for (full, reduced) in [(-1, 1), (1, 100_001), (i64::MAX, 1)] {
        let bad = scene.limit("METRO", full, reduced).await;
        assert_eq!(bad.status, 422, "{full} {reduced}: {:?}", bad.body);
    }
    let total = json!({ "full": 123, "reduced": 45 });
    let set = scene
        .admin
        .send(Method::PUT, "/api/v1/stream/limits", Some(&total), &[]);
    assert_eq!(set.await.status, 200);
    let order = json!({ "camera_id": scene.camera, "tier": "HUGE" });
    let bad = metro.post("/api/v1/stream/reserve", &order).await;
    assert_eq!((bad.status.as_u16(), bad.code()), (422, "invalid_value"));
    let taxi = scene.world.operator("BUS").await;
    assert_eq!(scene.reserve(&taxi, "FULL", None).await.status, 404);

    let Scene { world, admin, .. } = scene;
    drop(admin);
    let world = world.restart(Arc::new(SystemClock::new())).await;
    let limits = world.admin().await.get("/api/v1/stream/limits").await.body;
    assert_eq!(limits["total"], total);
    let mut agencies = limits["agencies"].as_array().unwrap().iter();
    let metro = agencies.find(|limit| limit["agency"] == "METRO").unwrap();
    assert_eq!((&metro["full"], &metro["reduced"]), (&json!(0), &json!(7)));
}

type Socket = WebSocketStream<TcpStream>;

async fn cookie(world: &World, login: &str) -> String {
    let signed_in = world.nobody().sign_in(login, PASSWORD).await;
    let cookie = signed_in.header("set-cookie").split(';').next().unwrap();
    cookie.to_owned()
}

async fn listen(address: SocketAddr, path: &str, cookie: &str) -> Socket {
    let mut request = format!("ws://{address}{path}")
        .into_client_request()
        .unwrap();
    for (name, value) in [("cookie", cookie), ("x-requested-with", "cctv")] {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    let stream = TcpStream::connect(address).await.unwrap();
    let (socket, _) = tokio_tungstenite::client_async(request, stream)
        .await
        .unwrap();
    socket
}

/// The next message; `None` with the code when it is closed.
async fn next(socket: &mut Socket) -> Result<Value, u16> {
    loop {
        match timeout(LIMIT, socket.next())
            .await
            .expect("nothing is said")
        {
            Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).unwrap()),
            Some(Ok(Message::Close(frame))) => return Err(frame.map_or(0, |it| it.code.into())),
            Some(Ok(_)) => {}
            None | Some(Err(_)) => return Err(0),
        }
    }
}

/// The first message that is right, and all before it.
async fn hear(socket: &mut Socket, right: impl Fn(&Value) -> bool) -> (Value, Vec<Value>) {
    let mut before = Vec::new();
    loop {
        let message = next(socket).await.expect("it was closed");
        if right(&message) {
            return (message, before);
        }
        before.push(message);
        assert!(before.len() < 1_000, "{before:?}");
    }
}

fn is(kind: &'static str) -> impl Fn(&Value) -> bool {
    move |message| message["type"] == kind
}

fn limit_of(agency: &'static str) -> impl Fn(&Value) -> bool {
    move |message| message["type"] == "AGENCY_LIMIT_UPDATE" && message["agency"] == agency
}

#[tokio::test]
async fn the_hub_tells_everybody_what_they_may_see_also_after_a_while_away() {
    let mut scene = Scene::make().await;
    let metro = scene.world.operator("METRO").await;
    scene.world.person("bus", "BUS", "operator").await;
    let (http, world) = (scene.world.http, &scene.world);
    let (own, other) = (
        cookie(world, "operator-metro").await,
        cookie(world, "bus").await,
    );
    let mut hub = listen(http, "/ws", &own).await;
    let mut foreign = listen(http, "/ws", &other).await;
    let mut stats = listen(http, "/ws/stream/stats", &own).await;
    let hello = next(&mut hub).await.unwrap();
    assert_eq!(hello["type"], "HELLO");
    let only_own = |message: &Value, agency: &str| {
        let agencies = message["agencies"].as_array().unwrap();
        assert_eq!(agencies.len(), 1, "{message}");
        assert_eq!(agencies[0]["agency"], agency);
    };
    let (first, _) = hear(&mut hub, is("STREAM_STATS")).await;
    only_own(&first, "METRO");
    only_own(&next(&mut stats).await.unwrap(), "METRO");

    // One of one is more than 95 %.
    scene.limit("METRO", 1, 1).await;
    let reserved = id_of(&scene.reserve(&metro, "FULL", None).await);
    let (limit, _) = hear(&mut hub, limit_of("METRO")).await;
    assert_eq!(
        (&limit["full"], &limit["offers_reduced"]),
        (&json!(1), &json!(true))
    );
    let (alert, before) = hear(&mut hub, is("ALERT")).await;
    assert_eq!(
        (&alert["raised"], &alert["agency"]),
        (&json!(true), &json!("METRO"))
    );
    assert_eq!(
        (&alert["tier"], &alert["about"]),
        (&json!("FULL"), &json!("AGENCY_STREAMS"))
    );
    assert_eq!(alert["usage"], json!({ "current": 1, "limit": 1 }));
    assert!(alert["message_ar"].is_string());
    let numbers = before
        .iter()
        .map(|message| message["seq"].as_u64().unwrap());
    assert!(numbers.chain(alert["seq"].as_u64()).is_sorted());
    let full = |message: &Value| message["agencies"][0]["full"]["current"] == 1;
    hear(&mut stats, full).await;

    // How the camera is doing.
    let state = |state: &'static str| {
        move |message: &Value| message["type"] == "CAMERA_STATUS" && message["state"] == state
    };
    scene
        .work
        .heartbeat(scene.camera, SystemClock::new().wall())
        .await
        .unwrap();
    let (news, _) = hear(&mut hub, state("live")).await;
    assert_eq!(news["camera_id"], json!(scene.camera));

    // Away while the stream ends and the agent goes.
    let (away_from, hub_id) = (news["seq"].clone(), hello["hub"].clone());
    drop(hub);
    assert_eq!(release(&metro, &reserved).await, 204);
    scene.work.connection.close(0_u32.into(), b"");
    hear(&mut stats, |message| {
        message["agencies"][0]["full"]["current"] == 0
    })
    .await;
    let mut hub = listen(http, "/ws", &own).await;
    let resume = json!({ "type": "RESUME", "after": away_from, "hub": hub_id });
    hub.send(Message::text(resume.to_string())).await.unwrap();
    let mut missing = vec!["cleared", "offline"];
    while !missing.is_empty() {
        let message = next(&mut hub).await.unwrap();
        let about = match message["type"].as_str().unwrap() {
            "ALERT" if message["raised"] == false => "cleared",
            "CAMERA_STATUS" if message["state"] == "offline" => "offline",
            _ => continue,
        };
        missing.retain(|other| *other != about);
    }

    // Whoever belongs elsewhere has heard nothing of all this.
    scene.limit("BUS", 3, 3).await;
    let (_, before) = hear(&mut foreign, limit_of("BUS")).await;
    for message in before {
        match message["type"].as_str().unwrap() {
            "HELLO" => {}
            "STREAM_STATS" => only_own(&message, "BUS"),
            other => panic!("{other}: {message}"),
        }
    }
}

#[tokio::test]
async fn whoever_may_see_more_hears_it_without_asking() {
    let scene = Scene::make().await;
    let person = scene.world.person("promoted", "METRO", "operator").await;
    let cookie = cookie(&scene.world, "promoted").await;
    let mut stats = listen(scene.world.http, "/ws/stream/stats", &cookie).await;
    let agencies = |message: &Value| message["agencies"].as_array().unwrap().len();
    assert_eq!(agencies(&next(&mut stats).await.unwrap()), 1);
    let path = format!("/api/v1/iam/users/{person}");
    let change = json!({
        "revision": scene.admin.get(&path).await.body["revision"],
        "login": "promoted",
        "display_name": "Somebody",
        "agency": "METRO",
        "roles": ["administrator"],
    });
    let changed = scene
        .admin
        .send(Method::PUT, &path, Some(&change), &[])
        .await;
    assert_eq!(changed.status, 200, "{:?}", changed.body);
    hear(&mut stats, |message| agencies(message) == 4).await;
}

#[tokio::test]
async fn a_client_that_floods_the_hub_is_shown_out_and_nobody_else() {
    let scene = Scene::make().await;
    scene.world.person("flood", "METRO", "operator").await;
    scene.world.person("quiet", "METRO", "operator").await;
    let http = scene.world.http;
    let mut flood = listen(http, "/ws", &cookie(&scene.world, "flood").await).await;
    let mut quiet = listen(http, "/ws", &cookie(&scene.world, "quiet").await).await;
    let resume = json!({ "type": "RESUME", "after": 0, "hub": "another" }).to_string();
    let flooding = async {
        for _ in 0..10_000 {
            if flood.send(Message::text(resume.clone())).await.is_err() {
                break;
            }
        }
        while next(&mut flood).await.is_ok() {}
    };
    timeout(LIMIT, flooding).await.expect("it is still open");
    scene.audited("rate_limited").await;
    // Nonsense in small doses is not looked at.
    for nonsense in [
        "{",
        "[]",
        "{\"type\":\"RESUME\"}",
        "{\"type\":\"RESUME\",\"after\":-1,\"hub\":7}",
    ] {
        quiet.send(Message::text(nonsense)).await.unwrap();
    }
    let far = json!({ "type": "RESUME", "after": u64::MAX, "hub": "x" });
    quiet.send(Message::text(far.to_string())).await.unwrap();
    scene.limit("METRO", 5, 5).await;
    hear(&mut quiet, limit_of("METRO")).await;
    timeout(LIMIT, quiet.close(None)).await.unwrap().unwrap();
}

#[tokio::test]
async fn while_the_server_is_gone_nothing_begins_unless_the_settings_say_so() {
    // Nobody listens there.
    let gone = |config: &mut Config| {
        config.valkey.url = "valkey://127.0.0.1:1".to_owned().try_into().unwrap();
    };
    let scene = Scene::with(gone).await;
    let metro = scene.world.operator("METRO").await;
    let refused = scene.reserve(&metro, "FULL", None).await;
    assert_eq!(
        (refused.status.as_u16(), refused.code()),
        (503, "quota_unavailable")
    );
    assert_eq!(refused.header("retry-after"), "2");
    scene.world.person("chief", "METRO", "administrator").await;
    let chief = cookie(&scene.world, "chief").await;
    let mut hub = listen(scene.world.http, "/ws", &chief).await;
    let (alert, _) = hear(&mut hub, is("ALERT")).await;
    assert_eq!(
        (&alert["about"], &alert["raised"]),
        (&json!("QUOTA_SERVER"), &json!(true))
    );
    until("the metric", async || {
        let page = scene.world.nobody().get("/metrics").await;
        let page = String::from_utf8(page.bytes.to_vec()).unwrap();
        page.contains("cctv_coordinator_stream_quota_server_lost 1")
            .then_some(())
    })
    .await;

    let scene = Scene::with(|config| {
        gone(config);
        config.quotas.when_lost = WhenLost::CountOwn;
    })
    .await;
    scene.limit("METRO", 1, 1).await;
    let metro = scene.world.operator("METRO").await;
    id_of(&scene.reserve(&metro, "FULL", None).await);
    assert_eq!(scene.reserve(&metro, "FULL", None).await.status, 429);
}

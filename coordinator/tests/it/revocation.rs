//! What somebody has open ends when they may no longer have it, whichever door that comes through.

use std::net::SocketAddr;
use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use reqwest::Method;
use serde_json::{Value, json};
use shared::clock::{Clock as _, SystemClock};
use shared::id::UserId;
use shared::testing::SegmentBuilder;
use shared::wire::StreamHeader;
use shared::wire::segment::FetchAnswer;
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{self, Message};

use crate::iam_events;
use crate::peer::{Peer, Work, camera};
use crate::world::{Browser, LIMIT, PASSWORD, World, until};

/// Within which everything ends.
const PROMISE: Duration = Duration::from_secs(2);

type Hub = WebSocketStream<TcpStream>;

/// A camera of METRO whose agent begins to send footage and never goes on.
struct Scene {
    order: Value,
    _work: Work,
}

impl Scene {
    async fn make(world: &World, admin: &Browser) -> Self {
        let peer = Peer::enrolled(world, "Depot").await;
        let start = SystemClock::new().wall() - Duration::from_secs(60);
        let gate = camera("gate", start);
        let mut work = peer.connect(world, std::slice::from_ref(&gate)).await;
        let mut builder = SegmentBuilder::new(start);
        builder.camera = gate.id;
        let segment = builder.build();
        let meta = peer.sign(&segment);
        work.report_segments(1, std::slice::from_ref(&meta))
            .await
            .unwrap();
        let path = format!("/api/v1/cameras/{}", gate.id);
        let metro = json!({ "agency": "METRO" });
        let moved = admin.send(Method::PATCH, &path, Some(&metro), &[]);
        assert_eq!(moved.await.status, 200);
        let (file, first) = (segment.bytes.clone(), meta.fragments[0].clone());
        let connection = work.connection.clone();
        tokio::spawn(async move {
            let mut open = Vec::new();
            while let Ok((mut send, mut receive)) = connection.accept_bi().await {
                let Ok(StreamHeader::Fetch(request)) = crate::peer::read(&mut receive).await else {
                    continue;
                };
                let length = request.end - request.start;
                crate::peer::write(&mut send, &FetchAnswer::Bytes { length })
                    .await
                    .unwrap();
                let end = usize::try_from(first.offset + u64::from(first.length)).unwrap();
                let start = usize::try_from(request.start).unwrap();
                send.write_chunk(file.slice(start..end.max(start)))
                    .await
                    .unwrap();
                open.push((send, receive));
            }
        });
        let range = meta.wall_range().unwrap();
        let order = json!({
            "camera_id": gate.id,
            "from": range.start().to_rfc3339(),
            "to": range.end().to_rfc3339(),
        });
        Self { order, _work: work }
    }
}

/// Somebody of METRO who has everything open that one can have open.
struct Watching {
    id: UserId,
    login: String,
    browser: Browser,
    playlist: String,
    footage: reqwest::Response,
    hub: Hub,
}

impl Watching {
    async fn begin(world: &World, scene: &Scene, login: &str) -> Self {
        let id = world.person(login, "METRO", "operator").await;
        let browser = world.nobody();
        let signed_in = browser.sign_in(login, PASSWORD).await;
        let cookie = signed_in.header("set-cookie").split(';').next().unwrap();
        let playback = browser.post("/api/v1/playback/prepare", &scene.order).await;
        let playlist = playback.body["playlist_url"].as_str().unwrap().to_owned();
        let text = browser.get(&playlist).await.bytes;
        let text = String::from_utf8(text.to_vec()).unwrap();
        let segment = text.lines().find(|line| line.starts_with("segments/"));
        let segment = playlist.replace("playlist.m3u8", segment.unwrap());
        // From the first fragment on, which comes; the others do not.
        let mut footage = browser.open(&segment, cookie, "bytes=0-").await;
        assert_eq!(footage.status(), 206);
        assert!(!footage.chunk().await.unwrap().unwrap().is_empty());
        let mut hub = listen(world.http, cookie).await.unwrap();
        assert_eq!(said(&mut hub).await["type"], "HELLO");
        Self {
            id,
            login: login.to_owned(),
            browser,
            playlist,
            footage,
            hub,
        }
    }

    /// Whatever is still to come comes within the time, and nothing can be asked any more.
    async fn ends(mut self, since: Instant) {
        let left = || PROMISE.saturating_sub(since.elapsed());
        let broken = async { while let Ok(Some(_)) = self.footage.chunk().await {} };
        timeout(left(), broken)
            .await
            .unwrap_or_else(|_| panic!("{}: footage still runs", self.login));
        let last = timeout(left(), said(&mut self.hub)).await;
        let last = last.unwrap_or_else(|_| panic!("{}: the WebSocket is open", self.login));
        assert_eq!(last["type"], "SESSION_ENDED", "{last}");
        for language in ["message_en", "message_ar"] {
            assert!(!last[language].as_str().unwrap().is_empty());
        }
        let closed = timeout(LIMIT, self.hub.next()).await.unwrap();
        let Some(Ok(Message::Close(Some(frame)))) = closed else {
            panic!("{closed:?}")
        };
        assert_eq!(u16::from(frame.code), 4401);
        for path in [self.playlist.as_str(), "/api/v1/session"] {
            assert_eq!(self.browser.get(path).await.status, 401, "{path}");
        }
    }
}

/// Opens the WebSocket with a cookie, from no page.
async fn listen(address: SocketAddr, cookie: &str) -> Result<Hub, tungstenite::Error> {
    open(address, &[("cookie", cookie), ("x-requested-with", "cctv")]).await
}

async fn open(
    address: SocketAddr,
    headers: &[(&'static str, &str)],
) -> Result<Hub, tungstenite::Error> {
    let mut request = format!("ws://{address}/ws").into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    let stream = TcpStream::connect(address).await.unwrap();
    let (hub, _) = tokio_tungstenite::client_async(request, stream).await?;
    Ok(hub)
}

/// The next message about access; those with a number are about other things.
async fn said(hub: &mut Hub) -> Value {
    loop {
        match timeout(LIMIT, hub.next()).await.unwrap() {
            Some(Ok(Message::Text(text))) => {
                let message: Value = serde_json::from_str(&text).unwrap();
                if message["seq"].is_null() {
                    return message;
                }
            }
            Some(Ok(Message::Ping(_))) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn what_somebody_has_open_ends_through_every_door() {
    let world = iam_events::world().await;
    let admin = world.admin().await;
    let scene = Scene::make(&world, &admin).await;
    let user = |watching: &Watching| format!("/api/v1/iam/users/{}", watching.id);
    let send = async |method: Method, path: String, body: Option<Value>| {
        let answer = admin.send(method, &path, body.as_ref(), &[]).await;
        assert!(answer.status.is_success(), "{path}: {:?}", answer.body);
    };

    let watching = Watching::begin(&world, &scene, "disabled-by-api").await;
    let disabled = json!({ "status": "DISABLED" });
    let path = format!("{}/status", user(&watching));
    send(Method::PATCH, path, Some(disabled)).await;
    watching.ends(Instant::now()).await;

    let watching = Watching::begin(&world, &scene, "thrown-out-by-api").await;
    let path = format!("{}/sessions", user(&watching));
    send(Method::DELETE, path, None).await;
    watching.ends(Instant::now()).await;

    let watching = Watching::begin(&world, &scene, "signs-out").await;
    let out = watching
        .browser
        .send(Method::DELETE, "/api/v1/session", None, &[]);
    assert_eq!(out.await.status, 204);
    watching.ends(Instant::now()).await;

    for (login, event) in [
        ("disabled-by-iam", "USER_DISABLED"),
        ("regrouped-by-iam", "GROUP_CHANGED"),
    ] {
        let watching = Watching::begin(&world, &scene, login).await;
        let answer = iam_events::tell(&world, login, event, login).await;
        assert_eq!(answer.body["outcome"], "applied", "{:?}", answer.body);
        watching.ends(Instant::now()).await;
    }

    for (login, command) in [
        ("disabled-by-hand", "disable"),
        ("reset-by-hand", "reset-password"),
    ] {
        let watching = Watching::begin(&world, &scene, login).await;
        console(&world, &["user", command, login]).await;
        watching.ends(Instant::now()).await;
    }
}

/// A command beside the coordinator, as another process.
async fn console(world: &World, arguments: &[&str]) {
    let config = world.directory().join("console.toml");
    std::fs::write(&config, format!("data_dir = {:?}\n", world.config.data_dir)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_cctv-coordinator"));
    command.args(arguments).arg("--config").arg(&config);
    let output = timeout(LIMIT, command.output()).await.unwrap().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
}

#[tokio::test]
async fn footage_ends_with_the_permission_and_the_page_is_told() {
    let world = World::start().await;
    let admin = world.admin().await;
    let scene = Scene::make(&world, &admin).await;
    let mut watching = Watching::begin(&world, &scene, "metro").await;
    let path = format!("/api/v1/iam/users/{}", watching.id);
    let person = json!({
        "revision": admin.get(&path).await.body["revision"],
        "login": "metro",
        "display_name": "Somebody",
        "agency": "METRO",
        "roles": ["operator"],
        "permissions": ["!camera:METRO:playback"],
    });
    let changed = admin.send(Method::PUT, &path, Some(&person), &[]).await;
    assert_eq!(changed.status, 200, "{:?}", changed.body);
    let since = Instant::now();
    let broken = async { while let Ok(Some(_)) = watching.footage.chunk().await {} };
    timeout(PROMISE, broken).await.expect("footage still runs");
    let told = timeout(
        PROMISE.saturating_sub(since.elapsed()),
        said(&mut watching.hub),
    );
    let told = told.await.expect("nothing was told");
    assert_eq!(told["type"], "ACCESS_CHANGED", "{told}");
    let denied = json!("!camera:METRO:playback");
    let permissions = told["me"]["permissions"].as_array().unwrap();
    assert!(permissions.contains(&denied), "{told}");
    // They may still be here.
    assert_eq!(watching.browser.get("/api/v1/session").await.status, 200);
    assert_eq!(watching.browser.get(&watching.playlist).await.status, 403);
}

#[tokio::test]
async fn a_web_socket_is_for_somebody_signed_in_at_one_of_our_pages() {
    let world = World::start().await;
    let browser = world.nobody();
    world.person("metro", "METRO", "operator").await;
    let signed_in = browser.sign_in("metro", PASSWORD).await;
    let cookie = signed_in.header("set-cookie").split(';').next().unwrap();
    let refused = async |headers: &[(&'static str, &str)]| match open(world.http, headers).await {
        Err(tungstenite::Error::Http(answer)) => {
            let body = answer.body().clone().unwrap_or_default();
            let body: Value = serde_json::from_slice(&body).unwrap();
            let code = body["error"]["code"].as_str().unwrap().to_owned();
            (answer.status().as_u16(), code)
        }
        other => panic!("{headers:?}: {other:?}"),
    };
    let unauthenticated = (401, "unauthenticated".to_owned());
    let nobody = refused(&[("x-requested-with", "cctv")]).await;
    assert_eq!(nobody, unauthenticated);
    let cross_site = (403, "cross_site".to_owned());
    assert_eq!(refused(&[("cookie", cookie)]).await, cross_site);
    let evil = [("cookie", cookie), ("origin", "http://evil.example")];
    assert_eq!(refused(&evil).await, cross_site);

    let page = [("cookie", cookie), ("origin", world.base.as_str())];
    let mut hub = open(world.http, &page).await.unwrap();
    assert_eq!(said(&mut hub).await["type"], "HELLO");
    // What nobody asked for is not looked at, and what is too long ends the connection.
    hub.send(Message::text("{\"type\":\"FROM_THE_FUTURE\"}"))
        .await
        .unwrap();
    hub.send(Message::Ping("there?".into())).await.unwrap();
    let pong = async {
        loop {
            if let Some(Ok(Message::Pong(_))) = hub.next().await {
                return;
            }
        }
    };
    timeout(LIMIT, pong).await.unwrap();
    hub.send(Message::text("x".repeat(100_000))).await.unwrap();
    let over = async { while let Some(Ok(_)) = hub.next().await {} };
    timeout(LIMIT, over).await.unwrap();

    let plain = browser.get("/ws").await;
    assert_eq!(
        (plain.status.as_u16(), plain.code()),
        (426, "upgrade_required")
    );
}

#[tokio::test]
async fn one_person_has_their_share_of_web_sockets_and_gets_it_back() {
    let world = World::start().await;
    world.person("metro", "METRO", "operator").await;
    world.person("other", "METRO", "operator").await;
    let cookie = async |login| {
        let signed_in = world.nobody().sign_in(login, PASSWORD).await;
        signed_in
            .header("set-cookie")
            .split(';')
            .next()
            .unwrap()
            .to_owned()
    };
    let (metro, other) = (cookie("metro").await, cookie("other").await);
    let mut open = Vec::new();
    let refused = loop {
        match listen(world.http, &metro).await {
            Ok(hub) => open.push(hub),
            Err(tungstenite::Error::Http(answer)) => break answer.status().as_u16(),
            Err(error) => panic!("{error}"),
        }
        assert!(open.len() <= 64, "there is no end");
    };
    assert_eq!((refused, open.len()), (503, 64));
    listen(world.http, &other)
        .await
        .expect("others have theirs");
    open.pop();
    until("a place to be free again", async || {
        listen(world.http, &metro).await.ok()
    })
    .await;
}

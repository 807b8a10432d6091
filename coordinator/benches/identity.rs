//! What permissions cost: `cargo bench -p cctv-coordinator --bench identity`.
//!
//! A decision by somebody with fifty rules, signing and checking their tokens, and the list of five hundred cameras over HTTP from a
//! coordinator as production starts it, at five hundred requests a second.

use std::collections::BTreeSet;
use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use cctv_coordinator::app::Coordinator;
use cctv_coordinator::config::{Allowance, Bounded, Config, Limits, TcpListen};
use cctv_coordinator::domain::access::{Deed, Object, Permissions, Rule, decide};
use cctv_coordinator::domain::agency::AgencyCode;
use cctv_coordinator::services::Tokens;
use cctv_coordinator::services::tokens::claims::Bearer;
use cctv_coordinator::services::users::Profile;
use cctv_coordinator::stores::sqlite;
use reqwest::header::{COOKIE, SET_COOKIE};
use secrecy::ExposeSecret as _;
use serde_json::json;
use shared::clock::{Clock as _, SystemClock};
use shared::id::{AgentId, CameraId, InviteId, SessionId, SiteId, UserId};
use tokio_util::sync::CancellationToken;

const CAMERAS: usize = 500;
const RULES: usize = 50;
const RATE: u32 = 500;
const SECONDS: u32 = 10;
const PASSWORD: &str = "a password for measuring";

#[tokio::main]
async fn main() {
    decisions();
    camera_list().await;
}

fn show(what: &str, figure: impl std::fmt::Display) {
    eprintln!("{what:<58} {figure}");
}

/// Rules over agencies, single cameras and prohibitions, as a long-serving person collects them.
fn rules(cameras: &[CameraId]) -> Vec<Rule> {
    let agencies = (0..RULES / 2).map(|number| format!("camera:AGENCY_{number}:view"));
    let single = cameras.iter().take(RULES / 4);
    let single = single.map(|camera| format!("camera:{camera}:playback"));
    let denied = cameras.iter().skip(RULES / 4).take(RULES / 4);
    let denied = denied.map(|camera| format!("!camera:{camera}:export"));
    agencies
        .chain(single)
        .chain(denied)
        .chain([
            "camera:OTHER:view".to_owned(),
            "camera:OTHER:playback".to_owned(),
        ])
        .take(RULES + 2)
        .map(|rule| rule.parse().expect("a rule"))
        .collect()
}

fn decisions() {
    let now = SystemClock::new().wall();
    let cameras: Vec<_> = (0..CAMERAS).map(|_| CameraId::new(now)).collect();
    let other: AgencyCode = "OTHER".parse().expect("a code");
    let permissions = Permissions::new(rules(&cameras), Some(&other));
    let rounds = 2_000;
    let begun = Instant::now();
    for _ in 0..rounds {
        for id in &cameras {
            let object = Object::Camera {
                agency: &other,
                id: *id,
            };
            black_box(decide(black_box(&permissions), Deed::PlayCamera, object));
        }
    }
    let each = begun.elapsed() / (rounds * u32::try_from(CAMERAS).expect("few"));
    show("a decision with 52 rules", format!("{each:?}"));
    let rules = rules(&cameras);
    let begun = Instant::now();
    for _ in 0..1_000 {
        black_box(Permissions::new(rules.clone(), Some(&other)));
    }
    show(
        "compiling 52 rules",
        format!("{:?}", begun.elapsed() / 1_000),
    );
}

/// Of one thread, with the claims of somebody with fifty permissions.
async fn tokens(tokens: &Tokens, cameras: &[CameraId]) {
    let now = SystemClock::new().wall();
    let (user, session) = (UserId::new(now), SessionId::new(now));
    let bearer = Bearer {
        login_id: "measured".to_owned(),
        display_name: "Measured".to_owned(),
        agency: Some("OTHER".to_owned()),
        permissions: rules(cameras).iter().map(ToString::to_string).collect(),
        camera_sources: vec!["OTHER".to_owned()],
        ..Bearer::default()
    };
    let rounds = 2_000;
    let begun = Instant::now();
    let mut signed = Vec::new();
    for _ in 0..rounds {
        let token = tokens.sign(user, session, bearer.clone());
        signed.push(token.expect("a token").0);
    }
    let signing = f64::from(rounds) / begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    for token in &signed {
        let claims = tokens.check(token.expose_secret()).await;
        assert_eq!(claims.expect("a good token").sub, user);
    }
    let checking = f64::from(rounds) / begun.elapsed().as_secs_f64();
    let size = signed[0].expose_secret().len();
    show(
        &format!("tokens of {size} bytes a second: signed, checked"),
        format!("{signing:.0} {checking:.0}"),
    );
}

async fn camera_list() {
    let directory = tempfile::tempdir().expect("a directory");
    let free: SocketAddr = (Ipv4Addr::LOCALHOST, 0).into();
    let mut config = Config {
        data_dir: directory.path().join("data"),
        ..Config::default()
    };
    config.http.listen = free;
    config.http.ui_dir = directory.path().join("ui");
    config.agents.listen = free;
    config.agents.tunnel_listen = TcpListen::At(free);
    config.live.listen = free;
    config.storage.reserve_bytes = Bounded::new(0);
    unlimited(&mut config);
    let clock = Arc::new(SystemClock::new());
    let first = Coordinator::load(config.clone(), clock.clone()).await;
    drop(first.expect("a first start"));
    let cameras = seed(&config.data_dir).await;
    let coordinator = Coordinator::load(config, clock).await.expect("a start");
    let base = format!("http://{}", coordinator.http_address());
    let services = coordinator.services().clone();
    let profile = Profile {
        agency: Some("OTHER".parse().expect("a code")),
        roles: BTreeSet::new(),
        rules: rules(&cameras),
        ..Profile::new("measured", "Measured".parse().expect("a name"))
    };
    let grant = services.access.console(Deed::ManageUsers);
    let created = services
        .users
        .create(&grant, profile, Some(PASSWORD.into()));
    created.await.expect("a person");
    tokens(&services.tokens, &cameras).await;
    drop(services);
    let stop = CancellationToken::new();
    let running = tokio::spawn(coordinator.run(stop.clone()));
    let client = reqwest::Client::new();
    let answer = client
        .post(format!("{base}/api/v1/session"))
        .header("x-requested-with", "bench")
        .json(&json!({ "login": "measured", "password": PASSWORD }))
        .send()
        .await
        .expect("an answer");
    let cookie = answer.headers()[SET_COOKIE].to_str().expect("text");
    let cookie = cookie.split(';').next().expect("a cookie").to_owned();
    let url = format!("{base}/api/v1/cameras?limit=1000");
    requests(&client, &url, &cookie, CAMERAS).await;
    requests(&client, &format!("{base}/api/v1/session"), &cookie, 0).await;
    stop.cancel();
    running.await.expect("no panic").expect("an orderly end");
}

/// Sends at a fixed rate, whatever the answers take, so that a slow answer delays no other.
async fn requests(client: &reqwest::Client, url: &str, cookie: &str, cameras: usize) {
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / RATE);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
    let mut answers = Vec::new();
    let before = cpu();
    for _ in 0..RATE * SECONDS {
        ticks.tick().await;
        let due = Instant::now();
        let request = client.get(url).header(COOKIE, cookie);
        answers.push(tokio::spawn(async move {
            let answer = request.send().await.expect("an answer");
            assert_eq!(answer.status(), 200);
            (
                due.elapsed(),
                answer.bytes().await.expect("a body"),
                due.elapsed(),
            )
        }));
    }
    let mut times = Vec::new();
    let mut size = 0;
    for answer in answers {
        let (_, body, whole) = answer.await.expect("no panic");
        size = body.len();
        times.push(whole);
        if cameras > 0 {
            let listed = body.windows(9).filter(|at| *at == b"\"site_id\"").count();
            assert_eq!(listed, cameras);
        }
    }
    let busy = cpu() - before;
    times.sort_unstable();
    let at = |part: usize| times[(times.len() - 1) * part / 1_000];
    let path = url.rsplit("/api/v1").next().unwrap_or_default();
    show(
        &format!("GET {path} at {RATE}/s, {size} bytes: p50, p99, p99.9"),
        format!("{:?} {:?} {:?}", at(500), at(990), at(999)),
    );
    show(
        "  processor time a request, client and server together",
        format!("{:.0} us", busy * 1e6 / f64::from(RATE * SECONDS)),
    );
}

/// One agent with all the cameras, written as its greeting would.
async fn seed(data: &std::path::Path) -> Vec<CameraId> {
    use cctv_coordinator::domain::audit::{Entry, What, Who};
    use cctv_coordinator::stores::{Enrolment, NewInvite};
    use shared::hash::Sha256;
    use shared::segment::StreamKind;
    use shared::wire::control::CameraInfo;
    let store = sqlite::open(data).await.expect("a database");
    let now = SystemClock::new().wall();
    let entry = || Entry::new(now, Who::System, What::InviteCreated);
    let invite = NewInvite {
        id: InviteId::new(now),
        site_name: "Depot".to_owned(),
        new_site: SiteId::new(now),
        agent_name: None,
        secret: Sha256::of(b"secret"),
        created_at: now,
        created_by: None,
        expires_at: now + Duration::from_secs(60),
    };
    let invite = store
        .create_invite(invite, entry())
        .await
        .expect("an invitation");
    let agent = AgentId::new(now);
    let enrolment = Enrolment {
        invite: invite.id,
        agent,
        name: "depot-1".to_owned(),
        public_key: [7; 32],
        certificate: Sha256::of(b"certificate"),
        at: now,
    };
    store.enrol(enrolment, entry()).await.expect("an agent");
    let cameras: Vec<_> = (0..CAMERAS).map(|_| CameraId::new(now)).collect();
    let told = cameras.iter().enumerate().map(|(number, id)| CameraInfo {
        id: *id,
        name: format!("camera-{number:03}"),
        streams: vec![StreamKind::Main, StreamKind::Sub],
        recording: true,
        since: now,
    });
    let refused = store
        .tell_cameras(agent, told.collect())
        .await
        .expect("cameras");
    assert!(refused.is_empty());
    cameras
}

fn unlimited(config: &mut Config) {
    let most = Allowance::new(100_000, 100_000);
    config.limits = Limits {
        user: most,
        agency: most,
        address: most,
        media: most,
    };
}

/// Processor time of this process, in seconds.
fn cpu() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

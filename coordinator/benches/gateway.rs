//! What everything around a handler costs a request, and what counting it costs:
//! `cargo bench -p cctv-coordinator --bench gateway`.
//!
//! No sockets: the same request goes to a handler alone and to the whole router. Times are medians.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::routing::get;
use cctv_coordinator::app::Coordinator;
use cctv_coordinator::config::{Allowance, Bounded, Config, TcpListen};
use cctv_coordinator::domain::rate::{Asked, Rate};
use cctv_coordinator::http::errors;
use cctv_coordinator::http::serve::Peer;
use cctv_coordinator::services::limits::{Allowances, Asker, Limits};
use shared::clock::SystemClock;
use shared::id::UserId;
use shared::time::WallTime;
use tower::ServiceExt as _;

const RUNS: usize = 5_000;
const PATH: &str = "/api/v1/errors";
const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 40_000);

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let coordinator = coordinator(directory.path()).await;
    let bare = Router::new().route(PATH, get(errors::list_errors));
    let alone = median(&bare).await;
    let whole = median(&coordinator.router()).await;
    show("the handler alone", alone);
    show("with everything around it", whole);
    show("overhead", whole.saturating_sub(alone));
    show("counting for a user and an agency", counting().await);
}

async fn coordinator(directory: &std::path::Path) -> Coordinator {
    let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let mut config = Config {
        data_dir: directory.to_owned(),
        ..Config::default()
    };
    config.http.listen = free;
    config.agents.listen = free;
    config.agents.tunnel_listen = TcpListen::At(free);
    config.live.listen = free;
    config.limits.address = Allowance {
        per_second: Bounded::new(1_000_000),
        burst: Bounded::new(1_000_000),
    };
    let clock = Arc::new(SystemClock::new());
    let coordinator = Coordinator::load(config, clock).await;
    coordinator.expect("a coordinator in an empty directory")
}

async fn median(router: &Router) -> Duration {
    let mut times = Vec::with_capacity(RUNS);
    for run in 0..RUNS + RUNS / 10 {
        let mut request = Request::get(PATH)
            .header("host", "centre.example")
            .header("accept", "application/json")
            .body(Body::empty())
            .expect("a request");
        request.extensions_mut().insert(Peer(PEER));
        let begun = Instant::now();
        let answer = router.clone().oneshot(request).await.expect("an answer");
        assert!(answer.status().is_success());
        let body = to_bytes(answer.into_body(), 1 << 20).await;
        assert!(!body.expect("a body").is_empty());
        // The first are to warm up.
        if run >= RUNS / 10 {
            times.push(begun.elapsed());
        }
    }
    times.sort();
    times[RUNS / 2]
}

/// Of each of many.
async fn counting() -> Duration {
    const TIMES: u32 = 200_000;
    let rate = Rate::per_second(1_000_000, 1_000_000);
    let allowances = Allowances {
        user: rate,
        agency: rate,
        address: rate,
        media: rate,
    };
    let clock = Arc::new(SystemClock::new());
    let limits = Limits::new(allowances, None, clock, Arc::default());
    let agency = "METRO".parse().expect("an agency code");
    let users: Vec<_> = (0..1_000)
        .map(|_| UserId::new(WallTime::from_secs(1_790_000_000)))
        .collect();
    let begun = Instant::now();
    for user in users.iter().cycle().take(TIMES as usize) {
        let asker = Asker::User(*user, Some(&agency));
        limits
            .count(asker, Asked::Api)
            .await
            .expect("a large bucket");
    }
    begun.elapsed() / TIMES
}

fn show(what: &str, time: Duration) {
    eprintln!("{what:<40} {:.2} us", time.as_secs_f64() * 1e6);
}

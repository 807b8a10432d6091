//! Requests that are made up to get at something: paths, methods, bodies, headers.

use std::net::IpAddr;
use std::sync::Arc;

use cctv_coordinator::config::Bounded;
use reqwest::Method;
use serde_json::{Value, json};
use shared::clock::SystemClock;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::world::{LIMIT, World};

#[tokio::test]
async fn no_path_leads_out_of_the_pages() {
    let world = World::start().await;
    std::fs::write(world.directory().join("secret.txt"), "the secret").unwrap();
    for path in [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/%2e%2e%2fsecret.txt",
        "/..%5csecret.txt",
        "/assets/../../secret.txt",
        "/assets/%2e%2e/%2e%2e/secret.txt",
        "/assets/..%2f..%2fsecret.txt",
        "//secret.txt",
        "/data/authority.pem",
        "/../data/authority.pem",
        "/%00",
        "/index.html%00.txt",
        "/%ff%fe.txt",
        "/assets/",
        "/assets",
        "/.",
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        let (status, answer) = world.raw(request.as_bytes()).await;
        assert!(!answer.contains("the secret"), "{path}");
        assert!(!answer.contains("PRIVATE KEY"), "{path}");
        assert!(matches!(status, 200 | 400 | 404), "{path}: {status}");
        if status == 200 {
            assert!(answer.contains("<title>pages</title>"), "{path}: {answer}");
        }
    }
}

#[tokio::test]
async fn ids_that_are_none_and_paths_nobody_made_are_not_found() {
    let world = World::start().await;
    let admin = world.admin().await;
    let long = "a".repeat(4000);
    for path in [
        "/api/v1/cameras/1".to_owned(),
        "/api/v1/cameras/%2e%2e".to_owned(),
        "/api/v1/cameras/%00".to_owned(),
        "/api/v1/cameras/%ff".to_owned(),
        "/api/v1/cameras/00000000-0000-0000-0000-000000000000".to_owned(),
        format!("/api/v1/cameras/{long}"),
        "/api/v1/nothing".to_owned(),
        "/api".to_owned(),
        "/api/v2/session".to_owned(),
    ] {
        let answer = admin.get(&path).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (404, "not_found"),
            "{path}"
        );
    }
    let answer = admin.send(Method::PUT, "/api/v1/cameras", None, &[]).await;
    assert_eq!(answer.code(), "method_not_allowed");
}

#[tokio::test]
async fn bodies_that_are_too_large_broken_or_strange_are_refused_by_name() {
    let world = World::start().await;
    let admin = world.admin().await;
    let path = "/api/v1/agents/invites";
    let cases: [(Value, &str); 4] = [
        (
            json!({ "site_name": "x".repeat(100_000) }),
            "payload_too_large",
        ),
        (json!({ "site_name": 7 }), "invalid_value"),
        (
            json!({ "site_name": "Depot", "colour": "red" }),
            "invalid_value",
        ),
        (
            json!({ "site_name": "Depot", "valid_for_minutes": 1_000_000 }),
            "invalid_value",
        ),
    ];
    for (body, code) in cases {
        let answer = admin.post(path, &body).await;
        assert_eq!(answer.code(), code, "{:?}", answer.body);
    }
    let text = [("content-type", "text/plain")];
    let answer = admin.send(Method::POST, path, None, &text).await;
    assert_eq!(answer.code(), "unsupported_media_type");
}

#[tokio::test]
async fn a_body_without_an_announced_length_has_an_end_too() {
    let world = World::start().await;
    let chunk = format!("4000\r\n{}\r\n", "x".repeat(0x4000));
    let request = format!(
        "POST /api/v1/session HTTP/1.1\r\nhost: x\r\n\
         x-requested-with: test\r\ncontent-type: application/json\r\n\
         transfer-encoding: chunked\r\nconnection: close\r\n\r\n{}",
        chunk.repeat(64)
    );
    let (status, answer) = world.raw(request.as_bytes()).await;
    assert_eq!(status, 413, "{answer}");
}

#[tokio::test]
async fn one_request_is_one_request_to_everybody_on_the_way() {
    let world = World::start().await;
    let hidden = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    for framing in [
        "content-length: 0\r\ncontent-length: 5",
        "content-length: +0",
        "content-length: 0, 5",
        "transfer-encoding: chunked, identity",
        "transfer-encoding : chunked",
    ] {
        let request = format!(
            "POST /api/v1/session HTTP/1.1\r\nhost: x\r\n{framing}\r\n\r\n0\r\n\r\n{hidden}"
        );
        let (status, answer) = world.raw(request.as_bytes()).await;
        assert!(!answer.contains("HTTP/1.1 200"), "{framing}: {answer}");
        assert!((400..500).contains(&status), "{framing}: {answer}");
    }
}

#[tokio::test]
async fn a_hundred_idle_connections_of_one_address_keep_nobody_out() {
    // With as many places as there are idle connections, whatever the settings allow an address.
    let world = World::start_with(Arc::new(SystemClock::new()), |config| {
        config.http.max_connections = Bounded::new(100);
        config.http.max_connections_per_address = Bounded::new(1000);
    })
    .await;
    let mut idle = Vec::new();
    for _ in 0..100 {
        idle.push(TcpStream::connect(world.http).await.unwrap());
    }
    let elsewhere = reqwest::Client::builder()
        .local_address(IpAddr::from([127, 0, 0, 2]))
        .build()
        .unwrap();
    let get = async |path: &str| {
        let answer = elsewhere.get(format!("{}{path}", world.base)).send();
        timeout(LIMIT, answer).await.unwrap().unwrap()
    };
    assert_eq!(get("/healthz").await.status(), 200);
    // Those that are too many are not left waiting.
    for stream in &mut idle[50..] {
        let read = timeout(LIMIT, stream.read_u8()).await.unwrap();
        assert!(read.is_err(), "it is held");
    }
    drop(idle);
}

#[tokio::test]
async fn a_client_that_never_finishes_its_request_does_not_hold_up_others() {
    let world = World::start().await;
    let mut lingering = Vec::new();
    for _ in 0..50 {
        let mut stream = TcpStream::connect(world.http).await.unwrap();
        stream
            .write_all(b"GET /healthz HTTP/1.1\r\nhost: ")
            .await
            .unwrap();
        lingering.push(stream);
    }
    assert_eq!(world.nobody().get("/healthz").await.status, 200);
}

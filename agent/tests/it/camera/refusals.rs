//! Cameras that cannot be had: told apart, and not asked too often.

use std::sync::Arc;
use std::time::Duration;

use camera_sim::{CameraConfig, Credentials as SimCredentials, Fault, Rendition};
use cctv_agent::camera::source::{Credentials, Source};
use secrecy::SecretString;
use shared::clock::Clock;
use shared::segment::StreamKind;
use shared::timeline::Reason;

use super::{Pull, simulate, small};

#[tokio::test(flavor = "multi_thread")]
async fn wrong_addresses_are_told_apart() {
    let simulator = simulate([small("cam")]).await;
    let clock: Arc<dyn Clock> = simulator.clock();
    let down = |address: String| {
        let source = Source::new(address.parse().expect("an address"), None).expect("a source");
        let mut pull = Pull::of(source, StreamKind::Main, Arc::clone(&clock));
        async move { pull.down().await }
    };

    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = free.local_addr().unwrap();
    drop(free);
    let (reason, detail) = down(format!("rtsp://{nobody}/cam")).await;
    assert_eq!(reason, Reason::CameraUnreachable, "{detail}");

    let (reason, detail) = down(format!("rtsp://{}/nowhere", simulator.address())).await;
    assert_eq!(reason, Reason::CameraProtocolError, "{detail}");
    assert!(detail.contains("no stream at this path"), "{detail}");

    let web = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = web.local_addr().unwrap();
    let server = tokio::spawn(async move {
        while let Ok((mut connection, _)) = web.accept().await {
            use tokio::io::AsyncWriteExt;
            let _ = connection
                .write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
                .await;
        }
    });
    let (reason, detail) = down(format!("rtsp://{address}/cam")).await;
    assert_eq!(reason, Reason::CameraProtocolError, "{detail}");
    server.abort();

    let (reason, detail) = down(format!("rtsps://{}/cam/main", simulator.address())).await;
    assert_eq!(reason, Reason::CameraProtocolError, "{detail}");
    assert!(detail.contains("TLS"), "{detail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_password_is_not_tried_again_until_somebody_asks() {
    let camera = CameraConfig {
        credentials: Some(SimCredentials {
            user: "viewer".to_owned(),
            password: "right".to_owned(),
        }),
        ..small("cam")
    };
    let simulator = simulate([camera]).await;
    let handle = simulator.camera("cam").expect("it");
    handle.fault(Fault::WrongPassword).expect("a fault");
    let credentials = Credentials {
        username: "viewer".to_owned(),
        password: SecretString::from("right"),
    };
    let url = simulator.url("cam", Rendition::Main);
    let source = Source::new(url, Some(credentials)).expect("a source");
    let mut pull = Pull::of(source, StreamKind::Main, simulator.clock());
    assert_eq!(pull.down().await.0, Reason::CameraRefusedCredentials);
    handle.clear();
    let quiet = tokio::time::timeout(Duration::from_secs(5), pull.subscription.next()).await;
    assert!(quiet.is_err(), "tried again at once: {quiet:?}");
    pull.stream.restart();
    pull.pictures(3).await;
}

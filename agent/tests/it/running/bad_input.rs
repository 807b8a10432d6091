//! Cameras that were set up wrongly: each is told apart in the log's, the page's and the centre's
//! words, and costs nobody else anything.

use std::net::SocketAddr;
use std::sync::Arc;

use camera_sim::{CameraConfig, Credentials};
use serde_json::Value;
use shared::clock::SystemClock;
use shared::message;
use shared::timeline::Reason;
use shared::wire::control::StreamState;
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::stand::{Running, camera, good_camera, rtsp_message, section_of, serving};
use crate::camera::{simulate, small};
use crate::recorder::studio::eventually;

/// Answers every description with this codec, and everything else with nothing of use.
async fn describe_jpeg(connection: TcpStream) {
    const SDP: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\n\
                       m=video 0 RTP/AVP 26\r\na=control:track1\r\n";
    let mut connection = BufReader::new(connection);
    while let Some((head, _)) = rtsp_message(&mut connection).await {
        let number = head
            .lines()
            .find(|line| line.to_lowercase().starts_with("cseq"));
        let answer = format!(
            "RTSP/1.0 200 OK\r\n{}\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{SDP}",
            number.unwrap_or_default(),
            SDP.len()
        );
        if connection.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn web_server(mut connection: TcpStream) {
    let page = "<!DOCTYPE HTML><html><body>Not a camera</body></html>";
    // Whoever has gone does not want it.
    let _ = connection.write_all(page.as_bytes()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_wrong_setting_has_its_own_sentence_and_the_good_camera_is_recorded() {
    let locked = CameraConfig {
        credentials: Some(Credentials {
            user: "viewer".to_owned(),
            password: "right".to_owned(),
        }),
        ..small("locked")
    };
    let simulator = simulate([small("gate"), locked]).await;
    let (jpeg, _jpeg) = serving(describe_jpeg).await;
    let (web, _web) = serving(web_server).await;
    let (nobody, nobodys_task) = serving(web_server).await;
    drop(nobodys_task);
    let at = |address: SocketAddr| format!("rtsp://{address}/x");
    let wrong = [
        ("nobody", Reason::CameraUnreachable, "check address, power"),
        ("no-path", Reason::CameraProtocolError, "check the address"),
        ("web", Reason::CameraProtocolError, "check the port"),
        ("jpeg", Reason::CameraCodecUnsupported, "set it to H.264"),
        (
            "locked",
            Reason::CameraRefusedCredentials,
            "check user name",
        ),
    ];
    let sections = [
        section_of(&simulator, "gate"),
        camera("nobody", &at(nobody)),
        camera("no-path", &at(simulator.address())),
        camera("web", &at(web)),
        camera("jpeg", &at(jpeg)),
        section_of(&simulator, "locked") + "username = \"viewer\"\npassword = \"wrong\"\n",
    ];
    let directory = tempfile::tempdir().unwrap();
    let clock = Arc::new(SystemClock::new());
    let agent = Running::start(directory.path(), &sections.concat(), clock).await;

    for (name, reason, advice) in wrong {
        let what = format!("{name} is down for {reason:?}");
        let camera = eventually(&what, async || {
            let camera = agent.camera(name).await;
            (camera["message"]["code"] == message::reason(reason).code).then_some(camera)
        })
        .await;
        assert_eq!(
            (&camera["state"], &camera["health"]),
            (&"down".into(), &"trouble".into())
        );
        let detail = camera["detail"].as_str().unwrap_or_default();
        assert!(detail.contains(advice), "{name}: {detail}");
        assert!(!detail.contains("wrong"), "a password: {detail}");
        assert_eq!(camera["recorded_until"], Value::Null, "{name}");
        let told = agent.handle.site.streams();
        assert!(
            told.iter().any(|stream| stream.camera == agent.view(name).id
                && matches!(stream.state, StreamState::Down { reason: said, .. } if said == reason)),
            "the centre is told about {name}: {told:?}"
        );
        for (path, sentence) in [
            ("/?lang=en", message::reason(reason).en),
            ("/?lang=ar", message::reason(reason).ar),
        ] {
            let page = agent.page(path).await.replace("&#39;", "'");
            assert!(page.contains(sentence), "{path} says of {name}: {sentence}");
        }
    }
    eventually("the good camera is recorded", async || {
        let camera = agent.camera("gate").await;
        (camera["state"] == "live" && camera["recorded_until"].is_string()).then_some(())
    })
    .await;
    let good = agent.view("gate").id;
    let audit = agent.stop_and_audit().await;
    assert!(audit.is_sound(), "{audit:?}");
    let gate = audit.streams.iter().find(|stream| stream.camera == good);
    assert!(
        gate.is_some_and(|stream| stream.recorded_ms > 0),
        "{audit:?}"
    );
}

/// Between agent and camera: the description also offers sound in Opus.
async fn offer_opus(connection: TcpStream, camera: SocketAddr) {
    const OPUS: &str = "m=audio 0 RTP/AVP 111\r\na=rtpmap:111 opus/48000/2\r\na=control:opus\r\n";
    let Ok(camera) = TcpStream::connect(camera).await else {
        return;
    };
    let (mut from_agent, mut to_agent) = connection.into_split();
    let (from_camera, mut to_camera) = camera.into_split();
    let up = tokio::spawn(async move { tokio::io::copy(&mut from_agent, &mut to_camera).await });
    let mut from_camera = BufReader::new(from_camera);
    while let Some((head, body)) = rtsp_message(&mut from_camera).await {
        let described = !body.is_empty();
        let mut body = String::from_utf8(body).expect("a description is text");
        let mut head = head;
        if described {
            let length = |body: &str| format!("Content-Length: {}", body.len());
            let before = length(&body);
            body.push_str(OPUS);
            assert!(head.contains(&before), "{head}");
            head = head.replace(&before, &length(&body));
        }
        let _ = to_agent.write_all(head.as_bytes()).await;
        let _ = to_agent.write_all(body.as_bytes()).await;
        if described {
            break;
        }
    }
    let _ = tokio::io::copy(&mut from_camera, &mut to_agent).await;
    up.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_with_opus_is_recorded_and_says_that_its_sound_is_not() {
    let (simulator, section) = good_camera("gate").await;
    let behind = simulator.address();
    let (proxy, _proxy) = serving(move |connection| offer_opus(connection, behind)).await;
    let section = section.replace(&behind.to_string(), &proxy.to_string());
    let directory = tempfile::tempdir().unwrap();
    let clock = Arc::new(SystemClock::new());
    let agent = Running::start(directory.path(), &section, clock).await;
    let camera = eventually("the camera is recorded", async || {
        let camera = agent.camera("gate").await;
        (camera["state"] == "live" && camera["recorded_until"].is_string()).then_some(camera)
    })
    .await;
    assert_eq!(camera["health"], "good", "{camera}");
    assert_eq!(camera["picture"]["has_sound"], false);
    assert_eq!(camera["sound_not_recorded"]["code"], "sound_unsupported");
    assert!(
        agent
            .page("/?lang=en")
            .await
            .contains("sound is not recorded")
    );
    let audit = agent.stop_and_audit().await;
    assert!(audit.is_sound(), "{audit:?}");
    assert!(audit.streams[0].recorded_ms > 0, "{audit:?}");
}

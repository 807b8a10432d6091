//! Becoming an agent of a coordinator, and everything that can stand in the way.

use cctv_agent::config::TcpFallback;
use cctv_agent::identity::Enrolment;
use cctv_agent::uplink::status::State;
use shared::hash::Sha256;
use shared::wire::CloseCode;
use shared::wire::enrol::EnrolRefusal;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, UdpSocket};

use super::peer::Peer;
use super::place::{Place, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_that_people_must_mend_are_shown_and_mended_by_enrolling_anew() {
    let (peer, place) = (Peer::start(), Place::new(""));
    place.enrol(&peer).await.unwrap();
    for (code, state) in [
        (CloseCode::Revoked, State::Revoked),
        (CloseCode::Version, State::Version),
        (CloseCode::Replaced, State::Replaced),
    ] {
        peer.behave(|behaviour| behaviour.turn_away = Some(code));
        let agent = place.run().await;
        let mut status = agent.handle.uplink.clone();
        until(&mut status, "the refusal", |status| status.state == state).await;
        agent.stop().await;
    }
    peer.behave(|behaviour| {
        behaviour.turn_away = None;
        behaviour.protocol = 99;
    });
    let agent = place.run().await;
    let mut status = agent.handle.uplink.clone();
    until(&mut status, "the version", |status| {
        status.state == State::Version
    })
    .await;
    peer.behave(|behaviour| behaviour.protocol = 1);
    // A new enrolment is noticed without a restart, and before the slow retry.
    place.enrol(&peer).await.unwrap();
    until(&mut status, "the connection", |status| {
        status.state == State::Connected
    })
    .await;
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_runs_is_enrolled_without_a_restart() {
    let (peer, place) = (Peer::start(), Place::new(""));
    let agent = place.run().await;
    let mut status = agent.handle.uplink.clone();
    until(&mut status, "being on its own", |status| {
        status.state == State::NotEnrolled
    })
    .await;
    place.enrol(&peer).await.unwrap();
    until(&mut status, "the connection", |status| {
        status.state == State::Connected
    })
    .await;
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_way_an_enrolment_can_fail_has_its_own_sentence() {
    let (peer, place) = (Peer::start(), Place::new(""));
    for (refusal, words) in [
        (
            EnrolRefusal::UnknownCode,
            "does not know this enrolment code",
        ),
        (EnrolRefusal::CodeUsed, "already been used"),
        (EnrolRefusal::CodeExpired, "has expired"),
    ] {
        peer.behave(|behaviour| behaviour.enrolment = Err(refusal));
        let error = place.enrol(&peer).await.unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
    peer.behave(|behaviour| behaviour.enrolment = Ok(()));
    let mut code = peer.code();
    code.authority = Sha256::of(b"another authority");
    let error = place
        .enrol_with(&code, TcpFallback::Never)
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("cannot be trusted"), "{error}");

    let garbage = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut code = peer.code();
    code.port = garbage.local_addr().unwrap().port();
    let answering = tokio::spawn(async move {
        let mut buffer = [0; 2_000];
        while let Ok((length, from)) = garbage.recv_from(&mut buffer).await {
            garbage
                .send_to(&buffer[..length.min(100)], from)
                .await
                .unwrap();
        }
    });
    let error = place
        .enrol_with(&code, TcpFallback::Never)
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("not a CCTV coordinator"), "{error}");
    answering.abort();
    assert_eq!(Enrolment::load(place.path()).unwrap(), None);
    place.enrol(&peer).await.unwrap();
}

/// What stands where the coordinator should.
#[derive(Clone, Copy, Debug)]
enum Stranger {
    /// By TCP, in plain text.
    WebServer,
    /// A coordinator of somebody else, by UDP.
    OtherCoordinator,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_else_answers_is_no_coordinator_for_the_installer_and_on_the_page() {
    for stranger in [Stranger::WebServer, Stranger::OtherCoordinator] {
        let (peer, other) = (Peer::start(), Peer::start());
        let web = TcpListener::bind("127.0.0.1:0").await.unwrap();
        // Nobody speaks on the UDP port of the web server.
        let port = web.local_addr().unwrap().port();
        let _silence = UdpSocket::bind(("127.0.0.1", port)).await.unwrap();
        let serving = tokio::spawn(async move {
            while let Ok((mut connection, _)) = web.accept().await {
                let answer = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
                // Whoever has gone does not want it.
                let _ = connection.write_all(answer).await;
            }
        });
        let (port, words) = match stranger {
            Stranger::WebServer => (port, "by TCP, but it is not a CCTV coordinator"),
            Stranger::OtherCoordinator => (other.code().port, "cannot be trusted"),
        };
        let settings = format!("[coordinator]\naddress = \"127.0.0.1:{port}\"\n");
        let place = Place::new(&settings);
        let mut code = peer.code();
        code.port = port;
        let refused = place.enrol_with(&code, TcpFallback::Auto).await;
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains(words), "{stranger:?}: {refused}");
        assert!(refused.contains("check the address"), "{refused}");

        place.enrol(&peer).await.unwrap();
        let agent = place.run().await;
        let mut status = agent.handle.uplink.clone();
        let shown = until(&mut status, "who answers", |status| {
            status.state == State::Elsewhere
        })
        .await;
        assert!(shown.problem.unwrap().contains(words), "{stranger:?}");
        let page = format!("http://{}/api/status", agent.handle.status_address.unwrap());
        let report = reqwest::get(page).await.unwrap().text().await.unwrap();
        let report: serde_json::Value = serde_json::from_str(&report).unwrap();
        assert_eq!(report["uplink"]["health"], "trouble");
        assert_eq!(report["uplink"]["message"]["code"], "elsewhere");
        agent.stop().await;
        serving.abort();
    }
}

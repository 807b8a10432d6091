//! Agents and cameras as the API shows them, and commands on their way to an agent.

use reqwest::Method;
use serde_json::json;
use shared::clock::{Clock as _, SystemClock};
use shared::wire::control::{Action, CommandOutcome, RecordingMode, UploadPolicy};

use crate::peer::{Peer, camera};
use crate::world::{World, until};

#[tokio::test]
async fn a_camera_is_live_while_pictures_come_and_offline_when_its_agent_is() {
    let world = World::start().await;
    let admin = world.admin().await;
    let peer = Peer::enrolled(&world, "Depot").await;
    let clock = SystemClock::new();
    let gate = camera("gate", clock.wall());
    let mut work = peer.connect(&world, std::slice::from_ref(&gate)).await;
    work.heartbeat(gate.id, clock.wall()).await.unwrap();
    let path = format!("/api/v1/cameras/{}", gate.id);
    let seen = until("a live camera", async || {
        let camera = admin.get(&path).await.body;
        (camera["health"]["state"] == "live").then_some(camera)
    })
    .await;
    assert_eq!(seen["name"], "gate");
    assert_eq!(seen["site_name"], "Depot");
    assert_eq!(seen["health"]["fps"], 25.0);
    let agents = admin.get("/api/v1/agents").await.body;
    let agent = &agents["items"][0];
    assert_eq!(agent["state"], "connected");
    assert_eq!(agent["version"], "0.0.0-test");
    assert_eq!(agent["cameras"], 1);
    let sites = admin.get("/api/v1/sites").await.body;
    assert_eq!(sites["items"][0]["cameras"], 1);

    work.connection.close(0_u32.into(), b"");
    until("an offline camera", async || {
        let camera = admin.get(&path).await.body;
        (camera["health"]["state"] == "offline").then_some(())
    })
    .await;
}

#[tokio::test]
async fn commands_reach_the_agent_and_their_outcomes_come_back() {
    let world = World::start().await;
    let admin = world.admin().await;
    let peer = Peer::enrolled(&world, "Depot").await;
    let gate = camera("gate", SystemClock::new().wall());
    let mut work = peer.connect(&world, std::slice::from_ref(&gate)).await;
    let path = format!("/api/v1/cameras/{}", gate.id);
    let nothing = json!({});
    let (restart, probe) = (format!("{path}/restart"), format!("{path}/probe"));

    let done = CommandOutcome::Done { report: None };
    let (answer, command) = tokio::join!(admin.post(&restart, &nothing), work.obey(done));
    assert_eq!(answer.status, 202);
    assert_eq!(
        command.unwrap().action,
        Action::RestartCamera { camera: gate.id }
    );

    let report = json!({ "codec": "h264" });
    let measured = CommandOutcome::Done {
        report: Some(report.clone()),
    };
    let order = json!({ "stream": "main" });
    let (answer, _) = tokio::join!(admin.post(&probe, &order), work.obey(measured));
    assert_eq!(
        (answer.status.as_u16(), &answer.body["report"]),
        (200, &report)
    );

    let failed = CommandOutcome::Failed {
        message: "the camera is on fire".into(),
    };
    let (answer, _) = tokio::join!(admin.post(&restart, &nothing), work.obey(failed));
    assert_eq!(
        (answer.status.as_u16(), answer.code()),
        (502, "agent_failed")
    );
    assert!(
        answer.body["error"]["details"]
            .as_str()
            .unwrap()
            .contains("on fire")
    );

    let too_old = CommandOutcome::Unsupported;
    let (answer, _) = tokio::join!(admin.post(&restart, &nothing), work.obey(too_old));
    assert_eq!(
        (answer.status.as_u16(), answer.code()),
        (501, "unsupported")
    );

    work.connection.close(0_u32.into(), b"");
    let gone = until("the agent to be gone", async || {
        let answer = admin.post(&restart, &nothing).await;
        (answer.status == 503).then_some(answer)
    })
    .await;
    assert_eq!(gone.code(), "agent_offline");
}

#[tokio::test]
async fn settings_are_handed_over_at_once_or_when_the_agent_is_back() {
    let world = World::start().await;
    let admin = world.admin().await;
    let peer = Peer::enrolled(&world, "Depot").await;
    let gate = camera("gate", SystemClock::new().wall());
    let cameras = std::slice::from_ref(&gate);
    let mut work = peer.connect(&world, cameras).await;
    let path = format!("/api/v1/cameras/{}", gate.id);

    let change = json!({ "upload": "on-demand", "retention_hours": 48 });
    let changed = admin.send(Method::PATCH, &path, Some(&change), &[]).await;
    assert_eq!(changed.body["settings"]["upload"], "on-demand");
    let done = CommandOutcome::Done { report: None };
    let command = work.obey(done.clone()).await.unwrap();
    let Action::Configure { policies, revision } = command.action else {
        panic!("{command:?}")
    };
    assert_eq!(policies[0].upload, Some(UploadPolicy::OnDemand));
    assert_eq!(policies[0].retention_hours, Some(48));

    work.connection.close(0_u32.into(), b"");
    let change = json!({ "recording": "off", "display_name": "Gate 3", "agency": "METRO" });
    let changed = admin.send(Method::PATCH, &path, Some(&change), &[]).await;
    assert_eq!(changed.body["name"], "Gate 3");
    assert_eq!(changed.body["agency"], "METRO");
    let mut work = peer.connect(&world, cameras).await;
    let command = work.obey(done).await.unwrap();
    let Action::Configure {
        policies,
        revision: later,
    } = command.action
    else {
        panic!("{command:?}")
    };
    assert!(later > revision);
    assert_eq!(policies[0].recording, Some(RecordingMode::Off));
    assert_eq!(policies[0].upload, Some(UploadPolicy::OnDemand));

    let nowhere = json!({ "agency": "NOWHERE" });
    let refused = admin.send(Method::PATCH, &path, Some(&nowhere), &[]).await;
    assert_eq!(
        (refused.status.as_u16(), refused.code()),
        (422, "invalid_value")
    );
}

#[tokio::test]
async fn long_lists_come_in_pages_that_give_everything_once() {
    let world = World::start().await;
    let admin = world.admin().await;
    let peer = Peer::enrolled(&world, "Depot").await;
    let now = SystemClock::new().wall();
    let cameras: Vec<_> = (0..7)
        .map(|n| camera(&format!("camera {n}"), now))
        .collect();
    let _work = peer.connect(&world, &cameras).await;
    let (mut names, mut path) = (Vec::new(), "/api/v1/cameras?limit=3".to_owned());
    loop {
        let page = admin.get(&path).await.body;
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 3);
        names.extend(
            items
                .iter()
                .map(|item| item["name"].as_str().unwrap().to_owned()),
        );
        match page["next"].as_str() {
            Some(next) => path = format!("/api/v1/cameras?limit=3&after={next}"),
            None => break,
        }
    }
    let expected: Vec<_> = cameras.iter().map(|camera| camera.name.clone()).collect();
    assert_eq!(names, expected);
}

//! Cameras, and what the centre tells agents of them.

use std::sync::Arc;

use shared::id::{CameraId, CommandId};
use shared::segment::StreamKind;
use shared::wire::control::{Action, CommandOutcome, RecordingMode};

use super::{NOW, Under, agent, camera_info, entry};
use crate::domain::camera::{CameraChange, CameraSettings};
use crate::stores::CameraChanged;

pub(crate) async fn cameras_belong_to_the_agent_that_named_them_first(store: Under) {
    let (one, two) = (agent(&*store, 1).await, agent(&*store, 2).await);
    let (gate, yard) = (CameraId::new(NOW), CameraId::new(NOW));
    let told = vec![camera_info(gate, "gate"), camera_info(yard, "yard")];
    assert_eq!(store.tell_cameras(one, told).await.unwrap(), []);
    let stolen = vec![camera_info(gate, "mine")];
    assert_eq!(store.tell_cameras(two, stolen).await.unwrap(), [gate]);
    let renamed = vec![camera_info(gate, "main gate")];
    assert_eq!(store.tell_cameras(one, renamed).await.unwrap(), []);
    let cameras = store.cameras().await.unwrap();
    let seen: Vec<_> = cameras
        .iter()
        .map(|camera| (camera.title(), camera.agent, camera.present))
        .collect();
    assert_eq!(seen, [("main gate", one, true), ("yard", one, false)]);
    let gate = store.camera(gate).await.unwrap().unwrap();
    assert_eq!(gate.agency.as_str(), "OTHER");
    assert_eq!(gate.streams, [StreamKind::Main, StreamKind::Sub]);
    assert_eq!(gate.settings, CameraSettings::default());
    assert_eq!(store.camera(CameraId::new(NOW)).await.unwrap(), None);
}

pub(crate) async fn settings_reach_the_agent_under_one_id_until_it_answers(store: Under) {
    let agent = agent(&*store, 1).await;
    let (gate, yard) = (CameraId::new(NOW), CameraId::new(NOW));
    let told = vec![camera_info(gate, "gate"), camera_info(yard, "yard")];
    store.tell_cameras(agent, told).await.unwrap();
    let change = |camera, change| {
        let store = Arc::clone(&store);
        async move {
            let id = CommandId::new(NOW);
            let changed = store.change_camera(camera, change, id, NOW, entry());
            (id, changed.await.unwrap())
        }
    };
    let named = CameraChange {
        display_name: Some("Gate 3".to_owned()),
        agency: Some("METRO".parse().unwrap()),
        ..CameraChange::default()
    };
    let (_, changed) = change(gate, named).await;
    let CameraChanged::Yes(camera, None) = changed else {
        panic!("{changed:?}");
    };
    assert_eq!(
        (camera.title(), camera.agency.as_str()),
        ("Gate 3", "METRO")
    );
    assert_eq!(store.pending_command(agent).await.unwrap(), None);
    let off = |mode| CameraChange {
        recording: Some(mode),
        ..CameraChange::default()
    };
    change(gate, off(RecordingMode::Off)).await;
    let (id, changed) = change(yard, off(RecordingMode::Event)).await;
    let CameraChanged::Yes(_, Some(command)) = changed else {
        panic!("{changed:?}");
    };
    let Action::Configure {
        revision: 2,
        policies,
    } = &command.action
    else {
        panic!("{command:?}");
    };
    let modes: Vec<_> = policies.iter().map(|policy| policy.recording).collect();
    assert_eq!(modes.len(), 2);
    assert!(
        modes.contains(&Some(RecordingMode::Off)) && modes.contains(&Some(RecordingMode::Event))
    );
    assert_eq!(command.id, id);
    assert_eq!(store.pending_command(agent).await.unwrap(), Some(command));
    let done = CommandOutcome::Done { report: None };
    let stale = CommandId::new(NOW);
    store
        .finish_command(agent, stale, done.clone(), NOW)
        .await
        .unwrap();
    assert!(store.pending_command(agent).await.unwrap().is_some());
    store.finish_command(agent, id, done, NOW).await.unwrap();
    assert_eq!(store.pending_command(agent).await.unwrap(), None);
    let nowhere = CameraChange {
        agency: Some("NOBODY".parse().unwrap()),
        ..CameraChange::default()
    };
    assert!(matches!(
        change(gate, nowhere).await.1,
        CameraChanged::NoAgency(_)
    ));
    let unknown = change(CameraId::new(NOW), CameraChange::default()).await;
    assert_eq!(unknown.1, CameraChanged::NoCamera);
}

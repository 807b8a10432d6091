//! `cctv-agent drill` as an installer runs it: the program itself, against the simulator.

use std::path::Path;
use std::time::Duration;

use camera_sim::{CameraConfig, Rendition, Simulator, SimulatorConfig};
use serde_json::Value;
use tokio::process::Command;

/// The program's answer, and whether it was content.
async fn drill(config: &Path, arguments: &[&str]) -> (bool, Value) {
    let run = Command::new(env!("CARGO_BIN_EXE_cctv-agent"))
        .arg("--config")
        .arg(config)
        .arg("drill")
        .args(arguments)
        .arg("--json")
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(Duration::from_secs(120), run)
        .await
        .expect("the drill ends")
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let report = serde_json::from_str(&said).unwrap_or_else(|error| {
        panic!("{error}: {said}{}", String::from_utf8_lossy(&output.stderr))
    });
    (output.status.success(), report)
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_at_random_instants_cost_at_most_a_second_and_damage_is_found() {
    let camera = CameraConfig {
        width: 320,
        height: 192,
        bitrate: 400_000,
        ..CameraConfig::scene("gate")
    };
    let simulator = Simulator::start(SimulatorConfig::of([camera]))
        .await
        .unwrap();
    let url = simulator.url("gate", Rendition::Main);
    let directory = tempfile::tempdir().unwrap();
    let scratch = directory.path().join("drill");
    let scratch_text = scratch.to_str().unwrap();
    let none = directory.path().join("none.toml");

    let (passed, report) = drill(
        &none,
        &[
            "kill",
            url.as_str(),
            "--times",
            "4",
            "--min-seconds",
            "0.5",
            "--max-seconds",
            "3",
            "--directory",
            scratch_text,
            "--keep",
        ],
    )
    .await;
    assert!(passed, "{report:#}");
    assert_eq!(report["rounds"].as_array().unwrap().len(), 4);
    for round in report["rounds"].as_array().unwrap() {
        assert!(round["lost_ms"].as_u64().unwrap() <= 1_000, "{round:#}");
        assert!(round["filmed_ms"].as_u64().unwrap() > 0, "{round:#}");
        assert_eq!(round["recovery"]["previous_ending"], "agent_crashed");
    }
    assert_eq!(report["audit"]["problems"], Value::Array(Vec::new()));

    let config = directory.path().join("agent.toml");
    let settings = format!("[agent]\ndata_dir = {:?}\n", scratch.join("data"));
    std::fs::write(&config, settings).unwrap();
    let (sound, audit) = drill(&config, &["verify"]).await;
    assert!(sound, "{audit:#}");
    assert!(audit["closed_segments"].as_u64().unwrap() >= 4);

    let (_, all) = drill(&config, &["retention", "--max-bytes", "1"]).await;
    assert_eq!(
        all.as_array().unwrap().len() as u64,
        audit["closed_segments"].as_u64().unwrap()
    );

    // One bit of one picture.
    let victim = all[0]["segment"].as_str().unwrap();
    let path = walk(&scratch)
        .into_iter()
        .find(|path| path.ends_with(format!("{victim}.mp4")))
        .unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let (sound, audit) = drill(&config, &["verify"]).await;
    assert!(!sound);
    assert_eq!(audit["problems"][0]["segment"], victim);
}

fn walk(directory: &Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(walk(&path));
        } else {
            files.push(path);
        }
    }
    files
}

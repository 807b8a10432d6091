//! The control API over HTTP.

use std::net::{Ipv4Addr, SocketAddr};

use camera_sim::{Fault, Simulator, SimulatorConfig};
use serde_json::{Value, json};

use crate::streams::small;

#[tokio::test(flavor = "multi_thread")]
async fn faults_are_set_and_cleared_over_http() {
    let control = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let config = SimulatorConfig {
        control,
        ..SimulatorConfig::of([small("cam1"), small("cam2")])
    };
    let simulator = Simulator::start(config).await.expect("starts");
    let base = format!(
        "http://{}/cameras",
        simulator.control_address().expect("served")
    );
    let http = reqwest::Client::new();
    let get = async |url: String| http.get(url).send().await.expect("an answer");
    let cameras: Value = get(base.clone()).await.json().await.expect("JSON");
    assert_eq!(cameras.as_array().map(Vec::len), Some(2));
    assert_eq!(cameras[1]["name"], "cam2");
    assert!(
        cameras[1]["main"]
            .as_str()
            .is_some_and(|url| url.ends_with("/cam2/main"))
    );

    let faults = format!("{base}/cam2/faults");
    let post = async |body: Value| {
        http.post(&faults)
            .json(&body)
            .send()
            .await
            .expect("an answer")
    };
    let set = post(json!({ "kind": "loss", "fraction": 0.25, "duration_s": 60 })).await;
    assert_eq!(set.status(), 200);
    let camera = simulator.camera("cam2").expect("exists");
    assert_eq!(camera.faults()[0].fault, Fault::Loss { fraction: 0.25 });
    assert!(camera.faults()[0].until_us.is_some());
    let shown: Value = get(format!("{base}/cam2"))
        .await
        .json()
        .await
        .expect("JSON");
    assert_eq!(shown["faults"][0]["fault"]["kind"], "loss");

    assert_eq!(
        post(json!({ "kind": "loss", "fraction": 7 }))
            .await
            .status(),
        422
    );
    assert_eq!(
        post(json!({ "kind": "cut", "duration_s": -1 }))
            .await
            .status(),
        422
    );
    assert!(
        post(json!({ "kind": "earthquake" }))
            .await
            .status()
            .is_client_error()
    );
    assert_eq!(get(format!("{base}/cam9")).await.status(), 404);
    let objects: Value = get(format!("{base}/cam1/objects?frame=30"))
        .await
        .json()
        .await
        .expect("JSON");
    assert!(
        objects.as_array().is_some_and(|objects| objects.len() > 2),
        "{objects}"
    );

    let cleared = http.delete(&faults).send().await.expect("an answer");
    assert_eq!(cleared.status(), 204);
    assert!(camera.faults().is_empty());
    simulator.shutdown().await;
}

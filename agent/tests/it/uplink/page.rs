//! The health page, as a browser and a program read it.

use super::place::{PATIENCE, Place};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_health_page_tells_the_installer_without_a_coordinator() {
    let settings = "[[camera]]\nname = \"<gate & yard>\"\nurl = \"rtsp://127.0.0.1:9/none\"\n";
    let place = Place::new(settings);
    let agent = place.run().await;
    let base = format!("http://{}", agent.handle.status_address.unwrap());
    let client = reqwest::Client::new();
    let get = async |path: &str, language: &str| {
        let request = client
            .get(format!("{base}{path}"))
            .header("Accept-Language", language);
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{path}");
        let policy = answer.headers()["content-security-policy"]
            .to_str()
            .unwrap();
        assert!(policy.contains("default-src 'none'"));
        answer.text().await.unwrap()
    };
    let mut changes = agent.handle.site.changes();
    tokio::time::timeout(PATIENCE, async {
        while !agent.handle.site.streams().iter().any(|stream| {
            matches!(
                stream.state,
                shared::wire::control::StreamState::Down { .. }
            )
        }) {
            changes.changed().await.unwrap();
        }
    })
    .await
    .expect("the camera is known to be unreachable");
    let page = get("/", "en-GB,en;q=0.5").await;
    assert!(page.contains("<html lang=\"en\" dir=\"ltr\">"), "{page}");
    assert!(
        page.contains("&lt;gate &amp; yard&gt;"),
        "names are escaped: {page}"
    );
    assert!(page.contains("Nothing answers at the camera"), "{page}");
    assert!(page.contains("cctv-agent enroll"), "{page}");
    for page in [get("/", "ar-AE").await, get("/?lang=ar", "en").await] {
        assert!(page.contains("<html lang=\"ar\" dir=\"rtl\">"), "{page}");
        assert!(page.contains("لا يوجد ردّ من عنوان الكاميرا"), "{page}");
    }
    assert!(
        !get("/", "en").await.contains("http://www"),
        "nothing from elsewhere"
    );
    assert!(get("/page.css", "en").await.contains("inline-size"));
    let report: serde_json::Value = serde_json::from_str(&get("/api/status", "en").await).unwrap();
    assert_eq!(report["cameras"][0]["state"], "down");
    assert_eq!(
        report["cameras"][0]["message"]["code"],
        "camera_unreachable"
    );
    assert_eq!(report["uplink"]["state"], "not_enrolled");
    let metrics = get("/metrics", "en").await;
    assert!(
        metrics.contains("cctv_agent_camera_up{camera=\"<gate & yard>\"} 0"),
        "{metrics}"
    );
    assert!(
        metrics.contains("cctv_agent_uplink_connected 0"),
        "{metrics}"
    );
    assert!(metrics.ends_with("# EOF\n"), "{metrics}");
    agent.stop().await;
}

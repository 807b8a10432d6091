//! Whatever a camera does, it is recorded again within ten seconds of the fault's end, and every missing second has its reason.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use camera_sim::Fault;
use serde_json::Value;
use shared::time::TimeRange;
use support::wait;
use support::world::SiteSettings;
use tempfile::TempDir;

use crate::scenes::{Scene, camera, now};

/// From the end of a fault until pictures arrive again.
const BACK_WITHIN: Duration = Duration::from_secs(10);

/// The fault, how long it lasts, and a reason the ledger may give; none where nothing needs to be missing.
fn faults() -> Vec<(&'static str, Fault, Duration, &'static [&'static str])> {
    let short = Duration::from_secs(6);
    vec![
        (
            "cut",
            Fault::Cut,
            short,
            &["camera_disconnected", "camera_unreachable"],
        ),
        (
            "refuse",
            Fault::Refuse,
            short,
            &["camera_disconnected", "camera_unreachable"],
        ),
        (
            "stall",
            Fault::Stall,
            Duration::from_secs(12),
            &["camera_stalled"],
        ),
        (
            "wrong password",
            Fault::WrongPassword,
            short,
            &["camera_refused_credentials"],
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_is_back_ten_seconds_after_its_fault_and_the_gap_is_explained() -> Result<()> {
    let directory = TempDir::new()?;
    let names: Vec<String> = faults()
        .iter()
        .map(|(name, ..)| name.replace(' ', "-"))
        .collect();
    let cameras = names
        .iter()
        .zip(1..)
        .map(|(name, seed)| camera(name, seed))
        .collect();
    let scene = Scene::start(directory.path(), cameras, &SiteSettings::default()).await?;
    for ((_, fault, lasting, _), name) in faults().into_iter().zip(&names) {
        scene
            .simulator
            .camera(name)?
            .fault_for(fault, lasting)
            .with_context(|| name.clone())?;
    }
    for ((_, _, lasting, reasons), name) in faults().iter().zip(&names) {
        let over = scene.began + *lasting;
        let id = scene.camera_id(name).await?;
        let limit = *lasting + BACK_WITHIN + Duration::from_secs(30);
        let range = TimeRange::starting_at(over, Duration::from_secs(3_600));
        let back = wait::until(&format!("{name} to be back"), limit, async || {
            let timeline = scene.api.timeline(&id, range).await?;
            first_recorded(&timeline).context("not yet")
        })
        .await?;
        ensure!(
            back <= over + BACK_WITHIN + Duration::from_secs(2),
            "{name} was back only at {back}, the fault was over at {over}"
        );
        let whole = TimeRange::new(scene.began, now())?;
        let timeline = scene
            .accounted(name, whole, Duration::from_secs(30))
            .await?;
        let given: Vec<_> = spans(&timeline)
            .filter_map(|span| span["reason"].as_str())
            .collect();
        ensure!(
            reasons.is_empty() || given.iter().any(|reason| reasons.contains(reason)),
            "{name}: {given:?} instead of {reasons:?}"
        );
    }
    scene.stop().await
}

fn spans(timeline: &Value) -> impl Iterator<Item = &Value> {
    timeline["spans"].as_array().into_iter().flatten()
}

fn first_recorded(timeline: &Value) -> Option<shared::time::WallTime> {
    let span = spans(timeline).find(|span| span["state"] == "recorded")?;
    shared::time::WallTime::from_rfc3339(span["from"].as_str()?).ok()
}

//! Whatever a camera does, it is recorded again soon after the fault's end, and every missing second has its reason.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use camera_sim::Fault;
use serde_json::Value;
use shared::time::{TimeRange, WallTime};
use support::wait;
use support::world::SiteSettings;
use tempfile::TempDir;

use crate::scenes::{Scene, camera, now};

/// One way for a camera to misbehave, and what is expected then.
struct Case {
    camera: &'static str,
    /// All at once, for `lasting`.
    faults: Vec<Fault>,
    lasting: Duration,
    /// From the end of the fault until pictures arrive again.
    back_within: Duration,
    /// What the ledger may say; nothing needs to be missing where this is empty.
    reasons: &'static [&'static str],
}

impl Case {
    const fn new(
        camera: &'static str,
        faults: Vec<Fault>,
        reasons: &'static [&'static str],
    ) -> Self {
        let (lasting, back_within) = (Duration::from_secs(6), Duration::from_secs(10));
        Self {
            camera,
            faults,
            lasting,
            back_within,
            reasons,
        }
    }

    const fn lasting(mut self, seconds: u64) -> Self {
        self.lasting = Duration::from_secs(seconds);
        self
    }

    const fn back_within(mut self, seconds: u64) -> Self {
        self.back_within = Duration::from_secs(seconds);
        self
    }
}

fn cases() -> Vec<Case> {
    vec![
        Case::new(
            "cut",
            vec![Fault::Cut],
            &["camera_disconnected", "camera_unreachable"],
        ),
        Case::new(
            "refused",
            vec![Fault::Cut, Fault::Refuse],
            &["camera_disconnected", "camera_unreachable"],
        ),
        Case::new("stall", vec![Fault::Stall], &["camera_stalled"]).lasting(12),
        Case::new("jump", vec![Fault::RtpJump { ticks: 900_000 }], &[]),
        Case::new("skew", vec![Fault::ClockSkew { ppm: 200.0 }], &[]),
        Case::new(
            "resolution",
            vec![Fault::SpsChange {
                width: 640,
                height: 368,
            }],
            &[],
        ),
        Case::new("long-gop", vec![Fault::LongGop], &[]),
        Case::new(
            "audio-only",
            vec![Fault::Cut, Fault::AudioOnly],
            &["camera_disconnected", "camera_protocol_error"],
        ),
        // Not tried again soon, so that the camera does not lock the account.
        Case::new(
            "password",
            vec![Fault::Cut, Fault::WrongPassword],
            &["camera_refused_credentials", "camera_disconnected"],
        )
        .back_within(45),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_is_back_soon_after_its_fault_and_the_gap_is_explained() -> Result<()> {
    let directory = TempDir::new()?;
    let cases = cases();
    let cameras = cases
        .iter()
        .zip(1..)
        .map(|(case, seed)| camera(case.camera, seed))
        .collect();
    let scene = Scene::start(directory.path(), cameras, &SiteSettings::default()).await?;
    let began = now();
    for case in &cases {
        let handle = scene.simulator.camera(case.camera)?;
        for fault in &case.faults {
            handle
                .fault_for(fault.clone(), case.lasting)
                .with_context(|| case.camera)?;
        }
    }
    for case in &cases {
        expect_back(&scene, case, began).await?;
    }
    scene.stop().await
}

async fn expect_back(scene: &Scene, case: &Case, began: WallTime) -> Result<()> {
    let Case {
        camera,
        lasting,
        back_within,
        reasons,
        ..
    } = case;
    let over = began + *lasting;
    let id = scene.camera_id(camera).await?;
    let range = TimeRange::starting_at(over, Duration::from_secs(3_600));
    let limit = *lasting + *back_within + Duration::from_secs(30);
    let back = wait::until(&format!("{camera} to be back"), limit, async || {
        first_recorded(&scene.api.timeline(&id, range).await?).context("not yet")
    })
    .await?;
    // The first picture is the next key frame, a second later at most; another second is the test's own slowness.
    let deadline = over + *back_within + Duration::from_secs(2);
    ensure!(
        back <= deadline,
        "{camera} was back only at {back}, the fault was over at {over}"
    );
    let timeline = scene
        .accounted(
            camera,
            TimeRange::new(began, back)?,
            Duration::from_secs(30),
        )
        .await?;
    let given: Vec<_> = spans(&timeline)
        .filter_map(|span| span["reason"].as_str())
        .collect();
    let expected = reasons.is_empty() || given.iter().any(|reason| reasons.contains(reason));
    ensure!(expected, "{camera}: {given:?} instead of {reasons:?}");
    Ok(())
}

fn spans(timeline: &Value) -> impl Iterator<Item = &Value> {
    timeline["spans"].as_array().into_iter().flatten()
}

fn first_recorded(timeline: &Value) -> Option<WallTime> {
    let span = spans(timeline).find(|span| span["state"] == "recorded")?;
    WallTime::from_rfc3339(span["from"].as_str()?).ok()
}

//! Whatever a camera does, it is recorded again soon after the fault's end, and every missing second has its reason.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use camera_sim::{Audio, CameraConfig, Fault, KeepAliveRefusal, OddSdp};
use serde_json::Value;
use shared::time::{TimeRange, WallTime};
use support::footage::Footage;
use support::wait;
use support::world::{CameraSettings, SiteSettings};
use tempfile::TempDir;

use crate::scenes::{Scene, camera, now, spans};

/// How long faults last unless a case says otherwise.
const USUALLY: Duration = Duration::from_secs(6);

/// Without a picture for so long, the ledger must say why.
const A_SECOND: Duration = Duration::from_secs(1);

/// One way for a camera to misbehave, and what is expected then.
struct Case {
    camera: CameraConfig,
    /// Further lines of the agent's settings for it.
    settings: &'static str,
    /// All at once, each for as long.
    faults: Vec<(Fault, Duration)>,
    /// From the end of the last fault until pictures arrive again.
    back_within: Duration,
    /// What the ledger may say; nothing needs to be missing where this is empty.
    reasons: &'static [&'static str],
    /// Whether pictures come while the last fault lasts.
    tolerated: bool,
}

impl Case {
    fn new(name: &str, faults: Vec<Fault>, reasons: &'static [&'static str]) -> Self {
        Self {
            camera: camera(name, 1),
            settings: "",
            faults: faults.into_iter().map(|fault| (fault, USUALLY)).collect(),
            back_within: Duration::from_secs(10),
            reasons,
            tolerated: false,
        }
    }

    /// For what shows only when a session begins: the running one is cut off.
    fn at_sign_in(
        name: &str,
        fault: Fault,
        seconds: u64,
        reasons: &'static [&'static str],
    ) -> Self {
        Self {
            faults: vec![
                (Fault::Cut, Duration::from_millis(500)),
                (fault, Duration::from_secs(seconds)),
            ],
            ..Self::new(name, Vec::new(), reasons)
        }
    }

    fn lasting(mut self, seconds: u64) -> Self {
        for (_, lasting) in &mut self.faults {
            *lasting = Duration::from_secs(seconds);
        }
        self
    }

    const fn back_within(mut self, seconds: u64) -> Self {
        self.back_within = Duration::from_secs(seconds);
        self
    }

    const fn tolerated(mut self) -> Self {
        self.tolerated = true;
        self
    }

    /// Over UDP, where packets are lost and change places on their way.
    const fn over_udp(mut self) -> Self {
        self.settings = "transport = \"udp\"";
        self
    }

    fn name(&self) -> &str {
        &self.camera.name
    }

    fn lasts(&self) -> Duration {
        let lasting = self.faults.iter().map(|(_, lasting)| *lasting);
        lasting.max().unwrap_or_default()
    }
}

const DISCONNECTED: &[&str] = &["camera_disconnected", "camera_unreachable"];

fn cases() -> Vec<Case> {
    let mut cases = vec![
        Case::new("cut", vec![Fault::Cut], DISCONNECTED),
        Case::new("refused", vec![Fault::Cut, Fault::Refuse], DISCONNECTED),
        Case::new("stall", vec![Fault::Stall], &["camera_stalled"]).lasting(12),
        Case::new(
            "loss",
            vec![Fault::Loss { fraction: 0.2 }],
            &["packets_lost"],
        ),
        Case::new(
            "loss-udp",
            vec![Fault::Loss { fraction: 0.2 }],
            &["packets_lost"],
        )
        .over_udp(),
        // Without a queue to sort them in, a packet that comes late is lost.
        Case::new("disorder", vec![Fault::Reorder { fraction: 0.2 }], &[]).over_udp(),
        Case::new("jump", vec![Fault::RtpJump { ticks: 900_000 }], &[]).tolerated(),
        Case::new("jump-back", vec![Fault::RtpJump { ticks: -900_000 }], &[]).tolerated(),
        Case::at_sign_in("wrap", Fault::RtpWrap { after_ms: 6_000 }, 15, DISCONNECTED).tolerated(),
        Case::new("skew", vec![Fault::ClockSkew { ppm: 200.0 }], &[])
            .lasting(20)
            .tolerated(),
        Case::new("resolution", vec![smaller()], &[]).tolerated(),
        Case::new("long-gop", vec![Fault::LongGop], &[]).tolerated(),
        audio_only(),
        Case::at_sign_in(
            "unknown-codec",
            unknown_codec(),
            12,
            &["camera_codec_unsupported"],
        ),
        // Not tried again soon, so that the camera does not lock the account.
        Case::at_sign_in(
            "password",
            Fault::WrongPassword,
            12,
            &["camera_refused_credentials"],
        )
        .back_within(45),
    ];
    cases.extend(ODD_SDPS.map(|(name, variant)| {
        Case::at_sign_in(name, Fault::OddSdp { variant }, 15, DISCONNECTED).tolerated()
    }));
    cases.extend(KEEP_ALIVES.map(|(name, how)| keep_alive_refused(name, how)));
    cases
}

const ODD_SDPS: [(&str, OddSdp); 5] = [
    ("no-parameter-sets", OddSdp::NoParameterSets),
    ("blanks", OddSdp::ExtraWhitespace),
    ("absolute-control", OddSdp::AbsoluteControl),
    ("odd-session", OddSdp::OddSession),
    ("line-feeds", OddSdp::BareLineFeeds),
];

const KEEP_ALIVES: [(&str, KeepAliveRefusal); 5] = [
    ("not-allowed", KeepAliveRefusal::NotAllowed),
    ("not-understood", KeepAliveRefusal::NotUnderstood),
    ("wrong-sequence", KeepAliveRefusal::WrongSequence),
    ("silence", KeepAliveRefusal::Silence),
    ("close", KeepAliveRefusal::Close),
];

/// Other parameter sets in the middle of the stream.
const fn smaller() -> Fault {
    Fault::SpsChange {
        width: 640,
        height: 368,
    }
}

fn unknown_codec() -> Fault {
    Fault::UnknownCodec {
        encoding: "X-SECRET".to_owned(),
    }
}

fn audio_only() -> Case {
    let reasons = &["camera_protocol_error"];
    let mut case = Case::at_sign_in("audio-only", Fault::AudioOnly, 12, reasons);
    case.camera.audio = Audio::Aac;
    case
}

/// Long enough for several keep-alives, which are sent twice in a time-out.
fn keep_alive_refused(name: &str, how: KeepAliveRefusal) -> Case {
    let mut case = Case::new(name, vec![Fault::RefuseKeepAlive { how }], &[]).lasting(20);
    case.camera.session_timeout_s = 8;
    case
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_is_back_soon_after_its_fault_and_the_gap_is_explained() -> Result<()> {
    let directory = TempDir::new()?;
    let cases = cases();
    let cameras = cases.iter().map(|case| case.camera.clone()).collect();
    let with = |settings: CameraSettings| {
        let case = cases.iter().find(|case| case.name() == settings.name);
        settings.with(case.map_or("", |case| case.settings))
    };
    let scene =
        Scene::start_with(directory.path(), cameras, &SiteSettings::default(), with).await?;
    let began = now();
    for case in &cases {
        let handle = scene.simulator.camera(case.name())?;
        for (fault, lasting) in &case.faults {
            handle
                .fault_for(fault.clone(), *lasting)
                .with_context(|| case.name().to_owned())?;
        }
    }
    let over = now();
    for case in &cases {
        expect_back(&scene, case, began, over + case.lasts())
            .await
            .with_context(|| case.name().to_owned())?;
    }
    scene.stop().await
}

async fn expect_back(scene: &Scene, case: &Case, began: WallTime, over: WallTime) -> Result<()> {
    let back = first_recorded(scene, case, over).await?;
    // The first picture is the next key frame, a second later at most; another second is the test's own slowness.
    let deadline = over + case.back_within + Duration::from_secs(2);
    ensure!(
        back <= deadline,
        "was back only at {back}, the fault was over at {over}"
    );
    if case.tolerated {
        let during = first_recorded(scene, case, over - Duration::from_secs(3)).await?;
        ensure!(during < over, "no picture before {during}, while it lasted");
    }
    let range = TimeRange::new(began, back + Duration::from_secs(2))?;
    let timeline = scene
        .accounted(case.name(), range, Duration::from_secs(30))
        .await?;
    let given: Vec<_> = spans(&timeline)
        .filter_map(|span| span["reason"].as_str())
        .collect();
    let expected =
        case.reasons.is_empty() || given.iter().any(|reason| case.reasons.contains(reason));
    ensure!(expected, "{given:?} instead of {:?}", case.reasons);
    let footage = scene.footage(case.name(), range).await?;
    eprintln!(
        "{}: back {:.1} s after its end, {} pictures recorded in {:.0} s, the ledger says {given:?}",
        case.name(),
        back.saturating_duration_since(over).as_secs_f64(),
        footage.recorded.len(),
        range.duration().as_secs_f64()
    );
    explained(&footage, &timeline)
}

/// Where for a second no picture can be seen, the ledger speaks of it.
fn explained(footage: &Footage, timeline: &Value) -> Result<()> {
    for pair in footage.recorded.windows(2) {
        let (from, to) = (pair[0], pair[1]);
        let said = |span: &Value| {
            let reason = span["reason"].as_str();
            reason.is_some()
                && instant(&span["from"]) < Some(to)
                && instant(&span["to"]) > Some(from)
        };
        ensure!(
            to.saturating_duration_since(from) < A_SECOND || spans(timeline).any(said),
            "no picture from {from} to {to}, and the ledger says only {}",
            timeline["spans"]
        );
    }
    Ok(())
}

/// The first recorded instant from `since` on.
async fn first_recorded(scene: &Scene, case: &Case, since: WallTime) -> Result<WallTime> {
    let id = scene.camera_id(case.name()).await?;
    let range = TimeRange::starting_at(since, Duration::from_secs(3_600));
    let limit = case.lasts() + case.back_within + Duration::from_secs(60);
    wait::until("it to be back", limit, async || {
        let timeline = scene.api.timeline(&id, range).await?;
        spans(&timeline)
            .find(|span| span["state"] == "recorded")
            .and_then(|span| instant(&span["from"]))
            .with_context(|| timeline["spans"].to_string())
    })
    .await
}

fn instant(value: &Value) -> Option<WallTime> {
    WallTime::from_rfc3339(value.as_str()?).ok()
}

//! `cctv-agent drill retention`.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use shared::clock::Clock;
use shared::id::{CameraId, SegmentId};
use shared::time::TimeRange;
use shared::timeline::Reason;
use shared::wire::control::UploadPolicy;

use super::size;
use crate::buffer::inspect::Inspection;
use crate::buffer::{CameraRule, Eviction, Policies};
use crate::cli::say;
use crate::config::Config;

#[derive(Debug, Args)]
pub(super) struct Retention {
    /// Instead of `buffer.max_bytes`.
    #[arg(long)]
    max_bytes: Option<u64>,
    /// Instead of `buffer.max_age_hours`; 0 for no limit.
    #[arg(long)]
    max_age_hours: Option<u32>,
    /// Instead of `buffer.reserve_bytes`.
    #[arg(long)]
    reserve_bytes: Option<u64>,
    /// Instead of `upload.policy`: all, events, on-demand or schedule. What waits for an upload is
    /// not deleted by age.
    #[arg(long, value_parser = policy)]
    upload: Option<UploadPolicy>,
    /// Print every segment, as JSON.
    #[arg(long)]
    json: bool,
}

fn policy(name: &str) -> Result<UploadPolicy, String> {
    serde_json::from_value(serde_json::Value::String(name.to_owned()))
        .map_err(|_| "one of all, events, on-demand, schedule".to_owned())
}

#[derive(Serialize)]
struct Line {
    segment: SegmentId,
    camera: CameraId,
    range: TimeRange,
    size: u64,
    uploaded: bool,
    evidence: bool,
    reason: Reason,
}

impl From<&Eviction> for Line {
    fn from(eviction: &Eviction) -> Self {
        let holding = &eviction.holding;
        Self {
            segment: holding.segment,
            camera: holding.camera,
            range: holding.range,
            size: holding.size,
            uploaded: holding.uploaded,
            evidence: holding.locked,
            reason: eviction.reason,
        }
    }
}

impl Retention {
    pub(super) fn run(&self, config: &Config, clock: &dyn Clock) -> anyhow::Result<ExitCode> {
        let buffer = config.buffer();
        let mut limits = buffer.limits;
        if let Some(bytes) = self.max_bytes {
            limits.max_bytes = (bytes > 0).then_some(bytes);
        }
        if let Some(hours) = self.max_age_hours {
            limits.max_age = (hours > 0).then(|| Duration::from_secs(u64::from(hours) * 3_600));
        }
        limits.reserve_bytes = self.reserve_bytes.unwrap_or(limits.reserve_bytes);
        let policies = Policies {
            default: CameraRule {
                upload: self.upload.unwrap_or(config.upload.policy),
                max_age: None,
            },
            ..Policies::default()
        };
        let inspection = Inspection::open(buffer)?;
        let plan = inspection.dry_run(&limits, &policies, clock.wall())?;
        if self.json {
            let lines: Vec<Line> = plan.iter().map(Line::from).collect();
            say(serde_json::to_string_pretty(&lines)?);
        } else {
            tell(&plan);
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn tell(plan: &[Eviction]) {
    if plan.is_empty() {
        say("nothing would be deleted now");
        return;
    }
    let mut kinds: BTreeMap<(CameraId, String), Vec<&Eviction>> = BTreeMap::new();
    for eviction in plan {
        let why = format!("{:?}", eviction.reason);
        let key = (eviction.holding.camera, why);
        kinds.entry(key).or_default().push(eviction);
    }
    for ((camera, why), evictions) in kinds {
        let bytes = evictions.iter().map(|eviction| eviction.holding.size).sum();
        let only = evictions
            .iter()
            .filter(|eviction| !eviction.holding.uploaded)
            .count();
        let first = evictions.iter().map(|e| e.holding.range.start()).min();
        let last = evictions.iter().map(|e| e.holding.range.end()).max();
        say(format_args!(
            "camera {camera}: {} segments ({}), {} to {}, {why}; {only} of them are the only copy",
            evictions.len(),
            size(bytes),
            first.unwrap_or_default(),
            last.unwrap_or_default()
        ));
    }
}

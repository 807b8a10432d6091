//! `cctv-agent drill verify`.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use shared::clock::Clock;
use shared::time::WallTime;

use super::size;
use crate::buffer::inspect::{Audit, Inspection};
use crate::cli::say;
use crate::config::Config;
use crate::identity::Key;

#[derive(Debug, Args)]
pub(super) struct Verify {
    /// Only what was recorded in the last so many hours.
    #[arg(long)]
    hours: Option<u32>,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
}

impl Verify {
    /// Succeeds when everything is as the index says and every second is explained.
    pub(super) fn run(&self, config: &Config, clock: &dyn Clock) -> anyhow::Result<ExitCode> {
        let now = clock.wall();
        let since = self.hours.map_or(WallTime::MIN, |hours| {
            now - Duration::from_secs(u64::from(hours) * 3_600)
        });
        let inspection = Inspection::open(config.buffer())?;
        // The key exists wherever something was recorded; it is never made here.
        let key = config.agent.data_dir.join("agent.key");
        let key = key
            .exists()
            .then(|| Key::load_or_create(&config.agent.data_dir))
            .transpose()?;
        let audit = inspection.audit(key.as_ref().map(Key::public_key), since, now)?;
        if self.json {
            say(serde_json::to_string_pretty(&audit)?);
        } else {
            tell(&audit, key.is_some());
        }
        Ok(if audit.is_sound() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}

fn tell(audit: &Audit, signed: bool) {
    say(format_args!(
        "{} closed segments and {} open ones: {} fragments, {}",
        audit.closed_segments,
        audit.open_segments,
        audit.fragments,
        size(audit.bytes)
    ));
    if !signed {
        say("there is no agent.key in the data directory, so signatures were not checked");
    }
    for problem in &audit.problems {
        say(format_args!(
            "PROBLEM {}: {}",
            problem.path, problem.problem
        ));
    }
    for stream in &audit.streams {
        let missing: Vec<_> = stream
            .missing_ms
            .iter()
            .map(|(reason, ms)| format!("{} s {reason}", ms / 1_000))
            .collect();
        say(format_args!(
            "camera {} {:?}: {} s recorded{}{}",
            stream.camera,
            stream.stream,
            stream.recorded_ms / 1_000,
            if missing.is_empty() {
                ""
            } else {
                "; not recorded: "
            },
            missing.join(", ")
        ));
        for hole in &stream.unexplained {
            say(format_args!(
                "PROBLEM camera {}: nothing explains {} to {}",
                stream.camera,
                hole.start(),
                hole.end()
            ));
        }
    }
    say(if audit.is_sound() {
        "everything is as it was recorded, and every second is explained"
    } else {
        "something is wrong; see above"
    });
}

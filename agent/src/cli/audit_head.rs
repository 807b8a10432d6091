//! `cctv-agent audit-head`, also beside a running agent.

use std::process::ExitCode;

use crate::config::Config;
use crate::uplink::witness;

/// One head a line, newest first, as `cctv-coordinator audit verify --head` takes it.
pub(super) fn run(config: &Config) -> anyhow::Result<ExitCode> {
    let kept = witness::all(&config.agent.data_dir)?;
    if kept.is_empty() {
        super::say("this agent keeps no heads of an audit yet");
    }
    for (authority, heads) in kept {
        super::say(format_args!(
            "# of the coordinator whose authority's SHA-256 begins with {authority}"
        ));
        for kept in heads {
            let head = kept.head;
            super::say(format_args!(
                "{}:{}  kept since {}",
                head.number, head.hash, kept.since
            ));
        }
    }
    Ok(ExitCode::SUCCESS)
}

//! `cctv-agent check-config`.

use std::path::Path;
use std::process::ExitCode;

/// Says what is wrong, line by line, or what would run.
pub(super) fn run(path: &Path) -> anyhow::Result<ExitCode> {
    let config = super::load(path)?;
    super::say(format_args!(
        "{}: good; {} cameras, data in {}",
        path.display(),
        config.cameras.len(),
        config.agent.data_dir.display()
    ));
    Ok(ExitCode::SUCCESS)
}

//! `cctv-agent drill`: proofs for whoever has to rely on this agent.
//!
//! `verify` reads what is recorded and checks every hash, `kill` ends a recording by force again
//! and again and measures what that costs, `retention` says what other limits would delete.

mod kill;
mod record;
mod retention;
mod verify;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Subcommand};
use shared::clock::Clock;

#[derive(Debug, Args)]
pub(super) struct Drill {
    #[command(subcommand)]
    exercise: Exercise,
}

#[derive(Debug, Subcommand)]
enum Exercise {
    /// Check every recording against the index, its hashes and its signature. Changes nothing; the
    /// agent may be running.
    Verify(verify::Verify),
    /// Record a camera in a scratch directory, kill the recording at random instants, and measure
    /// what is lost.
    Kill(kill::Kill),
    /// List what other limits would delete now. Deletes nothing.
    Retention(retention::Retention),
    /// The recording that `kill` kills.
    #[command(hide = true)]
    Record(record::Record),
}

impl Drill {
    pub(super) async fn run(
        self,
        settings: &Path,
        clock: Arc<dyn Clock>,
    ) -> anyhow::Result<ExitCode> {
        match self.exercise {
            Exercise::Verify(verify) => verify.run(&super::load(settings)?, clock.as_ref()),
            Exercise::Kill(kill) => kill.run(settings, clock).await,
            Exercise::Retention(retention) => {
                retention.run(&super::load(settings)?, clock.as_ref())
            }
            Exercise::Record(record) => record.run(settings, clock).await,
        }
    }
}

/// Bytes as a person reads them.
fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 4] = [
        (1_000_000_000_000, "TB"),
        (1_000_000_000, "GB"),
        (1_000_000, "MB"),
        (1_000, "kB"),
    ];
    UNITS.iter().find(|(unit, _)| bytes >= *unit).map_or_else(
        || format!("{bytes} bytes"),
        |(unit, name)| format!("{}.{} {name}", bytes / unit, bytes % unit * 10 / unit),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_one_decimal() {
        assert_eq!(size(999), "999 bytes");
        assert_eq!(size(1_250), "1.2 kB");
        assert_eq!(size(31_990_000), "31.9 MB");
        assert_eq!(size(2_000_000_000_000), "2.0 TB");
    }
}

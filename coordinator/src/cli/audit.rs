//! `audit verify` and `audit explain`: also while the coordinator runs.

use std::time::Instant;

use anyhow::ensure;
use clap::Subcommand;

use super::print;
use crate::app::Console;
use crate::config::Config;
use crate::domain::access::Deed;
use crate::domain::audit::chain::Head;

/// Longest explanation, in characters.
const MAX_WHY: usize = 500;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Check that nothing in the audit was changed, removed, inserted or re-ordered; fails and names
    /// the first broken entry otherwise
    Verify {
        /// A head that was noted earlier, here or by `cctv-agent audit-head` at a site; may be
        /// given several times
        #[arg(long = "head", value_name = "NUMBER:HASH")]
        heads: Vec<Head>,
    },
    /// Say in the audit why agents remember another one, such as after a restore from a backup; the
    /// alarm ends, what they remember stays on record
    Explain {
        /// What happened, for whoever reads the audit
        why: String,
    },
}

pub(super) fn run(config: &Config, command: Command) -> anyhow::Result<()> {
    match command {
        Command::Verify { heads } => verify(config, heads),
        Command::Explain { why } => explain(config, &why),
    }
}

fn explain(config: &Config, why: &str) -> anyhow::Result<()> {
    let why = why.trim();
    ensure!(
        (1..=MAX_WHY).contains(&why.chars().count()) && !why.chars().any(char::is_control),
        "an explanation has 1 to {MAX_WHY} characters and no control characters"
    );
    let explained = Console::block_on(config, async |console| {
        let grant = console.services.access.console(Deed::ViewAudit);
        Ok(console.services.audit.explain(&grant, why).await?)
    })?;
    print(&match explained {
        0 => "no agent remembers another audit; nothing was written\n".to_owned(),
        count => format!("{count} remembered heads are explained in the audit\n"),
    })
}

fn verify(config: &Config, heads: Vec<Head>) -> anyhow::Result<()> {
    let begun = Instant::now();
    let noted = heads.len();
    let head = Console::block_on(config, async |console| {
        let grant = console.services.access.console(Deed::ViewAudit);
        Ok(console.services.audit.verify(&grant, heads).await?)
    })?;
    let Some(head) = head else {
        return print("the audit has no entries yet\n");
    };
    let seconds = begun.elapsed().as_secs_f64();
    print(&format!(
        "the audit is whole: {} entries, {noted} noted heads compared, {seconds:.1} s\nits head is {head}\n",
        head.number
    ))
}

//! `audit verify`: also while the coordinator runs.

use std::time::Instant;

use clap::Subcommand;

use super::print;
use crate::app::Console;
use crate::config::Config;
use crate::domain::access::Deed;
use crate::domain::audit::chain::Head;

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
}

pub(super) fn run(config: &Config, command: Command) -> anyhow::Result<()> {
    let Command::Verify { heads } = command;
    let begun = Instant::now();
    let noted = heads.len();
    let head = Console::block_on(config, async |console| {
        let grant = console.services.access.console(Deed::ViewStorage);
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

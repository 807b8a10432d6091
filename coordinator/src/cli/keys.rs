//! `keys list` and `keys rotate`: also while the coordinator runs, which takes the change over within a
//! second.

use std::fmt::Write as _;

use clap::Subcommand;

use super::print;
use crate::app::Console;
use crate::config::Config;
use crate::domain::access::Deed;
use crate::services::tokens::Rotation;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show the published keys, and from when each signs
    List,
    /// Publish a new key, which signs once everybody can know it; nobody is signed out
    Rotate {
        /// A key was stolen: the new one signs at once, and no token signed with an old one is
        /// worth anything
        #[arg(long)]
        stolen: bool,
    },
}

pub(super) fn run(config: &Config, command: &Command) -> anyhow::Result<()> {
    Console::block_on(config, async |console| {
        let tokens = &console.services.tokens;
        if let Command::Rotate { stolen } = command {
            let grant = console.services.access.console(Deed::ConfigureSystem);
            let rotation = match stolen {
                true => Rotation::Replacement,
                false => Rotation::Asked,
            };
            tokens.rotate(&grant, rotation).await?;
        } else {
            tokens.load().await?;
        }
        let mut text = String::new();
        for key in tokens.keys() {
            writeln!(
                text,
                "{}  signs from {}",
                key.kid,
                key.signs_from.to_rfc3339()
            )?;
        }
        print(&text)
    })
}

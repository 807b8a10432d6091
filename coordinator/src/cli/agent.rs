//! `agent invite`, `agent list`, `agent revoke`: also while the coordinator runs, which notices
//! within two seconds.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::Context as _;
use clap::Subcommand;
use secrecy::ExposeSecret as _;
use shared::id::AgentId;

use super::print;
use crate::app::Console;
use crate::config::{Address, Config};
use crate::domain::access::Deed;
use crate::enrolment;
use crate::services::agents::{AgentState, AgentView, NewInvite};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make an enrolment code for one agent
    Invite {
        /// Name of the site; made when there is none
        #[arg(long)]
        site: String,
        /// Name of the agent; the installer's own when left out
        #[arg(long)]
        name: Option<String>,
        /// How long the code works
        #[arg(long, value_name = "MINUTES", default_value_t = 24 * 60)]
        valid_for: u32,
        /// What the agent shall dial, when it is not `agents.public_address`
        #[arg(long, value_name = "HOST:PORT")]
        address: Option<Address>,
        /// Print the code alone, for scripts
        #[arg(long)]
        quiet: bool,
    },
    /// Show the agents that are enrolled
    List,
    /// Refuse an agent from now on
    Revoke {
        /// As `agent list` shows it
        id: AgentId,
    },
}

pub(super) fn run(config: &Config, command: Command) -> anyhow::Result<()> {
    Console::block_on(config, async |console| match command {
        Command::Invite {
            site,
            name,
            valid_for,
            address,
            quiet,
        } => {
            let new = NewInvite {
                site_name: site,
                agent_name: name,
                valid_for: Duration::from_secs(u64::from(valid_for) * 60),
            };
            let address = address.unwrap_or_else(|| config.agents.advertised(config.agents.listen));
            print(&invite(&console, new, &address, quiet).await?)
        }
        Command::List => print(&list(&console).await?),
        Command::Revoke { id } => {
            let grant = console.services.access.console(Deed::ManageAgents);
            console.services.agents.revoke(&grant, id).await?;
            print(&format!("agent {id} is refused from now on\n"))
        }
    })
}

async fn invite(
    console: &Console,
    new: NewInvite,
    address: &Address,
    quiet: bool,
) -> anyhow::Result<String> {
    let grant = console.services.access.console(Deed::ManageAgents);
    let invited = console.services.agents.create_invite(&grant, new).await?;
    let code = enrolment::code(address, console.authority.fingerprint(), invited.secret);
    let text = code.expose_secret();
    if quiet {
        return Ok(format!("{text}\n"));
    }
    let qr = enrolment::terminal(&code).context("drawing the QR code")?;
    Ok(format!(
        "{qr}\n\n{text}\n\nOn the agent's host: cctv-agent enroll\nThe code works once, until {}. It \
         tells the agent to dial {address}.\n",
        invited.expires_at
    ))
}

async fn list(console: &Console) -> anyhow::Result<String> {
    let grant = console.services.access.console(Deed::ViewAgents);
    let agents = console.services.agents.list(&grant).await?;
    let mut text = String::new();
    for agent in agents {
        writeln!(text, "{}", line(&agent))?;
    }
    Ok(text)
}

fn line(agent: &AgentView) -> String {
    // Only the running coordinator knows who is connected.
    let revoked = if agent.state == AgentState::Revoked {
        "revoked"
    } else {
        "enrolled"
    };
    let seen = agent
        .last_seen
        .map_or_else(|| "never".to_owned(), |time| time.to_string());
    format!(
        "{}  {revoked:8}  {seen:24}  {}  {} ({} cameras)",
        agent.id, agent.site_name, agent.name, agent.cameras
    )
}

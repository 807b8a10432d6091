//! `user reset-password`: for whoever has locked themselves out.

use std::io::BufRead as _;

use anyhow::{Context as _, ensure};
use clap::Subcommand;
use secrecy::{ExposeSecret as _, SecretString};

use super::print;
use crate::app::Console;
use crate::config::Config;
use crate::domain::access::Deed;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Set a password and end all sessions of its owner
    ResetPassword {
        #[arg(default_value = "admin")]
        login: String,
        /// Read the password from standard input; otherwise one is made up and printed once
        #[arg(long)]
        stdin: bool,
    },
}

pub(super) fn run(config: &Config, command: Command) -> anyhow::Result<()> {
    let Command::ResetPassword { login, stdin } = command;
    let password = if stdin { read()? } else { made_up() };
    Console::block_on(config, async |console| {
        let grant = console.services.access.console(Deed::ManageUsers);
        let users = &console.services.users;
        let user = users.by_login(&grant, &login).await?;
        users
            .set_password(&grant, user.id, password.clone())
            .await?;
        Ok(())
    })?;
    if stdin {
        print(&format!("the password of {login} is set\n"))
    } else {
        let password = password.expose_secret();
        print(&format!("the password of {login} is now {password}\n"))
    }
}

fn read() -> anyhow::Result<SecretString> {
    let mut line = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut line)
        .context("reading the password from standard input")?;
    let password = line.trim_end_matches(['\r', '\n']);
    ensure!(!password.is_empty(), "standard input had no password");
    Ok(password.into())
}

/// 120 random bits in letters and digits that are hard to confuse.
fn made_up() -> SecretString {
    let random = rand::random::<[u8; 15]>();
    data_encoding::BASE32_NOPAD
        .encode(&random)
        .to_ascii_lowercase()
        .into()
}

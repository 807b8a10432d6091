//! `user create`, `list`, `disable`, `enable`, `unlock`, `reset-password`, `reset-second-factor`: for the first people of a centre, and
//! for whoever has locked themselves out. Also while the coordinator runs.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::BufRead as _;

use anyhow::{Context as _, ensure};
use clap::{Args, Subcommand};
use secrecy::{ExposeSecret as _, SecretString};

use super::print;
use crate::app::Console;
use crate::config::Config;
use crate::domain::access::Deed;
use crate::domain::agency::AgencyCode;
use crate::domain::group::RoleCode;
use crate::domain::text::{Email, Line};
use crate::domain::user::{Status, User};
use crate::services::users::Profile;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Create a person, such as another administrator
    Create(Create),
    /// Show everybody
    List,
    /// Let somebody sign in no more, and end all they have open
    Disable { login: String },
    /// Let somebody sign in again
    Enable { login: String },
    /// End the wait after wrong passwords, at the account and wherever its owner has signed in
    Unlock {
        #[arg(default_value = "admin")]
        login: String,
    },
    /// Take away a second factor that its owner has lost, and end all their sessions
    ResetSecondFactor {
        #[arg(default_value = "admin")]
        login: String,
    },
    /// Set a password and end all sessions of its owner
    ResetPassword {
        #[arg(default_value = "admin")]
        login: String,
        /// Read the password from standard input; otherwise one is made up and printed once
        #[arg(long)]
        stdin: bool,
    },
}

#[derive(Debug, Args)]
pub(super) struct Create {
    login: String,
    /// As it is shown; the login when left out
    #[arg(long)]
    name: Option<Line<128>>,
    /// The full name in Arabic
    #[arg(long)]
    arabic_name: Option<Line<128>>,
    #[arg(long)]
    email: Option<Email>,
    /// Code of the agency, such as METRO; left out for somebody of the whole authority
    #[arg(long)]
    agency: Option<AgencyCode>,
    /// Code of a role, such as administrator or operator; may be repeated
    #[arg(long = "role")]
    roles: Vec<RoleCode>,
    /// Read the password from standard input; otherwise one is made up and printed once
    #[arg(long)]
    stdin: bool,
}

pub(super) fn run(config: &Config, command: Command) -> anyhow::Result<()> {
    match command {
        Command::Create(new) => create(config, new),
        Command::List => list(config),
        Command::Disable { login } => set_status(config, &login, Status::Disabled),
        Command::Enable { login } => set_status(config, &login, Status::Active),
        Command::Unlock { login } => unlock(config, &login),
        Command::ResetSecondFactor { login } => reset_second_factor(config, &login),
        Command::ResetPassword { login, stdin } => reset_password(config, &login, stdin),
    }
}

fn create(config: &Config, new: Create) -> anyhow::Result<()> {
    let (password, shown) = password(new.stdin)?;
    let display_name = match new.name {
        Some(name) => name,
        None => new.login.parse().context("the login is no name to show")?,
    };
    let profile = Profile {
        arabic_name: new.arabic_name,
        email: new.email,
        agency: new.agency,
        roles: BTreeSet::from_iter(new.roles),
        ..Profile::new(&new.login, display_name)
    };
    let mut login = String::new();
    Console::block_on(config, async |console| {
        let grant = console.services.access.console(Deed::ManageUsers);
        let users = &console.services.users;
        let (_, user) = users.create(&grant, profile, Some(password)).await?;
        user.login.as_str().clone_into(&mut login);
        Ok(())
    })?;
    match shown {
        Some(password) => print(&format!(
            "{login} is created; the password is {}\n",
            password.expose_secret()
        )),
        None => print(&format!("{login} is created\n")),
    }
}

fn list(config: &Config) -> anyhow::Result<()> {
    Console::block_on(config, async |console| {
        let grant = console.services.access.console(Deed::ViewUsers);
        let (_, users) = console.services.users.list(&grant).await?;
        let mut text = String::new();
        for user in users {
            writeln!(text, "{}", line(&user))?;
        }
        print(&text)
    })
}

fn line(user: &User) -> String {
    let status = match user.status {
        Status::Active => "active",
        Status::Disabled => "disabled",
    };
    let roles: Vec<_> = user.roles.iter().map(RoleCode::as_str).collect();
    format!(
        "{:24}  {status:8}  {:16}  {:24}  {}",
        user.login.as_str(),
        user.agency.as_ref().map_or("-", AgencyCode::as_str),
        roles.join(","),
        user.display_name
    )
}

fn set_status(config: &Config, login: &str, status: Status) -> anyhow::Result<()> {
    Console::block_on(config, async |console| {
        let grant = console.services.access.console(Deed::ManageUsers);
        let users = &console.services.users;
        let user = users.by_login(&grant, login).await?;
        users.set_status(&grant, user.id, status).await?;
        match status {
            Status::Active => print(&format!("{login} may sign in again\n")),
            Status::Disabled => print(&format!("{login} may not sign in from now on\n")),
        }
    })
}

fn unlock(config: &Config, login: &str) -> anyhow::Result<()> {
    Console::block_on(config, async |console| {
        let grant = console.services.access.console(Deed::ManageUsers);
        let users = &console.services.users;
        let user = users.by_login(&grant, login).await?;
        match users.unlock(&grant, user.id).await? {
            true => print(&format!("{login} may try again at once\n")),
            false => print(&format!("{login} did not have to wait\n")),
        }
    })
}

fn reset_second_factor(config: &Config, login: &str) -> anyhow::Result<()> {
    Console::block_on(config, async |console| {
        let grant = console.services.access.console(Deed::ManageUsers);
        let users = &console.services.users;
        let user = users.by_login(&grant, login).await?;
        users.reset_second_factor(&grant, user.id).await?;
        print(&format!("{login} signs in with the password alone\n"))
    })
}

fn reset_password(config: &Config, login: &str, stdin: bool) -> anyhow::Result<()> {
    let (password, shown) = password(stdin)?;
    Console::block_on(config, async |console| {
        let grant = console.services.access.console(Deed::ManageUsers);
        let users = &console.services.users;
        let user = users.by_login(&grant, login).await?;
        users.set_password(&grant, user.id, password).await?;
        Ok(())
    })?;
    match shown {
        Some(password) => print(&format!(
            "the password of {login} is now {}\n",
            password.expose_secret()
        )),
        None => print(&format!("the password of {login} is set\n")),
    }
}

/// The password to set, and once more where it has to be shown because it was made up.
fn password(stdin: bool) -> anyhow::Result<(SecretString, Option<SecretString>)> {
    if stdin {
        return Ok((read()?, None));
    }
    let password = made_up();
    Ok((password.clone(), Some(password)))
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

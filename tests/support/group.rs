//! Children that end with this program, however it ends: also when it is killed and can stop nobody.
//!
//! They share a process group with a keeper, a shell that reads from a pipe nobody writes to. The pipe closes with the
//! last breath of this program, and the keeper kills its group. In a group of their own they also do not hear the Ctrl-C
//! that a terminal sends to its foreground, so that this program can stop them in order.

use std::os::unix::process::CommandExt as _;
use std::process::{Child, Stdio};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result};
use tokio::process::Command;

static KEEPER: Mutex<Option<Child>> = Mutex::new(None);

/// Makes `command` a child that does not outlive this program or its own handle.
///
/// # Errors
/// The keeper cannot be started.
pub fn join(command: &mut Command) -> Result<&mut Command> {
    Ok(command.process_group(group()?).kill_on_drop(true))
}

/// The keeper is the group's leader, so that the group exists for as long as this program.
fn group() -> Result<i32> {
    let mut keeper = KEEPER.lock().unwrap_or_else(PoisonError::into_inner);
    let child = match &mut *keeper {
        Some(child) => child,
        None => keeper.insert(start().context("starting the keeper of our children")?),
    };
    Ok(i32::try_from(child.id())?)
}

fn start() -> std::io::Result<Child> {
    std::process::Command::new("sh")
        .args(["-c", "read -r _; kill -KILL 0"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
}

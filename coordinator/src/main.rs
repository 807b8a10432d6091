//! The coordinator's program: reads the command line and does what it says.

use std::process::ExitCode;

use cctv_coordinator::cli::Cli;
use clap::Parser as _;

fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!(
                "cctv-coordinator: {}",
                shared::cause::in_one_line(error.as_ref())
            );
            ExitCode::FAILURE
        }
    }
}

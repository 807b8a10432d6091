//! The `cctv-agent` program. Everything happens in the library.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    cctv_agent::cli::main(cctv_agent::cli::Cli::parse())
}

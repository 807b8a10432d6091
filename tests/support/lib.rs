//! The world that the tests of promises run in: the real programs, the camera simulator, and a bad network.

pub mod api;
pub mod footage;
pub mod group;
pub mod net;
pub mod ports;
pub mod process;
pub mod wait;
pub mod world;

use std::path::PathBuf;

/// The checkout that the working directory is in. Asked for at run time: a program that another
/// checkout has built into the same target directory would know only that one.
///
/// # Panics
/// The working directory is in no checkout.
pub fn repository() -> PathBuf {
    let here = std::env::current_dir().expect("a working directory");
    let root = here
        .ancestors()
        .find(|path| path.join("Cargo.lock").exists());
    root.unwrap_or_else(|| panic!("{} is in no checkout of this project", here.display()))
        .to_owned()
}

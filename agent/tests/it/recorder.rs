//! Recording from the fan-out to files, index and ledger.

mod beginnings;
mod clocks;
mod crash;
mod disks;
mod faulty;
mod files;
mod modes;
mod real_disks;
pub(crate) mod studio;

//! Recording from the fan-out to files, index and ledger.

mod beginnings;
mod crash;
mod disks;
mod faulty;
mod files;
mod modes;
pub(crate) mod studio;

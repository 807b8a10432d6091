//! The whole agent as production starts it, against real cameras, with the trouble that only the
//! whole can have.

mod bad_input;
mod faults;
mod stand;

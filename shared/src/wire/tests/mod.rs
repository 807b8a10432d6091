//! The messages against the page that describes them, and against anything else.

mod any;
mod page;
mod properties;

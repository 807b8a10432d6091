//! Finding fragments again.

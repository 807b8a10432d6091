//! The coordinator from outside: real sockets, real clients, real agents' peers. One binary, so that
//! linking is paid once.

mod access;
mod agents;
mod audit;
mod bad_input;
mod certificate;
mod cli;
mod cors;
mod credentials;
mod docs;
mod enrolment;
mod foreign;
mod handbook;
mod hostile;
mod iam_events;
mod limits;
mod live;
mod oidc;
mod owasp;
mod pages;
mod peer;
mod playback;
mod refusals;
mod revocation;
mod session;
mod streams;
mod tricks;
mod tunnel;
mod world;

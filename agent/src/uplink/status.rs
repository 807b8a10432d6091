//! How the uplink is doing, for the health page and the metrics.

use std::time::Duration;

use shared::id::AgentId;
use shared::time::WallTime;

use super::connection::{Route, Traffic};
use crate::identity::Enrolment;

/// Where the uplink stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// The agent records on its own until somebody enrols it.
    NotEnrolled,
    Connecting,
    Connected,
    /// The last attempt failed; the next follows by itself.
    Waiting,
    /// Something else answers where the coordinator should.
    Elsewhere,
    /// The coordinator does not accept this agent (any more).
    Revoked,
    /// No common protocol version.
    Version,
    /// Another agent with the same identity took the connection over.
    Replaced,
    /// The key or the enrolment cannot be used.
    Broken,
}

/// A snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    pub state: State,
    pub since: WallTime,
    /// What went wrong last, for the technician.
    pub problem: Option<String>,
    /// As the coordinator named us.
    pub agent: Option<AgentId>,
    pub site_name: Option<String>,
    /// `host:port` of the enrolment.
    pub address: Option<String>,
    /// When our certificate ends.
    pub certificate_expires: Option<WallTime>,
    pub route: Option<Route>,
    pub coordinator_version: Option<String>,
    /// When the connection stood last.
    pub last_connected: Option<WallTime>,
    pub round_trip: Option<Duration>,
    /// Agent clock minus coordinator clock, in microseconds.
    pub clock_offset_us: Option<i64>,
    /// Records the coordinator has not acknowledged.
    pub metadata_backlog: u64,
    /// Recordings that should be at the centre and are not.
    pub upload_backlog: u64,
    /// Bytes of recordings that left the site today.
    pub uploaded_today: u64,
    /// Bytes of recordings that were sent more than once since the agent started.
    pub resent: u64,
    /// Of the present or last connection.
    pub traffic: Traffic,
}

impl Status {
    pub(super) const fn new(now: WallTime) -> Self {
        Self {
            state: State::Connecting,
            since: now,
            problem: None,
            agent: None,
            site_name: None,
            address: None,
            certificate_expires: None,
            route: None,
            coordinator_version: None,
            last_connected: None,
            round_trip: None,
            clock_offset_us: None,
            metadata_backlog: 0,
            upload_backlog: 0,
            uploaded_today: 0,
            resent: 0,
            traffic: Traffic {
                sent_bytes: 0,
                received_bytes: 0,
                lost_packets: 0,
            },
        }
    }

    /// A new attempt keeps the last problem, and a refusal that only people can mend stays shown
    /// until an attempt succeeds or fails otherwise.
    pub(super) fn enter(&mut self, state: State, problem: Option<String>, now: WallTime) {
        let mended_by_people = matches!(
            self.state,
            State::Elsewhere | State::Revoked | State::Version | State::Replaced | State::Broken
        );
        if state == State::Connecting && mended_by_people {
            return;
        }
        if self.state != state {
            self.state = state;
            self.since = now;
        }
        if state != State::Connecting {
            self.problem = problem;
        }
    }

    pub(super) fn enrolled(&mut self, enrolment: &Enrolment) {
        self.agent = Some(enrolment.agent);
        self.site_name = Some(enrolment.site_name.clone());
        self.address = Some(format!("{}:{}", enrolment.host, enrolment.port));
        self.certificate_expires = enrolment.expires();
    }

    pub(super) fn disconnected(&mut self, now: WallTime) {
        if self.state == State::Connected {
            self.last_connected = Some(now);
        }
        self.route = None;
        self.round_trip = None;
    }
}

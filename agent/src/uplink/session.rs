//! One connection from dialling to its end.

use std::sync::Arc;
use std::time::Duration;

use shared::wire::control::Welcome;
use shared::wire::{ALPN, CloseCode};
use tokio_util::sync::CancellationToken;

use super::connection::{
    Anchor, Closed, Connection, Credentials, DialError, StreamError, is_revocation, reach,
};
use super::status::State;
use super::upload::Plans;
use super::witness::Witness;
use super::{Shared, control, metadata, requests, upload, ways};
use crate::buffer::IndexError;
use crate::identity::Enrolment;

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
pub enum SessionEnd {
    #[error("this agent stops")]
    Stopped,
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error(transparent)]
    Closed(#[from] Closed),
    #[error("this agent and the coordinator have no protocol version in common; update the older")]
    Version,
    #[error("the coordinator broke the protocol: {0}")]
    Protocol(String),
    #[error("the enrolment cannot be used ({0}); enrol again")]
    Enrolment(String),
    #[error(transparent)]
    Index(#[from] IndexError),
}

impl From<StreamError> for SessionEnd {
    fn from(error: StreamError) -> Self {
        match error {
            StreamError::Connection(closed) => Self::Closed(closed),
            other => Self::Protocol(other.to_string()),
        }
    }
}

impl SessionEnd {
    const fn closed(&self) -> Option<&Closed> {
        match self {
            Self::Closed(closed) | Self::Dial(DialError::Closed { closed, .. }) => Some(closed),
            _ => None,
        }
    }

    fn closed_with(&self, expected: CloseCode) -> bool {
        matches!(self.closed(), Some(Closed::ByPeer { code, .. }) if *code == expected)
    }

    pub(super) fn is_revocation(&self) -> bool {
        self.closed().is_some_and(is_revocation)
    }

    pub(super) fn is_somebody_else(&self) -> bool {
        matches!(self, Self::Dial(error) if error.is_somebody_else())
    }

    pub(super) fn is_version(&self) -> bool {
        matches!(self, Self::Version) || self.closed_with(CloseCode::Version)
    }

    pub(super) fn is_replacement(&self) -> bool {
        self.closed_with(CloseCode::Replaced)
    }

    /// What the coordinator is told.
    const fn code(&self) -> CloseCode {
        match self {
            Self::Version => CloseCode::Version,
            Self::Protocol(_) => CloseCode::ProtocolError,
            Self::Index(_) => CloseCode::Internal,
            _ => CloseCode::Done,
        }
    }
}

/// Dials, greets and works until something ends it.
pub(super) async fn run(
    uplink: &Arc<Shared>,
    enrolment: &Enrolment,
    plans: &mut Plans,
    stop: CancellationToken,
) -> SessionEnd {
    let now = uplink.clock.wall();
    uplink.status.send_modify(|status| {
        status.enrolled(enrolment);
        status.enter(State::Connecting, None, now);
    });
    let connection = tokio::select! {
        () = stop.cancelled() => return SessionEnd::Stopped,
        connection = connect(uplink, enrolment) => match connection {
            Ok(connection) => connection,
            Err(end) => return end,
        },
    };
    let end = tokio::select! {
        () = stop.cancelled() => SessionEnd::Stopped,
        end = work(&connection, uplink, enrolment, plans) => end,
    };
    plans.disconnected(uplink);
    let now = uplink.clock.wall();
    uplink.status.send_modify(|status| status.disconnected(now));
    connection.shut_down(end.code(), &end.to_string()).await;
    end
}

async fn connect(uplink: &Shared, enrolment: &Enrolment) -> Result<Connection, SessionEnd> {
    let chain = enrolment.chain().map_err(SessionEnd::Enrolment)?;
    let authority = enrolment.authority().map_err(SessionEnd::Enrolment)?;
    let credentials = Credentials {
        chain,
        key: uplink.key.private_der(),
    };
    let anchor = Anchor::Authority(authority);
    let ways = ways(&uplink.settings, enrolment);
    Ok(reach(&ways, &anchor, Some(&credentials), ALPN).await?)
}

async fn work(
    connection: &Connection,
    uplink: &Arc<Shared>,
    enrolment: &Enrolment,
    plans: &mut Plans,
) -> SessionEnd {
    let witness = match Witness::open(&uplink.settings.data_dir, enrolment) {
        Ok(witness) => witness,
        Err(problem) => return SessionEnd::Enrolment(problem),
    };
    let greeting = tokio::select! {
        closed = connection.closed() => return closed.into(),
        greeting = control::greet(connection, uplink, enrolment.agent, witness) => greeting,
    };
    let (control, welcome, offset) = match greeting {
        Ok(greeting) => greeting,
        // The reason is often in the close that comes with it.
        Err(end) => return reason_of_close(connection).await.unwrap_or(end),
    };
    greeted(connection, uplink, &welcome, offset);
    let every = Duration::from_millis(u64::from(welcome.heartbeat_ms.clamp(500, 60_000)));
    let end = tokio::select! {
        closed = connection.closed() => closed.into(),
        end = control::run(control, connection, uplink, every, offset) => end,
        end = metadata::run(connection, uplink) => end,
        end = upload::run(connection, uplink, plans) => end,
        end = requests::run(connection, uplink) => end,
        () = connection.tend() => SessionEnd::Stopped,
    };
    reason_of_close(connection).await.unwrap_or(end)
}

fn greeted(connection: &Connection, uplink: &Shared, welcome: &Welcome, offset: i64) {
    let now = uplink.clock.wall();
    tracing::info!(
        address = %connection.remote(), route = %connection.route(), version = %welcome.version,
        clock_offset_us = offset, "connected to the coordinator"
    );
    uplink.counters.connected();
    uplink.status.send_modify(|status| {
        status.enter(State::Connected, None, now);
        status.route = Some(connection.route());
        status.round_trip = Some(connection.round_trip());
        status.clock_offset_us = Some(offset);
        status.coordinator_version = Some(welcome.version.clone());
    });
}

/// A stream may fail a moment before the close that explains it arrives.
async fn reason_of_close(connection: &Connection) -> Option<SessionEnd> {
    tokio::time::timeout(Duration::from_millis(200), connection.closed())
        .await
        .ok()
        .map(SessionEnd::Closed)
}

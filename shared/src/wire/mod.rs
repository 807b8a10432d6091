//! The protocol between agent and coordinator. `shared/PROTOCOL.md` is normative; a change here
//! changes that page in the same commit.
//!
//! One QUIC connection, opened by the agent. Every stream begins with one [`StreamHeader`] message
//! that says what it is for. Messages are JSON behind a four-byte length ([`codec`]); unknown
//! fields are ignored and unknown kinds answered, because agents in the field are older than the
//! centre. Media bytes follow a header raw.

pub mod codec;
pub mod control;
pub mod enrol;
pub mod live;
pub mod segment;
#[cfg(test)]
mod tests;
pub mod tunnel;

use serde::{Deserialize, Serialize};

/// TLS application protocol of the working connection (mutual TLS).
pub const ALPN: &[u8] = b"cctv-agent/1";
/// TLS application protocol of enrolment (the agent has no certificate yet).
pub const ALPN_ENROL: &[u8] = b"cctv-enrol/1";

/// DNS name in the coordinator's certificate (subject alternative name), and the one every agent
/// asks for and verifies, whatever the address it dials. The authority signs nothing but this
/// coordinator and its agents, so the name tells the two apart, and an address can change without a
/// new certificate. The coordinator sends its whole chain, the authority included, so that an agent
/// that knows only the authority's hash can verify it.
pub const SERVER_NAME: &str = "coordinator.cctv.internal";

/// Oldest and newest protocol this build speaks.
pub const PROTOCOL_MIN: u32 = 1;
pub const PROTOCOL_MAX: u32 = 1;

/// Largest message a peer may send; more closes the connection with [`CloseCode::ProtocolError`].
pub const MAX_MESSAGE_BYTES: usize = 4 * 1024 * 1024;

/// First message on every stream, from whoever opened it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum StreamHeader {
    /// Agent → coordinator, bidirectional, exactly one for the life of the connection:
    /// [`control::FromAgent`] and [`control::ToAgent`].
    Control,
    /// Agent → coordinator, bidirectional, exactly one: [`segment::Report`] batches up,
    /// [`segment::ReportAck`] down.
    Metadata,
    /// Agent → coordinator, bidirectional, one per segment: the offer; see [`segment`] for the
    /// dialogue.
    Upload(segment::UploadOffer),
    /// Coordinator → agent, bidirectional: bytes of a segment that is still at the edge.
    Fetch(segment::FetchRequest),
    /// Coordinator → agent, bidirectional: pictures as they come; see [`live`].
    Live(live::LiveRequest),
    /// Agent → coordinator, unidirectional: one GOP of a pull.
    Gop(live::GopHeader),
    /// Something newer. The stream is reset with [`CloseCode::UnknownKind`]; the connection goes
    /// on.
    #[serde(other)]
    Unknown,
}

/// Application error codes of QUIC (RFC 9000 section 20.2), for connections and streams alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum CloseCode {
    /// Orderly end.
    Done = 0,
    /// The peer broke a rule of the protocol.
    ProtocolError = 1,
    /// No protocol version in common.
    Version = 2,
    /// The certificate is not, or no longer, known.
    Revoked = 3,
    /// A newer connection of the same agent takes over.
    Replaced = 4,
    /// The coordinator is shutting down; come back.
    ShuttingDown = 5,
    /// A stream of a kind this peer does not know.
    UnknownKind = 6,
    /// The peer has too much in flight.
    Overloaded = 7,
    /// What was asked for is not there (any more).
    NotFound = 8,
    /// The side that should deliver failed; details are in its log.
    Internal = 9,
}

impl CloseCode {
    pub const fn as_u32(self) -> u32 {
        self as u32
    }

    pub fn from_u64(code: u64) -> Option<Self> {
        [
            Self::Done,
            Self::ProtocolError,
            Self::Version,
            Self::Revoked,
            Self::Replaced,
            Self::ShuttingDown,
            Self::UnknownKind,
            Self::Overloaded,
            Self::NotFound,
            Self::Internal,
        ]
        .into_iter()
        .find(|known| u64::from(known.as_u32()) == code)
    }
}

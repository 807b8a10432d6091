//! What services need of the connections to agents. The edge that holds the connections implements
//! it.

use std::fmt::Debug;
use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use shared::id::{AgentId, CameraId, SegmentId};
use shared::segment::StreamKind;
use shared::wire::control::{Command, CommandOutcome};

use super::live_hub;

/// Bytes from an agent, in order, in pieces of any size.
pub type EdgeBytes = BoxStream<'static, Result<Bytes, EdgeError>>;

/// Pictures from an agent as they come. Dropping it ends the pull; it ends by itself when the
/// connection or the agent does.
pub type EdgePictures = BoxStream<'static, EdgePicture>;

/// What an agent sends of a stream that is watched.
#[derive(Clone, Debug)]
pub enum EdgePicture {
    /// It is there, and has nothing new.
    Alive,
    Event(live_hub::Event),
    /// It knows no such stream.
    NotFound {
        message: String,
    },
    /// It is too old for live pictures.
    Unsupported,
}

/// Why an agent did not do what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EdgeError {
    #[error("the agent is not connected")]
    Offline,
    #[error("the agent has no such bytes: {message}")]
    NotFound { message: String },
    #[error("the agent failed: {message}")]
    Failed { message: String },
    #[error("the agent did not answer in time")]
    TimedOut,
    #[error("too much has been asked of the agent at once")]
    Overloaded,
    #[error("the agent is too old for this")]
    Unsupported,
    /// The agent sent something else than what it reported.
    #[error("what the agent sent is not what it recorded: {message}")]
    Corrupt { message: String },
}

/// The connected agents.
#[async_trait]
pub trait EdgeSource: Debug + Send + Sync + 'static {
    fn is_connected(&self, agent: AgentId) -> bool;

    /// Since when the present connection stands, by the coordinator's clock.
    fn connected_since(&self, agent: AgentId) -> Option<shared::time::WallTime>;

    /// Bytes `range` of a segment's file, which may still be growing; exactly that many, or an
    /// error in the stream. Dropping the stream ends the transfer.
    async fn fetch(
        &self,
        agent: AgentId,
        segment: SegmentId,
        range: Range<u64>,
    ) -> Result<EdgeBytes, EdgeError>;

    /// Pictures of a stream as they come, beginning with the newest GOP that the agent has.
    async fn live(
        &self,
        agent: AgentId,
        camera: CameraId,
        stream: StreamKind,
    ) -> Result<EdgePictures, EdgeError>;

    /// Hands over a command and waits for its outcome, for a bounded time.
    async fn command(&self, agent: AgentId, command: Command) -> Result<CommandOutcome, EdgeError>;

    /// Ends the agent's connection, if there is one, because it is no longer admitted.
    fn disconnect(&self, agent: AgentId);
}

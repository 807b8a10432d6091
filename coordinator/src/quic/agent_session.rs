//! The life of one agent's connection: who it is, greeting, streams, end. What the streams carry is
//! in the file of each kind.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use quinn::{Connection, ConnectionError, RecvStream, SendStream};
use shared::hash::Sha256;
use shared::id::AgentId;
use shared::time::WallTime;
use shared::wire::control::{FromAgent, Hello, ToAgent, Welcome};
use shared::wire::{CloseCode, PROTOCOL_MAX, PROTOCOL_MIN, StreamHeader};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::admission::Place;
use super::control::{self, Order, Orders};
use super::live::Pulls;
use super::message::{self, MessageError};
use super::{Context, brief, certificate, code, metadata, transport, upload};
use crate::ca::agent_named_in;
use crate::metrics::Outcome;
use crate::services::agents::{AgentGrant, NotAdmitted};

/// How often a standing connection is asked whether it is still welcome; a command at the host's
/// console cannot tell us otherwise.
const ADMISSION_CHECK: Duration = Duration::from_secs(2);
/// How long a stream may take to say what it is for.
const HEADER_PATIENCE: Duration = Duration::from_secs(10);
/// Fetches from one agent at once; more wait, and then are refused.
const FETCHES: usize = 16;
/// How long the tasks of a connection may take to end after it.
const LAST_WORK: Duration = Duration::from_secs(2);
/// Commands waiting to be sent to one agent.
const ORDERS: usize = 32;

/// One agent's connection, as the rest of the coordinator uses it.
pub(super) struct Session {
    pub(super) grant: AgentGrant,
    pub(super) connection: Connection,
    pub(super) connected_at: WallTime,
    pub(super) orders: mpsc::Sender<Order>,
    pub(super) fetches: Arc<Semaphore>,
    pub(super) pulls: Arc<Pulls>,
    metadata_open: AtomicBool,
}

impl Session {
    pub(super) fn close(&self, with: CloseCode, reason: &str) {
        self.connection.close(code(with), reason.as_bytes());
    }
}

/// Why a connection is to end.
#[derive(Debug)]
pub(super) struct End {
    code: CloseCode,
    reason: String,
}

impl End {
    pub(super) fn new(code: CloseCode, reason: impl ToString) -> Self {
        let reason = reason.to_string();
        Self { code, reason }
    }
}

/// How a message failed decides whether the connection ends with it.
impl From<MessageError> for End {
    fn from(error: MessageError) -> Self {
        Self::new(error.close_code().unwrap_or(CloseCode::Done), error)
    }
}

impl From<ConnectionError> for End {
    fn from(error: ConnectionError) -> Self {
        Self::new(CloseCode::Done, error)
    }
}

pub(super) async fn serve(connection: Connection, place: Place, context: Arc<Context>) {
    let peer = connection.remote_address();
    let (grant, seal) = match admit(&connection, &context).await {
        Ok(admitted) => admitted,
        Err(end) => {
            context.meters.connection(Outcome::Refused);
            tracing::warn!(%peer, reason = end.reason, "an agent was not let in");
            return connection.close(code(end.code), end.reason.as_bytes());
        }
    };
    let agent = grant.id();
    let end = match listen(&connection, agent, &context).await {
        Ok(greeting) => {
            let _place = place.admitted();
            transport::widen(&connection);
            context.meters.connection(Outcome::Connected);
            let version = brief(&greeting.hello.version);
            tracing::info!(agent.id = %agent, %peer, version, "an agent connected");
            work(connection.clone(), grant, seal, greeting, &context).await
        }
        Err(end) => end,
    };
    connection.close(code(end.code), end.reason.as_bytes());
    tracing::info!(agent.id = %agent, %peer, reason = end.reason, "an agent's connection ended");
}

/// What a certificate proves: TLS has checked that our authority signed it and that the peer holds
/// its key; the catalogue knows whether it is still welcome.
async fn admit(connection: &Connection, context: &Context) -> Result<(AgentGrant, Sha256), End> {
    let certificate = certificate(connection).ok_or_else(|| {
        End::new(
            CloseCode::Revoked,
            "this protocol needs an agent's certificate",
        )
    })?;
    let agent = agent_named_in(&certificate)
        .ok_or_else(|| End::new(CloseCode::Revoked, "the certificate names no agent"))?;
    let seal = Sha256::of(&certificate);
    match context.services.agents.admit(agent, seal).await {
        Ok(grant) => Ok((grant, seal)),
        Err(error @ NotAdmitted::Store(_)) => {
            tracing::error!(%error, "could not look an agent up");
            Err(End::new(
                CloseCode::Internal,
                "the coordinator cannot look agents up now",
            ))
        }
        Err(error) => Err(End::new(CloseCode::Revoked, error)),
    }
}

/// An agent's greeting, and the control stream it came on.
struct Greeting {
    send: SendStream,
    receive: RecvStream,
    hello: Hello,
    /// Version that both speak from now on.
    protocol: u32,
}

/// Waits for the greeting.
async fn listen(
    connection: &Connection,
    agent: AgentId,
    context: &Context,
) -> Result<Greeting, End> {
    let greeting = async {
        let (send, mut receive) = connection.accept_bi().await?;
        match message::read(&mut receive).await? {
            Some(StreamHeader::Control) => {}
            _ => return Err(rule("the first stream is not control")),
        }
        match message::read(&mut receive).await? {
            Some(FromAgent::Hello(hello)) => Ok(Greeting {
                protocol: agree(&hello, agent)?,
                send,
                receive,
                hello,
            }),
            _ => Err(rule("the first message is not a hello")),
        }
    };
    tokio::time::timeout(context.handshake_timeout, greeting)
        .await
        .map_err(|_| End::new(CloseCode::Overloaded, "no greeting in time"))?
}

/// The newest protocol that both speak.
fn agree(hello: &Hello, agent: AgentId) -> Result<u32, End> {
    if hello.agent != agent {
        return Err(rule("the hello names another agent than the certificate"));
    }
    let protocol = hello.protocol_max.min(PROTOCOL_MAX);
    if protocol < hello.protocol_min.max(PROTOCOL_MIN) {
        let reason = format!("this coordinator speaks protocol {PROTOCOL_MIN} to {PROTOCOL_MAX}");
        return Err(End::new(CloseCode::Version, reason));
    }
    Ok(protocol)
}

/// From the greeting to the end.
async fn work(
    connection: Connection,
    grant: AgentGrant,
    seal: Sha256,
    greeting: Greeting,
    context: &Arc<Context>,
) -> End {
    let (orders, waiting) = mpsc::channel(ORDERS);
    let session = Arc::new(Session {
        grant,
        connection,
        connected_at: context.clock.wall(),
        orders,
        fetches: Arc::new(Semaphore::new(FETCHES)),
        pulls: Arc::default(),
        metadata_open: AtomicBool::new(false),
    });
    // Before the settings it lacks are looked up: what is decided from now on finds it connected.
    context.sessions.add(&session);
    let mut tasks = JoinSet::new();
    let end = match welcome(greeting, &session, context).await {
        Ok((send, receive)) => {
            let open = Orders::default();
            tokio::select! {
                end = control::listen(receive, &session, context, &open) => end,
                end = control::talk(send, waiting, context.services.audit.heads(), &open) => end,
                end = streams(&session, context, &mut tasks) => end,
                end = watch(&session, seal, context) => end,
                error = session.connection.closed() => error.into(),
            }
        }
        Err(end) => end,
    };
    session.close(end.code, &end.reason);
    // Without a connection streams end by themselves: uploads keep what has come, a report that
    // is being stored is stored.
    let _ = tokio::time::timeout(LAST_WORK, async {
        while tasks.join_next().await.is_some() {}
    })
    .await;
    tasks.detach_all();
    if context.sessions.remove(&session) {
        context.services.ingest.disconnected(&session.grant);
    }
    end
}

/// Notes the greeting and answers it, with the settings that the agent has not confirmed yet.
async fn welcome(
    greeting: Greeting,
    session: &Session,
    context: &Context,
) -> Result<(SendStream, RecvStream), End> {
    let Greeting {
        mut send,
        receive,
        hello,
        protocol,
    } = greeting;
    let pending = context.services.ingest.hello(&session.grant, &hello).await;
    let pending = pending.map_err(|error| {
        tracing::error!(agent.id = %session.grant.id(), %error, "could not note a greeting");
        End::new(
            CloseCode::Internal,
            "the coordinator cannot note the greeting now",
        )
    })?;
    if let Some(head) = hello.audit_head
        && let Err(error) = context.services.audit.compare(&session.grant, head).await
    {
        tracing::error!(agent.id = %session.grant.id(), %error, "could not compare the audit with what an agent remembers");
    }
    let interval = context.heartbeat_interval.as_millis();
    let welcome = ToAgent::Welcome(Welcome {
        protocol,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        now: context.clock.wall(),
        heartbeat_ms: u32::try_from(interval).unwrap_or(u32::MAX),
    });
    message::write(&mut send, &welcome).await?;
    if let Some(command) = pending {
        message::write(&mut send, &ToAgent::Command(command)).await?;
    }
    Ok((send, receive))
}

/// Ends when the agent is no longer welcome.
async fn watch(session: &Session, seal: Sha256, context: &Context) -> End {
    let mut ticks = tokio::time::interval(ADMISSION_CHECK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match context
            .services
            .agents
            .admit(session.grant.id(), seal)
            .await
        {
            Ok(_) => {}
            // A busy database is no reason to send agents away.
            Err(NotAdmitted::Store(error)) => tracing::debug!(%error, "could not look an agent up"),
            Err(error) => return End::new(CloseCode::Revoked, error),
        }
    }
}

/// Serves the agent's streams, each in a task of its own; QUIC bounds how many there are.
async fn streams(
    session: &Arc<Session>,
    context: &Arc<Context>,
    tasks: &mut JoinSet<Result<(), End>>,
) -> End {
    loop {
        tokio::select! {
            accepted = session.connection.accept_bi() => match accepted {
                Ok((send, receive)) => {
                    tasks.spawn(stream(send, receive, session.clone(), context.clone()));
                }
                Err(error) => return error.into(),
            },
            accepted = session.connection.accept_uni() => match accepted {
                Ok(receive) => {
                    tasks.spawn(one_way(receive, session.clone()));
                }
                Err(error) => return error.into(),
            },
            Some(ended) = tasks.join_next() => match ended {
                Ok(Ok(())) => {}
                Ok(Err(end)) => return end,
                Err(error) => {
                    tracing::error!(%error, "serving a stream panicked");
                    return End::new(CloseCode::Internal, "the coordinator failed");
                }
            },
        }
    }
}

/// # Errors
/// The peer broke a rule that ends the whole connection.
async fn one_way(mut receive: RecvStream, session: Arc<Session>) -> Result<(), End> {
    match message::read_within(&mut receive, HEADER_PATIENCE).await {
        Ok(Some(StreamHeader::Gop(header))) => session.pulls.gop(&header, receive),
        Ok(Some(StreamHeader::Unknown)) => {
            let _ = receive.stop(code(CloseCode::UnknownKind));
        }
        Ok(Some(_)) => return Err(rule("a stream in one direction that should have two")),
        // Opened and thought better of.
        Ok(None) | Err(MessageError::Read(_)) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// # Errors
/// The peer broke a rule that ends the whole connection.
async fn stream(
    mut send: SendStream,
    mut receive: RecvStream,
    session: Arc<Session>,
    context: Arc<Context>,
) -> Result<(), End> {
    let header = match message::read_within(&mut receive, HEADER_PATIENCE).await {
        Ok(Some(header)) => header,
        // Opened and thought better of.
        Ok(None) | Err(MessageError::Read(_)) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    match header {
        StreamHeader::Control => Err(rule("a second control stream")),
        StreamHeader::Fetch(_) | StreamHeader::Live(_) => Err(rule("agents do not fetch")),
        StreamHeader::Gop(_) => Err(rule("a GOP on a stream of two directions")),
        StreamHeader::Metadata if session.metadata_open.swap(true, Ordering::Relaxed) => {
            Err(rule("a second metadata stream"))
        }
        StreamHeader::Metadata => metadata::serve(send, receive, &session.grant, &context).await,
        StreamHeader::Upload(offer) => {
            upload::serve(send, receive, offer, &session.grant, &context).await
        }
        StreamHeader::Unknown => {
            let _ = send.reset(code(CloseCode::UnknownKind));
            let _ = receive.stop(code(CloseCode::UnknownKind));
            Ok(())
        }
    }
}

/// The peer broke a rule of the protocol.
pub(super) fn rule(reason: &str) -> End {
    End::new(CloseCode::ProtocolError, reason)
}

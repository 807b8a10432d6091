//! The control stream: heartbeats and lists of cameras up, commands down, their outcomes up.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use quinn::{RecvStream, SendStream};
use shared::id::CommandId;
use shared::wire::CloseCode;
use shared::wire::control::{Command, CommandOutcome, FromAgent, ToAgent};
use tokio::sync::{mpsc, oneshot};

use super::Context;
use super::agent_session::{End, Session, rule};
use super::message;
use super::transport::SILENCE;
use crate::services::ingest::IngestError;

/// How many heartbeats in a row may be missing, if that takes longer than [`SILENCE`].
const MISSED_HEARTBEATS: u32 = 3;
/// Commands without an outcome yet; more than that are forgotten.
const OPEN_ORDERS: usize = 64;

/// A command, and who waits for its outcome.
pub(super) struct Order {
    pub(super) command: Command,
    pub(super) outcome: oneshot::Sender<CommandOutcome>,
}

/// Commands that were sent and not answered yet.
#[derive(Default)]
pub(super) struct Orders(Mutex<HashMap<CommandId, oneshot::Sender<CommandOutcome>>>);

impl Orders {
    fn add(&self, id: CommandId, outcome: oneshot::Sender<CommandOutcome>) {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Those whose asker has given up go first.
        open.retain(|_, waiting| !waiting.is_closed());
        if open.len() < OPEN_ORDERS {
            open.insert(id, outcome);
        }
    }

    /// Gives the outcome back when nobody waits for it.
    fn answer(&self, id: CommandId, outcome: CommandOutcome) -> Option<CommandOutcome> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match open.remove(&id) {
            Some(waiting) => waiting.send(outcome).err(),
            None => Some(outcome),
        }
    }
}

/// Sends commands until the session has no more.
pub(super) async fn talk(
    mut send: SendStream,
    mut orders: mpsc::Receiver<Order>,
    open: &Orders,
) -> End {
    while let Some(Order { command, outcome }) = orders.recv().await {
        open.add(command.id, outcome);
        if let Err(error) = message::write(&mut send, &ToAgent::Command(command)).await {
            return error.into();
        }
    }
    End::new(CloseCode::Done, "the session is over")
}

/// Hears the agent until it falls silent, leaves, or breaks a rule.
pub(super) async fn listen(
    mut receive: RecvStream,
    session: &Session,
    context: &Context,
    open: &Orders,
) -> End {
    let patience = SILENCE.max(context.heartbeat_interval * MISSED_HEARTBEATS);
    loop {
        let heard = match message::read_within(&mut receive, patience).await {
            Ok(Some(heard)) => heard,
            Ok(None) => return End::new(CloseCode::Done, "the agent left"),
            Err(error) => return error.into(),
        };
        if let Err(end) = hear(heard, session, context, open).await {
            return end;
        }
    }
}

async fn hear(
    heard: FromAgent,
    session: &Session,
    context: &Context,
    open: &Orders,
) -> Result<(), End> {
    let (ingest, grant) = (&context.services.ingest, &session.grant);
    let noted = match heard {
        FromAgent::Hello(_) => return Err(rule("a second hello")),
        FromAgent::Heartbeat(heartbeat) => ingest.heartbeat(grant, heartbeat).await,
        FromAgent::Cameras { cameras } => ingest.cameras(grant, cameras).await,
        FromAgent::CommandResult { id, outcome } => match open.answer(id, outcome) {
            Some(outcome) => ingest.command_result(grant, id, outcome).await,
            None => Ok(()),
        },
        FromAgent::Unknown => Ok(()),
    };
    if let Err(error) = noted {
        tell_failure(grant.id(), &error);
    }
    Ok(())
}

/// A heartbeat that was not noted is followed by another.
fn tell_failure(agent: shared::id::AgentId, error: &IngestError) {
    tracing::warn!(agent.id = %agent, %error, "could not note what an agent said");
}

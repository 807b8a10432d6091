//! The control stream: heartbeats and lists of cameras up, commands down, their outcomes up.

use std::collections::HashMap;
use std::pin::{Pin, pin};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use quinn::{RecvStream, SendStream};
use shared::id::CommandId;
use shared::wire::CloseCode;
use shared::wire::control::{AuditHead, Command, CommandOutcome, FromAgent, ToAgent};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Sleep;

use super::Context;
use super::agent_session::{End, Session, rule};
use super::message;
use super::transport::SILENCE;
use crate::services::ingest::IngestError;

/// How many heartbeats in a row may be missing, if that takes longer than [`SILENCE`].
const MISSED_HEARTBEATS: u32 = 3;
/// Commands without an outcome yet; more than that are forgotten.
const OPEN_ORDERS: usize = 64;
/// Between two heads of the audit told to one agent.
const HEAD_PAUSE: Duration = Duration::from_secs(5);

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

/// Sends commands until the session has no more, and the head of the audit as it moves on.
pub(super) async fn talk(
    mut send: SendStream,
    mut orders: mpsc::Receiver<Order>,
    mut heads: watch::Receiver<Option<AuditHead>>,
    open: &Orders,
) -> End {
    // What is known already goes at once.
    heads.mark_changed();
    let mut pause = pin!(tokio::time::sleep(Duration::ZERO));
    loop {
        let message = tokio::select! {
            order = orders.recv() => {
                let Some(Order { command, outcome }) = order else {
                    return End::new(CloseCode::Done, "the session is over");
                };
                open.add(command.id, outcome);
                ToAgent::Command(command)
            }
            head = next_head(&mut heads, pause.as_mut()) => {
                pause.set(tokio::time::sleep(HEAD_PAUSE));
                ToAgent::AuditHead(head)
            }
        };
        if let Err(error) = message::write(&mut send, &message).await {
            return error.into();
        }
    }
}

/// The next head, not before `pause` is over.
async fn next_head(
    heads: &mut watch::Receiver<Option<AuditHead>>,
    pause: Pin<&mut Sleep>,
) -> AuditHead {
    pause.await;
    loop {
        // Its sender lives as long as the services.
        if heads.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        if let Some(head) = *heads.borrow_and_update() {
            return head;
        }
    }
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

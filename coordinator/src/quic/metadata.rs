//! The metadata stream: reports up, acknowledgements down, one after the other. A report that waits
//! for the database makes the next one wait at the agent, where it is durable.

use std::time::Duration;

use quinn::{RecvStream, SendStream};
use shared::wire::CloseCode;
use shared::wire::segment::{Report, ReportAck};

use super::Context;
use super::agent_session::End;
use super::message;
use crate::services::agents::AgentGrant;
use crate::services::ingest::IngestError;
use crate::stores::StoreError;

/// How often a report is tried again while the database is busy, and how long after.
const ATTEMPTS: u32 = 40;
const PAUSE: Duration = Duration::from_millis(250);

/// # Errors
/// The connection has to end: a broken rule, or a report that could not be stored. The agent
/// repeats it when it is back.
pub(super) async fn serve(
    mut send: SendStream,
    mut receive: RecvStream,
    grant: &AgentGrant,
    context: &Context,
) -> Result<(), End> {
    while let Some(report) = message::read::<Report>(&mut receive).await? {
        if let Some(acknowledgement) = store(report, grant, context).await? {
            message::write(&mut send, &acknowledgement).await?;
        }
    }
    Ok(())
}

async fn store(
    report: Report,
    grant: &AgentGrant,
    context: &Context,
) -> Result<Option<ReportAck>, End> {
    let ingest = &context.services.ingest;
    for _ in 1..ATTEMPTS {
        match ingest.report(grant, report.clone()).await {
            Err(IngestError::Store(StoreError::Busy { .. })) => tokio::time::sleep(PAUSE).await,
            result => return result.map_err(|error| failure(grant, &error)),
        }
    }
    ingest
        .report(grant, report)
        .await
        .map_err(|error| failure(grant, &error))
}

fn failure(grant: &AgentGrant, error: &IngestError) -> End {
    tracing::error!(agent.id = %grant.id(), %error, "could not store a report");
    End::new(
        CloseCode::Internal,
        "the coordinator could not store a report",
    )
}

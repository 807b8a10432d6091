//! Enrolment (`cctv-enrol/1`): one question, one answer, and the connection is over. The peer has no
//! certificate yet; its only proof is the secret of an enrolment code.

use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64;
use quinn::Connection;
use secrecy::SecretString;
use shared::wire::CloseCode;
use shared::wire::enrol::{EnrolAnswer, EnrolRefusal, EnrolRequest};
use tokio::time::timeout;

use super::admission::Place;
use super::message::{self, MessageError};
use super::{Context, brief, code};
use crate::ca::AgentRequest;
use crate::metrics::Outcome;
use crate::services::agents::EnrolError;

/// Longest request of somebody whom we do not know.
const MAX_REQUEST: usize = 32 * 1024;
/// How long the agent may take to fetch the answer.
const FAREWELL: Duration = Duration::from_secs(5);

/// Keeps its place among the handshakes until the end: it never shows who it is.
pub(super) async fn serve(connection: Connection, _place: Place, context: Arc<Context>) {
    let peer = connection.remote_address();
    let end = match timeout(context.handshake_timeout, converse(&connection, &context)).await {
        Ok(Ok(())) => CloseCode::Done,
        Ok(Err(error)) => {
            tracing::info!(%peer, %error, "an enrolment broke off");
            error.close_code().unwrap_or(CloseCode::ProtocolError)
        }
        Err(_) => {
            tracing::info!(%peer, "an enrolment took too long");
            CloseCode::Overloaded
        }
    };
    connection.close(code(end), b"");
}

async fn converse(connection: &Connection, context: &Context) -> Result<(), MessageError> {
    let (mut send, mut receive) = connection.accept_bi().await.map_err(quinn_read)?;
    let request: EnrolRequest = message::read_at_most(&mut receive, MAX_REQUEST)
        .await?
        .ok_or(MessageError::Truncated)?;
    let answer = match enrol(request, context).await {
        Ok(answer) => {
            context.meters.connection(Outcome::Enrolled);
            answer
        }
        Err(reason) => {
            context.meters.connection(Outcome::EnrolmentRefused);
            let peer = connection.remote_address().ip();
            let audit = &context.services.audit;
            audit.enrolment_refused(peer, &reason.to_string());
            EnrolAnswer::Refused { reason }
        }
    };
    message::write(&mut send, &answer).await?;
    let _ = send.finish();
    // Closing at once could overtake the answer.
    let _ = timeout(FAREWELL, send.stopped()).await;
    Ok(())
}

/// The certificate is handed out only once it is entered in the catalogue.
async fn enrol(request: EnrolRequest, context: &Context) -> Result<EnrolAnswer, EnrolRefusal> {
    let csr = BASE64
        .decode(request.csr.as_bytes())
        .map_err(|_| EnrolRefusal::BadRequest)?;
    let csr = AgentRequest::from_der(&csr).map_err(|_| EnrolRefusal::BadRequest)?;
    let agents = &context.services.agents;
    let secret = SecretString::from(request.secret);
    let enrolment = agents
        .begin_enrolment(&secret, csr.public_key(), &request.name)
        .await
        .map_err(refusal)?;
    let certificate = context
        .authority
        .issue(enrolment.agent, &csr)
        .map_err(|error| {
            tracing::error!(%error, "could not issue a certificate");
            EnrolRefusal::Other
        })?;
    let (agent, site) = (enrolment.agent, enrolment.site);
    let site_name = enrolment.site_name.clone();
    agents
        .complete_enrolment(enrolment, certificate.sha256)
        .await
        .map_err(refusal)?;
    let version = brief(&request.version);
    tracing::info!(agent.id = %agent, site = site_name, version, "an agent enrolled");
    Ok(EnrolAnswer::Enrolled {
        agent,
        site,
        site_name,
        certificate_chain: certificate.chain_pem,
        authority: context.authority.certificate_pem().to_owned(),
    })
}

fn refusal(error: EnrolError) -> EnrolRefusal {
    match error {
        EnrolError::Refused(refusal) => {
            tracing::info!(%refusal, "an enrolment was refused");
            refusal
        }
        EnrolError::Store(error) => {
            tracing::error!(%error, "an enrolment failed");
            EnrolRefusal::Other
        }
    }
}

fn quinn_read(error: quinn::ConnectionError) -> MessageError {
    MessageError::Read(error.into())
}

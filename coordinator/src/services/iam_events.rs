//! What the authority's identity management tells us of people, and what becomes of it here.

use std::sync::Arc;

use serde_json::json;
use shared::clock::Clock;

use super::Parts;
use super::access::{Access, AdminGrant};
use super::audit::notes::Notes;
use super::users::{UserError, Users};
use crate::domain::access::Deed;
use crate::domain::audit::refusals::{Asker, Kind};
use crate::domain::audit::{Origin, What};
use crate::domain::iam_event::{Event, EventKind, EventRefusal, Webhook};
use crate::domain::user::Status;
use crate::stores::{Store, StoreError};

/// Takes events and carries them out.
#[derive(Debug)]
pub struct IamEvents {
    webhook: Option<Webhook>,
    access: Access,
    users: Arc<Users>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    notes: Arc<Notes>,
}

/// What has become of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Whatever its person had open ends, and if they were disabled they do not come back.
    Applied,
    /// We do not know the person.
    UnknownUser,
    /// Of no meaning here.
    Ignored,
}

#[derive(Debug, thiserror::Error)]
pub enum IamEventError {
    #[error("no webhook is configured")]
    NotConfigured,
    #[error(transparent)]
    Refused(#[from] EventRefusal),
    #[error("this event was received before")]
    Repeated,
    #[error(transparent)]
    User(#[from] UserError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl IamEvents {
    pub(super) fn new(
        parts: &Parts,
        webhook: Option<Webhook>,
        access: Access,
        users: Arc<Users>,
    ) -> Self {
        Self {
            webhook,
            access,
            users,
            store: Arc::clone(&parts.store),
            clock: Arc::clone(&parts.clock),
            notes: Arc::clone(&parts.notes),
        }
    }

    /// Checks an event and carries it out, once.
    ///
    /// # Errors
    /// It does not count, or could not be carried out; then it may come again.
    pub async fn receive(
        &self,
        signature: Option<&str>,
        body: &[u8],
        origin: Origin,
    ) -> Result<Outcome, IamEventError> {
        let webhook = self.webhook.as_ref().ok_or(IamEventError::NotConfigured)?;
        let grant = self.access.outside(Deed::ManageUsers, origin);
        let received = self.carry_out(webhook, signature, body, &grant).await;
        if let Err(error) = &received {
            self.note_refusal(&grant, error);
        }
        received
    }

    async fn carry_out(
        &self,
        webhook: &Webhook,
        signature: Option<&str>,
        body: &[u8],
        grant: &AdminGrant,
    ) -> Result<Outcome, IamEventError> {
        let now = self.clock.wall();
        let event = webhook.read(signature, body, now)?;
        if self.store.has_seen(event.id.clone()).await? {
            return Err(IamEventError::Repeated);
        }
        // Before it is remembered: what a crash interrupts comes again, and twice is as once.
        let outcome = self.apply(grant, &event).await?;
        let entry = grant.entry(now, What::IamEventReceived);
        let entry = entry.on(&event.id).with(json!({
            "event": name(&event.kind),
            "login": event.person.login,
            "employee_number": event.person.employee_number,
            "occurred_at": event.at.to_rfc3339(),
            "outcome": match outcome {
                Outcome::Applied => "applied",
                Outcome::UnknownUser => "unknown_user",
                Outcome::Ignored => "ignored",
            },
        }));
        let forget = now - webhook.memory();
        if self.store.see(event.id, now, forget, entry).await? {
            Ok(outcome)
        } else {
            Err(IamEventError::Repeated)
        }
    }

    async fn apply(&self, grant: &AdminGrant, event: &Event) -> Result<Outcome, UserError> {
        if matches!(event.kind, EventKind::Other(_)) {
            return Ok(Outcome::Ignored);
        }
        let Some(user) = self.users.meant(grant, &event.person).await? else {
            return Ok(Outcome::UnknownUser);
        };
        match event.kind {
            EventKind::UserDisabled => {
                let disabled = self.users.set_status(grant, user.id, Status::Disabled);
                disabled.await?;
            }
            EventKind::GroupChanged | EventKind::Other(_) => {
                self.users.end_sessions(grant, user.id, None).await?;
            }
        }
        tracing::info!(user.id = %user.id, event = name(&event.kind), "the IAM's event was carried out");
        Ok(Outcome::Applied)
    }

    fn note_refusal(&self, grant: &AdminGrant, error: &IamEventError) {
        tracing::warn!(%error, "an event of the IAM was refused");
        let asked = match error {
            IamEventError::Refused(EventRefusal::Signature) => "signature",
            IamEventError::Refused(EventRefusal::Malformed(_)) => "malformed",
            IamEventError::Refused(EventRefusal::Stale { .. }) => "stale",
            IamEventError::Repeated => "repeated",
            _ => "failed",
        };
        let what = What::IamEventRefused;
        let entry = grant.entry(self.clock.wall(), what);
        let address = entry.origin.address();
        let kind = Kind {
            what,
            asker: Some(address.map_or(Asker::Nobody, Asker::Address)),
            asked: asked.to_owned(),
        };
        let details = json!({ "reason": asked, "error": error.to_string() });
        self.notes.refused(kind, entry.with(details));
    }
}

fn name(kind: &EventKind) -> &str {
    match kind {
        EventKind::UserDisabled => "USER_DISABLED",
        EventKind::GroupChanged => "GROUP_CHANGED",
        EventKind::Other(name) => name,
    }
}

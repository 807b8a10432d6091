//! The chain and those who remember it: its head is told to every connected agent, and what an
//! agent remembers is compared with it.

use std::time::Duration;

use serde_json::json;
use shared::time::WallTime;
use shared::wire::control::AuditHead;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use super::super::access::AdminGrant;
use super::super::agents::AgentGrant;
use super::{Audit, AuditError};
use crate::domain::audit::chain::{Broken, Head};
use crate::domain::audit::witness::{Compared, Dispute, Witness};
use crate::domain::audit::{Entry, What, Who};
use crate::stores::StoreError;

/// How often it is looked whether the chain has grown; a command at the console makes it grow
/// without us.
const LOOK: Duration = Duration::from_secs(2);
/// How often the whole chain is walked.
const WALK: Duration = Duration::from_secs(24 * 3600);

/// What is known of the chain.
#[derive(Clone, Debug)]
pub struct ChainView {
    pub head: Option<Head>,
    /// When it was last walked from its first entry, by this process.
    pub walked_at: Option<WallTime>,
    /// The first broken entry, if it was not whole then.
    pub broken: Option<Broken>,
    pub witnesses: Vec<Witness>,
    /// Newest first.
    pub disputes: Vec<Dispute>,
}

impl ChainView {
    pub fn is_whole(&self) -> bool {
        let open = |dispute: &Dispute| dispute.explained_at.is_none();
        self.broken.is_none() && !self.disputes.iter().any(open)
    }
}

/// What the last walk found.
#[derive(Clone, Debug, Default)]
pub(super) struct Walked {
    at: Option<WallTime>,
    broken: Option<Broken>,
}

impl Audit {
    /// The head to tell agents; it changes as the chain grows.
    pub fn heads(&self) -> watch::Receiver<Option<AuditHead>> {
        self.head.subscribe()
    }

    /// Compares what an agent remembers with the chain. A difference is told loudly and kept.
    ///
    /// # Errors
    /// The store failed.
    pub async fn compare(&self, agent: &AgentGrant, told: AuditHead) -> Result<(), AuditError> {
        let now = self.clock.wall();
        let head = Head {
            chain: told.chain,
            number: told.number,
            hash: told.hash,
        };
        let entry = Entry::new(now, Who::Agent(agent.id()), What::AuditDisputed)
            .on(agent.id())
            .with(json!({ "number": told.number, "hash": told.hash, "told_at": told.at.to_rfc3339() }));
        let compared = self
            .store
            .audit_compare(agent.id(), head, now, entry)
            .await?;
        let Compared::Disputed {
            ours, explained, ..
        } = compared
        else {
            return Ok(());
        };
        let ours = ours.map_or_else(|| "nothing".to_owned(), |hash| hash.to_string());
        if explained {
            tracing::info!(agent.id = %agent.id(), remembered = %head, "an agent remembers an audit from before what was explained");
        } else {
            tracing::error!(
                agent.id = %agent.id(), remembered = %head, ours,
                "the audit was rewritten, cut off, or restored from an older backup: an agent remembers an entry that is not in it; `design/audit.md` says what to do"
            );
        }
        self.count_disputes().await?;
        Ok(())
    }

    /// What is known of the chain, without walking it.
    ///
    /// # Errors
    /// The store failed.
    pub async fn chain(&self, grant: &AdminGrant) -> Result<ChainView, AuditError> {
        grant.for_deed(super::VIEW)?;
        let Walked { at, broken } = self.walked.borrow().clone();
        Ok(ChainView {
            head: self.store.audit_head().await?,
            walked_at: at,
            broken,
            witnesses: self.store.audit_witnesses().await?,
            disputes: self.store.audit_disputes().await?,
        })
    }

    /// Notes what had happened where agents remember another audit. Says how many heads that were
    /// disputed until now.
    ///
    /// # Errors
    /// The store failed.
    pub async fn explain(&self, grant: &AdminGrant, why: &str) -> Result<u64, AuditError> {
        grant.for_deed(super::VIEW)?;
        let now = self.clock.wall();
        let entry = grant.entry(now, What::AuditExplained);
        let entry = entry.with(json!({ "why": why }));
        let explained = self.store.explain_disputes(now, entry).await?;
        self.count_disputes().await?;
        Ok(explained)
    }

    /// Until it is dropped: writes what goes with no change, follows the chain for the agents, and walks
    /// it once a day.
    pub(in crate::services) async fn follow(&self) {
        let notes = self.notes.write(&*self.store, &*self.clock);
        futures::future::join(notes, self.watch()).await;
    }

    /// Writes what waits before the program ends.
    pub(in crate::services) async fn finish(&self) {
        let (store, clock) = (&*self.store, &*self.clock);
        self.notes.write_waiting(store, clock, true).await;
    }

    async fn watch(&self) {
        let mut looks = tokio::time::interval(LOOK);
        let mut walks = tokio::time::interval(WALK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        walks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let done = tokio::select! {
                _ = looks.tick() => self.look().await,
                _ = walks.tick() => self.walk_all().await,
            };
            if let Err(error) = done {
                tracing::error!(%error, "could not follow the audit");
            }
        }
    }

    async fn look(&self) -> Result<(), StoreError> {
        let head = self.store.audit_head().await?;
        let at = self.clock.wall();
        self.head.send_if_modified(|told| {
            let hash = |told: &AuditHead| (told.number, told.hash);
            let changed = head.map(|head| (head.number, head.hash)) != told.as_ref().map(hash);
            if changed {
                *told = head.map(|head| AuditHead {
                    chain: head.chain,
                    number: head.number,
                    hash: head.hash,
                    at,
                });
            }
            changed
        });
        // A command at the console may have explained them.
        self.count_disputes().await
    }

    async fn walk_all(&self) -> Result<(), StoreError> {
        let broken = match self.walk(Vec::new()).await {
            Ok(_) => None,
            Err(AuditError::Broken(broken)) => Some(broken),
            Err(AuditError::Store(error)) => return Err(error),
            Err(AuditError::Access(_)) => return Ok(()),
        };
        if let Some(broken) = &broken {
            tracing::error!(%broken, "the audit is not what was written; `design/audit.md` says what to do");
            let entry = Entry::new(self.clock.wall(), Who::System, What::AuditFoundBroken)
                .on(broken.number())
                .with(json!({ "finding": broken.to_string() }));
            self.store.audit(vec![entry]).await?;
        }
        self.walked.send_replace(Walked {
            at: Some(self.clock.wall()),
            broken,
        });
        self.count_disputes().await
    }

    /// For the metrics.
    async fn count_disputes(&self) -> Result<(), StoreError> {
        let disputes = self.store.audit_disputes().await?;
        let open = disputes
            .iter()
            .filter(|dispute| dispute.explained_at.is_none());
        let open = open.count() as u64;
        let broken = self.walked.borrow().broken.is_some();
        self.figures.audit_disputes.set(open);
        self.figures
            .audit_chain_broken
            .set(u64::from(broken || open > 0));
        Ok(())
    }
}

//! Entries that go with no change: what was watched, what was refused. They wait in a bounded queue and
//! are written in batches, so that nobody who watches waits for the database.
//!
//! When the queue is full an entry is not written; how many were not is an entry of its own.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::json;
use shared::clock::Clock;
use shared::id::PlaybackId;
use shared::time::{TimeRange, WallTime};
use tokio::sync::mpsc;

use super::super::access::Actor;
use super::super::figures::Figures;
use crate::domain::access::Deed;
use crate::domain::audit::refusals::{Asker, Kind, Refusals};
use crate::domain::audit::viewing::Viewing;
use crate::domain::audit::{Entry, What, Who};
use crate::stores::Store;

/// Entries that may wait.
const QUEUE: usize = 4_096;
/// Entries written at once.
const BATCH: usize = 256;
/// How long entries are gathered for a batch.
const GATHER: Duration = Duration::from_secs(1);

/// The way to the audit for what goes with no change.
#[derive(Debug)]
pub(in crate::services) struct Notes {
    queue: mpsc::Sender<Entry>,
    waiting: tokio::sync::Mutex<mpsc::Receiver<Entry>>,
    lost: AtomicU64,
    refusals: Mutex<Refusals>,
    viewing: Mutex<Viewing>,
    figures: Arc<Figures>,
}

impl Notes {
    pub(in crate::services) fn new(figures: Arc<Figures>) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        Self {
            queue,
            waiting: tokio::sync::Mutex::new(waiting),
            lost: AtomicU64::new(0),
            refusals: Mutex::default(),
            viewing: Mutex::default(),
            figures,
        }
    }

    /// A playlist was fetched; an entry if for the first time.
    pub(in crate::services) fn listed(&self, playback: PlaybackId, entry: impl FnOnce() -> Entry) {
        if lock(&self.viewing).listed(playback) {
            self.note(entry());
        }
    }

    /// A segment was fetched; an entry if that is another stretch.
    pub(in crate::services) fn fetched(
        &self,
        playback: PlaybackId,
        segment: TimeRange,
        entry: impl FnOnce() -> Entry,
    ) {
        if lock(&self.viewing).fetched(playback, segment) {
            self.note(entry());
        }
    }

    /// Something was refused; the first of a kind and their number are entries.
    pub(in crate::services) fn refused(&self, kind: Kind, entry: Entry) {
        if let Some(entry) = self.first_refused(kind, entry) {
            self.note(entry);
        }
    }

    /// The same for somebody who is known, and may not do `deed` to what there is, be it hidden from
    /// them or not.
    pub(in crate::services) fn access_refused(
        &self,
        actor: &Actor,
        at: WallTime,
        deed: Deed,
        object: Option<String>,
    ) {
        let kind = Kind {
            what: What::AccessRefused,
            asker: Some(Asker::User(actor.user_id())),
            asked: format!("{deed:?}"),
        };
        let (thing, action) = deed.wants();
        let wanted = json!({ "kind": thing.name(), "action": action.name(), "deed": kind.asked });
        let mut entry = actor.entry(at, kind.what).with(wanted);
        entry.object = object;
        self.refused(kind, entry);
    }

    /// Counts a refusal; gives its entry back if that is to be written, by whoever waits for it.
    pub(in crate::services) fn first_refused(&self, kind: Kind, entry: Entry) -> Option<Entry> {
        lock(&self.refusals).refused(kind, entry)
    }

    pub(in crate::services) fn note(&self, entry: Entry) {
        if self.queue.try_send(entry).is_err() {
            self.lose(1);
        }
    }

    fn lose(&self, entries: u64) {
        self.lost.fetch_add(entries, Ordering::Relaxed);
        self.figures.audit_entries_lost.add(entries);
    }

    /// Writes what waits, until it is dropped.
    pub(in crate::services) async fn write(&self, store: &dyn Store, clock: &dyn Clock) {
        loop {
            tokio::time::sleep(GATHER).await;
            self.write_waiting(store, clock, false).await;
        }
    }

    /// Writes what waits now; with `all` also what is still being gathered.
    pub(in crate::services) async fn write_waiting(
        &self,
        store: &dyn Store,
        clock: &dyn Clock,
        all: bool,
    ) {
        let now = clock.wall();
        let mut gathered = lock(&self.refusals).due(now, all);
        let mut waiting = self.waiting.lock().await;
        let mut batch = Vec::new();
        loop {
            while batch.len() < BATCH
                && let Ok(entry) = waiting.try_recv()
            {
                batch.push(entry);
            }
            // After the first of their kind, which waited in the queue.
            if batch.len() < BATCH {
                batch.append(&mut gathered);
            }
            let lost = self.lost.swap(0, Ordering::Relaxed);
            if lost > 0 {
                let entry = Entry::new(now, Who::System, What::EntriesLost);
                batch.push(entry.with(json!({ "entries": lost })));
            }
            if batch.is_empty() {
                return;
            }
            let entries = std::mem::take(&mut batch);
            let count = entries.len() as u64 - u64::from(lost > 0);
            if let Err(error) = store.audit(entries).await {
                tracing::error!(%error, entries = count, "entries of the audit could not be written");
                self.lost.fetch_add(lost, Ordering::Relaxed);
                return self.lose(count);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

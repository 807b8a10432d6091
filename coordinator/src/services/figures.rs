//! Counters of what the services did, for the metrics page. Only counting belongs here.

use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwapOption;

use crate::domain::quota::streams::Streams;

/// One counter or gauge.
#[derive(Debug, Default)]
pub struct Figure(AtomicU64);

impl Figure {
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }

    pub(crate) fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    pub(crate) fn subtract(&self, amount: u64) {
        self.0.fetch_sub(amount, Ordering::Relaxed);
    }
}

/// Everything counted since the start. Gauges say so.
#[derive(Debug, Default)]
pub struct Figures {
    /// Reports applied.
    pub reports: Figure,
    /// Durable records in them.
    pub records: Figure,
    /// Records that were not believed and set aside.
    pub records_set_aside: Figure,
    /// Gauge: uploads being received.
    pub uploads_active: Figure,
    /// Uploads verified, stored and indexed.
    pub uploads_stored: Figure,
    /// Uploads that did not have the bytes of the index.
    pub uploads_corrupt: Figure,
    /// Offers put off for lack of room or because of too many at once.
    pub uploads_put_off: Figure,
    /// Bytes of segments received and verified.
    pub upload_bytes: Figure,
    /// Pulls from agents for playback.
    pub edge_pulls: Figure,
    /// Bytes of those pulls.
    pub edge_bytes: Figure,
    /// Requests for edge footage answered from memory.
    pub edge_cache_hits: Figure,
    /// Requests that joined a pull under way.
    pub edge_joined: Figure,
    /// Gauge: bytes of edge footage in memory.
    pub edge_cache_bytes: Figure,
    /// Gauge: whether streams are counted without the server that is configured.
    pub quotas_apart: Figure,
    /// Gauge: how many streams there are, of how many.
    pub streams: ArcSwapOption<Streams>,
    /// Gauge: limits of streams of which little is left.
    pub streams_short: Figure,
    /// Reservations of streams that were granted, prolonged ones included.
    pub streams_granted: Figure,
    /// Reservations of streams that were refused, for a limit or because nobody could tell.
    pub streams_refused: Figure,
    /// Playlists rendered.
    pub playlists: Figure,
    /// Bytes of segments served to players.
    pub playback_bytes: Figure,
    /// Objects that disappeared from the store.
    pub objects_lost: Figure,
    /// Gauge: 1 while the audit is not what was written, or an agent remembers another one and nobody
    /// has explained it.
    pub audit_chain_broken: Figure,
    /// Entries about views and refusals that could not be written.
    pub audit_entries_lost: Figure,
    /// Gauge: heads that agents remember, that are not in the audit, and that nobody has explained.
    pub audit_disputes: Figure,
    /// Sign-ins refused.
    pub sign_ins_refused: Figure,
    /// Requests that were too many of somebody.
    pub rates_refused: Figure,
    /// Gauge: identity providers and issuers that do not answer.
    pub issuers_away: Figure,
    /// Gauge: 1 while the server of shared rate limits is gone.
    pub rates_apart: Figure,
}

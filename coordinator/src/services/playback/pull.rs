//! One transfer from an agent: pieces in a row, checked one by one as they come.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use shared::hash::Sha256;
use shared::id::{AgentId, SegmentId};
use tokio::sync::watch;
use tokio::time::timeout;

use super::super::edge_source::{EdgeBytes, EdgeError, EdgeSource};
use super::cache::{Arrival, Key};
use super::edge::Shared;
use crate::domain::verifier::Piece;

#[derive(Debug)]
pub(super) struct Pull {
    agent: AgentId,
    segment: SegmentId,
    expected: VecDeque<Expected>,
}

/// A piece somebody waits for.
#[derive(Debug)]
struct Expected {
    key: Key,
    piece: Piece,
    waiting: watch::Sender<Arrival>,
}

impl Pull {
    pub(super) const fn new(agent: AgentId, segment: SegmentId) -> Self {
        Self {
            agent,
            segment,
            expected: VecDeque::new(),
        }
    }

    /// Adds the piece that follows those there are.
    pub(super) fn add(&mut self, key: Key, piece: Piece, waiting: watch::Sender<Arrival>) {
        self.expected.push_back(Expected {
            key,
            piece,
            waiting,
        });
    }

    /// Fetches everything, and tells everybody who waits.
    pub(super) async fn run(mut self, edges: &dyn EdgeSource, shared: &Shared) {
        if let Err(error) = self.fetch(edges, shared).await {
            tracing::info!(
                agent.id = %self.agent, segment.id = %self.segment, %error,
                "footage could not be fetched from the edge"
            );
            for lost in self.expected.drain(..) {
                shared.cache().arrived(lost.key, None);
                let _ = lost.waiting.send(Some(Err(error.clone())));
            }
        }
    }

    async fn fetch(&mut self, edges: &dyn EdgeSource, shared: &Shared) -> Result<(), EdgeError> {
        let (Some(first), Some(last)) = (self.expected.front(), self.expected.back()) else {
            return Ok(());
        };
        let range = first.piece.bytes.start..last.piece.bytes.end;
        let turn = timeout(shared.timeout, shared.turns.acquire()).await;
        let _turn = turn.map_err(|_| EdgeError::Overloaded)?;
        if self.is_unwanted(shared) {
            return Ok(());
        }
        shared.figures.edge_pulls.add(1);
        let fetched = edges.fetch(self.agent, self.segment, range);
        let mut bytes = timeout(shared.timeout, fetched)
            .await
            .map_err(|_| EdgeError::TimedOut)??;
        let mut rest = Bytes::new();
        while !self.is_unwanted(shared)
            && let Some(next) = self.expected.front()
        {
            let length = next.piece.bytes.end - next.piece.bytes.start;
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            let piece = gather(&mut bytes, &mut rest, length, shared).await?;
            self.arrived(piece, shared).await?;
        }
        Ok(())
    }

    /// Everybody has left: a player that was closed or has jumped elsewhere.
    fn is_unwanted(&mut self, shared: &Shared) -> bool {
        let mut cache = shared.cache();
        // From the end, so that what is wanted keeps what comes before it on its way.
        while let Some(last) = self.expected.back() {
            if !cache.forget_unwanted(last.key, &last.waiting) {
                return false;
            }
            self.expected.pop_back();
        }
        true
    }

    async fn arrived(&mut self, bytes: Bytes, shared: &Shared) -> Result<(), EdgeError> {
        shared.figures.edge_bytes.add(bytes.len() as u64);
        let hashed = bytes.clone();
        let hash = tokio::task::spawn_blocking(move || Sha256::of(&hashed)).await;
        let Some(expected) = self.expected.front() else {
            return Ok(());
        };
        if hash.ok() != Some(expected.piece.sha256) {
            tracing::error!(
                agent.id = %self.agent, segment.id = %self.segment,
                from = expected.piece.bytes.start,
                "the edge does not have the bytes it recorded"
            );
            return Err(EdgeError::Corrupt {
                message: format!("the piece at byte {}", expected.piece.bytes.start),
            });
        }
        let Some(Expected { key, waiting, .. }) = self.expected.pop_front() else {
            return Ok(());
        };
        let mut cache = shared.cache();
        let before = cache.used() as u64;
        cache.arrived(key, Some(&bytes));
        let after = cache.used() as u64;
        drop(cache);
        shared
            .figures
            .edge_cache_bytes
            .add(after.saturating_sub(before));
        shared
            .figures
            .edge_cache_bytes
            .subtract(before.saturating_sub(after));
        // Nobody may be waiting any more.
        let _ = waiting.send(Some(Ok(bytes)));
        Ok(())
    }
}

/// The next `length` bytes; what came beyond them is left in `rest`.
async fn gather(
    bytes: &mut EdgeBytes,
    rest: &mut Bytes,
    length: usize,
    shared: &Shared,
) -> Result<Bytes, EdgeError> {
    if rest.len() >= length {
        return Ok(rest.split_to(length));
    }
    let mut gathered = BytesMut::with_capacity(length);
    gathered.extend_from_slice(&std::mem::take(rest));
    while gathered.len() < length {
        let next = timeout(shared.timeout, bytes.next()).await;
        let mut next =
            next.map_err(|_| EdgeError::TimedOut)?
                .ok_or_else(|| EdgeError::Failed {
                    message: "the agent sent less than it was asked for".to_owned(),
                })??;
        let take = next.len().min(length - gathered.len());
        gathered.extend_from_slice(&next.split_to(take));
        *rest = next;
    }
    Ok(gathered.freeze())
}

//! Footage that is only at the edge, as if it were here.
//!
//! It is asked for by whole pieces (the init segment, fragments), because those have hashes: what a
//! player gets is what was recorded. Ten players that want the same piece cause one pull, and what
//! has come stays in memory for a while.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use shared::id::AgentId;
use tokio::sync::{Semaphore, watch};
use tracing::Instrument as _;

use super::super::edge_source::EdgeError;
use super::super::{EdgeSource, Figures, Parts, ServicesConfig};
use super::PlaybackError;
use super::cache::{Arrival, Cache, Found, Key};
use super::pull::Pull;
use crate::domain::segment::Segment;
use crate::domain::verifier::{Piece, pieces};
use crate::stores::Store;

/// Most that is asked for ahead of the player, so that one who asks for whole files and reads
/// slowly, or leaves, costs the site's uplink little.
const AHEAD: u64 = 4 << 20;
/// Pulls at once; more wait.
const PULLS: usize = 64;

/// Opens segments at the edge.
#[derive(Debug)]
pub(super) struct EdgeFootage {
    store: Arc<dyn Store>,
    edges: Arc<dyn EdgeSource>,
    shared: Arc<Shared>,
}

/// What players and pulls have in common.
#[derive(Debug)]
pub(super) struct Shared {
    cache: Mutex<Cache>,
    pub(super) figures: Arc<Figures>,
    pub(super) turns: Semaphore,
    /// How long a pull may bring nothing.
    pub(super) timeout: Duration,
}

impl Shared {
    pub(super) fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EdgeFootage {
    pub(super) fn new(parts: &Parts, config: &ServicesConfig) -> Self {
        Self {
            store: Arc::clone(&parts.store),
            edges: Arc::clone(&parts.edges),
            shared: Arc::new(Shared {
                cache: Mutex::new(Cache::new(config.edge_cache_bytes)),
                figures: Arc::clone(&parts.figures),
                turns: Semaphore::new(PULLS),
                timeout: config.edge_timeout,
            }),
        }
    }

    /// Bytes `range` of a segment that its agent has. The first piece is waited for, so that a site
    /// that is offline is an error and not a broken answer.
    pub(super) async fn open(
        &self,
        segment: &Segment,
        range: Range<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes, PlaybackError>>, PlaybackError> {
        let fragments = self.store.fragments(segment.id()).await?;
        let pieces = pieces(&segment.head, &fragments);
        let wanted: Vec<_> = pieces
            .into_iter()
            .enumerate()
            .filter(|(_, piece)| piece.bytes.start < range.end && piece.bytes.end > range.start)
            .collect();
        let mut reader = Reader {
            edges: Arc::clone(&self.edges),
            shared: Arc::clone(&self.shared),
            agent: segment.agent,
            segment: segment.id(),
            wanted,
            range,
            next: 0,
            ready: Vec::new(),
        };
        let first = reader.next().await?.ok_or(PlaybackError::Gone)?;
        let rest = stream::try_unfold(reader, async |mut reader| {
            let next = reader.next().await?;
            Ok(next.map(|bytes| (bytes, reader)))
        });
        Ok(stream::once(async { Ok(first) })
            .chain(rest)
            .map_err(|error: EdgeError| PlaybackError::Edge(error))
            .boxed())
    }
}

/// One player's way through the pieces of a segment.
struct Reader {
    edges: Arc<dyn EdgeSource>,
    shared: Arc<Shared>,
    agent: AgentId,
    segment: shared::id::SegmentId,
    /// The pieces that overlap the range, with their places.
    wanted: Vec<(usize, Piece)>,
    range: Range<u64>,
    /// Index in `wanted` of the piece that comes next.
    next: usize,
    /// Where the next pieces are, in reverse order.
    ready: Vec<Found>,
}

impl Reader {
    /// The next bytes of the range; `None` at its end.
    async fn next(&mut self) -> Result<Option<Bytes>, EdgeError> {
        let Some((_, piece)) = self.wanted.get(self.next).cloned() else {
            return Ok(None);
        };
        if self.ready.is_empty() {
            self.look_ahead();
        }
        let bytes = match self.ready.pop() {
            Some(Found::Here(bytes)) => bytes,
            Some(Found::Coming(arrival)) => self.wait_for(arrival).await?,
            Some(Found::Nowhere) | None => {
                return Err(EdgeError::Failed {
                    message: "nobody fetches the piece".to_owned(),
                });
            }
        };
        self.next += 1;
        Ok(Some(self.cut(&piece, &bytes)))
    }

    /// Finds where the next pieces are and has fetched what is nowhere, up to [`AHEAD`].
    fn look_ahead(&mut self) {
        let mut length = 0;
        let batch: Vec<_> = self.wanted[self.next..]
            .iter()
            .take_while(|(_, piece)| {
                let first = length == 0;
                length += piece.bytes.end - piece.bytes.start;
                first || length <= AHEAD
            })
            .cloned()
            .collect();
        let mut pull: Option<Pull> = None;
        let mut found = Vec::with_capacity(batch.len());
        let mut cache = self.shared.cache();
        for (place, piece) in batch {
            let key = Key {
                segment: self.segment,
                piece: place,
            };
            let here = match cache.find(key) {
                Found::Nowhere => {
                    let (sender, receiver) = cache.expect(key);
                    pull.get_or_insert_with(|| Pull::new(self.agent, self.segment))
                        .add(key, piece, sender);
                    Found::Coming(receiver)
                }
                known => {
                    // A pull asks for bytes in a row.
                    self.begin(pull.take());
                    match &known {
                        Found::Here(_) => self.shared.figures.edge_cache_hits.add(1),
                        _ => self.shared.figures.edge_joined.add(1),
                    }
                    known
                }
            };
            found.push(here);
        }
        drop(cache);
        self.begin(pull);
        found.reverse();
        self.ready = found;
    }

    fn begin(&self, pull: Option<Pull>) {
        if let Some(pull) = pull {
            let (edges, shared) = (Arc::clone(&self.edges), Arc::clone(&self.shared));
            // Under the name of the request that began it, whoever joins later.
            let pulling = async move { pull.run(&*edges, &shared).await };
            tokio::spawn(pulling.in_current_span());
        }
    }

    async fn wait_for(&self, mut arrival: watch::Receiver<Arrival>) -> Result<Bytes, EdgeError> {
        let arrived = arrival.wait_for(Option::is_some).await;
        match arrived.map(|arrived| arrived.clone()) {
            Ok(Some(result)) => result,
            Ok(None) | Err(_) => Err(EdgeError::Failed {
                message: "the transfer was given up".to_owned(),
            }),
        }
    }

    /// What of a piece belongs to the range.
    fn cut(&self, piece: &Piece, bytes: &Bytes) -> Bytes {
        let start = self.range.start.saturating_sub(piece.bytes.start);
        let end = self.range.end.min(piece.bytes.end) - piece.bytes.start;
        let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
        bytes.slice(place(start)..place(end))
    }
}

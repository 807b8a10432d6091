//! What the agent holds and owes: segments, the gap ledger, and the records the coordinator has not
//! acknowledged.
//!
//! The recorder puts things in, the uplink takes them out, and retention makes room; they meet only
//! here. Files come before rows when something is deleted and after rows when it is made, and
//! [`recovery`] settles what a power cut leaves between the two. How files are written belongs to
//! [`crate::recorder`]; what is sent when belongs to the uplink. See `design/storage.md`.

mod ballast;
mod files;
pub(crate) mod gaps;
mod growing;
mod index;
pub mod inspect;
mod janitor;
mod opening;
mod outbox;
mod reconcile;
mod recording;
mod recovery;
pub mod retention;
mod salvage;
mod sending;

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use shared::clock::Clock;
use shared::id::{CameraId, SegmentId};
use shared::segment::{FragmentMeta, Signature, StreamKind};
use shared::time::{TimeRange, WallTime};
use shared::timeline::{self, Coverage, Facts, Place};
use shared::wire::control::{BufferStatus, UploadPolicy};
use tokio::sync::watch;

pub use files::SegmentBytes;
pub use growing::{GrowthCursor, OpenSegment};
pub use index::IndexError;
pub use index::holdings::{Holding, Totals};
pub use index::ledger::StreamHistory;
pub use reconcile::Reconciliation;
pub use recording::Predecessor;
pub use recovery::RecoveryReport;
pub use retention::Eviction;
pub use sending::{Candidate, News, Priority, ReadError};

use crate::config::Schedule;
use growing::Growing;
pub(crate) use index::Pending;
use index::{Index, holdings, ledger, segments, state};
use janitor::Call;
use recovery::PreviousEnding;

/// Signs a segment's statement with the agent's key.
pub type Sign = Arc<dyn Fn(&[u8]) -> Signature + Send + Sync>;

/// Where things rest, and how much of the disk they may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BufferConfig {
    /// The database.
    pub index: PathBuf,
    /// The storage directory, which holds segments and nothing else.
    pub segments: PathBuf,
    pub limits: Limits,
}

/// What retention keeps to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Of all segment files together.
    pub max_bytes: Option<u64>,
    /// Of the filesystem, never used.
    pub reserve_bytes: u64,
    /// For cameras whose [`CameraRule`] names no age.
    pub max_age: Option<Duration>,
}

/// What the settings and the coordinator want for one camera.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CameraRule {
    pub upload: UploadPolicy,
    /// Instead of [`Limits::max_age`].
    pub max_age: Option<Duration>,
}

impl Default for CameraRule {
    fn default() -> Self {
        Self {
            upload: UploadPolicy::All,
            max_age: None,
        }
    }
}

/// The rules of all cameras; changed as a whole while the agent runs.
#[derive(Clone, Debug, Default)]
pub struct Policies {
    /// For cameras that are not listed.
    pub default: CameraRule,
    pub cameras: HashMap<CameraId, CameraRule>,
    /// When cameras with [`UploadPolicy::Schedule`] upload; never where it is missing.
    pub upload_schedule: Option<Schedule>,
}

impl Policies {
    /// Whether anything at all is uploaded by itself.
    fn want_uploads(&self) -> bool {
        let uploads = |rule: &CameraRule| rule.upload != UploadPolicy::OnDemand;
        match self.cameras.is_empty() {
            true => uploads(&self.default),
            false => self.cameras.values().any(uploads),
        }
    }

    pub fn rule(&self, camera: CameraId) -> CameraRule {
        self.cameras.get(&camera).copied().unwrap_or(self.default)
    }
}

/// Why the buffer could not be opened or used.
#[derive(Debug, thiserror::Error)]
pub enum BufferError {
    #[error("cannot use {}: {source}; check that it exists and belongs to the agent's user", path.display())]
    Directory { path: PathBuf, source: io::Error },
    #[error("{} is in use by another agent; stop that one or give this one a directory of its own", path.display())]
    InUse { path: PathBuf },
    #[error(transparent)]
    Index(#[from] IndexError),
}

/// Handle to the buffer; clones share it.
#[derive(Clone)]
pub struct Buffer {
    inner: Arc<Inner>,
}

struct Inner {
    config: BufferConfig,
    clock: Arc<dyn Clock>,
    sign: Sign,
    index: Index,
    growing: Growing,
    policies: RwLock<Policies>,
    status: watch::Sender<BufferStatus>,
    reconciliation: watch::Sender<Reconciliation>,
    /// Segments of this run of the agent, until files and rows have been compared.
    made_now: Mutex<Option<HashSet<SegmentId>>>,
    /// What this run of the agent met for the first time.
    new_streams: Mutex<HashSet<(CameraId, StreamKind)>>,
    /// When this run began.
    started: WallTime,
    previous_ending: PreviousEnding,
    /// It is being made again from the files.
    index_lost: bool,
    janitor: SyncSender<Call>,
    /// Since the start.
    recorded_bytes: AtomicU64,
    uploaded_bytes: AtomicU64,
    /// Held as long as the buffer is.
    _lock: File,
}

impl Inner {
    fn policies(&self) -> Policies {
        self.policies
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn made(&self) -> MutexGuard<'_, Option<HashSet<SegmentId>>> {
        self.made_now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn new_streams(&self) -> MutexGuard<'_, HashSet<(CameraId, StreamKind)>> {
        self.new_streams
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn was_made_now(&self, id: SegmentId) -> bool {
        self.made().as_ref().is_some_and(|made| made.contains(&id))
    }

    fn forget_made(&self) {
        *self.made() = None;
    }
}

impl std::fmt::Debug for Buffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Buffer({})", self.inner.config.segments.display())
    }
}

impl Buffer {
    /// The agent stops in an orderly way. To be called last, when everything has been written.
    ///
    /// # Errors
    /// The index failed; the next start takes it for a crash.
    pub async fn close(&self) -> Result<(), IndexError> {
        let now = self.inner.clock.wall();
        self.inner
            .index
            .write_now("noting the stop", move |connection| {
                state::stop(connection, now)
            })
            .wait()
            .await
    }

    /// What comparing files and rows has found; runs in the background after every start.
    pub fn reconciliation(&self) -> watch::Receiver<Reconciliation> {
        self.inner.reconciliation.subscribe()
    }

    /// What these limits and policies would delete now, if they took the place of those in force;
    /// nothing is changed.
    ///
    /// # Errors
    /// The index failed.
    pub async fn dry_run(
        &self,
        limits: Limits,
        policies: Policies,
    ) -> Result<Vec<Eviction>, IndexError> {
        let inner = Arc::clone(&self.inner);
        let (usage, _) = tokio::task::spawn_blocking(move || janitor::look(&inner))
            .await
            .map_err(|_| IndexError::Closed)??;
        let held = self
            .inner
            .index
            .read("listing recordings", |connection| {
                holdings::next_to_evict(connection, usize::MAX)
            })
            .wait()
            .await?;
        let now = self.inner.clock.wall();
        let rates = retention::Rates::default();
        Ok(retention::plan(
            &limits, &policies, &usage, &rates, held, now,
        ))
    }

    /// Says so when the settings keep more free than the disk has: then nothing is ever recorded.
    fn look_at_reserve(&self) {
        let total_bytes = janitor::filesystem(&self.inner.config.segments).total_bytes;
        let reserve_bytes = self.inner.config.limits.reserve_bytes;
        if total_bytes > 0 && total_bytes <= reserve_bytes {
            tracing::error!(
                path = %self.inner.config.segments.display(),
                total_bytes,
                reserve_bytes,
                "the disk is smaller than what the settings keep free, so nothing can be recorded; \
                 reduce buffer.reserve_bytes or use a larger disk"
            );
        }
    }

    /// Recording has no space: retention looks at once.
    pub(crate) fn request_space(&self) {
        // Full means that it has been asked already.
        let _ = self.inner.janitor.try_send(Call::Space);
    }

    /// Makes the stream known from `since` on, unless it is known already, and tells how far it is
    /// accounted for.
    ///
    /// # Errors
    /// The index failed.
    pub async fn register_stream(
        &self,
        camera: CameraId,
        stream: StreamKind,
        since: WallTime,
    ) -> Result<StreamHistory, IndexError> {
        let (history, is_new) = self
            .inner
            .index
            .write_now("registering a stream", move |connection| {
                ledger::register_stream(connection, camera, stream, since)
            })
            .wait()
            .await?;
        if is_new {
            self.inner.new_streams().insert((camera, stream));
        }
        // What this run has written, the index may learn later.
        let growing = &self.inner.growing;
        let explained_until = growing.explained(camera, stream, history.explained_until);
        Ok(StreamHistory {
            explained_until,
            ..history
        })
    }

    /// Replaces the rules of all cameras from now on.
    pub fn set_policies(&self, policies: Policies) {
        *self
            .inner
            .policies
            .write()
            .unwrap_or_else(PoisonError::into_inner) = policies;
        // What is too old by the new rules goes now.
        let _ = self.inner.janitor.try_send(Call::Rules);
    }

    pub fn policies(&self) -> Policies {
        self.inner.policies()
    }

    /// Keeps (or no longer keeps) as evidence what touches `range`; how many segments that changed.
    ///
    /// # Errors
    /// The index failed.
    pub async fn set_locked(
        &self,
        camera: CameraId,
        stream: StreamKind,
        range: TimeRange,
        locked: bool,
    ) -> Result<usize, IndexError> {
        self.inner
            .index
            .write_now("locking evidence", move |connection| {
                segments::set_locked(connection, camera, stream, range, locked)
            })
            .wait()
            .await
    }

    /// Something happened in view of a camera: what touches `range` is uploaded by the policy
    /// `events`, and first by every policy that uploads.
    ///
    /// # Errors
    /// The index failed.
    pub async fn mark_event(&self, camera: CameraId, range: TimeRange) -> Result<(), IndexError> {
        self.inner
            .index
            .write_now("recording an event", move |connection| {
                ledger::record_event(connection, camera, range)
            })
            .wait()
            .await
    }

    /// As of a few seconds ago.
    pub fn status(&self) -> BufferStatus {
        self.inner.status.borrow().clone()
    }

    /// What a local timeline is computed from; everything here is at the edge.
    ///
    /// # Errors
    /// The index failed.
    pub async fn facts(
        &self,
        camera: CameraId,
        stream: StreamKind,
        range: TimeRange,
    ) -> Result<Facts, IndexError> {
        let (closed, gaps, history) = self
            .inner
            .index
            .read("reading a timeline", move |connection| {
                Ok((
                    segments::covering(connection, camera, stream, range)?,
                    ledger::gaps(connection, camera, stream, range)?,
                    ledger::history(connection, camera, stream)?,
                ))
            })
            .wait()
            .await?;
        let closed = closed.into_iter().flat_map(|(fragments, uploaded)| {
            let place = if uploaded { Place::Both } else { Place::Edge };
            coverage(&fragments, place)
        });
        let open = self.growing().into_iter().filter_map(|open| {
            let wanted = open.head.camera == camera && open.head.stream == stream;
            wanted.then(|| coverage(&open.fragments, Place::Edge))
        });
        let mark = self
            .watermarks()
            .into_iter()
            .find(|mark| mark.camera == camera && mark.stream == stream);
        Ok(Facts {
            coverage: closed.chain(open.flatten()).collect(),
            missing: gaps
                .into_iter()
                .map(|gap| (gap.range, gap.reason))
                .collect(),
            reported_until: mark.map_or(WallTime::MIN, |mark| mark.reported_until),
            known_since: history.map_or(WallTime::MAX, |history| history.since),
        })
    }
}

fn coverage(fragments: &[FragmentMeta], place: Place) -> Vec<Coverage> {
    let ranges = fragments.iter().map(FragmentMeta::wall_range);
    timeline::merge(ranges, Duration::ZERO)
        .into_iter()
        .map(|range| Coverage { range, place })
        .collect()
}

//! What is being written right now, in memory: open segments with their fragments, and how far each
//! stream is accounted for. One short lock, touched once per fragment; never held over I/O.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use shared::id::{CameraId, LedgerId, SegmentId};
use shared::segment::{FragmentMeta, SegmentHead, StreamKind};
use shared::time::WallTime;
use shared::wire::segment::{Growth, Watermark};
use tokio::sync::watch;

/// A segment that is open, or closed and not yet in the outbox.
#[derive(Clone, Debug)]
pub struct OpenSegment {
    pub head: SegmentHead,
    pub path: PathBuf,
    pub fragments: Vec<FragmentMeta>,
}

impl OpenSegment {
    /// Bytes of the file that are accounted for by fragments.
    pub fn reported_bytes(&self) -> u64 {
        self.fragments.last().map_or_else(
            || u64::from(self.head.init_length),
            FragmentMeta::end_offset,
        )
    }
}

#[derive(Debug, Default)]
struct Stream {
    explained_until: Option<WallTime>,
    /// Beginnings of gaps that are not durable yet: nothing after them counts as explained.
    unwritten_gaps: HashMap<LedgerId, WallTime>,
}

impl Stream {
    fn watermark(&self) -> Option<WallTime> {
        let first_gap = self.unwritten_gaps.values().min().copied();
        self.explained_until
            .map(|until| first_gap.map_or(until, |gap| gap.min(until)))
    }
}

#[derive(Debug, Default)]
struct State {
    segments: BTreeMap<SegmentId, OpenSegment>,
    streams: HashMap<(CameraId, StreamKind), Stream>,
}

/// How much of each open segment somebody has been told. A new one has been told nothing.
#[derive(Clone, Debug, Default)]
pub struct GrowthCursor(HashMap<SegmentId, usize>);

#[derive(Debug)]
pub(super) struct Growing {
    state: Mutex<State>,
    /// Counts changes worth telling.
    news: watch::Sender<u64>,
}

impl Growing {
    pub(super) fn new() -> Self {
        Self {
            state: Mutex::default(),
            news: watch::Sender::new(0),
        }
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    pub(super) fn announce(&self) {
        self.news
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn open(&self, head: SegmentHead, path: PathBuf) {
        let segment = OpenSegment {
            head,
            path,
            fragments: Vec::new(),
        };
        self.with(|state| state.segments.insert(segment.head.id, segment));
    }

    /// A fragment is in the file; the stream is accounted for up to `explained_until`.
    pub(super) fn add(&self, id: SegmentId, fragment: FragmentMeta, explained_until: WallTime) {
        self.with(|state| {
            if let Some(segment) = state.segments.get_mut(&id) {
                let key = (segment.head.camera, segment.head.stream);
                segment.fragments.push(fragment);
                explain(state, key, explained_until);
            }
        });
        self.announce();
    }

    /// Only the first `count` fragments are in the file after all.
    pub(super) fn truncate(&self, id: SegmentId, count: usize) {
        self.with(|state| {
            if let Some(segment) = state.segments.get_mut(&id) {
                segment.fragments.truncate(count);
            }
        });
    }

    /// Its row and record are durable, or it held nothing.
    pub(super) fn remove(&self, id: SegmentId) {
        self.with(|state| state.segments.remove(&id));
    }

    pub(super) fn get(&self, id: SegmentId) -> Option<OpenSegment> {
        self.with(|state| state.segments.get(&id).cloned())
    }

    pub(super) fn snapshot(&self) -> Vec<OpenSegment> {
        self.with(|state| state.segments.values().cloned().collect())
    }

    /// Bytes of each open segment.
    pub(super) fn snapshot_sizes(&self) -> Vec<u64> {
        self.with(|state| {
            state
                .segments
                .values()
                .map(OpenSegment::reported_bytes)
                .collect()
        })
    }

    /// What the holder of `cursor` has not been told yet; it counts as told from now on.
    pub(super) fn since(&self, cursor: &mut GrowthCursor) -> Vec<Growth> {
        self.with(|state| {
            cursor.0.retain(|id, _| state.segments.contains_key(id));
            state
                .segments
                .values()
                .filter_map(|segment| {
                    let told = cursor.0.entry(segment.head.id).or_default();
                    let fragments = segment.fragments.get(*told..)?;
                    if fragments.is_empty() {
                        return None;
                    }
                    let first = u32::try_from(*told).ok()?;
                    *told = segment.fragments.len();
                    Some(Growth {
                        head: segment.head.clone(),
                        first,
                        fragments: fragments.to_vec(),
                    })
                })
                .collect()
        })
    }

    /// A gap exists that the index does not hold yet.
    pub(super) fn gap_begun(
        &self,
        camera: CameraId,
        stream: StreamKind,
        id: LedgerId,
        start: WallTime,
    ) {
        self.with(|state| {
            state
                .streams
                .entry((camera, stream))
                .or_default()
                .unwritten_gaps
                .insert(id, start);
        });
    }

    /// The gap is durable up to `explained_until`.
    pub(super) fn gap_written(
        &self,
        camera: CameraId,
        stream: StreamKind,
        id: LedgerId,
        explained_until: WallTime,
    ) {
        self.with(|state| {
            if let Some(stream) = state.streams.get_mut(&(camera, stream)) {
                stream.unwritten_gaps.remove(&id);
            }
            explain(state, (camera, stream), explained_until);
        });
        self.announce();
    }

    /// The stream is accounted for up to `until`, and up to what is returned.
    pub(super) fn explained(
        &self,
        camera: CameraId,
        stream: StreamKind,
        until: WallTime,
    ) -> WallTime {
        self.with(|state| explain(state, (camera, stream), until))
    }

    pub(super) fn watermarks(&self) -> Vec<Watermark> {
        self.with(|state| {
            let mut marks: Vec<_> = state
                .streams
                .iter()
                .filter_map(|(&(camera, stream), known)| {
                    Some(Watermark {
                        camera,
                        stream,
                        reported_until: known.watermark()?,
                    })
                })
                .collect();
            marks.sort_by_key(|mark| (mark.camera, mark.stream));
            marks
        })
    }
}

fn explain(state: &mut State, key: (CameraId, StreamKind), until: WallTime) -> WallTime {
    let stream = state.streams.entry(key).or_default();
    *stream.explained_until.insert(
        stream
            .explained_until
            .map_or(until, |known| known.max(until)),
    )
}

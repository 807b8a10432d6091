//! What the recorder puts in: opened and closed segments, fragments, gaps. Nothing here waits: the
//! answers of the index are polled by the caller.

use std::path::{Path, PathBuf};

use shared::id::SegmentId;
use shared::segment::{FragmentMeta, SegmentHead, SegmentMeta};
use shared::time::WallTime;
use shared::timeline::LedgerEntry;

use super::index::{Pending, ledger, segments};
use super::{Buffer, files};

impl Buffer {
    /// Where the file of a new segment goes. Its row follows by itself; nobody waits for it.
    pub(crate) fn open_segment(&self, head: &SegmentHead) -> PathBuf {
        let relative = files::relative_path(head, self.inner.clock.wall());
        let path = self.inner.config.segments.join(&relative);
        self.inner.growing.open(head.clone(), path.clone());
        let head = head.clone();
        // Without its row the file is found by walking the directory at the next start.
        drop(
            self.inner
                .index
                .write("opening a segment", move |connection| {
                    segments::insert_open(connection, &head, &relative)
                }),
        );
        path
    }

    /// The fragment is in the file, and the stream is accounted for up to `explained_until`.
    pub(crate) fn fragment_written(
        &self,
        segment: SegmentId,
        fragment: FragmentMeta,
        explained_until: WallTime,
    ) {
        self.inner.growing.add(segment, fragment, explained_until);
    }

    /// Closes a segment whose bytes are on stable storage: signs it, completes its row and queues
    /// its record. The answer comes when that is durable too.
    pub(crate) fn close_segment(
        &self,
        head: SegmentHead,
        size: u64,
        fragments: Vec<FragmentMeta>,
    ) -> Pending<()> {
        let root = shared::segment::fragment_root(&fragments);
        let signature = (self.inner.sign)(&shared::segment::statement(&head, size, &root));
        let meta = SegmentMeta {
            head,
            size,
            fragments,
            root,
            signature,
        };
        let path = self
            .inner
            .growing
            .get(meta.head.id)
            .and_then(|open| self.relative(&open.path))
            .unwrap_or_else(|| files::relative_path(&meta.head, self.inner.clock.wall()));
        self.inner
            .index
            .write("closing a segment", move |connection| {
                segments::close(connection, &meta, &path)
            })
    }

    fn relative(&self, path: &Path) -> Option<String> {
        path.strip_prefix(&self.inner.config.segments)
            .ok()?
            .to_str()
            .map(str::to_owned)
    }

    /// The row of a closed segment is durable; it no longer counts as growing.
    pub(crate) fn segment_settled(&self, segment: SegmentId) {
        self.inner.growing.remove(segment);
        self.inner.growing.announce();
    }

    /// Writes a gap or its correction. The answer comes when it is durable.
    pub(crate) fn record_gap(&self, entry: LedgerEntry) -> Pending<()> {
        self.inner
            .growing
            .gap_begun(entry.camera, entry.stream, entry.id, entry.range.start());
        self.inner
            .index
            .write("recording a gap", move |connection| {
                ledger::record_gap(connection, &entry)
            })
    }

    /// The gap of [`Buffer::record_gap`] is durable.
    pub(crate) fn gap_settled(&self, entry: &LedgerEntry) {
        self.inner
            .growing
            .gap_written(entry.camera, entry.stream, entry.id, entry.range.end());
    }
}

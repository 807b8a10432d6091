//! Ledger entries on their way to the index: each is tried until it is durable, and only the newest
//! version of an entry is worth writing.

use shared::id::LedgerId;
use shared::timeline::LedgerEntry;

use crate::buffer::{Buffer, Pending};

/// Entries of one stream that wait for an index that does not answer. Beyond that the oldest is
/// given up; the stream's watermark stays before it, so that it never looks explained.
const MAX_WAITING: usize = 1_024;

#[derive(Debug)]
struct Write {
    entry: LedgerEntry,
    /// The version being written; `None` when it has to be handed in (again).
    pending: Option<(LedgerEntry, Pending<()>)>,
}

#[derive(Debug, Default)]
pub(super) struct LedgerWrites {
    writes: Vec<Write>,
}

impl LedgerWrites {
    pub(super) const fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    pub(super) fn extend(
        &mut self,
        entries: impl IntoIterator<Item = LedgerEntry>,
        buffer: &Buffer,
    ) {
        for entry in entries {
            self.push(entry, buffer);
        }
    }

    pub(super) fn push(&mut self, entry: LedgerEntry, buffer: &Buffer) {
        buffer.gap_begun(&entry);
        match self.find(entry.id) {
            Some(write) => write.entry = entry,
            None => {
                let pending = Some((entry.clone(), buffer.write_gap(&entry)));
                self.writes.push(Write { entry, pending });
                if self.writes.len() > MAX_WAITING {
                    let given_up = self.writes.remove(0).entry;
                    tracing::error!(camera.id = %given_up.camera, range = ?given_up.range, "a gap is not in the ledger");
                }
            }
        }
    }

    fn find(&mut self, id: LedgerId) -> Option<&mut Write> {
        self.writes.iter_mut().find(|write| write.entry.id == id)
    }

    /// Follows what is being written, and hands in what has changed or failed.
    pub(super) fn poll(&mut self, buffer: &Buffer) {
        self.writes.retain_mut(|write| !is_done(write, buffer));
    }
}

fn is_done(write: &mut Write, buffer: &Buffer) -> bool {
    if let Some((written, pending)) = &mut write.pending {
        match pending.poll() {
            None => return false,
            Some(Ok(())) if *written == write.entry => {
                buffer.gap_settled(written);
                return true;
            }
            Some(Ok(())) => {}
            Some(Err(error)) => {
                tracing::warn!(camera.id = %write.entry.camera, %error, "a gap is not in the ledger yet");
                write.pending = None;
                // Not at once again: the next round of polling is soon enough.
                return false;
            }
        }
    }
    write.pending = Some((write.entry.clone(), buffer.write_gap(&write.entry)));
    false
}

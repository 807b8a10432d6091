//! What passes from a stream's task to the disk.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use shared::fmp4::init::{self, InitError};
use shared::hash::Sha256;
use shared::sample::AudioFrame;
use shared::segment::TrackMeta;
use shared::time::WallTime;
use shared::timeline::Reason;

use super::cutter::Piece;
use crate::camera::media::Run;

/// What the disk is told about one stream.
#[derive(Debug)]
pub(super) enum Job {
    Write(Fragment),
    /// The next fragment, if any, is of another segment.
    EndSegment,
    Missing(Missing),
}

/// From `from` on there is no recording, until the next fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Missing {
    pub(super) from: WallTime,
    pub(super) reason: Reason,
    pub(super) detail: Option<String>,
    /// The latest that much may still be recorded after all, from what is being held.
    pub(super) hold: Duration,
}

/// What all fragments of a run share.
#[derive(Debug)]
pub(super) struct RunFacts {
    pub(super) run: Arc<Run>,
    pub(super) init: Bytes,
    pub(super) init_sha256: Sha256,
    pub(super) tracks: Vec<TrackMeta>,
}

impl RunFacts {
    pub(super) fn new(run: Arc<Run>) -> Result<Self, InitError> {
        let init = init::write(&run.parameters)?;
        Ok(Self {
            init_sha256: Sha256::of(&init),
            tracks: init::tracks(&run.parameters),
            init,
            run,
        })
    }
}

/// A fragment to be written; its payload is still where the camera's task put it.
#[derive(Debug)]
pub(super) struct Fragment {
    pub(super) run: Arc<RunFacts>,
    /// From 1, one more with every fragment of the run.
    pub(super) sequence: u32,
    pub(super) piece: Piece,
    pub(super) audio: Vec<AudioFrame>,
    /// It was held before, so handing it on takes no more memory.
    pub(super) held: bool,
}

impl Fragment {
    /// Of payload.
    pub(super) fn bytes(&self) -> u64 {
        let video = self.piece.samples.iter().map(|timed| &timed.sample.payload);
        let audio = self.audio.iter().map(|frame| &frame.payload);
        video.chain(audio).map(|payload| payload.len() as u64).sum()
    }
}

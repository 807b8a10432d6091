//! Finding fragments again: recovery after a crash, and verification.
//!
//! The bytes are foreign here: a disk may have lost, torn or flipped any of them. Nothing is
//! allocated by a length that a file claims beyond [`MAX_BOX_BYTES`], and a fragment counts only
//! when its seal proves every byte of it.

use std::io::{self, Read, Seek};

use mp4_atom::FourCC;

use super::source::Source;
use crate::hash::Sha256;
use crate::segment::{FragmentMeta, SegmentHead};

/// Largest box, other than `mdat`, that is read; larger ones count as damage.
pub const MAX_BOX_BYTES: u64 = 1 << 20;

/// Most fragments that are listed of one file.
pub const MAX_FRAGMENTS: usize = 100_000;

/// What is in a file.
#[derive(Clone, Debug)]
pub struct Walk {
    pub init: InitSpan,
    /// As the first fragment tells it.
    pub head: Option<SegmentHead>,
    /// The whole fragments, from the init part on and without a hole.
    pub fragments: Vec<FragmentMeta>,
    /// Why there are no more of them.
    pub stop: Stop,
    /// Whole fragments found behind the stop, in order but with holes between them. With the init
    /// part they make a file of their own.
    pub beyond: Vec<FragmentMeta>,
    /// Bytes of the file.
    pub file_length: u64,
}

impl Walk {
    /// Bytes of the init part and the whole fragments: what the file can be cut to.
    pub fn end(&self) -> u64 {
        let init = u64::from(self.init.length);
        self.fragments.last().map_or(init, FragmentMeta::end_offset)
    }

    /// Whether the init part is the one that the head was written for; `None` without a head.
    pub fn init_is_intact(&self) -> Option<bool> {
        let head = self.head.as_ref()?;
        Some((head.init_length, head.init_sha256) == (self.init.length, self.init.sha256))
    }
}

/// `ftyp` and `moov` at the start of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InitSpan {
    /// Bytes.
    pub length: u32,
    pub sha256: Sha256,
}

/// Why the walk ended; `at` is where the fragment begins that is not whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The file ends with a whole fragment.
    EndOfFile,
    /// Zeros follow: space that was reserved and never written.
    Unwritten { at: u64 },
    /// The file, or what was written of it, ends inside a fragment.
    Torn { at: u64 },
    /// The bytes are not those of a fragment, or its seal does not fit them.
    Damaged { at: u64, damage: Damage },
    /// The disk refuses to give the bytes.
    Unreadable { at: u64, error: io::ErrorKind },
    /// [`MAX_FRAGMENTS`] have been listed.
    TooMany { at: u64 },
}

/// What is wrong with a fragment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    #[error("no {0} where it should be")]
    Missing(&'static str),
    #[error("a {kind} box claims {bytes} bytes")]
    Size { kind: FourCC, bytes: u64 },
    #[error("cannot read the {kind}: {detail}")]
    Boxes { kind: &'static str, detail: String },
    #[error("its samples have {listed} bytes and its payload has {present}")]
    Payload { listed: u64, present: u64 },
    #[error("the seal is not that of these bytes")]
    Seal,
}

impl Damage {
    pub(super) fn boxes(kind: &'static str, error: &mp4_atom::Error) -> Self {
        Self::Boxes {
            kind,
            detail: error.to_string(),
        }
    }
}

/// Why nothing can be said of a file.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("cannot read the segment file: {0}")]
    Io(#[from] io::Error),
    /// Also an empty file, and one that was cut before its init part was written whole.
    #[error("the file does not begin with a whole `ftyp` and `moov`, so it cannot be played")]
    NoInit,
}

/// Walks a file from its first byte; everything up to the stop is read and hashed. Behind a stop the
/// file is searched for more, at the cost of at most two further readings.
///
/// # Errors
/// The init part is missing or unreadable. What lies behind it is never an error but a [`Stop`].
pub fn walk<R: Read + Seek>(reader: R) -> Result<Walk, ReadError> {
    let mut source = Source::new(reader)?;
    let init = source.init()?;
    let mut head = None;
    let mut fragments = Vec::new();
    let stop = loop {
        let at = source.position;
        if fragments.len() >= MAX_FRAGMENTS {
            break Stop::TooMany { at };
        }
        match source.fragment() {
            Ok(Some(found)) => {
                head = head.or(found.head);
                fragments.push(found.meta);
            }
            Ok(None) => break Stop::EndOfFile,
            Err(broken) => break broken.stop(at, source.position),
        }
    };
    let beyond = match stop {
        Stop::Unwritten { at } | Stop::Torn { at } | Stop::Damaged { at, .. } => source.salvage(at),
        Stop::EndOfFile | Stop::Unreadable { .. } | Stop::TooMany { .. } => Vec::new(),
    };
    Ok(Walk {
        init,
        head,
        fragments,
        stop,
        beyond,
        file_length: source.length,
    })
}

//! Finding fragments again: recovery after a crash, and verification.
//!
//! The bytes are foreign here: a disk may have lost, torn or flipped any of them. Nothing is
//! allocated by a length that a file claims beyond [`MAX_BOX_BYTES`], and a fragment counts only
//! when its seal proves every byte of it.

use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

use mp4_atom::{Atom, Decode, FourCC, Prft};

use super::boxes::{FTYP, HEAD, HEADER_BYTES, MDAT, MOOF, MOOV, PRFT, SEAL, UUID};
use super::fragment::SEAL_BYTES;
use super::moof::Moof;
use crate::hash::{Hasher, Sha256};
use crate::segment::{FragmentMeta, SegmentHead};
use crate::time::{Ticks90k, WallTime};

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

/// Walks a file from its first byte; everything up to the stop is read and hashed.
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
    Ok(Walk {
        init,
        head,
        fragments,
        stop,
        file_length: source.length,
    })
}

/// Why one fragment could not be read.
enum Broken {
    End,
    /// A box was expected and there is nothing but zeros.
    Zeros,
    Io(io::Error),
    Damage(Damage),
}

impl Broken {
    /// For a fragment that begins at `at`, where reading got as far as `position`.
    fn stop(self, at: u64, position: u64) -> Stop {
        match self {
            Self::Zeros if position == at + HEADER_BYTES as u64 => Stop::Unwritten { at },
            Self::End | Self::Zeros => Stop::Torn { at },
            Self::Io(error) => Stop::Unreadable {
                at,
                error: error.kind(),
            },
            Self::Damage(damage) => Stop::Damaged { at, damage },
        }
    }
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::End,
            _ => Self::Io(error),
        }
    }
}

impl From<Damage> for Broken {
    fn from(damage: Damage) -> Self {
        Self::Damage(damage)
    }
}

/// One whole fragment.
struct Found {
    head: Option<SegmentHead>,
    meta: FragmentMeta,
}

/// What has been read of a fragment before its payload.
#[derive(Default)]
struct Parts {
    head: Option<SegmentHead>,
    wall_start: Option<WallTime>,
}

/// A file read from front to back, with the hash of the part at hand.
struct Source<R> {
    reader: BufReader<R>,
    position: u64,
    length: u64,
    hasher: Hasher,
    content: Vec<u8>,
}

impl<R: Read + Seek> Source<R> {
    fn new(mut reader: R) -> io::Result<Self> {
        let length = reader.seek(SeekFrom::End(0))?;
        reader.seek(SeekFrom::Start(0))?;
        Ok(Self {
            reader: BufReader::with_capacity(128 * 1024, reader),
            position: 0,
            length,
            hasher: Hasher::new(),
            content: Vec::new(),
        })
    }

    fn init(&mut self) -> Result<InitSpan, ReadError> {
        for expected in [FTYP, MOOV] {
            let read = self.box_start().and_then(|(kind, length)| {
                self.read_content(kind, length)?;
                Ok(kind == expected)
            });
            match read {
                Ok(true) => {}
                Err(Broken::Io(error)) => return Err(ReadError::Io(error)),
                Ok(false) | Err(_) => return Err(ReadError::NoInit),
            }
        }
        Ok(InitSpan {
            length: u32::try_from(self.position).map_err(|_| ReadError::NoInit)?,
            sha256: std::mem::take(&mut self.hasher).finish(),
        })
    }

    /// Reads one fragment to the end of its seal; `None` at the end of the file.
    fn fragment(&mut self) -> Result<Option<Found>, Broken> {
        if self.position == self.length {
            return Ok(None);
        }
        let offset = self.position;
        self.hasher = Hasher::new();
        let mut parts = Parts::default();
        let moof = loop {
            let (kind, length) = self.box_start()?;
            self.read_content(kind, length)?;
            match kind {
                PRFT => parts.wall_start = Some(wall_start(&self.content)?),
                UUID => parts.head = parts.head.or_else(|| head(&self.content)),
                MOOF => break Moof::parse(&self.content)?,
                _ => return Err(Damage::Missing("moof").into()),
            }
        };
        self.payload(&moof)?;
        self.seal()?;
        let length = self.position - offset;
        let meta = FragmentMeta {
            offset,
            length: u32::try_from(length).map_err(|_| Damage::Size {
                kind: MDAT,
                bytes: length,
            })?,
            media_start: Ticks90k::new(moof.video.start),
            duration: Ticks90k::new(i64::try_from(moof.video.duration()).unwrap_or(i64::MAX)),
            wall_start: parts.wall_start.ok_or(Damage::Missing("prft"))?,
            sync: moof.video.samples.first().is_some_and(|entry| entry.sync),
            samples: u32::try_from(moof.video.samples.len()).unwrap_or(u32::MAX),
            sha256: self.hasher.clone().finish(),
        };
        Ok(Some(Found {
            head: parts.head,
            meta,
        }))
    }

    /// Hashes the payload, which has to be exactly what the samples need.
    fn payload(&mut self, moof: &Moof) -> Result<(), Broken> {
        let (kind, present) = self.box_start()?;
        if kind != MDAT {
            return Err(Damage::Missing("mdat").into());
        }
        let listed = moof.video.length() + moof.audio.as_ref().map_or(0, |track| track.length());
        if listed != present {
            return Err(Damage::Payload { listed, present }.into());
        }
        let mut left = present;
        while left > 0 {
            let chunk = self.reader.fill_buf()?;
            let used = chunk.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let chunk = chunk.get(..used).filter(|chunk| !chunk.is_empty());
            self.hasher.update(chunk.ok_or(Broken::End)?);
            self.reader.consume(used);
            self.position += used as u64;
            left -= used as u64;
        }
        Ok(())
    }

    fn seal(&mut self) -> Result<(), Broken> {
        let digest = self.hasher.clone().finish();
        let (kind, length) = self.box_start()?;
        if kind != UUID || length != (SEAL_BYTES - HEADER_BYTES) as u64 {
            return Err(Damage::Missing("seal").into());
        }
        self.read_content(kind, length)?;
        let (id, sealed) = self.content.split_at(16);
        if id != <[u8; 16]>::from(SEAL) || sealed != digest.as_bytes() {
            return Err(Damage::Seal.into());
        }
        Ok(())
    }

    /// Type of the next box and bytes of its content, all of which lie within the file.
    fn box_start(&mut self) -> Result<(FourCC, u64), Broken> {
        let mut bytes = [0; HEADER_BYTES];
        self.reader.read_exact(&mut bytes)?;
        self.position += bytes.len() as u64;
        if bytes == [0; HEADER_BYTES] {
            return Err(Broken::Zeros);
        }
        self.hasher.update(&bytes);
        let (size, kind) = bytes.split_at(4);
        let size = u64::from(u32::decode(&mut { size }).unwrap_or(0));
        let kind = FourCC::decode(&mut { kind }).unwrap_or(FTYP);
        // 0 and 1 stand for "to the end of the file" and "64 bits follow"; neither is ever written.
        let length = size
            .checked_sub(HEADER_BYTES as u64)
            .ok_or(Damage::Size { kind, bytes: size })?;
        if length > self.length.saturating_sub(self.position) {
            return Err(Broken::End);
        }
        Ok((kind, length))
    }

    /// Reads and hashes the content of a box other than `mdat`.
    fn read_content(&mut self, kind: FourCC, length: u64) -> Result<(), Broken> {
        if length > MAX_BOX_BYTES {
            return Err(Damage::Size {
                kind,
                bytes: length,
            }
            .into());
        }
        self.content.clear();
        let read = self
            .reader
            .by_ref()
            .take(length)
            .read_to_end(&mut self.content)?;
        self.position += read as u64;
        if read as u64 != length {
            return Err(Broken::End);
        }
        self.hasher.update(&self.content);
        Ok(())
    }
}

fn wall_start(prft: &[u8]) -> Result<WallTime, Damage> {
    Prft::decode_body(&mut { prft })
        .map(|prft| WallTime::from_ntp(prft.ntp_timestamp))
        .map_err(|error| Damage::boxes("prft", &error))
}

/// `None` also for a head that this version cannot read: the footage counts all the same.
fn head(uuid: &[u8]) -> Option<SegmentHead> {
    let json = uuid.strip_prefix(&<[u8; 16]>::from(HEAD))?;
    serde_json::from_slice(json).ok()
}

//! Reading a segment file from front to back, one box at a time, with the hash of the fragment at
//! hand. What the outcome means is [`super::read`]'s.

use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

use mp4_atom::{Atom, Decode, FourCC, Prft};

use super::boxes::{FTYP, HEAD, HEADER_BYTES, MDAT, MOOF, MOOV, PRFT, SEAL, UUID};
use super::fragment::SEAL_BYTES;
use super::moof::Moof;
use super::read::{Damage, InitSpan, MAX_BOX_BYTES, MAX_FRAGMENTS, ReadError, Stop};
use crate::hash::Hasher;
use crate::segment::{FragmentMeta, SegmentHead};
use crate::time::{Ticks90k, WallTime};

/// Why one fragment could not be read.
pub(super) enum Broken {
    End,
    /// A box was expected and there is nothing but zeros.
    Zeros,
    Io(io::Error),
    Damage(Damage),
}

impl Broken {
    /// For a fragment that begins at `at`, where reading got as far as `position`.
    pub(super) fn stop(self, at: u64, position: u64) -> Stop {
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
pub(super) struct Found {
    pub(super) head: Option<SegmentHead>,
    pub(super) meta: FragmentMeta,
}

/// What has been read of a fragment before its payload.
#[derive(Default)]
struct Parts {
    head: Option<SegmentHead>,
    wall_start: Option<WallTime>,
}

/// A file read from front to back, with the hash of the part at hand.
pub(super) struct Source<R> {
    reader: BufReader<R>,
    pub(super) position: u64,
    pub(super) length: u64,
    hasher: Hasher,
    content: Vec<u8>,
}

impl<R: Read + Seek> Source<R> {
    pub(super) fn new(mut reader: R) -> io::Result<Self> {
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

    pub(super) fn init(&mut self) -> Result<InitSpan, ReadError> {
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
    pub(super) fn fragment(&mut self) -> Result<Option<Found>, Broken> {
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

    /// Looks for fragments behind `at`, where there is none. Ends early where the disk cannot be
    /// read, or too much had to be read twice.
    pub(super) fn salvage(&mut self, at: u64) -> Vec<FragmentMeta> {
        let mut found = Vec::new();
        let mut budget = self.length.saturating_mul(2);
        let mut from = at.saturating_add(1);
        while let Ok(Some(candidate)) = self.search(from, &mut budget) {
            let fragment = self.seek(candidate).and_then(|()| self.fragment());
            budget = budget.saturating_sub(self.position - candidate);
            from = match fragment {
                Ok(Some(fragment)) => {
                    found.push(fragment.meta);
                    self.position
                }
                Ok(None) | Err(_) => candidate + 1,
            };
            if found.len() >= MAX_FRAGMENTS {
                break;
            }
        }
        found
    }

    /// Where the next fragment might begin, at `from` or later.
    fn search(&mut self, mut from: u64, budget: &mut u64) -> Result<Option<u64>, Broken> {
        const CHUNK_BYTES: u64 = 256 * 1024;
        /// Size and type, of which the type is looked for.
        const PATTERN_BYTES: usize = HEADER_BYTES;
        let pattern: [u8; 4] = PRFT.into();
        while *budget > 0 {
            self.seek(from)?;
            self.content.clear();
            let chunk = self.reader.by_ref().take(CHUNK_BYTES);
            let read = { chunk }.read_to_end(&mut self.content)?;
            let mut windows = self.content.windows(PATTERN_BYTES);
            if let Some(index) = windows.position(|window| window.ends_with(&pattern)) {
                return Ok(Some(from + index as u64));
            }
            if read < PATTERN_BYTES {
                break;
            }
            from += (read - PATTERN_BYTES + 1) as u64;
            *budget = budget.saturating_sub(read as u64);
        }
        Ok(None)
    }

    fn seek(&mut self, to: u64) -> Result<(), Broken> {
        self.reader.seek(SeekFrom::Start(to))?;
        self.position = to;
        Ok(())
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

//! Whole fragments behind damage, in a file of their own: what a flipped bit or a lost page makes
//! unreadable is the fragment it is in, and no other.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use shared::fmp4::contents::Contents;
use shared::fmp4::fragment::{AudioEntry, Fragment, SampleEntry, Sealed};
use shared::hash::Sha256;
use shared::id::SegmentId;
use shared::segment::{FragmentMeta, SegmentHead, SegmentMeta};

use super::{Sign, recovery};

/// Suffix of a file that is not complete yet.
pub(super) const UNFINISHED: &str = "part";

/// Copies `fragments` of the file at `from` (its init part is intact) to a new file beside it, and
/// makes that durable. Repeating it after a crash gives the same file. `None` when the first of
/// them cannot be made the first of a file.
pub(super) fn salvage(
    from: &Path,
    head: &SegmentHead,
    fragments: &[FragmentMeta],
    sign: &Sign,
) -> io::Result<Option<(PathBuf, SegmentMeta)>> {
    let Some((first, rest)) = fragments.split_first() else {
        return Ok(None);
    };
    let head = SegmentHead {
        id: offspring(head.id),
        ..head.clone()
    };
    let mut source = File::open(from)?;
    let init = read(&mut source, 0, head.init_length)?;
    let bytes = read(&mut source, first.offset, first.length)?;
    let Some(first) = with_head(&bytes, first, &head) else {
        return Ok(None);
    };
    let path = from.with_file_name(format!("{}.mp4", head.id));
    let unfinished = path.with_extension(UNFINISHED);
    let mut target = File::create(&unfinished)?;
    target.write_all(&init)?;
    for piece in &first.pieces {
        target.write_all(piece)?;
    }
    let mut copied = vec![first.sealed.meta];
    for fragment in rest {
        target.write_all(&read(&mut source, fragment.offset, fragment.length)?)?;
        let offset = copied.last().map_or(0, FragmentMeta::end_offset);
        copied.push(FragmentMeta {
            offset,
            ..fragment.clone()
        });
    }
    target.sync_all()?;
    fs::rename(&unfinished, &path)?;
    if let Some(directory) = path.parent() {
        File::open(directory)?.sync_all()?;
    }
    let size = copied.last().map_or(0, FragmentMeta::end_offset);
    Ok(Some((path, recovery::signed(sign, head, size, copied))))
}

/// The id of what is salvaged from a segment: always the same one, so that salvaging twice gives
/// one file. Time and version stay (RFC 9562 section 5.7); the random part is a hash.
fn offspring(id: SegmentId) -> SegmentId {
    let mut bytes = *id.as_bytes();
    let hash = Sha256::of(&[id.as_bytes().as_slice(), b"salvaged"].concat());
    let (_, random) = bytes.split_at_mut(8);
    random.copy_from_slice(&hash.as_bytes()[..8]);
    random[0] = 0x80 | (random[0] & 0x3f);
    SegmentId::from_slice(&bytes).unwrap_or(id)
}

fn read(source: &mut File, offset: u64, length: u32) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    source.seek(SeekFrom::Start(offset))?;
    source.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// A fragment as the first of a file.
struct First {
    pieces: Vec<Vec<u8>>,
    sealed: Sealed,
}

/// The same samples behind the segment's head.
fn with_head(bytes: &[u8], meta: &FragmentMeta, head: &SegmentHead) -> Option<First> {
    let contents = Contents::of(bytes).ok()?;
    let video: Vec<SampleEntry> = contents.video.iter().map(|(entry, _)| *entry).collect();
    let audio: Vec<AudioEntry> = contents.audio.iter().map(|(entry, _)| *entry).collect();
    let header = Fragment {
        sequence: contents.sequence,
        wall_start: meta.wall_start,
        head: Some(head),
        video: &video,
        audio: &audio,
    }
    .encode()
    .ok()?;
    let video = contents.video.iter().map(|(_, place)| place);
    let audio = contents.audio.iter().map(|(_, place)| place);
    let payload: Vec<&[u8]> = video
        .chain(audio)
        .map(|place| bytes.get(place.clone()))
        .collect::<Option<_>>()?;
    let sealed = header
        .seal(u64::from(head.init_length), payload.iter().copied())
        .ok()?;
    let pieces = [&header.bytes[..]]
        .into_iter()
        .chain(payload)
        .chain([&sealed.trailer[..]])
        .map(<[u8]>::to_vec)
        .collect();
    Some(First { pieces, sealed })
}

#[cfg(test)]
mod tests {
    use shared::time::WallTime;

    use super::*;

    #[test]
    fn an_offspring_is_a_uuid_of_its_own_and_always_the_same() {
        let id = SegmentId::new(WallTime::from_secs(1_772_359_200));
        assert_eq!(offspring(id), offspring(id));
        assert_ne!(offspring(id), id);
        assert_ne!(offspring(offspring(id)), offspring(id));
        assert_eq!(offspring(id).as_uuid().get_version_num(), 7);
    }
}

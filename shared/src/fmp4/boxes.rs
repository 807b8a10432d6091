//! What the writers and the reader share: our own box types and walking over the children of a box.
//!
//! Containers are walked here and only their leaves are given to `mp4-atom`, because its decoders of
//! containers recurse into whatever they find, as deep as a file says.

use mp4_atom::{Buf, DecodeMaybe, ExtendedType, FourCC, Header};

/// `uuid` box with the segment's head as JSON.
pub(super) const HEAD: ExtendedType = ExtendedType::new(&[
    0xfe, 0x81, 0x78, 0x7a, 0x03, 0x28, 0x43, 0x6e, 0x85, 0x96, 0xd5, 0x66, 0xd6, 0x3a, 0xd9, 0x4a,
]);
/// `uuid` box that ends a fragment with the SHA-256 of the fragment's bytes before it.
pub(super) const SEAL: ExtendedType = ExtendedType::new(&[
    0x08, 0xd9, 0x81, 0x18, 0xbe, 0xb9, 0x48, 0xae, 0xae, 0x33, 0x0a, 0x94, 0x6b, 0x32, 0x30, 0xed,
]);

/// Bytes of a box's size and type.
pub(super) const HEADER_BYTES: usize = 8;
/// Bytes of a `uuid` box around its payload.
pub(super) const UUID_BYTES: usize = HEADER_BYTES + 16;

pub(super) const FTYP: FourCC = FourCC::new(b"ftyp");
pub(super) const MOOV: FourCC = FourCC::new(b"moov");
pub(super) const TRAK: FourCC = FourCC::new(b"trak");
pub(super) const MDIA: FourCC = FourCC::new(b"mdia");
pub(super) const MINF: FourCC = FourCC::new(b"minf");
pub(super) const STBL: FourCC = FourCC::new(b"stbl");
pub(super) const STSD: FourCC = FourCC::new(b"stsd");
pub(super) const MVEX: FourCC = FourCC::new(b"mvex");
pub(super) const MOOF: FourCC = FourCC::new(b"moof");
pub(super) const TRAF: FourCC = FourCC::new(b"traf");
pub(super) const MDAT: FourCC = FourCC::new(b"mdat");
pub(super) const PRFT: FourCC = FourCC::new(b"prft");
pub(super) const UUID: FourCC = FourCC::new(b"uuid");

/// The boxes that follow each other in `body`: type and content of each. A box that reaches past
/// the end is an error, as are bytes left over.
#[derive(Clone, Debug)]
pub(super) struct Boxes<'a> {
    rest: &'a [u8],
}

impl<'a> Boxes<'a> {
    pub(super) const fn of(body: &'a [u8]) -> Self {
        Self { rest: body }
    }

    /// The content of the first box of this type.
    pub(super) fn find(self, kind: FourCC) -> Result<&'a [u8], mp4_atom::Error> {
        for child in self {
            let (found, body) = child?;
            if found == kind {
                return Ok(body);
            }
        }
        Err(mp4_atom::Error::MissingBox(kind))
    }
}

impl<'a> Iterator for Boxes<'a> {
    type Item = Result<(FourCC, &'a [u8]), mp4_atom::Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let next = split(self.rest);
        match next {
            Ok((kind, body, rest)) => {
                self.rest = rest;
                Some(Ok((kind, body)))
            }
            Err(error) => {
                self.rest = &[];
                Some(Err(error))
            }
        }
    }
}

/// The first box of `bytes` and what follows it.
fn split(mut bytes: &[u8]) -> Result<(FourCC, &[u8], &[u8]), mp4_atom::Error> {
    let header = Header::decode_maybe(&mut bytes)?.ok_or(mp4_atom::Error::OutOfBounds)?;
    let size = header.size.unwrap_or_else(|| bytes.remaining());
    let (body, rest) = bytes
        .split_at_checked(size)
        .ok_or(mp4_atom::Error::OutOfBounds)?;
    Ok((header.kind, body, rest))
}

//! Reading video back: from an MP4 (a file, or bytes such as an init segment followed by fragments) or an elementary stream to
//! luma planes and to stamps. For tests that check what was recorded; the only place that asks ffmpeg for a decoder or demuxer.

use std::io::Cursor;
use std::path::Path;

use ffmpeg::codec::decoder;
use ffmpeg::format::context::{Input, StreamIo};
use ffmpeg::util::frame;
use ffmpeg::{Packet, Rational, Rescale};
use ffmpeg_next as ffmpeg;

use crate::encode::quieten;
use crate::media::Codec;
use crate::stamp::{self, SeiStamp, Stamp};

const TIME_BASE_90K: Rational = Rational(1, 90_000);

/// Why nothing could be decoded.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Not a container ffmpeg knows, or no such file.
    #[error("cannot open {what}: {source}")]
    Open {
        /// The file, or "bytes".
        what: String,
        /// What ffmpeg said.
        source: ffmpeg::Error,
    },
    /// There is no video in it.
    #[error("{0} has no video")]
    NoVideo(String),
    /// Reading or decoding failed.
    #[error("decoding failed: {0}")]
    Decode(#[from] ffmpeg::Error),
}

/// An MP4 to be read.
#[derive(Clone, Copy, Debug)]
pub enum Media<'a> {
    /// A file.
    File(&'a Path),
    /// Its content.
    Bytes(&'a [u8]),
}

impl<'a> From<&'a Path> for Media<'a> {
    fn from(path: &'a Path) -> Self {
        Self::File(path)
    }
}

impl<'a> From<&'a [u8]> for Media<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Bytes(bytes)
    }
}

impl<'a> From<&'a Vec<u8>> for Media<'a> {
    fn from(bytes: &'a Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl Media<'_> {
    fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Bytes(bytes) => format!("{} bytes", bytes.len()),
        }
    }

    fn open(&self) -> Result<Input, DecodeError> {
        quieten();
        let opened = match self {
            Self::File(path) => ffmpeg::format::input(*path),
            Self::Bytes(bytes) => StreamIo::from_read_seek(Cursor::new(bytes.to_vec()))
                .and_then(|stream| ffmpeg::format::input_from_stream(stream, None, None)),
        };
        opened.map_err(|source| DecodeError::Open {
            what: self.name(),
            source,
        })
    }
}

/// The brightness of a decoded picture.
#[derive(Clone, Copy, Debug)]
pub struct Luma<'a> {
    /// Pixels row by row.
    pub pixels: &'a [u8],
    /// Distance from one row to the next.
    pub stride: usize,
    /// Pixels per row.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

impl Luma<'_> {
    /// The stamp in the picture.
    pub fn stamp(&self) -> Option<Stamp> {
        stamp::read(self.pixels, self.stride, self.width, self.height)
    }
}

/// Decodes all video of an MP4 in order of presentation; the time is in 90 kHz ticks as the container says it.
pub fn for_each_luma<'a>(
    media: impl Into<Media<'a>>,
    mut see: impl FnMut(i64, Luma<'_>),
) -> Result<(), DecodeError> {
    let media = media.into();
    let mut input = media.open()?;
    let (index, time_base, parameters) = {
        let video = input.streams().best(ffmpeg::media::Type::Video);
        let video = video.ok_or_else(|| DecodeError::NoVideo(media.name()))?;
        (video.index(), video.time_base(), video.parameters())
    };
    let decoder = ffmpeg::codec::Context::from_parameters(parameters)?
        .decoder()
        .video()?;
    let mut decoder = Decoder { decoder, time_base };
    while let Some(packet) = next_packet(&mut input, index)? {
        decoder.push(&packet, &mut see)?;
    }
    decoder.finish(&mut see)
}

/// Stamps of all pictures of an MP4, with presentation times in 90 kHz ticks.
pub fn stamps_of_mp4<'a>(
    media: impl Into<Media<'a>>,
) -> Result<Vec<(i64, Option<Stamp>)>, DecodeError> {
    let mut stamps = Vec::new();
    for_each_luma(media, |pts, luma| stamps.push((pts, luma.stamp())))?;
    Ok(stamps)
}

/// SEI stamps of all access units of an MP4 in order of presentation, without decoding: a hundred times faster than
/// [`stamps_of_mp4`].
pub fn sei_stamps_of_mp4<'a>(
    media: impl Into<Media<'a>>,
) -> Result<Vec<(i64, Option<SeiStamp>)>, DecodeError> {
    let media = media.into();
    let mut input = media.open()?;
    let (index, time_base) = {
        let video = input.streams().best(ffmpeg::media::Type::Video);
        let video = video.ok_or_else(|| DecodeError::NoVideo(media.name()))?;
        (video.index(), video.time_base())
    };
    let mut stamps = Vec::new();
    while let Some(packet) = next_packet(&mut input, index)? {
        let pts = packet
            .pts()
            .unwrap_or_default()
            .rescale(time_base, TIME_BASE_90K);
        stamps.push((pts, stamp::read_sei(packet.data().unwrap_or_default())));
    }
    stamps.sort_by_key(|(pts, _)| *pts);
    Ok(stamps)
}

/// The next packet of a stream; `None` at the end.
pub(crate) fn next_packet(
    input: &mut Input,
    stream: usize,
) -> Result<Option<Packet>, ffmpeg::Error> {
    let mut packet = Packet::empty();
    loop {
        match packet.read(input) {
            Ok(()) if packet.stream() == stream => return Ok(Some(packet)),
            Ok(()) => {}
            Err(ffmpeg::Error::Eof) => return Ok(None),
            Err(error) => return Err(error),
        }
    }
}

/// Decodes an elementary stream given one access unit at a time, with start codes and parameter sets in band.
pub struct StreamDecoder {
    decoder: Decoder,
}

impl StreamDecoder {
    /// A decoder that waits for a key frame.
    pub fn new(codec: Codec) -> Result<Self, DecodeError> {
        quieten();
        let id = match codec {
            Codec::H264 => ffmpeg::codec::Id::H264,
            Codec::H265 => ffmpeg::codec::Id::HEVC,
        };
        let codec = decoder::find(id).ok_or(ffmpeg::Error::DecoderNotFound)?;
        let decoder = ffmpeg::codec::Context::new_with_codec(codec)
            .decoder()
            .video()?;
        Ok(Self {
            decoder: Decoder {
                decoder,
                time_base: TIME_BASE_90K,
            },
        })
    }

    /// Takes an access unit and shows the pictures that are finished, in order of presentation.
    pub fn push(
        &mut self,
        access_unit: &[u8],
        pts_90k: i64,
        mut see: impl FnMut(i64, Luma<'_>),
    ) -> Result<(), DecodeError> {
        let mut packet = Packet::copy(access_unit);
        packet.set_pts(Some(pts_90k));
        self.decoder.push(&packet, &mut see)
    }

    /// Shows the pictures that are still inside.
    pub fn finish(self, mut see: impl FnMut(i64, Luma<'_>)) -> Result<(), DecodeError> {
        self.decoder.finish(&mut see)
    }
}

struct Decoder {
    decoder: decoder::Video,
    time_base: Rational,
}

impl Decoder {
    fn push(
        &mut self,
        packet: &Packet,
        see: &mut impl FnMut(i64, Luma<'_>),
    ) -> Result<(), DecodeError> {
        self.decoder.send_packet(packet)?;
        self.drain(see);
        Ok(())
    }

    fn finish(mut self, see: &mut impl FnMut(i64, Luma<'_>)) -> Result<(), DecodeError> {
        self.decoder.send_eof()?;
        self.drain(see);
        Ok(())
    }

    fn drain(&mut self, see: &mut impl FnMut(i64, Luma<'_>)) {
        let mut picture = frame::Video::empty();
        while self.decoder.receive_frame(&mut picture).is_ok() {
            let pts = picture
                .pts()
                .unwrap_or_default()
                .rescale(self.time_base, TIME_BASE_90K);
            let luma = Luma {
                pixels: picture.data(0),
                stride: picture.stride(0),
                width: picture.width() as usize,
                height: picture.height() as usize,
            };
            see(pts, luma);
        }
    }
}

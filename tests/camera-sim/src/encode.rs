//! Encoding of pictures and tones, the only place that asks ffmpeg for an encoder. Knows nothing of RTP or of cameras.

use bytes::Bytes;
use ffmpeg::codec::encoder;
use ffmpeg::format::Pixel;
use ffmpeg::util::frame;
use ffmpeg::{ChannelLayout, Dictionary, Packet, Rational};
use ffmpeg_next as ffmpeg;

use crate::media::Codec;
use crate::scene::canvas::Picture;

/// Why nothing could be encoded.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// libavcodec was built without it.
    #[error("no encoder {0}: install an ffmpeg (libavcodec) built with it")]
    NoEncoder(&'static str),
    /// The encoder refused the settings.
    #[error("encoder {name} does not open for {what}: {source}")]
    Open {
        /// Name as libavcodec knows it.
        name: &'static str,
        /// The settings asked for.
        what: String,
        /// What libavcodec said.
        source: ffmpeg::Error,
    },
    /// A frame was refused.
    #[error("encoding failed: {0}")]
    Encode(#[from] ffmpeg::Error),
}

/// What to encode to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct VideoSettings {
    pub(crate) codec: Codec,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) fps: u32,
    /// Bits per second.
    pub(crate) bitrate: u32,
    pub(crate) gop_frames: u32,
    pub(crate) b_frames: u32,
}

impl VideoSettings {
    const fn encoder_name(&self) -> &'static str {
        match self.codec {
            Codec::H264 => "libx264",
            Codec::H265 => "libx265",
        }
    }

    /// One thread, no scene cuts, no open GOPs: a camera's encoder is regular, and many run on one machine.
    fn options(&self) -> Dictionary<'static> {
        let mut options = Dictionary::new();
        options.set("preset", "ultrafast");
        options.set("forced-idr", "1");
        if self.b_frames == 0 {
            options.set("tune", "zerolatency");
        }
        let lookahead = if self.b_frames == 0 {
            0
        } else {
            self.b_frames + 1
        };
        let common = format!("scenecut=0:open-gop=0:b-adapt=0:rc-lookahead={lookahead}");
        match self.codec {
            Codec::H264 => options.set(
                "x264-params",
                &format!("{common}:sliced-threads=0:sync-lookahead=0:b-pyramid=none"),
            ),
            Codec::H265 => options.set(
                "x265-params",
                &format!(
                    "{common}:pools=none:frame-threads=1:wpp=0:log-level=error:info=0:b-pyramid=0"
                ),
            ),
        }
        options
    }
}

/// One coded picture.
#[derive(Clone, Debug)]
pub(crate) struct EncodedPicture {
    /// With start codes.
    pub(crate) annex_b: Bytes,
    /// As given with the picture.
    pub(crate) pts: i64,
    /// Place in decoding order, in frames; less than or equal to `pts`.
    pub(crate) dts: i64,
}

/// An open encoder.
pub(crate) struct VideoEncoder {
    encoder: encoder::video::Encoder,
    settings: VideoSettings,
}

impl VideoEncoder {
    pub(crate) fn open(settings: &VideoSettings) -> Result<Self, EncodeError> {
        quieten();
        let name = settings.encoder_name();
        let codec = encoder::find_by_name(name).ok_or(EncodeError::NoEncoder(name))?;
        let mut context = ffmpeg::codec::Context::new_with_codec(codec);
        context.set_threading(ffmpeg::threading::Config::count(1));
        let mut video = context.encoder().video()?;
        video.set_width(settings.width);
        video.set_height(settings.height);
        video.set_format(Pixel::YUV420P);
        video.set_time_base(Rational(1, settings.fps.cast_signed()));
        video.set_frame_rate(Some(Rational(settings.fps.cast_signed(), 1)));
        video.set_bit_rate(settings.bitrate as usize);
        video.set_max_bit_rate(settings.bitrate as usize);
        video.set_gop(settings.gop_frames);
        video.set_max_b_frames(settings.b_frames as usize);
        let mut options = settings.options();
        options.set("bufsize", &settings.bitrate.to_string());
        let encoder = video
            .open_with(options)
            .map_err(|source| EncodeError::Open {
                name,
                what: format!("{settings:?}"),
                source,
            })?;
        Ok(Self {
            encoder,
            settings: settings.clone(),
        })
    }

    /// Takes a picture and gives back what is finished: with B-frames that is an earlier one, or nothing yet.
    pub(crate) fn encode(
        &mut self,
        picture: &Picture,
        pts: i64,
        key: bool,
    ) -> Result<Vec<EncodedPicture>, EncodeError> {
        let mut frame =
            frame::Video::new(Pixel::YUV420P, self.settings.width, self.settings.height);
        copy_plane(&mut frame, 0, &picture.luma, picture.width);
        copy_plane(&mut frame, 1, &picture.chroma_u, picture.width / 2);
        copy_plane(&mut frame, 2, &picture.chroma_v, picture.width / 2);
        frame.set_pts(Some(pts));
        if key {
            frame.set_kind(ffmpeg::picture::Type::I);
        }
        self.encoder.send_frame(&frame)?;
        self.drain()
    }

    /// Ends the stream and gives back all that is still inside.
    pub(crate) fn finish(mut self) -> Result<Vec<EncodedPicture>, EncodeError> {
        self.encoder.send_eof()?;
        self.drain()
    }

    fn drain(&mut self) -> Result<Vec<EncodedPicture>, EncodeError> {
        let mut pictures = Vec::new();
        let mut packet = Packet::empty();
        while self.encoder.receive_packet(&mut packet).is_ok() {
            let pts = packet.pts().unwrap_or_default();
            pictures.push(EncodedPicture {
                annex_b: Bytes::copy_from_slice(packet.data().unwrap_or_default()),
                pts,
                dts: packet.dts().unwrap_or(pts),
            });
        }
        Ok(pictures)
    }
}

fn copy_plane(frame: &mut frame::Video, plane: usize, source: &[u8], width: usize) {
    let stride = frame.stride(plane);
    for (target, row) in frame
        .data_mut(plane)
        .chunks_mut(stride)
        .zip(source.chunks(width))
    {
        target[..width].copy_from_slice(row);
    }
}

/// Encodes mono samples in −1..1 to raw AAC-LC frames of 1024 samples; the encoder's priming frame is left out.
pub(crate) fn encode_aac(samples: &[f32], rate: u32) -> Result<Vec<Bytes>, EncodeError> {
    const NAME: &str = "aac";
    const FRAME: usize = 1024;
    quieten();
    let codec = encoder::find_by_name(NAME).ok_or(EncodeError::NoEncoder(NAME))?;
    let mut audio = ffmpeg::codec::Context::new_with_codec(codec)
        .encoder()
        .audio()?;
    let format = ffmpeg::format::Sample::F32(ffmpeg::format::sample::Type::Planar);
    audio.set_rate(rate.cast_signed());
    audio.set_format(format);
    audio.set_channel_layout(ChannelLayout::MONO);
    audio.set_bit_rate(48_000);
    audio.set_time_base(Rational(1, rate.cast_signed()));
    let opened = audio.open_as(codec);
    let mut encoder = opened.map_err(|source| EncodeError::Open {
        name: NAME,
        what: format!("{rate} Hz mono"),
        source,
    })?;
    let mut frames = Vec::new();
    let mut packet = Packet::empty();
    for (index, chunk) in samples.chunks_exact(FRAME).enumerate() {
        let mut frame = frame::Audio::new(format, FRAME, ChannelLayout::MONO);
        frame.set_rate(rate);
        frame.set_pts(Some((index * FRAME) as i64));
        frame.plane_mut::<f32>(0).copy_from_slice(chunk);
        encoder.send_frame(&frame)?;
        while encoder.receive_packet(&mut packet).is_ok() {
            if packet.pts().is_some_and(|pts| pts >= 0) {
                frames.push(Bytes::copy_from_slice(packet.data().unwrap_or_default()));
            }
        }
    }
    Ok(frames)
}

/// Libraries below write to standard error by themselves; only what concerns us should.
pub(crate) fn quieten() {
    ffmpeg::util::log::set_level(ffmpeg::util::log::Level::Error);
}

//! What a camera's description and parameter sets say, in the product's terms.

use std::num::NonZeroU16;

use bytes::Bytes;
use retina::client::Stream;
use retina::codec::{ParametersRef, VideoParameters as Known, VideoParametersCodec};
use shared::codec::{
    AudioCodec, AudioParameters, ParameterError, VideoCodec, VideoParameters, aac, h264, h265,
};
use shared::timeline::Reason;

/// The first video stream of a codec that segments can hold, or why there is none.
pub(super) fn choose_video(streams: &[Stream]) -> Result<(usize, VideoCodec), (Reason, String)> {
    let mut other = None;
    for (index, stream) in streams.iter().enumerate() {
        match (stream.media(), stream.encoding_name()) {
            ("video", "h264") => return Ok((index, VideoCodec::H264)),
            ("video", "h265") => return Ok((index, VideoCodec::H265)),
            ("video", encoding) => other = Some(encoding),
            _ => {}
        }
    }
    Err(match other {
        Some(encoding) => (
            Reason::CameraCodecUnsupported,
            format!("the camera sends `{encoding}`; set it to H.264 or H.265"),
        ),
        None => (
            Reason::CameraProtocolError,
            "the camera describes no video, check the path in the address".to_owned(),
        ),
    })
}

/// The parameters in force; `None` while none were sent.
pub(super) fn video(stream: Option<&Stream>, codec: VideoCodec) -> Option<VideoParameters> {
    let Some(ParametersRef::Video(known)) = stream.and_then(Stream::parameters) else {
        return None;
    };
    read(known, codec)
        .inspect_err(|error| tracing::debug!(%error, "parameter sets read in part"))
        .ok()
        .or_else(|| in_part(known, codec))
}

fn read(known: &Known, codec: VideoCodec) -> Result<VideoParameters, ParameterError> {
    let config = match known.codec_params() {
        VideoParametersCodec::H264 { sps, pps } => h264::configuration([&sps[..]], [&pps[..]])?,
        VideoParametersCodec::H265 { vps, sps, pps } => {
            h265::configuration([&vps[..]], [&sps[..]], [&pps[..]])?
        }
        _ => Bytes::copy_from_slice(known.extra_data()),
    };
    VideoParameters::from_config(codec, config)
}

/// What the RTSP library made of parameter sets that we cannot read: enough to record by.
fn in_part(known: &Known, codec: VideoCodec) -> Option<VideoParameters> {
    let (width, height) = known.pixel_dimensions();
    Some(VideoParameters {
        codec,
        config: Bytes::copy_from_slice(known.extra_data()),
        rfc6381: known.rfc6381_codec().to_owned(),
        width: u16::try_from(width).ok()?,
        height: u16::try_from(height).ok()?,
        reorder_frames: 2,
    })
}

/// `None` for what cannot be used.
pub(super) fn audio(stream: &Stream) -> Option<AudioParameters> {
    let Some(ParametersRef::Audio(known)) = stream.parameters() else {
        return None;
    };
    let codec = match stream.encoding_name() {
        "mpeg4-generic" => {
            let config = Bytes::copy_from_slice(known.extra_data());
            return aac::parameters(config)
                .ok()
                // Times are counted by the RTP clock, and the track must count like them.
                .map(|parameters| AudioParameters {
                    sample_rate: stream.clock_rate_hz(),
                    ..parameters
                });
        }
        "pcma" => AudioCodec::Pcma,
        "pcmu" => AudioCodec::Pcmu,
        _ => return None,
    };
    let channels = stream.channels().map_or(1, NonZeroU16::get);
    let channels = u8::try_from(channels).ok()?;
    AudioParameters::without_config(codec, stream.clock_rate_hz(), channels).ok()
}

//! The steps of opening a session, each within its limit.

use std::future::Future;
use std::time::Duration;

use retina::client::{
    Demuxed, Described, InitialSequenceNumberPolicy, InitialTimestampPolicy, PlayOptions,
    SessionIdPolicy, SessionOptions, SetupOptions, TcpTransportOptions, UdpTransportOptions,
    UnknownRtcpSsrcPolicy,
};
use retina::codec::FrameFormat;
use secrecy::ExposeSecret;
use shared::timeline::Reason;
use tokio::net::TcpStream;

use super::fault::{Fault, Step};
use super::tunnel::{RTSPS_PORT, Tunnel};
use super::{Description, Note, of_error, parameters};
use crate::camera::source::{Source, Transport};

/// Registered for RTSP (RFC 2326 section 9.2).
const RTSP_PORT: u16 = 554;

/// For one TCP handshake.
const KNOCK: Duration = Duration::from_secs(1);

/// Limits for the steps of opening a session. Small cameras need seconds to answer while they
/// encode.
const DESCRIBE_SECONDS: u64 = 8;
const SETUP_SECONDS: u64 = 5;
const PLAY_SECONDS: u64 = 8;

pub(super) async fn describe(
    source: &Source,
    options: SessionOptions,
) -> Result<(retina::client::Session<Described>, Option<Tunnel>), Fault> {
    let opened = async {
        let tunnel = match source.is_encrypted() {
            true => Some(Tunnel::open(source).await?),
            false => None,
        };
        let url = match &tunnel {
            Some(tunnel) => tunnel.through(source.url()),
            None => source.url().clone(),
        };
        let credentials = source
            .credentials()
            .map(|credentials| retina::client::Credentials {
                username: credentials.username.clone(),
                password: credentials.password.expose_secret().to_owned(),
            });
        let options = options
            .creds(credentials)
            .user_agent(concat!("cctv-agent/", env!("CARGO_PKG_VERSION")).to_owned())
            .session_id(SessionIdPolicy::UseFirst);
        retina::client::Session::describe(url, options)
            .await
            .map(|described| (described, tunnel))
            .map_err(|error| of_error(source, Step::Describe, &error))
    };
    match tokio::time::timeout(Duration::from_secs(DESCRIBE_SECONDS), opened).await {
        Ok(opened) => opened,
        Err(_) => Err(Fault {
            reason: why_silent(source).await,
            ..Fault::timeout(source, Step::Describe, DESCRIBE_SECONDS)
        }),
    }
}

/// Whether a camera that does not answer is there at all.
async fn why_silent(source: &Source) -> Reason {
    let url = source.url();
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let usual = match source.is_encrypted() {
        true => RTSPS_PORT,
        false => RTSP_PORT,
    };
    let port = url.port().unwrap_or(usual);
    match tokio::time::timeout(KNOCK, TcpStream::connect((host, port))).await {
        Ok(Ok(_)) => Reason::CameraStalled,
        Ok(Err(_)) | Err(_) => Reason::CameraUnreachable,
    }
}

/// The description, and the numbers of the video and the audio stream to set up.
pub(super) fn describe_streams(
    source: &Source,
    described: &retina::client::Session<Described>,
) -> Result<(Description, usize, Option<usize>), Fault> {
    let streams = described.streams();
    let video = parameters::choose_video(streams)
        .map_err(|(reason, what)| Fault::new(reason, format!("{}: {what}", source.shown())))?;
    let audio = streams.iter().position(|stream| stream.media() == "audio");
    let (video, codec) = video;
    let description = Description {
        video: codec,
        video_parameters: parameters::video(streams.get(video), codec),
        audio_encoding: audio
            .and_then(|audio| streams.get(audio))
            .map(|stream| stream.encoding_name().to_owned()),
        audio: audio
            .and_then(|audio| streams.get(audio))
            .and_then(parameters::audio),
        server: described.tool().map(|tool| tool.to_string()),
    };
    Ok((description, video, audio))
}

pub(super) async fn set_up(
    source: &Source,
    described: &mut retina::client::Session<Described>,
    stream: usize,
    doing: Step,
) -> Result<(), Fault> {
    let transport = match source.transport {
        Transport::Udp if !source.is_encrypted() => {
            retina::client::Transport::Udp(UdpTransportOptions::default())
        }
        Transport::Tcp | Transport::Udp => {
            retina::client::Transport::Tcp(TcpTransportOptions::default())
        }
    };
    let options = SetupOptions::default()
        .transport(transport)
        .frame_format(FrameFormat::MP4);
    step(
        source,
        doing,
        SETUP_SECONDS,
        described.setup(stream, options),
    )
    .await
}

/// Starts everything that was set up.
pub(super) async fn play(
    source: &Source,
    described: retina::client::Session<Described>,
) -> Result<Demuxed, Fault> {
    let policy = PlayOptions::default()
        // Each of these is stated wrongly by some cameras, and none is needed.
        .initial_timestamp(InitialTimestampPolicy::Permissive)
        .initial_seq(InitialSequenceNumberPolicy::Ignore)
        .unknown_rtcp_ssrc(UnknownRtcpSsrcPolicy::ProcessPackets);
    step(source, Step::Play, PLAY_SECONDS, described.play(policy))
        .await?
        .demuxed()
        .map_err(|error| of_error(source, Step::Play, &error))
}

/// Does one step of opening a session, within its limit.
async fn step<T>(
    source: &Source,
    doing: Step,
    seconds: u64,
    work: impl Future<Output = Result<T, retina::Error>>,
) -> Result<T, Fault> {
    match tokio::time::timeout(Duration::from_secs(seconds), work).await {
        Ok(done) => done.map_err(|error| of_error(source, doing, &error)),
        Err(_) => Err(Fault::timeout(source, doing, seconds)),
    }
}

pub(super) fn unsupported_sound(description: &Description) -> Note {
    let encoding = description.audio_encoding.as_deref().unwrap_or("unknown");
    Note {
        text: format!("the sound ({encoding}) cannot be used; video is pulled without it"),
        quirk: None,
    }
}

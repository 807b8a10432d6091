//! One RTSP session with a camera: from its address to access units, audio frames and sender
//! reports. The only place that knows the RTSP library.
//!
//! The library has no time-outs inside and no TLS, and ends a session where a camera is merely odd.
//! All three are made up for here: every step has a limit, `rtsps` goes through [`tunnel`], and
//! errors are weighed by [`fault`]. What the items mean for runs and wall time is
//! [`super::runs`]' affair; when to try again is [`super::session`]'s.

mod fault;
mod open;
mod parameters;
mod tunnel;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use retina::client::{Demuxed, SessionGroup, SessionOptions, TeardownPolicy};
use retina::codec::CodecItem;
use shared::codec::{AudioParameters, VideoCodec, VideoParameters};
use shared::time::{Ticks90k, WallTime};
use shared::timeline::Reason;

pub(super) use self::fault::{Fault, Step};
use self::fault::{Weight, weigh};
use self::tunnel::Tunnel;
use super::quirks::{Quirk, Quirks};
use super::source::Source;

/// How long a camera may take to confirm that the previous session is over.
const TEARDOWN_LIMIT: Duration = Duration::from_secs(2);

/// Unusable video packets in a row, without one picture, after which the session is given up.
const MAX_BAD_PACKETS: u32 = 100;

/// How often a session is polled whose keep-alives are not answered: the library reports that at
/// every poll instead of waiting.
const UNANSWERED_POLL: Duration = Duration::from_millis(10);

/// Sessions of one stream that may still be alive at the camera after we let go of them.
#[derive(Clone, Default)]
pub(super) struct PastSessions(Arc<SessionGroup>);

impl std::fmt::Debug for PastSessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("PastSessions")
            .field(&self.0.stale_sessions().num_sessions)
            .finish()
    }
}

impl PastSessions {
    /// Gives the camera a moment to confirm the end of our last session, so that it has a free
    /// place for the next.
    async fn end(&self) {
        let _ = tokio::time::timeout(TEARDOWN_LIMIT, self.0.await_teardown()).await;
    }

    /// How long packets of a past session may still arrive.
    pub(super) fn haunted_for(&self) -> Option<Duration> {
        let status = self.0.stale_sessions();
        status
            .max_expires
            .map(|expires| expires.saturating_duration_since(tokio::time::Instant::now()))
    }
}

/// What a camera says about a stream before it is played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Description {
    pub(super) video: VideoCodec,
    /// What was announced, if usable.
    pub(super) video_parameters: Option<VideoParameters>,
    /// As in the SDP, lower case, whether usable or not.
    pub(super) audio_encoding: Option<String>,
    pub(super) audio: Option<AudioParameters>,
    /// The server's name for itself (`a=tool`).
    pub(super) server: Option<String>,
}

/// A session that plays.
pub(super) struct Session {
    source: Source,
    stream: Demuxed,
    description: Description,
    video: usize,
    audio: Option<AudioTrack>,
    /// Those in force for the next picture, and whether the consumer knows them.
    parameters: Option<Arc<VideoParameters>>,
    bad_packets: u32,
    unanswered: bool,
    last_error: Option<String>,
    notes: Vec<Note>,
    _tunnel: Option<Tunnel>,
}

#[derive(Debug)]
struct AudioTrack {
    stream: usize,
    /// How the library calls the stream in its errors.
    context: String,
}

/// Something a session has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    Picture(Picture),
    Sound(Sound),
    Report(Report),
    /// Something odd that does not stop pictures.
    Note(Note),
}

/// One access unit as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Picture {
    /// RTP timestamp without wraps; its origin is arbitrary.
    pub(super) pts: Ticks90k,
    pub(super) sync: bool,
    /// NAL units behind four-byte lengths, without parameter sets.
    pub(super) payload: Bytes,
    /// RTP packets that were lost before or inside what precedes it.
    pub(super) lost_packets: u16,
    /// In force from this picture on; the same `Arc` while nothing changes.
    pub(super) parameters: Arc<VideoParameters>,
}

/// One audio frame as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sound {
    /// RTP timestamp without wraps, in units of the sample rate; its origin is arbitrary.
    pub(super) at: i64,
    /// In units of the sample rate.
    pub(super) duration: u32,
    pub(super) payload: Bytes,
}

/// A sender report (RFC 3550 section 6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) track: Track,
    /// RTP timestamp without wraps, in units of the track.
    pub(super) at: i64,
    /// The camera's wall clock at that instant.
    pub(super) ntp: WallTime,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Track {
    Video,
    Audio,
}

/// For log and probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Note {
    pub(super) text: String,
    pub(super) quirk: Option<Quirk>,
}

/// Asks for a description and nothing else; the lightest question that tells whether a session is
/// worth a try.
///
/// # Errors
/// As for opening a session.
pub(super) async fn examine(source: &Source) -> Result<Description, Fault> {
    let (described, _tunnel) = open::describe(source, SessionOptions::default()).await?;
    open::describe_streams(source, &described).map(|(description, _, _)| description)
}

impl Session {
    /// Opens a session and starts the stream.
    ///
    /// # Errors
    /// The first step that failed, and why.
    pub(super) async fn open(
        source: &Source,
        past: &PastSessions,
        quirks: &Quirks,
    ) -> Result<Self, Fault> {
        past.end().await;
        let options = SessionOptions::default()
            .session_group(Arc::clone(&past.0))
            .teardown(match quirks.has(Quirk::StaleSession) {
                true => TeardownPolicy::Always,
                false => TeardownPolicy::Auto,
            });
        let (mut described, tunnel) = open::describe(source, options).await?;
        let (description, video, audio) = open::describe_streams(source, &described)?;
        let mut notes = Vec::new();
        open::set_up(source, &mut described, video, Step::SetUpVideo).await?;
        let audio = match audio {
            Some(stream) if description.audio.is_some() && !quirks.has(Quirk::BrokenSound) => {
                open::set_up(source, &mut described, stream, Step::SetUpSound)
                    .await
                    .map_err(|fault| Fault {
                        quirk: Some(Quirk::BrokenSound),
                        ..fault
                    })?;
                Some(stream)
            }
            Some(_) => {
                notes.push(open::unsupported_sound(&description));
                None
            }
            None => None,
        };
        let stream = open::play(source, described).await?;
        let audio = audio.map(|audio| AudioTrack {
            stream: audio,
            context: context(&stream, audio),
        });
        Ok(Self {
            source: source.clone(),
            stream,
            description,
            video,
            audio,
            parameters: None,
            bad_packets: 0,
            unanswered: false,
            last_error: None,
            notes,
            _tunnel: tunnel,
        })
    }

    pub(super) const fn description(&self) -> &Description {
        &self.description
    }

    /// Those of the sound that is being pulled.
    pub(super) fn audio(&self) -> Option<&AudioParameters> {
        self.audio.as_ref().and(self.description.audio.as_ref())
    }

    /// The next item. Waits without limit: how long silence may last is the caller's to say.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    /// The session is over.
    pub(super) async fn next(&mut self) -> Result<Item, Fault> {
        loop {
            if let Some(note) = self.notes.pop() {
                return Ok(Item::Note(note));
            }
            match self.stream.next().await {
                Some(Ok(item)) => {
                    if let Some(item) = self.take(item) {
                        return Ok(item);
                    }
                }
                Some(Err(error)) => self.endure(&error).await?,
                None => return Err(self.ended()),
            }
        }
    }

    fn take(&mut self, item: CodecItem) -> Option<Item> {
        match item {
            CodecItem::VideoFrame(frame) if frame.stream_id() == self.video => {
                self.bad_packets = 0;
                if self.parameters.is_none() || frame.has_new_parameters() {
                    self.renew_parameters();
                }
                let Some(parameters) = self.parameters.clone() else {
                    self.note_once(
                        "pictures come without parameter sets and cannot be used",
                        None,
                    );
                    return None;
                };
                let pts = Ticks90k::new(frame.timestamp().timestamp());
                let lost_packets = frame.loss();
                // Without a copy: the vector was sized to fit.
                let payload = Bytes::from(frame.into_data());
                Some(Item::Picture(Picture {
                    pts,
                    sync: parameters.codec.is_sync(&payload),
                    payload,
                    lost_packets,
                    parameters,
                }))
            }
            CodecItem::AudioFrame(frame) => Some(Item::Sound(Sound {
                at: frame.timestamp().timestamp(),
                duration: frame.frame_length().get(),
                payload: Bytes::copy_from_slice(frame.data()),
            })),
            CodecItem::Rtcp(compound) => self.report(&compound).map(Item::Report),
            _ => None,
        }
    }

    fn renew_parameters(&mut self) {
        let stream = self.stream.streams().get(self.video);
        if let Some(new) = parameters::video(stream, self.description.video)
            && self.parameters.as_deref() != Some(&new)
        {
            self.parameters = Some(Arc::new(new));
        }
    }

    fn report(&self, compound: &retina::rtcp::ReceivedCompoundPacket) -> Option<Report> {
        let at = compound.rtp_timestamp()?.timestamp();
        let track = match compound.stream_id() {
            stream if stream == self.video => Track::Video,
            stream
                if self
                    .audio
                    .as_ref()
                    .is_some_and(|audio| audio.stream == stream) =>
            {
                Track::Audio
            }
            _ => return None,
        };
        let first = compound.pkts().next()?;
        let ntp = first.as_sender_report().ok()??.ntp_timestamp().0;
        // RFC 3550 lets a sender without a wall clock say zero.
        (ntp != 0).then(|| Report {
            track,
            at,
            ntp: wall_from_ntp(ntp),
        })
    }

    async fn endure(&mut self, error: &retina::Error) -> Result<(), Fault> {
        let text = error.to_string();
        let sound = self.audio.as_ref().map(|audio| audio.context.as_str());
        match weigh(&text, sound) {
            Weight::Fatal => return Err(of_error(&self.source, Step::Receive, error)),
            Weight::Video => {
                self.bad_packets += 1;
                self.last_error = Some(text);
                if self.bad_packets >= MAX_BAD_PACKETS {
                    return Err(of_error(&self.source, Step::Receive, error));
                }
            }
            Weight::Sound => self.note_once(&text, None),
            Weight::KeepAlive(quirk) => {
                self.note_once(quirk.sentence(), Some(quirk));
                self.unanswered = true;
                tokio::time::sleep(UNANSWERED_POLL).await;
            }
        }
        Ok(())
    }

    /// Remembers the first trouble of a kind; later ones are the same.
    fn note_once(&mut self, text: &str, quirk: Option<Quirk>) {
        let known = self.last_error.as_deref() == Some(text);
        let told = known || (quirk.is_some() && self.unanswered);
        if !told {
            self.notes.push(Note {
                text: self
                    .source
                    .redact(text.split("\n\n").next().unwrap_or(text)),
                quirk,
            });
            self.last_error = Some(text.to_owned());
        }
    }

    fn ended(&self) -> Fault {
        let shown = self.source.shown();
        match &self.last_error {
            Some(text) => Fault::from_error(&self.source, Step::Receive, None, text),
            None => Fault::new(
                Reason::CameraDisconnected,
                format!("{shown}: the camera closed the connection"),
            ),
        }
    }
}

fn of_error(source: &Source, doing: Step, error: &retina::Error) -> Fault {
    Fault::from_error(source, doing, error.status_code(), &error.to_string())
}

fn context(stream: &Demuxed, index: usize) -> String {
    stream
        .streams()
        .get(index)
        .and_then(retina::client::Stream::ctx)
        .map(ToString::to_string)
        .unwrap_or_default()
}

/// 32.32 fixed-point seconds since 1900, of the era that reaches to 2036, to microseconds since
/// 1970.
fn wall_from_ntp(ntp: u64) -> WallTime {
    const UNIX_EPOCH_SECONDS: i64 = 2_208_988_800;
    let seconds = i64::try_from(ntp >> 32).unwrap_or(i64::MAX) - UNIX_EPOCH_SECONDS;
    let micros = (u128::from(ntp & 0xffff_ffff) * 1_000_000) >> 32;
    WallTime::from_secs(seconds).offset_micros(i64::try_from(micros).unwrap_or(0))
}
